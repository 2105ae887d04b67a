//! Loading a model takes little more memory than the size of its weights.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gtr_backends::checkpoint::{Checkpoint, WeightLayout};
use gtr_backends::mar::{MarConfig, MarModel};
use gtr_backends::{Compute, Device, Precision};
use serde_json::{Map, json};

/// The model that the child process loads: `test`, or one of the published sizes (`scripts/memory.sh`).
const SIZE: &str = "GTR_MEMORY_SIZE";
/// The type of its matrices, f32 by default.
const PRECISION: &str = "GTR_MEMORY_PRECISION";
/// Largest memory that loading may take, relative to the size of the weights in the type of the run.
const MOST: f64 = 1.15;

/// Returns a configuration from width, depth and heads of encoder and decoder, and width and depth of the head.
fn config(size: &str) -> MarConfig {
    let (width, depth, heads, head_width, head_depth) = match size {
        "test" => (640, 5, 10, 768, 4),
        "mar-b" => (768, 12, 12, 1024, 6),
        "mar-l" => (1024, 16, 16, 1280, 8),
        "mar-h" => (1280, 20, 16, 1536, 12),
        other => panic!("{SIZE} is {other}"),
    };
    let config = json!({
        "grid": [16, 16], "patch_size": 1, "vae_embed_dim": 16, "mlp_ratio": 4, "class_num": 1000, "buffer_size": 64,
        "encoder_embed_dim": width, "encoder_depth": depth, "encoder_num_heads": heads,
        "decoder_embed_dim": width, "decoder_depth": depth, "decoder_num_heads": heads,
        "diffloss_w": head_width, "diffloss_d": head_depth,
    });
    MarConfig::parse(size, &config.to_string()).unwrap()
}

/// Returns the size of the weights in memory. The diffusion head is f32 in every precision.
fn in_memory(layout: &WeightLayout, precision: Precision) -> u64 {
    let size = |(name, shape): (&str, &[usize])| {
        let bytes = if precision == Precision::F32 || name.starts_with("diffloss.") { 4 } else { 2 };
        bytes * shape.iter().product::<usize>() as u64
    };
    layout.tensors().map(size).sum()
}

/// Writes a sparse checkpoint with zero weights, which takes no disk space.
fn write_zeros(path: &Path, layout: &WeightLayout) {
    let (mut header, mut end) = (Map::new(), 0_u64);
    for (name, shape) in layout.tensors() {
        let start = end;
        end += 4 * shape.iter().product::<usize>() as u64;
        header.insert(name.to_owned(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] }));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    file.set_len(8 + header.len() as u64 + end).unwrap();
}

/// Returns the anonymous memory of this process, in bytes.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

#[test]
#[ignore = "measures its own process: run by the test below, or by scripts/memory.sh"]
#[expect(clippy::cast_precision_loss, reason = "bytes")]
fn loading() {
    let config = config(&std::env::var(SIZE).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.safetensors");
    let layout = MarModel::layout(&config).unwrap();
    let precision: Precision = std::env::var(PRECISION).map_or(Precision::F32, |name| name.parse().unwrap());
    let name = format!("{} {precision}", config.name);
    write_zeros(&path, &layout);
    let weights = in_memory(&layout, precision) as f64;
    let compute = Compute::from(&Device::Cpu).with_precision(precision);
    let (before, done) = (anonymous(), AtomicBool::new(false));
    let (model, peak) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(anonymous());
                thread::sleep(Duration::from_millis(1));
            }
            peak
        });
        let model = MarModel::load(&config, Checkpoint::open(&path).unwrap(), compute).unwrap();
        done.store(true, Ordering::Relaxed);
        (model, watch.join().unwrap().max(anonymous()))
    });
    let share = |bytes: u64| (bytes - before) as f64 / weights;
    let (parameters, megabytes) = (layout.parameters(), weights / 1e6);
    let (peak, after) = (share(peak), share(anonymous()));
    eprintln!("{name}: {parameters} parameters, {megabytes:.0} MB; loading takes {peak:.3} of that, {after:.3} stay");
    drop(model);
    assert!(peak <= MOST, "loading takes {peak:.3} of the weights' size, at most {MOST} is allowed");
}

#[test]
fn loading_holds_weights_only_once() {
    for precision in ["f32", "bf16"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "memory::loading", "--nocapture"])
            .env(SIZE, "test")
            .env(PRECISION, precision)
            .output()
            .unwrap();
        assert!(child.status.success(), "{precision}: {}", String::from_utf8_lossy(&child.stderr));
    }
}
