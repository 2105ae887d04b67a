//! The CUDA sources of the fused kernels, compiled for the CPU, compared with the references.
//!
//! Each test makes the [`Call`] that a launch on a GPU makes. It needs a C compiler: `cc`, or the one that `CC` names.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use candle_core::{CpuStorage, DType, Device, Layout, Shape, Storage, Tensor};
use half::{bf16, f16};
use tempfile::TempDir;

use super::call::{Argument, Call};
use super::finish::{Finish, Kind};
use super::gated_sum::GatedSum;
use super::heads::{Heads, Merge, Split};
use super::kernel::Kernel;
use super::layer_norm::LayerNorm;
use super::operand::{Operand, dtype, stored};
use super::reverse_step::{COLUMNS, ReverseStep};
use super::silu_of_sum::SiluOfSum;

const TYPES: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

/// Returns the program that runs the kernels on the CPU; compiles it the first time.
fn emulation() -> &'static Path {
    static PROGRAM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("emulation");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulation.c");
        let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
        let flags = ["-x", "c", "-std=gnu11", "-O1", "-Wall", "-Werror", "-Wno-sign-compare", "-pthread", "-o"];
        let mut command = Command::new(&compiler);
        command.args(flags).arg(&program).arg(&source).arg("-lm");
        let done = command.output().unwrap_or_else(|error| panic!("{}: {error}", compiler.display()));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (folder, program)
    });
    program
}

