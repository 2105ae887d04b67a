#!/usr/bin/env python3
"""Trains the judge of a model, and writes it where gtr-cli looks for it: see docs/training.md.

    tools/train_judge.py DATA MODEL/judge

DATA is what the model was trained on, ten classes of grey pictures of at most 32x32 pixels: as for train_mar.py. Writes
`classifier.safetensors` (the classifier, and mean and covariance of its features of all pictures), `halves.safetensors` (those of
two halves) and `README.md`. Of IDX files it is tested on those named t10k; otherwise on a tenth of the pictures, on which it is
not trained.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from training import data, judge
from training.files import write


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=14, metavar="N", help="how often each picture is seen (14)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and shifts (0)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of the CPU (as many as there are)")
    parser.add_argument("--source", default="an unnamed source", metavar="TEXT", help="where the pictures come from, for the card")
    parser.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the pictures, for the card")
    given = parser.parse_args()
    if given.epochs < 1:
        parser.error("--epochs is at least 1")
    return given


def read(path, split="train"):
    pictures, labels = data.load(path, split)
    if pictures.shape[1] != 1 or int(labels.max()) >= judge.CLASSES or len(labels.unique()) != judge.CLASSES:
        raise data.DataError(f"{path}: the judge sees grey pictures of ten classes")
    return data.padded(data.scaled(pictures), (judge.SIDE, judge.SIDE)), labels


def main():
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    pictures, labels = read(given.data)
    if list(given.data.glob("t10k-images*")):
        (test, test_labels), training = read(given.data, "t10k"), torch.arange(len(pictures))
    else:
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(given.seed))
        held, training = order[: len(order) // 10], order[len(order) // 10 :]
        test, test_labels = pictures[held], labels[held]

    def told(epoch):
        print(f"epoch {epoch} of {given.epochs}", flush=True)

    trained = judge.train(pictures[training], labels[training], given.epochs, given.seed, given.device, told).cpu()
    accuracy = judge.accuracy(trained.seen(test)[1], test_labels)
    features, logits = trained.seen(pictures)
    whole, parts = judge.moments(features), [features[mask] for mask in judge.halves(labels)]
    first, second = map(judge.moments, parts)
    some = np.random.default_rng(given.seed).permutation(len(features))[:1000]
    found = {
        "test_accuracy": round(accuracy, 4),
        "half_vs_half_frechet": round(judge.frechet(first, second), 4),
        "frechet_1000_real": round(judge.frechet(judge.moments(features[some]), whole), 4),
        "inception_score_real": round(judge.inception_score(logits), 3),
        "n_reference": len(features),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous() for name, value in trained.state_dict().items()}
    tensors |= numbers("reference", whole)
    # One entry: the library writes several in any order, and the same judge is to make the same bytes.
    metadata = {"measured": json.dumps(found)}
    write(given.out / "halves.safetensors", save(numbers("first", first, parts[0]) | numbers("second", second, parts[1])))
    write(given.out / "README.md", card(given, found, len(training), len(test)))
    # The classifier is last: with it, the folder is a judge.
    write(given.out / "classifier.safetensors", save(tensors, metadata=metadata))
    print(json.dumps(found))


def numbers(name, moments, features=None):
    tensors = {f"{name}.mean": torch.from_numpy(moments[0]), f"{name}.cov": torch.from_numpy(moments[1])}
    if features is not None:
        tensors[f"{name}.count"] = torch.tensor([float(len(features))], dtype=torch.float64)
    return tensors


def card(given, found, trained, tested):
    command = shlex.join(["tools/train_judge.py", *sys.argv[1:]])
    return f"""# The judge of a model

A classifier of 32x32 grey pictures in ten classes, in the layout of `models/digit-classifier`. Its 64 features are what the
Frechet distance compares, its ten logits what class accuracy and inception score are made of.

- Data: {found["n_reference"]:,} pictures of {given.source}. Licence of the data: {given.licence}.
- Trained on {trained:,} pictures for {given.epochs} epochs, each batch moved by up to 2 pixels. It reads {100 * found["test_accuracy"]:.1f} % of {tested:,} others right.
- Frechet distance of one half of the real pictures from the other: {found["half_vs_half_frechet"]:.2f}; of 1,000 of them from all: {found["frechet_1000_real"]:.2f}.
- Inception score of the real pictures: {found["inception_score_real"]:.2f}.

`classifier.safetensors` holds the classifier and `reference.mean` and `reference.cov`, the features of all pictures;
`halves.safetensors` those of two halves: of each class the pictures at even places, and those at odd ones.

```sh
{command}
```
"""


if __name__ == "__main__":
    try:
        main()
    except (data.DataError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
