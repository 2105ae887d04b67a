//! Comparison of rows.

use gtr_backends::judge::{Interval, Measured};
use serde_json::{Value, json};

use super::row::{EvaluationRow, significance};
use gtr_draw::table::{Align, TableRows};

/// Scores of several rows; each row is compared with the first.
#[derive(Clone, Debug)]
pub struct EvaluationReport {
    /// Settings that all rows share, for JSON.
    pub settings: Value,
    /// The rows; the first is the baseline.
    pub rows: Vec<EvaluationRow>,
}

impl EvaluationReport {
    /// Returns a warning if the rows cannot be compared.
    pub fn warning(&self) -> Option<String> {
        let numbers: Vec<usize> = self.rows.iter().map(|row| row.scores.images).collect();
        let same = numbers.iter().all(|number| Some(number) == numbers.first());
        (!same).then(|| {
            let list: Vec<String> = self.rows.iter().map(|row| format!("{} {}", row.name, row.scores.images)).collect();
            format!(
                "rows with different numbers of images ({}) cannot be compared: the distance is larger for fewer images",
                list.join(", ")
            )
        })
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = (0..).zip(&self.rows).map(|(at, row)| row.json(self.first(at))).collect();
        json!({ "settings": self.settings, "rows": rows })
    }

    /// Returns the baseline of a row, or `None` for the baseline itself.
    fn first(&self, position: usize) -> Option<&EvaluationRow> {
        self.rows.first().filter(|_| position > 0)
    }

    /// Returns the report as CSV, one line per row.
    pub fn csv(&self) -> String {
        let mut text = "row,images,frechet,frechet_low,frechet_high,against_first,against_first_low,against_first_high,\
             class_accuracy,class_accuracy_low,class_accuracy_high,inception_score,inception_score_low,inception_score_high,\
             cfg,temperature,ar_steps,network_evaluations,token_evaluations,operations,seconds\n"
            .to_owned();
        for (at, row) in (0..).zip(&self.rows) {
            let json = row.json(self.first(at));
            let mut cells = vec![quoted(&row.name), row.scores.images.to_string()];
            for score in ["frechet", "frechet_against_first", "class_accuracy", "inception_score"] {
                cells.extend(["value", "low", "high"].map(|part| cell(json.get(score).and_then(|it| it.get(part)))));
            }
            let made =
                ["cfg", "temperature", "ar_steps", "network_evaluations", "token_evaluations", "operations", "seconds"];
            cells.extend(made.map(|name| cell(json.get(name))));
            text = text + &cells.join(",") + "\n";
        }
        text
    }

    /// Returns the report as a text table.
    pub fn text(&self) -> String {
        use Align::{Left, Right};
        let timed = self.rows.iter().any(|row| row.made.as_ref().is_some_and(|made| made.seconds.is_some()));
        let compared = self.rows.len() > 1;
        let against = self.rows.first().map_or_else(String::new, |row| format!("against\n{}", row.name));
        let mut columns =
            vec![("\nrow", Left), ("\nimages", Right), ("Fr\u{e9}chet\ndistance", Right), ("\n95 %", Left)];
        if compared {
            columns.extend([(against.as_str(), Right), ("\n95 %", Left), ("\n", Left)]);
        }
        columns.extend([
            ("class\naccuracy", Right),
            ("\n95 %", Left),
            ("inception\nscore", Right),
            ("AR\nsteps", Right),
            ("network\nevaluations", Right),
            ("10^9 op.\nper image", Right),
        ]);
        if timed {
            columns.push(("s per\nimage", Right));
        }
        let mut table = TableRows::new(columns);
        for (at, row) in (0..).zip(&self.rows) {
            let mut cells = vec![row.name.clone(), row.scores.images.to_string()];
            cells.extend(both(&row.scores.frechet));
            if compared {
                cells.extend(self.first(at).and_then(|first| row.difference_from(first)).map_or_else(
                    || ["-".to_owned(), String::new(), String::new()],
                    |it| [format!("{:+.2}", it.value()), ends(it.interval()), significance(&it).to_owned()],
                ));
            }
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            cells.extend(row.scores.accuracy.as_ref().map_or_else(
                || ["-".to_owned(), String::new()],
                |it| {
                    let Interval { low, high } = it.interval;
                    [percent(it.share), format!("{:.1}..{:.1}", 100.0 * low, 100.0 * high)]
                },
            ));
            cells.push(format!("{:.2}", row.scores.inception.value()));
            cells.extend(row.made.as_ref().map_or_else(
                || ["-", "-", "-"].map(str::to_owned),
                |it| {
                    [it.ar_steps.to_string(), it.network_evaluations.to_string(), format!("{:.2}", it.operations / 1e9)]
                },
            ));
            if timed {
                let seconds = row.made.as_ref().and_then(|made| made.seconds);
                cells.push(seconds.map_or_else(|| "-".to_owned(), |it| format!("{it:.3}")));
            }
            table.add(cells);
        }
        table.text()
    }
}

/// Formats a value and its interval.
fn both(measured: &Measured) -> [String; 2] {
    [format!("{:.2}", measured.value()), ends(measured.interval())]
}

/// Formats an interval.
pub(super) fn ends(Interval { low, high }: Interval) -> String {
    format!("{low:.2}..{high:.2}")
}

fn cell(value: Option<&Value>) -> String {
    value.filter(|value| !value.is_null()).map_or_else(String::new, Value::to_string)
}

/// Quotes a name for CSV if necessary.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}
