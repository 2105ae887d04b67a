//! Reads images of any size, with their classes if known: a folder, one folder per class, or a NumPy archive. The files are
//! untrusted input; every field is checked. One image is in memory at a time.

use std::path::{Path, PathBuf};

use gtr_backends::Picture;
use gtr_backends::raster::Raster;
use gtr_run::bulk::LABELS;
use gtr_run::npz::Reader;
use gtr_run::path::is_npz;

use super::external::{MOST, classes, labelled, pictures_in};
use crate::Error;

/// Upper bound of classes.
const CLASSES: u32 = 1 << 20;

/// Images to read.
#[derive(Debug)]
pub enum Labelled {
    /// PNG files and their classes.
    Files(Vec<(PathBuf, Option<u32>)>),
    /// A NumPy archive.
    Archive(PathBuf),
}

impl Labelled {
    /// Finds the images: a folder of PNG files, a folder with one such folder per class, or a NumPy archive.
    ///
    /// # Errors
    /// [`Error::Failure`] if there are no images or too many, or if the list of labels is invalid.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if is_npz(path) {
            return Ok(Self::Archive(path.to_owned()));
        }
        let list = path.join(LABELS);
        let mut files = Vec::new();
        if list.is_file() {
            let (names, labels) = labelled(&list, CLASSES)?;
            let label = |at: usize| labels.as_ref().map(|labels| labels[at]);
            files.extend(names.iter().enumerate().map(|(at, name)| (path.join(name), label(at))));
        } else {
            files.extend(pictures_in(path)?.into_iter().map(|name| (path.join(name), None)));
            for (class, folder) in (0..).zip(folders_in(path)?) {
                let names = pictures_in(&folder)?;
                files.extend(names.into_iter().map(|name| (folder.join(name), Some(class))));
            }
        }
        if files.is_empty() {
            return Err(Error::Failure(format!(
                "{} has no PNG files, neither directly nor in one folder per class",
                path.display()
            )));
        }
        if files.len() as u64 > MOST {
            return Err(Error::Failure(format!("{} has more than {MOST} PNG files", path.display())));
        }
        Ok(Self::Files(files))
    }

    /// Passes each image of `shape`, `[height, width, channels]`, and its class to `take`.
    ///
    /// # Errors
    /// [`Error::Backend`] for an image that cannot be read or has another size, [`Error::Failure`] for such an archive, and errors
    /// of `take`.
    pub fn each(
        &self,
        shape: [usize; 3],
        mut take: impl FnMut(Picture, Option<u32>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Files(files) => {
                files.iter().try_for_each(|(file, label)| take(Raster::read(file)?.picture(shape)?, *label))
            }
            Self::Archive(path) => archive(path, shape, take),
        }
    }
}

/// Returns the folders in a folder, sorted by name.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = |error: &std::io::Error| Error::failure(format_args!("cannot read {}", folder.display()), error);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| cannot(&error))? {
        let path = entry.map_err(|error| cannot(&error))?.path();
        if path.is_dir() && folders.len() < CLASSES as usize {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn archive(
    path: &Path,
    [height, width, channels]: [usize; 3],
    mut take: impl FnMut(Picture, Option<u32>) -> Result<(), Error>,
) -> Result<(), Error> {
    let images = |npz: &mut Reader| {
        let array = npz.array("arr_0")?;
        let sides = [height, width, channels].map(|side| side as u64);
        let fits = match &array.header.shape[..] {
            [_, rest @ ..] => rest == sides || (channels == 1 && rest == &sides[..2]),
            [] => false,
        };
        match array.header.shape.first() {
            Some(&count) if array.header.descr == "|u1" && fits && count <= MOST => {
                Ok(usize::try_from(count).map_err(|_| array.wrong("too many images"))?)
            }
            _ => {
                let (descr, shape) = (&array.header.descr, &array.header.shape);
                Err(Error::from(array.wrong(&format!(
                    "expected |u1 of shape [images, {height}, {width}, {channels}] with at most {MOST} images, found `{descr}` of \
                     shape {shape:?}"
                ))))
            }
        }
    };
    let mut npz = Reader::open(path)?;
    let count = images(&mut npz)?;
    let labels = npz.has("arr_1").then(|| classes(npz.array("arr_1")?, count, CLASSES.into())).transpose()?;
    let mut array = npz.array("arr_0")?;
    let mut bytes = vec![0; height * width * channels];
    for image in 0..count {
        array.fill(&mut bytes)?;
        let pixels = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let picture = Picture::new(width, height, channels, pixels)?;
        take(picture, labels.as_ref().map(|labels| labels[image]))?;
    }
    Ok(array.ended()?)
}
