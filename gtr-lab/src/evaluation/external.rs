//! Scores existing images: a folder of PNG files or a NumPy archive. At most one batch is in memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use gtr_backends::judge::Judge;
use gtr_backends::raster::{Raster, brightness};
use gtr_backends::{BackendError, Classification, Picture};
use gtr_core::{count, unmarked};
use gtr_run::Notes;
use gtr_run::bulk::LABELS;
use gtr_run::npz::{Array, Reader};
use gtr_run::path::{is_companion, is_npz};
use gtr_run::reading::{self, open_regular};
use serde::Deserialize;

use crate::Error;

/// Maximum number of images.
pub(super) const MOST: u64 = 1 << 20;
/// Batch size of the classifier.
const BATCH: usize = 256;
/// Height and width of an image.
const SIDE: usize = 32;
/// Number of classes.
const DIGITS: u32 = 10;
/// Pixels of an image.
const PIXELS: usize = SIDE * SIDE;

/// Classifier outputs of existing images.
#[derive(Clone, Debug)]
pub struct ExternalImages {
    /// Name in tables: the path of the images.
    pub name: String,
    /// One output per image.
    pub verdicts: Vec<Classification>,
    /// Requested classes, if known.
    pub labels: Option<Vec<u32>>,
}

/// Makes a grey 32x32 image from bytes.
pub(super) fn picture(bytes: &[u8]) -> Result<Picture, BackendError> {
    Picture::new(SIDE, SIDE, 1, bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect())
}

impl ExternalImages {
    /// Reads and scores images: a folder of PNG files of 32x32 pixels, or a NumPy archive.
    ///
    /// # Errors
    /// [`Error::Failure`] or [`Error::Backend`] for files that cannot be read or scored, and for fewer than two images.
    pub fn read(path: &Path, judge: &Judge, notes: &Notes) -> Result<Self, Error> {
        let (verdicts, labels) = if is_npz(path) { archive(path, judge)? } else { folder(path, judge, notes)? };
        if verdicts.len() < 2 {
            let images = count(verdicts.len(), "image");
            return Err(Error::Failure(format!("{}: found {images}, a distance needs at least two", path.display())));
        }
        Ok(Self { name: path.display().to_string(), verdicts, labels })
    }
}

type Judged = (Vec<Classification>, Option<Vec<u32>>);

/// Reads `arr_0`, `[images, height, width, channels]`, and `arr_1`, the classes, if the archive has it.
fn archive(path: &Path, judge: &Judge) -> Result<Judged, Error> {
    let mut npz = Reader::open(path)?;
    let mut array = npz.array("arr_0")?;
    let (count, channels) = match (array.header.descr.as_str(), &array.header.shape[..]) {
        ("|u1", &[count, 32, 32, 1] | &[count, 32, 32]) if count <= MOST => (count, 1),
        ("|u1", &[count, 32, 32, 3]) if count <= MOST => (count, 3),
        (descr, shape) => {
            return Err(Error::from(array.wrong(&format!(
                "expected |u1 of shape [images, 32, 32, 1 or 3] with at most {MOST} images, found `{descr}` of shape {shape:?}"
            ))));
        }
    };
    let mut verdicts = Vec::new();
    let mut left = usize::try_from(count).unwrap_or(0);
    let mut bytes = vec![0; PIXELS * channels];
    while left > 0 {
        let mut pictures = Vec::with_capacity(left.min(BATCH));
        for _ in 0..left.min(BATCH) {
            array.fill(&mut bytes)?;
            pictures.push(if channels == 1 { picture(&bytes)? } else { picture(&greys(&bytes))? });
        }
        left -= pictures.len();
        verdicts.extend(judge.judge(&pictures)?);
    }
    array.ended()?;
    drop(array);
    let labels = npz.has("arr_1").then(|| classes(npz.array("arr_1")?, verdicts.len(), DIGITS.into())).transpose()?;
    Ok((verdicts, labels))
}

/// Converts RGB pixels to brightness.
fn greys(colours: &[u8]) -> Vec<u8> {
    colours.as_chunks().0.iter().map(|&colour| brightness(colour)).collect()
}

