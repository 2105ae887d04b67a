//! What the names in checkpoints mean, as the people who write them use them.
//!
//! A checkpoint of a training run holds several collections of tensors, its *sections*: averaged weights, the weights
//! as they were trained, the state of an optimizer. Programs that wrap a model put a *prefix* before each name. Both are
//! told by their names, which stand in the tables of this file: a new convention is a line here.

/// What the name of a section says of its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Weights averaged over the training, those to sample with.
    Averaged,
    /// Weights as they were trained last.
    Trained,
    /// Weights of whatever meaning what stands around it has.
    Weights,
}

/// The names of sections; where a file has several of one meaning, the first of this table is taken.
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

/// What stands before the names of a model that is wrapped in another, each with a dot after it.
///
/// `module` is put there by `DistributedDataParallel` and `DataParallel`, `_orig_mod` by `torch.compile`, the two of FSDP
/// by its wrappers; the others are what people call the field that holds their model.
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

/// What the name of a section means: that of the innermost part which says more than that there are weights; `None` where
/// a part is not known. Also the place in the order in which sections are preferred.
pub(super) fn meaning(parts: &[&str]) -> Option<(Meaning, usize)> {
    let known = |part: &&str| SECTIONS.iter().position(|(name, _)| name == part);
    let places = parts.iter().map(known).collect::<Option<Vec<usize>>>()?;
    let deciding = places.iter().rev().find(|place| SECTIONS[**place].1 != Meaning::Weights).or(places.last())?;
    Some((SECTIONS[*deciding].1, *deciding))
}

/// Whether it stands before names without being a part of a model.
pub(super) fn is_wrapper(part: &str) -> bool {
    WRAPPERS.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_name_that_says_something_decides() {
        let meaning = |parts: &[&str]| meaning(parts).map(|(meaning, _)| meaning);
        assert_eq!(meaning(&["ema"]), Some(Meaning::Averaged));
        assert_eq!(meaning(&["ema", "module"]), Some(Meaning::Averaged));
        assert_eq!(meaning(&["ema", "online_model"]), Some(Meaning::Trained));
        assert_eq!(meaning(&["state_dict"]), Some(Meaning::Weights));
        assert_eq!(meaning(&["optimizer"]), None);
        assert_eq!(meaning(&["ema", "optimizer"]), None);
    }

    #[test]
    fn each_name_stands_in_its_table_once() {
        for (place, (name, _)) in SECTIONS.iter().enumerate() {
            assert!(SECTIONS[..place].iter().all(|(other, _)| other != name), "{name}");
        }
        for (place, name) in WRAPPERS.iter().enumerate() {
            assert!(!WRAPPERS[..place].contains(name), "{name}");
        }
    }
}
