"""`python -m gtr.torch sample`: parts that `gtr-cli merge` joins. A small model replaces the official code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gtr.png
from conftest import ROOT

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("torch")]

# `models/mar.py` and `models/vae.py` of a folder with the layout of the official one.
MAR = """
import mar
def mar_tiny(diffloss_w, diffloss_d, grid=(4, 4)):
    return mar.Mar(tuple(grid), channels=16, head_width=diffloss_w, head_depth=diffloss_d)
"""
VAE = """
import torch
class AutoencoderKL(torch.nn.Module):
    def __init__(self, embed_dim, ch_mult, ckpt_path):
        super().__init__()
        self.out = torch.nn.Conv2d(embed_dim, 3, 1)
    def decode(self, z):
        return torch.tanh(self.out(z))
"""


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory, torch: Any) -> list[object]:
    """Returns arguments with a folder of code and two checkpoints."""
    import argparse

    import mar

    folder = tmp_path_factory.mktemp("official")
    (folder / "models").mkdir()
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "mar.py").write_text(MAR)
    (folder / "models" / "vae.py").write_text(VAE)
    torch.manual_seed(2)
    model = mar.Mar((4, 4), channels=16)
    state = {"model_ema": model.state_dict(), "args": argparse.Namespace(lr=1.0)}
    torch.save(state, folder / "mar.pth")
    vae = torch.nn.Conv2d(16, 3, 1).state_dict()
    torch.save({"model": {f"out.{name}": tensor for name, tensor in vae.items()}}, folder / "vae.ckpt")
    files = ["--repo", folder, "--ckpt", folder / "mar.pth", "--vae", folder / "vae.ckpt"]
    return ["--model", "mar_tiny", "--head", "32x2", *files, "--preset", "gtr-8", "--cfg", "2", "--batch", "4"]


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "gtr-py" / "examples"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-m", "gtr.torch", "sample", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.cli
def test_merged_parts_equal_the_output_of_one_process(
    cli: Callable[..., str], official: list[object], tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder, flags, variables in [
        (whole, [], {}),
        (parts, [], {"RANK": "0", "WORLD_SIZE": "2"}),
        (parts, ["--shard", "1/2"], {}),
    ]:
        done = run(*official, "--count", 14, "--out", folder, *flags, **variables)
        assert done.returncode == 0, done.stderr
    assert cli("merge", parts, "--out", tmp_path / "parts.npz").endswith("14 images, 2 parts, complete\n")
    assert cli("merge", whole, "--out", tmp_path / "whole.npz").endswith("14 images, 1 part, complete\n")
    one, two = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "parts"))
    assert one["arr_0"].shape == (14, 4, 4, 3)
    assert one["arr_1"].tolist() == [*range(10), *range(4)]
    # Another batch size gives other matrix products: pixels agree within rounding.
    assert np.abs(one["arr_0"].astype(int) - two["arr_0"]).max() <= 1


@pytest.mark.cli
def test_a_part_resumes_where_it_stopped(cli: Callable[..., str], official: list[object], tmp_path: Path) -> None:
    command = [*official, "--count", 6, "--out", tmp_path / "out"]
    assert run(*command).returncode == 0
    again = run(*command)
    assert (again.returncode, "already exists: continue it with --resume" in again.stderr) == (1, True)
    kept = (tmp_path / "out" / "00001.png").stat().st_mtime_ns
    (tmp_path / "out" / "00004.png").unlink()
    (tmp_path / "out" / "00005.png").write_bytes(b"changed")
    done = run(*command, "--resume")
    assert "6 of 6 images, 2 generated now" in done.stdout
    assert (tmp_path / "out" / "00001.png").stat().st_mtime_ns == kept
    assert cli("merge", tmp_path / "out").endswith("6 images, 1 part, complete\n")
    other = run(*command, "--resume", "--seed", 3)
    assert "0-of-1 in" in other.stderr
    assert "settings differs; use another folder" in other.stderr
    parts = run(*command, "--resume", "--shard", "0/2")
    assert "has a run with another number of parts" in parts.stderr


def test_a_lock_has_one_owner(tmp_path: Path) -> None:
    from gtr.torch._parts import PartError, Shard, open_part

    record = {"numbering": {"subjects": 1, "count": 3, "first": 0, "balanced": True}}
    with (
        open_part(tmp_path, Shard(0, 1), record, resume=False),
        pytest.raises(PartError, match="another process holds the lock"),
        open_part(tmp_path, Shard(0, 1), record, resume=True),
    ):
        pass
    manifest = tmp_path / "shards" / "0-of-1.json"
    for text in ("", "[]", '{"format_version": 2}', '{"format_version": 1, "run": 3}'):
        manifest.write_text(text)
        with (
            pytest.raises(PartError, match="is not the manifest of a part"),
            open_part(tmp_path, Shard(0, 1), record, resume=True),
        ):
            pass


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("auto", {}, (0, 1)),
        ("auto", {"RANK": "3", "WORLD_SIZE": "8"}, (3, 8)),
        (
            "auto",
            {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
            (2, 4),
        ),
        ("auto", {"SLURM_PROCID": "1", "SLURM_NTASKS": "16"}, (1, 16)),
        ("2/3", {"RANK": "0", "WORLD_SIZE": "1"}, (2, 3)),
    ],
)
def test_the_environment_sets_the_part(text: str, variables: dict[str, str], expected: tuple[int, int]) -> None:
    from gtr.torch._parts import Shard, parse

    assert parse(text, variables) == Shard(*expected)


@pytest.mark.parametrize("text", ["", "3/3", "-1/2", "a/b", "1", "0/0"])
def test_invalid_parts_are_refused(text: str) -> None:
    from gtr.torch._parts import PartError, parse

    with pytest.raises(PartError):
        parse(text, {})


def test_parts_cover_a_run() -> None:
    from gtr.torch._parts import Shard

    for count, of in [(0, 3), (1, 4), (10, 3), (50_000, 7)]:
        positions = [position for index in range(of) for position in Shard(index, of).range(count)]
        assert positions == list(range(count))


def test_errors_of_loading(official: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gtr.torch.__main__ import main

    def error(*changes: object) -> str:
        arguments = ["sample", *official, "--count", 2, "--out", tmp_path / "out", *changes]
        assert main([str(it) for it in arguments]) == 1
        told = capsys.readouterr().err
        assert told.count("\n") == 1, told
        assert not (tmp_path / "out").exists()
        return told

    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no checkpoint")
    assert "there is no file" in error("--ckpt", tmp_path / "none.pth")
    assert "cannot read" in error("--ckpt", broken)
    assert "does not contain the official code: models/mar.py is missing" in error("--repo", tmp_path)
    assert "has no `mar_vast`" in error("--model", "mar_vast")
    assert "does not fit mar_tiny" in error("--head", "64x2")
    assert "expected WIDTHxDEPTH" in error("--head", "64")
    assert "expected NAME=JSON" in error("--set", "grid")
    assert "unknown preset `gtr`" in error("--preset", "gtr")
    assert "--count and --batch must be 1 or more" in error("--batch", 0)


def test_png_files_can_be_decoded() -> None:
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    for pixels in (picture, picture[:, :, 0], picture[:, :, :1]):
        data = gtr.png.encode(pixels, {"Software": "test"})
        assert np.array_equal(decode(data), pixels.reshape(5, -1))
    assert gtr.png.pixels([-2, -1, 0, 1, 2]).tolist() == [0, 0, 128, 255, 255]
    for wrong in (np.zeros((2, 2, 2)), np.zeros(3), np.full((1, 1), 256), np.zeros((0, 4))):
        with pytest.raises(ValueError, match=r"shape|pixels must be"):
            gtr.png.encode(wrong)


def decode(data: bytes) -> Any:
    """Decodes a PNG file in which all rows have filter type 2 (up)."""
    import struct
    import zlib

    place, packed, rows = 8, b"", 0
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(name + body)
        if name == b"IHDR":
            rows = struct.unpack(">I", body[4:8])[0]
        packed += body if name == b"IDAT" else b""
        place += 12 + length
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(rows, -1)
    assert (lines[:, 0] == 2).all()
    return np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)


def test_manifests_record_the_inputs_of_a_run(official: list[object], tmp_path: Path) -> None:
    assert run(*official, "--count", 2, "--out", tmp_path).returncode == 0
    manifest = json.loads((tmp_path / "shards" / "0-of-1.json").read_text())
    assert manifest["range"] == [0, 2]
    assert sorted(manifest["finished"]) == ["0", "1"]
    assert set(manifest["run"]) == {"plan_sha256", "model_sha256", "settings", "layout", "numbering", "subjects"}
