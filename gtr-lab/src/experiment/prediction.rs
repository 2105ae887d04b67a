//! Compares the predicted loss of plans with the measured distance of their images.

use std::fmt::Write as _;

use gtr_backends::judge::{Interval, Measured, spearman, spearman_interval};
use gtr_core::{Plan, Seed};
use serde_json::{Value, json};

use super::Experiment;
use crate::Error;
use crate::losses::Losses;
use gtr_draw::area::Area;
use gtr_draw::chart::{Axis, Chart, Marks, Point, Series};
use gtr_draw::loss::nats;
use gtr_draw::palette::category;
use gtr_draw::svg::Svg;

/// Width and height of a plot.
const SIZE: (f64, f64) = (560.0, 460.0);

/// Predicted losses of the rows on a field.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Name of the field.
    field: String,
    /// Loss of each row, in nats.
    losses: Vec<f64>,
}

impl Prediction {
    /// Computes the predictions of an experiment. `plans` are the plans of its rows, `model` is the model whose field `own` selects.
    ///
    /// # Errors
    /// [`Error::Request`] if a loss cannot be computed on a field, and errors of [`Losses::new`].
    pub fn all(experiment: &Experiment, model: &str, plans: &[Plan]) -> Result<Vec<Self>, Error> {
        let predict = |name: &String| {
            let losses = if name == "own" { Losses::own(model) } else { Losses::new(Some(name), None) }?;
            let of = |plan: &Plan| {
                losses.of(plan, Seed(0)).total().ok_or_else(|| {
                    Error::request(format_args!(
                        "cannot compute the losses of `{}` on the field {}",
                        experiment.name,
                        losses.field()
                    ))
                })
            };
            Ok(Self { field: losses.field().to_string(), losses: plans.iter().map(of).collect::<Result<_, _>>()? })
        };
        experiment.predict.iter().map(predict).collect()
    }

    /// Formats the loss of a row.
    pub(super) fn cell(&self, row: usize) -> String {
        self.losses.get(row).copied().map_or_else(|| "-".to_owned(), nats)
    }

    /// Returns the title of the column.
    pub(super) fn head(&self) -> String {
        format!("loss on {}", self.field)
    }

    /// Returns the rank correlation with the distances of some rows, and its interval.
    fn correlation(&self, distances: &[Measured], some: &[usize]) -> (f64, Interval) {
        let losses: Vec<f64> = some.iter().map(|&at| self.losses[at]).collect();
        let measured: Vec<&Measured> = some.iter().map(|&at| &distances[at]).collect();
        let values: Vec<f64> = measured.iter().map(|it| it.value()).collect();
        (spearman(&losses, &values), spearman_interval(&losses, &measured, Seed(0)))
    }

    /// Returns the losses and rank correlations as JSON.
    pub fn json(&self, experiment: &Experiment, distances: &[Measured]) -> Value {
        let names = experiment.rows.iter().map(|row| &row.name);
        let losses: serde_json::Map<String, Value> =
            names.zip(&self.losses).map(|(name, loss)| (name.clone(), json!(loss))).collect();
        let correlation = |(name, some): (String, Vec<usize>)| {
            let (value, Interval { low, high }) = self.correlation(distances, &some);
            json!({ "rows": name, "count": some.len(), "spearman": value, "low": low, "high": high })
        };
        let correlations: Vec<Value> = groups(experiment).into_iter().map(correlation).collect();
        json!({ "field": self.field, "losses": losses, "rank_correlations": correlations })
    }
}

/// Returns the indices of all rows, then those of each group.
fn groups(experiment: &Experiment) -> Vec<(String, Vec<usize>)> {
    let all: Vec<usize> = (0..experiment.rows.len()).collect();
    let mut groups = vec![("all".to_owned(), all)];
    for (at, row) in experiment.rows.iter().enumerate() {
        let Some(group) = &row.group else { continue };
        match groups.iter_mut().skip(1).find(|(name, _)| name == group) {
            Some((_, some)) => some.push(at),
            None => groups.push((group.clone(), vec![at])),
        }
    }
    groups
}

