//! Manifest of a shard: the run that it belongs to, and its finished images.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checksum::Checksum;
use super::layout::FolderLayout;
use super::shard::Shard;
use crate::Error;
use crate::reading::{self, open_regular};
use crate::series::{Numbering, Subjects};
use crate::target::Target;

/// Largest accepted manifest, in bytes. A manifest of a million images has 80 million bytes.
const MOST_BYTES: u64 = 1 << 28;

/// Version of the format.
const VERSION: u32 = 1;

/// Everything that determines the bits of the images of a run and the names of their files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Checksum of the plan as JSON.
    pub plan_sha256: Checksum,
    /// Checksum of all files of the model.
    pub model_sha256: Checksum,
    /// Seed, guidance and the other settings in the metadata of each PNG file.
    pub settings: Value,
    /// Layout of the files.
    pub layout: FolderLayout,
    /// Numbering of the images.
    pub numbering: Numbering,
    /// Classes or prompts of the images.
    pub subjects: Subjects,
    /// Metadata of each prompt for the layout: its line of GenEval or its name in DPG-Bench.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Vec<String>>,
}

impl Run {
    /// Describes the first difference to another run.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let json = |run| serde_json::to_value(run).unwrap_or_default();
        Some(difference("", &json(self), &json(other)).unwrap_or_else(|| "the runs differ".to_owned()))
    }

    /// Returns a note if the order of the images in an archive affects evaluations.
    pub fn order_warning(&self) -> Option<&'static str> {
        let is_sorted = matches!(self.subjects, Subjects::Classes(_)) && self.numbering.is_class_after_class();
        is_sorted.then_some(
            "the images of the archive are grouped by class: evaluation tools that split it in file order, such as ADM's \
             for the inception score, then get few classes per split; --classes balanced mixes them",
        )
    }

    /// Checks that the fields are consistent.
    fn check(&self) -> Result<(), String> {
        let subjects = self.subjects.len();
        if !self.numbering.is_sound() || self.numbering.subjects() != subjects {
            return Err(format!("its numbering does not fit the number of its classes or prompts, {subjects}"));
        }
        match &self.metadata {
            Some(lines) if lines.len() != subjects => Err("expected one line of metadata per prompt".to_owned()),
            metadata => match self.layout.problem(&self.subjects, metadata.as_deref(), self.numbering) {
                Some(problem) => Err(format!("its layout does not fit: {problem}")),
                None => Ok(()),
            },
        }
    }
}

/// Describes the first difference between two values.
fn difference(place: &str, ours: &Value, theirs: &Value) -> Option<String> {
    const LONGEST: usize = 40;
    let none = Value::Null;
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))).find_map(|key| {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                difference(&place, ours.get(key).unwrap_or(&none), theirs.get(key).unwrap_or(&none))
            })
        }
        _ if ours == theirs => None,
        _ => {
            let [ours, theirs] = [ours, theirs].map(Value::to_string);
            let short = ours.len() <= LONGEST && theirs.len() <= LONGEST;
            Some(if short { format!("{place} is {ours} there, {theirs} here") } else { format!("{place} differs") })
        }
    }
}

/// A shard and its finished images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format_version: u32,
    /// Index of the shard.
    pub shard: Shard,
    /// First position of the shard, and the position after its last.
    range: (u64, u64),
    /// Run that the shard belongs to.
    pub run: Run,
    /// Checksums of the files by position in the run.
    pub finished: BTreeMap<u64, Checksum>,
}

impl Manifest {
    /// Creates the manifest of a shard without finished images.
    pub fn new(run: Run, shard: Shard) -> Self {
        let Range { start, end } = shard.range(run.numbering.images());
        Self { format_version: VERSION, shard, range: (start, end), run, finished: BTreeMap::new() }
    }

    /// Returns the positions of the shard's images.
    pub fn range(&self) -> Range<u64> {
        self.range.0..self.range.1
    }

