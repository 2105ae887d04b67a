"""Shared fixtures: the command line, PyTorch, small models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "gtr-py" / "examples"))

PRESETS = sorted(path.stem for path in (ROOT / "spec" / "presets").glob("*.json"))


@pytest.fixture(scope="session")
def cli() -> Callable[..., str]:
    """Returns a function that runs gtr-cli and returns its output; the variable GTR_CLI is the path of the program."""
    program = os.environ.get("GTR_CLI")
    if not program:
        pytest.skip("GTR_CLI is not set: the comparison with gtr-cli is skipped")
    program = str(Path(program).resolve())

    def run(*arguments: object) -> str:
        finished = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


@pytest.fixture(scope="session")
def torch() -> Any:
    """Returns PyTorch, limited to one thread: for small models more threads are slower."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    return torch


@pytest.fixture
def model(torch: Any) -> Any:
    """Returns a MAR model of 4x4 tokens with random weights."""
    import mar

    return mar_model(torch, mar, (4, 4))


def mar_model(torch: Any, mar: Any, grid: tuple[int, int], **sizes: Any) -> Any:
    torch.manual_seed(1)
    model = mar.Mar(grid, channels=4, **sizes).eval()
    # Above this timestep an untrained head produces far outliers.
    model.max_timestep = 900
    return model


@pytest.fixture
def unregistered() -> Iterator[None]:
    """Removes the schedulers that a test registers."""
    from gtr import _schedulers

    before = dict(_schedulers._REGISTERED)
    yield
    _schedulers._REGISTERED.clear()
    _schedulers._REGISTERED.update(before)
