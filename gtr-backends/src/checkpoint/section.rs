//! Selects the tensors of one section of a file and strips the prefix of a wrapper from their names.

use std::fmt;

use super::conventions::{self, Meaning};
use super::kind::Kind;

/// Section to select from a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// Averaged weights, or raw weights if there are no averaged ones.
    #[default]
    Averaged,
    /// Raw weights, or averaged weights if there are no raw ones. Some models are published with raw weights.
    Raw,
    /// The section with this name; `whole` is the outermost one.
    Named(String),
    /// All tensors outside of sections, with their names unchanged. For files that are not weights of a model.
    AsWritten,
}

impl Wanted {
    /// Returns [`Wanted::Named`] if there is a name, otherwise `otherwise`.
    pub fn named_or(name: Option<&str>, otherwise: Self) -> Self {
        name.map_or(otherwise, |name| Self::Named(name.to_owned()))
    }
}

/// Kind of weights in a section, and how the section was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightsKind {
    /// Averaged over the training (EMA).
    Averaged,
    /// Weights of the last training step.
    Raw,
    /// Weights of the last training step, for a model that is published with them.
    RawAsPublished,
    /// Weights of the section that was requested by name.
    Asked,
    /// Weights of the only section with the tensors of a model; the name of the section is unknown.
    OnlyModel,
    /// All tensors of a file without sections.
    Whole,
    /// Random weights from a seed, without a file. Such a model generates noise.
    Random,
}

/// The selected section of a checkpoint, and the names of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    name: String,
    weights: WeightsKind,
    prefix: String,
    others: Vec<String>,
}

/// Name of the outermost collection of a file.
pub(super) const WHOLE: &str = "whole";

impl Section {
    /// The whole file, without a prefix or other sections.
    pub fn whole() -> Self {
        Self { name: WHOLE.into(), weights: WeightsKind::Whole, prefix: String::new(), others: Vec::new() }
    }

    /// Random weights from a seed.
    pub fn random() -> Self {
        Self { name: "random".into(), weights: WeightsKind::Random, ..Self::whole() }
    }

    /// Name in the file and on the command line: `model_ema`, or `state_dict.model` for a nested section.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kind of weights in this section.
    pub fn weights(&self) -> WeightsKind {
        self.weights
    }

    /// Prefix that was stripped from the name of every tensor, such as `module.`; empty if there was none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Names of the other sections that hold tensors.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// One-line note for the user about the selection; `None` for a file without sections and prefixes.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::checkpoint::Section;
    /// assert_eq!(Section::whole().note(), None);
    /// ```
    pub fn note(&self) -> Option<String> {
        let mut parts = Vec::new();
        let name = &self.name;
        match self.weights {
            WeightsKind::Averaged => parts.push(format!("using the averaged weights (`{name}`)")),
            WeightsKind::Raw => parts.push(format!("using the raw weights (`{name}`): there are no averaged weights")),
            WeightsKind::RawAsPublished => parts.push(format!("using the raw weights (`{name}`), as published")),
            WeightsKind::OnlyModel => parts.push(format!("using `{name}`, the only section that is a model")),
            WeightsKind::Asked | WeightsKind::Whole | WeightsKind::Random => {}
        }
        if !self.prefix.is_empty() {
            parts.push(format!("ignoring the prefix `{}` of all names", self.prefix));
        }
        if !self.others.is_empty() && self.weights != WeightsKind::Asked {
            let others = listed(self.others.iter().map(|name| format!("`{name}`")));
            parts.push(format!("select another section with --section: {others}"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.weights {
            WeightsKind::Averaged => write!(f, "{name} (averaged weights)"),
            WeightsKind::Raw => write!(f, "{name} (raw weights: the checkpoint has no averaged weights)"),
            WeightsKind::RawAsPublished => write!(f, "{name} (raw weights, as published)"),
            WeightsKind::Asked => write!(f, "{name} (the requested section)"),
            WeightsKind::OnlyModel => write!(f, "{name} (the only section that is a model)"),
            WeightsKind::Whole => f.write_str("the whole file"),
            WeightsKind::Random => f.write_str("random weights"),
        }
    }
}

/// A collection of tensors in a file: its path, outermost name first, and the names of its tensors.
#[derive(Debug)]
pub(super) struct Collection<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) tensors: Vec<&'a str>,
}

/// The selection: the index of a collection, and the prefix of the selected names in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) collection: usize,
    /// Prefix of the selected names in the file.
    pub(super) prefix: String,
    pub(super) section: Section,
}

