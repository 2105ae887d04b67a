"""Plans in Python."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gtr
from conftest import PRESETS, ROOT

GRIDS = [(16, 16), (8, 8), (5, 7)]


@pytest.mark.cli
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_plans_equal_those_of_the_command_line(cli: Callable[..., str], preset: str, grid: Any) -> None:
    text = cli("plan", "--preset", preset, "--grid", f"{grid[0]}x{grid[1]}", "--format", "json")
    plan = gtr.plan(preset, grid=grid)
    assert plan.to_json() == text
    document = json.loads(text)
    assert plan.steps == document["steps"]
    assert plan.stages == document["stages"]
    assert plan.schedule == document["schedule"]


@pytest.mark.cli
@pytest.mark.parametrize(
    ("flags", "choices"),
    [
        (
            ["--order", "halton", "--pace", "uniform", "--detail", "none"],
            {"order": "halton", "pace": "uniform", "detail": "none"},
        ),
        (["--stages", "4"], {"order": {"stages": 4}}),
        (["--steps", "10,4,1"], {"pace": {"steps": [10, 4, 1]}}),
        (["--max-timestep", "900"], {"max_timestep": 900}),
        (["--diffusion", "disa"], {"diffusion": "disa"}),
    ],
)
def test_axes_are_changed_as_on_the_command_line(cli: Callable[..., str], flags: list[str], choices: Any) -> None:
    text = cli("plan", "--preset", "gtr-16", "--grid", "16x16", "--format", "json", *flags)
    assert gtr.plan("gtr-16", grid=(16, 16), **choices).to_json() == text


def test_a_preset_on_its_home_grid() -> None:
    assert gtr.plan("gtr-lightgen").grid == (32, 32)
    assert gtr.plan("gtr-16", "8x8").grid == (8, 8)
    assert gtr.plan().schedule["order"]["kind"] == "bisection"


def test_schedules_are_dictionaries_or_json() -> None:
    schedule = {
        "order": {"kind": "bisection", "stages": 4},
        "pace": {"kind": "rates", "steps": [8, 4, 2, 1]},
        "diffusion": "stage-aware",
        "detail": "none",
    }
    plan = gtr.plan(schedule, grid=(16, 16))
    assert len(plan.steps) == 15
    assert gtr.plan(json.dumps({**schedule, "diffusion": {"kind": "stage-aware"}, "detail": {"kind": "none"}})) == plan
    text = (ROOT / "spec" / "presets" / "gtr-8.json").read_text()
    assert gtr.plan(text, grid=(8, 8)) == gtr.plan("gtr-8", grid=(8, 8))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_orders_and_masks_agree_with_steps(preset: str, grid: Any) -> None:
    plan = gtr.plan(preset, grid=grid)
    orders = plan.orders(7, range(3))
    assert orders.dtype == np.int64
    for image in range(3):
        order, masks = plan.order(7, image), plan.masks(7, image)
        assert np.array_equal(orders[image], order)
        assert np.array_equal(np.sort(order), np.arange(grid[0] * grid[1]))
        done = 0
        for step, (before, after) in zip(plan.steps, itertools.pairwise(masks), strict=True):
            generated = np.flatnonzero(before & ~after)
            assert np.array_equal(generated, np.sort(order[done : done + step["tokens"]]))
            done += step["tokens"]
        assert not masks[-1].any()


def test_orders_exclude_known_tokens() -> None:
    plan = gtr.plan("gtr-8", grid=(8, 8), known=range(32))
    assert plan.known.tolist() == list(range(32))
    assert sorted(plan.order(0, 0).tolist()) == list(range(32, 64))
    assert not plan.masks()[0, :32].any()
    with pytest.raises(gtr.PlanError, match="nothing is left to generate"):
        gtr.plan("gtr-8", grid=(2, 2), known=range(4))


def test_equality_hash_and_pickle() -> None:
    plan = gtr.plan("gtr-16", grid=(8, 8))
    assert plan == gtr.Plan.from_json(plan.to_json()) == pickle.loads(pickle.dumps(plan))
    assert hash(plan) == hash(pickle.loads(pickle.dumps(plan)))
    assert plan != gtr.plan("gtr-8", grid=(8, 8))
    assert plan != plan.to_json()


def test_a_plan_lists_its_adaptations() -> None:
    assert gtr.plan("gtr-16", grid=(16, 16)).adaptations == []
    assert gtr.plan("gtr-16", grid=(2, 1)).adaptations


def test_cost_of_the_published_models() -> None:
    whole = gtr.plan("mar-64", grid=(16, 16)).cost("mar-h")
    assert whole["total"] == pytest.approx(64.52e12, rel=0.015)
    assert sum(value for name, value in whole.items() if name != "total") == pytest.approx(whole["total"])
    assert gtr.plan("gtr-16").cost(gtr.ARCHITECTURES["mar-h"], guided=False)["total"] < whole["total"] / 8
    with pytest.raises(ValueError, match="there is no architecture called `mar-x`: choose one of `mar-b`"):
        gtr.plan("gtr-16").cost("mar-x")
    with pytest.raises(ValueError, match="invalid architecture"):
        gtr.plan("gtr-16").cost({"buffer": 3})


@pytest.mark.cli
def test_costs_equal_those_of_the_command_line(cli: Callable[..., str]) -> None:
    for name in gtr.ARCHITECTURES:
        report = json.loads(cli("cost", "--model", name, "--preset", "gtr-16", "--format", "json"))
        grid = (32, 32) if name.startswith("lightgen") else (16, 16)
        total = gtr.plan("gtr-16", grid=grid).cost(name)["total"]
        assert f"{total / 1e12:.2f}" in json.dumps(_rounded(report)), name


def _rounded(value: Any) -> Any:
    """Converts every number of a report to units of 10^12, as text with two decimals."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return f"{value / 1e12:.2f}" if isinstance(value, float) else value


