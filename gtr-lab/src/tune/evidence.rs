//! Result of a search, and its evidence.

use gtr_backends::judge::{Interval, Measured};
use gtr_core::preset::{Preset, Status};
use gtr_core::{Grid, Schedule};
use serde_json::{Map, Value, json};

use super::budget::Allowance;
use super::halving::Round;
use super::held_out::{DataSplit, HeldOut};
use super::search_space::{BASELINE, Candidate};
use crate::evaluation::{EvaluationReport, EvaluationRow, significance};
use gtr_draw::table::{Align, TableRows};

/// A search with its result, and everything needed to check it.
#[derive(Debug)]
pub struct Evidence {
    /// Settings of the evaluator and of the command line, for JSON.
    pub settings: Map<String, Value>,
    /// The budget as it was given.
    pub budget: String,
    /// The budget in operations.
    pub allowance: Allowance,
    /// Data that the search measured on.
    pub search: DataSplit,
    /// Field on which losses were computed.
    pub field: String,
    /// The candidates; the first is the baseline.
    pub candidates: Vec<Candidate>,
    /// Number of drafts that were dropped for their loss, without measuring them.
    pub thrown_out: usize,
    /// Rounds of the search.
    pub rounds: Vec<Round>,
    /// Data of the final figures.
    pub held_out: HeldOut,
    /// Final figures of the baseline.
    pub baseline: EvaluationRow,
    /// Final figures of the winner.
    pub winner: EvaluationRow,
    /// Noun for the real images.
    pub real: &'static str,
}

impl Evidence {
    /// Returns the index and score of the best candidate of the last round.
    pub fn best(candidates: &[Candidate], rounds: &[Round]) -> Option<(usize, f64)> {
        let best = rounds.last()?.ranking.first()?;
        (best.0 < candidates.len()).then_some(*best)
    }

    /// Returns the winning schedule as a preset. `name` becomes its name, `grid` its home grid.
    pub fn preset(&self, name: &str, grid: Grid) -> Option<Preset> {
        let (best, _) = Self::best(&self.candidates, &self.rounds)?;
        let candidate = self.candidates.get(best)?;
        let name = name.to_owned();
        Some(Preset {
            summary: format!("Found by a search: {}", candidate.name),
            source: format!("gtr-cli tune --budget {}; see the evidence", self.budget),
            status: Status::Ours,
            home_grid: grid,
            schedule: candidate.schedule.clone(),
            evidence: Some(self.json(best)),
            name,
        })
    }

    fn json(&self, best: usize) -> Map<String, Value> {
        let name = |candidate: &usize| self.candidates.get(*candidate).map(|it| &it.name);
        let round = |round: &Round| {
            let ranking = round.ranking.iter().map(|(candidate, score)| {
                let candidate = self.candidates.get(*candidate);
                let (name, operations) = (candidate.map(|it| &it.name), candidate.map(|it| it.operations));
                let loss = candidate.map(|it| it.loss);
                let mut row = json!({ "candidate": name, "operations": operations, "loss": loss, "frechet": score });
                let axes = candidate.map(|it| optional_axes(&it.schedule)).filter(|axes| !axes.is_empty());
                if let (Some(row), Some(axes)) = (row.as_object_mut(), axes) {
                    row.insert("axes".to_owned(), axes.into());
                }
                if let (Some(row), f64::INFINITY) = (row.as_object_mut(), *score) {
                    row.insert("too_slow".to_owned(), true.into());
                }
                row
            });
            json!({ "images": round.images, "ranking": ranking.collect::<Value>() })
        };
        let mut budget = json!({ "asked": self.budget, "operations": self.allowance.operations });
        if let (Some(seconds), Some(budget)) = (self.allowance.seconds, budget.as_object_mut()) {
            budget.insert("seconds".to_owned(), seconds.limit.into());
            budget.insert(format!("seconds_of_{BASELINE}"), seconds.yardstick.into());
        }
        let mut evidence = self.settings.clone();
        evidence.insert("budget".to_owned(), budget);
        evidence.insert(
            "search".to_owned(),
            json!({
                "image_seeds": self.search.seeds,
                "reference": self.search.reference.name(),
                "field": self.field,
                "thrown_out_by_loss": self.thrown_out,
                "candidates": self.candidates.len(),
                "rounds": self.rounds.iter().map(round).collect::<Value>(),
                "best": name(&best),
            }),
        );
        let split = self.held_out.split();
        evidence.insert(
            "final".to_owned(),
            json!({
                "image_seeds": split.seeds,
                "reference": split.reference.name(),
                "rows": [self.baseline.json(None), self.winner.json(Some(&self.baseline))],
                "verdict": self.verdict(),
            }),
        );
        evidence
    }

