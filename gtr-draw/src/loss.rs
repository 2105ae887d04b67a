//! Losses of figures and pages, and their text form.

use gtr_core::loss::Loss;

/// Information loss of a plan on a Gaussian field, for the order of one image.
#[derive(Clone, Debug)]
pub struct FieldLoss {
    /// Loss in nats: in total, per AR step and per token.
    pub loss: Loss,
    /// Display name of the field.
    pub field: String,
}

/// Formats a loss in nats with three digits, and a loss below 0.0005 as `< 0.001`.
///
/// # Examples
/// ```
/// use gtr_draw::loss::nats;
/// assert_eq!([0.0, 0.0001, 0.394, 14.52].map(nats), ["0", "< 0.001", "0.394", "14.5"]);
/// ```
pub fn nats(loss: f64) -> String {
    match loss.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{loss:.0}"),
        10.0.. => format!("{loss:.1}"),
        1.0.. => format!("{loss:.2}"),
        0.0005.. => format!("{loss:.3}"),
        _ => "< 0.001".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::nats;

    #[test]
    fn losses_have_three_digits() {
        assert_eq!(
            [0.0, 0.0001, 0.394, 1.384, 14.52, 123.4].map(nats),
            ["0", "< 0.001", "0.394", "1.38", "14.5", "123"]
        );
    }
}
