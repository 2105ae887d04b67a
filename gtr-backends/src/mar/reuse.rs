//! Reuse between AR steps: the passes through the transformer that keep and take caches.
//!
//! # Source
//! LazyMAR, arXiv 2503.12450, as its published code computes it. Of the first pruned block, only the attention of kept
//! tokens is computed, because that of the others is not used. Tokens of this step and of the step before are always
//! kept, also if the values of other tokens have changed more.

use candle_core::Tensor;
use gtr_core::{CachedParts, Pruning, StepContext, Targets};
use rayon::prelude::*;

use super::config::Class;
use super::model::{MarModel, Sequence};
use super::selection::{Ranking, similarities};
use crate::BackendError;
use crate::compute::{ComputePath, run_call};
use crate::diffusion::Conditions;
use crate::error::Context;
use crate::latent::Canvas;
use crate::layers::{concatenate, index};

/// What a batch keeps between AR steps.
///
/// On the CPU a group is one sequence, that is, one half of one image. On other devices it is one half of the batch.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Caches of the groups of the conditional half; empty before the first complete step.
    pub(crate) conditional: Vec<GroupCache>,
    /// Caches of the groups of the unconditional half; empty if the last step did not compute it.
    pub(crate) unconditional: Vec<GroupCache>,
    /// Output of the last block of the decoder in the last complete step, unconditional minus conditional half: for each
    /// group, `[sequences * length, width]`. Empty if that step was not guided.
    pub(crate) difference: Vec<Tensor>,
}

/// What a group of sequences keeps between AR steps. `length` is the number of buffer tokens and of tokens of the grid.
#[derive(Clone, Debug)]
pub(crate) struct GroupCache {
    /// For each sequence, the tokens that were known before the step, in ascending order.
    pub(crate) known: Vec<Vec<u32>>,
    /// Keys and values of each block of the encoder: buffer, then known tokens in the order in which they were computed,
    /// `[sequences * (buffer + known), 2 * width]`.
    pub(crate) encoder: Vec<Tensor>,
    /// Input of the decoder, `[sequences * length, width]`.
    pub(crate) input: Tensor,
    /// Keys and values of each block of the decoder, `[sequences * length, 2 * width]`.
    pub(crate) decoder: Vec<Tensor>,
    /// Rows of [`GroupCache::input`] that the last step kept, in ascending order; `None` if it kept all of them.
    pub(crate) selected: Option<Vec<usize>>,
}

/// Sequences that are computed together.
pub(crate) struct Group<'a> {
    pub(crate) sequences: Vec<Sequence<'a>>,
    /// Values of the known tokens, `[sequences, known, channels]`; `None` if no token is known.
    pub(crate) values: Option<Tensor>,
}

/// A group, and what it takes from earlier steps; `None` if it computes everything.
type Task<'a> = (Group<'a>, Option<(GroupCache, CachedParts)>);

impl MarModel {
    /// Returns the conditioning vectors of a step that keeps what later steps take. `cached` are the parts that it takes
    /// itself; `None` if it computes everything.
    pub(super) fn reusing(
        &self,
        canvas: &mut Canvas<Class>,
        targets: &Targets,
        step: &StepContext,
        cached: Option<CachedParts>,
    ) -> Result<Conditions, BackendError> {
        self.reusing_in(self.compute().path() == ComputePath::Device, canvas, targets, step, cached)
    }

