//! Figure files.

use std::path::Path;

use gtr_lab::evaluation::{EvaluationRow, figure};

use crate::error::CliError;
use crate::output::{self, Target};

/// A figure file, SVG or PNG.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    path: &'a Path,
    png: bool,
}

impl<'a> Plot<'a> {
    /// Checks that the figure can be written, before anything is computed for it.
    pub(super) fn new(path: &'a Path) -> Result<Self, CliError> {
        let is = |ending: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending));
        if !is("svg") && !is("png") {
            return Err(CliError::usage(format_args!(
                "--plot {}: expected a file name ending in .svg or .png",
                path.display()
            )));
        }
        Target::new(path)?;
        Ok(Self { path, png: is("png") })
    }

    /// Draws and writes the rows whose cost is known.
    pub(super) fn write(&self, title: &str, rows: &[EvaluationRow]) -> Result<(), CliError> {
        self.save(&figure(title, rows))
    }

    /// Writes a figure given as SVG.
    pub(super) fn save(&self, svg: &str) -> Result<(), CliError> {
        if self.png { output::paint(svg, Some(self.path)) } else { output::write(svg, Some(self.path)) }
    }
}
