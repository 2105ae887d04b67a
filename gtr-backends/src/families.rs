//! The list of model families, and lookup of models in it.

use std::path::PathBuf;

use gtr_core::Grid;
use serde_json::{Map, Value};

use crate::BackendError;
use crate::bounded_read::{parse_object, read_text};
use crate::checkpoint::Inventory;
use crate::family::{ModelFamily, OpenOptions};
use crate::family_table::family_table;
use crate::lightgen::LightGen;
use crate::mar::Mar;
use crate::model::AnyModel;
use crate::models::{EMBEDDED, Found, Source, embedded, folder_of, place};
use crate::repository::IN_REPOSITORY;
use crate::spec::ModelSpec;

/// Generates the list of the built-in families.
macro_rules! list {
    ($($family:ident, $kind:ident $title:literal, $marks:expr;)*) => {
        vec![$(Box::new($family)),*]
    };
}

/// A list of model families, which finds and opens their models.
///
/// # Examples
/// ```
/// use gtr_backends::Families;
/// let families = Families::builtin();
/// let found = families.find("lightgen-large")?;
/// assert_eq!(families.of(&found).name(), "lightgen");
/// assert_eq!(families.spec("mar-h")?.grid.tokens(), 256);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Debug)]
pub struct Families(Vec<Box<dyn ModelFamily>>);

impl Default for Families {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Families {
    /// Returns the families of this crate. The first one reads configurations that no family recognises, and reports
    /// what is wrong with them.
    pub fn builtin() -> Self {
        Self(family_table!(list))
    }

    /// Adds a family.
    #[must_use]
    pub fn with(mut self, family: impl ModelFamily + 'static) -> Self {
        self.0.push(Box::new(family));
        self
    }

    /// All families.
    pub fn all(&self) -> impl Iterator<Item = &dyn ModelFamily> {
        self.0.iter().map(Box::as_ref)
    }

    /// Names of the published models. Their weights are not part of the program.
    pub fn published(&self) -> impl Iterator<Item = &'static str> {
        self.all().flat_map(|family| family.published().iter().copied())
    }

    /// Finds a model by its name or path, and reads its configuration.
    ///
    /// # Errors
    /// [`BackendError::UnknownModel`] if it is neither a name nor a path, [`BackendError::Read`] for a path without a
    /// readable `config.json`.
    pub fn find(&self, model: &str) -> Result<Found, BackendError> {
        let source = if let Some(embedded) = embedded(model) {
            Source::BuiltIn(embedded)
        } else if self.published().any(|name| name == model) {
            Source::Published
        } else {
            let path = place(model)?.ok_or_else(|| self.unknown(model))?;
            let config = folder_of(&path).join("config.json");
            Source::OnDisk { text: read_text(&config)?, config, path }
        };
        Ok(Found::new(model, source))
    }

    /// Returns the folder of a model on disk, which has its `config.json`; `None` for other models.
    ///
    /// # Errors
    /// [`BackendError::UnknownModel`] if it is neither a name nor a path.
    pub(crate) fn folder(&self, model: &str) -> Result<Option<PathBuf>, BackendError> {
        if embedded(model).is_some() || self.published().any(|name| name == model) {
            return Ok(None);
        }
        let path = place(model)?.ok_or_else(|| self.unknown(model))?;
        Ok(Some(folder_of(&path)))
    }

    /// Returns the family of a model: the one that publishes its name, or the first that recognises its configuration.
    pub fn of(&self, found: &Found) -> &dyn ModelFamily {
        let fields = || -> Map<String, Value> {
            let config = found.config();
            config.and_then(|(_, text)| parse_object(text).ok()).unwrap_or_default()
        };
        let by_name = self.all().find(|family| family.published().contains(&found.model()) && found.is_published());
        let by_config = || {
            let fields = fields();
            self.all().find(|family| family.recognises(&fields))
        };
        by_name.or_else(by_config).unwrap_or_else(|| self.0[0].as_ref())
    }

    /// Returns the description of a model without its weights.
    ///
    /// # Errors
    /// Those of [`Families::find`]; [`BackendError::Config`] for an invalid configuration.
    pub fn spec(&self, model: &str) -> Result<ModelSpec, BackendError> {
        let found = self.find(model)?;
        self.of(&found).spec(&found)
    }

    /// Returns the token grid of a model for images of this height and width in pixels. Reads no weights.
    ///
    /// # Errors
    /// Those of [`Families::spec`] and of [`ModelFamily::grid_for`].
    pub fn grid_for(&self, model: &str, height: u32, width: u32) -> Result<Grid, BackendError> {
        let found = self.find(model)?;
        self.of(&found).grid_for(&found, height, width)
    }

    /// Opens a model by its name or path.
    ///
    /// # Errors
    /// Those of [`Families::find`]; otherwise an error of its files.
    pub fn open(&self, model: &str, options: &OpenOptions<'_>) -> Result<AnyModel, BackendError> {
        let found = self.find(model)?;
        self.of(&found).open(&found, options)
    }

    /// Returns the published models whose encoder has the size of that in a checkpoint; `None` if no family recognises
    /// the checkpoint.
    pub fn sized(&self, inventory: &Inventory) -> Option<Vec<&'static str>> {
        let kind = inventory.kind?;
        let family = self.all().find(|family| family.kind() == Some(kind))?;
        let sized = |name: &&str| {
            let stack = family.encoder_of(name).map(|stack| (stack.width, stack.depth));
            stack.is_some() && stack == inventory.encoder
        };
        Some(family.published().iter().copied().filter(sized).collect())
    }

    fn unknown(&self, model: &str) -> BackendError {
        let here = EMBEDDED.iter().map(|embedded| embedded.name).chain(IN_REPOSITORY.iter().map(|model| model.name));
        BackendError::UnknownModel { name: model.to_owned(), known: here.chain(self.published()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Kind;

    #[test]
    fn families_have_the_kinds_of_the_table() {
        macro_rules! kinds {
            ($($family:ident, $kind:ident $title:literal, $marks:expr;)*) => {
                [$(($title, Kind::$kind)),*]
            };
        }
        let (families, kinds) = (Families::builtin(), family_table!(kinds));
        assert_eq!(families.all().count(), kinds.len());
        for (family, (title, kind)) in families.all().zip(kinds) {
            assert_eq!((family.kind(), kind.to_string()), (Some(kind), title.to_owned()), "{}", family.name());
        }
    }
}
