"""Tests of the laws of orders and paces, for schedulers written in Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gtr import _gtr, _schedulers
from gtr._gtr import Plan
from gtr._planning import plan as make_plan
from gtr._verification import verify

GRIDS = ((1, 1), (1, 7), (5, 1), (2, 2), (3, 5), (8, 8), (7, 11), (16, 16))
"""The grids on which laws are checked: single tokens, lines, squares, odd and even sides."""


class LawError(AssertionError):
    """A violated law, and the grid or stages on which it is violated."""


def check(scheduler: object, *, grids: Sequence[tuple[int, int]] = GRIDS) -> None:
    """Checks an order or a pace, a class or an object, on all of `grids`, combined with the implementations of this package.

    Laws of an order: every token of the grid is in exactly one stage, once; the partition is deterministic; a stage whose order
    depends on the seed lists its tokens in ascending order. Laws of a pace: every stage has steps; every step has tokens; the steps
    of a stage generate all of its tokens; the result is deterministic. Laws of the plans: they are valid; they survive a JSON round
    trip; the order of every image contains every token once, stage by stage, and is deterministic.

    Raises `gtr.laws.LawError` with the violated law. Exceptions of the scheduler itself propagate.

    >>> import gtr
    >>> class Backwards:
    ...     def partition(self, grid):
    ...         return [list(range(grid.tokens))[::-1]]
    >>> gtr.laws.check(Backwards())
    >>> gtr.unregister(Backwards)
    """
    instance = scheduler() if isinstance(scheduler, type) else scheduler
    axis = _schedulers._axis(instance)
    for sides in grids:
        where = f"on the grid of {sides[0]}x{sides[1]}"
        if axis == "order":
            _order(instance, _schedulers.Grid(*sides), where)
            paces = [{"kind": "cosine", "steps": 4}, {"kind": "uniform", "steps": 3}]
            plans = [_plan({"order": instance, "pace": pace}, sides, where) for pace in paces]
        else:
            for tokens in ([sides[0] * sides[1]], [sides[0], sides[1]]):
                _pace(instance, tokens)
            orders = ["random", "raster", {"kind": "bisection", "stages": 3}]
            plans = [_plan({"order": order, "pace": instance}, sides, where) for order in orders]
        for plan in plans:
            _plan_laws(plan, where)


def _fail(holds: bool, law: str) -> None:
    if not holds:
        raise LawError(law)


def _order(order: object, grid: _schedulers.Grid, where: str) -> None:
    assert isinstance(order, _schedulers.Order)
    stages = [list(map(int, stage)) for stage in order.partition(grid)]
    again = [list(map(int, stage)) for stage in order.partition(grid)]
    _fail(stages == again, f"the partition changes from call to call {where}")
    tokens = [token for stage in stages for token in stage]
    for token in tokens:
        _fail(0 <= token < grid.tokens, f"token {token} is not on the grid {where}")
    repeated = sorted({token for token in tokens if tokens.count(token) > 1}) if len(set(tokens)) < len(tokens) else []
    _fail(not repeated, f"token {repeated[0] if repeated else ''} is generated twice {where}")
    missing = sorted(set(range(grid.tokens)) - set(tokens))
    _fail(not missing, f"token {missing[0] if missing else ''} is never generated {where}")
    if getattr(order, "within", "listed") != "listed":
        ascending = all(stage == sorted(stage) for stage in stages)
        _fail(ascending, f"tokens are not ascending although their order depends on the seed {where}")


def _pace(pace: object, stages: list[int]) -> None:
    assert isinstance(pace, _schedulers.Pace)
    steps = [list(map(int, counts)) for counts in pace.steps(list(stages))]
    where = f"with stages of {stages} tokens"
    again = [list(map(int, counts)) for counts in pace.steps(list(stages))]
    _fail(steps == again, f"the steps change from call to call {where}")
    _fail(len(steps) == len(stages), f"the pace has steps for {len(steps)} stages {where}")
    for number, (counts, tokens) in enumerate(zip(steps, stages, strict=True), 1):
        _fail(all(count > 0 for count in counts), f"stage {number} has an empty step {where}")
        _fail(sum(counts) == tokens, f"the steps of stage {number} do not add up to its tokens {where}")


def _plan(choices: dict[str, object], sides: tuple[int, int], where: str) -> Plan:
    base = {"diffusion": "constant", "detail": "none", "adapt": ["order", "pace", "detail"]}
    try:
        return make_plan({**base, **choices}, sides)
    except _gtr.PlanError as error:
        raise LawError(f"no plan {where}: {error}") from error


def _plan_laws(plan: Plan, where: str) -> None:
    broken = verify(plan)
    _fail(not broken, f"a plan {where} is not valid: {broken[0] if broken else ''}")
    _fail(Plan.from_json(plan.to_json()) == plan, f"a JSON round trip changes a plan {where}")
    for image in (0, 1, 2**64 - 1):
        order = plan.order(3, image)
        _fail(np.array_equal(order, plan.order(3, image)), f"the order of an image changes from call to call {where}")
        begin = 0
        for stage in plan.stages:
            end = begin + len(stage["tokens"])
            alike = np.array_equal(np.sort(order[begin:end]), np.sort(stage["tokens"]))
            _fail(alike, f"tokens leave their stage {where}")
            begin = end
        _fail(begin == len(order), f"the order of an image does not contain every token {where}")
