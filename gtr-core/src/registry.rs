//! The implementations of each axis, by name.

use schemars::{Schema, SchemaGenerator};

use crate::axes::axes;
use crate::component::Axis;
use crate::lists::join_names;
use crate::{AnyEntry, AxisConfig, AxisName, Component, Description, Entry, Error};

/// Canonical form of a configuration, with every parameter, and the implementation built from it.
pub(crate) type Built<A> = (AxisConfig, Box<A>);

macro_rules! registry {
    (
        required { $($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident, $text:literal;)* }
        optional { $(
            $other:ident $other_field:ident $other_axis:ident, $other_list:ident $other_with:ident $other_build:ident,
            $default:literal $(=> $data:ident)?, $other_text:literal;
        )* }
    ) => {
        registry! {
            $($variant $field $axis, $list $with $build;)*
            $($other $other_field $other_axis, $other_list $other_with $other_build;)*
        }
    };
    ($($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident;)*) => {
        /// The implementations that a schedule can use: those of this crate, and any that are added.
        ///
        /// # Examples
        /// ```
        /// use gtr_core::{AxisName, Registry};
        /// let registry = Registry::builtin();
        /// assert!(registry.entries(AxisName::Order).iter().any(|it| it.kind() == "bisection"));
        /// ```
        #[derive(Clone, Debug)]
        pub struct Registry {
            $($list: Vec<Entry<dyn crate::$axis>>,)*
        }

        $(
            impl Axis for dyn crate::$axis {
                const NAME: AxisName = AxisName::$variant;
            }
        )*

        impl Registry {
            /// Returns the registry of the implementations of this crate.
            pub fn builtin() -> Self {
                Self { $($list: crate::$field::BUILTIN.to_vec(),)* }
            }

            $(
                #[doc = concat!("Returns the registered implementations of [`", stringify!($axis), "`](crate::", stringify!($axis), ").")]
                pub fn $list(&self) -> &[Entry<dyn crate::$axis>] {
                    &self.$list
                }

                #[doc = concat!("Adds an implementation of [`", stringify!($axis), "`](crate::", stringify!($axis), "), or replaces the one of the same name.")]
                #[must_use]
                pub fn $with<T: Component + crate::$axis>(mut self) -> Self {
                    self.$list.retain(|entry| entry.kind() != T::KIND);
                    self.$list.push(Entry::of::<T>());
                    self
                }

                #[doc = concat!("Builds the [`", stringify!($axis), "`](crate::", stringify!($axis), ") of a configuration.")]
                ///
                /// # Errors
                /// [`Error::UnknownKind`] if the name is not registered; [`Error::Parameter`] if a parameter is
                /// invalid.
                pub fn $build(&self, config: &AxisConfig) -> Result<Box<dyn crate::$axis>, Error> {
                    Ok(self.$field(config)?.1)
                }

                pub(crate) fn $field(&self, config: &AxisConfig) -> Result<Built<dyn crate::$axis>, Error> {
                    find(&self.$list, config)
                }
            )*

            /// Returns the registered implementations of an axis.
            pub fn entries(&self, axis: AxisName) -> Vec<AnyEntry> {
                match axis {
                    $(AxisName::$variant => self.$list.iter().map(AnyEntry::from).collect(),)*
                }
            }
        }
    };
}

axes!(registry);

impl Registry {
    /// Returns the registered implementations of all axes.
    fn all(&self) -> impl Iterator<Item = AnyEntry> {
        AxisName::ALL.into_iter().flat_map(|axis| self.entries(axis))
    }

    /// Returns the descriptions of all registered implementations, axis by axis.
    pub fn describe(&self) -> Vec<Description> {
        self.all().map(|entry| entry.describe()).collect()
    }

    /// Returns axis, kind and parameter schema of each registered implementation.
    pub fn schemas(&self, generator: &mut SchemaGenerator) -> Vec<(AxisName, &'static str, Schema)> {
        self.all().map(|entry| (entry.axis(), entry.kind(), entry.schema(generator))).collect()
    }

    /// Returns true if an implementation of this name is registered.
    pub fn knows(&self, axis: AxisName, kind: &str) -> bool {
        self.entries(axis).iter().any(|entry| entry.kind() == kind)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

fn find<A: Axis + ?Sized>(entries: &[Entry<A>], config: &AxisConfig) -> Result<Built<A>, Error> {
    let entry = entries.iter().find(|entry| entry.kind() == config.kind).ok_or_else(|| Error::UnknownKind {
        axis: A::NAME,
        kind: config.kind.chars().take(80).collect(),
        known: join_names(entries.iter().map(|entry| entry.kind())),
    })?;
    let (params, implementation) = entry.build(config.params.clone())?;
    Ok((AxisConfig { kind: config.kind.clone(), params }, implementation))
}
