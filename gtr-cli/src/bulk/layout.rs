//! Folder layouts of evaluation tools.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::manifest::Run;
use super::prompts::Prompt;
use crate::series::{Numbering, Subjects, earlier, file_name};

/// Layout of the files of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// 00000.png: one file per image, named by its number.
    Flat,
    /// 00000/metadata.jsonl and 00000/samples/0000.png: one folder per prompt, for GenEval.
    Geneval,
    /// `samples/PROMPT_000000.png`, for T2I-CompBench.
    Compbench,
    /// NAME.png: a grid of the four images of the prompt NAME.txt, for DPG-Bench.
    Dpg,
}

/// Largest length of a file name, in bytes.
const LONGEST_NAME: usize = 255;

impl Layout {
    /// Returns the metadata of the prompts that the layout needs: lines of GenEval, or names of DPG-Bench.
    pub(crate) fn metadata(self, prompts: Vec<Prompt>) -> Option<Vec<String>> {
        match self {
            Self::Flat | Self::Compbench => None,
            Self::Geneval => prompts.into_iter().map(|prompt| prompt.line).collect(),
            Self::Dpg => prompts.into_iter().map(|prompt| prompt.name).collect(),
        }
    }

    /// Describes why a run does not fit the layout, if it does not.
    pub(crate) fn problem(
        self,
        subjects: &Subjects,
        metadata: Option<&[String]>,
        numbering: Numbering,
    ) -> Option<String> {
        match (self, subjects, metadata) {
            (Self::Flat, ..) | (Self::Geneval, _, Some(_)) => None,
            (Self::Geneval, _, None) => {
                Some("--layout geneval needs --prompts: the metadata.jsonl of GenEval".to_owned())
            }
            (Self::Compbench, Subjects::Prompts(prompts), _) => {
                (1..).zip(prompts).find_map(|(number, prompt)| compbench_problem(number, prompt))
            }
            (Self::Compbench, ..) => {
                Some("--layout compbench names files by their prompts: --prompt or --prompts is required".to_owned())
            }
            (Self::Dpg, _, None) => Some(
                "--layout dpg needs --prompts: the folder dpg_bench/prompts of DPG-Bench, one NAME.txt per prompt"
                    .to_owned(),
            ),
            (Self::Dpg, _, Some(_)) if !matches!(numbering.count(), 1 | 4) => {
                Some("--layout dpg writes grids of four images or single images: expected --samples 4 or 1".to_owned())
            }
            (Self::Dpg, _, Some(names)) => names.iter().find(|name| !is_dpg_name(name)).map(|name| {
                format!(
                    "--layout dpg: invalid name of the prompt file {name:?}.txt: expected letters, digits, `_` and `-`"
                )
            }),
        }
    }
}

/// Describes why a prompt cannot be part of a file name, if it cannot. The scorers read the prompt up to the first `_`.
fn compbench_problem(number: usize, prompt: &str) -> Option<String> {
    let found = prompt.chars().find(|letter| matches!(letter, '_' | '/' | '\\') || letter.is_control());
    if let Some(letter) = found {
        return Some(format!(
            "--layout compbench: prompt {number} has a {letter:?}, which the scorers cannot read in a file name: change it"
        ));
    }
    if prompt.is_empty() || compbench_file(prompt, u64::MAX).len() > LONGEST_NAME {
        let most = LONGEST_NAME - compbench_file("", u64::MAX).len();
        return Some(format!(
            "--layout compbench: prompt {number} has {} bytes, expected 1 to {most}, because it is part of a file name",
            prompt.len()
        ));
    }
    None
}

fn compbench_file(prompt: &str, position: u64) -> String {
    format!("{prompt}_{position:06}.png")
}

/// Returns true for a valid name. The scorer reads the name up to the first full stop.
fn is_dpg_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    !name.is_empty() && name.len() + ".png".len() <= LONGEST_NAME && name.chars().all(is_plain)
}

impl Run {
    /// Returns the path of the image at a position, relative to the folder.
    pub(crate) fn file(&self, position: u64) -> PathBuf {
        let (prompt, sample) = (self.numbering.subject(position), self.numbering.sample(position));
        match (self.layout, &self.subjects) {
            (Layout::Geneval, _) => format!("{prompt:05}/samples/{sample:04}.png").into(),
            (Layout::Compbench, Subjects::Prompts(prompts)) => {
                Path::new("samples").join(compbench_file(&prompts[prompt], position))
            }
            (Layout::Dpg, _) => format!("samples/{}_{sample}.png", self.dpg_name(prompt)).into(),
            (Layout::Flat | Layout::Compbench, _) => file_name(self.numbering.number(position)).into(),
        }
    }