    /// [`MarModel::reusing`] in groups of one sequence, computed in parallel, or of one half if `together`.
    fn reusing_in(
        &self,
        together: bool,
        canvas: &mut Canvas<Class>,
        targets: &Targets,
        step: &StepContext,
        cached: Option<CachedParts>,
    ) -> Result<Conditions, BackendError> {
        let guided = canvas.guided() && step.is_guided();
        let by_difference = guided && cached.is_some_and(|parts| parts.guidance);
        let kept = canvas.take_kept::<Kept>().unwrap_or_default();
        let (known, wanted) = (canvas.known()?, canvas.positions(targets)?);
        let groups = |conditional: bool| {
            let images = canvas.prompts().iter().zip(&known).zip(wanted.chunks_exact(targets.per_image()));
            let images = images.map(|((class, (values, known)), targets)| {
                let class = class.filter(|_| conditional).map(Class::get);
                (Sequence { class, known, targets }, values.clone())
            });
            self.groups(together, &images.collect::<Vec<_>>())
        };
        let mut tasks = taking(groups(true)?, kept.conditional, cached)?;
        if guided && !by_difference {
            tasks.extend(taking(groups(false)?, kept.unconditional, cached)?);
        }
        let whole = guided && cached.is_none();
        let mut conditional = self.passes(together, tasks, whole)?;
        let count = if guided && !by_difference { conditional.len() / 2 } else { conditional.len() };
        let (unconditional, unconditional_caches) = conditional.split_off(count).into_iter().unzip();
        let (conditional, conditional_caches) = conditional.into_iter().unzip();
        let (unconditional, conditional): (Vec<Tensor>, Vec<Tensor>) = (unconditional, conditional);
        let mut difference = kept.difference;
        let conditions = run_call(self.compute(), || {
            if cached.is_none() {
                let pairs = conditional.iter().zip(&unconditional);
                difference = pairs.map(|(with, without)| without - with).collect::<candle_core::Result<_>>()?;
            }
            let rows = Rows { model: self, targets: &wanted, per_group: wanted.len() / count };
            let asked = |groups: &[Tensor]| if whole { rows.select(groups) } else { concatenate(groups) };
            let with = asked(&conditional)?;
            let without = match guided {
                true if by_difference => Some((&with + rows.select(&difference)?)?),
                true => Some(asked(&unconditional)?),
                false => None,
            };
            candle_core::Result::Ok(Conditions {
                conditional: rows.vectors(&with)?,
                unconditional: without.map(|rows_without| rows.vectors(&rows_without)).transpose()?,
            })
        });
        let conditions = conditions.context("computing conditioning vectors")?;
        if step.keeps {
            canvas.keep(Kept { conditional: conditional_caches, unconditional: unconditional_caches, difference });
        }
        Ok(conditions)
    }

    /// Divides the sequences of one half into groups.
    fn groups<'a>(
        &self,
        together: bool,
        sequences: &[(Sequence<'a>, Option<Tensor>)],
    ) -> Result<Vec<Group<'a>>, BackendError> {
        let size = if together { sequences.len().max(1) } else { 1 };
        let group = |group: &[(Sequence<'a>, Option<Tensor>)]| {
            let sequences: Vec<_> = group.iter().map(|(sequence, _)| *sequence).collect();
            self.known(&sequences)?;
            let values: Vec<_> = group.iter().filter_map(|(_, values)| values.clone()).collect();
            let values = (!values.is_empty()).then(|| concatenate(&values)).transpose();
            Ok(Group { sequences, values: values.context("joining known tokens")? })
        };
        sequences.chunks(size).map(group).collect()
    }

    /// Computes groups, those of one sequence in parallel. Returns the result of [`MarModel::pass`] for each.
    fn passes(
        &self,
        together: bool,
        tasks: Vec<Task<'_>>,
        whole: bool,
    ) -> Result<Vec<(Tensor, GroupCache)>, BackendError> {
        let pass = |(group, cache): Task<'_>| {
            run_call(self.compute(), || self.pass(&group, cache, whole)).context("computing encoder and decoder")
        };
        if together {
            // One thread submits all work of a device.
            tasks.into_iter().map(pass).collect()
        } else {
            tasks.into_par_iter().map(pass).collect()
        }
    }

    /// Runs encoder and decoder. Returns the output of the last block of the decoder, and the caches after the step.
    ///
    /// # Shapes
    /// returns: all rows that are computed if `whole`, which are `[sequences * length, width]` unless some are selected;
    /// otherwise the rows of the targets.
    pub(crate) fn pass(
        &self,
        group: &Group<'_>,
        taken: Option<(GroupCache, CachedParts)>,
        whole: bool,
    ) -> candle_core::Result<(Tensor, GroupCache)> {
        let (cache, parts) = taken.unzip();
        let new = group.sequences.iter().enumerate().map(|(number, sequence)| match &cache {
            Some(cache) => without(sequence.known, &cache.known[number]),
            None => sequence.known.to_vec(),
        });
        let new: Vec<Vec<u32>> = new.collect();
        let taken = cache.as_ref().filter(|_| parts.is_some_and(|parts| parts.encoder));
        let all = known(group);
        let computed = if taken.is_some() { &new } else { &all };
        let (encoded, keys_values) = self.encode_new(group, computed, taken.map(|cache| &cache.encoder[..]))?;
        let input = self.input_with(&encoded, computed, taken.map(|cache| &cache.input))?;
        let pruning = parts.and_then(|parts| parts.decoder).zip(cache.as_ref().map(|cache| &cache.decoder[..]));
        let decoder = Decoder { model: self, group, new: &new, pruning };
        let (out, decoder, selected) = decoder.run(&input, whole)?;
        Ok((out, GroupCache { known: all, encoder: keys_values, input, decoder, selected }))
    }

