//! Files written by torch, safetensors, NumPy and Pillow (`tools/make_files.py`) must be read with the expected contents.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gtr_backends::checkpoint::{Checkpoint, Inventory, Wanted, Weights, WeightsKind};
use serde::Deserialize;

use crate::golden::path;

/// The expected contents of a file, or its error message.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Refused { says: String },
    Read { section: String, prefix: String, others: Vec<String>, tensors: BTreeMap<String, ExpectedTensor> },
}

#[derive(Deserialize)]
struct ExpectedTensor {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn file(name: &str) -> PathBuf {
    path(&format!("files/{name}"))
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(&fs::read_to_string(file("expected.json")).unwrap()).unwrap()
}

#[test]
fn files_of_common_libraries_are_read_exactly() {
    let mut read = 0;
    for (name, expected) in expected() {
        let Expected::Read { section, prefix, others, tensors } = expected else { continue };
        let mut checkpoint = Checkpoint::open(&file(&name)).unwrap();
        let taken = checkpoint.section();
        assert_eq!((taken.name(), taken.prefix()), (section.as_str(), prefix.as_str()), "{name}");
        assert_eq!(taken.others(), others, "{name}");
        let names: Vec<&str> = checkpoint.tensors().map(|(name, _)| name).collect();
        assert_eq!(names, tensors.keys().collect::<Vec<_>>(), "{name}");
        for (tensor, expected) in tensors {
            let info = checkpoint.info(&tensor).unwrap();
            assert_eq!(info.dtype.unwrap().to_string(), expected.dtype, "{tensor} of {name}");
            assert_eq!(info.shape, expected.shape, "{tensor} of {name}");
            assert_eq!(checkpoint.read_f64(&tensor).unwrap(), expected.values, "{tensor} of {name}");
            read += 1;
        }
    }
    assert!(read > 100);
}

#[test]
fn other_files_are_refused_by_name() {
    let mut refused = 0;
    for (name, expected) in expected() {
        let Expected::Refused { says } = expected else { continue };
        let error = Checkpoint::open(&file(&name)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", file(&name).display())), "{error}");
        assert!(error.contains(&says), "{error} does not say {says}");
        refused += 1;
    }
    assert!(refused > 10);
}

#[test]
fn averaged_weights_are_preferred_and_any_section_can_be_selected() {
    let archive = file("section_state_dict_ema.pth");
    let open = |wanted: &Wanted| Checkpoint::open_section(&archive, wanted).unwrap();
    assert_eq!(open(&Wanted::Averaged).section().weights(), WeightsKind::Averaged);
    assert_eq!(open(&Wanted::Raw).section().weights(), WeightsKind::RawAsPublished);
    let (mut raw, mut named) = (open(&Wanted::Raw), open(&Wanted::Named("model".into())));
    assert_eq!(raw.read_f32("mask_token").unwrap(), named.read_f32("mask_token").unwrap());
    let note = open(&Wanted::Averaged).section().note().unwrap();
    let says = "using the averaged weights (`state_dict_ema`); select another section with --section: `model`";
    assert_eq!(note, says);
    let note = Checkpoint::open(&file("prefix_both.pth")).unwrap().section().note().unwrap();
    assert!(note.ends_with("ignoring the prefix `module._orig_mod.` of all names"), "{note}");
    let error = Checkpoint::open_section(&archive, &Wanted::Named("emma".into())).unwrap_err().to_string();
    assert!(error.contains("it has no section `emma` with tensors: it has `model`"), "{error}");
}

#[test]
fn an_inventory_lists_all_sections_without_the_tensors() {
    let inventory = Inventory::open(&file("section_ema.pth")).unwrap();
    let names: Vec<&str> = inventory.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["model", "ema", "optimizer", "optimizer.state"]);
    assert_eq!(inventory.sections[1].tensors.len(), 3);
    assert_eq!(inventory.sections[1].tensors[0].1.bytes(), Some(24));
    assert_eq!(inventory.taken.unwrap().name(), "ema");
    assert_eq!(inventory.kind.unwrap().to_string(), "a MAR model");
    let undecided = Inventory::open(&file("two_models.pth")).unwrap();
    assert!(undecided.taken.unwrap_err().contains("select one with --section"));
    assert_eq!(Inventory::open(&file("model.safetensors.index.json")).unwrap().sections[0].tensors.len(), 3);
}

#[test]
fn files_named_in_an_index_must_exist_if_needed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (index, parts) =
        ("model.safetensors.index.json", ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    fs::copy(file(index), at(index)).unwrap();
    let error = Checkpoint::open(&at(index)).unwrap_err().to_string();
    assert!(error.contains("none of its files is next to it, the first is `model-00001-of-00002"), "{error}");
    fs::copy(file(parts[0]), at(parts[0])).unwrap();
    let mut checkpoint = Checkpoint::open(&at(index)).unwrap();
    assert_eq!(checkpoint.tensors().len(), 2);
    assert_eq!(checkpoint.read_f32("class_emb.weight").unwrap().len(), 6);
    // The error for a missing file names the file; the same for a single part of a checkpoint.
    let layout = |checkpoint: Checkpoint| {
        let device = gtr_backends::Device::Cpu;
        let take = |weights: &mut Weights| weights.take("mask_token", &[1, 1, 2]);
        Weights::load_among(checkpoint, |_| true, &device, take).unwrap_err().to_string()
    };
    let error = layout(checkpoint);
    assert!(
        error.ends_with(
            "it is in `model-00002-of-00002.safetensors`, which is not next to the index: download that file too"
        ),
        "{error}"
    );
    let error = layout(Checkpoint::open(&at(parts[0])).unwrap());
    assert!(error.ends_with(&format!("the file is one of several: use {} instead", at(index).display())), "{error}");
}

/// Returns the contents of a checkpoint, or the error.
fn all(bytes: Vec<u8>) -> Result<Vec<(String, Vec<f64>)>, gtr_backends::BackendError> {
    let mut checkpoint = Checkpoint::from_bytes("flipped", bytes)?;
    let names: Vec<String> = checkpoint.tensors().map(|(name, _)| name.to_owned()).collect();
    names.into_iter().map(|name| checkpoint.read_f64(&name).map(|values| (name, values))).collect()
}

#[test]
fn a_flipped_bit_of_an_archive_is_detected_or_harmless() {
    let whole = fs::read(file("views.pth")).unwrap();
    let expected = all(whole.clone()).unwrap();
    let mut noticed = 0;
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        match all(flipped) {
            Ok(values) => assert_eq!(values, expected, "byte {place}"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 500, "{noticed} of {}", whole.len());
}

/// A sparse file, so that large files take no disk space.
struct Sparse(fs::File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.iter().all(|&byte| byte == 0) {
            self.0.seek_relative(i64::try_from(bytes.len()).unwrap())?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// Writes a checkpoint of two tensors: `first`, all zero, and `last`, one value at an offset of more than 4 GiB.
fn large(path: &Path, format: &str) {
    const ZEROS: u64 = (4 << 30) + 64;
    let mut file = Sparse(fs::File::create(path).unwrap());
    let zeros = |file: &mut dyn Write| {
        let piece = vec![0; 1 << 20];
        let mut left = ZEROS;
        while left > 0 {
            let length = left.min(piece.len() as u64);
            file.write_all(&piece[..usize::try_from(length).unwrap()]).unwrap();
            left -= length;
        }
    };
    if format == "safetensors" {
        let header = format!(
            r#"{{"first":{{"dtype":"U8","shape":[{ZEROS}],"data_offsets":[0,{ZEROS}]}},"last":{{"dtype":"U8","shape":[1],"data_offsets":[{ZEROS},{}]}}}}"#,
            ZEROS + 1
        );
        file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        zeros(&mut file);
        file.write_all(&[7]).unwrap();
        return;
    }
    let storage =
        |key: &str, elements: u64| crate::torch_file::Stored { key: key.into(), class: "ByteStorage", elements };
    let tensor = |storage: &crate::torch_file::Stored| {
        crate::torch_file::tensor(storage, 0, &[usize::try_from(storage.elements).unwrap()], &[1])
    };
    let (first, last) = (storage("0", ZEROS), storage("1", 1));
    let object = crate::torch_file::dictionary(&[("first", tensor(&first)), ("last", tensor(&last))]);
    if format == "legacy" {
        file.write_all(&crate::torch_file::legacy_start(&object, &[&first.key, &last.key])).unwrap();
        file.write_all(&ZEROS.to_le_bytes()).unwrap();
        zeros(&mut file);
        file.write_all(&[1_u64.to_le_bytes().as_slice(), &[7]].concat()).unwrap();
        return;
    }
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
    let mut archive = zip::ZipWriter::new(file);
    archive.start_file("m/data.pkl", options).unwrap();
    archive.write_all(&crate::torch_file::pickle(&object)).unwrap();
    archive.start_file("m/data/0", options).unwrap();
    zeros(&mut archive);
    archive.start_file("m/data/1", options).unwrap();
    archive.write_all(&[7]).unwrap();
    archive.finish().unwrap();
}

#[test]
#[ignore = "slow: compares the checksum of 4 GiB"]
fn files_beyond_4_gib_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["safetensors", "legacy", "archive"] {
        let path = folder.path().join(format);
        large(&path, format);
        assert!(fs::metadata(&path).unwrap().len() > 4 << 30);
        let mut checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!(checkpoint.read_f32("last").unwrap(), [7.0], "{format}");
        assert_eq!(checkpoint.info("first").unwrap().shape, [(4 << 30) + 64]);
        fs::remove_file(&path).unwrap();
    }
}