/// A collection that can be selected, or the part of one whose names share a prefix.
#[derive(Clone)]
struct Candidate<'a> {
    collection: usize,
    path: Vec<&'a str>,
    /// Part of the path that is a prefix of the tensor names.
    prefix: String,
    tensors: Vec<&'a str>,
}

impl Candidate<'_> {
    fn name(&self) -> String {
        if self.path.is_empty() { WHOLE.to_owned() } else { self.path.join(".") }
    }

    fn kind(&self) -> Option<Kind> {
        kind_of(&self.tensors, "")
    }

    fn meaning(&self) -> Option<(Meaning, usize)> {
        conventions::meaning(&self.path)
    }
}

/// Selects one of the collections of a file.
pub(super) fn choose(collections: &[Collection<'_>], wanted: &Wanted) -> Result<Choice, String> {
    if *wanted == Wanted::AsWritten
        && let Some(collection) = collections.iter().position(|it| it.path.is_empty())
    {
        return Ok(Choice { collection, prefix: String::new(), section: Section::whole() });
    }
    let all = candidates(collections);
    let found = match wanted {
        Wanted::AsWritten => None,
        Wanted::Named(name) => named(&all, name),
        Wanted::Averaged => by_meaning(&all, [Meaning::Averaged, Meaning::Trained, Meaning::Weights]),
        Wanted::Raw => by_meaning(&all, [Meaning::Trained, Meaning::Weights, Meaning::Averaged]),
    };
    let chosen = found.or_else(|| only_model(&all, wanted));
    let chosen = chosen.ok_or_else(|| refusal(collections, &all, wanted))?;
    let weights = match (wanted, chosen.meaning().map(|(meaning, _)| meaning)) {
        (Wanted::Named(name), _) if name == WHOLE => WeightsKind::Whole,
        (Wanted::Named(_), _) => WeightsKind::Asked,
        (_, None) if chosen.path.is_empty() => WeightsKind::Whole,
        (_, None) => WeightsKind::OnlyModel,
        (_, Some(Meaning::Averaged)) => WeightsKind::Averaged,
        (Wanted::Raw, Some(_)) => WeightsKind::RawAsPublished,
        (_, Some(_)) => WeightsKind::Raw,
    };
    let wrapper = wrapper(&chosen.tensors);
    let others = all.iter().filter(|other| !overlaps(other, chosen)).map(Candidate::name).collect();
    let section = Section { name: chosen.name(), weights, prefix: wrapper.clone(), others };
    Ok(Choice { collection: chosen.collection, prefix: format!("{}{wrapper}", chosen.prefix), section })
}

/// Returns true if two candidates share tensors.
fn overlaps(a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
    a.collection == b.collection && (a.prefix.starts_with(&b.prefix) || b.prefix.starts_with(&a.prefix))
}

/// Returns all collections that hold tensors, and the models inside one collection that differ by prefix.
fn candidates<'a>(collections: &[Collection<'a>]) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    // The only collection of a file may be empty.
    let held = |it: &Collection<'_>| !it.tensors.is_empty() || collections.len() == 1;
    for (number, collection) in collections.iter().enumerate().filter(|(_, it)| held(it)) {
        let (path, tensors) = (collection.path.clone(), collection.tensors.clone());
        let whole = Candidate { collection: number, path, prefix: String::new(), tensors };
        // A collection that is a model, wrapped or not, has no parts to select from.
        if kind_of(&whole.tensors, &wrapper(&whole.tensors)).is_none() || starts_averaged(&whole.tensors) {
            all.extend(parts(&whole));
        }
        all.push(whole);
    }
    all
}

/// Returns true if all names share a prefix that means averaged weights.
fn starts_averaged(tensors: &[&str]) -> bool {
    shared(tensors, "").is_some_and(|part| matches!(conventions::meaning(&[part]), Some((Meaning::Averaged, _))))
}

/// Returns the parts of a collection whose tensor names are those of a model.
fn parts<'a>(whole: &Candidate<'a>) -> Vec<Candidate<'a>> {
    let mut starts: Vec<&str> = whole.tensors.iter().filter_map(|name| Some(name.split_once('.')?.0)).collect();
    starts.sort_unstable();
    starts.dedup();
    if starts.len() > MOST_PARTS {
        return Vec::new();
    }
    let part = |start: &'a str| {
        let prefix = format!("{start}.");
        let tensors: Vec<&str> = whole.tensors.iter().filter_map(|name| name.strip_prefix(prefix.as_str())).collect();
        let path = whole.path.iter().copied().chain([start]).collect();
        let is_model = kind_of(&tensors, &wrapper(&tensors)).is_some();
        is_model.then_some(Candidate { collection: whole.collection, path, prefix, tensors })
    };
    starts.into_iter().filter_map(part).collect()
}

