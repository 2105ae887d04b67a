//! The forms of parameters: what a command line or a page needs to know to read and describe a value.

use serde_json::{Map, Value};

/// Form of the value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One of several names, each with its description.
    Choice(Vec<(String, String)>),
    /// List of values.
    List(Values),
    /// Single value.
    Single(Values),
    /// `true` or `false`.
    Boolean,
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
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
    ///
    /// # Examples
    /// ```
    /// use gtr_core::form::Values;
    /// assert_eq!(Values::Whole.read("3"), Ok(3.into()));
    /// assert_eq!(Values::Whole.read("-1"), Err("a whole number, 0 or more"));
    /// ```
    pub fn read(self, text: &str) -> Result<Value, &'static str> {
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

/// Returns the form that a schema describes. Every other schema is a single value, which the implementation checks itself.
pub(crate) fn form(schema: &Value, definitions: &Map<String, Value>) -> Form {
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
    if is("boolean") {
        return Form::Boolean;
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
    use crate::{AxisName, Registry};

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
        let form = |axis, kind: &str, parameter: &str| {
            let all = Registry::builtin().describe();
            let it = all.into_iter().find(|it| (it.axis, it.kind) == (axis, kind)).unwrap();
            it.parameters.into_iter().find(|it| it.name == parameter).map(|it| it.form)
        };
        let Some(Form::Choice(cuts)) = form(AxisName::Order, "bisection", "cut") else { panic!("cut is a choice") };
        assert_eq!(cuts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["diagonal", "quincunx"]);
        assert_eq!(form(AxisName::Order, "bisection", "stages"), Some(Form::Single(Values::Whole)));
        assert_eq!(form(AxisName::Order, "bisection", "rates"), None);
        assert_eq!(form(AxisName::Pace, "rates", "rates"), Some(Form::List(Values::Number)));
        assert_eq!(form(AxisName::Pace, "cosine", "steps"), Some(Form::Single(Values::Whole)));
        assert_eq!(form(AxisName::Detail, "fts", "beta"), Some(Form::Single(Values::Number)));
        assert_eq!(form(AxisName::Reuse, "lazymar", "reuse_head"), Some(Form::Boolean));
    }
}