    /// Runs the encoder on the buffer and some known tokens of each sequence. Keys and values of the other tokens are
    /// those of `cache`. Returns the output for these tokens, `[sequences * (buffer + tokens), width]`, and the keys and
    /// values of all.
    pub(crate) fn encode_new(
        &self,
        group: &Group<'_>,
        tokens: &[Vec<u32>],
        cache: Option<&[Tensor]>,
    ) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
        let (count, each) = (group.sequences.len(), tokens.first().map_or(0, Vec::len));
        let sequences = group.sequences.iter().zip(tokens);
        let sequences: Vec<_> = sequences.map(|(sequence, tokens)| Sequence { known: tokens, ..*sequence }).collect();
        let values = match &group.values {
            Some(values) if each > 0 => Some(chosen(values, group, tokens)?),
            _ => None,
        };
        let mut x = self.encoder_input(&sequences, values.as_ref(), each)?;
        let mut keys_values = Vec::with_capacity(self.encoder().len());
        for (number, block) in self.encoder().iter().enumerate() {
            let looked = block.look(&x)?;
            let all = match cache {
                Some(cache) => extended(&cache[number], &looked.keys_values, count, self.config().buffer)?,
                None => looked.keys_values.clone(),
            };
            x = block.answer(&x, &looked, all.clone(), count, None)?;
            keys_values.push(all);
        }
        Ok((self.encoded(&x)?, keys_values))
    }

    /// Returns the input of the decoder: that of the step before, or mask tokens, with the rows of the buffer and of
    /// `tokens` replaced by the output of the encoder.
    fn input_with(
        &self,
        encoded: &Tensor,
        tokens: &[Vec<u32>],
        before: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let (buffer, length, count) = (self.config().buffer, self.length(), tokens.len());
        let before = match before {
            Some(before) => before.clone(),
            None => concatenate(&vec![self.masked_input()?; count])?,
        };
        let positions = |tokens: &[u32]| -> Vec<usize> {
            (0..buffer).chain(tokens.iter().map(|&token| buffer + token as usize)).collect()
        };
        let positions: Vec<_> = tokens.iter().map(|tokens| positions(tokens)).collect();
        let rows = self.decoder_input(encoded, positions.iter().flatten().copied())?;
        let places = positions.iter().enumerate();
        let places = places.flat_map(|(number, positions)| positions.iter().map(move |place| number * length + place));
        replaced(&before, &rows, &places.collect::<Vec<_>>())
    }

    /// Number of rows of a sequence of the decoder.
    fn length(&self) -> usize {
        self.config().buffer + self.config().tokens()
    }
}

/// The decoder of a group.
struct Decoder<'a> {
    model: &'a MarModel,
    group: &'a Group<'a>,
    /// For each sequence, the tokens that have become known since the step before.
    new: &'a [Vec<u32>],
    /// How rows are selected, and the keys and values of the step before.
    pruning: Option<(Pruning, &'a [Tensor])>,
}

