"""Losses of plans, and designs."""

from __future__ import annotations

import numpy as np
import pytest

import gtr


def test_losses_of_steps_and_tokens_add_up() -> None:
    plan = gtr.plan("mar-8", grid=(4, 4))
    lost = plan.loss("exponential:2", images=4)
    assert lost["total"] > 0
    assert lost["steps"].sum() == pytest.approx(lost["total"])
    assert lost["tokens"].sum() == pytest.approx(lost["total"])
    assert lost["tokens"].shape == (4, 4)
    assert (lost["images"], lost["standard_error"] > 0) == (4, True)
    assert gtr.plan("raster-64", grid=(4, 4), pace={"steps": 16}).loss()["total"] == 0.0


def test_a_covariance_is_a_field() -> None:
    # Two Gaussian variables with correlation r have a mutual information of -1/2 ln(1 - r^2).
    plan = gtr.plan("mar-8", grid=(1, 2), pace={"steps": 1})
    pair = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert plan.loss(pair)["total"] == pytest.approx(-0.5 * np.log(1 - 0.25))
    apart = np.stack([pair, np.eye(2)])
    assert plan.loss(apart)["total"] == pytest.approx(-0.25 * np.log(1 - 0.25))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("exponential", "exponential"),
        ("cubic:2", "unknown kernel `cubic`; expected one of"),
        (np.eye(3), r"a covariance must be \[classes, n, n\], n a multiple of the 2 tokens"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), "covariance"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "covariance"),
        (np.ones(2), "not of 1 dimensions"),
    ],
)
def test_other_fields_are_refused(field: str | np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gtr.plan("mar-8", grid=(1, 2), pace={"steps": 1}).loss(field)


def test_a_design_loses_less_than_a_preset_with_as_many_steps() -> None:
    found = gtr.design((8, 8), steps=8, images=4)
    assert len(found.plan.steps) == 8
    assert found.loss < gtr.plan("mar-8", grid=(8, 8)).loss(images=4)["total"]
    assert gtr.plan(found.schedule, grid=(8, 8)) == found.plan
    assert found.loss == pytest.approx(found.families[0]["loss"])
    with pytest.raises(ValueError, match="give either steps or loss"):
        gtr.design((8, 8))
    with pytest.raises(gtr.PlanError, match="100 AR steps exceed the 64 tokens"):
        gtr.design((8, 8), steps=100)
