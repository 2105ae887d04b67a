#!/usr/bin/env python3
"""Reduces the size of recordings.

Usage: trim.py FOLDER [FILE:TENSOR...]

Removes the tensors that match a FILE:TENSOR pattern, such as `golden:dec.*`, from the file and from its JSON file.

In guided recordings only the noise of the conditional half matters, because both halves use the x of the first half. The
script removes the other half from `*.noise` in every sample_*.safetensors of the folder and corrects the shapes in the JSON
file. Running it again changes nothing.
"""
import fnmatch
import json
import pathlib
import struct
import sys


def trim(path: pathlib.Path, dropped: list[str]) -> None:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    body = data[8 + size :]
    description = json.loads(path.with_suffix(".json").read_text())
    parts, offset, out = [], 0, {}
    for name, info in header.items():
        if name == "__metadata__":
            out[name] = info
            continue
        if any(fnmatch.fnmatch(name, pattern) for pattern in dropped):
            description["tensors"].pop(name, None)
            continue
        begin, end = info["data_offsets"]
        values, shape = body[begin:end], info["shape"]
        if path.stem.startswith("sample_") and name.endswith(".noise"):
            draws, rows, channels = shape
            kept = header[name.replace(".noise", ".init_noise")]["shape"][0]
            row = (end - begin) // (draws * rows)
            values = b"".join(values[d * rows * row :][: kept * row] for d in range(draws))
            shape = [draws, kept, channels]
            description["tensors"][name]["shape"] = shape
        out[name] = {**info, "shape": shape, "data_offsets": [offset, offset + len(values)]}
        parts.append(values)
        offset += len(values)
    text = json.dumps(out, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    path.with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n")


folder = pathlib.Path(sys.argv[1])
patterns = [argument.split(":", 1) for argument in sys.argv[2:]]
for recording in sorted(folder.glob("*.safetensors")):
    trim(recording, [tensor for file, tensor in patterns if file == recording.stem])
