#!/usr/bin/env python3
"""Trains the judge of a model and writes it to the folder in which gtr-cli looks for it: see docs/training.md.

    tools/train_judge.py DATA MODEL/judge

DATA is the training data of the model, in a format of train_mar.py: ten classes of grey images of at most 32x32 pixels. The script
writes `classifier.safetensors` (the classifier, and mean and covariance of its features over all images), `halves.safetensors`
(mean and covariance of two halves) and `README.md`. IDX files are tested on the t10k files, other data on a tenth of the images,
which is excluded from training.
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
    parser.add_argument("--epochs", type=int, default=14, metavar="N", help="passes over the data (14)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of weights, order and shifts (0)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (all)")
    parser.add_argument("--source", default="an unnamed source", metavar="TEXT", help="source of the images, for the model card")
    parser.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the images, for the model card")
    given = parser.parse_args()
    if given.epochs < 1:
        parser.error("--epochs must be at least 1")
    return given


def read(path, split="train"):
    pictures, labels = data.load(path, split)
    if pictures.shape[1] != 1 or int(labels.max()) >= judge.CLASSES or len(labels.unique()) != judge.CLASSES:
        raise data.DataError(f"{path}: the judge needs grey images of ten classes")
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
    # Only one entry: the library writes several in arbitrary order, and equal judges must have equal bytes.
    metadata = {"measured": json.dumps(found)}
    write(given.out / "halves.safetensors", save(numbers("first", first, parts[0]) | numbers("second", second, parts[1])))
    write(given.out / "README.md", card(given, found, len(training), len(test)))
    # Written last, because the folder counts as a judge once it has the classifier.
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

A classifier of 32x32 grey images in ten classes, in the layout of `models/digit-classifier`. The Frechet distance compares its 64
features. Class accuracy and inception score are computed from its ten logits.

- Data: {found["n_reference"]:,} images, {given.source}. Licence of the data: {given.licence}.
- Trained on {trained:,} images for {given.epochs} epochs, each batch shifted by up to 2 pixels. Accuracy on {tested:,} test images: {100 * found["test_accuracy"]:.1f} %.
- Frechet distance between two halves of the real images: {found["half_vs_half_frechet"]:.2f}; between 1,000 real images and all of them: {found["frechet_1000_real"]:.2f}.
- Inception score of the real images: {found["inception_score_real"]:.2f}.

`classifier.safetensors` contains the classifier and `reference.mean` and `reference.cov`, the moments of the features of all images.
`halves.safetensors` contains the moments of two halves: the images at even and at odd positions of each class.

```sh
{command}
```
"""


if __name__ == "__main__":
    try:
        main()
    except (data.DataError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