/// Bytes of the values of an operand.
fn bytes(storage: &CpuStorage) -> Vec<u8> {
    match storage {
        CpuStorage::F32(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
        CpuStorage::BF16(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
        CpuStorage::F16(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
        CpuStorage::U32(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
        _ => panic!("no kernel takes this type"),
    }
}

/// Runs a call on the CPU. Returns the values of its result.
fn run(call: &Call, operands: &[CpuStorage]) -> Vec<f32> {
    let size = call.shape.elem_count() * call.dtype.size_in_bytes();
    let mut input = Vec::new();
    for argument in &call.arguments {
        match argument {
            Argument::Operand(number) => {
                let bytes = bytes(&operands[*number]);
                input.push(b'p');
                input.extend((bytes.len() as u64).to_ne_bytes());
                input.extend(bytes);
            }
            Argument::Null => input.push(b'0'),
            Argument::Int(int) => input.extend([b'i'].into_iter().chain(int.to_ne_bytes())),
            Argument::Long(long) => input.extend([b'l'].into_iter().chain(long.to_ne_bytes())),
            Argument::Float(float) => input.extend([b'f'].into_iter().chain(float.to_ne_bytes())),
        }
    }
    let words = [call.kernel.clone(), call.blocks.to_string(), size.to_string()];
    let mut command = Command::new(emulation());
    let mut child =
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}: {}", call.kernel, String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.stdout.len(), size);
    match call.dtype {
        DType::F32 => done.stdout.as_chunks().0.iter().map(|value| f32::from_ne_bytes(*value)).collect(),
        DType::BF16 => done.stdout.as_chunks().0.iter().map(|value| bf16::from_ne_bytes(*value).to_f32()).collect(),
        _ => done.stdout.as_chunks().0.iter().map(|value| f16::from_ne_bytes(*value).to_f32()).collect(),
    }
}

/// Runs a kernel and its reference, and compares them.
fn compare<K: Kernel<N>, const N: usize>(kernel: &K, operands: &[Tensor; N]) {
    let storages = operands.each_ref().map(|operand| match &*operand.storage_and_layout().0 {
        Storage::Cpu(storage) => storage.clone(),
        _ => panic!("expected an operand on the CPU"),
    });
    let layouts: [Layout; N] = operands.each_ref().map(|operand| operand.layout().clone());
    let shapes: [(&Shape, DType); N] = std::array::from_fn(|at| (layouts[at].shape(), dtype(&storages[at])));
    let call = kernel.call(shapes).unwrap();
    let expected =
        kernel.reference(std::array::from_fn(|at| Operand { storage: &storages[at], layout: &layouts[at] })).unwrap();
    assert_eq!(expected.len(), call.shape.elem_count());
    // The largest difference of rounding in each type, relative to the largest value.
    let tolerance = match call.dtype {
        DType::F32 => 1e-6,
        DType::F16 => 5e-4,
        _ => 4e-3,
    };
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (at, (found, expected)) in run(&call, &storages).iter().zip(&expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance * largest, "{}, element {at}: {found} {expected}", call.kernel);
    }
}

fn values(shape: &[usize], phase: f32, dtype: DType) -> Tensor {
    let count: usize = shape.iter().product();
    let values = (0..4096_u16).cycle().map(|place| (f32::from(place) * 0.7 + phase).sin() * 2.0).take(count).collect();
    let storage = stored(values, DType::F32).unwrap();
    let CpuStorage::F32(values) = storage else { panic!("expected f32") };
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

fn floats(shape: &[usize], phase: f32) -> Tensor {
    values(shape, phase, DType::F32)
}

#[test]
fn bias_and_activation() {
    for (dtype, out) in TYPES.into_iter().flat_map(|dtype| [(dtype, DType::F32), (dtype, dtype)]) {
        for kind in [Kind::Nothing, Kind::Gelu, Kind::Silu, Kind::Add] {
            let product = values(&[7, 37], 0.0, dtype);
            compare(&Finish { kind, out }, &[product, floats(&[37], 1.0), floats(&[7, 37], 2.0)]);
        }
    }
}

#[test]
fn normalisation() {
    // Rows shorter and longer than a block.
    for (width, out) in [20, 128, 300].into_iter().flat_map(|width| TYPES.map(|out| (width, out))) {
        for (affine, modulated, stride) in [(true, false, 0), (true, true, 3), (false, true, 2), (false, true, 3)] {
            let norm = LayerNorm { affine, modulated, eps: 1e-6, out };
            let modulation = floats(&[5, stride.max(1) * width], 2.0);
            compare(&norm, &[floats(&[5, width], 0.0), floats(&[2, width], 1.0), modulation]);
        }
    }
}

#[test]
fn residual_connection() {
    compare(&GatedSum, &[floats(&[9, 33], 0.0), floats(&[9, 99], 1.0), floats(&[9, 33], 2.0)]);
}

#[test]
fn activation_of_timesteps_and_conditions() {
    let index = Tensor::new(&[3_u32, 10, 0, 7], &Device::Cpu).unwrap();
    // One half and two halves.
    for rows in [4, 8] {
        compare(&SiluOfSum, &[floats(&[11, 45], 0.0), index.clone(), floats(&[rows, 45], 1.0)]);
    }
}

#[test]
fn order_of_heads() {
    for parts in [1, 2] {
        let sizes = Heads { batch: 3, count: 2, parts };
        compare(&Split { sizes, scale: 0.25 }, &[floats(&[3 * 5, parts * 2 * 6], 0.0)]);
    }
    for out in TYPES {
        compare(&Merge { batch: 3, heads: 2, out }, &[floats(&[3 * 2, 5, 6], 0.0)]);
    }
}

#[test]
fn reverse_step() {
    let (rows, channels) = (10, 16);
    for (active, guidance) in [(10, None), (10, Some(2.5)), (3, Some(1.5)), (0, None)] {
        let halves = if guidance.is_some() { 2 } else { 1 };
        let step = ReverseStep { active, guidance, temperature: 0.9 };
        let operands = [
            floats(&[halves * active, 2 * channels], 0.0),
            floats(&[2, rows, channels], 1.0),
            floats(&[rows, COLUMNS + channels], 2.0),
        ];
        compare(&step, &operands);
    }
}

#[test]
fn the_emulation_has_every_kernel_of_the_sources() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda");
    let text = |name: &str| fs::read_to_string(sources.join(name)).unwrap();
    let emulated = text("emulation.c").matches("    {\"").count();
    let single = ["gated_sum.cuh", "heads.cuh", "reverse_step.cuh", "silu_of_sum.cuh"].map(text);
    let single: usize = single.iter().map(|text| text.lines().filter(|line| line.starts_with("KERNEL ")).count()).sum();
    let instances = ["\nFINISH(", "\nMERGE_HEADS(", "\nLAYER_NORM("];
    let generated: usize = ["finish.cuh", "heads.cuh", "layer_norm.cuh"]
        .iter()
        .map(|name| instances.iter().map(|start| text(name).matches(start).count()).sum::<usize>())
        .sum();
    assert_eq!((single, generated, emulated), (4, 11, 15));
}
