//! File formats by file extension.

use std::fmt::Display;
use std::path::Path;

use gtr_run::path;
pub(crate) use gtr_run::path::is_free;

use crate::error::CliError;

/// Returns true if the extension determines the format. Folders are reported when writing fails.
fn says(path: &Path) -> bool {
    !is_free(path) && !path.is_dir()
}

/// Checks the extension of a file that has only one format.
pub(crate) fn check(flag: impl Display, path: &Path, what: &str, endings: &[&str]) -> Result<(), CliError> {
    match path::ending(path) {
        _ if !says(path) => Ok(()),
        Some(ending) if endings.contains(&ending.as_str()) => Ok(()),
        _ => Err(CliError::usage(format_args!(
            "{flag} {}: expected a file name ending in .{} for {what}",
            path.display(),
            endings.join(" or .")
        ))),
    }
}

/// Determines the output format from the flag `said`, from the extension of the file, or from the default if there is no file.
/// Returns an error if the extension is unknown and no flag is given, or if flag and extension contradict each other.
pub(crate) fn decide<T: Copy + PartialEq>(
    path: Option<&Path>,
    said: Option<T>,
    endings: &[(&str, T)],
    default: T,
) -> Result<T, CliError> {
    let Some(path) = path.filter(|path| says(path)) else { return Ok(said.unwrap_or(default)) };
    let ending = path::ending(path).unwrap_or_default();
    let named = endings.iter().find(|(name, _)| *name == ending).map(|(_, format)| *format);
    let shown = path.display();
    match (said, named) {
        (None, Some(format)) => Ok(format),
        (Some(said), Some(named)) if said != named => Err(CliError::usage(format_args!(
            "--out {shown} contradicts --format: remove --format, or use another file extension"
        ))),
        (Some(said), _) => Ok(said),
        (None, None) => {
            let choices: Vec<String> = endings.iter().map(|(name, _)| format!(".{name}")).collect();
            Err(CliError::usage(format_args!(
                "--out {shown}: unknown file extension, expected one of {}",
                choices.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_determines_the_format() {
        let endings = [("json", 1), ("svg", 2)];
        let decide = |path: &str, said| decide(Some(Path::new(path)), said, &endings, 0);
        assert_eq!(decide("a.JSON", None).unwrap(), 1);
        assert_eq!(decide("a.svg", Some(2)).unwrap(), 2);
        assert_eq!(decide("-", None).unwrap(), 0);
        // The flag decides if the extension is unknown.
        assert_eq!(decide("a.pdf", Some(2)).unwrap(), 2);
        for (path, said) in [("a.pdf", None), ("a", None), (".svg", None), ("a.svg", Some(1))] {
            assert!(decide(path, said).is_err(), "{path}");
        }
    }
}
