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
# Stands for a type: f32, with CUDA graphs.
GRAPHS = "graphs"
# Type and batch of the runs. Budgets are those of batch 1.
SETTINGS = [("f32", 1), ("bf16", 1), ("f32", 4), (GRAPHS, 1)]
# Batches whose difference is the memory of an image.
MEMORY_BATCHES = 32, 64
STEPS = "diffusion step", "AR step"
# A text encoder of the depth of T5-XXL, on which the number of launches depends, and of a small width, on which it does not.
TEXT_ENCODER = {
    "vocab_size": 8, "d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 24, "num_heads": 8, "feed_forward_proj": "gated-gelu",
}  # fmt: skip
TOKENIZER = {
    "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<unk>": 1, "a": 2, "red": 3, "cat": 4}, "unk_token": "<unk>"},
}  # fmt: skip


def takes_texts(model):
    """Returns true for a model of prompts."""
    return model.startswith("lightgen")


def sample(program, model, dtype, batch, ar_steps=AR_STEPS, diffusion_steps=DIFFUSION_STEPS, encoder=True):
    """Generates one batch and returns the counts of the stand-in driver and the seconds that it took."""
    kind = ["--cuda-graphs"] if dtype == GRAPHS else ["--dtype", dtype]
    flags = ["--model", model, *kind, "--preset", "mar-64", "--steps", str(ar_steps), "--count", str(batch)]
    flags += ["--diffusion", "constant", "--t", str(diffusion_steps), "--batch", str(batch)]
    if model != "digits":
        flags += ["--random-weights"]
    if not takes_texts(model):
        return run(program, [*flags, "--class", "1"])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("config.json", TEXT_ENCODER), ("tokenizer.json", TOKENIZER)):
            Path(folder, name).write_text(json.dumps(content), encoding="utf-8")
        text = ["--text-encoder", folder] if encoder else []
        return run(program, [*flags, "--prompt", "a red cat", *text])


def run(program, flags, log=None):
    """Samples on `cuda:0` and returns counts and seconds. `log` is a file for the work in its order."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.json")
        command = [program, "sample", *flags, "--device", "cuda:0", "--quiet", "--out", str(Path(folder, "images")) + "/"]
        environment = os.environ | {"GTR_CUDA_COUNTS": str(counts)} | ({"GTR_CUDA_LOG": str(log)} if log else {})
        start = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nexit code {done.returncode}: {done.stderr.strip()}")
        return json.loads(counts.read_text()), time.monotonic() - start


def noise_order(program):
    """Returns numbers of AR steps of `gtr-16`: all, those that read conditioning vectors to pick tokens, and those whose noise is moved to
    the device after the host has waited for the transformer of the step.

    The heads of attention are split in a transformer only. The largest upload between the last split and the first reverse step is the
    noise.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        plan = subprocess.run([program, "plan", "--preset", "gtr-16", "--grid", "8x8", "--format", "json"], check=True, capture_output=True)
        picking = sum("detail" in step for step in json.loads(plan.stdout)["steps"])
        run(program, ["--model", "digits", "--class", "1", "--count", "4", "--batch", "4", "--preset", "gtr-16"], log)
        steps, late, begun = 0, 0, None
        for line in log.read_text(encoding="utf-8").splitlines():
            kind, what = line.split()
            if what == "split_heads" and begun is None:
                begun = []
            elif what == "reverse_step" and begun is not None:
                last = max(place for place, (_, name) in enumerate(begun) if name == "split_heads")
                uploads = {place: int(size) for place, (how, size) in enumerate(begun) if how == "upload" and place > last}
                noise = max(uploads, key=uploads.get)
                steps += 1
                late += any(how in ("download", "wait") for how, _ in begun[:noise])
                begun = None
            if begun is not None:
                begun.append((kind, what))
        return steps, picking, late


