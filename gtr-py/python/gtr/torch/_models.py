"""The protocols of models, and the computation of conditioning vectors with their methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor


class ModelError(TypeError):
    """The model lacks an attribute that sampling needs, or does not support an argument."""


class Net(Protocol):
    """The network of the diffusion head."""

    in_channels: int

    def __call__(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Returns the predicted noise and the variance output, [rows, 2 * channels], for values `x` at timesteps `t`.

        `c` are the conditioning vectors.
        """

    def forward_with_cfg(self, x: Tensor, t: Tensor, c: Tensor, cfg_scale: Any) -> Tensor:
        """Returns the same with guidance: conditional rows first, then unconditional rows, which use the first half of `x`."""


class DiffLoss(Protocol):
    """The diffusion head."""

    net: Net


class Mar(Protocol):
    """A MAR model as in the official code (LTH14/mar, `models/mar.py`); DiSA and LazyMAR use its checkpoints."""

    seq_h: int
    seq_w: int
    fake_latent: Tensor
    """The embedding for no class, [1, width]."""
    diffloss: DiffLoss

    def class_emb(self, labels: Tensor) -> Tensor:
        """Returns the embeddings of classes, [batch, width]."""

    def forward_mae_encoder(self, x: Tensor, mask: Tensor, class_embedding: Tensor) -> Tensor:
        """Encodes the known tokens of `x` [batch, tokens, channels]; `mask` [batch, tokens] is 1 for unknown tokens."""

    def forward_mae_decoder(self, x: Tensor, mask: Tensor) -> Tensor:
        """Returns the conditioning vectors of all tokens, [batch, tokens, width]."""

    def unpatchify(self, x: Tensor) -> Tensor:
        """Converts tokens [batch, tokens, channels] to a latent image [batch, channels, height, width]."""


