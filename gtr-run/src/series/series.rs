//! Images on their way to a picture or a folder.

use std::path::{Path, PathBuf};

use gtr_backends::Picture;

use super::earlier;
use super::layout::Layout;
use super::numbering::{Numbering, file_name};
use super::record::{Parameters, Recipe};
use crate::Error;
use crate::folder::{check_folder, make_folder};
use crate::path;
use crate::picture::{Bitmap, Sheet};
use crate::target::Target;

/// A sheet of more images than this is a mistake.
const MOST_ON_A_SHEET: u64 = 10_000;

/// Where the images go.
#[derive(Debug)]
pub enum Place {
    /// One file for all.
    File {
        /// The file.
        target: Target,
        /// How the images are laid out in it.
        layout: Layout,
    },
    /// A file each.
    Folder(PathBuf),
}

impl Place {
    /// Finds out whether the images can be written to `out`, before any is made; each has so many reconstructions.
    ///
    /// # Errors
    /// [`Error::Request`] for a name that no pictures can be written to, and for too many images; [`Error::Failure`] if the file or
    /// the folder cannot be written to.
    pub fn new(out: &Path, numbering: Numbering, reconstructions: u32) -> Result<Self, Error> {
        if path::is_folder(out) {
            if reconstructions > 1 {
                return Err(Error::request(
                    "--reseed-reconstruction lays images side by side: name a file as --out, not a folder",
                ));
            }
            check_folder(out)?;
            return Ok(Self::Folder(out.to_owned()));
        }
        if !path::is_free(out) && path::ending(out).as_deref() != Some("png") {
            let (out, stem) = (out.display(), out.with_extension(""));
            return Err(Error::request(format_args!(
                "--out {out}: pictures are PNG files: name one that ends in .png, a folder, as {}/, or for many images a .npz",
                stem.display()
            )));
        }
        let target = Target::new(out)?;
        let images = numbering.images().saturating_mul(reconstructions.into());
        if images > MOST_ON_A_SHEET {
            return Err(Error::request(format_args!(
                "{images} images are too many for a sheet, which holds {MOST_ON_A_SHEET}: name a folder as --out"
            )));
        }
        Ok(Self::File { target, layout: Layout::new(numbering, reconstructions) })
    }

    /// Makes the folder, and refuses to replace what another run left in it, unless that is to be overwritten; `scale` is that of the
    /// files. Parts of a run of many
    /// images are looked for by [`bulk::clear`](crate::bulk::clear).
    ///
    /// # Errors
    /// [`Error::Failure`] if the folder cannot be made, or has a file that would be replaced.
    pub fn prepare(&self, numbering: Numbering, recipe: &Recipe, scale: usize, overwrite: bool) -> Result<(), Error> {
        let Self::Folder(folder) = self else { return Ok(()) };
        make_folder(folder)?;
        if overwrite {
            return Ok(());
        }
        let files = earlier::files(folder, numbering, &(0..numbering.images()));
        match files.iter().find(|(position, file)| !earlier::is_of(recipe, numbering, *position, scale, file)) {
            Some((_, file)) => Err(Error::Failure(earlier::not_of_this_run(folder, file))),
            None => Ok(()),
        }
    }
}

/// The images of a run on their way to where they go.
#[derive(Debug)]
pub struct Series {
    numbering: Numbering,
    recipe: Recipe,
    place: Place,
    sheet: Sheet,
    scale: Option<usize>,
}

impl Series {
    /// A run that has not made an image yet. Without a `scale` small pictures of a sheet are enlarged.
    pub fn new(numbering: Numbering, place: Place, recipe: Recipe, scale: Option<usize>) -> Self {
        Self { numbering, recipe, place, sheet: Sheet::default(), scale }
    }

    /// Takes a reconstruction of the image at a position of the run.
    ///
    /// # Errors
    /// [`Error::Failure`] if it cannot be written, [`Error::Request`] for a sheet that is too large.
    pub fn add(&mut self, (position, variant): (u64, u64), picture: &Picture) -> Result<(), Error> {
        let scale = *self.scale.get_or_insert_with(|| default_scale(&self.place, picture));
        self.recipe.parameters.scale = Some(scale);
        match &self.place {
            Place::File { layout, .. } => {
                self.sheet.place(&Bitmap::of(picture, scale), layout.cell(position, variant), layout.size())
            }
            Place::Folder(folder) => {
                let png = self.recipe.png(self.numbering, position, picture, scale)?;
                Target::new(&folder.join(file_name(self.numbering.number(position))))?.write(&png)
            }
        }
    }

    /// Whether each image is written as soon as it is made.
    pub fn is_in_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// Writes what is not written yet, and says what was made.
    ///
    /// # Errors
    /// [`Error::Failure`] if it cannot be written.
    pub fn finish(self) -> Result<Parameters, Error> {
        if let (Place::File { target, .. }, Some(bitmap)) = (&self.place, self.sheet.finish()) {
            target.write(&bitmap.png(&self.recipe.texts())?)?;
        }
        Ok(self.recipe.parameters)
    }
}

/// Files of a folder are left as they are.
fn default_scale(place: &Place, picture: &Picture) -> usize {
    match place {
        Place::File { layout, .. } => layout.scale(picture),
        Place::Folder(_) => 1,
    }
}
