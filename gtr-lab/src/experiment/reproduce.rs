//! Repeats some rows with more seeds.

use std::fmt::Write as _;

use gtr_backends::judge::Interval;
use gtr_core::count;
use serde_json::{Value, json};

use super::Experiment;
use crate::Error;
use crate::evaluation::{EvaluationRow, Evaluator, ImageSet, Scorer, Subject, significance};

/// Rows that were repeated with several seeds.
#[derive(Debug)]
pub struct MoreSeeds {
    /// The seeds; each has the same number of images.
    pub seeds: Vec<u64>,
    /// Rows over all seeds together; the first is the baseline.
    pub rows: Vec<EvaluationRow>,
    /// The same rows for each seed separately.
    pub each: Vec<Vec<EvaluationRow>>,
}

impl MoreSeeds {
    /// Generates and scores the rows that the experiment repeats with more seeds. Returns `None` if it repeats none. Seconds are
    /// removed.
    ///
    /// # Errors
    /// Errors of [`EvaluationRow::all`].
    pub fn measure(
        experiment: &Experiment,
        evaluator: &mut Evaluator<'_>,
        subjects: &[Subject],
        (images, scale): (&ImageSet, &Scorer),
    ) -> Result<Option<Self>, Error> {
        let Some(asked) = &experiment.again else { return Ok(None) };
        let named = |name: &String| subjects.iter().find(|subject| subject.name == *name).cloned();
        let some: Vec<Subject> = asked.rows.iter().filter_map(named).collect();
        let count = images.each() * images.seeds().len() as u64;
        let mut measure = |seeds: &[u64]| {
            let images = ImageSet::new(count * seeds.len() as u64, seeds, 10)?;
            let mut rows = EvaluationRow::all(evaluator, &some, &images, scale)?;
            EvaluationRow::untimed(&mut rows);
            Ok::<_, Error>(rows)
        };
        let rows = measure(&asked.seeds)?;
        let each = asked.seeds.iter().map(|&seed| measure(&[seed])).collect::<Result<_, _>>()?;
        Ok(Some(Self { seeds: asked.seeds.clone(), rows, each }))
    }

    /// Returns the section of the result page.
    pub(super) fn section(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let Some(first) = self.rows.first() else { return String::new() };
        let mut text = format!(
            "## On seeds {}\n\n{} per row. The distance depends on the number of images, so these values differ from those of the \
             table above.\n\n| row | Fr\u{e9}chet distance | against {} | | per seed | operations |\n|---|---|---|---|---|--:|\n",
            seeds.join(", "),
            count(first.scores.images, "image"),
            first.name
        );
        let operations = |row: &EvaluationRow| row.made.as_ref().map_or(f64::NAN, |made| made.operations);
        for (at, row) in self.rows.iter().enumerate() {
            let against = if at > 0 { row.difference_from(first) } else { None };
            let [difference, word] = against.map_or_else(
                || ["-".to_owned(), String::new()],
                |it| {
                    let Interval { low, high } = it.interval();
                    [format!("{:+.2} ({low:+.2}..{high:+.2})", it.value()), significance(&it).to_owned()]
                },
            );
            let each: Vec<String> = self
                .each
                .iter()
                .filter_map(|rows| rows.get(at))
                .map(|row| format!("{:.2}", row.scores.frechet.value()))
                .collect();
            let Interval { low, high } = row.scores.frechet.interval();
            let share = 100.0 * operations(row) / operations(first);
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {:.2} ({low:.2}..{high:.2}) | {difference} | {word} | {} | {share:.0} % |",
                row.name,
                row.scores.frechet.value(),
                each.join(", ")
            );
        }
        text
    }

    /// Returns the rows as JSON.
    pub fn json(&self) -> Value {
        let rows = |rows: &[EvaluationRow]| -> Vec<Value> {
            rows.iter().enumerate().map(|(at, row)| row.json(rows.first().filter(|_| at > 0))).collect()
        };
        let each: Vec<Value> = self
            .seeds
            .iter()
            .zip(&self.each)
            .map(|(seed, of_seed)| json!({ "seed": seed, "rows": rows(of_seed) }))
            .collect();
        json!({ "seeds": self.seeds, "rows": rows(&self.rows), "each": each })
    }
}
