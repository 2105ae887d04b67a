"""Reads and compares images, with the standard library only."""

import ast
import hashlib
import os
import zipfile


def read_npz(path):
    """Returns the images of an archive of `gtr-cli sample`, as a list of bytes objects."""
    with zipfile.ZipFile(path) as archive:
        data = archive.read("arr_0.npy")
    if data[:6] != b"\x93NUMPY":
        raise ValueError(f"{path} has no NumPy array")
    size = 2 if data[6] == 1 else 4
    start = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
    header = ast.literal_eval(data[8 + size : start].decode("latin-1"))
    shape, pixels = header["shape"], data[start:]
    if header["descr"] != "|u1" or header["fortran_order"] or len(shape) != 4:
        raise ValueError(f"{path} has no images of bytes")
    length = shape[1] * shape[2] * shape[3]
    if shape[0] * length != len(pixels):
        raise ValueError(f"{path} is cut off")
    return [pixels[number * length : (number + 1) * length] for number in range(shape[0])]


def differing(some, others, most):
    """Number of images with a pixel that differs by more than `most`."""
    if len(some) != len(others) or any(len(a) != len(b) for a, b in zip(some, others)):
        raise ValueError("different numbers or sizes of images")
    return sum(max(abs(p - q) for p, q in zip(a, b)) > most for a, b in zip(some, others))


def hashes(folder):
    """Returns name and hash of all images of a folder."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".png"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
    return found