def test_figures_for_notebooks() -> None:
    plan = gtr.plan("gtr-16", grid=(8, 8))
    assert plan._repr_svg_().count("<rect") == 64 + 16 + 1
    assert plan._repr_html_().count("<tr>") == 4
    assert gtr.plan("gtr-16", grid=(8, 8), known=[3])._repr_svg_().count("#cccccc") == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gtr.plan("gtr"), gtr.PlanError, "unknown preset `gtr`; expected one of `gtr-paper`"),
        (lambda: gtr.plan("gtr-16", grid="0x4"), ValueError, "invalid grid 0x4"),
        (lambda: gtr.plan("gtr-16", grid=(-1, 4)), ValueError, "invalid grid -1x4"),
        (lambda: gtr.plan("gtr-16", grid=(1, 2, 3)), TypeError, r"a grid must be \(height, width\)"),
        (lambda: gtr.plan("gtr-16", order="spiral"), gtr.PlanError, "unknown order `spiral`; expected one of"),
        (lambda: gtr.plan("gtr-16", pace={"steps": [4]}), gtr.PlanError, "pace"),
        (lambda: gtr.plan("gtr-16", max_timestep=1000), gtr.PlanError, "a timestep must be 0 to 999, not 1000"),
        (lambda: gtr.plan({"order": "raster"}), gtr.PlanError, "invalid schedule: missing field `pace`"),
        (lambda: gtr.plan(3), TypeError, "a schedule must be the name of a preset"),
        (lambda: gtr.plan("gtr-16", known=[256]), ValueError, "token 256 is not on the grid of 16x16"),
        (lambda: gtr.Plan.from_json("{}"), gtr.PlanError, "R1 document"),
        (lambda: gtr.plan("gtr-16").order(-1), ValueError, "an integer must be 0 to 18446744073709551615, not -1"),
        (lambda: gtr.plan("gtr-16").order("x"), TypeError, "int"),
        (lambda: gtr.plan("gtr-16").timesteps(16), IndexError, "there is no AR step 16 of 16"),
        (lambda: gtr.plan("gtr-16").guidance(-1.0), ValueError, "a guidance scale must be 0 to 1000, not -1"),
        (lambda: gtr.plan("gtr-16").guidance(2.0, "cubic"), ValueError, "must be linear or constant, not cubic"),
    ],
)
def test_errors_say_what_is_expected(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_verification() -> None:
    document = json.loads(gtr.plan("gtr-16", grid=(8, 8)).to_json())
    assert gtr.verify(json.dumps(document)) == []
    document["stages"][0]["tokens"].pop()
    broken = gtr.verify(json.dumps(document))
    assert (broken[0].rule, broken[0].name) == (7, "covering")
    assert str(broken[0]).startswith("R7 covering at stages: found no token 61")
    with pytest.raises(gtr.PlanError, match="invalid plan: R7 covering"):
        gtr.Plan.from_json(json.dumps(document))
    assert gtr.verify(b"\xff")[0].rule == 1


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match=r"plan\(\) has no argument `solvers`; the optional axes are guidance, solver"):
        gtr.plan("gtr-8", solvers="ddim")


def test_catalogues_are_shown_as_tables() -> None:
    assert [preset.name for preset in gtr.presets()] != []
    assert sorted(preset.name for preset in gtr.presets()) == PRESETS
    assert repr(gtr.presets()).split()[:3] == ["gtr-paper", "16x16", "published"]
    assert {it.axis for it in gtr.schedulers()} == set(gtr._gtr.axes())
    assert repr(gtr.schedulers("order")).startswith("order  bisection")
    with pytest.raises(ValueError, match="there is no axis `orders`"):
        gtr.schedulers("orders")
