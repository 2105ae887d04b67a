"""Loads the official models with the code in a folder of the user; this package contains none of that code."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# Width and depth of the diffusion heads of the published checkpoints; the constructors need them as arguments.
_HEADS = {"mar_base": (1024, 6), "mar_large": (1280, 8), "mar_huge": (1536, 12)}

LATENT_SCALE = 0.2325
"""Factor by which latents are multiplied before training."""


class LoadError(RuntimeError):
    """The model cannot be loaded."""


def mar(name: str, repo: Path, checkpoint: Path, head: tuple[int, int] | None = None, **sizes: Any) -> Any:
    """Loads a model of `repo/models/mar.py` with the averaged weights of a checkpoint, in eval mode.

    `head` is the width and depth of the diffusion head. `sizes` are further arguments of the constructor.
    """
    make = getattr(_module(repo, "models.mar"), name, None)
    if make is None:
        raise LoadError(f"{repo / 'models/mar.py'} has no `{name}`")
    width, depth = head or _HEADS.get(name, (1024, 6))
    model = make(diffloss_w=width, diffloss_d=depth, **sizes)
    state = _load(checkpoint)
    weights = state.get("model_ema", state.get("model", state))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise LoadError(f"{checkpoint} does not fit {name}: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def autoencoder(repo: Path, checkpoint: Path) -> Any:
    """Loads the autoencoder of `repo/models/vae.py`, in eval mode."""
    make = _module(repo, "models.vae").AutoencoderKL
    model = make(embed_dim=16, ch_mult=(1, 1, 2, 2, 4), ckpt_path=None)
    state = _load(checkpoint)
    weights = state.get("model", state)
    # The checkpoint may also contain the weights of a training loss.
    wanted = set(model.state_dict())
    try:
        model.load_state_dict({name: tensor for name, tensor in weights.items() if name in wanted})
    except RuntimeError as error:
        raise LoadError(f"{checkpoint} does not fit the autoencoder: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def decode(vae: Any, latents: Tensor) -> Tensor:
    """Decodes latents to pixels: values from -1 to 1, [batch, 3, height, width]."""
    decoded = vae.decode(latents / LATENT_SCALE)
    return decoded if isinstance(decoded, Tensor) else decoded.sample


def _module(repo: Path, name: str) -> Any:
    path = repo / f"{name.replace('.', '/')}.py"
    if not path.is_file():
        raise LoadError(f"{repo} does not contain the official code: {path.relative_to(repo)} is missing")
    if str(repo) not in sys.path:
        sys.path.insert(0, str(repo))
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise LoadError(f"{path} cannot be imported: {error}") from None
    found = Path(module.__file__ or "").resolve()
    if found != path.resolve():
        raise LoadError(f"`{name}` was imported from {found}, not from {repo}")
    return module


def _load(path: Path) -> dict[str, Any]:
    try:
        # Published checkpoints contain their training settings as a Namespace; no other pickled class is allowed.
        with torch.serialization.safe_globals([argparse.Namespace]):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise LoadError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(state, dict):
        raise LoadError(f"{path} is not a checkpoint: it does not contain a dictionary")
    return state
