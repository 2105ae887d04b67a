//! Folder layouts of evaluation tools.

use serde::{Deserialize, Serialize};

use super::prompts::Prompt;
use crate::series::{Numbering, Subjects};

/// Layout of the files of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderLayout {
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

impl FolderLayout {
    /// Returns the metadata of the prompts that the layout needs: lines of GenEval, or names of DPG-Bench.
    pub fn metadata(self, prompts: Vec<Prompt>) -> Option<Vec<String>> {
        match self {
            Self::Flat | Self::Compbench => None,
            Self::Geneval => prompts.into_iter().map(|prompt| prompt.line).collect(),
            Self::Dpg => prompts.into_iter().map(|prompt| prompt.name).collect(),
        }
    }

    /// Describes why a run does not fit the layout, and what would be right. Returns `None` if it fits.
    pub fn problem(self, subjects: &Subjects, metadata: Option<&[String]>, numbering: Numbering) -> Option<String> {
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

/// Returns the file name of an image for T2I-CompBench.
pub(super) fn compbench_file(prompt: &str, position: u64) -> String {
    format!("{prompt}_{position:06}.png")
}

/// Returns true for a valid name. The scorer reads the name up to the first full stop.
fn is_dpg_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    !name.is_empty() && name.len() + ".png".len() <= LONGEST_NAME && name.chars().all(is_plain)
}
