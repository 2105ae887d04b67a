//! Output: standard output, notes, errors, the log, files.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use gtr_run::Target;
pub(crate) use gtr_run::folder::{check_folder, make_folder};
use gtr_run::path::is_stream;
use gtr_run::{Notes, target};
use indicatif::ProgressDrawTarget;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::error::CliError;

/// Writes text to standard output, with styles if the terminal supports them. A closed pipe is not an error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failure("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes text to a file, or to standard output if no file is given.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), CliError> {
    match file {
        None => print(text),
        Some(path) if is_stream(path) => print(text),
        Some(path) => Ok(Target::new(path)?.write(anstream::adapter::strip_str(text).to_string().as_bytes())?),
    }
}

/// Writes bytes to a file, or to standard output if no file is given.
pub(crate) fn save(bytes: &[u8], file: Option<&Path>) -> Result<(), CliError> {
    match file {
        None => Ok(target::to_stdout(bytes)?),
        Some(path) => Ok(Target::new(path)?.write(bytes)?),
    }
}

/// Renders an SVG figure as PNG and writes it to a file, or to standard output if no file is given.
pub(crate) fn paint(figure: &str, file: Option<&Path>) -> Result<(), CliError> {
    save(&gtr_draw::png::render(figure)?, file)
}

/// Prints a summary of data that was written to `out`: to standard error if `out` is standard output, otherwise to standard
/// output.
pub(crate) fn summary(text: &str, out: &Path) -> Result<(), CliError> {
    if !is_stream(out) {
        return print(text);
    }
    // Standard error may be closed, and then nothing can be reported.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    Ok(())
}

/// Returns an error if binary data would be written to a terminal.
pub(crate) fn refuse_terminal(out: Option<&Path>, what: &str) -> Result<(), CliError> {
    use std::io::IsTerminal as _;
    if out.is_none_or(is_stream) && io::stdout().is_terminal() {
        return Err(CliError::usage(format_args!(
            "refusing to write {what} to a terminal: give a file with --out, or redirect standard output"
        )));
    }
    Ok(())
}

/// A flag, and the path given to it.
pub(crate) type Named<'a> = (&'static str, Option<&'a Path>);

/// Returns an error if two flags write to the same file, or if one flag reads a file that another one writes. Standard input and
/// standard output can be used by one flag each.
pub(crate) fn refuse_same_file(written: &[Named<'_>], read: &[Named<'_>]) -> Result<(), CliError> {
    for (named, stream) in [(written, "output"), (read, "input")] {
        let mut streams = named.iter().filter(|(_, path)| path.is_some_and(is_stream));
        if let (Some((first, _)), Some((second, _))) = (streams.next(), streams.next()) {
            return Err(CliError::usage(format_args!(
                "{first} and {second} both use standard {stream}: use a file for one of them"
            )));
        }
    }
    // Resolves links, also for a file that does not exist yet. Several flags may write to one device.
    let whole = |path: &Path| -> Option<PathBuf> {
        if is_stream(path) {
            return None;
        }
        if let Ok(metadata) = fs::metadata(path) {
            return if metadata.is_file() { fs::canonicalize(path).ok() } else { None };
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    let files = |named: &[Named<'_>]| -> Vec<(&'static str, PathBuf)> {
        named.iter().filter_map(|(flag, path)| Some((*flag, whole((*path)?)?))).collect()
    };
    let (written, read) = (files(written), files(read));
    for (at, (flag, path)) in written.iter().enumerate() {
        let mut others = written[..at].iter().chain(&read);
        if let Some((other, _)) = others.find(|(_, other)| other == path) {
            return Err(CliError::usage(format_args!(
                "{flag} and {other} are the same file, {}: use two different files",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Prints a note to standard error.
pub(crate) fn note(text: impl Display) {
    if !is_quiet() {
        line("note", text);
    }
}

/// Set by `--quiet`, once, before a command runs.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Returns true if only errors are printed to standard error.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Returns the target of progress bars: standard error, or nothing with `--quiet`.
pub(crate) fn progress_target() -> ProgressDrawTarget {
    if is_quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

/// Applies the flags for all commands: colours, and what is printed to standard error.
pub(crate) fn set_up(colours: anstream::ColorChoice, quiet: bool, verbose: bool) {
    colours.write_global();
    QUIET.store(quiet, Ordering::Relaxed);
    log(verbose);
}

/// Returns a receiver that prints notes of the library crates to standard error.
pub(crate) fn notes() -> Notes {
    Notes::new(|text| note(text))
}

/// Prints an error message to standard error.
pub(crate) fn error(text: impl Display) {
    line("error", text);
}

/// Prints a line to standard error.
fn line(label: &str, text: impl Display) {
    // Standard error may be closed, and then nothing can be reported.
    let _ = writeln!(anstream::stderr().lock(), "{label}: {}", one_line(&text.to_string()));
}

/// Returns text as one line. File names and file contents are untrusted: control characters are replaced by spaces, and line
/// separators and characters that change the text direction are escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                line.extend(character.escape_unicode());
            }
            character if character.is_control() => line.push(' '),
            character => line.push(character),
        }
    }
    line
}

/// Starts logging to standard error if `verbose` is set.
fn log(verbose: bool) {
    if verbose {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(anstream::stderr)
            .with_target(false)
            .without_time()
            .log_internal_errors(false);
        let ours =
            ["gtr_cli", "gtr_core", "gtr_backends", "gtr_run", "gtr_lab"].map(|target| (target, LevelFilter::DEBUG));
        tracing_subscriber::registry().with(layer).with(Targets::new().with_targets(ours)).init();
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn control_and_direction_characters_are_replaced() {
        assert_eq!(one_line("a\n\u{1b}[31mb\u{202e}c\u{e9}"), "a  [31mb\\u{202e}c\u{e9}");
    }
}
