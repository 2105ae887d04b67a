"""The published sampling loop with the steps and orders of a plan: `gtr.torch.sample` without its checks.

    python gtr-py/examples/bare.py --rounds 9

measures both on the digits model. The loop supports neither detail rules nor runs without guidance.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import gtr
import gtr.torch
import mar
from gtr.torch._process import process

Draw = Callable[[np.ndarray, int, int], Any]
"""Arguments: tokens [batch, m] of a step, number of draws, number of channels. Item k of the result is the k-th draw."""


def sample(model: Any, plan: gtr.Plan, labels: list[int], cfg: float, orders: np.ndarray, draw: Draw) -> Tensor:
    """Generates images with guidance; all tokens of a step have the same diffusion steps."""
    count, channels = len(labels), model.diffloss.net.in_channels
    tokens = torch.zeros(count, plan.grid[0] * plan.grid[1], channels)
    mask = torch.ones(tokens.shape[:2])
    classes = torch.cat([model.class_emb(torch.tensor(labels)), model.fake_latent.repeat(count, 1)])
    scales, done = plan.guidance(cfg).tolist(), 0
    for index, step in enumerate(plan.steps):
        both, masks = torch.cat([tokens, tokens]), torch.cat([mask, mask])
        z = model.forward_mae_decoder(model.forward_mae_encoder(both, masks, classes), masks)
        chosen = np.sort(orders[:, done : done + step["tokens"]], axis=1)
        done += step["tokens"]
        targets = torch.zeros(mask.shape, dtype=torch.bool).scatter(1, torch.from_numpy(chosen), True)
        z = z[torch.cat([targets, targets])]
        chain = process(tuple(plan.timesteps(index)[0].tolist()))
        noise = draw(chosen, len(chain), channels)
        x = noise[0]
        for left in range(len(chain), 0, -1):
            t = torch.full((len(z),), int(chain.timesteps[left - 1]))
            out = model.diffloss.net.forward_with_cfg(torch.cat([x, x]), t, z, scales[index])[: len(x)]
            predicted, v = out.chunk(2, dim=1)
            x = chain.back(left - 1, x, predicted, v, noise[len(chain) - left + 1] if left > 1 else None, 1.0)
        tokens[targets], mask[targets] = x, 0.0
    return model.unpatchify(tokens)


class Normals:
    """Noise of torch, drawn on access."""

    def __init__(self, rows: int, channels: int) -> None:
        self.shape = (rows, channels)

    def __getitem__(self, _draw: int) -> Tensor:
        return torch.randn(self.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=4, help="number of images per batch")
    parser.add_argument("--preset", default="gtr-16")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = mar.load(Path(__file__).parents[2] / "models" / "mar-digits")
    plan = gtr.plan(arguments.preset, grid=(8, 8), detail="none", max_timestep=model.max_timestep)
    labels = [number % 10 for number in range(arguments.count)]
    orders = plan.orders(0, range(len(labels)))

    def published() -> None:
        with torch.no_grad():
            sample(model, plan, labels, 3.0, orders, lambda chosen, _count, channels: Normals(chosen.size, channels))

    runs = {
        "bare loop": published,
        "gtr.torch, noise by address": lambda: gtr.torch.sample(model, plan, labels=labels, cfg=3.0),
        "gtr.torch, noise of torch": lambda: gtr.torch.sample(model, plan, labels=labels, cfg=3.0, noise="torch"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(arguments.rounds + 1):
        for name, run in runs.items():
            # CPU time of this process: other processes do not count.
            started = time.process_time()
            run()
            if round_ > 0:
                seconds[name].append(time.process_time() - started)
    base = seconds["bare loop"]
    for name, taken in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(taken, base, strict=True))
        print(f"{name:28} {statistics.median(taken):7.3f} s of one core, {ratio:.3f} of the bare loop")


if __name__ == "__main__":
    main()
