//! Lists the contents of a checkpoint without reading the tensors.

use std::path::Path;

use super::format::Format;
use super::section::{self, WHOLE, Wanted};
use super::{Checkpoint, Kind, Section, Source, TensorInfo, parts};
use crate::BackendError;

/// The sections of a checkpoint and their tensors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inventory {
    /// Name of the format.
    pub format: String,
    /// Sections of the checkpoint, outermost first.
    pub sections: Vec<SectionInventory>,
    /// Section selected by default, or the reason why none is.
    pub taken: Result<Section, String>,
    /// Kind of model in the selected section, if it is recognised.
    pub kind: Option<Kind>,
    /// Width and number of blocks of the encoder, if there is one. [`Families::sized`](crate::Families::sized) compares
    /// it with the published models.
    pub encoder: Option<(usize, usize)>,
}

/// A section of a checkpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SectionInventory {
    /// Name of the section; `whole` for the outermost.
    pub name: String,
    /// Tensors with their names in the file.
    pub tensors: Vec<(String, TensorInfo)>,
}

impl TensorInfo {
    /// Size in bytes; `None` if the type is not supported or the size overflows.
    pub fn bytes(&self) -> Option<usize> {
        let elements = self.elements()?;
        elements.checked_mul(self.dtype?.size())
    }

    /// Number of elements; `None` if it overflows.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
    }
}

impl Inventory {
    /// Reads the headers of a file, or of all files that an index names.
    ///
    /// # Errors
    /// [`BackendError::Read`] if a file cannot be read, [`BackendError::Checkpoint`] if it is not a checkpoint.
    ///
    /// # Examples
    /// ```no_run
    /// let inventory = gtr_backends::checkpoint::Inventory::open("checkpoint-last.pth".as_ref())?;
    /// for section in &inventory.sections {
    ///     println!("{}: {} tensors", section.name, section.tensors.len());
    /// }
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        let name = path.display().to_string();
        let format = if parts::is_index(path) {
            Format::Parts(parts::Parts::open(path)?)
        } else {
            let format = Format::open(Source::open(path)?);
            format.map_err(|reason| BackendError::Checkpoint { file: name.clone(), reason })?
        };
        let (format_name, mut sections) = (format.name().into_owned(), Vec::new());
        let mut refusal = None;
        {
            let collections = format.collections();
            for (number, collection) in collections.iter().enumerate() {
                let outermost = collection.path.is_empty();
                if outermost && collection.tensors.is_empty() {
                    continue;
                }
                let info = |name: &&str| Some(((*name).to_owned(), format.info(number, name)?));
                let name = if outermost { WHOLE.to_owned() } else { collection.path.join(".") };
                sections.push(SectionInventory { name, tensors: collection.tensors.iter().filter_map(info).collect() });
            }
            if let Err(reason) = section::choose(&collections, &Wanted::Averaged) {
                refusal = Some(reason);
            }
        }
        if let Some(reason) = refusal {
            return Ok(Self { format: format_name, sections, taken: Err(reason), kind: None, encoder: None });
        }
        let checkpoint = Checkpoint::new(name, format, &Wanted::Averaged)?;
        let kind = Kind::of(&checkpoint);
        let width = checkpoint.dimension("encoder_norm.weight", 0);
        let encoder = width.map(|width| (width, checkpoint.blocks("encoder_blocks")));
        Ok(Self { format: format_name, sections, taken: Ok(checkpoint.section), kind, encoder })
    }
}
