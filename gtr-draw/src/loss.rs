//! Losses as figures and pages take them, and as texts name them.

use gtr_core::loss::Loss;

/// What a plan loses on an image, and on which field that is computed.
#[derive(Clone, Debug)]
pub struct FieldLoss {
    /// The loss, in nats: in all, of each AR step and of each token.
    pub loss: Loss,
    /// The field, as texts name it.
    pub field: String,
}

/// A loss in words, in nats: three digits, as far as they tell something.
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