/// Returns the section of the result page.
pub(super) fn section(experiment: &Experiment, predictions: &[Prediction], distances: &[Measured]) -> String {
    let mut text =
        "## Does the loss predict the distance?\n\nSpearman's rank correlation of the predicted loss and the measured \
                    distance, with 95 % confidence intervals: rows and their images are resampled.\n\n| field |"
            .to_owned();
    let groups = groups(experiment);
    // Writing to a String cannot fail.
    for (name, some) in &groups {
        let _ = write!(text, " {name} ({}) |", gtr_core::count(some.len(), "row"));
    }
    text = text + "\n|---|" + &"---|".repeat(groups.len()) + "\n";
    for prediction in predictions {
        let _ = write!(text, "| {} |", prediction.field);
        for (_, some) in &groups {
            let (value, Interval { low, high }) = prediction.correlation(distances, some);
            let _ = write!(text, " {value:.2} ({low:.2}..{high:.2}) |");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\n![Distance against predicted loss]({}-loss.svg)", experiment.name);
    for prediction in predictions {
        text += &prediction.failures(experiment, distances);
    }
    text
}

impl Prediction {
    /// Lists the rows whose predicted rank is off by more than a quarter of the rows, at most three.
    fn failures(&self, experiment: &Experiment, distances: &[Measured]) -> String {
        let values: Vec<f64> = distances.iter().map(Measured::value).collect();
        let rank = |numbers: &[f64], at: usize| numbers.iter().filter(|number| **number < numbers[at]).count() + 1;
        let mut misses: Vec<(usize, usize, usize)> =
            (0..values.len()).map(|at| (at, rank(&self.losses, at), rank(&values, at))).collect();
        misses.sort_by_key(|(at, predicted, measured)| (std::cmp::Reverse(predicted.abs_diff(*measured)), *at));
        let errors: Vec<String> = misses
            .iter()
            .take(3)
            .filter(|(_, predicted, measured)| predicted.abs_diff(*measured) > values.len() / 4)
            .map(|(at, predicted, measured)| {
                format!("{} (predicted rank {predicted}, measured {measured})", experiment.rows[*at].name)
            })
            .collect();
        if errors.is_empty() {
            return String::new();
        }
        format!("\nLargest rank errors of the field {}: {}.\n", self.field, errors.join("; "))
    }
}

/// Draws the figure as SVG, one plot per field.
pub(super) fn figure(experiment: &Experiment, predictions: &[Prediction], distances: &[Measured]) -> String {
    let mut svg = Svg::new(&experiment.title);
    let mut left = 0.0;
    for prediction in predictions {
        let series = groups(experiment);
        let groups = if series.len() > 1 { &series[1..] } else { &series[..] };
        let point = |&at: &usize| {
            let measured = &distances[at];
            let Interval { low, high } = measured.interval();
            let point = Point::at(prediction.losses[at], measured.value()).label(&(at + 1).to_string());
            if low.is_finite() && high.is_finite() {
                point.error(measured.value() - low, high - measured.value())
            } else {
                point
            }
        };
        let chart = Chart {
            title: format!("Field {}", prediction.field),
            x: Axis::new("predicted loss, in nats").log(),
            y: Axis::new("Fr\u{e9}chet distance (less is better)").log(),
            series: groups
                .iter()
                .enumerate()
                .map(|(at, (name, some))| Series::new(name, Marks::Points, category(at)).with(some.iter().map(point)))
                .collect(),
            ..Chart::default()
        };
        chart.draw(&mut svg, Area::new(left, 0.0, SIZE.0, SIZE.1).inside([14.0, 18.0, 12.0, 14.0]));
        left += SIZE.0;
    }
    svg.finish(left, SIZE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an experiment of four rows in two groups.
    fn experiment() -> Experiment {
        let row = |name: &str, group: &str| json!({ "name": name, "group": group, "preset": "mar-16" });
        let rows = json!([row("a", "chosen"), row("b", "drawn"), row("c", "chosen"), row("d", "chosen")]);
        serde_json::from_value(json!({
            "name": "x", "title": "X", "source": "ours", "varies": "nothing", "rows": rows, "claims": [],
        }))
        .unwrap()
    }

    fn measured(distances: [f64; 4]) -> [Measured; 4] {
        distances.map(|value| Measured::new(value, vec![value; 20]))
    }

    #[test]
    fn groups_have_correlations_of_their_own() {
        let experiment = experiment();
        assert_eq!(groups(&experiment)[1..], [("chosen".to_owned(), vec![0, 2, 3]), ("drawn".to_owned(), vec![1])]);
        let prediction = Prediction { field: "f".to_owned(), losses: vec![1.0, 2.0, 3.0, 4.0] };
        let json = prediction.json(&experiment, &measured([1.0, 9.0, 2.0, 3.0]));
        assert_eq!(json["rank_correlations"][0]["spearman"], 0.4);
        assert_eq!(json["rank_correlations"][1]["spearman"], 1.0);
        // The rank correlation of one row is undefined.
        assert!(json["rank_correlations"][2]["spearman"].is_null());
        assert_eq!(json["losses"]["d"], 4.0);
    }

    #[test]
    fn the_largest_rank_errors_are_listed() {
        let experiment = experiment();
        let prediction = Prediction { field: "f".to_owned(), losses: vec![1.0, 2.0, 3.0, 4.0] };
        let right = section(&experiment, std::slice::from_ref(&prediction), &measured([1.0, 2.0, 3.0, 4.0]));
        assert!(right.contains("| f | 1.00 (") && !right.contains("rank errors"), "{right}");
        let wrong = section(&experiment, &[prediction], &measured([4.0, 2.0, 3.0, 1.0]));
        assert!(wrong.contains("Largest rank errors of the field f: a (predicted rank 1, measured 4); d ("), "{wrong}");
    }

    #[test]
    fn figures_number_the_rows() {
        let predictions =
            ["f", "g"].map(|field| Prediction { field: field.to_owned(), losses: vec![1.0, 2.0, 3.0, 4.0] });
        let figure = figure(&experiment(), &predictions, &measured([1.0, 2.0, 3.0, 4.0]));
        for text in ["Field f", "Field g", "chosen", "drawn", "4"] {
            assert!(figure.contains(&format!(">{text}</text>")), "{text}");
        }
    }
}