/// Reads one class per image, each below `number`.
pub(super) fn classes(mut array: Array<'_>, images: usize, number: u64) -> Result<Vec<u32>, Error> {
    let size = match array.header.descr.as_str() {
        "|u1" | "|i1" => 1,
        "<i4" | "<u4" => 4,
        "<i8" | "<u8" => 8,
        descr => return Err(array.wrong(&format!("expected classes of type |u1, <i4 or <i8, found `{descr}`")).into()),
    };
    if array.header.shape != [images as u64] {
        let shape = &array.header.shape;
        return Err(array.wrong(&format!("expected classes of shape [{images}], found {shape:?}")).into());
    }
    let mut classes = Vec::with_capacity(images);
    for image in 0..images {
        let mut bytes = [0; 8];
        array.fill(&mut bytes[..size])?;
        match u64::from_le_bytes(bytes) {
            #[expect(clippy::cast_possible_truncation, reason = "a class has 32 bits")]
            class if class < number => classes.push(class as u32),
            _ => {
                return Err(array.wrong(&format!("the class of image {image} is not in 0 to {}", number - 1)).into());
            }
        }
    }
    array.ended()?;
    Ok(classes)
}

/// A line of `labels.jsonl`.
#[derive(Debug, Deserialize)]
struct Label {
    file: PathBuf,
    class: Option<u32>,
}

/// Scores the PNG files that `labels.jsonl` lists, or all PNG files if there is no such list.
fn folder(path: &Path, judge: &Judge, notes: &Notes) -> Result<Judged, Error> {
    let list = path.join(LABELS);
    let all = pictures_in(path)?;
    let (files, labels, unnamed) = if list.is_file() {
        let (files, labels) = labelled(&list, DIGITS)?;
        let named: BTreeSet<&PathBuf> = files.iter().collect();
        let unnamed = all.iter().filter(|file| !named.contains(file)).count();
        (files, labels, unnamed)
    } else {
        (all, None, 0)
    };
    if files.is_empty() {
        return Err(Error::Failure(format!("{} has no PNG files", path.display())));
    }
    let mut verdicts = Vec::with_capacity(files.len());
    for files in files.chunks(BATCH) {
        let read = |file: &PathBuf| {
            let file = path.join(file);
            open_regular(&file).map_err(|source| BackendError::Read { path: file.clone(), source })?;
            Raster::read(&file)?.exactly([SIDE, SIDE, 1])
        };
        verdicts.extend(judge.judge(&files.iter().map(read).collect::<Result<Vec<_>, _>>()?)?);
    }
    if unnamed > 0 {
        notes.say(format_args!(
            "{} does not list {} of {}",
            list.display(),
            count(unnamed, "PNG file"),
            path.display()
        ));
    }
    Ok((verdicts, labels))
}

/// Maximum length of a line of labels, in bytes.
const LONGEST: u64 = 1 << 16;

/// Reads the files of a list, and their classes (each below `number`) if all files have one.
pub(super) fn labelled(list: &Path, number: u32) -> Result<(Vec<PathBuf>, Option<Vec<u32>>), Error> {
    let shown = list.display();
    let cannot = |error: &dyn std::error::Error| Error::from(reading::failed(list, error));
    let mut file = BufReader::new(File::open(list).map_err(|error| cannot(&error))?);
    let (mut files, mut classes, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut line = String::new();
    for at in 1.. {
        line.clear();
        let length = (&mut file).take(LONGEST).read_line(&mut line).map_err(|error| cannot(&error))?;
        if length == 0 {
            break;
        }
        let wrong = |reason: String| Error::Failure(format!("{shown}, line {at}: {reason}"));
        if length as u64 == LONGEST && !line.ends_with('\n') {
            return Err(wrong(format!("longer than {LONGEST} bytes")));
        }
        if line.trim().is_empty() {
            continue;
        }
        let line = unmarked(line.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let label: Label = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
        let inside = label.file.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || label.file.as_os_str().is_empty() {
            return Err(wrong(format!("{} is not a file name relative to this folder", label.file.display())));
        }
        if label.class.is_some_and(|class| class >= number) {
            return Err(wrong(format!("the class is not in 0 to {}", number - 1)));
        }
        if files.len() as u64 == MOST {
            return Err(wrong(format!("more than {MOST} images")));
        }
        if !named.insert(label.file.clone()) {
            return Err(wrong(format!("{} is listed twice", label.file.display())));
        }
        files.push(label.file);
        classes.extend(label.class);
    }
    let all = classes.len() == files.len();
    Ok((files, all.then_some(classes)))
}

/// Returns the names of all PNG files in a folder, sorted.
pub(super) fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let shown = folder.display();
    let cannot = |error: &std::io::Error| Error::from(reading::failed(folder, error));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| cannot(&error))? {
        let name = PathBuf::from(entry.map_err(|error| cannot(&error))?.file_name());
        if !is_companion(&name) && name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            if files.len() as u64 == MOST {
                return Err(Error::Failure(format!("{shown} has more than {MOST} PNG files")));
            }
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