/// Collections with more distinct prefixes than this are not searched for parts.
const MOST_PARTS: usize = 64;

fn named<'b, 'a>(all: &'b [Candidate<'a>], name: &str) -> Option<&'b Candidate<'a>> {
    if name == WHOLE {
        return all.iter().find(|it| it.path.is_empty());
    }
    let exact = all.iter().find(|it| !it.path.is_empty() && it.name() == name);
    // The last part of a path is sufficient if it is unique.
    let mut ends = all.iter().filter(|it| it.path.last().is_some_and(|last| *last == name));
    exact.or_else(|| ends.next().filter(|_| ends.next().is_none()))
}

/// Selects the best candidate by the meaning of its name, then by the order of the table; otherwise the outermost
/// collection. A part is preferred to the collection that contains it. Returns `None` if several parts are equally
/// good.
fn by_meaning<'b, 'a>(all: &'b [Candidate<'a>], preferred: [Meaning; 3]) -> Option<&'b Candidate<'a>> {
    let rank = |it: &&Candidate<'_>| {
        let (meaning, place) = it.meaning()?;
        let preference = match (preferred[0], meaning) {
            // Both names stand for raw weights.
            (Meaning::Trained, Meaning::Weights) => 0,
            _ => preferred.iter().position(|other| *other == meaning)?,
        };
        Some((preference, it.prefix.is_empty(), place))
    };
    let best = all.iter().filter(|it| rank(it).is_some()).min_by_key(rank);
    let best = best.or_else(|| all.iter().find(|it| it.path.is_empty()))?;
    if !best.prefix.is_empty() || best.kind().is_some() {
        return Some(best);
    }
    let mut parts = all.iter().filter(|part| part.collection == best.collection && !part.prefix.is_empty());
    match (parts.next(), parts.next()) {
        (None, _) => Some(best),
        (Some(part), None) => Some(part),
        (Some(_), Some(_)) => None,
    }
}

/// Returns the only candidate with the tensors of a model, regardless of its name.
fn only_model<'b, 'a>(all: &'b [Candidate<'a>], wanted: &Wanted) -> Option<&'b Candidate<'a>> {
    let mut models = all.iter().filter(|it| it.kind().is_some() && *wanted != Wanted::Named(it.name()));
    models.next().filter(|_| models.next().is_none() && !matches!(wanted, Wanted::Named(_) | Wanted::AsWritten))
}

fn refusal(collections: &[Collection<'_>], all: &[Candidate<'_>], wanted: &Wanted) -> String {
    let describe = |path: &[&str], count: usize| {
        let name = if path.is_empty() { WHOLE.to_owned() } else { path.join(".") };
        format!("`{name}` ({})", gtr_core::count(count, "tensor"))
    };
    let held = all.iter().map(|it| describe(&it.path, it.tensors.len()));
    let empty = collections.iter().filter(|it| !it.path.is_empty() && it.tensors.is_empty());
    let list = listed(held.chain(empty.map(|it| describe(&it.path, 0))));
    let list = if list.is_empty() { "it has none".to_owned() } else { format!("it has {list}") };
    match wanted {
        Wanted::Named(name) if name == WHOLE => format!("it holds no tensors outside of sections: {list}"),
        Wanted::Named(name) => format!("it has no section `{name}` with tensors: {list}"),
        _ if collections.iter().all(|it| it.tensors.is_empty()) => format!("it holds no tensors in sections: {list}"),
        _ => format!("no section has a known name for weights: {list}; select one with --section"),
    }
}

/// Joins at most eight items and counts the others.
pub(super) fn listed(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(8);
    all.truncate(8);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

fn kind_of(tensors: &[&str], prefix: &str) -> Option<Kind> {
    Kind::of_names(|name| tensors.iter().any(|other| other.strip_prefix(prefix) == Some(name)))
}

/// Returns the first part of all names after `prefix`, if they share it.
fn shared<'a>(tensors: &[&'a str], prefix: &str) -> Option<&'a str> {
    let mut parts = tensors.iter().map(|name| Some(name.strip_prefix(prefix)?.split_once('.')?.0));
    let first = parts.next()??;
    parts.all(|part| part == Some(first)).then_some(first)
}

