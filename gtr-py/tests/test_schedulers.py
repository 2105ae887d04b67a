"""Orders and paces written in Python."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

import gtr

pytestmark = pytest.mark.usefixtures("unregistered")


@dataclass
class Spiral:
    """Spiral from the border to the centre, ring by ring."""

    outwards: bool = False

    def partition(self, grid: gtr.Grid) -> list[list[int]]:
        cells = np.arange(grid.tokens).reshape(grid)
        rings = []
        while cells.size:
            rings.extend(cells[0].tolist())
            cells = np.rot90(cells[1:])
        return [rings[::-1] if self.outwards else rings]


class Halves:
    """The upper half, then the lower half as the reconstruction."""

    within = "random"
    reconstructs = True

    def partition(self, grid: gtr.Grid) -> list[list[int]]:
        cut = grid.tokens // 2
        tokens = range(grid.tokens)
        return [list(tokens[:cut]), list(tokens[cut:])] if cut else [list(tokens)]


class Doubling:
    """One token, then two, then four."""

    def steps(self, stages: list[int]) -> list[list[int]]:
        made = []
        for left in stages:
            counts = []
            while left > 0:
                counts.append(min(left, 2 ** len(counts)))
                left -= counts[-1]
            made.append(counts)
        return made


@pytest.mark.parametrize("scheduler", [Spiral(), Spiral(outwards=True), Spiral, Halves(), Doubling()])
def test_valid_schedulers_obey_the_laws(scheduler: object) -> None:
    gtr.laws.check(scheduler)


def test_an_order_can_be_used_by_name() -> None:
    gtr.register(Spiral)
    plan = gtr.plan("mar-8", grid=(4, 4), order={"kind": "spiral", "outwards": True})
    assert plan == gtr.plan("mar-8", grid=(4, 4), order=Spiral(outwards=True))
    assert plan.order(0, 0)[-4:].tolist() == [3, 2, 1, 0]
    assert plan.schedule["order"] == {"kind": "spiral", "outwards": True}


def test_a_saved_plan_has_an_unknown_kind() -> None:
    plan = gtr.plan("gtr-16", grid=(8, 8), order=Halves(), pace={"kind": "uniform", "steps": 6})
    checked = gtr.verify(plan.to_json())
    assert checked == []
    assert checked.notes == ["not registered here: order `halves`; rules 14 to 19 were not checked"]
    assert plan.unknown == ["order `halves`"]
    gtr.unregister(Halves)
    read = gtr.Plan.from_json(plan.to_json())
    assert read == plan
    # The order within a stage depends on the seed, and is the same after reading the plan.
    assert np.array_equal(read.order(3, 9), plan.order(3, 9))
    assert not np.array_equal(read.order(3, 9), plan.order(3, 8))
    assert read.stages[1]["role"] == "reconstruction"
    assert "detail" in read.steps[-1]


def test_a_pace_gets_the_remaining_tokens() -> None:
    plan = gtr.plan("gtr-16", grid=(4, 4), pace=Doubling(), known=range(8))
    assert [step["tokens"] for step in plan.steps if step["stage"] == 0] == [1, 1]
    assert sum(step["tokens"] for step in plan.steps) == 8


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([[0, 1, 2, 3, 3]], "not a partition of the grid of 2x2: token 3 occurs more than once"),
        ([[0, 1, 2]], "not a partition of the grid of 2x2: token 3 is missing"),
        ([[0, 1, 2, 4]], "token 4 is not on the grid of 2x2"),
        ([[0, 1, 2, -1]], "an integer must be 0 to"),
        ([["a"]], "expected a list of lists of integers"),
        (3, "expected a list of lists of integers"),
    ],
)
def test_errors_of_broken_orders(stages: object, message: str) -> None:
    class Broken:
        def partition(self, grid: gtr.Grid) -> object:
            return stages

    with pytest.raises((ValueError, TypeError), match=message):
        gtr.plan("mar-8", grid=(2, 2), order=Broken())


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, 2]], "the steps of stage 1 do not add up to its 4 tokens"),
        ([[4, 0]], "a step of stage 1 generates no token"),
        ([[2, 2], [1]], "the pace has steps for 2 stages, expected one list for each of 1"),
        ([[2**63, 2**63, 4]], "do not add up"),
    ],
)
def test_errors_of_broken_paces(counts: list[list[int]], message: str) -> None:
    class Broken:
        def steps(self, stages: list[int]) -> list[list[int]]:
            return counts

    with pytest.raises(gtr.PlanError, match=message):
        gtr.plan("mar-8", grid=(2, 2), pace=Broken())


def test_laws_detect_broken_schedulers() -> None:
    class Repeats:
        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            return [[*range(grid.tokens), 0]]

    class Forgets:
        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            return [list(range(max(grid.tokens - 1, 1)))]

    class Changes:
        calls = 0

        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            Changes.calls += 1
            return [list(range(grid.tokens))[:: -1 if Changes.calls % 2 else 1]]

    class Unsorted:
        within = "random"

        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            return [list(range(grid.tokens))[::-1]]

    class Empty:
        def steps(self, stages: list[int]) -> list[list[int]]:
            return [[tokens, 0] for tokens in stages]

    broken = [
        (Repeats, "token 0 is generated twice"),
        (Forgets, "is never generated"),
        (Changes, "the partition changes from call to call"),
        (Unsorted, "tokens are not ascending"),
        (Empty, "has an empty step"),
    ]
    for scheduler, law in broken:
        with pytest.raises(gtr.laws.LawError, match=law):
            gtr.laws.check(scheduler())


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="int is not a scheduler: an order has `partition"):
        gtr.plan("mar-8", order=3)
    with pytest.raises(TypeError, match="Doubling is not an order, but a pace"):
        gtr.plan("mar-8", order=Doubling())

    class Raster:
        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            return [list(range(grid.tokens))]

    with pytest.raises(ValueError, match="gtr has an order called `raster`: choose another name"):
        gtr.register(Raster)
    gtr.register(Spiral)
    with pytest.raises(gtr.PlanError, match=r"order `spiral`: .*unexpected keyword argument 'inwards'"):
        gtr.plan("mar-8", order={"kind": "spiral", "inwards": True})


def test_exceptions_of_a_scheduler_propagate() -> None:
    class Fails:
        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            raise ZeroDivisionError("no such grid")

    with pytest.raises(ZeroDivisionError, match="no such grid"):
        gtr.plan("mar-8", order=Fails())


def test_parameters_are_json() -> None:
    plan = gtr.plan("mar-8", grid=(2, 2), order=Spiral())
    assert json.loads(plan.to_json())["schedule"]["order"] == {"kind": "spiral", "outwards": False}
