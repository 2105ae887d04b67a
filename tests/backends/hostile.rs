//! Damaged or malicious files give an error, never a panic, and use little memory.

use std::fs;

use gtr_backends::BackendError;
use gtr_backends::checkpoint::Checkpoint;

use crate::golden::path;
use crate::torch_file::{archive, dictionary, pickle, text, tuple, whole};

/// Opens a checkpoint and reads all tensors.
fn read_all(bytes: Vec<u8>) -> Result<usize, BackendError> {
    let mut checkpoint = Checkpoint::from_bytes("hostile", bytes)?;
    let names: Vec<String> = checkpoint.tensors().map(|(name, _)| name.to_owned()).collect();
    names.iter().map(|name| checkpoint.read_f32(name).map(|values| values.len())).sum()
}

#[test]
fn truncated_files_are_errors() {
    for name in ["mar_tiny/weights.safetensors", "mar_tiny/checkpoint-last.pth"] {
        let whole = fs::read(path(name)).unwrap();
        assert!(read_all(whole.clone()).is_ok());
        let mut lengths: Vec<usize> = (0..64).chain((64..whole.len()).step_by(9973)).collect();
        lengths.extend(whole.len() - 64..whole.len());
        for length in lengths {
            let error = read_all(whole[..length].to_vec()).unwrap_err();
            assert!(matches!(error, BackendError::Checkpoint { .. }), "{name} cut to {length}: {error}");
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    for (name, end) in [("mar_tiny/weights.safetensors", 3000), ("mar_tiny/checkpoint-last.pth", 2000)] {
        let whole = fs::read(path(name)).unwrap();
        let tail = whole.len() - 400..whole.len();
        for place in (0..end).step_by(7).chain(tail.step_by(3)) {
            let mut changed = whole.clone();
            changed[place] ^= 0x91;
            let _ = read_all(changed);
        }
    }
}

#[test]
fn safetensors_headers_of_any_length_are_read() {
    // The file starts with the length, whose bytes can look like the start of another format.
    for length in [0x80_usize, 0x4b50, 0x0280, 0x2_4b50] {
        let mut file = (length as u64).to_le_bytes().to_vec();
        file.extend(br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#);
        file.resize(8 + length, b' ');
        file.extend(1.0_f32.to_le_bytes());
        assert_eq!(read_all(file).unwrap(), 1, "{length}");
    }
}

#[test]
fn other_files_are_not_checkpoints() {
    let message = |bytes: &[u8]| read_all(bytes.to_vec()).unwrap_err().to_string();
    assert!(message(b"").contains("it is empty"));
    assert!(message(b"\x01\x02").contains("it is too short for a checkpoint: 2 bytes"));
    assert!(message(b"{\"a\": 1, \"b\": 2}").contains("it is JSON text, not a checkpoint"));
    assert!(message(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9").contains("its magic number cannot be read"));
    assert!(message(b"\xff\xff\xff\xff\xff\xff\xff\xff....").contains("expected a file of safetensors or torch.save"));
    assert!(message(&archive(&[("notes.txt", b"hello")], false)).contains("without `data.pkl`"));
    let mut wrong_end = (2_u64).to_le_bytes().to_vec();
    wrong_end.extend(b"{}extra");
    assert!(message(&wrong_end).contains("describes 0 bytes of tensors, 5 follow"));
}

fn sizes(sizes: &[i64]) -> Vec<u8> {
    tuple(&sizes.iter().map(|&size| whole(size)).collect::<Vec<_>>())
}

/// Returns the pickle program that rebuilds a tensor from storage 0.
fn tensor(class: &str, elements: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n").into_bytes();
    let storage = [tuple(&[text("storage"), class, text("0"), text("cpu"), whole(elements)]), b"Q".to_vec()].concat();
    let arguments = tuple(&[storage, whole(offset), sizes(shape), sizes(strides), b"\x89".to_vec(), b"}".to_vec()]);
    [b"ctorch._utils\n_rebuild_tensor_v2\n".as_slice(), &arguments, b"R"].concat()
}

/// Returns an archive with one tensor `x`.
fn one(tensor: Vec<u8>, stored: &[u8]) -> Vec<u8> {
    archive(&[("m/data.pkl", &pickle(&dictionary(&[("x", tensor)]))), ("m/data/0", stored)], false)
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn dictionaries_views_and_byte_orders_are_read() {
    let stored = bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let read = |archive: Vec<u8>| {
        let mut checkpoint = Checkpoint::from_bytes("x", archive).unwrap();
        (checkpoint.section().name().to_owned(), checkpoint.read_f32("x").unwrap())
    };
    let transposed = tensor("FloatStorage", 7, 1, &[2, 3], &[1, 2]);
    let expected = vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    assert_eq!(read(one(transposed.clone(), &stored)), ("whole".to_owned(), expected.clone()));

    let big: Vec<u8> = stored.chunks(4).flat_map(|value| value.iter().rev().copied()).collect();
    let program = pickle(&dictionary(&[("model", dictionary(&[("x", transposed)]))]));
    let entries = [("m/data.pkl", program.as_slice()), ("m/byteorder", b"big"), ("m/data/0", &big)];
    assert_eq!(read(archive(&entries, true)), ("model".to_owned(), expected));

    let parameter =
        [b"ctorch._utils\n_rebuild_parameter\n(".as_slice(), &tensor("HalfStorage", 2, 0, &[2], &[1]), b"\x88}tR"];
    assert_eq!(read(one(parameter.concat(), &[0x00, 0x3c, 0x00, 0xc0])).1, [1.0, -2.0]);
}

#[test]
fn unknown_globals_are_errors_only_if_needed() {
    let namespace = b"cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00aK\x01sb".to_vec();
    let strange = b"cos\nsystem\nX\x04\x00\x00\x00true\x85R".to_vec();
    let fine = tensor("FloatStorage", 1, 0, &[1], &[1]);
    let model = dictionary(&[("x", fine), ("y", strange)]);
    let program = pickle(&dictionary(&[("args", namespace), ("model", model)]));
    let archive = archive(&[("m/data.pkl", &program), ("m/data/0", &bytes(&[2.5]))], false);
    let mut checkpoint = Checkpoint::from_bytes("strange.pth", archive).unwrap();
    assert_eq!(checkpoint.read_f32("x").unwrap(), [2.5]);
    let error = checkpoint.read_f32("y").unwrap_err().to_string();
    assert_eq!(error, "strange.pth: tensor `y` cannot be read: built by `os.system`, which is never called");
}

#[test]
fn stated_sizes_are_compared_with_the_file() {
    let stored = bytes(&[1.0, 2.0]);
    let refuse = |tensor: Vec<u8>| read_all(one(tensor, &stored)).unwrap_err().to_string();
    let huge = 1_i64 << 60;
    let large = 1_i64 << 40;
    assert!(refuse(tensor("FloatStorage", i64::MAX, 0, &[i64::MAX], &[1])).contains("is too large"));
    for elements in [3, large, huge] {
        let error = refuse(tensor("FloatStorage", elements, 0, &[elements], &[1]));
        assert!(error.contains("bytes in `data/0`, found 8"), "{error}");
    }
    assert!(refuse(tensor("FloatStorage", 2, 0, &[large, large], &[0, 0])).contains("is too large"));
    assert!(refuse(tensor("FloatStorage", 2, 0, &[large], &[0])).contains("it expands 1 element to"));
    assert!(refuse(tensor("FloatStorage", 2, 1, &[2], &[1])).contains("does not fit its storage"));
    assert!(refuse(tensor("FloatStorage", 2, -1, &[2], &[1])).contains("no tensors"));
    assert!(
        refuse(tensor("QUInt8Storage", 2, 0, &[2], &[1]))
            .contains("elements of `torch.QUInt8Storage` are not supported")
    );
}

#[test]
fn decompression_bombs_are_refused() {
    let zeros = vec![0; 32 << 20];
    let program = pickle(&dictionary(&[("x", tensor("FloatStorage", 8 << 20, 0, &[4], &[1]))]));
    let bomb = archive(&[("m/data.pkl", &program), ("m/data/0", &zeros)], true);
    assert!(bomb.len() < 64 << 10);
    // Four elements are needed, and no more are decompressed.
    assert_eq!(read_all(bomb).unwrap(), 4);
    let bomb = archive(&[("m/data.pkl", &zeros)], true);
    assert!(read_all(bomb).unwrap_err().to_string().contains("it is larger than 16777216 bytes"));
}

#[test]
fn a_collection_without_tensors_is_an_error() {
    let bytes = archive(&[("m/data.pkl", &pickle(&dictionary(&[("lr", whole(3))])))], false);
    assert!(read_all(bytes).unwrap_err().to_string().contains("holds no tensors"));
}
