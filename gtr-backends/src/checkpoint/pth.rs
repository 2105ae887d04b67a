//! The archives of `torch.save`: a zip file with a pickle and one entry per storage.

use std::collections::BTreeMap;
use std::io::{self, Read};

use zip::ZipArchive;

use super::pickle::{Object, Pickle, TensorView};
use super::{Dtype, Section, Source, TensorInfo};

/// Pickles of real checkpoints stay below a few megabytes.
const LARGEST_PICKLE: u64 = 16 << 20;
/// An archive with more entries than this is not a checkpoint.
const MOST_ENTRIES: usize = 1 << 18;
/// Deflate can not do better than this.
const LARGEST_RATIO: u64 = 1032;

pub(super) struct File {
    archive: ZipArchive<Source>,
    length: u64,
    /// Folder inside the archive: `checkpoint-last/`.
    folder: String,
    big_endian: bool,
    /// What each name stands for: a tensor, or why there is none.
    tensors: BTreeMap<String, Result<TensorView, String>>,
}

impl File {
    pub(super) fn open(mut source: Source, wanted: Option<Section>) -> Result<(Self, Section), String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let archive = ZipArchive::new(source).map_err(|error| format!("its zip directory is damaged: {error}"))?;
        if archive.len() > MOST_ENTRIES {
            return Err(format!("it has {} entries, a checkpoint at most {MOST_ENTRIES}", archive.len()));
        }
        let folder = archive
            .file_names()
            .flatten()
            .filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned))
            .find(|folder| folder.is_empty() || folder.ends_with('/'))
            .ok_or("a zip archive without `data.pkl` is not from torch.save")?;
        let mut file = Self { archive, length, folder, big_endian: false, tensors: BTreeMap::new() };
        // Archives of old versions have no such entry; they are little endian.
        if file.archive.index_for_name(&format!("{}byteorder", file.folder)).is_some() {
            file.big_endian = match file.whole_entry("byteorder", 16)?.as_slice() {
                b"little" => false,
                b"big" => true,
                other => return Err(format!("its byte order is `{}`", String::from_utf8_lossy(other))),
            };
        }
        let pickle = Pickle::parse(&file.whole_entry("data.pkl", LARGEST_PICKLE)?)?;
        let (section, tensors) = state(&pickle, wanted)?;
        file.tensors = tensors;
        Ok((file, section))
    }

    pub(super) fn infos(&self) -> BTreeMap<String, TensorInfo> {
        let info = |tensor: &Result<TensorView, String>| match tensor {
            Ok(view) => TensorInfo { shape: view.shape.clone(), dtype: view.storage.dtype.clone().ok() },
            Err(_) => TensorInfo { shape: Vec::new(), dtype: None },
        };
        self.tensors.iter().map(|(name, tensor)| (name.clone(), info(tensor))).collect()
    }

    /// Makes `stored` hold the elements of a tensor, little endian, row by row.
    pub(super) fn read(&mut self, name: &str, stored: &mut Vec<u8>) -> Result<Dtype, String> {
        let view = self.tensors.get(name).ok_or("there is no such tensor")?.clone()?;
        let dtype = view.storage.dtype.clone().map_err(|class| format!("elements of `{class}` are not read"))?;
        let span = Span::of(&view)?;
        let entry = format!("data/{}", view.storage.key);
        let start = (view.offset as u64).checked_mul(dtype.size() as u64).ok_or("its offset is too large")?;
        let bytes = (span.length as u64).checked_mul(dtype.size() as u64).ok_or("it is too large")?;
        self.entry(&entry, start, bytes, stored)?;
        if stored.len() as u64 != bytes {
            return Err(format!("{bytes} bytes are needed from `{entry}`, {} are there", stored.len()));
        }
        if self.big_endian {
            stored.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        if !span.contiguous {
            *stored = gather(&view, stored, dtype.size());
        }
        Ok(dtype)
    }

    /// The bytes of an entry of less than `limit`.
    fn whole_entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.entry(name, 0, limit, &mut bytes)?;
        if bytes.len() as u64 == limit {
            let path = format!("{}{name}", self.folder);
            return Err(format!("its entry `{path}` cannot be read: it is larger than {limit} bytes"));
        }
        Ok(bytes)
    }

    /// Makes `bytes` hold at most `limit` bytes of an entry, from `start`. Memory grows with what is really there.
    fn entry(&mut self, name: &str, start: u64, limit: u64, bytes: &mut Vec<u8>) -> Result<(), String> {
        let path = format!("{}{name}", self.folder);
        let wrong = |reason: String| format!("its entry `{path}` cannot be read: {reason}");
        let mut entry = self.archive.by_name(&path).map_err(|error| wrong(error.to_string()))?;
        let (packed, size) = (entry.compressed_size(), entry.size());
        if packed > self.length || size > packed.saturating_mul(LARGEST_RATIO).saturating_add(64) {
            return Err(wrong(format!("{packed} packed bytes cannot hold {size}")));
        }
        let skipped = io::copy(&mut entry.by_ref().take(start), &mut io::sink()).map_err(|e| wrong(e.to_string()))?;
        bytes.clear();
        if skipped == start {
            entry.by_ref().take(limit).read_to_end(bytes).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(())
    }
}

/// What a tensor takes of its storage.
struct Span {
    /// Elements from the first to the last, both included.
    length: usize,
    contiguous: bool,
}

