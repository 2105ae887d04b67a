//! The implementations of each axis, by name.

use schemars::{Schema, SchemaGenerator};

use crate::component::Axis;
use crate::lists::join_names;
use crate::{
    AxisConfig, AxisName, Component, Description, Detail, Diffusion, Entry, Error, Order, Pace, detail, diffusion,
    order, pace,
};

/// The implementations that a schedule can use: those of this crate, and any that are added.
///
/// # Examples
/// ```
/// use gtr_core::{AxisName, Registry};
/// let registry = Registry::builtin();
/// let orders = registry.describe().into_iter().filter(|it| it.axis == AxisName::Order);
/// assert!(orders.map(|it| it.kind).any(|kind| kind == "bisection"));
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    orders: Vec<Entry<dyn Order>>,
    paces: Vec<Entry<dyn Pace>>,
    diffusions: Vec<Entry<dyn Diffusion>>,
    details: Vec<Entry<dyn Detail>>,
}

/// Canonical form of a configuration, with every parameter, and the implementation built from it.
pub(crate) type Built<A> = (AxisConfig, Box<A>);

macro_rules! registered {
    ($($axis:ident, $field:ident, $with:ident, $resolve:ident, $build:ident;)*) => {
        impl Registry {
            $(
                #[doc = concat!("Returns the registered implementations of [`", stringify!($axis), "`].")]
                pub fn $field(&self) -> &[Entry<dyn $axis>] {
                    &self.$field
                }

                #[doc = concat!("Adds an implementation of [`", stringify!($axis), "`], or replaces the one of the same name.")]
                #[must_use]
                pub fn $with<T: Component + $axis>(mut self) -> Self {
                    self.$field.retain(|entry| entry.kind() != T::KIND);
                    self.$field.push(Entry::of::<T>());
                    self
                }

                #[doc = concat!("Builds the [`", stringify!($axis), "`] of a configuration.")]
                ///
                /// # Errors
                /// [`Error::UnknownKind`] if the name is not registered; [`Error::Parameter`] if a parameter is
                /// invalid.
                pub fn $build(&self, config: &AxisConfig) -> Result<Box<dyn $axis>, Error> {
                    Ok(self.$resolve(config)?.1)
                }

                pub(crate) fn $resolve(&self, config: &AxisConfig) -> Result<Built<dyn $axis>, Error> {
                    find(&self.$field, config)
                }
            )*

            /// Returns the descriptions of all registered implementations, axis by axis.
            pub fn describe(&self) -> Vec<Description> {
                let mut all = Vec::new();
                $(all.extend(self.$field.iter().map(Entry::describe));)*
                all
            }

            /// Returns axis, kind and parameter schema of each registered implementation.
            pub fn schemas(&self, generator: &mut SchemaGenerator) -> Vec<(AxisName, &'static str, Schema)> {
                let mut all = Vec::new();
                $(all.extend(self.$field.iter().map(|entry| (entry.axis(), entry.kind(), entry.schema(generator))));)*
                all
            }
        }
    };
}

registered! {
    Order, orders, with_order, order, build_order;
    Pace, paces, with_pace, pace, build_pace;
    Diffusion, diffusions, with_diffusion, diffusion, build_diffusion;
    Detail, details, with_detail, detail, build_detail;
}

impl Registry {
    /// Returns the registry of the implementations of this crate.
    pub fn builtin() -> Self {
        Self {
            orders: order::BUILTIN.to_vec(),
            paces: pace::BUILTIN.to_vec(),
            diffusions: diffusion::BUILTIN.to_vec(),
            details: detail::BUILTIN.to_vec(),
        }
    }

    /// Returns true if an implementation of this name is registered.
    pub fn knows(&self, axis: AxisName, kind: &str) -> bool {
        match axis {
            AxisName::Order => self.orders.iter().any(|entry| entry.kind() == kind),
            AxisName::Pace => self.paces.iter().any(|entry| entry.kind() == kind),
            AxisName::Diffusion => self.diffusions.iter().any(|entry| entry.kind() == kind),
            AxisName::Detail => self.details.iter().any(|entry| entry.kind() == kind),
        }
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
        known: join_names(entries.iter().map(Entry::kind)),
    })?;
    let (params, implementation) = entry.build(config.params.clone())?;
    Ok((AxisConfig { kind: config.kind.clone(), params }, implementation))
}
