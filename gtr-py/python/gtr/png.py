"""A PNG encoder without an image library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pixels(values: ArrayLike) -> NDArray[np.uint8]:
    """Converts values from -1 (black) to 1 (white) to pixels: `uint8`, of the same shape."""
    shares = np.clip((np.asarray(values, dtype=np.float32) + 1) / 2, 0, 1)
    return np.floor(shares * 255 + 0.5).astype(np.uint8)


def encode(picture: ArrayLike, texts: Mapping[str, str] | None = None) -> bytes:
    """Encodes `uint8[height, width]` (grey) or `uint8[height, width, 3]` (RGB) as a PNG file.

    `texts` maps ASCII keywords to texts that are stored in the file.

    >>> import gtr.png
    >>> gtr.png.encode([[0, 255]])[1:4]
    b'PNG'
    """
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise ValueError(f"an image must have the shape [height, width] or [height, width, 3], not {array.shape}")
    if array.min() < 0 or array.max() > 255:
        raise ValueError("pixels must be 0 to 255")
    array = array.astype(np.uint8)
    height, width = array.shape[:2]
    rows = array.reshape(height, -1)
    # Filter type 2 (up): each row is stored as its difference from the row above, which compresses better.
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])
    kind = 0 if array.ndim == 2 else 2
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    for keyword, text in (texts or {}).items():
        packed = keyword.encode("ascii") + b"\0\0" + zlib.compress(text.encode("ascii", "backslashreplace"))
        chunks.append(_chunk(b"zTXt", packed))
    chunks.append(_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
