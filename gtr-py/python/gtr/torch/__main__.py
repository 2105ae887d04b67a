"""Generates many images with the official MAR models, on one or several devices: `python -m gtr.torch sample --help`."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import gtr
from gtr import png
from gtr.torch import ModelError, SampleError, sample
from gtr.torch._official import LoadError, autoencoder, decode, mar
from gtr.torch._parts import Part, PartError, digest, open_part, parse

EXAMPLES = """
examples:
  python -m gtr.torch sample --model mar_huge --repo mar/ --ckpt mar_huge.pth --vae kl16.ckpt \\
      --preset gtr-16 --cfg 3.2 --count 50000 --out images/
  torchrun --nproc-per-node 8 -m gtr.torch sample ...        one part for each device
  srun --ntasks 16 --gpus-per-task 1 python -m gtr.torch sample ... --resume
  gtr-cli merge images/ --out images.npz                     checks the parts and joins them
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gtr.torch", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_sample(commands)
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except (LoadError, PartError, SampleError, ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _add_sample(commands: Any) -> None:
    command = commands.add_parser(
        "sample",
        help="generate many images",
        description="Generates many images, all classes in turn, in shard parts that can be stopped and resumed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--model", required=True, help="function in models/mar.py: mar_base, mar_large or mar_huge")
    command.add_argument("--repo", required=True, type=Path, help="folder of the official code")
    command.add_argument("--ckpt", required=True, type=Path, help="checkpoint of the model")
    command.add_argument("--vae", required=True, type=Path, help="checkpoint of the autoencoder")
    command.add_argument("--out", required=True, type=Path, help="folder of the images")
    command.add_argument("--count", required=True, type=int, help="number of images of all parts")
    command.add_argument("--preset", default="gtr-paper", help="name of the schedule [gtr-paper]")
    command.add_argument("--plan", type=Path, help="JSON file of a plan, instead of a preset")
    command.add_argument("--cfg", type=float, default=1.0, help="guidance scale; 1 means no guidance [1]")
    command.add_argument("--cfg-schedule", choices=["linear", "constant"], default="linear")
    command.add_argument("--temperature", type=float, default=1.0)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--batch", type=int, default=64, help="number of images per batch [64]")
    command.add_argument(
        "--shard", default="auto", help="part I/N; auto: set by torchrun or Slurm, or the whole run [auto]"
    )
    command.add_argument("--resume", action="store_true", help="continue an existing part")
    command.add_argument("--device", help="cpu, cuda:1, ... [device of the rank]")
    command.add_argument("--autocast", choices=["none", "bf16", "f16"], default="none", help="lower precision [none]")
    command.add_argument("--head", metavar="WIDTHxDEPTH", help="sizes of an unpublished diffusion head")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="further argument of the model's function"
    )
    command.set_defaults(run=_sample)


def _sample(given: argparse.Namespace) -> int:
    shard = parse(given.shard, os.environ)
    if given.count < 1 or given.batch < 1:
        raise ValueError("--count and --batch must be 1 or more")
    for path in (given.ckpt, given.vae):
        if not path.is_file():
            raise LoadError(f"there is no file {path}")
    device = _device(given.device)
    model = mar(given.model, given.repo, given.ckpt, _head(given.head), **_settings(given.set)).to(device)
    vae = autoencoder(given.repo, given.vae).to(device)
    plan = _plan(given, (model.seq_h, model.seq_w))
    classes = int(model.class_emb.num_embeddings)
    run = _run(given, plan, classes)
    with open_part(given.out, shard, run, resume=given.resume) as part, _Signals() as signals:
        before = len(part.finished)
        missing = part.missing
        for begin in range(0, len(missing), given.batch):
            _batch(part, missing[begin : begin + given.batch], model, vae, plan, given)
            if signals.caught:
                break
        made, wanted = len(part.finished) - before, len(part.positions)
        print(f"{given.out}: part {shard}, {len(part.finished)} of {wanted} images, {made} generated now")
    return 128 + signals.caught if signals.caught and len(part.finished) < wanted else 0


def _batch(part: Part, positions: list[int], model: Any, vae: Any, plan: gtr.Plan, given: argparse.Namespace) -> None:
    classes = part.run["subjects"]["classes"]
    labels = [classes[position % len(classes)] for position in positions]
    device = next(model.parameters()).device
    kinds = {"bf16": torch.bfloat16, "f16": torch.float16}
    with torch.no_grad(), torch.autocast(device.type, kinds.get(given.autocast), enabled=given.autocast != "none"):
        latents = sample(
            model,
            plan,
            labels=labels,
            cfg=given.cfg,
            cfg_schedule=given.cfg_schedule,
            temperature=given.temperature,
            seed=given.seed,
            images=positions,
        )
        pictures = decode(vae, latents)
    texts = {"Software": f"gtr-plan {gtr.__version__}", "gtr.torch": json.dumps(part.run["settings"])}
    for position, picture in zip(positions, pictures.float().cpu().numpy(), strict=True):
        part.add(position, png.encode(png.pixels(picture.transpose(1, 2, 0)), texts))
    part.save()


def _run(given: argparse.Namespace, plan: gtr.Plan, classes: int) -> dict[str, Any]:
    """Returns everything that determines the images and the names of their files."""
    settings = {
        "program": "gtr.torch",
        "model": given.model,
        "seed": given.seed,
        "cfg": given.cfg,
        "cfg_schedule": given.cfg_schedule,
        "temperature": given.temperature,
        "autocast": given.autocast,
    }
    return {
        "plan_sha256": hashlib.sha256(plan.to_json().encode()).hexdigest(),
        "model_sha256": digest(given.ckpt, given.vae),
        "settings": settings,
        "layout": "flat",
        "numbering": {"subjects": classes, "count": given.count, "first": 0, "balanced": True},
        "subjects": {"classes": list(range(classes))},
    }


def _plan(given: argparse.Namespace, grid: tuple[int, int]) -> gtr.Plan:
    if given.plan is not None:
        return gtr.Plan.from_json(given.plan.read_text(encoding="utf-8"))
    return gtr.plan(given.preset, grid=grid)


def _device(name: str | None) -> torch.device:
    if name is not None:
        return torch.device(name)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    rank = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
    return torch.device("cuda", rank % torch.cuda.device_count())


def _head(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, depth = text.partition("x")
    if not (width.isdigit() and depth.isdigit()):
        raise ValueError(f"--head {text}: expected WIDTHxDEPTH, such as 1536x12")
    return int(width), int(depth)


def _settings(texts: list[str]) -> dict[str, Any]:
    settings = {}
    for text in texts:
        name, sign, value = text.partition("=")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            sign = ""
        if not sign:
            raise ValueError(f"--set {text}: expected NAME=JSON, such as img_size=512")
    return settings


class _Signals:
    """Ends a run after the current batch on Ctrl-C or SIGTERM; a second signal ends it immediately."""

    def __init__(self) -> None:
        self.caught = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self.caught = number
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
