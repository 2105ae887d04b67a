"""A shard part of a run: its images, which of them are finished, and their files.

The folder has the layout of `gtr-cli sample --shard`, and `gtr-cli merge` checks and joins the parts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


class PartError(RuntimeError):
    """The part cannot be generated here."""


@dataclass(frozen=True)
class Shard:
    """Part `index` of `of`, counted from 0."""

    index: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of <= 100_000:
            raise PartError(f"there is no part {self.index}/{self.of}: parts are counted from 0")

    @property
    def stem(self) -> str:
        """Name of its files, without extension."""
        return f"{self.index}-of-{self.of}"

    def range(self, count: int) -> range:
        """Returns the positions of its images in a run of `count` images."""
        return range(count * self.index // self.of, count * (self.index + 1) // self.of)

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def parse(text: str, variables: Mapping[str, str]) -> Shard:
    """Parses `I/N`; for `auto` reads the part from the environment variables of torchrun or Slurm."""
    try:
        if text == "auto":
            for index, of in _RANKS:
                if index in variables and of in variables:
                    return Shard(int(variables[index]), int(variables[of]))
            return Shard(0, 1)
        index, _, of = text.partition("/")
        return Shard(int(index), int(of))
    except ValueError:
        raise PartError(f"`{text}` is not a part: expected I/N, counted from 0 (0/4 to 3/4), or auto") from None


# Variables of torchrun, of Slurm arrays, and of Slurm tasks.
_RANKS = (
    ("RANK", "WORLD_SIZE"),
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


@dataclass
class Part:
    """A part whose lock this process holds."""

    folder: Path
    shard: Shard
    run: dict[str, Any]
    finished: dict[int, str] = field(default_factory=dict)

    @property
    def positions(self) -> range:
        """The positions of all images of the part."""
        return self.shard.range(self.run["numbering"]["count"])

    @property
    def missing(self) -> list[int]:
        """The positions of the images that are not finished."""
        return [position for position in self.positions if position not in self.finished]

    def add(self, position: int, png: bytes) -> None:
        """Writes the file of an image; `save` records it in the manifest."""
        write(self.folder / _name(self.run, position), png)
        self.finished[position] = hashlib.sha256(png).hexdigest()

    def save(self) -> None:
        """Writes the manifest."""
        positions = self.positions
        manifest = {
            "format_version": 1,
            "shard": [self.shard.index, self.shard.of],
            "range": [positions.start, positions.stop],
            "run": self.run,
            "finished": {str(position): self.finished[position] for position in sorted(self.finished)},
        }
        write(_manifest(self.folder, self.shard), json.dumps(manifest).encode())


@contextlib.contextmanager
def open_part(folder: Path, shard: Shard, run: dict[str, Any], *, resume: bool) -> Iterator[Part]:
    """Starts or resumes a part, and locks it against other processes.

    Raises `PartError` if the folder contains another run, or if the part exists and `resume` is false.
    """
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    lock = folder / "shards" / f"{shard.stem}.lock"
    with lock.open("a") as held:
        _take(held, lock)
        for other in sorted((folder / "shards").glob("*-of-*.json")):
            if not other.stem.endswith(f"-of-{shard.of}"):
                raise PartError(f"{folder} has a run with another number of parts ({other.stem}): use another folder")
            difference = _difference(_read(other)["run"], run)
            if difference is not None:
                raise PartError(
                    f"{other.stem} in {folder} belongs to another run: {difference} differs; use another folder"
                )
        part = Part(folder, shard, run)
        manifest = _manifest(folder, shard)
        if manifest.exists():
            if not resume:
                raise PartError(f"part {shard} in {folder} already exists: continue it with --resume")
            before = {int(position): str(digest) for position, digest in _read(manifest)["finished"].items()}
            part.finished = {
                position: digest for position, digest in before.items() if _is_there(part, position, digest)
            }
        part.save()
        yield part


def write(path: Path, data: bytes) -> None:
    """Writes a file atomically."""
    hidden = path.with_name(f".gtr-{os.getpid()}-{path.name}")
    try:
        hidden.write_bytes(data)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def digest(*paths: Path) -> str:
    """Returns the SHA-256 of the concatenated bytes of files."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                whole.update(block)
    return whole.hexdigest()


def _name(run: Mapping[str, Any], position: int) -> str:
    return f"{run['numbering']['first'] + position:05}.png"


def _manifest(folder: Path, shard: Shard) -> Path:
    return folder / "shards" / f"{shard.stem}.json"


def _take(file: IO[str], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Only Unix has locks; on other systems the user must start each part only once.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PartError(f"another process holds the lock {path} of this part: wait for it or stop it first") from None


def _read(path: Path) -> dict[str, Any]:
    wrong = PartError(f"{path} is not the manifest of a part; delete it to start the part again")
    try:
        manifest = json.loads(path.read_text())
    except ValueError:
        raise wrong from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != 1:
        raise wrong
    if not all(isinstance(manifest.get(name), dict) for name in ("run", "finished")):
        raise wrong
    return manifest


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    return next((name for name in {**there, **here} if there.get(name) != here.get(name)), None)


def _is_there(part: Part, position: int, expected: str) -> bool:
    path = part.folder / _name(part.run, position)
    return position in part.positions and path.exists() and digest(path) == expected
