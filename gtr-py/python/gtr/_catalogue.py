"""The available presets and schedulers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from gtr import _gtr


@dataclass(frozen=True)
class Preset:
    """A named schedule with its source."""

    name: str
    summary: str
    source: str
    status: str
    """`published` or `ours`: the origin of its numbers."""
    home_grid: tuple[int, int]
    """The grid that the preset was made for, (height, width)."""
    schedule: dict[str, Any]


@dataclass(frozen=True)
class Scheduler:
    """An implementation of an axis."""

    axis: str
    """`order`, `pace`, `diffusion` or `detail`."""
    kind: str
    """The name of the implementation in a schedule."""
    summary: str
    description: str
    source: str
    parameters: tuple[dict[str, Any], ...]
    """The parameters: dictionaries with `name`, `description` and, if there is one, `default`."""


T = TypeVar("T", Preset, Scheduler)


class Catalogue(list[T]):
    """A list whose `repr` is a table."""

    def __repr__(self) -> str:
        rows = [_row(entry) for entry in self]
        if not rows:
            return "[]"
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
        indent = sum(widths) + 2 * len(widths)
        return "\n".join(_line(row, widths, indent) for row in rows)


def _row(entry: Preset | Scheduler) -> tuple[str, ...]:
    if isinstance(entry, Preset):
        return entry.name, "x".join(map(str, entry.home_grid)), entry.status, entry.summary
    return entry.axis, entry.kind, entry.summary


def _line(row: tuple[str, ...], widths: list[int], indent: int) -> str:
    left = "".join(f"{text:{width}}  " for text, width in zip(row, widths, strict=False))
    return textwrap.fill(row[-1], 110, initial_indent=left, subsequent_indent=" " * indent)


def _catalogue(entries: Iterable[T]) -> Catalogue[T]:
    return Catalogue(entries)


def presets() -> Catalogue[Preset]:
    """Returns all presets, as a list whose `repr` is a table.

    >>> import gtr
    >>> [preset.name for preset in gtr.presets()][:3]
    ['gtr-paper', 'gtr-16', 'gtr-8']
    """

    def preset(it: dict[str, Any]) -> Preset:
        grid = (it["home_grid"]["height"], it["home_grid"]["width"])
        return Preset(it["name"], it["summary"], it["source"], it["status"], grid, it["schedule"])

    return _catalogue(map(preset, _gtr.presets()))


def schedulers(axis: str | None = None) -> Catalogue[Scheduler]:
    """Returns the implementations of all axes, or of one, as a list whose `repr` is a table.

    >>> import gtr
    >>> [it.kind for it in gtr.schedulers("pace")]
    ['cosine', 'rates', 'uniform']
    """
    found = [it for it in _gtr.schedulers() if axis in (None, it["axis"])]
    if not found:
        raise ValueError(f"there is no axis `{axis}`: choose order, pace, diffusion or detail")
    make = [Scheduler(**{**it, "parameters": tuple(it["parameters"])}) for it in found]
    return _catalogue(make)
