"""Draws random schedules as rows of an experiment: orders and paces in turn, all other parameters from the seed.

usage: python3 tools/draw_schedules.py SEED COUNT

Prints the rows as JSON. They are for 8x8 tokens and have 3 to 16 AR steps with 20 diffusion steps each. The only source of
randomness is `random.Random(SEED).random()`, which returns the same numbers in every version of Python.
"""

import json
import random
import sys

# Number of tokens of the stages on 8x8, first to last, by the number of stages.
SIZES = {
    "diagonal": {2: [32, 32], 3: [16, 16, 32], 4: [8, 8, 16, 32]},
    "quincunx": {
        2: [32, 32],
        3: [16, 16, 32],
        4: [8, 8, 16, 32],
        5: [4, 4, 8, 16, 32],
        6: [2, 2, 4, 8, 16, 32],
    },
}
# The pairs of order and pace, used in turn.
TURNS = [
    ("bisection", "rates"),
    ("random", "cosine"),
    ("halton", "uniform"),
    ("block", "rates"),
    ("raster", "cosine"),
    ("subsample", "uniform"),
    ("bisection", "cosine"),
    ("random", "uniform"),
    ("halton", "cosine"),
    ("bisection", "uniform"),
    ("block", "cosine"),
    ("subsample", "cosine"),
]


def one_of(rng, values):
    return values[int(rng.random() * len(values))]


def order(rng, kind):
    """Returns the configuration of an order, its name, and the number of tokens of its stages."""
    if kind not in ("bisection", "block"):
        return {"kind": kind}, kind, [64]
    cut = one_of(rng, sorted(SIZES)) if kind == "bisection" else "quincunx"
    stages = one_of(rng, [it for it in SIZES[cut] if kind == "bisection" or it <= 4])
    within = one_of(rng, ["random", "farthest"])
    if kind == "block":
        return {"kind": kind, "stages": stages, "within": within}, f"block, K = {stages}, {within}", SIZES[cut][stages]
    config, name = {"kind": kind, "cut": cut, "stages": stages, "within": within}, f"{cut}, K = {stages}, {within}"
    if one_of(rng, [False, False, True]):
        config, name = {**config, "first": "odd"}, name + ", odd cells first"
    return config, name, SIZES[cut][stages]


def pace(rng, kind, sizes):
    """Returns the configuration of a pace, and its name."""
    steps = max(3 + int(rng.random() * 14), len(sizes))
    if kind != "rates":
        return {"kind": kind, "steps": steps}, f"{kind}, {steps} steps"
    shares = [1] * len(sizes)
    while sum(shares) < steps:
        stage = one_of(rng, [at for at, size in enumerate(sizes) if shares[at] < size])
        shares[stage] += 1
    return {"kind": kind, "steps": shares}, "+".join(map(str, shares))


def main():
    seed, count = map(int, sys.argv[1:])
    rng = random.Random(seed)
    for number in range(count):
        kind, paced = TURNS[number % len(TURNS)]
        chosen, ordered, sizes = order(rng, kind)
        stepped, named = pace(rng, paced, sizes)
        row = {"name": f"drawn: {ordered}, {named}", "preset": "mar-16", "order": chosen, "pace": stepped}
        print(json.dumps({**row, "diffusion": {"kind": "constant", "t": 20}}) + ("," if number + 1 < count else ""))


if __name__ == "__main__":
    main()
