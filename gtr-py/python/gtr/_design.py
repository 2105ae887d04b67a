"""Schedules that are designed to lose least."""

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
    """A schedule that was designed, with what speaks for it."""

    plan: Plan
    """Its plan on the grid that it was designed for."""
    schedule: dict[str, Any]
    loss: float
    """What it loses on average, in nats."""
    standard_error: float
    """Of that average; 0 where all images have the same order."""
    candidates: int
    """How many schedules it was chosen from."""
    families: tuple[dict[str, Any], ...]
    """The best of each family that takes so many AR steps, least loss first: `order`, `steps`, `loss`."""


def design(
    grid: tuple[int, int] | str | None = None,
    *,
    steps: int | None = None,
    loss: float | None = None,
    field: str | NDArray[np.float64] = "exponential:2",
    images: int = 32,
    seed: int = 0,
) -> Design:
    """The schedule that loses least at `steps` AR steps, or that takes the fewest steps to lose at most `loss` nats.

    The loss is that of `Plan.loss`, on `field`, averaged over `images` images where orders are drawn by `seed`. Diffusion steps and
    detail, which it does not depend on, are left at 20 steps and none; `gtr.plan(design.schedule, grid, diffusion=...)` changes
    them.

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
    """A field as the Rust half reads it: a name, or the covariance of each class."""
    if isinstance(field, str):
        return field
    array = np.ascontiguousarray(field, dtype=np.float64)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ValueError(f"a covariance is [n, n] or [classes, n, n], not of {array.ndim} dimensions")
    return array
