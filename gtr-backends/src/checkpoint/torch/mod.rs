//! Files of `torch.save` in both formats: dictionaries of tensors, whose elements are in storages.

mod archive;
mod legacy;
mod pickle;
mod view;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use self::archive::Archive;
use self::legacy::Legacy;
use self::pickle::{Id, Object, Pickle};
use self::view::{Span, TensorView, gather};
use super::{Dtype, Source, TensorInfo};

/// Maximum nesting depth of the dictionaries that are searched.
const DEEPEST: usize = 4;
/// Maximum number of dictionaries that are searched.
const MOST_DICTIONARIES: usize = 1024;
/// Maximum length of the name of a section, in bytes.
const LONGEST_NAME: usize = 200;

/// Returns true if a file starts like one of `torch.save` before 1.6.
pub(super) fn begins_legacy(start: &[u8]) -> bool {
    legacy::begins(start)
}

pub(super) struct File {
    storages: Storages,
    dictionaries: Vec<Dictionary>,
}

/// A dictionary of a file: its path, outermost name first, and its tensors by name.
pub(super) struct Dictionary {
    pub(super) path: Vec<Arc<str>>,
    tensors: BTreeMap<Arc<str>, Tensor>,
}

impl Dictionary {
    /// Names of the tensors.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(|name| &**name)
    }

    /// Shape and type of a tensor.
    pub(super) fn info(&self, name: &str) -> Option<TensorInfo> {
        Some(match self.tensors.get(name)? {
            Ok(view) => TensorInfo { shape: view.shape.clone(), dtype: view.storage.dtype.clone().ok() },
            Err(_) => TensorInfo { shape: Vec::new(), dtype: None },
        })
    }
}

/// A tensor, or the reason why it cannot be read.
type Tensor = Result<Arc<TensorView>, Arc<str>>;

enum Storages {
    Archive(Box<Archive>),
    Legacy(Legacy),
}

impl File {
    pub(super) fn open_archive(source: Source) -> Result<Self, String> {
        let (archive, pickle) = Archive::open(source)?;
        let pickle = Pickle::parse(&pickle)?;
        Ok(Self { storages: Storages::Archive(archive.into()), dictionaries: dictionaries(&pickle)? })
    }

    pub(super) fn open_legacy(source: Source) -> Result<Self, String> {
        let (legacy, pickle) = Legacy::open(source)?;
        Ok(Self { storages: Storages::Legacy(legacy), dictionaries: dictionaries(&pickle)? })
    }

    /// Name of the format.
    pub(super) fn format(&self) -> &'static str {
        match self.storages {
            Storages::Archive(_) => "a torch.save archive",
            Storages::Legacy(_) => "a torch.save file before 1.6",
        }
    }

    pub(super) fn dictionaries(&self) -> &[Dictionary] {
        &self.dictionaries
    }

    /// Reads the elements of a tensor into `stored` (little endian, row-major).
    pub(super) fn read(&mut self, dictionary: usize, name: &str, stored: &mut Vec<u8>) -> Result<Dtype, String> {
        let tensor = self.dictionaries.get(dictionary).and_then(|it| it.tensors.get(name));
        let view = tensor.ok_or("there is no such tensor")?.clone().map_err(|reason| reason.to_string())?;
        let dtype = view.storage.dtype.clone().map_err(|class| format!("elements of `{class}` are not supported"))?;
        let span = Span::of(&view)?;
        let size = dtype.size() as u64;
        let first = (view.storage.first as u64).checked_add(view.offset as u64);
        let start = first.and_then(|first| first.checked_mul(size)).ok_or("its offset is too large")?;
        let bytes = (span.length as u64).checked_mul(size).ok_or("it is too large")?;
        let key = &*view.storage.key;
        let (place, big_endian) = match &mut self.storages {
            Storages::Archive(archive) => {
                let entry = format!("data/{key}");
                archive.read(&entry, start, bytes, stored)?;
                (entry, archive.big_endian)
            }
            Storages::Legacy(legacy) => {
                legacy.read(key, start, bytes, stored)?;
                (format!("storage {key}"), false)
            }
        };
        if stored.len() as u64 != bytes {
            return Err(format!("expected {} in `{place}`, found {}", gtr_core::count(bytes, "byte"), stored.len()));
        }
        if big_endian {
            stored.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        if !span.contiguous {
            *stored = gather(&view, stored, dtype.size());
        }
        Ok(dtype)
    }
}

/// Returns all dictionaries of a pickle that may be collections of tensors, outermost first, each once.
fn dictionaries(pickle: &Pickle) -> Result<Vec<Dictionary>, String> {
    match pickle.object(pickle.root) {
        Object::Dict(_) => {}
        Object::Placeholder(what) => {
            return Err(format!(
                "it holds a whole Python object, {what}: save only the weights, `torch.save(model.state_dict(), FILE)`"
            ));
        }
        Object::Tensor(_) => return Err("it holds one tensor without a name, expected a dictionary of tensors".into()),
        _ => return Err("its pickle holds no dictionary of tensors".into()),
    }
    let (mut found, mut seen) = (Vec::<Dictionary>::new(), HashSet::new());
    let mut strange: Option<(Arc<str>, Arc<str>)> = None;
    // An unknown kind of tensor is more informative than the settings of a training.
    let is_of_torch = |what: &str| what.contains("`torch.");
    let mut waiting: Vec<(Vec<Arc<str>>, Id)> = vec![(Vec::new(), pickle.root)];
    while let Some((path, id)) = waiting.pop() {
        if !seen.insert(id) || found.len() == MOST_DICTIONARIES {
            continue;
        }
        let mut tensors: BTreeMap<Arc<str>, Tensor> = BTreeMap::new();
        let mut inner = Vec::new();
        for (name, value) in pickle.entries(id) {
            match pickle.object(value) {
                Object::Tensor(view) => drop(tensors.insert(Arc::clone(name), Ok(Arc::clone(view)))),
                Object::Placeholder(what) => {
                    if strange.as_ref().is_none_or(|(_, first)| is_of_torch(what) && !is_of_torch(first)) {
                        strange = Some((Arc::clone(name), Arc::clone(what)));
                    }
                    tensors.insert(Arc::clone(name), Err(Arc::clone(what)));
                }
                Object::Dict(_)
                    if path.len() < DEEPEST && name.len() <= LONGEST_NAME && inner.len() < MOST_DICTIONARIES =>
                {
                    inner.push((path.iter().cloned().chain([Arc::clone(name)]).collect(), value));
                }
                _ => drop(tensors.remove(name)),
            }
        }
        // A dictionary without tensors holds settings.
        if tensors.values().all(Result::is_err) {
            tensors.clear();
        }
        found.push(Dictionary { path, tensors });
        // Visit the first one next.
        waiting.extend(inner.into_iter().rev());
    }
    if found.iter().all(|dictionary| dictionary.tensors.is_empty()) {
        let name: String = strange.iter().flat_map(|(name, _)| name.chars()).take(LONGEST_NAME).collect();
        let what = strange
            .map_or_else(String::new, |(_, what)| format!("; `{name}` is {what}: save a `state_dict()` in Python"));
        return Err(format!("its pickle holds no tensors{what}"));
    }
    Ok(found)
}
