//! A whole run, written as programs that score images read it.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::gather::Gathered;
use super::npz::{Element, Npz};
use super::store::Layout;
use crate::error::CliError;
use crate::output::{Target, check_folder, make_folder};
use crate::picture::{Pixels, decode};
use crate::series::Subjects;

/// What says, in a folder, of which class or prompt each image is.
pub(crate) const LABELS: &str = "labels.jsonl";

/// Where a whole run goes.
#[derive(Debug)]
pub(crate) enum Destination {
    /// PNG files.
    Folder(PathBuf),
    /// Arrays of NumPy.
    Npz(Target),
}

/// Whether a path asks for an archive of NumPy.
pub(crate) fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

impl Destination {
    /// Finds out whether the run can be written, before it is read. A folder must be new, empty, or that of the images.
    pub(crate) fn new(path: &Path, gathered: &Gathered) -> Result<Self, CliError> {
        if is_npz(path) {
            return Ok(Self::Npz(Target::new(path)?));
        }
        let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken && !gathered.is_in(path) {
            return Err(CliError::Failure(format!(
                "{} is not empty, and other images would be counted with these: name a new folder",
                path.display()
            )));
        }
        check_folder(path)?;
        Ok(Self::Folder(path.to_owned()))
    }

    /// Writes a run that was found whole.
    pub(crate) fn write(&self, gathered: &Gathered) -> Result<(), CliError> {
        match self {
            Self::Folder(folder) => to_folder(gathered, folder),
            Self::Npz(target) => target.fill(|file| to_npz(gathered, target, file)),
        }
    }
}

fn to_folder(gathered: &Gathered, folder: &Path) -> Result<(), CliError> {
    let run = gathered.run();
    make_folder(folder)?;
    if run.layout == Layout::Geneval {
        for (prompt, line) in run.metadata.iter().flatten().enumerate() {
            make_folder(&folder.join(format!("{prompt:05}")).join("samples"))?;
            Target::new(&folder.join(Layout::metadata(prompt)))?.write(format!("{line}\n").as_bytes())?;
        }
    }
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

/// `arr_0`: images, rows, columns, channels; `arr_1`: classes, where the model has some. One image is in memory at a time.
fn to_npz(gathered: &Gathered, target: &Target, file: &mut File) -> Result<(), CliError> {
    let run = gathered.run();
    let wrong = |error: io::Error| target.refused(&error);
    let images = run.numbering.images();
    let mut npz = Npz::new(BufWriter::with_capacity(1 << 20, file));
    let mut size = None;
    for image in gathered.finished() {
        let Pixels { width, height, channels, bytes } = decode(&image.read()?)
            .map_err(|error| CliError::failure(format_args!("cannot decode {}", image.path.display()), &error))?;
        let sides = [height as u64, width as u64, channels as u64];
        if *size.get_or_insert(sides) != sides {
            return Err(CliError::Failure(format!("{} has another size than the images before", image.path.display())));
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
