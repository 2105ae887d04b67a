"""The other inputs of a sampling loop, as NumPy arrays: timesteps, noise, scores and picks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gtr import _gtr


def timesteps(steps: int, *, max_timestep: int | None = None, clip_timestep: int | None = None) -> NDArray[np.int64]:
    """Returns the timesteps of a number of diffusion steps, ascending: `int64[T]`.

    Sampling visits them from the last to the first. With `max_timestep` they are spaced evenly from 0 to `max_timestep`. With
    `clip_timestep` they are spaced from 0 to 999, and those above `clip_timestep` are merged into it.

    Raises ValueError if `steps` is not 1 to 1000, or does not fit the limit.

    >>> import gtr
    >>> gtr.timesteps(5).tolist()
    [0, 250, 500, 749, 999]
    """
    return _gtr.timesteps(steps, max_timestep=max_timestep, clip_timestep=clip_timestep)


def noise(seed: int, image: int, token: int, draw: int, channels: int = 16) -> NDArray[np.float32]:
    """Returns the standard normal values of one draw of one token: `float32[channels]`.

    Draw 0 is the start of the token's diffusion. Draw k is added after its k-th evaluation. The values depend only on the
    arguments: an image has the same noise in any batch and on any machine.

    >>> import gtr
    >>> [f"{value:.3f}" for value in gtr.noise(seed=0, image=0, token=0, draw=0, channels=4)]
    ['-0.405', '-0.439', '1.263', '1.150']
    """
    values: NDArray[np.float32] = _gtr.normals(seed, [image], [token], (draw, draw + 1), channels)[0, 0]
    return values


def noises(
    seed: int, images: Iterable[int], tokens: Iterable[int], draws: int, channels: int = 16
) -> NDArray[np.float32]:
    """Returns draws 0 to `draws - 1` of several rows: `float32[draws, rows, channels]`. A row is one token of one image."""
    return _gtr.normals(seed, images, tokens, (0, draws), channels)


def fts_scores(features: ArrayLike) -> NDArray[np.float64]:
    """Returns the scores of frequency-weighted token selection (FTS): `float64[rows]` for `features[rows, width]`.

    The score of a vector is the weighted sum of the amplitudes of its spectrum without the mean. Higher frequencies have larger
    weights.

    >>> import gtr
    >>> gtr.fts_scores([[1, 1, 1, 1], [1, -1, 1, -1]]).tolist()
    [0.0, 8.0]
    """
    return _gtr.fts_scores(matrix(features))


def pick(
    rule: str | Mapping[str, Any],
    tokens: Iterable[int],
    features: ArrayLike | None = None,
    *,
    count: int | None = None,
    seed: int = 0,
    image: int = 0,
    step: int = 0,
) -> NDArray[np.int64]:
    """Returns the positions in `tokens` that a detail rule picks, ascending: `int64[picked]`.

    Arguments:
        rule: the name of the rule, or a dictionary with its parameters, such as `{"kind": "fts", "beta": 0.1}`.
        tokens: the tokens of one image that a step generates.
        features: their conditioning vectors, `[tokens, width]`, for rules that rank them.
        count: number of tokens to pick; without it, the rule decides.
        seed, image, step: the address of the random numbers of a random rule.

    >>> import gtr
    >>> gtr.pick("fts", [3, 5], [[1, 1, 1, 1], [1, -1, 1, -1]], count=1).tolist()
    [1]
    """
    config = {"kind": rule} if isinstance(rule, str) else dict(rule)
    rows = None if features is None else matrix(features)
    return _gtr.pick(json.dumps(config), tokens, rows, seed, image, step, count)


def matrix(features: ArrayLike) -> NDArray[np.float32]:
    """Converts vectors to the form that the Rust half reads."""
    rows = np.ascontiguousarray(features, dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"features must be an array of two dimensions, not of {rows.ndim}")
    return rows
