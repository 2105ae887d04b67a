#!/usr/bin/env python3
"""Measures the error of a diffusion head by timestep, which shows whether more diffusion steps can help.

    tools/measure_head.py MODEL DATA

MODEL is a folder with config.json and weights. The script prints the mean squared error of the predicted noise, and the resulting
error of the token: the same times (1 - kept) / kept. With more noise, an exact head knows less about the token. At the highest
timesteps it knows only the condition, so its token error is constant from row to row. If the error still grows, the head is not exact.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from training import data, diffusion
from training.files import sizes_of
from training.network import Mar, tokens_of

PICTURES = 128
TIMESTEPS = (0, 5, 20, 50, 100, 200, 400, 600, 800, 850, 900, 949, 979)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    sizes = sizes_of(json.loads((given.model / "config.json").read_text()))
    # The folder may also contain a field for losses.
    weights = [file for file in given.model.glob("*.safetensors") if file.name != "field.safetensors"]
    if len(weights) != 1:
        sys.exit(f"error: {given.model} has {len(weights)} weight files, expected one")
    model = Mar(sizes)
    model.load_state_dict({name: value.float() for name, value in load_file(weights[0]).items()})
    pictures, labels = data.load(given.data)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(pictures), generator=generator)[:PICTURES]
    tokens = tokens_of(data.padded(data.scaled(pictures[chosen]), sizes.picture), sizes)
    order = torch.rand(len(chosen), sizes.tokens, generator=generator).argsort(dim=1)
    schedule = diffusion.Schedule()
    parts = [round(share * sizes.tokens) for share in (0.9, 0.5, 0.1)]
    print("timestep" + "".join(f"  {masked:4} masked: noise, token" for masked in parts))
    rows = []
    for masked in parts:
        z = model.eval().condition(tokens, order[:, masked:].sort(dim=1).values, model.classes(labels[chosen]))
        places = order[:, :masked, None]
        rows.append([torch.gather(x, 1, places.expand(-1, -1, x.shape[2])).flatten(0, 1) for x in (z, tokens)])
    for timestep in TIMESTEPS:
        text = f"{timestep:8}"
        for z, x in rows:
            noise = torch.randn(x.shape, generator=generator)
            noisy = schedule.signal[timestep] * x + schedule.noise[timestep] * noise
            predicted = model.diffloss.net(noisy, torch.full((len(x),), timestep), z).chunk(2, dim=-1)[0]
            error = (predicted - noise).square().mean()
            text += f"  {error:16.5f}  {error * (1 / schedule.kept[timestep] - 1):9.5f}"
        print(text)


if __name__ == "__main__":
    try:
        main()
    except (data.DataError, OSError, KeyError, RuntimeError) as error:
        sys.exit(f"error: {str(error).splitlines()[0]}")