class Work(Counter):
    """Numbers of kernels by name, products by routine, copies, graphs, uploads and allocations."""

    @classmethod
    def of(cls, counts):
        """Work of a whole run."""
        work = cls(counts["kernels"] | counts["products"])
        work["copies on the device"] = counts["device_to_device"]["count"]
        work["memsets"] = counts["memsets"]["count"]
        work["graphs"] = counts["graphs"]["launches"]
        work["uploads"] = counts["host_to_device"]["count"]
        work["downloads"] = counts["device_to_host"]["count"]
        work["allocations"] = counts["memory"]["allocations"]
        return work

    def minus(self, other, times=1):
        """This work without `times` that of another. A number may be negative."""
        return Work({name: self[name] - times * other[name] for name in {*self, *other}})

    def divided(self, parts):
        """The work of one of several equal parts."""
        if odd := [name for name, number in self.items() if number % parts]:
            sys.exit(f"the work of {parts} steps is not the same: {odd}")
        return Work({name: number // parts for name, number in self.items()})

    @property
    def launches(self):
        """Kernels, products, copies on the device, memsets and graphs."""
        return sum(self.values()) - self["uploads"] - self["downloads"] - self["allocations"]

    @property
    def products(self):
        """Products of matrices by cuBLAS."""
        return sum(number for kind, number in self.items() if kind.startswith("cublas"))

    @property
    def copies(self):
        """Copies on the device and memsets."""
        return self["copies on the device"] + self["memsets"]


def faults(counts):
    """What is wrong with where and how a run submitted its work."""
    streams, created, threads = (counts[key] for key in ("streams", "created_streams", "threads"))
    if len(created) != 1 or set(streams) != set(created):
        names = {"0x0": "the legacy stream", "0x2": "the stream of each thread"}
        used = [names.get(name, "a created stream") for name in sorted(streams)]
        yield f"{len(created)} streams created, and work on {', '.join(used)}; expected one stream for all work"
    if len(threads) != 1:
        yield f"work from {len(threads)} threads ({', '.join(map(str, sorted(threads.values(), reverse=True)))} calls); expected one"
    if events := {name: number for name, number in counts["calls"].items() if "Event" in name}:
        yield f"calls of events: {', '.join(f'{name} {number}' for name, number in sorted(events.items()))}; expected none"
    if counts["missing"]:
        yield f"functions that the stand-ins do not have: {', '.join(counts['missing'])}"


def work_of_steps(first, deeper, longer):
    """Work of a diffusion step, and of an AR step without its head.

    The last diffusion step of an AR step adds no noise and takes less than the others; the AR step has this difference.
    """
    work = Work.of(first)
    diffusion_step = Work.of(deeper).minus(work).divided(AR_STEPS)
    return diffusion_step, Work.of(longer).minus(work).minus(diffusion_step, DIFFUSION_STEPS)


def over_budget(works, budgets):
    """The numbers of the steps that are larger than their budgets."""
    for step, work, budget in zip(STEPS, works, budgets, strict=True):
        for number, allowed, what in zip((work.launches, work["uploads"]), budget, ("launches", "uploads"), strict=True):
            if number > allowed:
                yield f"{number} {what} per {step}; the budget is {allowed}"


class Report:
    """What all runs have shown."""

    def __init__(self, program, budgets):
        self.program, self.budgets = program, budgets
        self.steps, self.runs, self.texts, self.memory, self.failures = [], [], [], [], []
        self.noise = None

    def run(self, model, dtype, batch, **steps):
        """Runs a plan and checks its streams and threads."""
        counts, seconds = sample(self.program, model, dtype, batch, **steps)
        self.failures += [f"{model}, {dtype}, batch {batch}: {fault}" for fault in faults(counts)]
        return counts, seconds

    def count_steps(self, model, dtype, batch):
        """Counts the work of the steps of a model."""
        first, seconds = self.run(model, dtype, batch)
        deeper, _ = self.run(model, dtype, batch, diffusion_steps=DIFFUSION_STEPS + 1)
        longer, _ = self.run(model, dtype, batch, ar_steps=AR_STEPS + 1)
        works = work_of_steps(first, deeper, longer)
        self.steps += [(model, dtype, batch, step, work) for step, work in zip(STEPS, works, strict=True)]
        self.runs.append((model, dtype, batch, first, seconds))
        if dtype == GRAPHS:
            self.check_recordings(model, first["graphs"]["recorded"])
        budget = self.budgets.get((model, dtype))
        if batch == 1 and budget:
            self.failures += [f"{model}, {dtype}: {excess}" for excess in over_budget(works, (budget[:2], budget[2:4]))]
        if batch == 1 and takes_texts(model):
            self.count_text(model, dtype, first, budget)

    def check_recordings(self, model, recorded):
        """Checks that the graph of each AR step has the work of an evaluation, and the copy of its state."""
        direct = next(work.launches for name, dtype, *_, work in self.steps if (name, dtype) == (model, "f32"))
        if recorded != AR_STEPS * (direct + 1):
            self.failures.append(f"{model}: {recorded} launches recorded; expected {AR_STEPS} times {direct + 1}")

    def record_groups(self):
        """Records the graphs of a plan whose rows have different numbers of diffusion steps."""
        flags = ["--model", "digits", "--class", "1", "--preset", "gtr-16", "--cuda-graphs"]
        counts, _ = run(self.program, flags)
        self.failures += [f"digits, gtr-16, {GRAPHS}: {fault}" for fault in faults(counts)]
        if not counts["graphs"]["launches"]:
            self.failures.append("digits, gtr-16: no graph is launched")

    def count_text(self, model, dtype, whole, budget):
        """Counts the work of the text encoder: what a run has more than one with random vectors in place of a text."""
        without, _ = self.run(model, dtype, 1, encoder=False)
        work = Work.of(whole).minus(Work.of(without))
        self.texts.append((model, dtype, work))
        if budget and work.launches > budget[4]:
            self.failures.append(f"{model}, {dtype}: {work.launches} launches per text; the budget is {budget[4]}")

    def order_noise(self):
        """Checks that noise is moved to the device while it computes the transformer."""
        self.noise = noise_order(self.program)
        steps, picking, late = self.noise
        if not 0 < picking < steps or late > picking:
            self.failures.append(f"the noise of {late} of {steps} AR steps is moved after a wait; expected {picking} that pick tokens")

    def measure_memory(self, model):
        """Finds the memory of two batches."""
        peaks = [self.run(model, "f32", batch, ar_steps=2, diffusion_steps=2)[0]["memory"]["peak"] for batch in MEMORY_BATCHES]
        self.memory.append((model, peaks))

    def print_steps(self):
        print("== work of a diffusion step, and of an AR step without its head")
        print("model          dtype  batch  step            launches  kernels  products  copies  uploads  downloads  allocations")
        for model, dtype, batch, step, work in self.steps:
            print(
                f"{model:14} {dtype:6} {batch:5}  {step:14} {work.launches:9} {work.launches - work.products - work.copies - work['graphs']:8} "
                f"{work.products:9} {work.copies:7} {work['uploads']:8} {work['downloads']:10} {work['allocations']:12}"
            )

    def print_kinds(self):
        print("\n== the same by kind, batch 1")
        for model, dtype, batch, step, work in self.steps:
            kinds = sorted(((number, kind) for kind, number in work.items() if number), reverse=True)
            if batch == 1:
                print(f"{model}, {dtype}, {step}: {', '.join(f'{kind} {number}' for number, kind in kinds)}")

    def print_runs(self):
        print(f"\n== runs of {AR_STEPS} AR steps with {DIFFUSION_STEPS} diffusion steps, with weights and decoding")
        print("model          dtype  batch  launches  uploads  below 1 KiB  downloads  waits  device memory  seconds")
        for model, dtype, batch, counts, seconds in self.runs:
            waits = sum(number for name, number in counts["calls"].items() if name.endswith("Synchronize"))
            upload, download = counts["host_to_device"], counts["device_to_host"]
            print(
                f"{model:14} {dtype:6} {batch:5} {counts['launches']:9} {upload['count']:8} {upload['small']:12} {download['count']:10} "
                f"{waits:6} {counts['memory']['peak'] / 1e9:11.2f} GB {seconds:8.1f}"
            )

    def print_memory(self):
        print("\n== largest sum of live allocations, f32")
        small, large = MEMORY_BATCHES
        for model, (less, more) in self.memory:
            print(
                f"{model}: {less / 1e9:.2f} GB at batch {small}, {more / 1e9:.2f} GB at batch {large}, "
                f"{(more - less) / (large - small) / 1e6:.1f} MB per image"
            )

    def print_texts(self):
        if self.texts:
            print(f"\n== work of a text encoder of {TEXT_ENCODER['num_layers']} blocks for one text, with its weights")
        for model, dtype, work in self.texts:
            print(f"{model}, {dtype}: {work.launches} launches, {work['uploads']} uploads, {work['downloads']} downloads")

    def print_noise(self):
        if self.noise:
            steps, picking, late = self.noise
            print("\n== noise of digits, gtr-16, batch 4")
            print(f"moved before the host waits for the transformer in {steps - late} of {steps} AR steps; {picking} must read its result")

    def print_verdict(self):
        print()
        for failure in dict.fromkeys(self.failures):
            print(f"FAILED: {failure}")
        if not self.failures:
            print("ok: all work on the one created stream, from one thread, without events, within the budgets")


def arguments():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--budget", nargs="+", action="append", default=[], metavar="MODEL,TYPE NUMBER", help="see main")
    return parser.parse_args()


def main():
    """Runs all models and returns the exit code."""
    given = arguments()
    # By model and type: launches and uploads of a diffusion step, of an AR step, and, for LightGen, launches of a text.
    budgets = {tuple(name.split(",")): tuple(map(int, numbers)) for name, *numbers in given.budget}
    report = Report(given.program, budgets)
    if "digits" in given.models:
        report.order_noise()
        report.record_groups()
    for model in given.models:
        # LightGen is large, so it is run with one image only. Its diffusion head is that of MAR.
        for dtype, batch in SETTINGS:
            if not takes_texts(model) or (batch == 1 and dtype != GRAPHS):
                report.count_steps(model, dtype, batch)
        if not takes_texts(model):
            report.measure_memory(model)
    report.print_steps()
    report.print_runs()
    report.print_texts()
    report.print_noise()
    report.print_memory()
    report.print_kinds()
    report.print_verdict()
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
