#!/usr/bin/env python3
"""Measures what a judge makes of real pictures: the least that a distance of generated ones can be.

    tools/measure_judge.py DATA CLASSIFIER.safetensors [--count 1000]

Prints class accuracy and Frechet distance, from the reference of the judge, of all pictures and of some, as they are and moved
at random by up to 1 and 2 pixels each way. A model that is trained on moved pictures can not come nearer than these.
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
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="how many pictures some are (1000)")
    parser.add_argument("--split", choices=["train", "t10k"], default="train", help="which IDX files (train)")
    given = parser.parse_args()
    pictures, labels = data.load(given.data, given.split)
    tensors = load_file(given.judge)
    reference = tuple(tensors.pop(f"reference.{part}").numpy() for part in ("mean", "cov"))
    judge = Judge()
    judge.load_state_dict(tensors)
    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(len(pictures), generator=generator)[: given.count].numpy()
    print(f"moved by  accuracy  distance of {len(pictures)}  of {len(some)}")
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
