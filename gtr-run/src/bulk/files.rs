//! Paths of the files of a run in its layout.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::layout::{FolderLayout, compbench_file};
use super::manifest::Run;
use crate::series::{Subjects, file_name, previous};

impl Run {
    /// Returns the path of the image at a position, relative to the folder.
    pub fn file(&self, position: u64) -> PathBuf {
        let (prompt, sample) = (self.numbering.subject(position), self.numbering.sample(position));
        match (self.layout, &self.subjects) {
            (FolderLayout::Geneval, _) => format!("{prompt:05}/samples/{sample:04}.png").into(),
            (FolderLayout::Compbench, Subjects::Prompts(prompts)) => {
                Path::new("samples").join(compbench_file(&prompts[prompt], position))
            }
            (FolderLayout::Dpg, _) => format!("samples/{}_{sample}.png", self.dpg_name(prompt)).into(),
            (FolderLayout::Flat | FolderLayout::Compbench, _) => file_name(self.numbering.number(position)).into(),
        }
    }

    /// Returns the existing files of images at some positions, each with its position.
    pub(super) fn files_there(&self, folder: &Path, positions: &Range<u64>) -> Vec<(u64, PathBuf)> {
        if self.layout == FolderLayout::Flat {
            return previous::files(folder, self.numbering, positions);
        }
        let file = |position| (position, folder.join(self.file(position)));
        positions.clone().map(file).filter(|(_, file)| file.is_file()).collect()
    }

    /// Returns the folders that images at some positions need, and the paths and contents of the metadata files.
    pub(super) fn surroundings(&self, range: &Range<u64>) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
        if range.is_empty() {
            return (Vec::new(), Vec::new());
        }
        match self.layout {
            FolderLayout::Flat => (Vec::new(), Vec::new()),
            FolderLayout::Compbench | FolderLayout::Dpg => (vec!["samples".into()], Vec::new()),
            FolderLayout::Geneval => {
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

    /// Returns the name of a prompt in DPG-Bench. [`FolderLayout::problem`] guarantees that all prompts have names.
    pub fn dpg_name(&self, prompt: usize) -> &str {
        self.metadata.as_ref().map_or("", |names| &names[prompt])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::checksum::Checksum;

    fn run(layout: FolderLayout, prompts: &[&str], metadata: Option<&[&str]>, count: u64) -> Run {
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
        let bench = run(FolderLayout::Compbench, &prompts, None, 10);
        assert_eq!(problem(&bench), None);
        assert_eq!(bench.file(0), Path::new("samples/a green bench and a blue bowl_000000.png"));
        assert_eq!(bench.file(13), Path::new("samples/two boys_000013.png"));
        let dpg = run(FolderLayout::Dpg, &prompts, Some(&["0", "partiprompts203"]), 4);
        assert_eq!(problem(&dpg), None);
        assert_eq!(dpg.file(6), Path::new("samples/partiprompts203_2.png"));
        let lines = ["{\"prompt\":\"a\"}", "{\"prompt\":\"b\"}"];
        let geneval = run(FolderLayout::Geneval, &prompts, Some(&lines), 4);
        assert_eq!(geneval.file(6), Path::new("00001/samples/0002.png"));
        let (folders, files) = geneval.surroundings(&(4..8));
        assert_eq!(folders, [Path::new("00001/samples")]);
        assert_eq!(files, [(PathBuf::from("00001/metadata.jsonl"), "{\"prompt\":\"b\"}\n".to_owned())]);
    }

    #[test]
    fn prompts_that_do_not_fit_a_name_are_refused() {
        for prompt in ["a_b", "a/b", "../b", "a\nb", "", &"a".repeat(300)] {
            let said = problem(&run(FolderLayout::Compbench, &["fine", prompt], None, 1)).unwrap();
            assert!(said.starts_with("--layout compbench: prompt 2 has "), "{said}");
        }
        for name in ["", "a.b", "../a", "a/b"] {
            let said = problem(&run(FolderLayout::Dpg, &["fine"], Some(&[name]), 4)).unwrap();
            assert!(said.contains("invalid name of the prompt file"), "{said}");
        }
        assert!(problem(&run(FolderLayout::Dpg, &["fine"], Some(&["a"]), 3)).unwrap().contains("--samples 4"));
        assert!(problem(&run(FolderLayout::Dpg, &["fine"], None, 4)).unwrap().contains("needs --prompts"));
        let classes = Subjects::Classes(vec![1]);
        let numbering = run(FolderLayout::Compbench, &["a"], None, 1).numbering;
        assert!(
            FolderLayout::Compbench
                .problem(&classes, None, numbering)
                .unwrap()
                .contains("--prompt or --prompts is required")
        );
    }
}
