//! Number of operations that these backends execute. It is lower than that of the published code, with the same result.

use gtr_core::cost::{ArchSpec, Cost, HeadPasses, StackSpec, StepWork, product};
use gtr_core::{Plan, float};

/// Counts the operations executed for one image of a plan, by part. Differences to [`ArchSpec::cost`], which counts the
/// published code:
///
/// - The last block of the decoder, and the text decoder, are evaluated only at the targets. Guided
///   steps that compute everything evaluate it everywhere if the next step takes parts of the transformer.
/// - Of the block that selects tokens for [reuse](gtr_core::StepReuse), only keys and values are computed for the others.
/// - What reuse takes from earlier steps is not projected and embedded again either.
/// - Without a class token in the sequence, encoder and decoder run once for both halves of the guidance.
/// - Conditioning vectors are embedded once per AR step, texts once per image, timesteps once per model, and noisy tokens once
///   for both halves.
///
/// Padding rows of tiles are not counted.
///
/// # Examples
/// ```
/// use gtr_core::{Registry, preset};
/// let spec = gtr_backends::spec("mar-b")?;
/// let plan = preset::find("gtr-16")?.schedule.plan(spec.grid, &Registry::builtin())?.plan;
/// let (executed, published) = (gtr_backends::executed(&spec.arch, &plan, true), spec.arch.cost(&plan, true));
/// assert!(executed.total() < published.total());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn executed(arch: &ArchSpec, plan: &Plan, guided: bool) -> Cost {
    let (mut cost, tokens) = (Cost::default(), plan.grid().tokens());
    for (step, work) in plan.steps().iter().zip(StepWork::of(plan, guided)) {
        encoder(arch, &work, &mut cost);
        decoder(arch, tokens, &work, &mut cost);
        text_decoder(arch, &work, &mut cost);
        for (tokens, evaluations) in plan.token_evaluations(step) {
            cost.head += float(tokens) * draw(arch, evaluations, &work);
        }
    }
    if let Some(text) = arch.text {
        let keys = product(float(text.length), text.decoder.width, 2 * text.decoder.width);
        cost.text = text.once() + float(text.decoder.depth) * keys;
    }
    cost
}

/// Number of times that encoder and decoder run.
fn stacks(arch: &ArchSpec, work: &StepWork) -> f64 {
    if arch.text.is_some() { 1.0 } else { work.halves() }
}

fn encoder(arch: &ArchSpec, work: &StepWork, cost: &mut Cost) {
    let (encoder, stacks, rows) = (arch.encoder, stacks(arch, work), work.encoder_rows(arch.buffer));
    let (new, seen) = (float(rows - arch.buffer), float(arch.buffer + work.known));
    cost.encoder += stacks * (product(new, arch.token_channels, encoder.width) + encoder.products(float(rows)));
    cost.attention += stacks * encoder.attention(float(rows), seen);
}

fn decoder(arch: &ArchSpec, tokens: usize, work: &StepWork, cost: &mut Cost) {
    let (decoder, stacks, length) = (arch.decoder, stacks(arch, work), arch.buffer + tokens);
    cost.decoder += stacks * product(float(work.encoder_rows(arch.buffer)), arch.encoder.width, decoder.width);
    let whole = work.keeps && work.guided && work.cached.is_none();
    let mut rows = length;
    for number in 0..decoder.depth {
        let selected = work.pruning(length).filter(|(pruning, _)| pruning.block as usize == number);
        let asked = match selected {
            _ if number + 1 == decoder.depth && !whole => work.tokens,
            Some((_, kept)) => kept,
            None => rows,
        };
        let (computed, out) = (float(rows), float(asked));
        let projections = product(computed + out, decoder.width, 2 * decoder.width);
        cost.decoder += stacks * (projections + 2.0 * product(out, decoder.width, decoder.hidden));
        let one = StackSpec { depth: 1, ..decoder };
        cost.attention += stacks * one.attention(out, float(length));
        rows = asked;
    }
}

fn text_decoder(arch: &ArchSpec, work: &StepWork, cost: &mut Cost) {
    let Some(text) = arch.text else { return };
    let (stack, targets) = (text.decoder, float(work.tokens));
    let rows = targets * if work.guided { 2.0 } else { 1.0 };
    let block = product(rows, stack.width, 2 * stack.width) + 2.0 * product(rows, stack.width, stack.hidden);
    cost.decoder += product(targets, arch.decoder.width, stack.width) + float(stack.depth) * block;
    cost.attention += stack.attention(rows, float(text.length));
}

/// Operations of the head for one token.
fn draw(arch: &ArchSpec, evaluations: usize, work: &StepWork) -> f64 {
    let (halves, width) = (if work.guided { 2.0 } else { 1.0 }, arch.head.width);
    let condition = arch.text.map_or(arch.decoder.width, |text| text.decoder.width);
    let input = product(1.0, arch.token_channels, width);
    let output = product(1.0, width, 2 * width) + product(1.0, width, 2 * arch.token_channels);
    let (modulation, mlp) = (product(1.0, width, 3 * width), product(1.0, width, 2 * width));
    let (all, some) = (float(arch.head.depth), float(arch.head.computed_blocks()));
    let passes = HeadPasses::of(evaluations, work.head);
    halves * product(1.0, condition, width)
        + float(passes.complete) * (input + halves * (all * (modulation + mlp) + output))
        + float(passes.warm) * (input + some * (modulation + mlp) + output)
        + float(passes.cached) * (input + some * modulation + output)
}
