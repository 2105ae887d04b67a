"""A reader of the traces that `gtr-cli sample --trace` writes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtr._gtr import Plan

_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "u1"}

# Largest accepted header, in bytes; a run with a thousand steps needs a tenth of it.
_MOST_HEADER = 1 << 26


class Trace:
    """A trace in the format of `spec/TRACE.md`. Tensors are read on demand.

    Raises ValueError if the file is not a trace.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._header, self._begin = _header(self._path)
        told = self._header.pop("__metadata__", {})
        if not isinstance(told, dict) or told.get("format") != "gtr-trace" or told.get("version") != "1":
            raise ValueError(f"{self._path} is not a trace of version 1")
        try:
            self.plan = Plan.from_json(told["plan"])
            self.seed = int(told["seed"])
            self.cfg = float(told["guidance"])
            self.cfg_schedule = str(told["guidance_schedule"])
            self.temperature = float(told["temperature"])
            self.model = str(told["model"])
            self.batches = int(told["batches"])
        except KeyError as error:
            raise ValueError(f"{self._path} is not a valid trace: its metadata lacks {error}") from None

    def tensor(self, name: str) -> NDArray[Any]:
        """Reads a tensor by its full name, such as `batch0.step3.z`."""
        entry = self._header.get(name)
        if entry is None:
            raise KeyError(f"there is no tensor {name} in {self._path}")
        begin, end = entry["data_offsets"]
        kind = np.dtype(_TYPES[entry["dtype"]])
        if (end - begin) != kind.itemsize * int(np.prod(entry["shape"], dtype=np.int64)):
            raise ValueError(f"the size of tensor {name} in {self._path} does not match its shape")
        count = (end - begin) // kind.itemsize
        values: NDArray[Any] = np.fromfile(self._path, dtype=kind, count=count, offset=self._begin + begin)
        return values.reshape(entry["shape"])

    def batch(self, number: int = 0) -> Batch:
        """Returns a batch by its number, from 0."""
        if not 0 <= number < self.batches:
            raise IndexError(f"there is no batch {number} of {self.batches}")
        return Batch(self, number)


@dataclass(frozen=True)
class Batch:
    """A batch of a trace."""

    trace: Trace
    number: int

    def tensor(self, name: str) -> NDArray[Any]:
        """Reads a tensor of the batch, such as `orders` or `step3.z`."""
        return self.trace.tensor(f"batch{self.number}.{name}")

    @property
    def images(self) -> NDArray[np.int64]:
        """The numbers of the images."""
        return self.tensor("images")

    @property
    def labels(self) -> NDArray[np.int64]:
        """The classes of the prompts."""
        return self.tensor("classes")

    @property
    def orders(self) -> NDArray[np.int64]:
        """The orders of the tokens, [batch, tokens]."""
        return self.tensor("orders")

    @property
    def tokens(self) -> NDArray[np.float32]:
        """The values of all tokens at the end, [batch, tokens, channels]."""
        return self.tensor("tokens")

    @property
    def noise(self) -> TraceNoise:
        """The recorded noise, for `gtr.torch.sample(..., noise=...)`."""
        return TraceNoise(self)


class TraceNoise:
    """The recorded noise of a batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def draws(
        self, step: int, images: NDArray[np.uint64], tokens: NDArray[np.int64], count: int, channels: int
    ) -> NDArray[np.float32]:
        """Returns the noise of the tokens `[batch, m]` of a step: [count, batch * m, channels]."""
        targets = self._batch.tensor(f"step{step}.targets")
        noise = self._batch.tensor(f"step{step}.noise")
        if not np.array_equal(self._batch.images.astype(np.uint64), images):
            raise ValueError("the trace contains the noise of other images")
        if noise.shape[2] != channels or noise.shape[0] < count:
            raise ValueError(f"the trace has noise of shape {noise.shape}, which is too little for this run")
        rows = []
        for slot, (drawn, wanted) in enumerate(zip(targets, tokens, strict=True)):
            place = {int(token): slot * len(drawn) + position for position, token in enumerate(drawn)}
            try:
                rows += [place[int(token)] for token in wanted]
            except KeyError as error:
                raise ValueError(f"the trace has no noise of token {error} in AR step {step}") from None
        return noise[:count, rows]


def _header(path: Path) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= _MOST_HEADER:
            raise ValueError(f"{path} is not a safetensors file")
        try:
            header = json.loads(file.read(size))
        except ValueError:
            raise ValueError(f"{path} is not a safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path} is not a safetensors file")
    return header, 8 + size
