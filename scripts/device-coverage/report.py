#!/usr/bin/env python3
"""Lists the lines of the device path and those that did not run: report.py LINES.lcov KERNELS.json. See scripts/device-coverage.sh."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Files and folders that are the device path as a whole.
WHOLE = [
    "gtr-backends/cuda/",
    "gtr-backends/src/compute.rs",
    "gtr-backends/src/device.rs",
    "gtr-backends/src/device_memory.rs",
    "gtr-backends/src/diffusion/",
    "gtr-backends/src/layers.rs",
    "gtr-backends/src/ops/",
    "gtr-backends/src/peak_rate.rs",
    "gtr-backends/src/vae/",
    "gtr-cli/src/commands/bench/probe.rs",
]
# Not part of it: the other path, and the program that runs the kernels in tests.
OTHER = ["gtr-backends/src/ops/host/", "gtr-backends/cuda/emulation"]
# Lines of other files that choose the path.
CHOICE = re.compile(r"\bis_cpu\(\)|\bComputePath::Device\b|\bSelf::Device\b")
TESTS = re.compile(r"^\s*#\[cfg\(test\)\]\s*$")


def rust_lines(path):
    """Yields file, line and number of runs from a file in the format of lcov."""
    file = None
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("SF:"):
            file = line[3:]
        elif line.startswith("DA:"):
            number, count = line[3:].split(",")[:2]
            yield file, int(number), int(count)


def kernel_lines(path):
    """The same from the output of gcov."""
    for file in json.loads(Path(path).read_text(encoding="utf-8"))["files"]:
        for line in file["lines"]:
            yield file["file"], line["line_number"], line["count"]


def relative(file):
    """Path in the repository, or None."""
    path = Path(file).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None


def tests_begin(text):
    """Number of the line from which a file has only tests."""
    lines = [number for number, line in enumerate(text, 1) if TESTS.match(line)]
    inline = [number for number in lines if number < len(text) and text[number].rstrip().endswith("{")]
    return inline[0] if inline else len(text) + 1


def measured(file, text):
    """Numbers of the lines that count."""
    if file.endswith("tests.rs") or any(file.startswith(other) for other in OTHER):
        return set()
    lines = range(1, tests_begin(text))
    if any(file.startswith(whole) for whole in WHOLE):
        return set(lines)
    return {number for number in lines if CHOICE.search(text[number - 1])}


def main():
    """Prints the report and returns the exit code."""
    runs = {}
    for file, line, count in [*rust_lines(sys.argv[1]), *kernel_lines(sys.argv[2])]:
        name = relative(file)
        if name:
            lines = runs.setdefault(name, {})
            lines[line] = max(lines.get(line, 0), count)
    total, missing = 0, []
    for file in sorted(runs):
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()
        lines = sorted(measured(file, text) & runs[file].keys())
        if lines:
            idle = [line for line in lines if runs[file][line] == 0]
            print(f"{len(lines) - len(idle):5} of {len(lines):5}  {file}")
            total += len(lines)
            missing += [(file, line, text[line - 1].strip()) for line in idle]
    silent = [name for name in WHOLE if not any(file.startswith(name) for file in runs)]
    for name in silent:
        print(f"not measured: {name}")
    for file, line, text in missing:
        print(f"not run: {file}:{line}: {text}")
    print(f"{total - len(missing)} of {total} lines run without a GPU")
    return 1 if missing or silent else 0


if __name__ == "__main__":
    sys.exit(main())
