//! Result page of an experiment: method, scores, and comparison with the paper.

use std::fmt::Write as _;

use gtr_backends::judge::{Interval, Measured};
use serde_json::Value;

use super::claim::ClaimOutcome;
use super::{Experiment, MoreSeeds, Prediction, curves, prediction};
use crate::evaluation::{EvaluationReport, EvaluationRow, significance};
use gtr_core::count;

/// Results of an experiment.
#[derive(Debug)]
pub struct Page<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Rows with their scores.
    pub report: EvaluationReport,
    /// Predicted losses of the rows, one item per field.
    pub predictions: Vec<Prediction>,
    /// Rows that were repeated with more seeds.
    pub again: Option<MoreSeeds>,
    /// Command that writes the page.
    pub command: String,
    /// Description of the method, one or two sentences.
    pub how: String,
}

impl Page<'_> {
    /// Returns the page as Markdown.
    pub fn markdown(&self) -> String {
        let Experiment { name, title, source, varies, .. } = self.experiment;
        let mut text = format!(
            "# {title}\n\n`{name}`: {source}.\n\n{varies}\n\n```sh\n{}\n```\n\n{}\n\n{}\n",
            self.command,
            self.how,
            self.table()
        );
        let _ = writeln!(text, "![Distance against cost, the Pareto front marked]({name}.svg)\n");
        text.push_str(&self.conclusion());
        if !self.experiment.curves.is_empty() {
            let (label, suffix) = (self.experiment.curves_over.label(), self.experiment.curves_over.suffix());
            let _ = writeln!(text, "\n![Distance over the {label}]({name}{suffix}.svg)");
        }
        if !self.predictions.is_empty() {
            text.push('\n');
            text.push_str(&prediction::section(self.experiment, &self.predictions, &self.distances()));
        }
        if let Some(again) = &self.again {
            text.push('\n');
            text.push_str(&again.section());
        }
        let _ = writeln!(text, "\nData: [{name}.csv]({name}.csv), [{name}.json]({name}.json).");
        text
    }

    fn distances(&self) -> Vec<Measured> {
        self.report.rows.iter().map(|row| row.scores.frechet.clone()).collect()
    }

    /// Returns the additional figures as SVG, each with its file name suffix.
    pub fn figures(&self) -> Vec<(&'static str, String)> {
        let rows = &self.report.rows;
        let mut figures = Vec::new();
        if !self.predictions.is_empty() {
            figures.push(("-loss", prediction::figure(self.experiment, &self.predictions, &self.distances())));
        }
        if !self.experiment.curves.is_empty() {
            figures.push((self.experiment.curves_over.suffix(), curves::figure(self.experiment, rows)));
        }
        figures
    }

    /// Returns the results as JSON.
    pub fn json(&self) -> Value {
        let mut json = self.report.json();
        if let Some(json) = json.as_object_mut() {
            if !self.predictions.is_empty() {
                let of = |it: &Prediction| it.json(self.experiment, &self.distances());
                json.insert("predictions".to_owned(), self.predictions.iter().map(of).collect());
            }
            if let Some(again) = &self.again {
                json.insert("again".to_owned(), again.json());
            }
        }
        json
    }

    fn table(&self) -> String {
        let first = self.experiment.rows.first().map_or("", |row| row.name.as_str());
        let numbered = !self.predictions.is_empty();
        let heads = cells(self.predictions.iter().map(Prediction::head));
        let rules = "--:|".repeat(self.predictions.len());
        let mut text = format!(
            "| row | Fr\u{e9}chet distance | against {first} | | class accuracy | inception score | AR steps | network evaluations \
             | 10^9 operations |{heads}\n|---|---|---|---|---|---|--:|--:|--:|{rules}\n"
        );
        for (at, row) in self.report.rows.iter().enumerate() {
            let against = self.report.rows.first().filter(|_| at > 0).and_then(|first| row.difference_from(first));
            let [difference, word] = against
                .map_or_else(|| ["-".to_owned(), String::new()], |it| [signed(&it), significance(&it).to_owned()]);
            let accuracy = row.scores.accuracy.as_ref().map_or_else(String::new, |it| {
                let Interval { low, high } = it.interval;
                format!("{:.1} % ({:.1}..{:.1})", 100.0 * it.share, 100.0 * low, 100.0 * high)
            });
            let (distance, inception) = (number(&row.scores.frechet), number(&row.scores.inception));
            let cost = row.made.as_ref().map_or_else(String::new, |it| {
                format!("{} | {} | {:.2}", it.ar_steps, it.network_evaluations, it.operations / 1e9)
            });
            // The loss figure labels its points with these numbers.
            let name = if numbered { format!("{}: {}", at + 1, row.name) } else { row.name.clone() };
            let losses = cells(self.predictions.iter().map(|it| it.cell(at)));
            let _ = writeln!(
                text,
                "| {name} | {distance} | {difference} | {word} | {accuracy} | {inception} | {cost} |{losses}"
            );
        }
        text
    }

    fn conclusion(&self) -> String {
        if self.experiment.claims.is_empty() { self.compared_with_the_first() } else { self.compared_with_the_paper() }
    }

    fn row(&self, name: &str) -> Option<&EvaluationRow> {
        self.report.rows.iter().find(|row| row.name == name)
    }

    /// Returns the section that tests the claims of the paper.
    fn compared_with_the_paper(&self) -> String {
        let mut text =
            "## Comparison with the paper\n\n| claim | tested as | difference of distances | result |\n|---|---|---|---|\n"
                .to_owned();
        let mut findings = Vec::new();
        for claim in &self.experiment.claims {
            let rows = self.row(&claim.row).zip(self.row(&claim.than));
            let Some(difference) = rows.and_then(|(row, than)| row.difference_from(than)) else { continue };
            let (finding, words) = ClaimOutcome::of(&difference);
            findings.push(finding);
            let (row, is, than) = (&claim.row, claim.is.words(), &claim.than);
            let _ = writeln!(text, "| {} | {row} is {is} {than} | {} | {words} |", claim.says, signed(&difference));
        }
        let found = |finding| findings.iter().filter(|it| **it == finding).count();
        let _ = writeln!(
            text,
            "\nOf {}, {} confirmed, {} undecided, {} contradicted.",
            count(findings.len(), "claim"),
            found(ClaimOutcome::Confirmed),
            found(ClaimOutcome::Open),
            found(ClaimOutcome::Contradicted)
        );
        text
    }

    /// Returns the section that compares all rows with the first, for experiments without claims.
    fn compared_with_the_first(&self) -> String {
        let Some((first, others)) = self.report.rows.split_first() else { return String::new() };
        let named = |word: &str| {
            let is = |row: &&EvaluationRow| row.difference_from(first).is_some_and(|it| significance(&it) == word);
            let names: Vec<&str> = others.iter().filter(is).map(|row| row.name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join("; ") }
        };
        format!(
            "## Compared with {}\n\n- better: {}\n- worse: {}\n- not significantly different: {}\n",
            first.name,
            named("better"),
            named("worse"),
            named("not significantly different")
        )
    }
}

/// Formats additional cells of a row.
fn cells(texts: impl Iterator<Item = String>) -> String {
    texts.flat_map(|text| [" ".to_owned(), text, " |".to_owned()]).collect()
}

fn number(measured: &Measured) -> String {
    let Interval { low, high } = measured.interval();
    format!("{:.2} ({low:.2}..{high:.2})", measured.value())
}

fn signed(measured: &Measured) -> String {
    let Interval { low, high } = measured.interval();
    format!("{:+.2} ({low:+.2}..{high:+.2})", measured.value())
}