    /// Reads a manifest. It is untrusted input; every field is checked.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file cannot be read or is not a valid manifest.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: &str| {
            Error::Failure(format!(
                "{}: it is not the manifest of a part: {reason}; remove it to start the part from the beginning",
                path.display()
            ))
        };
        let file = open_regular(path).map_err(|error| reading::failed(path, &error))?;
        let text = reading::text_of(path, file, MOST_BYTES)?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(&error.to_string()))?;
        if manifest.format_version != VERSION {
            return Err(wrong(&format!("expected format_version {VERSION}, found {}", manifest.format_version)));
        }
        manifest.run.check().map_err(|reason| wrong(&reason))?;
        if path.file_stem().is_none_or(|stem| *stem != *manifest.shard.stem()) {
            return Err(wrong(&format!("it belongs to part {}", manifest.shard)));
        }
        let range = manifest.shard.range(manifest.run.numbering.images());
        if manifest.range() != range || manifest.finished.keys().any(|position| !range.contains(position)) {
            return Err(wrong("its images do not belong to the part"));
        }
        Ok(manifest)
    }

    /// Writes the manifest atomically.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::failure("cannot write a manifest", &error))?;
        Target::new(path)?.write(&text)
    }

    /// Returns the positions of missing images, as ranges.
    pub fn gaps(&self) -> Vec<Range<u64>> {
        let (mut gaps, mut next) = (Vec::new(), self.range.0);
        for &position in self.finished.keys().chain([&self.range.1]) {
            if next < position {
                gaps.push(next..position);
            }
            next = position + 1;
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest() -> Manifest {
        let run = Run {
            plan_sha256: Checksum::of(b"plan"),
            model_sha256: Checksum::of(b"model"),
            settings: json!({ "seed": 3, "cfg": 1.5 }),
            layout: FolderLayout::Flat,
            numbering: serde_json::from_value(json!({ "subjects": 2, "count": 10, "first": 0, "balanced": true }))
                .unwrap(),
            subjects: Subjects::Classes(vec![4, 7]),
            metadata: None,
        };
        Manifest::new(run, Shard::new(1, 2).unwrap())
    }

    #[test]
    fn gaps_are_the_missing_images() {
        let mut manifest = manifest();
        let mut finish = |positions: &[u64]| {
            manifest.finished.extend(positions.iter().map(|position| (*position, Checksum::of(b""))));
            manifest.gaps()
        };
        assert_eq!(finish(&[7]), [5..7, 8..10]);
        assert_eq!(finish(&[5]), [6..7, 8..10]);
        assert_eq!(finish(&[6, 8, 9]), []);
    }

    #[test]
    fn manifests_round_trip_and_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1-of-2.json");
        let mut written = manifest();
        written.finished.insert(6, Checksum::of(b"png"));
        written.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), written);
        let json = serde_json::to_value(&written).unwrap();
        let edits: [(&str, Value); 9] = [
            ("/format_version", json!(2)),
            ("/shard", json!([0, 2])),
            ("/shard", json!([2, 2])),
            ("/range", json!([0, 10])),
            ("/finished", json!({ "4": String::from(Checksum::of(b"")) })),
            ("/finished", json!({ "5": "../x" })),
            ("/run/numbering/subjects", json!(3)),
            ("/run/numbering/count", json!(0)),
            ("/run/layout", json!("geneval")),
        ];
        for (place, value) in edits {
            let mut edited = json.clone();
            *edited.pointer_mut(place).unwrap() = value;
            std::fs::write(&path, edited.to_string()).unwrap();
            let error = Manifest::read(&path).unwrap_err().to_string();
            assert!(error.contains("is not the manifest of a part"), "{place}: {error}");
        }
        std::fs::write(&path, &json.to_string()[..50]).unwrap();
        assert!(Manifest::read(&path).is_err());
    }

    #[test]
    fn differences_are_named() {
        let (ours, mut theirs) = (manifest().run, manifest().run);
        assert_eq!(ours.difference(&theirs), None);
        theirs.settings["seed"] = json!(4);
        assert_eq!(ours.difference(&theirs).unwrap(), "settings.seed is 3 there, 4 here");
        theirs.model_sha256 = Checksum::of(b"other");
        assert_eq!(ours.difference(&theirs).unwrap(), "model_sha256 differs");
    }
}