    /// Returns the existing files of images at some positions, each with its position.
    pub(crate) fn files_there(&self, folder: &Path, positions: &Range<u64>) -> Vec<(u64, PathBuf)> {
        if self.layout == Layout::Flat {
            return earlier::files(folder, self.numbering, positions);
        }
        let file = |position| (position, folder.join(self.file(position)));
        positions.clone().map(file).filter(|(_, file)| file.is_file()).collect()
    }

    /// Returns the folders that images at some positions need, and the paths and contents of the metadata files.
    pub(crate) fn surroundings(&self, range: &Range<u64>) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
        if range.is_empty() {
            return (Vec::new(), Vec::new());
        }
        match self.layout {
            Layout::Flat => (Vec::new(), Vec::new()),
            Layout::Compbench | Layout::Dpg => (vec!["samples".into()], Vec::new()),
            Layout::Geneval => {
                let prompts = self.numbering.subject(range.start)..=self.numbering.subject(range.end - 1);
                let folders = prompts.clone().map(|prompt| format!("{prompt:05}/samples").into()).collect();
                let lines = self.metadata.iter().flatten().enumerate().filter(|(prompt, _)| prompts.contains(prompt));
                let file = |(prompt, line): (usize, &String)| {
                    (format!("{prompt:05}/metadata.jsonl").into(), format!("{line}\n"))
                };
                (folders, lines.map(file).collect())
            }
        }
    }

    /// Returns the name of a prompt in DPG-Bench. [`Layout::problem`] guarantees that all prompts have names.
    pub(crate) fn dpg_name(&self, prompt: usize) -> &str {
        self.metadata.as_ref().map_or("", |names| &names[prompt])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::Checksum;

    fn run(layout: Layout, prompts: &[&str], metadata: Option<&[&str]>, count: u64) -> Run {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Run {
            plan_sha256: Checksum::of(b""),
            model_sha256: Checksum::of(b""),
            settings: serde_json::json!({}),
            layout,
            numbering: serde_json::from_value(
                serde_json::json!({ "subjects": prompts.len(), "count": count, "first": 0, "balanced": false }),
            )
            .unwrap(),
            subjects: Subjects::Prompts(texts(prompts)),
            metadata: metadata.map(texts),
        }
    }

    fn problem(run: &Run) -> Option<String> {
        run.layout.problem(&run.subjects, run.metadata.as_deref(), run.numbering)
    }

    #[test]
    fn file_names_are_those_of_the_scorers() {
        let prompts = ["a green bench and a blue bowl", "two boys"];
        let bench = run(Layout::Compbench, &prompts, None, 10);
        assert_eq!(problem(&bench), None);
        assert_eq!(bench.file(0), Path::new("samples/a green bench and a blue bowl_000000.png"));
        assert_eq!(bench.file(13), Path::new("samples/two boys_000013.png"));
        let dpg = run(Layout::Dpg, &prompts, Some(&["0", "partiprompts203"]), 4);
        assert_eq!(problem(&dpg), None);
        assert_eq!(dpg.file(6), Path::new("samples/partiprompts203_2.png"));
        let lines = ["{\"prompt\":\"a\"}", "{\"prompt\":\"b\"}"];
        let geneval = run(Layout::Geneval, &prompts, Some(&lines), 4);
        assert_eq!(geneval.file(6), Path::new("00001/samples/0002.png"));
        let (folders, files) = geneval.surroundings(&(4..8));
        assert_eq!(folders, [Path::new("00001/samples")]);
        assert_eq!(files, [(PathBuf::from("00001/metadata.jsonl"), "{\"prompt\":\"b\"}\n".to_owned())]);
    }

    #[test]
    fn prompts_that_do_not_fit_a_name_are_refused() {
        for prompt in ["a_b", "a/b", "../b", "a\nb", "", &"a".repeat(300)] {
            let said = problem(&run(Layout::Compbench, &["fine", prompt], None, 1)).unwrap();
            assert!(said.starts_with("--layout compbench: prompt 2 has "), "{said}");
        }
        for name in ["", "a.b", "../a", "a/b"] {
            let said = problem(&run(Layout::Dpg, &["fine"], Some(&[name]), 4)).unwrap();
            assert!(said.contains("invalid name of the prompt file"), "{said}");
        }
        assert!(problem(&run(Layout::Dpg, &["fine"], Some(&["a"]), 3)).unwrap().contains("--samples 4"));
        assert!(problem(&run(Layout::Dpg, &["fine"], None, 4)).unwrap().contains("needs --prompts"));
        let classes = Subjects::Classes(vec![1]);
        let numbering = run(Layout::Compbench, &["a"], None, 1).numbering;
        assert!(
            Layout::Compbench.problem(&classes, None, numbering).unwrap().contains("--prompt or --prompts is required")
        );
    }
}
