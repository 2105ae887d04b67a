"""The diffusion loop: draws the values of the tokens of an AR step with the diffusion head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gtr.torch._process import Process


@dataclass(frozen=True)
class Group:
    """Rows with the same timesteps."""

    process: Process
    rows: int
    noise: Sequence[Tensor] | Tensor
    """Item k is the k-th draw, [rows, channels]."""


@dataclass(frozen=True)
class Conditions:
    """The conditioning vectors of all rows, group by group: [rows, width]."""

    conditional: Tensor
    unconditional: Tensor | None

    def first(self, rows: int) -> Tensor:
        """Returns the vectors of the first `rows` rows, with the unconditional half last."""
        if self.unconditional is None:
            return self.conditional[:rows]
        return torch.cat([self.conditional[:rows], self.unconditional[:rows]])


def denoise(
    net: Any, groups: Sequence[Group], conditions: Conditions, guidance: Any, temperature: float, dtype: torch.dtype
) -> Tensor:
    """Draws values, [rows, channels] in `dtype`, group by group; the group with the most evaluations must come first.

    All rows end together: a group with fewer timesteps joins the others later. A step therefore needs as many sequential
    evaluations as its longest group.
    """
    device = conditions.conditional.device
    guided = conditions.unconditional is not None
    timesteps = [torch.from_numpy(group.process.timesteps).to(device) for group in groups]
    values: list[Tensor] = []
    given = conditions.conditional
    for left in range(len(groups[0].process), 0, -1):
        active = [group for group in groups if len(group.process) >= left]
        if len(active) > len(values):
            values += [_to(group.noise[0], device, dtype) for group in active[len(values) :]]
            given = conditions.first(sum(group.rows for group in active))
        x = values[0] if len(values) == 1 else torch.cat(values)
        rows = [steps[left - 1].expand(group.rows) for steps, group in zip(timesteps, active, strict=False)]
        t = rows[0] if len(rows) == 1 else torch.cat(rows)
        out = _guided(net, x, t, given, guidance) if guided else net(x, t, given)
        predicted, v = out.to(dtype).split(out.shape[-1] // 2, dim=-1)
        begin = 0
        for place, group in enumerate(active):
            end = begin + group.rows
            noise = None
            if left > 1:
                noise = _to(group.noise[len(group.process) - left + 1], device, dtype)
            part = values[place], predicted[begin:end], v[begin:end]
            values[place] = group.process.back(left - 1, *part, noise, temperature)
            begin = end
    return values[0] if len(values) == 1 else torch.cat(values)


def _guided(net: Any, x: Tensor, t: Tensor, given: Tensor, guidance: Any) -> Tensor:
    out: Tensor = net.forward_with_cfg(torch.cat([x, x]), torch.cat([t, t]), given, guidance)
    return out[: len(x)]


def _to(noise: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(noise).to(device, dtype)
