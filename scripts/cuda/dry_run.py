#!/usr/bin/env python3
"""Runs gtr-cli with the stand-in CUDA libraries, and prints and checks the work of a step. See scripts/cuda-dry-run.sh."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# AR steps and diffusion steps of the smallest plan. The others have one more of one kind.
AR_STEPS, DIFFUSION_STEPS = 4, 4


def sample(program, model, ar_steps=AR_STEPS, diffusion_steps=DIFFUSION_STEPS, batch=1, dtype="f32"):
    """Generates one batch on `cuda:0` and returns the counts of the stand-in driver."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.json")
        command = [program, "sample", "--model", model, "--class", "1", "--device", "cuda:0", "--dtype", dtype]
        command += ["--preset", "mar-64", "--steps", str(ar_steps), "--diffusion", "constant", "--t", str(diffusion_steps)]
        command += ["--count", str(batch), "--batch", str(batch), "--quiet", "--out", str(Path(folder, "images")) + "/"]
        if model != "digits":
            command += ["--random-weights"]
        done = subprocess.run(command, env=os.environ | {"GTR_CUDA_COUNTS": str(counts)}, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nexit code {done.returncode}: {done.stderr.strip()}")
        print(done.stderr, end="", file=sys.stderr)
        return json.loads(counts.read_text())


class Work(Counter):
    """Numbers of kernels by name, products by routine, copies, uploads and allocations. The difference of two is the work between."""

    @classmethod
    def of(cls, counts):
        """Work of a whole run."""
        work = cls(counts["kernels"]) + cls(counts["products"])
        work["copies on the device"] = counts["device_to_device"]["count"]
        work["memsets"] = counts["memsets"]["count"]
        work["uploads"] = counts["host_to_device"]["count"]
        work["downloads"] = counts["device_to_host"]["count"]
        work["allocations"] = counts["memory"]["allocations"]
        return cls(work)

    def minus(self, other, times=1):
        """This work without `times` that of another."""
        return Work({name: self[name] - times * other[name] for name in {*self, *other}})

    def divided(self, parts):
        """The work of one of several equal parts."""
        if odd := [name for name, number in self.items() if number % parts]:
            sys.exit(f"the work of {parts} steps is not the same: {odd}")
        return Work({name: number // parts for name, number in self.items()})

    @property
    def launches(self):
        """Kernels, products, copies on the device and memsets."""
        return sum(self.values()) - self["uploads"] - self["downloads"] - self["allocations"]


def faults(counts):
    """What is wrong with where and how a run submitted its work."""
    streams, created, threads = (counts[key] for key in ("streams", "created_streams", "threads"))
    if len(created) != 1 or set(streams) != set(created):
        names = {"0x0": "the legacy stream", "0x2": "a stream per thread"}
        used = [f"{names.get(name, 'a created stream')} ({number})" for name, number in streams.items()]
        yield f"work on other streams than the only created one: {len(created)} created; work on {', '.join(used)}"
    if len(threads) != 1:
        yield f"work from {len(threads)} threads: {', '.join(map(str, sorted(threads.values(), reverse=True)))} calls"
    if events := {name: number for name, number in counts["calls"].items() if "Event" in name}:
        yield f"events: {events}"
    if counts["missing"]:
        yield f"functions that the stand-ins do not have: {', '.join(counts['missing'])}"


def steps(program, model, dtype, batch):
    """Work of a diffusion step and of an AR step without its head, the counts of the runs, and the seconds of the first."""
    start = time.monotonic()
    first = sample(program, model, batch=batch, dtype=dtype)
    seconds = time.monotonic() - start
    deeper = sample(program, model, diffusion_steps=DIFFUSION_STEPS + 1, batch=batch, dtype=dtype)
    longer = sample(program, model, ar_steps=AR_STEPS + 1, batch=batch, dtype=dtype)
    work = Work.of(first)
    diffusion_step = Work.of(deeper).minus(work).divided(AR_STEPS)
    ar_step = Work.of(longer).minus(work).minus(diffusion_step, DIFFUSION_STEPS)
    return diffusion_step, ar_step, [first, deeper, longer], seconds


def gigabytes(count):
    """A size for a table."""
    return f"{count / 1e9:.3f} GB"


def print_step(model, dtype, batch, name, work):
    """A row of the table of steps."""
    products = sum(number for kind, number in work.items() if kind.startswith("cublas"))
    copies = work["copies on the device"] + work["memsets"]
    print(f"{model:12} {dtype:5} {batch:5}  {name:16} {work.launches:8} {work.launches - products - copies:8} {products:8} "
          f"{copies:6} {work['uploads']:7} {work['downloads']:9} {work['allocations']:11}")


def print_kinds(name, work):
    """The work of a step by kind, the most frequent first."""
    kinds = sorted(((number, kind) for kind, number in work.items() if number), reverse=True)
    print(f"{name}: {', '.join(f'{kind} {number}' for number, kind in kinds)}")


def main():
    """Runs all models and returns the number of checks that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--diffusion-step", nargs=2, type=int, metavar=("LAUNCHES", "UPLOADS"))
    parser.add_argument("--ar-step", nargs=2, type=int, metavar=("LAUNCHES", "UPLOADS"))
    arguments = parser.parse_args()
    budgets = {"diffusion step": arguments.diffusion_step, "AR step - head": arguments.ar_step}
    failures, memory, kinds = [], [], []
    print("model        dtype batch  step             launches  kernels products copies uploads downloads allocations")
    for model in arguments.models:
        for dtype, batch in [("f32", 1), ("f32", 4), ("bf16", 1)]:
            diffusion_step, ar_step, runs, seconds = steps(arguments.program, model, dtype, batch)
            for name, work in zip(budgets, (diffusion_step, ar_step)):
                print_step(model, dtype, batch, name, work)
                kinds.append((f"{model}, {dtype}, batch {batch}, {name}", work))
                if batch == 1 and dtype == "f32" and model != "digits":
                    for counted, allowed, what in zip((work.launches, work["uploads"]), budgets[name], ("launches", "uploads")):
                        if counted > allowed:
                            failures.append(f"{model}: {counted} {what} in a {name}, more than {allowed}")
            failures += [f"{model}, {dtype}, batch {batch}: {fault}" for run in runs for fault in faults(run)]
            memory.append((model, dtype, batch, runs[0], seconds))
    print("\nwhole runs: " f"{AR_STEPS} AR steps of {DIFFUSION_STEPS} diffusion steps")
    print("model        dtype batch  launches uploads below 1 KiB downloads  waits  peak memory at the end seconds")
    for model, dtype, batch, counts, seconds in memory:
        waits = sum(number for name, number in counts["calls"].items() if name.endswith("Synchronize"))
        upload, download = counts["host_to_device"], counts["device_to_host"]
        print(f"{model:12} {dtype:5} {batch:5}  {counts['launches']:8} {upload['count']:7} {upload['small']:11} {download['count']:9} "
              f"{waits:6} {gigabytes(counts['memory']['peak']):>12} {gigabytes(counts['memory']['live']):>10} {seconds:7.1f}")
    print()
    for name, work in kinds:
        print_kinds(name, work)
    print()
    for failure in dict.fromkeys(failures):
        print(f"FAILED: {failure}")
    if not failures:
        print("ok: one created stream, one thread, no events, within the budgets")
    return len(failures)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
