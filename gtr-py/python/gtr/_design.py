"""Search for the schedule with the least loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtr import _gtr
from gtr._gtr import Plan
from gtr._planning import _HOME, _sides, make


@dataclass(frozen=True)
class Design:
    """The result of a search for a schedule."""

    plan: Plan
    """The plan of the schedule on the requested grid."""
    schedule: dict[str, Any]
    loss: float
    """Mean loss over the images, in nats."""
    standard_error: float
    """Standard error of the mean; 0 if all images have the same order."""
    candidates: int
    """Number of schedules that were compared."""
    families: tuple[dict[str, Any], ...]
    """The best schedule of each family with this number of AR steps, least loss first: `order`, `steps`, `loss`."""


def design(
    grid: tuple[int, int] | str | None = None,
    *,
    steps: int | None = None,
    loss: float | None = None,
    field: str | NDArray[np.float64] = "exponential:2",
    images: int = 32,
    seed: int = 0,
) -> Design:
    """Returns the schedule with the least loss for `steps` AR steps, or with the fewest steps for a loss of at most `loss` nats.

    The loss is that of `Plan.loss` on `field`. If orders depend on `seed`, it is averaged over `images` images. The loss does not
    depend on the diffusion steps and the detail rule. They are set to 20 steps and `none`;
    `gtr.plan(design.schedule, grid, diffusion=...)` changes them.

    Raises `gtr.PlanError` if the goal cannot be met.

    >>> import gtr
    >>> found = gtr.design((4, 4), steps=3, images=2)
    >>> len(found.plan.steps)
    3
    """
    sides = _sides(grid, _HOME)
    found = _gtr.design(sides, covariance(field), seed, images, steps, loss)
    measured = found["loss"]
    return Design(
        plan=make(found["schedule"], sides, ()),
        schedule=found["schedule"],
        loss=measured["mean"]["total"],
        standard_error=measured["standard_error"],
        candidates=found["candidates"],
        families=tuple(found["families"]),
    )


def covariance(field: str | NDArray[np.float64]) -> str | NDArray[np.float64]:
    """Converts a field to the form that the Rust half reads: a name, or one covariance per class."""
    if isinstance(field, str):
        return field
    array = np.ascontiguousarray(field, dtype=np.float64)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ValueError(f"a covariance must be [n, n] or [classes, n, n], not of {array.ndim} dimensions")
    return array
