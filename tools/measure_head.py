#!/usr/bin/env python3
"""Measures the diffusion head of a model, timestep by timestep: whether more diffusion steps can help.

    tools/measure_head.py MODEL DATA

MODEL is a folder with config.json and weights. Prints the mean squared error of the noise that the head predicts, and what it
is in the token: times (1 - kept) / kept. An exact head knows less of the token the more noise there is, and at the highest
timesteps no more than the condition says: there its error stays the same from row to row. Where it grows on, the head is not exact.
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
    # A field for losses may lie beside the weights.
    weights = [file for file in given.model.glob("*.safetensors") if file.name != "field.safetensors"]
    if len(weights) != 1:
        sys.exit(f"error: {given.model} holds {len(weights)} files of weights, not one")
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
