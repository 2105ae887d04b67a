//! Pictures of any size with their classes, where these are known, one at a time: a folder, a folder a class, or an archive of
//! NumPy. Nothing in them is trusted.

use std::path::{Path, PathBuf};

use gtr_backends::Picture;
use gtr_backends::raster::Raster;

use super::npz::Npz;
use super::outside::{MOST, classes, labelled, pictures_in};
use crate::bulk::{LABELS, is_npz};
use crate::error::CliError;

/// A class is below this.
const CLASSES: u32 = 1 << 20;

/// Pictures to be read.
#[derive(Debug)]
pub(crate) enum Labelled {
    /// PNG files and their classes.
    Files(Vec<(PathBuf, Option<u32>)>),
    /// An archive.
    Archive(PathBuf),
}

impl Labelled {
    /// Finds the pictures.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
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
            return Err(CliError::Failure(format!(
                "{} has no PNG files, neither itself nor in folders of classes",
                path.display()
            )));
        }
        if files.len() as u64 > MOST {
            return Err(CliError::Failure(format!("{} has more than {MOST} PNG files", path.display())));
        }
        Ok(Self::Files(files))
    }

    /// Hands over each picture, `[height, width, channels]`, and its class.
    pub(crate) fn each(
        &self,
        shape: [usize; 3],
        mut take: impl FnMut(Picture, Option<u32>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match self {
            Self::Files(files) => {
                files.iter().try_for_each(|(file, label)| take(Raster::read(file)?.picture(shape)?, *label))
            }
            Self::Archive(path) => archive(path, shape, take),
        }
    }
}

/// The folders in a folder, by name.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let cannot = |error: &std::io::Error| CliError::failure(format_args!("cannot read {}", folder.display()), error);
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
    mut take: impl FnMut(Picture, Option<u32>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let images = |npz: &mut Npz| {
        let array = npz.array("arr_0")?;
        let sides = [height, width, channels].map(|side| side as u64);
        let fits = match &array.header.shape[..] {
            [_, rest @ ..] => rest == sides || (channels == 1 && rest == &sides[..2]),
            [] => false,
        };
        match array.header.shape.first() {
            Some(&count) if array.header.descr == "|u1" && fits && count <= MOST => {
                usize::try_from(count).map_err(|_| array.wrong("it has too many images"))
            }
            _ => {
                let (descr, shape) = (&array.header.descr, &array.header.shape);
                Err(array.wrong(&format!(
                    "it has elements of `{descr}` and the shape {shape:?}, the model makes |u1 and [images, {height}, {width}, \
                     {channels}], at most {MOST} images"
                )))
            }
        }
    };
    let mut npz = Npz::open(path)?;
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
    array.ended()
}
