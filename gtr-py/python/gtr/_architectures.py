"""Sizes of the published architectures, which determine the cost of a plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gtr._gtr import Plan


def _stack(width: int, depth: int) -> dict[str, int]:
    return {"width": width, "depth": depth, "hidden": 4 * width}


def _mar(width: int, depth: int, head_width: int, head_depth: int) -> dict[str, Any]:
    head = {"width": head_width, "depth": head_depth}
    stack = _stack(width, depth)
    return {"token_channels": 16, "buffer": 64, "encoder": stack, "decoder": stack, "text": None, "head": head}


def _lightgen(width: int, depth: int) -> dict[str, Any]:
    stack = _stack(width, depth)
    text = {"length": 128, "channels": 4096, "aligner": _stack(width, 6), "decoder": stack}
    head = {"width": 1536, "depth": 8}
    return {"token_channels": 64, "buffer": 0, "encoder": stack, "decoder": stack, "text": text, "head": head}


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "mar-b": _mar(768, 12, 1024, 6),
    "mar-l": _mar(1024, 16, 1280, 8),
    "mar-h": _mar(1280, 20, 1536, 12),
    "lightgen-base": _lightgen(768, 12),
    "lightgen-large": _lightgen(1024, 16),
    "lightgen-huge": _lightgen(1280, 20),
}
"""The sizes of the published models: LTH14/mar and XianfengWu01/LightGen."""


def cost(plan: Plan, architecture: str | Mapping[str, Any], guided: bool) -> dict[str, float]:
    """Implements `Plan.cost`."""
    if isinstance(architecture, str):
        if architecture not in ARCHITECTURES:
            known = ", ".join(f"`{name}`" for name in ARCHITECTURES)
            raise ValueError(f"there is no architecture called `{architecture}`: choose one of {known}")
        architecture = ARCHITECTURES[architecture]
    return plan._cost(json.dumps(architecture), guided)
