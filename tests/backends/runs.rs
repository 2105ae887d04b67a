//! Whole recorded runs of MAR.

use gtr_backends::mar::MarGenerator;

use crate::golden::{Golden, tiny};
use crate::run::Run;

fn open(name: &str) -> Run<MarGenerator> {
    Run::new(Golden::open(&format!("mar_tiny/{name}")), tiny(), |golden, generator, image| {
        let labels = (!golden.json["call"]["labels"].is_null()).then(|| golden.u32s("labels"));
        labels.map(|labels| generator.class(labels[image]).unwrap())
    })
}

macro_rules! runs {
    ($($test:ident: $name:literal),* $(,)?) => {
        const NAMES: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            let mut run = open($name);
            run.step_by_step();
            run.free_running();
        })*
    };
}

runs! {
    unguided_constant: "sample_it4_cfg1.0_constant",
    unguided_linear: "sample_it4_cfg1.0_linear",
    without_class: "sample_it4_cfg1.0_nolabels",
    guided_constant: "sample_it4_cfg2.9_constant",
    guided_linear: "sample_it4_cfg2.9_linear",
    cooler: "sample_it4_cfg2.9_linear_T0.9",
    unguided_more_steps: "sample_it8_cfg1.0_linear",
    guided_more_steps: "sample_it8_cfg2.9_linear",
    one_token_a_step: "sample_it64_cfg2.9_linear",
}

#[test]
fn every_recorded_run_is_repeated() {
    let mut files: Vec<String> = std::fs::read_dir(crate::golden::path("mar_tiny"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".safetensors").map(str::to_owned))
        .filter(|name| name.starts_with("sample_"))
        .collect();
    files.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(files, names);
}
