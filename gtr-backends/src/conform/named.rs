//! `digits`, `fashion`: models opened by name.

use gtr_core::{DiffusionSteps, MaskedGenerator, Timesteps};

use super::chains::{Call, NoiseNames, draw, numbered};
use super::checks::Checks;
use super::recording::{Recording, magnitude};
use super::{head, transformer};
use crate::BackendError;
use crate::diffusion::{Conditions, sample};
use crate::mar::MarGenerator;
use crate::models::Files;

pub(super) fn digits(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    check("digits", recording, checks)
}

pub(super) fn fashion(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    check("fashion", recording, checks)
}

fn check(model: &str, recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let generator = crate::open_mar(model, &Files::default(), &checks.inputs.options.compute)?;
    transformer::states(recording, &generator, checks)?;
    network(recording, &generator, checks)?;
    for steps in recording.between("loop", ".out")? {
        chain(recording, &generator, &steps, checks)?;
    }
    Ok(())
}

fn network(recording: &Recording, generator: &MarGenerator, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    if !recording.has("head.out") {
        return Ok(());
    }
    let (network, size) = (generator.model().head(), generator.model().head().size());
    let [rows, _] = recording.shape("head.x")?;
    let x = network.embed_tokens(&recording.shaped("head.x", &[rows, size.channels])?)?;
    let timesteps = network.embed_timesteps(&head::timesteps(recording, "head.t", rows)?)?;
    let conditions = network.embed_conditions(&recording.shaped("head.z", &[rows, size.condition])?)?;
    let found = network.predict(&x, &timesteps, &conditions)?;
    checks.tensors("head.out", &found, &recording.tensor("head.out")?, recording.tolerance_of("head.out", 1e-5))
}

fn chain(
    recording: &Recording,
    generator: &MarGenerator,
    text: &str,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (head, size) = (generator.model().head(), generator.model().head().size());
    let name = |part: &str| format!("loop{text}.{part}");
    let wrong = |reason: String| recording.wrong(format!("`{}`: {reason}", name("out")));
    let steps = text.parse().map_err(|_| wrong("expected a number of steps in the name".into()))?;
    let steps = DiffusionSteps::new(steps).map_err(|error| wrong(error.to_string()))?;
    let timesteps =
        Timesteps::new(steps, generator.head_kind().timesteps()).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<usize> = timesteps.values().iter().map(|&timestep| timestep as usize).collect();
    checks.exact("timesteps", &found, &recording.whole(&name("timesteps"))?);
    let [count, _] = recording.shape(&name("init"))?;
    let vectors = [count, size.condition];
    let conditions = Conditions {
        conditional: recording.shaped("head.z", &vectors)?,
        unconditional: Some(recording.shaped("head.z_uncond", &vectors)?),
    };
    let call = Call { timesteps, guidance: recording.number("/config/cfg")?, temperature: 1.0 };
    let names = NoiseNames { first: name("init"), rest: name("noise") };
    let rows = numbered(recording, count)?;
    let found = draw(recording, &rows, &names, &call, size.channels, |request| sample(head, &conditions, request))?;
    let expected = recording.tensor(&name("out"))?;
    checks.tensors(&name("out"), &found, &expected, 1e-3 * magnitude(&expected)?)
}