impl Decoder<'_> {
    /// Returns the output of the last block, of all rows if `whole`, otherwise of the targets; keys and values of all
    /// rows; and the selected rows, if any are left out.
    fn run(&self, input: &Tensor, whole: bool) -> candle_core::Result<(Tensor, Vec<Tensor>, Option<Vec<usize>>)> {
        let (count, blocks) = (self.group.sequences.len(), self.model.decoder());
        let mut x = input.clone();
        let mut keys_values = Vec::with_capacity(blocks.len());
        // Rows of the input that `x` consists of, in ascending order; `None` for all.
        let mut rows: Option<Vec<usize>> = None;
        for (number, block) in blocks.iter().enumerate() {
            let looked = block.look(&x)?;
            let all = match (&rows, self.pruning) {
                (Some(rows), Some((_, before))) => replaced(&before[number], &looked.keys_values, rows)?,
                _ => looked.keys_values.clone(),
            };
            let selected = if rows.is_none() { self.select(number, &all, block.heads())? } else { None };
            // Only the rows of the targets are needed from the last block.
            let asked = if number + 1 == blocks.len() && !whole {
                Some(self.targets(rows.as_deref())?)
            } else {
                selected.clone()
            };
            let asked = asked.map(|asked| index(asked.into_iter(), x.device())).transpose()?;
            x = block.answer(&x, &looked, all.clone(), count, asked.as_ref())?;
            keys_values.push(all);
            rows = rows.or(selected);
        }
        Ok((x, keys_values, rows))
    }

    /// Returns the rows that the block at `number` selects; `None` if it keeps all rows.
    fn select(&self, number: usize, keys_values: &Tensor, heads: usize) -> candle_core::Result<Option<Vec<usize>>> {
        let Some((pruning, before)) = self.pruning.filter(|(pruning, _)| pruning.block as usize == number) else {
            return Ok(None);
        };
        let (length, buffer) = (self.model.length(), self.model.config().buffer);
        let now = self.group.sequences.first().map_or(0, |sequence| sequence.targets.len());
        let kept = pruning.kept(length, now + self.new.first().map_or(0, Vec::len));
        if kept == length {
            return Ok(None);
        }
        let similarities = similarities(keys_values, &before[number], heads)?;
        let sequences = self.group.sequences.iter().zip(self.new).zip(similarities.chunks_exact(length));
        let rows = sequences.enumerate().flat_map(|(number, ((sequence, new), similarities))| {
            let ranking = Ranking { similarities, buffer, now: sequence.targets, new };
            ranking.lowest(kept).into_iter().map(move |position| number * length + position)
        });
        Ok(Some(rows.collect()))
    }

    /// Returns the places of the targets among `rows`, in ascending order; `None` means all rows.
    fn targets(&self, rows: Option<&[usize]>) -> candle_core::Result<Vec<usize>> {
        let (length, buffer) = (self.model.length(), self.model.config().buffer);
        let sequences = self.group.sequences.iter().enumerate();
        let targets = sequences.flat_map(|(number, sequence)| {
            sequence.targets.iter().map(move |&target| number * length + buffer + target as usize)
        });
        let place = |row: usize| match rows {
            Some(rows) => rows.binary_search(&row).map_err(|_| candle_core::Error::msg("a target is not selected")),
            None => Ok(row),
        };
        targets.map(place).collect()
    }
}

/// Rows of the targets of a batch.
struct Rows<'a> {
    model: &'a MarModel,
    /// Targets of all images.
    targets: &'a [u32],
    /// Number of targets of a group.
    per_group: usize,
}

impl Rows<'_> {
    /// Selects the rows of the targets from all rows of each group, `[sequences * length, width]`.
    fn select(&self, groups: &[Tensor]) -> candle_core::Result<Tensor> {
        let (length, buffer) = (self.model.length(), self.model.config().buffer);
        let groups = groups.iter().zip(self.targets.chunks_exact(self.per_group)).map(|(rows, targets)| {
            let per_image = self.per_group * length / rows.dim(0)?;
            let row = |(place, &target): (usize, &u32)| place / per_image * length + buffer + target as usize;
            rows.index_select(&index(targets.iter().enumerate().map(row), rows.device())?, 0)
        });
        concatenate(&groups.collect::<candle_core::Result<Vec<_>>>()?)
    }

    /// Converts the output of the last block at the targets to conditioning vectors.
    fn vectors(&self, rows: &Tensor) -> candle_core::Result<Tensor> {
        self.model.vectors_of(rows, self.targets.iter().map(|&target| target as usize))
    }
}

