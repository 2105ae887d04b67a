//! Number of operations that these backends execute. It is lower than that of the published code, with the same result.

use gtr_core::Plan;
use gtr_core::cost::{ArchSpec, Cost, StackSpec};

use crate::counts::{float, product};

/// Counts the operations executed for one image of a plan, by part. Differences to [`ArchSpec::cost`], which counts the
/// published code:
///
/// - The last block of the decoder, and the text decoder, are evaluated only at the targets.
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
    let halves = if guided { 2.0 } else { 1.0 };
    let stacks = if arch.text.is_some() { 1.0 } else { halves };
    let (mut cost, mut known, tokens) = (Cost::default(), 0, plan.grid().tokens());
    for step in plan.steps() {
        let (seen, all) = (float(arch.buffer + known), float(arch.buffer + tokens));
        let targets = float(step.tokens());
        let (encoder, decoder) = (arch.encoder, arch.decoder);
        cost.encoder += stacks * (product(float(known), arch.token_channels, encoder.width) + encoder.products(seen));
        cost.attention += stacks * encoder.attention(seen, seen);
        let body = StackSpec { depth: decoder.depth.saturating_sub(1), ..decoder };
        let last = product(all + targets, decoder.width, 2 * decoder.width)
            + 2.0 * product(targets, decoder.width, decoder.hidden);
        cost.decoder += stacks * (product(seen, encoder.width, decoder.width) + body.products(all) + last);
        let one = StackSpec { depth: 1, ..decoder };
        cost.attention += stacks * (body.attention(all, all) + one.attention(targets, all));
        let mut condition = decoder.width;
        if let Some(text) = arch.text {
            let (stack, rows) = (text.decoder, halves * targets);
            let block = product(rows, stack.width, 2 * stack.width) + 2.0 * product(rows, stack.width, stack.hidden);
            cost.decoder += product(targets, decoder.width, stack.width) + float(stack.depth) * block;
            cost.attention += stack.attention(rows, float(text.length));
            condition = stack.width;
        }
        cost.head += product(halves * targets, condition, arch.head.width);
        known += step.tokens();
    }
    let width = arch.head.width;
    let block = product(1.0, width, 5 * width);
    let outside = product(1.0, width, 2 * width) + product(1.0, width, 2 * arch.token_channels);
    let evaluation = product(1.0, arch.token_channels, width) + halves * (float(arch.head.depth) * block + outside);
    cost.head += float(plan.summary().token_evaluations) * evaluation;
    if let Some(text) = arch.text {
        let keys = product(float(text.length), text.decoder.width, 2 * text.decoder.width);
        cost.text = text.once() + float(text.decoder.depth) * keys;
    }
    cost
}
