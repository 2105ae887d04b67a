#!/usr/bin/env python3
"""Checks the licences of the dependencies, and collects their texts for the archives of a release.

  scripts/licences.py                 fails if a dependency has a licence that is not in ALLOWED
  scripts/licences.py --texts FILE    also writes the licence texts of the dependencies of `gtr-cli`

Reads `cargo metadata`, so the dependencies must be downloaded (`cargo fetch`). Checks the dependencies for the platform of --target (the
host by default), including those of tests and build scripts.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A program that contains code under these licences can be distributed under the licences of this project.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

# SPDX expressions for packages that specify only a licence file, by package name.
FILES = {}

# File names of licences.
TEXTS = re.compile(r"^(licen[sc]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def metadata(target):
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def host():
    text = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"^host: (.*)$", text, re.MULTILINE).group(1)


def allows(expression):
    """Returns true if allowed licences satisfy an SPDX expression."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def one():
        token = take()
        if token == "(":
            inner = any_of()
            if take() != ")":
                raise ValueError(f"unbalanced parentheses in `{expression}`")
            return inner
        if peek() == "WITH":
            take()
            token = f"{token} WITH {take()}"
        return token in ALLOWED

    def all_of():
        met = one()
        while peek() == "AND":
            take()
            met = one() and met
        return met

    def any_of():
        met = all_of()
        while peek() == "OR":
            take()
            met = all_of() or met
        return met

    met = any_of()
    if peek() is not None:
        raise ValueError(f"`{expression}` is not an SPDX expression")
    return met


def licence(package):
    return package["license"] or FILES.get(package["name"]) or ""


def violations(packages):
    for package in packages:
        expression = licence(package)
        shown = f"{package['name']} {package['version']}"
        if not expression:
            yield f"{shown}: specifies no licence; read {package['license_file']} and add it to FILES in scripts/licences.py"
        elif not allows(expression):
            yield f"{shown}: `{expression}` is not in ALLOWED in scripts/licences.py"


def linked(data, root):
    """Returns the packages that a program is built from, including build scripts and procedural macros."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    waiting, seen = [root], set()
    while waiting:
        node = nodes[waiting.pop()]
        if node["id"] in seen:
            continue
        seen.add(node["id"])
        for dependency in node["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return seen


def texts(package):
    folder = Path(package["manifest_path"]).parent
    named = [folder / package["license_file"]] if package["license_file"] else []
    files = named + sorted(path for path in folder.iterdir() if path.is_file() and TEXTS.match(path.name))
    for path in dict.fromkeys(path.resolve() for path in files):
        yield path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()


def third_party(packages):
    """Returns a list of the packages, then each distinct licence text with its packages."""
    lines = ["gtr-cli contains code from these packages.", ""]
    sources = {}
    for package in packages:
        shown = f"{package['name']} {package['version']}"
        lines.append(f"  {shown}  ({licence(package)})  {package['repository'] or ''}".rstrip())
        for text in texts(package):
            sources.setdefault(text, []).append(shown)
    lines += ["", "The font of the figures is Roboto, copyright 2015 Google Inc., under the Apache License 2.0 (LICENSE-APACHE)."]
    lines += ["", "Packages without a text below are under the Apache License 2.0 (LICENSE-APACHE) or the MIT License", "(LICENSE-MIT)."]
    for text, users in sources.items():
        lines += ["", "=" * 80, ", ".join(users), "", text]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=host(), help="target triple of the platform")
    parser.add_argument("--texts", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    data = metadata(arguments.target)
    outside = sorted((it for it in data["packages"] if it["source"]), key=lambda it: (it["name"], it["version"]))
    found = list(violations(outside))
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if found:
        return 1
    print(f"licences: {len(outside)} dependencies, all allowed")
    if arguments.texts:
        program = next(it["id"] for it in data["packages"] if it["name"] == "gtr-cli")
        built = linked(data, program)
        arguments.texts.write_text(third_party([it for it in outside if it["id"] in built]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
