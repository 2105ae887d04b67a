//! What the registry says about its implementations, in the form in which flags and help need it.

use std::sync::LazyLock;

use gtr_core::{AxisName, Config, Description, Registry};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The registered implementations.
pub(crate) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(Registry::builtin()));

/// Implementations with what can be known about them.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// Where they come from.
    pub(crate) registry: Registry,
    /// The implementations, axis by axis.
    pub(crate) kinds: Vec<Kind>,
}

/// An implementation of an axis.
#[derive(Debug)]
pub(crate) struct Kind {
    /// It in words.
    pub(crate) description: Description,
    /// The form of each parameter, in the order of the description.
    pub(crate) forms: Vec<Form>,
    /// What it is where nothing else is said.
    pub(crate) default: Config,
}

/// The form of a parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// One of some names, each with what it means.
    Choice(Vec<(String, String)>),
    /// Several values.
    List,
    /// One value.
    Single,
}

impl Catalogue {
    fn new(registry: Registry) -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let schemas = registry.schemas(&mut generator);
        let definitions = generator.take_definitions(true);
        let kinds = registry.describe().into_iter().zip(schemas).map(|(description, (axis, kind, schema))| {
            let form = |name: &str| {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                property.map_or(Form::Single, |property| form(property, &definitions))
            };
            let forms = description.parameters.iter().map(|parameter| form(&parameter.name)).collect();
            Kind { forms, default: default(&registry, axis, kind), description }
        });
        Self { kinds: kinds.collect(), registry }
    }

    /// The implementations of an axis.
    pub(crate) fn axis(&self, axis: AxisName) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(move |kind| kind.description.axis == axis)
    }

    /// An implementation.
    pub(crate) fn find(&self, axis: AxisName, kind: &str) -> Option<&Kind> {
        self.axis(axis).find(|it| it.description.kind == kind)
    }
}

impl Kind {
    /// The form of a parameter, `None` if it takes none of that name.
    pub(crate) fn form(&self, parameter: &str) -> Option<&Form> {
        let position = self.description.parameters.iter().position(|it| it.name == parameter)?;
        self.forms.get(position)
    }
}

fn default(registry: &Registry, axis: AxisName, kind: &str) -> Config {
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
    default.map_or_else(|| Config::new(kind), |(_, config)| config)
}

/// The form that a schema describes; what it leaves open is one value, which is checked when it is used.
fn form(schema: &Value, definitions: &Map<String, Value>) -> Form {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix("#/$defs/"));
    if let Some(definition) = reference.and_then(|name| definitions.get(name)) {
        return form(definition, definitions);
    }
    let is_array = |value: &Value| value == "array";
    match schema.get("type") {
        Some(Value::Array(types)) if types.iter().any(is_array) => return Form::List,
        Some(value) if is_array(value) => return Form::List,
        _ => {}
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
    Form::Single
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_follow_the_schemas() {
        let find = |axis, kind| CATALOGUE.find(axis, kind).unwrap();
        let bisection = find(AxisName::Order, "bisection");
        let cuts = match bisection.form("cut") {
            Some(Form::Choice(cuts)) => cuts.iter().map(|(name, _)| name.as_str()).collect(),
            _ => vec![],
        };
        assert_eq!(cuts, ["diagonal", "quincunx"]);
        assert_eq!(bisection.form("stages"), Some(&Form::Single));
        assert_eq!(bisection.form("rates"), None);
        assert_eq!(find(AxisName::Pace, "rates").form("rates"), Some(&Form::List));
        assert_eq!(find(AxisName::Pace, "cosine").form("steps"), Some(&Form::Single));
    }
}
