//! Catalogue of the implementations of the axes, for flags and help texts.

use gtr_backends::Families;
use gtr_core::{AxisConfig, AxisName, Description, Registry};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

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
    /// Form of each parameter, in the order of the description.
    pub(crate) forms: Vec<Form>,
    /// Default configuration.
    pub(crate) default: AxisConfig,
}

/// Form of the value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// One of several names, each with its description.
    Choice(Vec<(String, String)>),
    /// List of values.
    List(Values),
    /// Single value.
    Single(Values),
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Whole number, 0 or more.
    Whole,
    /// Number.
    Number,
    /// Number or boolean; every other text is a string.
    Any,
}

impl Values {
    /// Parses a value.
    ///
    /// # Errors
    /// Returns a description of the expected value.
    pub(crate) fn read(self, text: &str) -> Result<Value, &'static str> {
        match (self, serde_json::from_str(text)) {
            (Self::Whole, Ok(Value::Number(number))) if number.is_u64() => Ok(number.into()),
            (Self::Whole, _) => Err("a whole number, 0 or more"),
            (Self::Number, Ok(value @ Value::Number(_)))
            | (Self::Any, Ok(value @ (Value::Number(_) | Value::Bool(_)))) => Ok(value),
            (Self::Number, _) => Err("a number"),
            (Self::Any, _) => Ok(text.into()),
        }
    }
}

impl Catalogue {
    /// Creates the catalogue of a registry and of model families.
    pub(crate) fn new(registry: Registry, families: Families) -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let schemas = registry.schemas(&mut generator);
        let definitions = generator.take_definitions(true);
        let kinds = registry.describe().into_iter().zip(schemas).map(|(description, (axis, kind, schema))| {
            let form = |name: &str| {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                property.map_or(Form::Single(Values::Any), |property| form(property, &definitions))
            };
            let forms = description.parameters.iter().map(|parameter| form(&parameter.name)).collect();
            Kind { forms, default: default(&registry, axis, kind), description }
        });
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
        let position = self.description.parameters.iter().position(|it| it.name == parameter)?;
        self.forms.get(position)
    }
}

fn default(registry: &Registry, axis: AxisName, kind: &str) -> AxisConfig {
    macro_rules! example {
        ($entries:ident) => {
            registry.$entries().iter().find(|entry| entry.kind() == kind).map(|entry| entry.examples())
        };
    }
    let examples = match axis {
        AxisName::Order => example!(orders),
        AxisName::Pace => example!(paces),
        AxisName::Diffusion => example!(diffusions),
        AxisName::Detail => example!(details),
    };
    let default = examples.into_iter().flatten().find(|(name, _)| *name == "default");
    default.map_or_else(|| AxisConfig::new(kind), |(_, config)| config)
}

/// Returns the form that a schema describes. Every other schema is a single value, which the implementation checks itself.
fn form(schema: &Value, definitions: &Map<String, Value>) -> Form {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix("#/$defs/"));
    if let Some(definition) = reference.and_then(|name| definitions.get(name)) {
        return form(definition, definitions);
    }
    let is = |name: &str| match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|it| it == name),
        Some(only) => only == name,
        None => false,
    };
    if is("array") {
        return Form::List(match schema.get("items").map(|items| form(items, definitions)) {
            Some(Form::Single(values)) => values,
            _ => Values::Any,
        });
    }
    for (name, values) in [("integer", Values::Whole), ("number", Values::Number)] {
        if is(name) {
            return Form::Single(values);
        }
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(Value::Array(names)) = schema.get("enum") {
        return Form::Choice(names.iter().filter_map(text).map(|name| (name, String::new())).collect());
    }
    if let Some(Value::Array(variants)) = schema.get("oneOf") {
        let choice = |variant: &Value| {
            let description = variant.get("description").and_then(text).unwrap_or_default();
            Some((variant.get("const").and_then(text)?, description))
        };
        if let Some(choices) = variants.iter().map(choice).collect::<Option<Vec<_>>>() {
            return Form::Choice(choices);
        }
    }
    Form::Single(Values::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_by_their_type() {
        assert_eq!(Values::Whole.read("3"), Ok(3.into()));
        for text in ["-1", "1.5", "x", ""] {
            assert!(Values::Whole.read(text).is_err(), "{text}");
        }
        assert_eq!(Values::Number.read("2.5"), Ok(2.5.into()));
        for text in ["NaN", "1e999", "true"] {
            assert!(Values::Number.read(text).is_err(), "{text}");
        }
        assert_eq!(Values::Any.read("true"), Ok(true.into()));
        assert_eq!(Values::Any.read("word"), Ok("word".into()));
    }

    #[test]
    fn forms_follow_the_schemas() {
        let catalogue = Catalogue::new(Registry::builtin(), Families::builtin());
        let find = |axis, kind| catalogue.find(axis, kind).unwrap();
        let bisection = find(AxisName::Order, "bisection");
        let cuts = match bisection.form("cut") {
            Some(Form::Choice(cuts)) => cuts.iter().map(|(name, _)| name.as_str()).collect(),
            _ => vec![],
        };
        assert_eq!(cuts, ["diagonal", "quincunx"]);
        assert_eq!(bisection.form("stages"), Some(&Form::Single(Values::Whole)));
        assert_eq!(bisection.form("rates"), None);
        assert_eq!(find(AxisName::Pace, "rates").form("rates"), Some(&Form::List(Values::Number)));
        assert_eq!(find(AxisName::Pace, "cosine").form("steps"), Some(&Form::Single(Values::Whole)));
        assert_eq!(find(AxisName::Detail, "fts").form("beta"), Some(&Form::Single(Values::Number)));
    }
}
