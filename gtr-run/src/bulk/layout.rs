//! How the files of a folder are laid out, as programs that score pictures read them.

use serde::{Deserialize, Serialize};

use super::prompts::Prompt;
use crate::series::{Numbering, Subjects};

/// How the files of a folder are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// 00000.png, a file an image, named by its number.
    Flat,
    /// 00000/metadata.jsonl and 00000/samples/0000.png, a folder a prompt, as the scorer of GenEval reads it.
    Geneval,
    /// `samples/PROMPT_000000.png`, as the scorers of T2I-CompBench read it.
    Compbench,
    /// NAME.png, a grid of the four images of the prompt NAME.txt, as the scorer of DPG-Bench reads it.
    Dpg,
}

/// The most bytes of a file's name.
const LONGEST_NAME: usize = 255;

impl Layout {
    /// What a run must remember of its prompts besides their texts: the lines of GenEval, the names of DPG-Bench.
    pub fn metadata(self, prompts: Vec<Prompt>) -> Option<Vec<String>> {
        match self {
            Self::Flat | Self::Compbench => None,
            Self::Geneval => prompts.into_iter().map(|prompt| prompt.line).collect(),
            Self::Dpg => prompts.into_iter().map(|prompt| prompt.name).collect(),
        }
    }

    /// What of a run does not fit the layout, and what would be right.
    pub fn problem(self, subjects: &Subjects, metadata: Option<&[String]>, numbering: Numbering) -> Option<String> {
        match (self, subjects, metadata) {
            (Self::Flat, ..) | (Self::Geneval, _, Some(_)) => None,
            (Self::Geneval, _, None) => Some("--layout geneval needs --prompts: the metadata.jsonl of GenEval".to_owned()),
            (Self::Compbench, Subjects::Prompts(prompts), _) => {
                (1..).zip(prompts).find_map(|(number, prompt)| compbench_problem(number, prompt))
            }
            (Self::Compbench, ..) => {
                Some("--layout compbench names files by their prompts: give --prompt or --prompts".to_owned())
            }
            (Self::Dpg, _, None) => {
                Some("--layout dpg needs --prompts: the folder dpg_bench/prompts of DPG-Bench, a NAME.txt a prompt".to_owned())
            }
            (Self::Dpg, _, Some(_)) if !matches!(numbering.count(), 1 | 4) => {
                Some("--layout dpg makes a grid of --samples 4, or a picture of --samples 1".to_owned())
            }
            (Self::Dpg, _, Some(names)) => names.iter().find(|name| !is_dpg_name(name)).map(|name| {
                format!("--layout dpg: the prompt file {name:?}.txt has no plain name: letters, digits, `_` and `-` are read")
            }),
        }
    }
}

/// Why a prompt cannot be in a file's name, as the scorers take it from there: it ends at the first `_`.
fn compbench_problem(number: usize, prompt: &str) -> Option<String> {
    let found = prompt.chars().find(|letter| matches!(letter, '_' | '/' | '\\') || letter.is_control());
    if let Some(letter) = found {
        return Some(format!(
            "--layout compbench: prompt {number} has a {letter:?}, which cannot be in a name that the scorers read: change it"
        ));
    }
    if prompt.is_empty() || compbench_file(prompt, u64::MAX).len() > LONGEST_NAME {
        let most = LONGEST_NAME - compbench_file("", u64::MAX).len();
        return Some(format!(
            "--layout compbench: prompt {number} has {} bytes, but it becomes the name of a file: 1 to {most} are possible",
            prompt.len()
        ));
    }
    None
}

/// What a file of T2I-CompBench is called.
pub(super) fn compbench_file(prompt: &str, position: u64) -> String {
    format!("{prompt}_{position:06}.png")
}

/// The scorer takes what stands before the first full stop.
fn is_dpg_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    !name.is_empty() && name.len() + ".png".len() <= LONGEST_NAME && name.chars().all(is_plain)
}
