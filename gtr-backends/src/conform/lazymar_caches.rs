//! `caches` of LazyMAR: single cached steps from the recorded caches.

use candle_core::Tensor;
use gtr_core::MaskedGenerator;

use super::chains::halves;
use super::checks::Checks;
use super::lazymar_run::{LazyRun, VECTORS};
use super::lazymar_steps::compare;
use super::model::sizes;
use super::recording::Recording;
use crate::BackendError;
use crate::error::Context;
use crate::layers::index;
use crate::mar::reuse::{Group, GroupCache, Kept};
use crate::mar::{MarGenerator, Sequence};

/// Tolerance of the output of the encoder and of the input of the decoder.
const ENCODED: f64 = 3e-5;
/// Tolerance of the output of the last block of the decoder.
const DECODED: f64 = 6e-3;

pub(super) fn check(
    recording: &Recording,
    run: &LazyRun<'_>,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    for number in recording.between("s", ".x0")? {
        let step = number.parse().ok().filter(|step| *step > 0 && *step < run.steps());
        let step = step.ok_or_else(|| recording.wrong(format!("the run has no step {number} with caches")))?;
        let step = CachedStep { recording, run, number: step };
        let [images, ..] = recording.shape::<3>(&step.name("x0"))?;
        let caches = (0..images.min(run.images)).map(|image| step.cache(generator, image));
        let caches = caches.collect::<Result<Vec<_>, _>>()?;
        let mut exchanged = false;
        for (image, cache) in caches.iter().enumerate() {
            exchanged |= step.parts(generator, image, cache, checks)?;
        }
        if exchanged {
            checks.note(format!("z of step {number} is not compared: tokens at the cut were exchanged"));
        } else {
            step.vectors(generator, caches, checks)?;
        }
    }
    Ok(())
}

/// A cached step.
struct CachedStep<'a> {
    recording: &'a Recording,
    run: &'a LazyRun<'a>,
    number: usize,
}

impl CachedStep<'_> {
    fn name(&self, part: &str) -> String {
        format!("s{}.{part}", self.number)
    }

    /// Reads the rows of an image, `[rows, width]`.
    fn rows(&self, part: &str, image: usize) -> Result<Tensor, BackendError> {
        self.recording.tensor(&self.name(part))?.get(image).context("reading caches")
    }

    /// Reads keys and values of a block: `[rows, 2 * width]` from `[images, heads, rows, width of a head]` each.
    fn keys_values(&self, block: &str, image: usize) -> Result<Tensor, BackendError> {
        let [keys, values] = ["k", "v"].map(|part| self.rows(&format!("{block}.{part}"), image));
        let joined = |tensor: &Tensor| tensor.transpose(0, 1)?.contiguous()?.flatten_from(1);
        let (keys, values) = (joined(&keys?), joined(&values?));
        keys.and_then(|keys| Tensor::cat(&[keys, values?], 1)?.contiguous()).context("reading caches")
    }

    /// Reads the caches of an image before the step.
    fn cache(&self, generator: &MarGenerator, image: usize) -> Result<GroupCache, BackendError> {
        let config = generator.config();
        let blocks = |stack: &str, depth: usize| {
            (0..depth).map(|block| self.keys_values(&format!("{stack}{block}"), image)).collect::<Result<Vec<_>, _>>()
        };
        let cache = GroupCache {
            known: vec![self.run.image(self.number - 1, image).1.to_vec()],
            encoder: blocks("enc", config.encoder.depth)?,
            input: self.rows("x0", image)?,
            decoder: blocks("dec", config.decoder.depth)?,
            selected: None,
        };
        let expected =
            [(&cache.encoder, config.buffer + cache.known[0].len()), (&cache.decoder, cache.input.dims()[0])];
        for (keys_values, rows) in expected {
            if let Some(found) = keys_values.iter().map(|rows| rows.dims()[0]).find(|found| *found != rows) {
                return Err(self
                    .recording
                    .wrong(format!("expected keys and values of {}, found {found}", gtr_core::count(rows, "row"))));
            }
        }
        Ok(cache)
    }

    /// Compares what the step computes for an image. Returns true if kept tokens were exchanged.
    fn parts(
        &self,
        generator: &mut MarGenerator,
        image: usize,
        cache: &GroupCache,
        checks: &mut Checks<'_>,
    ) -> Result<bool, BackendError> {
        let (class, known, targets) = self.run.image(self.number, image);
        let Some(parts) = self.run.cached(self.number) else {
            return Err(self.recording.wrong(format!("step {} takes no caches", self.number)));
        };
        let places = index(known.iter().map(|&token| token as usize), generator.model().device());
        let values = places.and_then(|places| self.run.tokens().get(image)?.index_select(&places, 0)?.unsqueeze(0));
        let values = Some(values.context("selecting known tokens")?);
        let group = Group { sequences: vec![Sequence { class, known, targets }], values };
        let mut new = self.run.previous(self.number, image).to_vec();
        new.sort_unstable();
        let model = generator.model();
        let encoded = model.encode_new(&group, &[new], Some(&cache.encoder)).context("computing the encoder")?.0;
        checks.tensors("enc_out", &encoded, &self.rows("enc_out", image)?, ENCODED)?;
        let (out, after) =
            model.pass(&group, Some((cache.clone(), parts)), true).context("computing encoder and decoder")?;
        checks.tensors("x0_after", &after.input, &self.rows("x0_after", image)?, ENCODED)?;
        let selected = after.selected.as_deref();
        let mut exchanged = false;
        if let Some(pruning) = parts.decoder {
            let block = pruning.block as usize;
            let caches = [&cache.decoder[block], &after.decoder[block]];
            exchanged = compare(self.run, self.number, image, caches, selected, checks)?;
        }
        let last = self.rows("dec_last", image)?;
        let last = match selected {
            Some(rows) => index(rows.iter().copied(), last.device()).and_then(|rows| last.index_select(&rows, 0)),
            None => Ok(last),
        };
        if !exchanged {
            checks.tensors("dec_last", &out, &last.context("selecting rows")?, DECODED)?;
        }
        Ok(exchanged)
    }

    /// Compares the conditioning vectors.
    fn vectors(
        &self,
        generator: &mut MarGenerator,
        caches: Vec<GroupCache>,
        checks: &mut Checks<'_>,
    ) -> Result<(), BackendError> {
        let images = caches.len();
        let difference = (0..images).map(|image| self.rows("delta", image)).collect::<Result<Vec<_>, _>>()?;
        let mut canvas = self.run.state(generator, self.number, images)?;
        canvas.keep(Kept { conditional: caches, unconditional: Vec::new(), difference });
        let targets = self.run.targets(generator, self.number, images)?;
        let found = generator.features(&mut canvas, &targets, &self.run.context(self.number, true))?;
        let (rows, all) = (targets.rows().len(), targets.per_image() * self.run.images);
        let z = halves(self.run.recording, &format!("step{}.z", self.number), all, sizes(generator).1, true)?;
        let first = |half: &Tensor| half.narrow(0, 0, rows).context("selecting rows");
        checks.tensors("z", &found.conditional, &first(&z.conditional)?, VECTORS)?;
        if let (Some(found), Some(expected)) = (&found.unconditional, &z.unconditional) {
            checks.tensors("z, unconditional", found, &first(expected)?, VECTORS)?;
        }
        Ok(())
    }
}
