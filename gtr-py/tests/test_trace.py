"""Reading of valid and of untrusted traces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gtr
import gtr.trace


def write(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def metadata(**changes: str) -> dict[str, str]:
    told = {
        "format": "gtr-trace",
        "version": "1",
        "plan": gtr.plan("gtr-8", grid=(4, 4)).to_json(),
        "seed": "3",
        "guidance": "2.5",
        "guidance_schedule": "linear",
        "temperature": "1",
        "model": "small",
        "batches": "1",
    }
    return {**told, **changes}


def test_a_trace_can_be_read(tmp_path: Path) -> None:
    noise = np.arange(8, dtype="<f4").reshape(2, 2, 2)
    images, targets = np.array([5], "<i8"), np.array([[9, 4]], "<i8")
    header = {
        "__metadata__": metadata(),
        "batch0.images": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        "batch0.step0.targets": {"dtype": "I64", "shape": [1, 2], "data_offsets": [8, 24]},
        "batch0.step0.noise": {"dtype": "F32", "shape": [2, 2, 2], "data_offsets": [24, 56]},
    }
    data = images.tobytes() + targets.tobytes() + noise.tobytes()
    trace = gtr.trace.Trace(write(tmp_path / "run.trace", header, data))
    assert (trace.seed, trace.cfg, trace.plan.grid) == (3, 2.5, (4, 4))
    source = trace.batch().noise
    asked = (0, np.array([5], np.uint64), np.array([[4, 9]]), 2, 2)
    assert np.array_equal(source.draws(*asked), noise[:, ::-1])
    with pytest.raises(ValueError, match="the noise of other images"):
        source.draws(0, np.array([6], np.uint64), *asked[2:])
    with pytest.raises(ValueError, match="no noise of token 7 in AR step 0"):
        source.draws(0, asked[1], np.array([[7]]), 2, 2)
    with pytest.raises(ValueError, match="too little for this run"):
        source.draws(*asked[:3], 3, 2)
    with pytest.raises(KeyError, match=r"there is no tensor batch0\.step1\.noise"):
        trace.batch().tensor("step1.noise")
    with pytest.raises(IndexError, match="there is no batch 1 of 1"):
        trace.batch(1)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xff",
        [],
        {},
        {"__metadata__": metadata(version="2")},
        {"__metadata__": metadata(plan="{}")},
        {"__metadata__": metadata(seed="x")},
        {"__metadata__": {"format": "gtr-trace", "version": "1"}},
    ],
)
def test_other_files_are_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(ValueError, match=r"trace|safetensors|plan|invalid"):
        gtr.trace.Trace(write(tmp_path / "run.trace", header))


def test_hostile_sizes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "long.trace").write_bytes((2**62).to_bytes(8, "little"))
    with pytest.raises(ValueError, match="is not a safetensors file"):
        gtr.trace.Trace(tmp_path / "long.trace")
    entry = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}
    trace = gtr.trace.Trace(write(tmp_path / "run.trace", {"__metadata__": metadata(), "batch0.z": entry}))
    with pytest.raises(ValueError, match="does not match its shape"):
        trace.batch().tensor("z")
