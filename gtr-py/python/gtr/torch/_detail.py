"""Picks the tokens of an AR step that get extra diffusion steps."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gtr._gtr import Plan

# Rules that rank by the spectrum on the device; true if the highest scores are picked.
_BY_SPECTRUM = {"fts": True, "low-frequency": False}


def fts_scores(features: Tensor) -> Tensor:
    """Computes `gtr.fts_scores` on the device: float64[...] for features [..., width]."""
    half = features.shape[-1] // 2
    # Apple's devices have no float64: compute on the CPU.
    vectors = features.cpu() if features.device.type == "mps" else features
    amplitudes = torch.fft.rfft(vectors.double(), dim=-1).abs()[..., 1 : half + 1]
    weights = 1 + torch.arange(1, half + 1, device=amplitudes.device, dtype=torch.float64) / max(half, 1)
    scores: Tensor = (amplitudes * weights).sum(dim=-1)
    return scores


def pick(
    plan: Plan,
    step: int,
    count: int,
    seed: int,
    images: NDArray[np.uint64],
    tokens: NDArray[np.int64],
    features: Tensor,
) -> NDArray[np.int64]:
    """Returns the positions in `tokens` that the plan's detail rule picks for each image: [batch, count].

    `tokens` [batch, m] are ascending. `features` are the conditioning vectors as passed to the head, [batch, m, width].
    """
    kind = plan.schedule["detail"]["kind"]
    if kind in _BY_SPECTRUM:
        scores = fts_scores(features)
        # A stable sort, so that ties go to the lower token.
        ranked = torch.sort(scores, dim=1, descending=_BY_SPECTRUM[kind], stable=True).indices[:, :count]
        return torch.sort(ranked, dim=1).values.cpu().numpy()
    host = features.float().cpu().numpy() if plan.ranks_features else None
    picked = [
        plan.pick(step, row.tolist(), None if host is None else host[slot], seed=seed, image=int(image))
        for slot, (image, row) in enumerate(zip(images, tokens, strict=True))
    ]
    return np.stack(picked)
