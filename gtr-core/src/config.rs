//! The configuration of one axis: a name and its parameters, deserialised with limits.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Parameters by name.
pub type Params = Map<String, Value>;

/// Configuration of one axis of a schedule: `{"kind": NAME, PARAMETER: VALUE, ...}`.
///
/// The name and the parameters are not checked here; a [`crate::Registry`] checks them and builds the implementation.
///
/// # Examples
/// ```
/// let config: gtr_core::AxisConfig = serde_json::from_str(r#"{"kind": "bisection", "stages": 4}"#)?;
/// assert_eq!(config.kind, "bisection");
/// assert_eq!(config.params["stages"], 4);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AxisConfig {
    /// Name of the implementation.
    pub kind: String,
    /// Parameters, without `kind`.
    pub params: Params,
}

impl AxisConfig {
    /// Creates a configuration without parameters.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), params: Params::new() }
    }

    /// Sets a parameter and returns the configuration.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

impl Serialize for AxisConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            std::iter::once(("kind", &Value::String(self.kind.clone())))
                .chain(self.params.iter().map(|(name, value)| (name.as_str(), value))),
        )
    }
}

impl<'de> Deserialize<'de> for AxisConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut budget = MAX_VALUES;
        let Value::Object(mut params) = Bounded(&mut budget).deserialize(deserializer)? else {
            return Err(D::Error::custom("expected an object with a `kind`"));
        };
        match params.shift_remove("kind") {
            Some(Value::String(kind)) => Ok(Self { kind, params }),
            Some(other) => Err(D::Error::custom(format!("`kind` must be a string, not {other}"))),
            None => Err(D::Error::custom("missing field `kind`")),
        }
    }
}

/// Maximum number of JSON values in the configuration of an axis. A large plan file is large only because of its token
/// lists.
const MAX_VALUES: usize = 4096;

/// Deserialises a JSON value with a limited number of nested values and without duplicate names.
struct Bounded<'a>(&'a mut usize);

impl Bounded<'_> {
    fn spend<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.0 = self
            .0
            .checked_sub(1)
            .ok_or_else(|| E::custom(format!("the configuration of an axis has more than {MAX_VALUES} values")))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Bounded(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if values.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            let value = map.next_value_seed(Bounded(self.0))?;
            values.insert(name, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        serde_json::from_str::<AxisConfig>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_survives_a_round_trip() {
        let text = r#"{"kind":"x","a":[1,2.5,-3],"b":{"c":null,"d":true},"e":"f"}"#;
        let config: AxisConfig = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
    }

    #[test]
    fn hostile_configurations_are_refused() {
        assert!(refused(r#"{"stages":3}"#).contains("missing field `kind`"));
        assert!(refused(r#"{"kind":3}"#).contains("`kind` must be a string"));
        assert!(refused("[1]").contains("an object"));
        assert!(refused(r#"{"kind":"x","a":1,"a":2}"#).contains("duplicate field `a`"));
        let long = format!(r#"{{"kind":"x","a":[{}0]}}"#, "0,".repeat(5000));
        assert!(refused(&long).contains("more than 4096 values"));
        let deep = format!(r#"{{"kind":"x","a":{}"#, "[".repeat(10_000));
        assert!(refused(&deep).contains("recursion limit"));
    }
}
