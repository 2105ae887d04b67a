//! Writes the images of a run to a sheet or a folder.

use std::path::{Path, PathBuf};

use gtr_backends::Picture;

use super::layout::SheetLayout;
use super::numbering::{Numbering, file_name};
use super::previous;
use super::record::{Parameters, Recipe};
use crate::Error;
use crate::folder::{check_folder, make_folder};
use crate::path;
use crate::picture::{Bitmap, Sheet};
use crate::target::Target;

/// Largest number of images on a sheet.
const MOST_ON_A_SHEET: u64 = 10_000;

/// Destination of the images.
#[derive(Debug)]
pub enum SeriesDestination {
    /// One file with all images.
    File {
        /// File of the sheet.
        target: Target,
        /// Arrangement of the images.
        layout: SheetLayout,
    },
    /// A folder with one file per image.
    Folder(PathBuf),
}

impl SeriesDestination {
    /// Checks that the images can be written to `out`, before any is generated. `reconstructions` is the number per image.
    ///
    /// # Errors
    /// [`Error::Request`] for an unknown extension and for too many images; [`Error::Failure`] if the file or the folder cannot be
    /// written.
    pub fn new(out: &Path, numbering: Numbering, reconstructions: u32) -> Result<Self, Error> {
        if path::is_folder(out) {
            if reconstructions > 1 {
                return Err(Error::request(
                    "--reseed-reconstruction shows images side by side: expected a file as --out, not a folder",
                ));
            }
            check_folder(out)?;
            return Ok(Self::Folder(out.to_owned()));
        }
        if !path::is_free(out) && path::ending(out).as_deref() != Some("png") {
            let (out, stem) = (out.display(), out.with_extension(""));
            return Err(Error::request(format_args!(
                "--out {out}: expected a name ending in .png, a folder, for example {}/, or for many images a name ending in .npz",
                stem.display()
            )));
        }
        let target = Target::new(out)?;
        let images = numbering.images().saturating_mul(reconstructions.into());
        if images > MOST_ON_A_SHEET {
            return Err(Error::request(format_args!(
                "a sheet has at most {MOST_ON_A_SHEET} images, found {images}: use a folder as --out"
            )));
        }
        Ok(Self::File { target, layout: SheetLayout::new(numbering, reconstructions) })
    }

    /// Creates the folder. Unless `overwrite` is set, checks that it has no files of another run; `scale` is the enlargement of the
    /// images in the files. [`bulk::clear`](crate::bulk::clear) checks for shards of a run of many images.
    ///
    /// # Errors
    /// [`Error::Failure`] if the folder cannot be created, or if a file of another run would be replaced.
    pub fn prepare(&self, numbering: Numbering, recipe: &Recipe, scale: usize, overwrite: bool) -> Result<(), Error> {
        let Self::Folder(folder) = self else { return Ok(()) };
        make_folder(folder)?;
        if overwrite {
            return Ok(());
        }
        let files = previous::files(folder, numbering, &(0..numbering.images()));
        match files.iter().find(|(position, file)| !previous::is_of(recipe, numbering, *position, scale, file)) {
            Some((_, file)) => Err(Error::Failure(previous::not_of_this_run(folder, file))),
            None => Ok(()),
        }
    }
}

/// Writes the images of a run to their destination.
#[derive(Debug)]
pub struct Series {
    numbering: Numbering,
    recipe: Recipe,
    place: SeriesDestination,
    sheet: Sheet,
    scale: Option<usize>,
}

impl Series {
    /// Creates a writer before the first image. If `scale` is `None`, small images on a sheet are enlarged.
    pub fn new(numbering: Numbering, place: SeriesDestination, recipe: Recipe, scale: Option<usize>) -> Self {
        Self { numbering, recipe, place, sheet: Sheet::default(), scale }
    }

    /// Adds an image by its position in the run and the index of its reconstruction.
    ///
    /// # Errors
    /// [`Error::Failure`] if the image cannot be written, [`Error::Request`] for a sheet that is too large.
    pub fn add(&mut self, (position, variant): (u64, u64), picture: &Picture) -> Result<(), Error> {
        let scale = *self.scale.get_or_insert_with(|| default_scale(&self.place, picture));
        self.recipe.parameters.scale = Some(scale);
        match &self.place {
            SeriesDestination::File { layout, .. } => {
                self.sheet.place(&Bitmap::of(picture, scale), layout.cell(position, variant), layout.size())
            }
            SeriesDestination::Folder(folder) => {
                let png = self.recipe.png(self.numbering, position, picture, scale)?;
                Target::new(&folder.join(file_name(self.numbering.number(position))))?.write(&png)
            }
        }
    }

    /// Returns true if each image is written immediately.
    pub fn is_in_folder(&self) -> bool {
        matches!(self.place, SeriesDestination::Folder(_))
    }

    /// Writes the sheet, if any, and returns the settings of the run.
    ///
    /// # Errors
    /// [`Error::Failure`] if the sheet cannot be written.
    pub fn finish(self) -> Result<Parameters, Error> {
        if let (SeriesDestination::File { target, .. }, Some(bitmap)) = (&self.place, self.sheet.finish()) {
            target.write(&bitmap.png(&self.recipe.texts())?)?;
        }
        Ok(self.recipe.parameters)
    }
}

/// Returns the default scale. Images in a folder are not enlarged.
fn default_scale(place: &SeriesDestination, picture: &Picture) -> usize {
    match place {
        SeriesDestination::File { layout, .. } => layout.scale(picture),
        SeriesDestination::Folder(_) => 1,
    }
}
