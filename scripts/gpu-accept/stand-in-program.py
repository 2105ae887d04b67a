#!/usr/bin/env python3
"""Stands for gtr-cli in scripts/gpu-accept-test.sh: prints and writes at once what a right program would. FAULT makes it wrong."""

import io
import json
import os
import sys
import time
import zipfile

words = sys.argv[1:]
FAULT = os.environ.get("FAULT", "")


def flag(name, default=None):
    return words[words.index(name) + 1] if name in words else default


def npz(path, count, change):
    pixels = bytearray(b"\x10" * (count * 12))
    for image in range(change):
        pixels[image * 12] += 5
    header = repr({"descr": "|u1", "fortran_order": False, "shape": (count, 2, 2, 3)}).encode()
    file = io.BytesIO()
    file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(pixels))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", file.getvalue())


def sample():
    out, count = flag("--out"), int(flag("--count", "1"))
    if out.endswith(".npz"):
        wrong = FAULT == "pixels" and out.endswith("cpu.npz") or FAULT == "graphs" and "--cuda-graphs" in words
        npz(out, count, 2 if wrong else 0)
    elif out.endswith(".png"):
        with open(out, "w", encoding="utf-8") as file:
            file.write(str(os.getpid()) if FAULT == "digit" else "seven")
    else:
        os.makedirs(out)
        differs = FAULT == "unequal" and out.endswith("2")
        differs = differs or (FAULT == "launches" and os.environ.get("CUDA_LAUNCH_BLOCKING") == "1")
        for image in range(count):
            with open(os.path.join(out, f"{image}.png"), "w", encoding="utf-8") as file:
                file.write(f"{image}{'x' if differs and image == 1 else ''}")
    if flag("--trace"):
        open(flag("--trace"), "w", encoding="utf-8").close()


def conform():
    names = ["orders", "mask_before", "timesteps", "noise", "z", "sampled"]
    beyond = FAULT == "trace" and any(word.endswith("trace.safetensors") for word in words)
    beyond = beyond or (FAULT == "recordings" and flag("--dtype") == "f32")
    made = [{"recording": "r", "name": name, "relative": 0.0, "passed": not (beyond and name == "z")} for name in names]
    setting = {"device": flag("--device"), "dtype": flag("--dtype", "f32"), "tolerances": flag("--tolerance")}
    print(json.dumps({**setting, "quantities": made, "notes": [], "problems": []}))
    return 1 if beyond else 0


def evaluate():
    figures = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cpu-figures.json")
    with open(figures, encoding="utf-8") as file:
        right = json.load(file)["judged"][flag("--count")]
    if FAULT == "crash":
        print("error: out of memory", file=sys.stderr)
        return 3
    wrong = 3.0 if FAULT == "judge" and flag("--dtype") == "bf16" else 1.0
    row = {"images": int(flag("--count")), "frechet": {"value": wrong * right["distance"]}}
    print(json.dumps({"rows": [{**row, "class_accuracy": {"value": right["accuracy"]}}]}))


def bench():
    if FAULT == "hang":
        time.sleep(600)
    if FAULT == "garbage":
        print("mar-b, f32")
        return
    seconds = {"gtr-8": 1.0, "gtr-16": 2.0, "mar-64": 3.0 if FAULT == "slow" else 9.0}
    head = 0.0 if FAULT == "parts" else 0.5
    row = lambda name, it: {"preset": name, "seconds": it, "transformer": 0.4 * it, "head": head * it, "decode": 0.09 * it}
    rows = [row(name, seconds[name]) for name in flag("--presets").split(",")]
    setting = {"device": flag("--device"), "dtype": flag("--dtype"), "rate": 1e12, "device_memory": None}
    print(json.dumps({**setting, "presets": rows}))


def plan():
    print("{}")


commands = {"sample": sample, "conform": conform, "eval": evaluate, "bench": bench, "plan": plan}
if words == ["--version"]:
    print("gtr-cli of the test")
else:
    sys.exit(commands[words[0]]() or 0)
