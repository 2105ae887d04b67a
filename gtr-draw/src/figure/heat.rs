//! Draws the contribution of each token to the loss as a map.

use super::view::PlanView;
use crate::area::Area;
use crate::loss::nats;
use crate::palette::{GIVEN, RULE, ramp};
use crate::svg::{Look, Svg, Type};

/// Longer side of the map, in pixels.
const SIDE: f64 = 240.0;

/// Height and width of the colour scale below the map.
const SCALE: (f64, f64) = (8.0, 120.0);

/// Number of colours of the scale.
const SHADES: u32 = 24;

/// Returns the largest contribution of a token in any of the plans.
pub(super) fn most(plans: &[PlanView<'_>]) -> f64 {
    plans.iter().filter_map(PlanView::loss).flat_map(|loss| &loss.tokens).copied().fold(0.0, f64::max)
}

/// Draws the map and its colour scale, which ends at `most`. Returns the height.
pub(super) fn draw(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), most: f64) -> f64 {
    let (rows, columns) = shown.window();
    let side = (2.0 * SIDE / f64::from(rows.max(columns))).floor().max(2.0) / 2.0;
    svg.group("loss", Look::default(), |svg| {
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let cell = Area::new(left + f64::from(column) * side, top + f64::from(row) * side, side, side);
            let colour = match (shown.step_at(row, column), shown.loss_at(row, column)) {
                (Some(_), Some(loss)) => ramp(share(loss, most)),
                _ => GIVEN,
            };
            svg.rect(cell.inside([0.25; 4]), Look::fill(colour));
        }
        let below = top + f64::from(rows) * side + 10.0;
        scale(svg, (left, below), most);
    });
    f64::from(rows) * side + 10.0 + SCALE.0 + 6.0
}

fn scale(svg: &mut Svg, (left, top): (f64, f64), most: f64) {
    let set = Type::new(10.0);
    let baseline = top + SCALE.0 / 2.0 + set.drop();
    svg.text((left, baseline), "0", set);
    let from = left + 12.0;
    let wide = SCALE.1 / f64::from(SHADES);
    for shade in 0..SHADES {
        let area = Area::new(from + f64::from(shade) * wide, top, wide, SCALE.0);
        svg.rect(area, Look::fill(ramp(f64::from(shade) / f64::from(SHADES - 1))));
    }
    svg.rect(Area::new(from, top, SCALE.1, SCALE.0), Look::stroke(RULE, 0.5));
    svg.text((from + SCALE.1 + 6.0, baseline), &format!("{} nats", nats(most)), set);
}

/// Returns a loss as a share of the largest.
fn share(loss: f64, most: f64) -> f64 {
    if most > 0.0 { (loss / most).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_relative_to_the_largest() {
        assert_eq!([share(0.0, 2.0), share(1.0, 2.0), share(2.0, 2.0), share(0.0, 0.0)], [0.0, 0.5, 1.0, 0.0]);
    }
}
