"""A digit in three lines: the built-in model of gtr, loaded into a small PyTorch class and sampled with a plan.

    python gtr-py/examples/digits.py --label 7 --out seven.png

`gtr-cli sample --class 7 --preset gtr-16 --scale 1` generates the same digit from the same seed.
"""

import argparse
from pathlib import Path

import gtr
import gtr.png
import gtr.torch
import mar

DIGITS = Path(__file__).parents[2] / "models" / "mar-digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label", type=int, default=7)
    parser.add_argument("--preset", default="gtr-16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("digit.png"))
    arguments = parser.parse_args()

    model = mar.load(DIGITS)
    plan = gtr.plan(arguments.preset, grid=(8, 8))
    latents = gtr.torch.sample(model, plan, labels=[arguments.label], cfg=3.0, seed=arguments.seed, progress=True)

    # The latents of this model are its images: grey, from -1 to 1.
    arguments.out.write_bytes(gtr.png.encode(gtr.png.pixels(latents[0, 0])))
    print(f"{arguments.out}: a {arguments.label}, sampled with {plan}")


if __name__ == "__main__":
    main()