/// Adds the caches to groups that take parts of them.
fn taking(
    groups: Vec<Group<'_>>,
    kept: Vec<GroupCache>,
    cached: Option<CachedParts>,
) -> Result<Vec<Task<'_>>, BackendError> {
    let Some(parts) = cached else { return Ok(groups.into_iter().map(|group| (group, None)).collect()) };
    if kept.len() != groups.len() {
        let reason = "the step takes results of an earlier step, but no earlier step has kept them";
        return Err(BackendError::Request(reason.to_owned()));
    }
    Ok(groups.into_iter().zip(kept).map(|(group, cache)| (group, Some((cache, parts)))).collect())
}

/// Known tokens of each sequence.
fn known(group: &Group<'_>) -> Vec<Vec<u32>> {
    group.sequences.iter().map(|sequence| sequence.known.to_vec()).collect()
}

/// Returns the elements of a list that are not in another one, which is sorted.
fn without(list: &[u32], other: &[u32]) -> Vec<u32> {
    list.iter().copied().filter(|element| other.binary_search(element).is_err()).collect()
}

/// Returns the values of some known tokens, the same number in each sequence: `[sequences, tokens, channels]`.
fn chosen(values: &Tensor, group: &Group<'_>, tokens: &[Vec<u32>]) -> candle_core::Result<Tensor> {
    let sequences = group.sequences.iter().zip(tokens).enumerate().map(|(number, (sequence, tokens))| {
        let place = |token: &u32| sequence.known.binary_search(token).unwrap_or_default();
        values.narrow(0, number, 1)?.index_select(&index(tokens.iter().map(place), values.device())?, 1)
    });
    concatenate(&sequences.collect::<candle_core::Result<Vec<_>>>()?)
}

/// Replaces the first `buffer` rows of each sequence by those of `new`, and appends the other rows of `new`.
fn extended(cache: &Tensor, new: &Tensor, count: usize, buffer: usize) -> candle_core::Result<Tensor> {
    let width = cache.dim(1)?;
    let [cache, new] = [cache, new].map(|rows| rows.reshape((count, (), width)));
    let (cache, new) = (cache?, new?);
    let rest = |rows: &Tensor| rows.narrow(1, buffer, rows.dim(1)? - buffer);
    let all = Tensor::cat(&[new.narrow(1, 0, buffer)?, rest(&cache)?, rest(&new)?], 1)?;
    all.contiguous()?.flatten_to(1)
}