class LightGen(Protocol):
    """A LightGen model as in the official code (XianfengWu01/LightGen, `models/fluid_arbitrary.py`)."""

    seq_h: int
    seq_w: int
    seq_len: int
    max_length: int
    fake_latent: Tensor
    """The embedding for no text, [1, 1, width]."""
    diffloss: DiffLoss

    def text_emb(self, texts: Tensor) -> Tensor:
        """Embeds texts for the attention of the image, [batch, length, width]."""

    def forward_fluid_encoder(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encodes the known tokens."""

    def forward_fluid_decoder(self, x: Tensor, mask: Tensor) -> Tensor:
        """Decodes all positions."""

    def forward_fluid_text_decoder(self, x: Tensor, text_embeddings: Tensor) -> Tensor:
        """Returns the conditioning vectors of all tokens."""

    def unpatchify(self, x: Tensor) -> Tensor:
        """Converts tokens to a latent image."""


_SHARED = ("diffloss.net", "diffloss.net.forward_with_cfg", "fake_latent", "seq_h", "seq_w", "unpatchify")
_MAR = ("forward_mae_encoder", "forward_mae_decoder", "class_emb", *_SHARED)
_LIGHTGEN = ("forward_fluid_encoder", "forward_fluid_decoder", "forward_fluid_text_decoder", "text_emb", *_SHARED)


def _has(model: object, path: str) -> bool:
    for name in path.split("."):
        model = getattr(model, name, None)
        if model is None:
            return False
    return True


def _lacks(model: object, names: Sequence[str]) -> list[str]:
    return [name for name in names if not _has(model, name)]


class Driver:
    """Adapter between a model and the sampling loop."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.net: Any = model.diffloss.net
        parameter = next(model.parameters())
        self.device: torch.device = parameter.device
        self.dtype: torch.dtype = parameter.dtype
        if getattr(model, "training", False):
            raise ModelError("the model is in training mode, in which it drops conditions at random: call model.eval()")

    @property
    def channels(self) -> int:
        """Number of channels of a token."""
        return int(self.net.in_channels)

    def prompt(self, count: int | None, labels: Any, texts: Any, guided: bool) -> int:
        """Stores the prompts and returns the number of images."""
        raise NotImplementedError

    def conditions(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Returns the conditioning vectors of all tokens, with the unconditional half last."""
        raise NotImplementedError

    @contextmanager
    def at(self, grid: tuple[int, int]) -> Iterator[None]:
        """Prepares the model for a grid; raises `ModelError` if it does not support it."""
        here = (int(self.model.seq_h), int(self.model.seq_w))
        if here != grid:
            (height, width), (rows, columns) = grid, here
            raise ModelError(
                f"the plan is for a grid of {height}x{width}, but the model has a grid of {rows}x{columns}; "
                f"plan with grid=({rows}, {columns})"
            )
        yield


class MarDriver(Driver):
    """Adapter for MAR models."""

    def prompt(self, count: int | None, labels: Any, texts: Any, guided: bool) -> int:
        if texts is not None:
            raise ModelError("this model is class-conditional: give labels, not texts")
        without = self.model.fake_latent
        if labels is None:
            count = 1 if count is None else count
            given = without.repeat(count, 1)
        else:
            numbers = _labels(labels, getattr(self.model.class_emb, "num_embeddings", None))
            count = _count(count, len(numbers), "labels")
            given = self.model.class_emb(torch.tensor(numbers, device=self.device))
        self._classes = torch.cat([given, without.repeat(count, 1)]) if guided else given
        return count

    def conditions(self, tokens: Tensor, mask: Tensor) -> Tensor:
        encoded = self.model.forward_mae_encoder(tokens, mask, self._classes)
        conditions: Tensor = self.model.forward_mae_decoder(encoded, mask)
        return conditions


class LightGenDriver(Driver):
    """Adapter for LightGen models."""

    def prompt(self, count: int | None, labels: Any, texts: Any, guided: bool) -> int:
        if labels is not None:
            raise ModelError("this model is text-conditional: give texts, encoded by its text encoder, not labels")
        without = self.model.fake_latent
        if texts is None:
            count = 1 if count is None else count
            given = without.expand(count, self.model.max_length, without.shape[-1])
        else:
            if texts.dim() != 3:
                shape = tuple(texts.shape)
                raise ModelError(f"texts must be the output of the text encoder, [batch, length, width], not {shape}")
            count = _count(count, len(texts), "texts")
            given = self.model.text_emb(texts.to(self.device, self.dtype))
        both = [given, without.expand(count, given.shape[1], without.shape[-1])]
        self._texts = torch.cat(both) if guided else given
        return count

    def conditions(self, tokens: Tensor, mask: Tensor) -> Tensor:
        encoded = self.model.forward_fluid_encoder(tokens, mask)
        decoded = self.model.forward_fluid_decoder(encoded, mask)
        conditions: Tensor = self.model.forward_fluid_text_decoder(decoded, self._texts)
        return conditions

    @contextmanager
    def at(self, grid: tuple[int, int]) -> Iterator[None]:
        # The model supports any grid. Its own loop sets the grid by these attributes, too.
        before = (self.model.seq_h, self.model.seq_w, self.model.seq_len)
        try:
            self.model.seq_h, self.model.seq_w = grid
            self.model.seq_len = grid[0] * grid[1]
            yield
        finally:
            self.model.seq_h, self.model.seq_w, self.model.seq_len = before


def drive(model: Any) -> Driver:
    """Returns the adapter for a model.

    Raises `ModelError` with the names of missing attributes.
    """
    mar, lightgen = _lacks(model, _MAR), _lacks(model, _LIGHTGEN)
    if not mar:
        return MarDriver(model)
    if not lightgen:
        return LightGenDriver(model)
    name, lacks = ("LightGen", lightgen) if len(lightgen) < len(mar) else ("MAR", mar)
    missing = ", ".join(f"`{it}`" for it in lacks)
    raise ModelError(f"{type(model).__name__} is not a {name} model: it lacks {missing}")


def _count(count: int | None, found: int, what: str) -> int:
    if count is not None and count != found:
        raise ValueError(f"there are {found} {what} for {count} images: give one per image")
    if found == 0:
        raise ValueError(f"there are no {what}: give one per image")
    return found


def _labels(labels: Any, classes: int | None) -> list[int]:
    numbers = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("labels must be integers, one per image")
    wrong = next((number for number in numbers if number < 0 or (classes is not None and number >= classes)), None)
    if wrong is not None:
        most = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"there is no class {wrong}: choose one of 0{most}")
    return numbers
