//! Catalogue of the implementations of the axes, for flags and help texts.

use gtr_backends::Families;
use gtr_core::form::Form;
use gtr_core::{AxisConfig, AxisName, Description, Registry};

/// Registered implementations, with their parameters and defaults, and the model families.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// Registry of the implementations.
    pub(crate) registry: Registry,
    /// Model families.
    pub(crate) families: Families,
    /// The implementations, grouped by axis.
    pub(crate) kinds: Vec<Kind>,
}

/// An implementation of an axis.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Name, documentation and parameters.
    pub(crate) description: Description,
    /// Default configuration.
    pub(crate) default: AxisConfig,
}

impl Catalogue {
    /// Creates the catalogue of a registry and of model families.
    pub(crate) fn new(registry: Registry, families: Families) -> Self {
        let kinds = registry
            .describe()
            .into_iter()
            .map(|description| Kind { default: default(&registry, description.axis, description.kind), description });
        Self { kinds: kinds.collect(), registry, families }
    }

    /// Returns the implementations of an axis.
    pub(crate) fn axis(&self, axis: AxisName) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(move |kind| kind.description.axis == axis)
    }

    /// Returns the implementation of an axis by its name.
    pub(crate) fn find(&self, axis: AxisName, kind: &str) -> Option<&Kind> {
        self.axis(axis).find(|it| it.description.kind == kind)
    }
}

impl Kind {
    /// Returns the form of a parameter, or `None` if the implementation has no parameter of this name.
    pub(crate) fn form(&self, parameter: &str) -> Option<&Form> {
        self.description.parameters.iter().find(|it| it.name == parameter).map(|it| &it.form)
    }
}

fn default(registry: &Registry, axis: AxisName, kind: &str) -> AxisConfig {
    let entry = registry.entries(axis).into_iter().find(|entry| entry.kind() == kind);
    let examples = entry.map(|entry| entry.examples());
    let default = examples.into_iter().flatten().find(|(name, _)| *name == "default");
    default.map_or_else(|| AxisConfig::new(kind), |(_, config)| config)
}
