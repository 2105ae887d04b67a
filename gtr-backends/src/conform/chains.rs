//! `p_sample_loop`: denoising chains from recorded conditioning vectors and recorded noise.

use candle_core::{Device, Tensor};
use gtr_core::solver::Ddpm;
use gtr_core::{
    Denoise, DiffusionSteps, Grid, HeadReuse, HeadRow, ImageIndex, StepContext, StepReuse, TimestepLimit, Timesteps,
};
use serde_json::Value;

use super::checks::Checks;
use super::noise::RecordedNoise;
use super::recording::{Recording, magnitude, plain_respacing, short};
use crate::BackendError;
use crate::diffusion::{Conditions, DiffusionHead, Process, sample};
use crate::error::Context;

/// Parameters of recorded chains.
pub(super) struct Call {
    pub(super) timesteps: Timesteps,
    pub(super) guidance: f64,
    pub(super) temperature: f64,
}

/// Names of the noise tensors of chains: `[rows, channels]` and `[evaluations, rows or more, channels]`.
pub(super) struct NoiseNames {
    pub(super) first: String,
    pub(super) rest: String,
}

pub(super) fn check(recording: &Recording, head: &DiffusionHead, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    for case in recording.between("", ".out")? {
        let (respacing, temperature, guidance) = arguments(recording, &case)?;
        let map = recording
            .json
            .get("timestep_maps")
            .and_then(|maps| maps.get(format!("s{}.timestep_map", respacing.as_str().unwrap_or_default())));
        let Some(timesteps) = timesteps(recording, &respacing, map, checks)? else {
            let parts = recording.between(&format!("{case}."), "")?;
            for part in parts {
                recording.skip(&format!("{case}.{part}"));
            }
            continue;
        };
        chain(recording, head, &case, &Call { timesteps, guidance, temperature }, checks)?;
    }
    Ok(())
}

/// Returns respacing, temperature and scale of guidance from the name of a case.
pub(super) fn arguments(recording: &Recording, case: &str) -> Result<(Value, f64, f64), BackendError> {
    let wrong = || {
        recording
            .wrong(format!("the name `{case}.out` does not have the form `s(steps)_T(temperature)_cfg(scale).out`"))
    };
    let (steps, rest) = case.strip_prefix('s').and_then(|rest| rest.split_once("_T")).ok_or_else(wrong)?;
    let (temperature, guidance) = rest.split_once("_cfg").ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(wrong);
    Ok((Value::from(steps), number(temperature)?, number(guidance)?))
}

/// Returns the timesteps of a respacing, compared with the recorded ones; `None` for unsupported respacings.
pub(super) fn timesteps(
    recording: &Recording,
    respacing: &Value,
    map: Option<&Value>,
    checks: &mut Checks<'_>,
) -> Result<Option<Timesteps>, BackendError> {
    let Some(steps) = plain_respacing(respacing) else {
        let text = short(respacing);
        checks.note(format!("respacing {text} is not checked: expected a number of evenly spaced steps"));
        return Ok(None);
    };
    let wrong = |error: String| recording.wrong(error);
    let steps = DiffusionSteps::new(steps).map_err(|error| wrong(error.to_string()))?;
    let timesteps = Timesteps::new(steps, TimestepLimit::NONE).map_err(|error| wrong(error.to_string()))?;
    if let Some(map) = map {
        let map = super::recording::whole_list(map).ok_or_else(|| wrong("a timestep map is not a list".into()))?;
        let found: Vec<usize> = timesteps.values().iter().map(|&timestep| timestep as usize).collect();
        checks.exact("timesteps", &found, &map);
    }
    Ok(Some(timesteps))
}

/// Reads recorded conditioning vectors: the conditional half, and the unconditional half if there is guidance.
pub(super) fn halves(
    recording: &Recording,
    name: &str,
    rows: usize,
    width: usize,
    guided: bool,
) -> Result<Conditions, BackendError> {
    let z = recording.shaped(name, &[if guided { 2 * rows } else { rows }, width])?;
    let half = |from| z.narrow(0, from, rows).context("splitting the halves");
    Ok(Conditions { conditional: half(0)?, unconditional: guided.then(|| half(rows)).transpose()? })
}

