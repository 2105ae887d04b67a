//! Naming conventions of checkpoints.
//!
//! A training checkpoint holds several collections of tensors, its *sections*: averaged (EMA) weights, the raw weights,
//! the optimizer state. Code that wraps a model adds a *prefix* to each name. Both are recognised by name. The tables
//! in this file list the known names; add a line for a new convention.

/// Meaning of a section's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Weights averaged over the training (EMA), used for sampling.
    Averaged,
    /// Raw weights of the last training step.
    Trained,
    /// Weights; the enclosing sections decide whether they are averaged or raw.
    Weights,
}

/// Names of sections. If a file has several with the same meaning, the first in this table is selected.
///
/// The names are those of MAR and `DiT` (`model_ema`, `ema`), timm (`state_dict_ema`), `BasicSR` (`params_ema`),
/// ema-pytorch (`ema_model`, `online_model`), Lightning (`state_dict`), `DeepSpeed` (`module`) and their relatives.
const SECTIONS: [(&str, Meaning); 39] = [
    ("model_ema", Meaning::Averaged),
    ("ema", Meaning::Averaged),
    ("ema_model", Meaning::Averaged),
    ("ema_state_dict", Meaning::Averaged),
    ("state_dict_ema", Meaning::Averaged),
    ("model_ema_state_dict", Meaning::Averaged),
    ("ema_model_state_dict", Meaning::Averaged),
    ("model_state_dict_ema", Meaning::Averaged),
    ("params_ema", Meaning::Averaged),
    ("ema_params", Meaning::Averaged),
    ("ema_weights", Meaning::Averaged),
    ("weights_ema", Meaning::Averaged),
    ("ema_net", Meaning::Averaged),
    ("net_ema", Meaning::Averaged),
    ("ema_dict", Meaning::Averaged),
    ("g_ema", Meaning::Averaged),
    ("G_ema", Meaning::Averaged),
    ("generator_ema", Meaning::Averaged),
    ("averaged_model", Meaning::Averaged),
    ("avg_model", Meaning::Averaged),
    ("swa_model", Meaning::Averaged),
    ("online_model", Meaning::Trained),
    ("model_raw", Meaning::Trained),
    ("raw", Meaning::Trained),
    ("model", Meaning::Weights),
    ("model_state_dict", Meaning::Weights),
    ("state_dict", Meaning::Weights),
    ("module", Meaning::Weights),
    ("net", Meaning::Weights),
    ("network", Meaning::Weights),
    ("params", Meaning::Weights),
    ("weights", Meaning::Weights),
    ("model_weights", Meaning::Weights),
    ("generator", Meaning::Weights),
    ("G", Meaning::Weights),
    ("g", Meaning::Weights),
    ("shadow", Meaning::Weights),
    ("shadow_params", Meaning::Weights),
    ("parameters", Meaning::Weights),
];

/// Prefixes of the tensor names of a wrapped model, without the dot that follows.
///
/// `DistributedDataParallel` and `DataParallel` add `module`, `torch.compile` adds `_orig_mod`, and the FSDP wrappers
/// add two. The others are common names of the attribute that holds a model.
const WRAPPERS: [&str; 18] = [
    "module",
    "_orig_mod",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "model",
    "ema_model",
    "online_model",
    "model_ema",
    "ema",
    "mar",
    "lightgen",
    "net",
    "network",
    "generator",
    "state_dict",
    "first_stage_model",
    "vae",
];

/// Returns the meaning of a section's path and its rank in the table (lower is preferred). The innermost part that is
/// more specific than [`Meaning::Weights`] decides. Returns `None` if any part is unknown.
pub(super) fn meaning(parts: &[&str]) -> Option<(Meaning, usize)> {
    let known = |part: &&str| SECTIONS.iter().position(|(name, _)| name == part);
    let places = parts.iter().map(known).collect::<Option<Vec<usize>>>()?;
    let deciding = places.iter().rev().find(|place| SECTIONS[**place].1 != Meaning::Weights).or(places.last())?;
    Some((SECTIONS[*deciding].1, *deciding))
}

/// Returns true for the name of a wrapper, which is not part of the model itself.
pub(super) fn is_wrapper(part: &str) -> bool {
    WRAPPERS.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_specific_name_decides() {
        let meaning = |parts: &[&str]| meaning(parts).map(|(meaning, _)| meaning);
        assert_eq!(meaning(&["ema"]), Some(Meaning::Averaged));
        assert_eq!(meaning(&["ema", "module"]), Some(Meaning::Averaged));
        assert_eq!(meaning(&["ema", "online_model"]), Some(Meaning::Trained));
        assert_eq!(meaning(&["state_dict"]), Some(Meaning::Weights));
        assert_eq!(meaning(&["optimizer"]), None);
        assert_eq!(meaning(&["ema", "optimizer"]), None);
    }

    #[test]
    fn each_name_is_in_its_table_once() {
        for (place, (name, _)) in SECTIONS.iter().enumerate() {
            assert!(SECTIONS[..place].iter().all(|(other, _)| other != name), "{name}");
        }
        for (place, name) in WRAPPERS.iter().enumerate() {
            assert!(!WRAPPERS[..place].contains(name), "{name}");
        }
    }
}
