"""Sources of the noise of the diffusion head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gtr import _gtr


@runtime_checkable
class NoiseSource(Protocol):
    """A source of standard normal values for the tokens of a step."""

    def draws(
        self, step: int, images: NDArray[np.uint64], tokens: NDArray[np.int64], count: int, channels: int
    ) -> Sequence[Tensor] | Tensor:
        """Returns `count` draws for the tokens `[batch, m]` of an AR step, each of shape [batch * m, channels].

        Draw 0 is the start of a token's diffusion. Draw k is added after its k-th evaluation. The loop reads the draws in order.
        """


class AddressedNoise:
    """The noise of gtr: a pure function of seed, image, token and draw.

    The values of an image do not depend on the batch, the rank, the device, or earlier draws.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def draws(
        self, step: int, images: NDArray[np.uint64], tokens: NDArray[np.int64], count: int, channels: int
    ) -> Tensor:
        rows = np.repeat(images, tokens.shape[1])
        return torch.from_numpy(_gtr.normals(self.seed, rows.tolist(), tokens.ravel().tolist(), (0, count), channels))


class GeneratorNoise:
    """The generator of torch, used in the order and with the shapes of the published loop.

    Without a generator the global ones are used, as in the published loop: after the same `torch.manual_seed` the values are those
    that the model's `sample_tokens` draws. They depend on the batch.
    """

    def __init__(self, device: torch.device, guided: bool, generator: torch.Generator | None = None) -> None:
        self._device = device
        self._guided = guided
        self._generator = generator

    def draws(
        self, step: int, images: NDArray[np.uint64], tokens: NDArray[np.int64], count: int, channels: int
    ) -> Sequence[Tensor]:
        return _Drawn(self, tokens.size, count, channels)

    def first(self, rows: int, channels: int) -> Tensor:
        """Draws the start of the diffusion; the published loop draws it on the CPU."""
        if self._generator is None:
            return torch.randn(rows, channels)
        return torch.randn(rows, channels, generator=self._generator, device=self._generator.device)

    def next(self, rows: int, channels: int) -> Tensor:
        """Draws the values that are added after an evaluation; with guidance the published loop draws them for both halves."""
        drawn = 2 * rows if self._guided else rows
        device = self._device if self._generator is None else self._generator.device
        return torch.randn(drawn, channels, generator=self._generator, device=device)[:rows]


class _Drawn(Sequence[Tensor]):
    """Values that are drawn on access."""

    def __init__(self, noise: GeneratorNoise, rows: int, count: int, channels: int) -> None:
        self._noise, self._rows, self._count, self._channels = noise, rows, count, channels

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, draw):  # type: ignore[no-untyped-def]
        shape = (self._rows, self._channels)
        values = self._noise.first(*shape) if draw == 0 else self._noise.next(*shape)
        if draw == self._count - 1:
            # After the last evaluation the published loop draws values that it does not use.
            self._noise.next(*shape)
        return values
