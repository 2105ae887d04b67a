"""Noise, timesteps and picks."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gtr
from conftest import PRESETS, ROOT

GOLDEN = ROOT / "tests" / "golden"


def test_noise_is_pinned() -> None:
    bits = gtr.noise(0, 0, 0, 0, channels=4).view(np.uint32)
    assert [hex(value) for value in bits] == ["0xbecf22b3", "0xbee09249", "0x3fa1a660", "0x3f934259"]


def test_noises_equal_noise_at_each_address() -> None:
    # Enough values for several threads.
    images, tokens = np.repeat(np.array([3, 8, 2**63], dtype=np.uint64), 400), np.tile(np.arange(400), 3)
    values = gtr.noises(5, images, tokens, draws=4, channels=16)
    assert values.shape == (4, 1200, 16)
    assert values.dtype == np.float32
    for draw, row in [(0, 0), (1, 399), (2, 400), (3, 1199)]:
        alone = gtr.noise(5, int(images[row]), int(tokens[row]), draw)
        assert np.array_equal(values[draw, row], alone)
    assert np.array_equal(values[:, 3:5], gtr.noises(5, images[3:5], tokens[3:5], draws=4))


@pytest.mark.parametrize("shape", [([], 4, 16), ([1], 0, 16), ([1], 4, 0)])
def test_no_noise_is_an_empty_array(shape: tuple[list[int], int, int]) -> None:
    rows, draws, channels = shape
    assert gtr.noises(0, rows, rows, draws, channels).shape == (draws, len(rows), channels)


def test_hostile_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        gtr.noises(0, [0], [0], 2**31, 2**31)
    with pytest.raises(ValueError, match="images and tokens differ in length: 2 images, 1 token"):
        gtr.noises(0, [0, 1], [0], 1)
    with pytest.raises(ValueError, match="token 16777216 is not on the grid"):
        gtr.noise(0, 0, 2**24, 0)
    with pytest.raises(ValueError, match="an integer must be"):
        gtr.noise(-1, 0, 0, 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_timesteps_of_a_plan(preset: str) -> None:
    plan = gtr.plan(preset)
    diffusion = plan.schedule["diffusion"]
    limits = {name: diffusion[name] for name in ("max_timestep", "clip_timestep") if name in diffusion}
    for index, step in enumerate(plan.steps):
        wanted = [step["diffusion_steps"]] + ([step["detail"]["diffusion_steps"]] if "detail" in step else [])
        found = plan.timesteps(index)
        assert [row.tolist() for row in found] == [gtr.timesteps(steps, **limits).tolist() for steps in wanted]


def test_timesteps_equal_the_recorded_ones() -> None:
    recorded = json.loads((GOLDEN / "mar_tiny" / "sample_it4_cfg2.9_linear.json").read_text())
    assert gtr.timesteps(50).tolist() == recorded["timestep_map"]


def test_timesteps_are_bounded() -> None:
    with pytest.raises(ValueError, match="a number of diffusion steps must be 1 to 1000, not 0"):
        gtr.timesteps(0)
    with pytest.raises(ValueError, match="20 diffusion steps exceed the 10 timesteps from 0 to 9"):
        gtr.timesteps(20, max_timestep=9)
    with pytest.raises(ValueError, match="are mutually exclusive"):
        gtr.timesteps(5, max_timestep=900, clip_timestep=900)


def test_guidance_equals_the_recorded_one() -> None:
    recorded = json.loads((GOLDEN / "mar_tiny" / "sample_it4_cfg2.9_linear.json").read_text())
    plan = gtr.plan("mar-8", grid=(8, 8), pace={"kind": "cosine", "steps": 4})
    assert np.allclose(plan.guidance(2.9), recorded["cfg_iter"], rtol=1e-7)
    assert plan.guidance(2.9, "constant").tolist() == [2.9] * 4


def test_scores_agree_with_numpy() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 33)).astype(np.float32)
    amplitudes = np.abs(np.fft.rfft(rows.astype(np.float64)))[:, 1:17]
    assert np.allclose(gtr.fts_scores(rows), (amplitudes * (1 + np.arange(1, 17) / 16)).sum(axis=1), rtol=1e-12)
    with pytest.raises(ValueError, match="two dimensions, not of 1"):
        gtr.fts_scores([1.0, 2.0])


def test_picks() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
    ranked = np.argsort(-gtr.fts_scores(rows), kind="stable")
    assert gtr.pick({"kind": "fts", "beta": 0.25}, range(20), rows).tolist() == sorted(ranked[:5])
    assert gtr.pick("low-frequency", range(20), rows, count=3).tolist() == sorted(ranked[-3:])
    assert gtr.pick("full", range(20)).tolist() == list(range(20))
    assert gtr.pick("none", range(20)).tolist() == []
    some = gtr.pick("random", range(20), count=4, seed=3, image=2, step=1)
    assert len(set(some.tolist())) == 4
    # Ties go to the lower token index.
    assert gtr.pick("fts", [5, 2, 9], np.ones((3, 8)), count=1).tolist() == [1]


def test_wrong_picks_are_refused() -> None:
    with pytest.raises(ValueError, match="this rule ranks conditioning vectors and needs features"):
        gtr.pick("fts", range(20))
    with pytest.raises(ValueError, match="features have 3 rows for 20 tokens"):
        gtr.pick("fts", range(20), np.ones((3, 8)))
    with pytest.raises(ValueError, match="cannot pick 4 of 2 tokens"):
        gtr.pick("random", [0, 1], count=4)
    with pytest.raises(gtr.PlanError, match="unknown detail `most`"):
        gtr.pick("most", [0, 1])
