"""Reduces recordings of LazyMAR to what the repository keeps: trim_lazymar.py FROM TO.

Kept are the conditioning vectors, similarities and kept tokens of all steps, the noise of a few steps (conditional half
only), and the caches of the first image before one step. `gtr-cli conform` compares the whole recordings, too.
"""

import json
import struct
import sys
from pathlib import Path

RUN = "it64_cfg2.9_linear"
NOISY_STEPS = {0, 6, 22, 62}
CACHED_STEP = 22
UNUSED = {"tokens_before", "orders", "mask_len", "prev", "output"}


def read(path):
    """Returns the tensors of a file: name to (dtype, shape, bytes)."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, data = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    return {name: (it["dtype"], it["shape"], data[slice(*it["data_offsets"])]) for name, it in header.items()}


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def first(tensor, axis, count):
    """Returns the first elements along an axis."""
    dtype, shape, data = tensor
    outer = 1
    for side in shape[:axis]:
        outer *= side
    chunk = len(data) // outer
    part = chunk // shape[axis] * count
    data = b"".join(data[i * chunk : i * chunk + part] for i in range(outer))
    return dtype, [*shape[:axis], count, *shape[axis + 1 :]], data


def step_of(name):
    return int(name.split(".")[0].removeprefix("step"))


def trimmed_run(tensors, plain):
    kept = {}
    for name, tensor in tensors.items():
        if name in UNUSED or (plain and not name.startswith("step")):
            continue
        part = name.split(".")[-1]
        if part in ("init_noise", "noise", "sampled") and name.startswith("step"):
            if step_of(name) not in NOISY_STEPS:
                continue
            if part == "noise":
                tensor = first(tensor, 1, tensor[1][1] // 2)
            elif part == "sampled" and not plain:
                tensor = first(tensor, 0, tensor[1][0] // 2)
        kept[name] = tensor
    return kept


def trimmed_caches(tensors):
    prefix = f"s{CACHED_STEP}."
    return {name: first(tensor, 0, 1) for name, tensor in tensors.items() if name.startswith(prefix)}


def main():
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    trims = {
        "sample": lambda tensors: trimmed_run(tensors, plain=False),
        "plain": lambda tensors: trimmed_run(tensors, plain=True),
        "caches": trimmed_caches,
    }
    for kind, trim in trims.items():
        stem = f"{kind}_{RUN}"
        tensors = trim(read(source / f"{stem}.safetensors"))
        write(target / f"{stem}.safetensors", tensors)
        description = json.loads((source / f"{stem}.json").read_text())
        description.pop("plain_mar_deviation", None)
        description.pop("deviation_from_lazy", None)
        meaning = description.pop("tensors")
        description["trimmed"] = "a part of the recording, see tools/trim_lazymar.py"
        description["tensors"] = {name: {**meaning[name], "shape": tensors[name][1]} for name in tensors}
        (target / f"{stem}.json").write_text(json.dumps(description, indent=1) + "\n")


main()