/// Returns `rows` with those at `places` replaced by `new`, one for each place.
fn replaced(rows: &Tensor, new: &Tensor, places: &[usize]) -> candle_core::Result<Tensor> {
    let count = rows.dim(0)?;
    let mut from: Vec<usize> = (0..count).collect();
    for (number, &place) in places.iter().enumerate() {
        from[place] = count + number;
    }
    Tensor::cat(&[rows, new], 0)?.index_select(&index(from.into_iter(), rows.device())?, 0)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use gtr_core::{Fraction, MaskedGenerator, StepReuse, TokenIndex};

    use super::*;
    use crate::mar::MarGenerator;

    fn digits() -> MarGenerator {
        crate::open_mar("digits", &crate::Files::default(), &Device::Cpu).unwrap()
    }

    fn list(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Runs steps of three tokens of two images, guided except for step 4. Returns the vectors of all steps.
    fn run(together: bool, parts: CachedParts) -> Vec<Vec<f32>> {
        let mut generator = digits();
        let classes = [3, 8].map(|class| generator.class(class).unwrap());
        let mut canvas = generator.canvas(&classes, true).unwrap();
        let grid = generator.grid();
        let order = |image: usize| -> Vec<TokenIndex> {
            (0..64).map(|place| grid.token((place * [29, 11][image] + 7) % 64).unwrap()).collect()
        };
        let orders = [order(0), order(1)];
        let mut all = Vec::new();
        for number in 0..9 {
            let targets = Targets::new(orders.iter().map(|order| &order[3 * number..3 * number + 3]));
            let cached = (![0, 5].contains(&number)).then_some(parts);
            let guidance = if number == 4 { 1.0 } else { 2.0 };
            let step = StepContext { guidance, keeps: true, ..StepContext::single(64, 3 * number) };
            let found = generator.model().reusing_in(together, &mut canvas, &targets, &step, cached).unwrap();
            all.extend([Some(&found.conditional), found.unconditional.as_ref()].into_iter().flatten().map(list));
            let values = (0..96_u8).map(|place| (f32::from(place) * 0.7).sin()).collect();
            generator.commit(&mut canvas, &targets, Tensor::from_vec(values, (6, 16), &Device::Cpu).unwrap()).unwrap();
        }
        all
    }

    fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
        assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), b.iter().map(Vec::len).collect::<Vec<_>>());
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        pairs.fold(0.0, |largest, (a, b)| if (a - b).is_nan() { f32::INFINITY } else { largest.max((a - b).abs()) })
    }

    fn parts(encoder: bool, keep: Option<f64>, block: u32, guidance: bool) -> CachedParts {
        let pruning = |keep| Pruning { block, keep: Fraction::new(keep).unwrap(), slack: 5 };
        CachedParts { encoder, decoder: keep.map(pruning), guidance }
    }

    /// Groups of a half of the batch, as on a device, agree with groups of one sequence.
    #[test]
    fn both_groupings_agree() {
        let last = u32::try_from(digits().config().decoder.depth).unwrap() - 1;
        for parts in [
            parts(true, Some(0.3), 1, true),
            parts(true, Some(0.3), last, true),
            parts(true, None, 0, true),
            parts(false, Some(0.2), 0, true),
            parts(false, None, 0, true),
        ] {
            let distance = distance(&run(true, parts), &run(false, parts));
            assert!(distance < 1e-4, "{parts:?}: {distance}");
        }
    }

    /// Without reuse of the difference, the unconditional half has its own caches. Step 4 is not guided, so the steps after
    /// it up to the next complete one have none.
    #[test]
    fn halves_without_caches_are_refused() {
        let mut generator = digits();
        let class = generator.class(1).unwrap();
        let mut canvas = generator.canvas(&[class], true).unwrap();
        let tokens: Vec<_> = generator.grid().iter().take(3).collect();
        let mut step = |number: usize, guidance: f64, cached: Option<CachedParts>| {
            let targets = Targets::new([&tokens[number..=number]]);
            let step = StepContext { guidance, keeps: true, ..StepContext::single(64, number) };
            let found = generator.model().reusing(&mut canvas, &targets, &step, cached);
            let values = Tensor::zeros((1, 16), candle_core::DType::F32, &Device::Cpu).unwrap();
            generator.commit(&mut canvas, &targets, values).unwrap();
            found.map(|found| found.unconditional.is_some()).map_err(|error| error.to_string())
        };
        let both = parts(true, Some(0.3), 1, false);
        let missing = "no earlier step has kept them";
        assert!(step(0, 2.0, Some(both)).unwrap_err().contains(missing));
        assert_eq!(step(1, 1.0, None), Ok(false));
        assert!(step(2, 2.0, Some(both)).unwrap_err().contains(missing));
    }

    /// A step keeps its results only if the next step takes them. What it computes is the same.
    #[test]
    fn nothing_is_kept_that_no_step_takes() {
        let mut generator = digits();
        let class = generator.class(6).unwrap();
        let tokens: Vec<_> = generator.grid().iter().take(2).collect();
        let targets = Targets::new([&tokens[..]]);
        let complete = StepReuse { cached: None, head: None };
        let mut vectors = |keeps| {
            let mut canvas = generator.canvas(&[class], true).unwrap();
            let step = StepContext { guidance: 2.0, reuse: Some(complete), keeps, ..StepContext::single(64, 0) };
            let found = generator.features(&mut canvas, &targets, &step).unwrap();
            assert_eq!(canvas.take_kept::<Kept>().is_some(), keeps);
            [list(&found.conditional), list(found.unconditional.as_ref().unwrap())]
        };
        assert_eq!(vectors(false), vectors(true));
        // What an earlier step has kept is dropped, not taken by a step after the next one.
        let mut canvas = generator.canvas(&[class], true).unwrap();
        for keeps in [true, false] {
            let step = StepContext { guidance: 2.0, keeps, ..StepContext::single(64, 0) };
            generator.features(&mut canvas, &targets, &step).unwrap();
        }
        assert!(canvas.take_kept::<Kept>().is_none());
    }
}