/// Samples rows with recorded noise.
pub(super) fn draw(
    recording: &Recording,
    rows: &[HeadRow],
    names: &NoiseNames,
    call: &Call,
    channels: usize,
    denoise: impl FnOnce(&Denoise<'_>) -> Result<Tensor, BackendError>,
) -> Result<Tensor, BackendError> {
    draw_reusing(recording, rows, names, call, channels, None, denoise)
}

/// Like [`draw`], with reuse between the evaluations of the head.
pub(super) fn draw_reusing(
    recording: &Recording,
    rows: &[HeadRow],
    names: &NoiseNames,
    call: &Call,
    channels: usize,
    reuse: Option<HeadReuse>,
    denoise: impl FnOnce(&Denoise<'_>) -> Result<Tensor, BackendError>,
) -> Result<Tensor, BackendError> {
    let first = recording.shaped(&names.first, &[rows.len(), channels])?;
    let [draws, stride, width] = recording.shape(&names.rest)?;
    let evaluations = call.timesteps.evaluations();
    if draws < evaluations || stride < rows.len() || width != channels {
        let needed = format!(
            "at least {} of {} of {}",
            gtr_core::count(evaluations, "draw"),
            gtr_core::count(rows.len(), "row"),
            gtr_core::count(channels, "channel")
        );
        let name = &names.rest;
        return Err(recording.wrong(format!("`{name}` is {:?}, expected {needed}", [draws, stride, width])));
    }
    let noise = RecordedNoise::new(rows, &first, &recording.tensor(&names.rest)?)?;
    let single = StepContext::single(rows.len(), 0);
    let reuse = reuse.map(|reuse| StepReuse { cached: None, head: Some(reuse) });
    let step = StepContext { guidance: call.guidance, temperature: call.temperature, reuse, ..single };
    denoise(&Denoise {
        timesteps: std::slice::from_ref(&call.timesteps),
        rows,
        step: &step,
        solver: &Ddpm {},
        noise: &noise,
    })
}

/// Returns consecutive rows of one image.
pub(super) fn numbered(recording: &Recording, count: usize) -> Result<Vec<HeadRow>, BackendError> {
    let wrong = |error: gtr_core::GridError| recording.wrong(format!("{}: {error}", gtr_core::count(count, "row")));
    let grid = Grid::new(1, u32::try_from(count).unwrap_or(u32::MAX)).map_err(wrong)?;
    Ok(grid.iter().map(|token| HeadRow { image: ImageIndex(0), token, group: 0 }).collect())
}

fn chain(
    recording: &Recording,
    head: &DiffusionHead,
    case: &str,
    call: &Call,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (channels, name) = (head.size().channels, |part: &str| format!("{case}.{part}"));
    let [count, _] = recording.shape(&name("init_noise"))?;
    let conditions = halves(recording, &name("z"), count, head.size().condition, call.guidance != 1.0)?;
    let names = NoiseNames { first: name("init_noise"), rest: name("noise") };
    let rows = numbered(recording, count)?;
    let found = draw(recording, &rows, &names, call, channels, |request| sample(head, &conditions, request))?;
    let expected = first_rows(recording, &name("out"), &[], count, channels)?;
    checks.tensors(&name("out"), &found, &expected, recording.chain_tolerance(case, &expected)?)?;
    if recording.has(&name("trace")) {
        steps(recording, head, &conditions, case, call, checks)?;
    }
    Ok(())
}

/// Returns the first `count` rows of `[.., rows, channels]`. If both halves are recorded, this is the conditional half.
pub(super) fn first_rows(
    recording: &Recording,
    name: &str,
    leading: &[usize],
    count: usize,
    channels: usize,
) -> Result<Tensor, BackendError> {
    let tensor = recording.tensor(name)?;
    let whole = |rows: usize| [leading, &[rows, channels]].concat();
    if tensor.dims() != whole(count) && tensor.dims() != whole(2 * count) {
        return recording.shaped(name, &whole(count));
    }
    tensor.narrow(leading.len(), 0, count).and_then(|rows| rows.contiguous()).context("selecting rows")
}

/// Compares each step of the chains separately, starting from the recorded values before the step.
fn steps(
    recording: &Recording,
    head: &DiffusionHead,
    conditions: &Conditions,
    case: &str,
    call: &Call,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (process, channels) = (Process::new(&call.timesteps), head.size().channels);
    let count = conditions.conditional.dims()[0];
    let trace = first_rows(recording, &format!("{case}.trace"), &[process.evaluations()], count, channels)?;
    let noise = recording.tensor(&format!("{case}.noise"))?;
    let embedded = head.embed_conditions(&conditions.conditional)?;
    let without = conditions.unconditional.as_ref().map(|z| head.embed_conditions(z)).transpose()?;
    let list = |tensor: candle_core::Result<Tensor>| {
        tensor.and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>()).context("reading a recording")
    };
    let mut before = recording.tensor(&format!("{case}.init_noise"))?;
    for evaluation in 0..process.evaluations() {
        let step = process.coefficients(evaluation);
        let (x, times) = (head.embed_tokens(&before)?, head.embed_timesteps(&vec![step.timestep; count])?);
        let out = list(head.predict(&x, &times, &embedded).map(Ok)?)?;
        let other = without.as_ref().map(|z| list(head.predict(&x, &times, z).map(Ok)?)).transpose()?;
        let (mut values, draws) = (list(Ok(before))?, list(noise.get(evaluation))?);
        for (row, x) in values.chunks_exact_mut(channels).enumerate() {
            let (predicted, v) = out[row * 2 * channels..][..2 * channels].split_at(channels);
            let mut predicted = predicted.to_vec();
            if let Some(other) = &other {
                #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
                for (with, without) in predicted.iter_mut().zip(&other[row * 2 * channels..]) {
                    *with = without + call.guidance as f32 * (*with - without);
                }
            }
            #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
            step.step(x, &predicted, v, &draws[row * channels..][..channels], call.temperature as f32);
        }
        let found = Tensor::from_vec(values, (count, channels), &Device::Cpu).context("joining rows")?;
        let expected = trace.get(evaluation).context("reading a recording")?;
        // The first steps amplify the error of the head by up to 2e4, so the tolerance is relative to the values.
        let tolerance = recording.chain_tolerance(case, &expected)?.max(1e-3 * magnitude(&expected)?);
        checks.tensors(&format!("{case}.trace"), &found, &expected, tolerance)?;
        before = expected;
    }
    Ok(())
}
