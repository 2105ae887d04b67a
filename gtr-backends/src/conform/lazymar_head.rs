//! `lazymar_*/p_sample_loop`: denoising chains whose head reuses results of earlier evaluations.

use candle_core::{Device, Tensor};
use gtr_core::{DiffusionSteps, Fraction, HeadPass, HeadReuse};
use serde_json::Value;

use super::chains::{self, Call, NoiseNames, draw_reusing, first_rows, halves, numbered};
use super::checks::Checks;
use super::recording::{Recording, magnitude, whole_list};
use crate::BackendError;
use crate::diffusion::{Coefficients, Conditions, DiffusionHead, LazyHead, Process, sample};
use crate::error::Context;

/// Ratio of the tolerance to the recorded rounding noise.
const NOISE_FACTOR: f64 = 10.0;
/// Fraction of the evaluations up to which MLPs are reused; the description has it in words only.
const WARM: f64 = 0.9;

/// A recorded loop.
struct Loop<'a> {
    recording: &'a Recording,
    head: &'a DiffusionHead,
    case: String,
    /// Its part of the description.
    described: &'a Value,
    call: Call,
    reuse: HeadReuse,
    conditions: Conditions,
    rows: usize,
}

pub(super) fn check(recording: &Recording, head: &DiffusionHead, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let reuse = reuse(recording)?;
    for case in recording.between("", ".out")? {
        let described = recording.value(&format!("/loops/{case}"))?;
        let (steps, temperature, guidance) = chains::arguments(recording, &case)?;
        let Some(timesteps) = chains::timesteps(recording, &steps, described.get("timestep_map"), checks)? else {
            let parts = recording.between(&format!("{case}."), "")?;
            for part in parts {
                recording.skip(&format!("{case}.{part}"));
            }
            continue;
        };
        let [rows, _] = recording.shape(&format!("{case}.init_noise"))?;
        let conditions = halves(recording, &format!("{case}.z"), rows, head.size().condition, guidance != 1.0)?;
        let call = Call { timesteps, guidance, temperature };
        let recorded = Loop { recording, head, case, described, call, reuse, conditions, rows };
        recorded.kinds(checks)?;
        recorded.free_running(checks)?;
        recorded.step_by_step(checks)?;
    }
    Ok(())
}

/// Reads the rule of complete evaluations, of which the period and the skipped blocks are numbers.
fn reuse(recording: &Recording) -> Result<HeadReuse, BackendError> {
    let wrong = |error: gtr_core::OutOfRange| recording.wrong(error.to_string());
    let period = recording.value("/constants/head_refresh_period")?.as_u64().unwrap_or_default();
    let period = DiffusionSteps::new(u32::try_from(period).unwrap_or(u32::MAX)).map_err(wrong)?;
    let skipped = recording.value("/constants/head_skipped_blocks")?;
    if whole_list(skipped).is_none_or(|blocks| blocks != [1, 2, 3, 4]) {
        return Err(recording.wrong(format!("expected the skipped blocks 1 to 4, found {skipped}")));
    }
    Ok(HeadReuse { period, warm: Fraction::new(WARM).map_err(wrong)? })
}

