//! An implementation of an axis: its trait, and its entry in a list, where its type is erased.

use std::fmt::Debug;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{AxisName, Config, Error, Params};

/// What every implementation of an axis has: its own type holds its parameters.
///
/// The first sentence of the type's documentation is its summary, and the documentation of its fields describes its
/// parameters: the command line, the schema and the reference page all read it from there.
pub trait Component:
    Clone + Debug + Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// Name by which a schedule asks for it, in kebab-case.
    const KIND: &'static str;
    /// Where it comes from: paper section, reference implementation, or this project.
    const SOURCE: &'static str;

    /// Checks what the types of the parameters cannot say.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Named sets of parameters, each shown in the reference and pinned by a snapshot.
    fn examples() -> Vec<(&'static str, Self)> {
        vec![("default", Self::default())]
    }
}

/// An implementation with its parameters is a configuration of its axis; every parameter is written out.
///
/// # Examples
/// ```
/// use gtr_core::Config;
/// use gtr_core::order::{Bisection, Cut, Stages};
/// let order = Bisection { cut: Cut::Quincunx, stages: Stages::new(4)?, ..Bisection::default() };
/// let config = Config::from(order);
/// assert_eq!(config.kind, "bisection");
/// assert_eq!(config.params["cut"], "quincunx");
/// # Ok::<(), gtr_core::OutOfRange>(())
/// ```
impl<C: Component> From<C> for Config {
    fn from(component: C) -> Self {
        Self { kind: C::KIND.to_owned(), params: params_of(&component) }
    }
}

/// The trait objects that stand for an axis: `dyn Order`, `dyn Pace`, `dyn Diffusion` and `dyn Detail`.
pub trait Axis: Debug + Send + Sync {
    /// The axis.
    const NAME: AxisName;
}

/// Turns an implementation into its axis's trait object.
pub trait Erase<T>: Axis {
    /// Boxes it.
    fn erase(component: T) -> Box<Self>;
}

/// Makes an implementation of parameters, and writes every parameter out.
type Build<A> = fn(Params) -> Result<(Params, Box<A>), Error>;

/// One implementation of an axis, its type erased.
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
    axis: AxisName,
    kind: &'static str,
    source: &'static str,
    build: Build<A>,
    schema: fn(&mut SchemaGenerator) -> Schema,
    examples: fn() -> Vec<(&'static str, Params)>,
}

impl<A: ?Sized> Clone for Entry<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for Entry<A> {}

impl<A: ?Sized> Entry<A> {
    /// The entry of an implementation.
    pub const fn of<T: Component>() -> Self
    where
        A: Erase<T>,
    {
        Self {
            axis: A::NAME,
            kind: T::KIND,
            source: T::SOURCE,
            build: build::<A, T>,
            schema: T::json_schema,
            examples: examples::<T>,
        }
    }

    /// The axis that it implements.
    pub fn axis(&self) -> AxisName {
        self.axis
    }

    /// Name by which a schedule asks for it.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Where it comes from.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Named example configurations.
    pub fn examples(&self) -> Vec<(&'static str, Config)> {
        let config = |params| Config { kind: self.kind.to_owned(), params };
        (self.examples)().into_iter().map(|(name, params)| (name, config(params))).collect()
    }

    /// The schema of its parameters.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// The implementation of these parameters, and the parameters with every one of them written out.
    pub(crate) fn build(&self, params: Params) -> Result<(Params, Box<A>), Error> {
        (self.build)(params)
    }

    /// What the implementation is and takes, in words.
    pub fn describe(&self) -> Description {
        let schema = (self.schema)(&mut schemars::generate::SchemaSettings::draft2020_12().into_generator());
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let description = text(schema.get("description"));
        let summary = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let properties = schema.get("properties").and_then(Value::as_object);
        let parameters = properties.into_iter().flatten().map(|(name, property)| Parameter {
            name: name.clone(),
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

/// An implementation in words, taken from its documentation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Description {
    /// The axis that it implements.
    pub axis: AxisName,
    /// Name by which a schedule asks for it.
    pub kind: &'static str,
    /// The first paragraph of the description.
    pub summary: String,
    /// All of its documentation.
    pub description: String,
    /// Where it comes from.
    pub source: &'static str,
    /// What it takes.
    pub parameters: Vec<Parameter>,
}

/// A parameter in words.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Parameter {
    /// Its name in a schedule.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Its value where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
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

/// The parameters of a component: an object of its fields, whatever serde makes of its type otherwise.
fn params_of<T: Component>(component: &T) -> Params {
    match serde_json::to_value(component) {
        Ok(Value::Object(params)) => params,
        _ => Params::new(),
    }
}

/// Makes a trait an axis, declares the modules of its implementations and lists them: one line an implementation.
macro_rules! implementations {
    ($axis:ident: $($module:ident::$component:ident),* $(,)?) => {
        impl $crate::component::Axis for dyn $axis {
            const NAME: $crate::AxisName = $crate::AxisName::$axis;
        }

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
