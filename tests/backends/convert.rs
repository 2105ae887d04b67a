//! Conversion to safetensors.

use std::fs;

use gtr_backends::checkpoint::{Checkpoint, ConvertOptions, Dtype, Wanted, convert};

use crate::golden::path;

#[test]
fn converting_an_archive_keeps_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("weights.safetensors");
    let archive = path("mar_tiny/checkpoint-last.pth");
    for (section, expected) in [(None, "model_ema"), (Some("model_ema"), "model_ema"), (Some("model"), "model")] {
        let wanted = Wanted::named_or(section, Wanted::Averaged);
        let options = ConvertOptions::default().with_section(wanted.clone());
        let converted = convert(&archive, &output, &options).unwrap();
        let mut before = Checkpoint::open_section(&archive, &wanted).unwrap();
        let mut after = Checkpoint::open(&output).unwrap();
        assert_eq!(after.metadata()["section"], expected);
        let names: Vec<String> = before.tensors().map(|(name, _)| name.to_owned()).collect();
        let weights: usize = before.tensors().map(|(_, info)| info.shape.iter().product::<usize>()).sum();
        assert_eq!((converted.section.name(), converted.tensors), (expected, names.len()));
        assert_eq!(converted.parameters, weights);
        assert_eq!(after.tensors().len(), names.len());
        for name in names {
            assert_eq!(before.info(&name), after.info(&name));
            assert_eq!(before.read_f32(&name).unwrap(), after.read_f32(&name).unwrap(), "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    // The safetensors library of candle must be able to read it.
    let tensors = candle_core::safetensors::load(&output, &candle_core::Device::Cpu).unwrap();
    assert_eq!(tensors["class_emb.weight"].dims(), [10, 32]);
}

#[test]
fn narrowing_rounds_to_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("weights.safetensors");
    let input = path("mar_tiny/weights.safetensors");
    for (dtype, relative) in [(Dtype::F16, 5e-4), (Dtype::Bf16, 4e-3), (Dtype::F32, 0.0)] {
        convert(&input, &output, &ConvertOptions::default().with_dtype(dtype)).unwrap();
        let (mut before, mut after) = (Checkpoint::open(&input).unwrap(), Checkpoint::open(&output).unwrap());
        let names: Vec<String> = before.tensors().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            assert_eq!(after.info(&name).unwrap().dtype, Some(dtype));
            for (old, new) in before.read_f32(&name).unwrap().into_iter().zip(after.read_f32(&name).unwrap()) {
                assert!(
                    (old - new).abs() <= relative * old.abs() + 1e-7 * f32::from(dtype == Dtype::F16),
                    "{old} {new}"
                );
            }
        }
    }
}

#[test]
fn failed_conversions_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("x.safetensors");
    let large = safetensors::tensor::TensorView::new(
        safetensors::Dtype::F32,
        vec![2],
        &[1.0_f32, 1e6].map(f32::to_le_bytes).concat(),
    )
    .map(|view| safetensors::serialize([("big", view)], None).unwrap())
    .unwrap();
    let input = folder.path().join("in.safetensors");
    fs::write(&input, large).unwrap();
    let refuse = |options: ConvertOptions| convert(&input, &output, &options).unwrap_err().to_string();
    let found = refuse(ConvertOptions::default().with_dtype(Dtype::F16));
    assert!(found.contains("tensor `big`") && found.contains("1000000 at element 1"), "{found}");
    assert!(
        refuse(ConvertOptions::default().with_dtype(Dtype::I64))
            .contains("expected f32, f16 or bf16 as the type of weights, found i64")
    );
    assert!(
        refuse(ConvertOptions::default().with_section(Wanted::Named("model".into())))
            .contains("it has no section `model`")
    );
    let own = convert(&input, &input, &ConvertOptions::default()).unwrap_err().to_string();
    assert!(own.contains("is both input and output"));
    let nowhere = convert(&input, &folder.path().join("a/b"), &ConvertOptions::default()).unwrap_err().to_string();
    assert!(nowhere.starts_with("cannot write"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