/// Returns the prefix of all names that is not part of a model: names of known wrappers, and any prefix followed by the
/// names of a model.
fn wrapper(tensors: &[&str]) -> String {
    let mut prefix = String::new();
    // More nested wrappers do not occur.
    for _ in 0..8 {
        if kind_of(tensors, &prefix).is_some() {
            break;
        }
        let Some(part) = shared(tensors, &prefix) else { break };
        let longer = format!("{prefix}{part}.");
        if !conventions::is_wrapper(part) && kind_of(tensors, &longer).is_none() {
            break;
        }
        prefix = longer;
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(collections: &[(&[&str], &[&str])], wanted: &Wanted) -> Result<(String, String, WeightsKind), String> {
        let collections =
            collections.iter().map(|(path, tensors)| Collection { path: path.to_vec(), tensors: tensors.to_vec() });
        let choice = choose(&collections.collect::<Vec<_>>(), wanted)?;
        Ok((choice.section.name, choice.prefix, choice.section.weights))
    }

    fn averaged(collections: &[(&[&str], &[&str])]) -> (String, String, WeightsKind) {
        chosen(collections, &Wanted::Averaged).unwrap()
    }

    const MAR: &[&str] = &["class_emb.weight", "encoder_norm.weight"];

    #[test]
    fn averaged_weights_are_the_default_and_raw_ones_on_request() {
        use WeightsKind::{Averaged, Raw, RawAsPublished, Whole};
        let both: [(&[&str], &[&str]); 4] = [(&[], &[]), (&["ema"], MAR), (&["model"], MAR), (&["opt"], &["exp"])];
        let text = String::from;
        assert_eq!(averaged(&both), (text("ema"), text(""), Averaged));
        assert_eq!(chosen(&both, &Wanted::Raw).unwrap(), (text("model"), text(""), RawAsPublished));
        assert_eq!(averaged(&[(&[], &[]), (&["state_dict"], MAR)]), (text("state_dict"), text(""), Raw));
        assert_eq!(averaged(&[(&[], MAR)]), (text("whole"), text(""), Whole));
        assert_eq!(averaged(&[(&["ema", "module"], MAR), (&["model"], MAR)]).0, "ema.module");
        assert_eq!(averaged(&[(&["strange"], MAR), (&["opt"], &["exp"])]).0, "strange");
        let refused = chosen(&[(&["a"], &["x"]), (&["b"], &["y"])], &Wanted::Averaged).unwrap_err();
        assert!(refused.contains("`a` (1 tensor), `b` (1 tensor); select one with --section"), "{refused}");
        let named = |name: &str| chosen(&both, &Wanted::Named(name.into()));
        assert_eq!(named("opt").unwrap().0, "opt");
        assert!(named("whole").is_err() && named("none").unwrap_err().contains("`opt` (1 tensor)"));
    }

    #[test]
    fn prefixes_of_wrappers_are_stripped() {
        let prefix = |tensors: &[&str]| averaged(&[(&[], tensors)]).1;
        assert_eq!(prefix(&["module._orig_mod.class_emb.weight", "module._orig_mod.x"]), "module._orig_mod.");
        assert_eq!(prefix(&["anything.class_emb.weight", "anything.x"]), "anything.");
        assert_eq!(prefix(&["anything.y", "anything.x"]), "");
        assert_eq!(prefix(&["module.y", "x"]), "");
        // These are parts of models.
        assert_eq!(prefix(&["decoder.conv_in.weight", "decoder.conv_in.bias"]), "");
        assert_eq!(prefix(&["encoder.embed_tokens.weight", "encoder.final_layer_norm.weight"]), "");
    }

    #[test]
    fn models_in_one_collection_are_distinguished() {
        let both = ["ema_model.class_emb.weight", "online_model.class_emb.weight", "step"];
        assert_eq!(averaged(&[(&["ema"], &both)]).0, "ema.ema_model");
        assert_eq!(chosen(&[(&["ema"], &both)], &Wanted::Raw).unwrap().0, "ema.online_model");
        let system = ["first_stage_model.decoder.conv_in.weight", "model.diffusion_model.x", "loss.y"];
        let (name, prefix, _) = averaged(&[(&["state_dict"], &system)]);
        assert_eq!((name.as_str(), prefix.as_str()), ("state_dict.first_stage_model", "first_stage_model."));
    }
}