impl Span {
    fn of(view: &TensorView) -> Result<Self, String> {
        let too_large = || format!("the shape {:?} is too large", view.shape);
        let elements =
            view.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).ok_or_else(too_large)?;
        if elements == 0 {
            return Ok(Self { length: 0, contiguous: true });
        }
        let (mut last, mut contiguous, mut expected) = (0_usize, true, 1_usize);
        for (&size, &stride) in view.shape.iter().zip(&view.strides).rev() {
            contiguous &= size == 1 || stride == expected;
            expected *= size;
            let reach = (size - 1).checked_mul(stride).ok_or_else(too_large)?;
            last = last.checked_add(reach).ok_or_else(too_large)?;
        }
        let length = last.checked_add(1).ok_or_else(too_large)?;
        let end = view.offset.checked_add(length).ok_or_else(too_large)?;
        // A view that repeats elements could ask for any amount of memory; no checkpoint has one.
        if end > view.storage.elements || elements > length {
            return Err(format!(
                "the shape {:?} with strides {:?} from element {} does not fit its storage of {} elements",
                view.shape, view.strides, view.offset, view.storage.elements
            ));
        }
        Ok(Self { length, contiguous })
    }
}

/// Puts the elements of a strided view in order.
fn gather(view: &TensorView, stored: &[u8], size: usize) -> Vec<u8> {
    let elements: usize = view.shape.iter().product();
    let mut ordered = Vec::with_capacity(elements * size);
    let mut index = vec![0; view.shape.len()];
    for _ in 0..elements {
        let at: usize = index.iter().zip(&view.strides).map(|(index, stride)| index * stride).sum();
        ordered.extend_from_slice(&stored[at * size..(at + 1) * size]);
        for (digit, &limit) in index.iter_mut().zip(&view.shape).rev() {
            *digit += 1;
            if *digit < limit {
                break;
            }
            *digit = 0;
        }
    }
    ordered
}

type Tensors = BTreeMap<String, Result<TensorView, String>>;

/// Finds the dictionary of weights.
fn state(pickle: &Pickle, wanted: Option<Section>) -> Result<(Section, Tensors), String> {
    let holds = |name: &str| {
        let found = pickle.entries(pickle.root).filter(|(key, _)| *key == name).last();
        found.filter(|(_, id)| matches!(pickle.object(*id), Object::Dict(_))).map(|(_, id)| id)
    };
    let found = match wanted {
        None => [(Section::ModelEma, holds("model_ema")), (Section::Model, holds("model"))]
            .into_iter()
            .find_map(|(section, id)| id.map(|id| (section, id)))
            .or(Some((Section::Whole, pickle.root))),
        Some(Section::ModelAsPublished) => {
            let raw = holds("model").map(|id| (Section::ModelAsPublished, id));
            raw.or_else(|| holds("model_ema").map(|id| (Section::ModelEma, id))).or(Some((Section::Whole, pickle.root)))
        }
        Some(Section::Random) => None,
        Some(Section::ModelEma) => holds("model_ema").map(|id| (Section::ModelEma, id)),
        Some(Section::Model) => holds("model").map(|id| (Section::Model, id)),
        Some(Section::Whole) => Some((Section::Whole, pickle.root)),
    };
    let (section, id) = found.ok_or("it has no such section")?;
    let tensors: Tensors = pickle
        .entries(id)
        .map(|(name, id)| {
            let tensor = match pickle.object(id) {
                Object::Tensor(view) => Ok(view.clone()),
                Object::Placeholder(what) => Err(what.clone()),
                _ => Err("it is not a tensor".to_owned()),
            };
            (name.to_owned(), tensor)
        })
        .collect();
    if tensors.values().all(Result::is_err) {
        let mut reason =
            "its pickle holds no tensors, neither under `model_ema` nor under `model` nor directly".to_owned();
        if let Some((name, Err(what))) = tensors.first_key_value() {
            reason = format!("{reason}; `{name}` is {what}");
        }
        return Err(reason);
    }
    Ok((section, tensors))
}

#[cfg(test)]
mod tests {
    use super::super::pickle::Storage;
    use super::*;

    fn view(shape: &[usize], strides: &[usize], offset: usize, elements: usize) -> TensorView {
        let storage = Storage { key: "0".into(), elements, dtype: Ok(Dtype::U8) };
        TensorView { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn strided_views_are_put_in_order() {
        let transposed = view(&[2, 3], &[1, 2], 0, 6);
        assert!(!Span::of(&transposed).unwrap().contiguous);
        assert_eq!(gather(&transposed, &[0, 1, 2, 3, 4, 5], 1), [0, 2, 4, 1, 3, 5]);
        assert!(Span::of(&view(&[2, 1, 3], &[3, 77, 1], 0, 6)).unwrap().contiguous);
    }

    #[test]
    fn views_stay_inside_their_storage() {
        assert!(Span::of(&view(&[2, 3], &[3, 1], 1, 6)).is_err());
        assert!(Span::of(&view(&[1 << 40, 1 << 40], &[0, 0], 0, 6)).is_err());
        assert!(Span::of(&view(&[1 << 20, 1 << 20], &[0, 0], 0, 6)).is_err());
        assert!(Span::of(&view(&[2], &[usize::MAX], 0, 6)).is_err());
        assert!(Span::of(&view(&[2], &[1], usize::MAX, 6)).is_err());
        assert_eq!(Span::of(&view(&[0, 3], &[3, 1], 0, 0)).unwrap().length, 0);
        assert_eq!(Span::of(&view(&[], &[], 5, 6)).unwrap().length, 1);
    }
}
