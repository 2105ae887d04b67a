//! Configurations as text.

use gtr_core::AxisConfig;
use serde_json::Value;

/// Formats the kind and its parameters.
pub fn config_text(config: &AxisConfig) -> String {
    let params: Vec<String> = config
        .params
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            Value::Array(values) => {
                let values: Vec<String> = values.iter().map(number).collect();
                format!("{name} {}", values.join(" "))
            }
            value => format!("{name} {value}"),
        })
        .collect();
    if params.is_empty() { config.kind.clone() } else { format!("{}: {}", config.kind, params.join(", ")) }
}

/// Formats a number, without `.0` for a whole number.
fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string())
}
