//! Everything that leaves the program: standard output, notes, the log, files.

mod folder;
mod target;

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

pub(crate) use self::folder::{check_folder, is_folder, make_folder};
pub(crate) use self::target::Target;
use crate::error::CliError;
use crate::input::is_stream;

/// Writes to standard output; styles are kept only where they are wanted. A reader that stopped reading has what it wants.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failure("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes to a file, or to standard output where none is named.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), CliError> {
    match file {
        None => print(text),
        Some(path) if is_stream(path) => print(text),
        Some(path) => Target::new(path)?.write(anstream::adapter::strip_str(text).to_string().as_bytes()),
    }
}

/// Writes bytes to a file, or to standard output where none is named.
pub(crate) fn save(bytes: &[u8], file: Option<&Path>) -> Result<(), CliError> {
    match file {
        None => target::to_stdout(bytes),
        Some(path) => Target::new(path)?.write(bytes),
    }
}

/// Prints what is told about something that was written to `out`: to standard error if that was standard output itself.
pub(crate) fn summary(text: &str, out: &Path) -> Result<(), CliError> {
    if !is_stream(out) {
        return print(text);
    }
    // Where nobody listens there is nobody to tell.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    Ok(())
}

/// Refuses to write bytes that are no text to a terminal.
pub(crate) fn refuse_terminal(out: Option<&Path>, what: &str) -> Result<(), CliError> {
    use std::io::IsTerminal as _;
    if out.is_none_or(is_stream) && io::stdout().is_terminal() {
        return Err(CliError::usage(format_args!(
            "standard output is a terminal, which cannot show {what}: name a file with --out, or redirect it"
        )));
    }
    Ok(())
}

/// A flag, and the file that it names.
pub(crate) type Named<'a> = (&'static str, Option<&'a Path>);

/// Refuses a file that is to be written twice, or that is read as well: only what is written last would be left of it. Standard
/// input and output serve one flag each.
pub(crate) fn apart(written: &[Named<'_>], read: &[Named<'_>]) -> Result<(), CliError> {
    for (named, stream) in [(written, "output"), (read, "input")] {
        let mut streams = named.iter().filter(|(_, path)| path.is_some_and(is_stream));
        if let (Some((first, _)), Some((second, _))) = (streams.next(), streams.next()) {
            return Err(CliError::usage(format_args!(
                "{first} and {second} both name standard {stream}: name a file for one of them"
            )));
        }
    }
    // By the name that links lead to, also of a file that is not there yet; a device takes whatever comes.
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
                "{flag} and {other} name the same file, {}: give them two names",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Tells something that is no error.
pub(crate) fn note(text: impl Display) {
    line("note", text);
}

/// Tells why the program fails.
pub(crate) fn error(text: impl Display) {
    line("error", text);
}

/// A line on standard error.
fn line(label: &str, text: impl Display) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{label}: {}", one_line(&text.to_string()));
}

/// Text as one line, whatever file names and files hold: control characters become spaces, and what changes the direction of the
/// text around it is written as its number.
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

/// Starts the log on standard error.
pub(crate) fn log(verbose: bool) {
    if verbose {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(anstream::stderr)
            .with_target(false)
            .without_time()
            .log_internal_errors(false);
        let ours = ["gtr_cli", "gtr_core", "gtr_backends"].map(|target| (target, LevelFilter::DEBUG));
        tracing_subscriber::registry().with(layer).with(Targets::new().with_targets(ours)).init();
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_line_is_a_line_in_one_direction() {
        assert_eq!(one_line("a\n\u{1b}[31mb\u{202e}c\u{e9}"), "a  [31mb\\u{202e}c\u{e9}");
    }
}
