//! The implementations of each axis, by name.

use std::fmt::Debug;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::in_words;
use crate::{AxisName, Config, Detail, Diffusion, Error, Order, Pace, Params, detail, diffusion, order, pace};

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

    /// Parameters for the property tests; the examples, where nothing is said.
    #[cfg(any(test, feature = "testing"))]
    fn arbitrary() -> proptest::strategy::BoxedStrategy<Self> {
        let examples = Self::examples().into_iter().map(|(_, example)| example).collect::<Vec<_>>();
        proptest::strategy::Strategy::boxed(proptest::sample::select(examples))
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

macro_rules! axes {
    ($($axis:ident),*) => {$(
        impl Axis for dyn $axis {
            const NAME: AxisName = AxisName::$axis;
        }

        impl<T: $axis + 'static> Erase<T> for dyn $axis {
            fn erase(component: T) -> Box<Self> {
                Box::new(component)
            }
        }
    )*};
}

axes!(Order, Pace, Diffusion, Detail);

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
    #[cfg(any(test, feature = "testing"))]
    arbitrary: fn() -> proptest::strategy::BoxedStrategy<Config>,
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
            #[cfg(any(test, feature = "testing"))]
            arbitrary: arbitrary::<T>,
        }
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

    /// Configurations for property tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn arbitrary(&self) -> proptest::strategy::BoxedStrategy<Config> {
        (self.arbitrary)()
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

#[cfg(any(test, feature = "testing"))]
fn arbitrary<T: Component>() -> proptest::strategy::BoxedStrategy<Config> {
    use proptest::strategy::Strategy;
    T::arbitrary().prop_map(|it| Config { kind: T::KIND.to_owned(), params: params_of(&it) }).boxed()
}

/// The parameters of a component: an object of its fields, whatever serde makes of its type otherwise.
fn params_of<T: Component>(component: &T) -> Params {
    match serde_json::to_value(component) {
        Ok(Value::Object(params)) => params,
        _ => Params::new(),
    }
}

/// The implementations that a schedule may name: those of this crate, and any that are added.
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

/// The canonical form of a configuration, every parameter written out, and what it makes.
pub(crate) type Built<A> = (Config, Box<A>);

macro_rules! registered {
    ($($axis:ident, $field:ident, $with:ident, $resolve:ident, $build:ident;)*) => {
        impl Registry {
            $(
                #[doc = concat!("The registered implementations of [`", stringify!($axis), "`].")]
                pub fn $field(&self) -> &[Entry<dyn $axis>] {
                    &self.$field
                }

                #[doc = concat!("Adds an implementation of [`", stringify!($axis), "`]; one of the same name is replaced.")]
                #[must_use]
                pub fn $with<T: Component + $axis>(mut self) -> Self {
                    self.$field.retain(|entry| entry.kind != T::KIND);
                    self.$field.push(Entry::of::<T>());
                    self
                }

                #[doc = concat!("Makes the [`", stringify!($axis), "`] of a configuration.")]
                ///
                /// # Errors
                /// [`Error::UnknownKind`] or [`Error::Parameter`].
                pub fn $build(&self, config: &Config) -> Result<Box<dyn $axis>, Error> {
                    Ok(self.$resolve(config)?.1)
                }

                pub(crate) fn $resolve(&self, config: &Config) -> Result<Built<dyn $axis>, Error> {
                    find(&self.$field, config)
                }
            )*

            /// All registered implementations in words, axis by axis.
            pub fn describe(&self) -> Vec<Description> {
                let mut all = Vec::new();
                $(all.extend(self.$field.iter().map(Entry::describe));)*
                all
            }

            /// The schema of the configuration of each registered implementation: axis, kind, schema.
            pub fn schemas(&self, generator: &mut SchemaGenerator) -> Vec<(AxisName, &'static str, Schema)> {
                let mut all = Vec::new();
                $(all.extend(self.$field.iter().map(|entry| (entry.axis, entry.kind, (entry.schema)(generator))));)*
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
    /// The implementations of this crate.
    pub fn builtin() -> Self {
        Self {
            orders: order::BUILTIN.to_vec(),
            paces: pace::BUILTIN.to_vec(),
            diffusions: diffusion::BUILTIN.to_vec(),
            details: detail::BUILTIN.to_vec(),
        }
    }

    /// Whether an implementation of this name is registered.
    pub fn knows(&self, axis: AxisName, kind: &str) -> bool {
        match axis {
            AxisName::Order => self.orders.iter().any(|entry| entry.kind == kind),
            AxisName::Pace => self.paces.iter().any(|entry| entry.kind == kind),
            AxisName::Diffusion => self.diffusions.iter().any(|entry| entry.kind == kind),
            AxisName::Detail => self.details.iter().any(|entry| entry.kind == kind),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

fn find<A: Axis + ?Sized>(entries: &[Entry<A>], config: &Config) -> Result<Built<A>, Error> {
    let entry = entries.iter().find(|entry| entry.kind == config.kind).ok_or_else(|| Error::UnknownKind {
        axis: A::NAME,
        kind: config.kind.chars().take(80).collect(),
        known: in_words(entries.iter().map(|entry| entry.kind)),
    })?;
    let (params, implementation) = (entry.build)(config.params.clone())?;
    Ok((Config { kind: config.kind.clone(), params }, implementation))
}

/// Declares the modules of an axis's implementations and lists them: one line an implementation.
macro_rules! implementations {
    ($axis:ty: $($module:ident::$component:ident),* $(,)?) => {
        $(
            mod $module;
            pub use $module::$component;
        )*

        /// The implementations of this crate.
        pub(crate) const BUILTIN: &[$crate::Entry<$axis>] = &[$($crate::Entry::<$axis>::of::<$component>()),*];
    };
}

pub(crate) use implementations;
