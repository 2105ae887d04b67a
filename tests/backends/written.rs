//! Checkpoints written by the test writer are read back equal, in both formats of `torch.save`.

use gtr_backends::checkpoint::{Checkpoint, Wanted};
use proptest::prelude::*;

use crate::torch_file::{Stored, archive, dictionary, legacy, pickle, tensor};

/// A data type: its storage class or its name in Python, the size of an element, and the encoding of a number from 0 to 7.
type Type = (&'static str, usize, fn(u8) -> Vec<u8>);

const TYPES: [Type; 12] = [
    ("BoolStorage", 1, |value| vec![value.min(1)]),
    ("ByteStorage", 1, |value| vec![value]),
    ("CharStorage", 1, |value| vec![value]),
    ("ShortStorage", 2, |value| i16::from(value).to_le_bytes().to_vec()),
    ("IntStorage", 4, |value| i32::from(value).to_le_bytes().to_vec()),
    ("LongStorage", 8, |value| i64::from(value).to_le_bytes().to_vec()),
    ("HalfStorage", 2, |value| half::f16::from(value).to_le_bytes().to_vec()),
    ("BFloat16Storage", 2, |value| half::bf16::from(value).to_le_bytes().to_vec()),
    ("FloatStorage", 4, |value| f32::from(value).to_le_bytes().to_vec()),
    ("DoubleStorage", 8, |value| f64::from(value).to_le_bytes().to_vec()),
    ("uint16", 2, |value| u16::from(value).to_le_bytes().to_vec()),
    ("float8_e5m2", 1, |value| vec![half::f16::from(value).to_le_bytes()[1]]),
];

#[derive(Clone, Debug)]
struct Storage {
    kind: usize,
    values: Vec<u8>,
}

#[derive(Clone, Debug)]
struct View {
    storage: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

fn storage() -> impl Strategy<Value = Storage> {
    (0..TYPES.len(), prop::collection::vec(0..8_u8, 1..20)).prop_map(|(kind, values)| Storage { kind, values })
}

/// Converts random numbers to a view that fits one of the storages.
fn view(storages: &[Storage], drawn: &(usize, usize, Vec<(usize, usize)>)) -> View {
    let storage = drawn.0 % storages.len();
    let length = storages[storage].values.len();
    let offset = drawn.1 % length;
    let mut room = length - offset - 1;
    let (mut shape, mut strides) = (Vec::new(), Vec::new());
    for &(size, stride) in &drawn.2 {
        // A stride that does not fit becomes 0: an expanded view.
        let stride = if size > 0 && (size - 1) * stride <= room { stride } else { 0 };
        room -= size.saturating_sub(1) * stride;
        shape.push(size);
        strides.push(stride);
    }
    View { storage, offset, shape, strides }
}

fn expected(view: &View, storages: &[Storage]) -> Vec<f64> {
    let storage = &storages[view.storage];
    let most = if storage.kind == 0 { 1 } else { 7 };
    let mut places = vec![view.offset];
    for (&size, &stride) in view.shape.iter().zip(&view.strides) {
        places = places.into_iter().flat_map(|place| (0..size).map(move |index| place + index * stride)).collect();
    }
    places.into_iter().map(|place| f64::from(storage.values[place].min(most))).collect()
}

/// Names of sections, of which the first must be selected, and other names.
const LAYOUTS: [&[&str]; 6] =
    [&[], &["model"], &["ema", "model"], &["state_dict_ema", "state_dict"], &["module"], &["ema", "optimizer"]];
const PREFIXES: [&str; 4] = ["", "module.", "module._orig_mod.", "mar."];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn written_files_are_read_back_equal(
        storages in prop::collection::vec(storage(), 1..4),
        drawn in prop::collection::vec((0..8_usize, 0..64_usize, prop::collection::vec((0..4_usize, 0..5_usize), 0..4)), 2..6),
        layout in 0..LAYOUTS.len(),
        prefix in 0..PREFIXES.len(),
    ) {
        let views: Vec<View> = drawn.iter().map(|drawn| view(&storages, drawn)).collect();
        let stored: Vec<Stored> = (0..).zip(&storages).map(|(number, storage): (usize, _)| {
            let (class, size, _) = TYPES[storage.kind];
            let length = storage.values.len();
            let elements = if class.ends_with("Storage") { length } else { length * size };
            Stored { key: number.to_string(), class, elements: elements as u64 }
        }).collect();
        // The first section has the views, another the same views with another offset, so that they can be distinguished.
        let section = |turn: usize| {
            let named = views.iter().cycle().skip(turn).take(views.len()).enumerate();
            let one = |(number, view): (usize, &View)| {
                let program = tensor(&stored[view.storage], view.offset, &view.shape, &view.strides);
                (format!("{}t{number}.weight", PREFIXES[prefix]), program)
            };
            dictionary(&named.map(one).collect::<Vec<_>>())
        };
        let object = match LAYOUTS[layout] {
            [] => section(0),
            names => dictionary(&names.iter().enumerate().map(|(turn, name)| (*name, section(turn))).collect::<Vec<_>>()),
        };
        let bytes: Vec<Vec<u8>> =
            storages.iter().map(|it| it.values.iter().flat_map(|&value| TYPES[it.kind].2(value)).collect()).collect();
        let program = pickle(&object);
        let names: Vec<String> = stored.iter().map(|it| format!("m/data/{}", it.key)).collect();
        let mut entries = vec![("m/data.pkl", program.as_slice())];
        entries.extend(names.iter().map(String::as_str).zip(bytes.iter().map(Vec::as_slice)));
        // A file contains only referenced storages.
        let used: Vec<(&str, &[u8], usize)> = (0..stored.len())
            .filter(|number| views.iter().any(|view| view.storage == *number))
            .map(|number| {
                let typed = stored[number].class.ends_with("Storage");
                (stored[number].key.as_str(), bytes[number].as_slice(), if typed { TYPES[storages[number].kind].1 } else { 1 })
            })
            .collect();
        for file in [archive(&entries, false), archive(&entries, true), legacy(&object, &used)] {
            let mut checkpoint = Checkpoint::from_bytes("written", file)?;
            prop_assert_eq!(checkpoint.section().name(), LAYOUTS[layout].first().copied().unwrap_or("whole"));
            prop_assert_eq!(checkpoint.section().prefix(), PREFIXES[prefix]);
            prop_assert_eq!(checkpoint.tensors().len(), views.len());
            for (number, view) in views.iter().enumerate() {
                let name = format!("t{number}.weight");
                prop_assert_eq!(&checkpoint.info(&name).unwrap().shape, &view.shape);
                prop_assert_eq!(checkpoint.read_f64(&name)?, expected(view, &storages));
            }
        }
        if let Some(last) = LAYOUTS[layout].get(1) {
            let path = tempfile::NamedTempFile::new()?;
            std::fs::write(path.path(), archive(&entries, false))?;
            let mut other = Checkpoint::open_section(path.path(), &Wanted::Named((*last).to_owned()))?;
            prop_assert_eq!(other.read_f64("t0.weight")?, expected(&views[1], &storages));
        }
    }
}
