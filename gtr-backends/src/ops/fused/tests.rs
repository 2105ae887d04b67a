//! The CUDA sources of the fused kernels, compiled for the CPU, compared with the references.
//!
//! Each test makes the [`Call`] that a launch on a GPU makes. It needs a C compiler: `cc`, or the one that `CC` names.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor};
use half::{bf16, f16};
use tempfile::TempDir;

use super::super::Epilogue;
use super::call::{Argument, Call};
use super::finish::{Finish, Kind, finish};
use super::gated_sum::{GatedSum, gated_sum};
use super::heads::{Heads, Merge, Split, merge_heads, split_heads};
use super::kernel::Kernel;
use super::layer_norm::{LayerNorm, layer_norm};
use super::operand::{Operand, dtype, stored};
use super::reverse_step::{COLUMNS, ReverseStep};
use super::silu_of_sum::{SiluOfSum, silu_of_sum};

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

/// Checks that a call fails with this message. A backtrace may follow it.
#[track_caller]
fn refused<T>(result: Result<T>, message: &str) {
    let error = result.err().expect("an operand that does not fit is accepted").to_string();
    assert!(error.starts_with(message), "{error}");
}

#[test]
fn operands_of_other_types_are_refused() {
    let (rows, wide, bias) = (floats(&[4, 6], 0.0), floats(&[4, 18], 0.0), floats(&[6], 0.0));
    let (short, f32) = (values(&[4, 6], 0.0, DType::F16), DType::F32);
    let half_bias = values(&[6], 0.0, DType::F16);
    refused(finish(&rows, &half_bias, Epilogue::Nothing, f32), "expected a bias and rows in f32");
    refused(finish(&rows, &bias, Epilogue::Add(&short), f32), "expected a bias and rows in f32");
    refused(gated_sum(&short, &wide, &rows), "expected operands of a residual connection in f32");
    refused(layer_norm(&short, None, None, 1e-6, f32), "expected operands of a normalisation in f32");
    let sizes = |batch| Heads { batch, count: 2, parts: 1 };
    refused(split_heads(&short, sizes(2), 1.0), "expected rows of attention in f32");
    refused(split_heads(&rows, sizes(3), 1.0), "4 rows of width 6 do not fit Heads");
    refused(merge_heads(&floats(&[4, 5, 6], 0.0), 3, 2, f32), "expected 3 x 2 heads in f32, found shape [4, 5, 6]");
    let index = Tensor::new(&[0_u32, 1], &Device::Cpu).unwrap();
    refused(silu_of_sum(&rows, &index, &short), "expected rows in f32 and an index of u32");
    let step = ReverseStep { active: 3, guidance: None, temperature: 1.0 };
    let (state, steps) = (floats(&[2, 4, 3], 0.0), floats(&[4, COLUMNS + 3], 0.0));
    refused(step.take(&rows, &state, &steps), "prediction, state and steps of shapes");
    let half_steps = values(&[4, COLUMNS + 3], 0.0, DType::BF16);
    refused(step.take(&floats(&[3, 6], 0.0), &state, &half_steps), "expected operands of a reverse step in f32");
}

#[test]
fn values_of_other_types_are_refused() {
    let (numbers, index) = (CpuStorage::F32(vec![1.0; 6]), CpuStorage::U32(vec![1; 6]));
    let plain = Layout::contiguous((2, 3));
    refused(Operand { storage: &index, layout: &plain }.floats(), "expected f32, bf16 or f16 values");
    refused(Operand { storage: &numbers, layout: &plain }.index(), "expected an index of u32");
    let turned = plain.transpose(0, 1).unwrap();
    let message = "the operand of a fused kernel must be contiguous";
    refused(Operand { storage: &numbers, layout: &turned }.floats(), message);
    refused(stored(vec![1.0], DType::U32), "expected the type f32, bf16 or f16, found U32");
}

#[test]
fn sizes_beyond_those_of_a_launch_are_refused() {
    refused(Argument::size(1 << 31), "a size of 2147483648 does not fit into 31 bits");
    let shape = Shape::from((1 << 33, 128));
    refused(Call::elements("k", &shape, DType::F32, Vec::new()), "`k` has too many blocks: 8589934592");
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