impl Loop<'_> {
    fn evaluations(&self) -> usize {
        self.call.timesteps.evaluations()
    }

    /// Compares the kinds of the evaluations.
    fn kinds(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        for (name, kind) in [("refresh_indices", HeadPass::Complete), ("warm_indices", HeadPass::Warm)] {
            let Some(recorded) = self.described.get(name) else { continue };
            let wrong = || self.recording.wrong(format!("`{name}` of {} is not a list of integers", self.case));
            let expected = whole_list(recorded).ok_or_else(wrong)?;
            let of_kind = |index: &usize| self.reuse.pass(*index, self.evaluations()) == kind;
            let found: Vec<usize> = (0..self.evaluations()).rev().filter(of_kind).collect();
            checks.exact(name, &found, &expected);
        }
        Ok(())
    }

    /// Compares the result of the whole loop, with reuse and without.
    fn free_running(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let name = |part: &str| format!("{}.{part}", self.case);
        let names = NoiseNames { first: name("init_noise"), rest: name("noise") };
        let (rows, channels) = (numbered(self.recording, self.rows)?, self.head.size().channels);
        for (part, reuse) in [("out", Some(self.reuse)), ("out_plain", None)] {
            if !self.recording.has(&name(part)) {
                continue;
            }
            let expected = first_rows(self.recording, &name(part), &[], self.rows, channels)?;
            let tolerance = tolerance(self.described.get("f32_noise_out"), &expected)?;
            let found = draw_reusing(self.recording, &rows, &names, &self.call, channels, reuse, |request| {
                sample(self.head, &self.conditions, request)
            })?;
            checks.tensors(&name(part), &found, &expected, tolerance)?;
        }
        Ok(())
    }

    /// Compares each evaluation and the step after it, from the recorded values before it. What an evaluation reuses is
    /// computed from the recorded values, too.
    fn step_by_step(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let name = |part: &str| format!("{}.{part}", self.case);
        if !self.recording.has(&name("trace")) {
            return Ok(());
        }
        let (process, channels) = (Process::new(&self.call.timesteps), self.head.size().channels);
        let trace = first_rows(self.recording, &name("trace"), &[self.evaluations()], self.rows, channels)?;
        let outputs = self.outputs()?;
        let noise = self.recording.tensor(&name("noise"))?;
        let mut head = self.lazy()?;
        let mut before = self.recording.shaped(&name("init_noise"), &[self.rows, channels])?;
        for evaluation in 0..self.evaluations() {
            let step = process.coefficients(evaluation);
            let times = vec![step.timestep; self.rows];
            let times = Tensor::new(times.as_slice(), self.head.device()).context("moving timesteps")?;
            let pass = self.reuse.pass(self.evaluations() - 1 - evaluation, self.evaluations());
            let (predicted, v) = self.guided(&head.predict(pass, &before, &times)?).context("applying guidance")?;
            if let Some(outputs) = &outputs {
                let found = Tensor::cat(&[&predicted, &v], 1).context("joining noise and variance")?;
                let expected = outputs.get(evaluation).context("reading a recording")?;
                let tolerance = self.per_call(evaluation).max(1e-5 * magnitude(&expected)?);
                checks.tensors(&name("model_out"), &found, &expected, tolerance)?;
            }
            let draws = noise.get(evaluation).context("reading a recording")?;
            let found = self.after(step, &before, (&predicted, &v), &draws).context("taking a reverse step")?;
            let expected = trace.get(evaluation).context("reading a recording")?;
            checks.tensors(&name("trace"), &found, &expected, self.per_call(evaluation))?;
            before = expected;
        }
        Ok(())
    }

    /// Takes a reverse step of all rows.
    fn after(
        &self,
        step: Coefficients,
        x: &Tensor,
        (predicted, v): (&Tensor, &Tensor),
        noise: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let list = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let channels = self.head.size().channels;
        let (mut x, predicted, v, noise) = (list(x)?, list(predicted)?, list(v)?, list(noise)?);
        for (row, x) in x.chunks_exact_mut(channels).enumerate() {
            let row = row * channels..(row + 1) * channels;
            #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
            let temperature = self.call.temperature as f32;
            step.step(x, &predicted[row.clone()], &v[row.clone()], &noise[row], temperature);
        }
        Tensor::from_vec(x, (self.rows, channels), &Device::Cpu)
    }

    /// Reads the recorded outputs of the network: guided noise and variance of the conditional half.
    fn outputs(&self) -> Result<Option<Tensor>, BackendError> {
        let name = format!("{}.model_out", self.case);
        let channels = 2 * self.head.size().channels;
        let read = || first_rows(self.recording, &name, &[self.evaluations()], self.rows, channels);
        self.recording.has(&name).then(read).transpose()
    }

    fn lazy(&self) -> Result<LazyHead<'_>, BackendError> {
        let embed = |vectors: &Tensor| self.head.embed_conditions(vectors);
        let unconditional = self.conditions.unconditional.as_ref().map(embed).transpose()?;
        LazyHead::new(self.head, embed(&self.conditions.conditional)?, unconditional)
    }

    /// Returns guided noise and variance, `[rows, channels]` each.
    fn guided(&self, out: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let channels = self.head.size().channels;
        let part = |half: usize, number: usize| {
            out.narrow(0, half * self.rows, self.rows)?.narrow(1, number * channels, channels)
        };
        let (mut predicted, v) = (part(0, 0)?, part(0, 1)?);
        if self.conditions.unconditional.is_some() {
            let without = part(1, 0)?;
            predicted = (&without + ((predicted - &without)? * self.call.guidance)?)?;
        }
        Ok((predicted.contiguous()?, v.contiguous()?))
    }

    /// Returns the tolerance of the values after an evaluation: ten times the recorded rounding noise.
    fn per_call(&self, evaluation: usize) -> f64 {
        let noise = self.described.get("f32_noise_trace_per_call").and_then(|list| list.get(evaluation));
        noise.and_then(Value::as_f64).map_or(1e-3, |noise| NOISE_FACTOR * noise)
    }
}

/// Returns ten times the recorded rounding noise, or a thousandth of the largest value if none is recorded.
fn tolerance(noise: Option<&Value>, expected: &Tensor) -> Result<f64, BackendError> {
    match noise.and_then(Value::as_f64) {
        Some(noise) if noise.is_finite() && noise >= 0.0 => Ok(NOISE_FACTOR * noise),
        _ => Ok(1e-3 * magnitude(expected)?),
    }
}
