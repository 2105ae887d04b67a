//! Scales of axes: positions of values, and ticks.

/// Mapping from values to positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Linear.
    #[default]
    Linear,
    /// Linear, with ticks only at integers.
    Whole,
    /// Logarithmic, for positive values only.
    Log,
}

/// A range of values along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisScale {
    kind: Kind,
    from: f64,
    to: f64,
}

impl AxisScale {
    /// Creates a scale for a range of values. An empty range is widened.
    pub fn new(kind: Kind, from: f64, to: f64) -> Self {
        let from = if from.is_finite() && (kind != Kind::Log || from > 0.0) { from } else { least(kind) };
        let to = if to.is_finite() { to } else { from };
        if from < to {
            return Self { kind, from, to };
        }
        match kind {
            Kind::Log => Self { kind, from: from / 2.0, to: from * 2.0 },
            Kind::Linear | Kind::Whole => Self { kind, from: from - 0.5, to: from + 0.5 },
        }
    }

    /// Creates a scale for all values, with 8 % of the range as margin on both sides.
    pub fn around(kind: Kind, values: impl IntoIterator<Item = f64>) -> Self {
        let placed = values.into_iter().filter(|value| value.is_finite() && (kind != Kind::Log || *value > 0.0));
        let ends = placed.fold(None, |ends: Option<(f64, f64)>, value| {
            let (from, to) = ends.unwrap_or((value, value));
            Some((from.min(value), to.max(value)))
        });
        let (from, to) = ends.unwrap_or((least(kind), 1.0));
        match kind {
            Kind::Log => {
                let room = libm::pow(to / from, 0.08).max(1.1);
                Self::new(kind, from / room, to * room)
            }
            Kind::Linear | Kind::Whole => {
                let room = (to - from) * 0.08;
                Self::new(kind, from - room, to + room)
            }
        }
    }

    /// Returns the position of a value along the axis, from 0 to 1 within the range. Returns `None` if it is not finite, or not
    /// positive on a logarithmic scale.
    pub fn share(self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        match self.kind {
            Kind::Linear | Kind::Whole => Some((value - self.from) / (self.to - self.from)),
            Kind::Log if value <= 0.0 => None,
            Kind::Log => Some(libm::log10(value / self.from) / libm::log10(self.to / self.from)),
        }
    }

    /// Returns round values for ticks, about `wanted` of them.
    pub fn ticks(self, wanted: u32) -> Vec<f64> {
        match self.kind {
            Kind::Linear => self.multiples(wanted, 0.0),
            Kind::Whole => self.multiples(wanted, 1.0),
            Kind::Log => self.magnitudes(wanted),
        }
    }

    /// Returns the multiples of a step of 1, 2, 5 or 10 times a power of ten, with not many more than `wanted` ticks.
    fn multiples(self, wanted: u32, finest: f64) -> Vec<f64> {
        let rough = (self.to - self.from) / f64::from(wanted.max(1));
        let magnitude = libm::exp10(libm::floor(libm::log10(rough)));
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * magnitude).into_iter().find(|step| *step >= 0.8 * rough);
        let step = step.unwrap_or(rough).max(finest);
        let (first, last) = ((self.from / step - 1e-9).ceil(), (self.to / step + 1e-9).floor());
        (0..64).map(|position| first + f64::from(position)).take_while(|it| *it <= last).map(|it| it * step).collect()
    }

    /// Returns powers of ten. If they are fewer than three, adds their multiples by 2 and 5, or by all digits.
    fn magnitudes(self, wanted: u32) -> Vec<f64> {
        let (low, high) = (libm::floor(libm::log10(self.from)), libm::ceil(libm::log10(self.to)));
        let powers = || (0..700).map(|position| low + f64::from(position)).take_while(|power| *power <= high);
        let of = |digits: &[f64]| -> Vec<f64> {
            let values = powers().flat_map(|power| digits.iter().map(move |digit| digit * libm::exp10(power)));
            values.filter(|value| self.from <= *value && *value <= self.to).collect()
        };
        let finer: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]];
        let found = finer.map(of).into_iter().find(|ticks| ticks.len() >= 3);
        let mut ticks = found.unwrap_or_else(|| self.multiples(wanted, 0.0));
        ticks.retain(|tick| *tick > 0.0);
        let every = ticks.len().div_ceil(2 * wanted.max(1) as usize).max(1);
        ticks.into_iter().step_by(every).collect()
    }
}

fn least(kind: Kind) -> f64 {
    if kind == Kind::Log { 0.1 } else { 0.0 }
}

/// Formats the label of a tick, for example 0.25, 12, 40k or 1.5M.
pub fn name(value: f64) -> String {
    let (value, unit) = match value.abs() {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.4}");
    let text = if value != 0.0 && value.abs() < 1e-3 { format!("{value:e}") } else { text };
    let text = if text.contains('e') { &text } else { text.trim_end_matches('0').trim_end_matches('.') };
    format!("{}{unit}", text.replace('-', "\u{2212}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_in_range() {
        assert_eq!(AxisScale::new(Kind::Linear, 0.0, 1.0).ticks(5), [0.0, 0.2, 0.4, 0.600_000_000_000_000_1, 0.8, 1.0]);
        assert_eq!(AxisScale::new(Kind::Linear, 12.0, 61.0).ticks(4), [20.0, 30.0, 40.0, 50.0, 60.0]);
        assert_eq!(AxisScale::new(Kind::Whole, 1.0, 3.0).ticks(10), [1.0, 2.0, 3.0]);
        assert_eq!(AxisScale::new(Kind::Log, 0.5, 2000.0).ticks(5), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(AxisScale::new(Kind::Log, 15.0, 70.0).ticks(5), [20.0, 30.0, 40.0, 50.0, 60.0, 70.0]);
    }

    #[test]
    fn empty_ranges_are_widened() {
        for kind in [Kind::Linear, Kind::Whole, Kind::Log] {
            for values in [vec![], vec![7.0], vec![f64::NAN, f64::INFINITY], vec![-1.0, -1.0], vec![0.0]] {
                let scale = AxisScale::around(kind, values.clone());
                assert!(scale.from < scale.to, "{kind:?} {values:?}");
                assert!(scale.ticks(5).len() < 64);
            }
        }
    }

    #[test]
    fn values_have_positions() {
        let log = AxisScale::new(Kind::Log, 1.0, 100.0);
        assert_eq!((log.share(10.0), log.share(0.0), log.share(f64::NAN)), (Some(0.5), None, None));
        assert_eq!(AxisScale::new(Kind::Linear, 2.0, 4.0).share(3.0), Some(0.5));
    }

    #[test]
    fn tick_labels_are_short() {
        let names = [0.0, 0.600_000_000_000_000_1, 12.0, 1500.0, 40_000.0, 1.5e6, -2.0, 1e-6].map(name);
        assert_eq!(names, ["0", "0.6", "12", "1500", "40k", "1.5M", "\u{2212}2", "1e\u{2212}6"]);
    }
}
