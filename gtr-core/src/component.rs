//! The interface that all implementations share, and their type-erased entries in lists.

use std::fmt::Debug;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::form::{Form, form};
use crate::{AxisConfig, AxisName, Error, Params};

/// An implementation of an axis. The fields of the type are its parameters.
///
/// The first paragraph of the type's documentation is its summary, and the documentation of a field describes the
/// parameter. The command line, the schemas and the reference page use these texts.
pub trait Component:
    Clone + Debug + Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// Name in a schedule, in kebab-case.
    const KIND: &'static str;
    /// Origin: paper section, reference implementation, or this project.
    const SOURCE: &'static str;

    /// Checks conditions that the types of the parameters cannot express.
    ///
    /// # Errors
    /// Returns a message that states the invalid value and the valid ones.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns named sets of parameters. Each is in the reference page and has a snapshot of its plan.
    fn examples() -> Vec<(&'static str, Self)> {
        vec![("default", Self::default())]
    }
}

/// Converts an implementation to the configuration of its axis, with every parameter.
///
/// # Examples
/// ```
/// use gtr_core::AxisConfig;
/// use gtr_core::order::{Bisection, Cut, Stages};
/// let order = Bisection { cut: Cut::Quincunx, stages: Stages::new(4)?, ..Bisection::default() };
/// let config = AxisConfig::from(order);
/// assert_eq!(config.kind, "bisection");
/// assert_eq!(config.params["cut"], "quincunx");
/// # Ok::<(), gtr_core::OutOfRange>(())
/// ```
impl<C: Component> From<C> for AxisConfig {
    fn from(component: C) -> Self {
        Self { kind: C::KIND.to_owned(), params: params_of(&component) }
    }
}

/// Implemented by the trait objects of the axes, for example `dyn Order`.
pub trait Axis: Debug + Send + Sync {
    /// Name of the axis.
    const NAME: AxisName;
}

/// Converts an implementation to the trait object of its axis.
pub trait Erase<T>: Axis {
    /// Boxes the implementation.
    fn erase(component: T) -> Box<Self>;
}

/// Builds an implementation from parameters. Also returns the parameters with all defaults filled in.
type Build<A> = fn(Params) -> Result<(Params, Box<A>), Error>;

/// What is known of an implementation of any axis: its name, documentation, parameters and examples.
#[derive(Clone, Copy, Debug)]
pub struct AnyEntry {
    axis: AxisName,
    kind: &'static str,
    source: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
    examples: fn() -> Vec<(&'static str, Params)>,
}

impl AnyEntry {
    /// Returns the axis.
    pub fn axis(&self) -> AxisName {
        self.axis
    }

    /// Returns the name in a schedule.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the origin, [`Component::SOURCE`].
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Returns named example configurations.
    pub fn examples(&self) -> Vec<(&'static str, AxisConfig)> {
        let config = |params| AxisConfig { kind: self.kind.to_owned(), params };
        (self.examples)().into_iter().map(|(name, params)| (name, config(params))).collect()
    }

    /// Returns the JSON schema of the parameters.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// Returns the description of the implementation and its parameters, from their documentation.
    pub fn describe(&self) -> Description {
        let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
        let schema = (self.schema)(&mut generator);
        let definitions = generator.take_definitions(true);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let description = text(schema.get("description"));
        let summary = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let properties = schema.get("properties").and_then(Value::as_object);
        let parameters = properties.into_iter().flatten().map(|(name, property)| Parameter {
            name: name.clone(),
            form: form(property, &definitions),
            description: text(property.get("description")).replace('\n', " "),
            default: property.get("default").cloned(),
        });
        Description {
            axis: self.axis,
            kind: self.kind,
            summary,
            description,
            source: self.source,
            parameters: parameters.collect(),
        }
    }
}

/// A type-erased implementation of an axis. Its name and documentation are those of [`AnyEntry`].
///
/// # Examples
/// ```
/// use gtr_core::{Entry, Order, order::Raster};
/// const ENTRY: Entry<dyn Order> = Entry::<dyn Order>::of::<Raster>();
/// assert_eq!(ENTRY.kind(), "raster");
/// assert!(ENTRY.describe().summary.contains("left to right"));
/// ```
#[derive(Debug)]
pub struct Entry<A: ?Sized> {
    any: AnyEntry,
    build: Build<A>,
}

impl<A: ?Sized> Clone for Entry<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for Entry<A> {}

impl<A: ?Sized> Deref for Entry<A> {
    type Target = AnyEntry;

    fn deref(&self) -> &AnyEntry {
        &self.any
    }
}

impl<A: ?Sized> From<&Entry<A>> for AnyEntry {
    fn from(entry: &Entry<A>) -> Self {
        entry.any
    }
}

impl<A: ?Sized> Entry<A> {
    /// Creates the entry of an implementation.
    pub const fn of<T: Component>() -> Self
    where
        A: Erase<T>,
    {
        let any = AnyEntry {
            axis: A::NAME,
            kind: T::KIND,
            source: T::SOURCE,
            schema: T::json_schema,
            examples: examples::<T>,
        };
        Self { any, build: build::<A, T> }
    }

    /// Builds the implementation. Also returns the parameters with all defaults filled in.
    pub(crate) fn build(&self, params: Params) -> Result<(Params, Box<A>), Error> {
        (self.build)(params)
    }
}

/// Description of an implementation, from its documentation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Description {
    /// Axis of the implementation.
    pub axis: AxisName,
    /// Name in a schedule.
    pub kind: &'static str,
    /// The first paragraph of the description.
    pub summary: String,
    /// The whole documentation.
    pub description: String,
    /// Origin of the algorithm.
    pub source: &'static str,
    /// Parameters.
    pub parameters: Vec<Parameter>,
}

/// Description of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Parameter {
    /// Name in a schedule.
    pub name: String,
    /// Meaning of the parameter.
    pub description: String,
    /// Value if the schedule does not set the parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Form of the value.
    #[serde(skip)]
    pub form: Form,
}

fn build<A: Erase<T> + ?Sized, T: Component>(params: Params) -> Result<(Params, Box<A>), Error> {
    let refused = |message: String| Error::Parameter { axis: A::NAME, kind: T::KIND.to_owned(), message };
    let component: T = serde_path_to_error::deserialize(Value::Object(params)).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner());
        refused(if path == "." { error.to_string() } else { format!("`{path}`: {error}") })
    })?;
    component.check().map_err(refused)?;
    Ok((params_of(&component), A::erase(component)))
}

fn examples<T: Component>() -> Vec<(&'static str, Params)> {
    T::examples().iter().map(|(name, component)| (*name, params_of(component))).collect()
}

/// Returns the fields of a component; empty if it does not serialise as an object, for example a unit struct.
fn params_of<T: Component>(component: &T) -> Params {
    match serde_json::to_value(component) {
        Ok(Value::Object(params)) => params,
        _ => Params::new(),
    }
}

/// Declares the trait of an axis, the modules of its implementations and their list, one line per implementation.
macro_rules! implementations {
    ($axis:ident: $($module:ident::$component:ident),* $(,)?) => {
        impl<T: $axis + 'static> $crate::component::Erase<T> for dyn $axis {
            fn erase(component: T) -> Box<Self> {
                Box::new(component)
            }
        }

        $(
            mod $module;
            pub use $module::$component;
        )*

        /// The implementations of this crate.
        pub(crate) const BUILTIN: &[$crate::Entry<dyn $axis>] = &[$($crate::Entry::<dyn $axis>::of::<$component>()),*];
    };
}

pub(crate) use implementations;
