//! What the ending of a file's name says.

use std::fmt::Display;
use std::path::Path;

use gtr_run::path;
pub(crate) use gtr_run::path::is_free;

use crate::error::CliError;

/// Whether the ending of a name says what is written there. Of a folder, whoever writes tells that it is one.
fn says(path: &Path) -> bool {
    !is_free(path) && !path.is_dir()
}

/// Checks the name of a file that is written in one format.
pub(crate) fn check(flag: impl Display, path: &Path, what: &str, endings: &[&str]) -> Result<(), CliError> {
    match path::ending(path) {
        _ if !says(path) => Ok(()),
        Some(ending) if endings.contains(&ending.as_str()) => Ok(()),
        _ => Err(CliError::usage(format_args!(
            "{flag} {}: {what} is written to a file that ends in .{}: choose such a name",
            path.display(),
            endings.join(" or .")
        ))),
    }
}

/// The format of what is written: as it was said, as the ending of the file's name says, or the default where no file is named. A name
/// that says nothing is refused, and one that says something else than was said.
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
            "--out {shown} and --format are at odds: leave out --format, or name a file with another ending"
        ))),
        (Some(said), _) => Ok(said),
        (None, None) => {
            let choices: Vec<String> = endings.iter().map(|(name, _)| format!(".{name}")).collect();
            Err(CliError::usage(format_args!(
                "--out {shown}: the ending decides what is written, and this one is unknown: choose one of {}",
                choices.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides() {
        let endings = [("json", 1), ("svg", 2)];
        let decide = |path: &str, said| decide(Some(Path::new(path)), said, &endings, 0);
        assert_eq!(decide("a.JSON", None).unwrap(), 1);
        assert_eq!(decide("a.svg", Some(2)).unwrap(), 2);
        assert_eq!(decide("-", None).unwrap(), 0);
        // What is said of a name that says nothing counts.
        assert_eq!(decide("a.pdf", Some(2)).unwrap(), 2);
        for (path, said) in [("a.pdf", None), ("a", None), (".svg", None), ("a.svg", Some(1))] {
            assert!(decide(path, said).is_err(), "{path}");
        }
    }
}
