#!/usr/bin/env python3
"""Measures the scores of real images with a judge: a lower bound for the distance of generated images.

    tools/measure_judge.py DATA CLASSIFIER.safetensors [--count 1000]

Prints class accuracy and the Frechet distance to the judge's reference, for all images and for a subset, unchanged and randomly
shifted by up to 1 and 2 pixels. A model that was trained on shifted images cannot reach a lower distance.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from training import data
from training.judge import SIDE, Judge, accuracy, frechet, moments


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("judge", type=Path)
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="number of images in the subset (1000)")
    parser.add_argument("--split", choices=["train", "t10k"], default="train", help="which IDX files (train)")
    given = parser.parse_args()
    pictures, labels = data.load(given.data, given.split)
    tensors = load_file(given.judge)
    reference = tuple(tensors.pop(f"reference.{part}").numpy() for part in ("mean", "cov"))
    judge = Judge()
    judge.load_state_dict(tensors)
    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(len(pictures), generator=generator)[: given.count].numpy()
    print(f"   shift  accuracy  distance of {len(pictures)}  of {len(some)}")
    for reach in (0, 1, 2):
        shifts = torch.randint(-reach, reach + 1, (len(pictures), 2), generator=generator)
        features, logits = judge.eval().seen(data.padded(data.scaled(pictures), (SIDE, SIDE), shifts))
        whole, part = (frechet(moments(part), reference) for part in (features, features[some]))
        print(f"{reach:8}  {100 * accuracy(logits, labels):7.2f}%  {whole:{len(f'distance of {len(pictures)}')}.2f}  {part:{len(f'of {len(some)}')}.2f}")


if __name__ == "__main__":
    try:
        main()
    except (data.DataError, OSError, KeyError, RuntimeError) as error:
        sys.exit(f"error: {str(error).splitlines()[0]}")
