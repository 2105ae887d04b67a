"""The diffusion process and the coefficients of its reverse steps."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEPS = 1000
"""Number of timesteps of the process that the models were trained with."""


@lru_cache(maxsize=1)
def _cosine_products() -> NDArray[np.float64]:
    def bar(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - bar((step + 1) / STEPS) / bar(step / STEPS), 0.999) for step in range(STEPS)]
    return np.cumprod(1.0 - np.array(betas, dtype=np.float64), dtype=np.float64)


class Process:
    """A reverse diffusion process over a subset of the 1000 timesteps.

    Coefficients are computed in float64 and used in float32, with the operation order of the published code (LTH14/mar,
    `diffusion/gaussian_diffusion.py` and `respace.py`), so that results are equal bit for bit.
    """

    def __init__(self, timesteps: NDArray[np.int64]) -> None:
        products = _cosine_products()[timesteps]
        betas = 1 - products / np.append(1.0, products[:-1])
        now = np.cumprod(1.0 - betas)
        before = np.append(1.0, now[:-1])
        variance = betas * (1.0 - before) / (1.0 - now)
        smallest = np.log(np.append(variance[1], variance[1:])) if len(betas) > 1 else np.zeros(1)
        self.timesteps = timesteps
        self._x0_from_x = _floats(np.sqrt(1.0 / now))
        self._x0_from_noise = _floats(np.sqrt(1.0 / now - 1))
        self._mean_from_x0 = _floats(betas * np.sqrt(before) / (1.0 - now))
        self._mean_from_x = _floats((1.0 - before) * np.sqrt(1.0 - betas) / (1.0 - now))
        self._smallest = _floats(smallest)
        self._largest = _floats(np.log(betas))

    def __len__(self) -> int:
        return len(self.timesteps)

    def back(
        self, index: int, x: Tensor, predicted: Tensor, v: Tensor, noise: Tensor | None, temperature: float
    ) -> Tensor:
        """Computes one reverse step.

        `x`, `predicted` (the noise that the head predicts), `v` (interpolates the log-variance between its bounds, -1 to 1, not
        clipped) and `noise` have the shape [rows, channels]. At index 0 no noise is added.
        """
        x0 = self._x0_from_x[index] * x - self._x0_from_noise[index] * predicted
        mean = self._mean_from_x0[index] * x0 + self._mean_from_x[index] * x
        if noise is None:
            return mean
        share = (v + 1) / 2
        log_variance = share * self._largest[index] + (1 - share) * self._smallest[index]
        return mean + torch.exp(0.5 * log_variance) * noise * temperature


def _floats(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values.astype(np.float32)]


@lru_cache(maxsize=1024)
def process(timesteps: tuple[int, ...]) -> Process:
    """Returns the process restricted to these timesteps."""
    return Process(np.array(timesteps, dtype=np.int64))
