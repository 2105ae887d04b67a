//! Exports a complete run in the formats of evaluation tools.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use gtr_backends::AtomicFile;
use gtr_backends::raster::Raster;
use serde_json::json;

use super::gather::{Finished, Gathered};
use super::layout::FolderLayout;
use super::quad::quad;
use crate::Error;
use crate::folder::{check_folder, make_folder};
use crate::npz::{Element, Writer};
use crate::path::{is_companion, is_npz};
use crate::series::Subjects;
use crate::target::Target;

/// File with the class or prompt of each image of a folder.
pub const LABELS: &str = "labels.jsonl";

/// Destination of an export.
#[derive(Debug)]
pub enum MergeOutput {
    /// A folder of PNG files.
    Folder(PathBuf),
    /// A `.npz` archive of NumPy arrays.
    Npz {
        /// File of the archive.
        target: Target,
        /// Number of channels, 1 or 3; `None` keeps that of the images.
        channels: Option<u8>,
    },
}

impl MergeOutput {
    /// Checks that the run can be written, before it is read. A folder must be new, empty, or that of the run.
    ///
    /// # Errors
    /// [`Error::Request`] for a number of channels with a folder, [`Error::Failure`] if the destination cannot be written.
    pub fn new(path: &Path, gathered: &Gathered, channels: Option<u8>) -> Result<Self, Error> {
        if is_npz(path) {
            return Ok(Self::Npz { target: Target::new(path)?, channels });
        }
        if channels.is_some() {
            return Err(Error::request("--channels needs an archive: use a .npz file as --out"));
        }
        let taken = fs::read_dir(path)
            .is_ok_and(|entries| entries.flatten().any(|entry| !is_companion(Path::new(&entry.file_name()))));
        if taken && !gathered.is_in(path) {
            return Err(Error::Failure(format!(
                "{} is not empty, and evaluations would count the other images too: use a new folder",
                path.display()
            )));
        }
        check_folder(path)?;
        Ok(Self::Folder(path.to_owned()))
    }

    /// Writes a run that has been checked.
    ///
    /// # Errors
    /// [`Error::Failure`] if the destination cannot be written, or if an image changed since it was [checked](Gathered::check).
    pub fn write(&self, gathered: &Gathered) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => to_folder(gathered, folder),
            Self::Npz { target, channels } => target.fill(|file| to_npz(gathered, *channels, target, file)),
        }
    }
}

fn to_folder(gathered: &Gathered, folder: &Path) -> Result<(), Error> {
    let run = gathered.run();
    make_folder(folder)?;
    if run.layout == FolderLayout::Dpg {
        return to_grids(gathered, folder);
    }
    let (folders, files) = run.surroundings(&(0..run.numbering.images()));
    folders.iter().try_for_each(|inner| make_folder(&folder.join(inner)))?;
    files.iter().try_for_each(|(file, text)| Target::new(&folder.join(file))?.write(text.as_bytes()))?;
    let in_place = gathered.is_in(folder);
    let mut labels = String::new();
    for image in gathered.finished() {
        if !in_place {
            Target::new(&folder.join(&image.name))?.write(&image.read()?)?;
        }
        let subject = run.numbering.subject(image.position);
        let label = match &run.subjects {
            Subjects::Classes(classes) => json!({ "file": image.name, "class": classes[subject] }),
            Subjects::Prompts(prompts) => json!({ "file": image.name, "prompt": prompts[subject] }),
        };
        labels.push_str(&label.to_string());
        labels.push('\n');
    }
    Target::new(&folder.join(LABELS))?.write(labels.as_bytes())
}

/// Writes one image per prompt, a grid of four images or a single image. Writes no other files, because the scorer of DPG-Bench
/// reads all files of the folder.
fn to_grids(gathered: &Gathered, folder: &Path) -> Result<(), Error> {
    let run = gathered.run();
    let mut images = gathered.finished();
    for prompt in 0..run.numbering.subjects() {
        let of_prompt = images.by_ref().take(usize::try_from(run.numbering.count()).unwrap_or(usize::MAX));
        let of_prompt: Vec<Finished> = of_prompt.collect();
        let target = Target::new(&folder.join(format!("{}.png", run.dpg_name(prompt))))?;
        let png = match &of_prompt[..] {
            [single] => single.read()?,
            [first, second, third, fourth] => {
                let pictures = [pixels(first)?, pixels(second)?, pixels(third)?, pixels(fourth)?];
                let differ = || {
                    Error::Failure(format!("{}: the four images of its prompt differ in size", first.path.display()))
                };
                quad(&pictures).ok_or_else(differ)?.png(&[])?
            }
            _ => return Err(Error::Failure(format!("{} has a prompt without images", folder.display()))),
        };
        target.write(&png)?;
    }
    Ok(())
}

/// Decodes a finished image.
fn pixels(image: &Finished) -> Result<Raster, Error> {
    Ok(Raster::from_png(&image.path.display().to_string(), &image.read()?)?)
}

/// Writes `arr_0` `[images, rows, columns, channels]`, and `arr_1` with the classes for a class-conditional model. Only one
/// image is in memory at a time.
fn to_npz(gathered: &Gathered, wanted: Option<u8>, target: &Target, file: &mut AtomicFile) -> Result<(), Error> {
    let run = gathered.run();
    let wrong = |error: io::Error| target.refused(&error);
    let images = run.numbering.images();
    let mut npz = Writer::new(BufWriter::with_capacity(1 << 20, file));
    let mut size = None;
    for image in gathered.finished() {
        let raster = pixels(&image)?;
        let (channels, bytes) = match (raster.channels(), wanted) {
            (1, Some(3)) => (3, raster.bytes().iter().flat_map(|&grey| [grey; 3]).collect()),
            (3, Some(1)) => {
                let path = image.path.display();
                return Err(Error::Failure(format!("{path} is not grey: remove --channels 1")));
            }
            (channels, _) => (channels, raster.bytes().to_vec()),
        };
        let sides = [raster.height() as u64, raster.width() as u64, channels as u64];
        if *size.get_or_insert(sides) != sides {
            return Err(Error::Failure(format!("{} differs in size from the previous images", image.path.display())));
        }
        if image.position == 0 {
            npz.array("arr_0", Element::U8, &[images, sides[0], sides[1], sides[2]]).map_err(wrong)?;
        }
        npz.write(&bytes).map_err(wrong)?;
    }
    if let Subjects::Classes(classes) = &run.subjects {
        npz.array("arr_1", Element::I64, &[images]).map_err(wrong)?;
        for position in 0..images {
            let class = i64::from(classes[run.numbering.subject(position)]);
            npz.write(&class.to_le_bytes()).map_err(wrong)?;
        }
    }
    npz.finish().and_then(|writer| writer.into_inner().map_err(io::IntoInnerError::into_error)).map_err(wrong)?;
    Ok(())
}
