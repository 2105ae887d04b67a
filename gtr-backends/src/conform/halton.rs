//! `halton`: token orders.

use gtr_core::{AxisConfig, Grid};
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, whole_list};
use crate::BackendError;

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let grids = recording.value("/grids")?.as_object().ok_or_else(|| recording.wrong("`grids` is not an object"))?;
    for (name, recorded) in grids {
        let wrong = |reason: &str| recording.wrong(format!("grid `{name}`: {reason}"));
        let [height, width] = sides(name, recorded).ok_or_else(|| wrong("its size is missing"))?;
        let grid = Grid::new(height, width).map_err(|error| wrong(&error.to_string()))?;
        if grid.tokens() > 1 << 20 {
            return Err(wrong("it is too large to compare"));
        }
        let order = recorded.get("order_flat_row_major").unwrap_or(recorded);
        let expected = whole_list(order).ok_or_else(|| wrong("it has no order"))?;
        let halton = checks.inputs.registry.build_order(&AxisConfig::new("halton"));
        let partition = halton.and_then(|halton| halton.partition(grid)).map_err(|error| wrong(&error.to_string()))?;
        let found: Vec<usize> = partition.subsets().iter().flatten().map(|token| token.index()).collect();
        // A recording may end before every cell is covered.
        let partial = recorded.get("covers_all").and_then(Value::as_bool) == Some(false);
        let length = if partial { expected.len().min(found.len()) } else { found.len() };
        checks.exact(&format!("order {height}x{width}"), &found[..length], &expected);
    }
    Ok(())
}

/// Returns rows and columns, from the field `size` or from the name (`16`, `8x16`).
fn sides(name: &str, recorded: &Value) -> Option<[u32; 2]> {
    let side = |value: &Value| u32::try_from(value.as_u64()?).ok();
    match recorded.get("size") {
        Some(Value::Array(sides)) if sides.len() == 2 => Some([side(&sides[0])?, side(&sides[1])?]),
        Some(both) => side(both).map(|side| [side, side]),
        None => match name.split_once('x') {
            Some((height, width)) => Some([height.parse().ok()?, width.parse().ok()?]),
            None => name.parse().ok().map(|side| [side, side]),
        },
    }
}
