"""Code that a type checker must accept; checked by `mypy --strict`, not run by pytest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import gtr
import gtr.png
import gtr.trace


class Rows:
    """An order that satisfies the protocol."""

    def partition(self, grid: gtr.Grid) -> list[list[int]]:
        return [list(range(grid.tokens))]


def use() -> None:
    """Calls the public functions."""
    plan: gtr.Plan = gtr.plan("gtr-16", grid=(16, 16), order=Rows, pace={"steps": [1]}, known=range(3))
    orders: NDArray[np.int64] = plan.orders(0, range(3))
    masks: NDArray[np.bool_] = plan.masks(seed=1, image=2)
    noise: NDArray[np.float32] = gtr.noise(0, 0, 0, 0)
    rules: list[int] = [violation.rule for violation in gtr.verify(plan.to_json())]
    notes: list[str] = gtr.verify(plan).notes
    names: list[str] = [preset.name for preset in gtr.presets()]
    total: float = plan.cost("mar-h")["total"]
    steps: list[dict[str, Any]] = plan.steps
    picture: bytes = gtr.png.encode(noise)
    trace: gtr.trace.Trace = gtr.trace.Trace("run.trace")
    registered: type[Rows] = gtr.register(Rows)
    print(orders, masks, rules, notes, names, total, steps, picture, trace, registered)
