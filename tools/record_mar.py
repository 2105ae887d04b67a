#!/usr/bin/env python3
"""Records what PyTorch computes with a model, for a comparison with gtr-cli: see docs/training.md.

    tools/record_mar.py MODEL OUT

MODEL is a folder written by train_mar.py. The script writes OUT.safetensors (inputs, noises and outputs) and OUT.json (their
source). `gtr-cli conform` recognizes the model by the prefix of the file name: `digits` or `fashion`.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from training import diffusion
from training.files import sizes_of, write
from training.network import Mar

PICTURES, ROWS = 2, 6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    config = json.loads((given.model / "config.json").read_text())
    # The folder may also contain a field for losses.
    weights = [file for file in given.model.glob("*.safetensors") if file.name != "field.safetensors"]
    if len(weights) != 1:
        sys.exit(f"error: {given.model} has {len(weights)} weight files, expected one")
    model = Mar(sizes_of(config))
    model.load_state_dict({name: value.float() for name, value in load_file(weights[0]).items()})
    tensors = record(model.eval(), config["max_timestep"], config["cfg"])
    note = (
        "mask 1 = masked. z = decoder rows with the position embedding of the head added, [B,L,E]. head: out = net(x,t,z). loopN: guided DDPM "
        "with N timesteps evenly spaced up to max_timestep (accumulated stride, rounded half to even), noise[j] in call order (largest "
        "timestep first; the last is not used), temperature 1; out in token units."
    )
    about = {"source": f"PyTorch {torch.__version__} with the weights of {config['model']}, CPU, f32", "config": config, "note": note}
    write(given.out.with_suffix(".safetensors"), save({name: value.contiguous() for name, value in tensors.items()}))
    write(given.out.with_suffix(".json"), json.dumps(about, indent=1) + "\n")


@torch.no_grad()
def record(model, top, guidance):
    sizes, net = model.sizes, model.diffloss.net
    generator = torch.Generator().manual_seed(5)
    length, width = sizes.tokens, sizes.token_width
    tokens = torch.rand(PICTURES, length, width, generator=generator) * 2 - 1
    labels = torch.tensor([3, 8]) % sizes.classes
    found = {"tokens": tokens, "labels": labels}
    for name, count in (("allmasked", 0), ("half", length // 2), ("onemasked", length - 1)):
        known = torch.rand(PICTURES, length, generator=generator).argsort(dim=1)[:, :count].sort(dim=1).values
        found[f"{name}.mask"] = torch.ones(PICTURES, length).scatter(1, known, 0.0)
        for kind, dropped in (("cond", False), ("uncond", True)):
            classes = model.classes(labels, torch.full((PICTURES,), dropped))
            found[f"{name}.{kind}.z"] = model.condition(tokens, known, classes)
    z, free = found["half.cond.z"][0, :ROWS].clone(), found["half.uncond.z"][0, :ROWS].clone()
    x = torch.randn(ROWS, width, generator=generator)
    timesteps = torch.tensor([0, top // 9, top // 3, top // 2, 8 * top // 9, top])
    found |= {"head.x": x, "head.t": timesteps, "head.z": z, "head.z_uncond": free, "head.out": net(x, timesteps, z)}
    for steps in (2, 20, 50):
        places = diffusion.spaced(steps, top)
        first, noise = torch.randn(ROWS, width, generator=generator), torch.randn(steps, ROWS, width, generator=generator)
        drawn = iter([first, *noise])
        out = diffusion.draw(net, z, free, guidance, diffusion.Schedule(places), lambda: next(drawn))
        found |= {f"loop{steps}.init": first, f"loop{steps}.noise": noise, f"loop{steps}.out": out}
        found[f"loop{steps}.timesteps"] = torch.tensor(places)
    return found


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {str(error).splitlines()[0]}")