    /// Returns the result as text.
    pub fn text(&self) -> String {
        let (tried, operations) = (self.candidates.len(), self.allowance.operations / 1e9);
        let split = self.held_out.split();
        let report = EvaluationReport { settings: Value::Null, rows: vec![self.baseline.clone(), self.winner.clone()] };
        format!(
            "{} of at most {operations:.3} * 10^9 operations per image; {} dropped for their loss on the \
             field {}\n\n{}\nFinal figure: {}, and the {} half of the real {}; the search used neither\n\n{}\n{}\n",
            gtr_core::count(tried, "candidate"),
            self.thrown_out,
            self.field,
            self.table(),
            seeds(&split.seeds),
            split.reference,
            self.real,
            report.text(),
            self.verdict()
        )
    }

    /// Returns the table of the rounds.
    fn table(&self) -> String {
        use Align::{Left, Right};
        let mut rows = TableRows::new([
            ("\nround", Right),
            ("candi-\ndates", Right),
            ("images\neach", Right),
            ("best\ndistance", Right),
            ("gtr-16's\ndistance", Right),
            ("\nbest candidate", Left),
        ]);
        for (number, round) in (1..).zip(&self.rounds) {
            let best = round.ranking.first();
            let shown = |score: Option<f64>| match score {
                None => "-".to_owned(),
                Some(f64::INFINITY) => "too slow".to_owned(),
                Some(score) => format!("{score:.2}"),
            };
            let baseline = round.ranking.iter().find(|(candidate, _)| *candidate == 0);
            let name = best.and_then(|(candidate, _)| self.candidates.get(*candidate)).map(|it| it.name.clone());
            rows.add([
                number.to_string(),
                round.ranking.len().to_string(),
                round.images.to_string(),
                shown(best.map(|it| it.1)),
                shown(baseline.map(|it| it.1)),
                name.unwrap_or_default(),
            ]);
        }
        rows.text()
    }

    /// Returns the verdict in one sentence, with a warning if the final images were too slow.
    pub fn verdict(&self) -> String {
        let EvaluationRow { name: baseline, .. } = &self.baseline;
        if self.winner.name == *baseline {
            return format!("The search found nothing better than {baseline}.");
        }
        let slow = [&self.baseline, &self.winner].into_iter().filter_map(|row| self.too_slow(row)).collect::<String>();
        match self.winner.difference_from(&self.baseline) {
            Some(difference) => sentence(baseline, &difference, slow.is_empty()) + &slow,
            None => "Rows with different numbers of images cannot be compared.".to_owned(),
        }
    }

    /// Returns a warning if the final images of a row took longer than the budget allows.
    fn too_slow(&self, row: &EvaluationRow) -> Option<String> {
        let (budget, seconds) = (self.allowance.seconds?, row.made.as_ref()?.seconds?);
        (!self.allowance.allows(seconds)).then(|| {
            format!(" The final images of {} took {seconds:.3} s each, longer than {:.3} s.", row.name, budget.limit)
        })
    }
}

/// Returns the optional axes that a schedule sets, for JSON.
fn optional_axes(schedule: &Schedule) -> Map<String, Value> {
    let set = schedule.axes().filter(|(axis, _)| axis.default_kind().is_some());
    set.map(|(axis, config)| (axis.to_string(), json!(config))).collect()
}

fn sentence(baseline: &str, difference: &Measured, within: bool) -> String {
    let Interval { low, high } = difference.interval();
    let figures = format!("distance {:+.2}, 95 % {low:+.2}..{high:+.2}", difference.value());
    match significance(difference) {
        "not significantly different" => {
            format!("The tuned schedule and {baseline} are not significantly different ({figures}).")
        }
        word if within => {
            format!("The tuned schedule is significantly {word} than {baseline} within the same budget ({figures}).")
        }
        word => format!("The tuned schedule is significantly {word} than {baseline} ({figures})."),
    }
}

fn seeds(seeds: &[u64]) -> String {
    let list: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!("images of {} {}", gtr_core::plural(list.len(), "seed"), list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_depends_on_the_interval() {
        let of = |resamples: [f64; 2]| {
            let resamples: Vec<f64> = (0..100).map(|at| resamples[at % 2]).collect();
            sentence("gtr-16", &Measured::new(resamples.iter().sum::<f64>() / 100.0, resamples), true)
        };
        assert!(of([-3.0, -1.0]).contains("is significantly better than gtr-16"), "{}", of([-3.0, -1.0]));
        assert!(of([1.0, 3.0]).contains("is significantly worse than gtr-16"));
        assert!(of([-1.0, 1.5]).contains("are not significantly different"));
        assert!(of([0.0, 0.0]).contains("are not significantly different"));
    }
}
