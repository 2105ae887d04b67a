"""Planning: from a schedule to a plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from gtr import _gtr, _schedulers
from gtr._gtr import Plan

Axis: TypeAlias = "str | Mapping[str, Any] | object"

# All axes, with the kind that a schedule has if it does not set the axis; None if it must set it.
AXES = _gtr.axes()

_HOME = (16, 16)

# Parameters that exclude each other: setting one removes the other.
_EXCLUSIVE = (("rates", "steps"), ("max_timestep", "clip_timestep"))


def plan(
    schedule: str | Mapping[str, Any] = "gtr-paper",
    grid: tuple[int, int] | str | None = None,
    *,
    order: Axis | None = None,
    pace: Axis | None = None,
    diffusion: Axis | None = None,
    detail: Axis | None = None,
    max_timestep: int | None = None,
    clip_timestep: int | None = None,
    known: Iterable[int] = (),
    **optional: Axis | None,
) -> Plan:
    """Plans a schedule on a grid of tokens.

    Arguments:
        schedule: the name of a preset (`gtr.presets()`), a dictionary with a choice on each axis, or either of them as JSON.
        grid: rows and columns of tokens, `(16, 16)` or `"16x16"`; without it, the home grid of the preset.
        order, pace, diffusion, detail: replace the schedule's choice on that axis. A name (`"halton"`), a dictionary
            (`{"kind": "uniform", "steps": 12}`), a dictionary without a `kind`, which changes parameters of the
            schedule's own choice (`{"stages": 4}`), or a scheduler written in Python (`gtr.register`).
        optional: choices on the optional axes, such as `guidance="linear"` or `solver="ddim"`. `gtr.schedulers()` lists them.
        max_timestep, clip_timestep: the upper end of the timesteps, 0 to 999; at most one of them.
        known: tokens that are known before the first step, as for inpainting; the plan covers the remaining tokens.

    A preset is adapted to a grid that cannot meet its parameters, and `Plan.adaptations` lists the changes. An axis that is given
    as an argument is not adapted.

    Raises:
        gtr.PlanError: an unknown name, a wrong parameter, or an argument that the grid cannot meet.
        ValueError: a grid or a number out of range.

    Examples:
        >>> import gtr
        >>> gtr.plan("gtr-16", grid=(16, 16))
        <gtr.Plan of 16x16 tokens in 16 AR steps: bisection, rates, stage-aware, fts>
        >>> gtr.plan("mar-16", "8x8", order="halton", pace={"steps": 4})
        <gtr.Plan of 8x8 tokens in 4 AR steps: halton, cosine, constant, none>
        >>> gtr.plan("mar-16", "8x8", guidance={"kind": "interval", "guided_from": 0.5}).guidance(3.0).tolist()[:2]
        [1.0, 1.0]
        >>> gtr.plan("gtr-16", grid=(0, 4))
        Traceback (most recent call last):
        ValueError: invalid grid 0x4; expected sides of at least 1 and at most 16777216 tokens
    """
    for name in optional:
        if AXES.get(name) is None:
            axes = ", ".join(axis for axis, default in AXES.items() if default is not None)
            raise TypeError(f"plan() has no argument `{name}`; the optional axes are {axes}")
    chosen, home = _choose(schedule)
    sides = _sides(grid, home)
    touched = _apply(chosen, {"order": order, "pace": pace, "diffusion": diffusion, "detail": detail, **optional})
    for name, timestep in (("max_timestep", max_timestep), ("clip_timestep", clip_timestep)):
        if timestep is not None:
            touched.add("diffusion")
            _insert(chosen["diffusion"], {name: timestep})
    if "adapt" in chosen:
        chosen["adapt"] = [axis for axis in chosen["adapt"] if axis not in touched]
    return make(chosen, sides, known)


def make(schedule: Mapping[str, Any], sides: tuple[int, int], known: Iterable[int]) -> Plan:
    """Plans a complete schedule, whose order and pace may be written in Python."""
    known = [int(token) for token in known]
    # `stages` adds `within` to the configuration of the order, so that readers of the plan know the order within a stage.
    stages = _schedulers.stages(schedule["order"], sides) if "order" in schedule else None
    text = json.dumps(schedule)
    steps = None
    if "pace" in schedule and _schedulers.is_python(schedule["pace"], "pace"):
        steps = _schedulers.steps(schedule["pace"], _gtr.stage_sizes(text, sides, known, stages))
    return _gtr.make_plan(text, sides, known, stages, steps)


def with_default_max_timestep(plan: Plan, timestep: int) -> Plan:
    """Returns the plan with the timestep limit of a model, unless its schedule has a limit of its own."""
    schedule = plan.schedule
    if any(name in schedule["diffusion"] for name in ("max_timestep", "clip_timestep")):
        return plan
    if plan.unknown:
        document = json.loads(plan.to_json())
        document["schedule"]["diffusion"]["max_timestep"] = timestep
        return Plan.from_json(json.dumps(document))
    schedule["diffusion"]["max_timestep"] = timestep
    return make(schedule, plan.grid, plan.known.tolist())


def _choose(schedule: str | Mapping[str, Any]) -> tuple[dict[str, Any], tuple[int, int] | None]:
    if isinstance(schedule, str) and not schedule.lstrip().startswith("{"):
        return _gtr.preset_schedule(schedule)
    if isinstance(schedule, str):
        return _gtr.read_schedule(schedule)
    if not isinstance(schedule, Mapping):
        found = type(schedule).__name__
        raise TypeError(f"a schedule must be the name of a preset, a dictionary or JSON, not {found}")
    choices = {axis: _config(axis, choice) if axis in AXES else choice for axis, choice in schedule.items()}
    return _gtr.read_schedule(json.dumps(choices))


def _sides(grid: tuple[int, int] | str | None, home: tuple[int, int] | None) -> tuple[int, int]:
    if grid is None:
        return home or _HOME
    if isinstance(grid, str):
        return _gtr.parse_grid(grid)
    try:
        height, width = (int(side) for side in grid)
    except (TypeError, ValueError):
        raise TypeError(f"a grid must be (height, width) or 'HEIGHTxWIDTH', not {grid!r}") from None
    if not all(0 <= side < 2**32 for side in (height, width)):
        raise ValueError(f"invalid grid {height}x{width}; expected sides of at least 1 and at most 16777216 tokens")
    return height, width


def _config(axis: str, choice: Axis) -> dict[str, Any]:
    if isinstance(choice, str):
        return {"kind": choice}
    if isinstance(choice, Mapping):
        return dict(choice)
    return _schedulers.config(axis, choice)


def _apply(schedule: dict[str, Any], choices: Mapping[str, Axis | None]) -> set[str]:
    """Applies changes to a schedule; returns the changed axes, which are no longer adapted."""
    touched = set()
    stages = schedule.get("order", {}).get("stages")
    listed = False
    for axis, choice in choices.items():
        if choice is None:
            continue
        touched.add(axis)
        config = _config(axis, choice)
        listed |= axis == "pace" and any(name in config for name in ("rates", "steps"))
        kind = config.pop("kind", None)
        if (kind is not None and kind != schedule.get(axis, {}).get("kind")) or (
            isinstance(choice, Mapping) and kind is not None
        ):
            schedule[axis] = {"kind": kind, **config}
        else:
            if AXES[axis] is not None:
                schedule.setdefault(axis, {"kind": AXES[axis]})
            _insert(schedule[axis], config)
    if not listed and schedule.get("order", {}).get("stages") != stages:
        _one_value_a_stage(schedule)
    return touched


def _insert(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        for pair in _EXCLUSIVE:
            if name in pair:
                config.pop(pair[1 - pair.index(name)], None)
        config[name] = value


def _one_value_a_stage(schedule: dict[str, Any]) -> None:
    """Fits the per-stage lists of the pace to another number of stages."""
    stages = schedule["order"].get("stages", 1)
    if not isinstance(stages, int) or not 1 <= stages <= 64:
        return  # Planning refuses it later, with a message that names the parameter.
    for name in ("rates", "steps"):
        values = schedule["pace"].get(name)
        if isinstance(values, list) and values:
            schedule["pace"][name] = [values[position] for position in _gtr.per_stage(len(values), stages)]
