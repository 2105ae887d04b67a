//! Replays the fuzz targets without a fuzzer: every file of the corpus, and a fixed number of reproducible mutations of each.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that panics fails")]

use std::fs;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Number of mutations per file.
const EDITS: usize = 20_000;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {target} is empty");
    for (number, file) in files.iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        run(&bytes);
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        for _ in 0..EDITS {
            let mut edited = bytes.clone();
            for _ in 0..=random.next_u32() % 3 {
                edit(&mut edited, &mut random);
            }
            run(&edited);
        }
    }
}

/// Values at the limits of integer types.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

fn edit(bytes: &mut Vec<u8>, random: &mut impl Rng) {
    let length = bytes.len().max(1);
    let place = random.next_u32() as usize % length;
    match random.next_u32() % 7 {
        0 => bytes.truncate(place),
        1 => bytes.insert(place.min(bytes.len()), random.next_u32() as u8),
        2 if place < bytes.len() => drop(bytes.remove(place)),
        3 => {
            let edge = EDGES[random.next_u32() as usize % EDGES.len()].to_le_bytes();
            let width = [1, 2, 4, 8][random.next_u32() as usize % 4];
            for (byte, new) in bytes.iter_mut().skip(place).zip(&edge[..width]) {
                *byte = *new;
            }
        }
        4 => {
            let end = (place + random.next_u32() as usize % 32).min(bytes.len());
            let part = bytes[place.min(end)..end].to_vec();
            bytes.splice(place.min(end)..place.min(end), part);
        }
        5 => {
            let digit = b"0123456789-.e[]{},\"";
            if let Some(byte) = bytes.get_mut(place) {
                *byte = digit[random.next_u32() as usize % digit.len()];
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << (random.next_u32() % 8);
            }
        }
    }
}

#[test]
fn plan_json() {
    replay("plan_json", gtr_fuzz::plan_json);
}

#[test]
fn schedule_config() {
    replay("schedule_config", gtr_fuzz::schedule_config);
}

#[test]
fn grid_and_rates() {
    replay("grid_and_rates", gtr_fuzz::grid_and_rates);
}

#[test]
fn field() {
    replay("field", gtr_fuzz::field);
}

#[test]
fn checkpoint() {
    replay("checkpoint", gtr_fuzz::checkpoint);
}

#[test]
fn legacy_checkpoint() {
    replay("legacy_checkpoint", gtr_fuzz::legacy_checkpoint);
}

#[test]
fn model_config() {
    replay("model_config", gtr_fuzz::model_config);
}

#[test]
fn mask() {
    replay("mask", gtr_fuzz::mask);
}

/// The corpus contains valid inputs, not only inputs that are refused.
#[test]
fn the_corpus_has_valid_inputs() {
    use gtr_backends::checkpoint::Checkpoint;
    for (name, tensors) in [("small.safetensors", 2), ("small.pth", 1), ("sections.pth", 3), ("views.pth", 8)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/checkpoint").join(name);
        assert_eq!(Checkpoint::open(&path).unwrap().tensors().len(), tensors, "{name}");
    }
    let grid = gtr_core::Grid::new(8, 8).unwrap();
    for (name, generated) in [("painted.png", 32), ("erased.png", 32), ("grey.png", 32), ("palette.png", 32)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/mask").join(name);
        let mask = gtr_backends::raster::Raster::read(&path).unwrap().mask(grid).unwrap();
        assert_eq!(mask.tokens.len(), generated, "{name}");
    }
}
