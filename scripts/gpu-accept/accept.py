"""The steps of scripts/gpu-accept.sh, which documents the command line and the environment."""

import argparse
import json
import os
import re
import shutil
import signal
import sys

import pictures
from runner import Failed, Report, Runner, Skipped

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# Sizes of the steps. `speed` has model, presets, type and batch; `torch` has model, preset, type and batch. The `late` ones are run at
# the end if there is time for them.
FULL = {
    "many": (32, ["--preset", "gtr-8"]),
    "judged": 1000,
    "alone": 20,
    "together": 100,
    "trace": ["--model", "mar-b", "--random-weights"],
    "speed": [
        ("mar-h", "gtr-8,gtr-16,mar-64", "f32", 1),
        ("mar-h", "gtr-8,gtr-16,mar-64", "f16", 32),
        ("mar-h", "gtr-8,gtr-16", "f16", 128),
    ],
    "graphs": ("mar-h", "gtr-8,gtr-16", "f32", 1),
    "torch": [("mar-h", "gtr-16", "f16", 1), ("mar-h", "gtr-16", "f16", 32), ("mar-h", "mar-64", "f16", 32)],
    # mar-64 may take half of the time of all steps here.
    "late speed": [("mar-h", "mar-64", "f16", 128)],
    "late torch": [("mar-h", "gtr-16", "f16", 128), ("mar-h", "mar-64", "f16", 128)],
    "seconds": 480,
}
SMALL = {
    "many": (2, ["--preset", "gtr-8", "--diffusion", "constant", "--t", "2", "--detail", "none"]),
    "judged": 40,
    "alone": 4,
    "together": 10,
    "trace": [],
    "speed": [
        ("mar-b", "gtr-8", "f32", 1),
        ("digits", "gtr-8,gtr-16,mar-64", "f32", 2),
        ("digits", "gtr-8,gtr-16,mar-64", "f16", 4),
    ],
    "graphs": ("digits", "gtr-8,gtr-16", "f32", 2),
    "torch": [("mar-b", "gtr-8", "f32", 1)],
    "late speed": [],
    "late torch": [],
    "seconds": 900,
}
# Limits of steps are in seconds on a GPU; the CPU gets five times as much. Tests set another factor.
FACTOR = float(os.environ.get("GTR_ACCEPT_FACTOR") or (5 if os.environ.get("GTR_DEVICE") == "cpu" else 1))
# Seconds that a late step may take, and those that it needs to start, to load its weights and to warm up.
LATE, STARTING = 300, 20
# Differences of pixels up to this value are rounding.
ROUNDING = 4


class Acceptance:
    """The steps, with the program and the device."""

    def __init__(self, arguments):
        self.device = os.environ.get("GTR_DEVICE") or "cuda:0"
        self.stand_in = self.device == "cpu"
        self.sizes = SMALL if arguments.small else FULL
        self.program = os.environ["GTR_CLI"]
        self.python = os.environ.get("PYTHON") or "python3"
        # Tests put other stand-ins in their place.
        self.stand_ins = os.environ.get("GTR_ACCEPT_STAND_INS") or os.path.join(HERE, "stand-ins")
        self.folder = os.path.abspath(arguments.out)
        os.makedirs(self.folder, exist_ok=True)
        for name in os.listdir(self.folder):
            if name in ("report.json", "table.txt") or re.fullmatch(r"step-\d+\.log", name):
                os.remove(os.path.join(self.folder, name))
        self.work = os.path.join(self.folder, "work")
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.runner = Runner(self.folder)
        self.only = re.compile(arguments.only)
        setting = {
            "device": self.device,
            "sizes": "small" if arguments.small else "full",
            "mode": "STAND-INS on the CPU: no GPU was tested" if self.stand_in else "gpu",
            "stand_ins": self.stand_in,
            "program": self.program,
            "card": None,
            "only": arguments.only,
        }
        self.report = Report(self.runner, setting, arguments.seconds or self.sizes["seconds"])
        with open(os.path.join(HERE, "cpu-figures.json"), encoding="utf-8") as file:
            self.figures = json.load(file)["judged"][str(self.sizes["judged"])]

    def path(self, name):
        return os.path.join(self.work, name)

    def gtr(self, *words):
        return [self.program, *words]

    def on_device(self, *words):
        return self.gtr(*words, "--device", self.device)

    def tool(self, name):
        """Returns the path of a tool of NVIDIA, or that of its stand-in."""
        found = shutil.which(name, path=self.stand_ins) if self.stand_in else shutil.which(name)
        if found is None:
            raise Failed(f"{name} is not installed")
        return found

    def step(self, name, expected, seconds, check, late=False):
        if self.only.search(name):
            self.report.step(name, expected, FACTOR * seconds, check, late)

    # The steps, in their order.

    def card(self):
        fields = "--query-gpu=name,driver_version,memory.total,compute_cap"
        out, _ = self.runner.run([self.tool("nvidia-smi"), fields, "--format=csv,noheader"])
        lines = out.strip().splitlines()
        if not lines:
            raise Failed("nvidia-smi lists no device")
        self.report.setting["card"] = lines[0].strip()
        return "; ".join(line.strip() for line in lines)

    def libraries(self):
        out, _ = self.runner.run(["ldd", self.program], codes=(0, 1))
        missing = [line.split()[0] for line in out.splitlines() if "not found" in line]
        if missing:
            raise Failed(f"missing: {', '.join(missing)}")
        version, _ = self.runner.run(self.gtr("--version"))
        return f"all found; {version.strip()}"

    def digit(self):
        images, times = [], []
        for number in (1, 2):
            out = os.path.join(self.folder, f"seven-{number}.png")
            words = ["sample", "--class", "7", "--preset", "gtr-8", "--out", out, "--overwrite"]
            times.append(self.runner.run(self.on_device(*words))[1])
            with open(out, "rb") as file:
                images.append(file.read())
        said = f"{times[0]:.1f} s, then {times[1]:.1f} s"
        if images[0] != images[1]:
            raise Failed(f"the images differ; {said}")
        if times[1] > (30 if self.stand_in else 5):
            raise Failed(f"equal, but slow: {said}")
        return f"equal; {said}"

    def conform(self, dtype):
        recordings = os.path.join(ROOT, "tests", "golden")

        def compared(device, tolerance):
            words = ["conform", recordings, "--dtype", dtype, "--tolerance", tolerance, "--format", "json"]
            report = self.compare(words, device)
            return report, len(report["quantities"])

        reference, most = compared("cpu", "rounding")
        report, count = compared(self.device, "rounding")
        if report["device"] != self.device or report["dtype"] != dtype:
            raise Failed(f"compared on {report['device']} in {report['dtype']}")
        return self.within(report, f"{count} compared", count == most and count > 0 and not reference["problems"])

    def compare(self, words, device):
        """Returns the report of `conform`, whose exit code is 1 if there are differences."""
        return self.runner.json(self.gtr(*words, "--device", device), codes=(0, 1))

    def within(self, report, said, complete=True):
        """Fails for a report with differences beyond its tolerance."""
        beyond = [f"{it['recording']} {it['name']}" for it in report["quantities"] if not it["passed"]]
        problems = [it["text"] for it in report["problems"]]
        said = f"{said}, {len(beyond)} beyond tolerance"
        if beyond or problems:
            raise Failed(f"{said}: {', '.join([*beyond, *problems][:3])}")
        if not complete:
            raise Failed(f"{said}, but not as many as on the CPU")
        return said

    def many(self):
        count, flags = self.sizes["many"]
        found, times = [], []
        for run, environment in ((1, {}), (2, {}), (3, {"CUDA_LAUNCH_BLOCKING": "1"})):
            out = self.path(f"many-{run}")
            words = ["sample", "--model", "mar-b", "--random-weights", "--classes", "balanced", "--count", count]
            words += ["--batch", count, *flags, "--out", out]
            times.append(self.runner.run(self.on_device(*words), environment)[1])
            found.append(pictures.hashes(out))
        if any(len(images) != count for images in found):
            raise Failed(f"expected {count} images, found {', '.join(str(len(images)) for images in found)}")
        if len(set(found[0].values())) != count:
            raise Failed("two images of one run are equal")
        differing = [sum(found[0][name] != images.get(name) for name in found[0]) for images in found[1:]]
        said = f"{differing[0]} and {differing[1]} of {count} differ; {', '.join(f'{time:.1f}' for time in times)} s"
        if any(differing):
            raise Failed(said)
        return said

    def judged(self, dtype):
        count, figures = self.sizes["judged"], self.figures
        words = ["eval", "--presets", "gtr-16", "--count", count, "--resamples", 100, "--untimed", "--dtype", dtype]
        words = [*words, "--format", "json"]
        report = self.runner.json(self.on_device(*words))
        row = report["rows"][0]
        distance, accuracy = row["frechet"]["value"], row["class_accuracy"]["value"]
        said = f"{distance:.2f}, {100 * accuracy:.1f} %"
        if row["images"] != count:
            raise Failed(f"{said}, of {row['images']} images")
        low, high, least = self.bounds(dtype)
        if not low <= distance <= high or accuracy < least:
            raise Failed(f"{said}; the CPU: {figures['distance']:.2f}, {100 * figures['accuracy']:.1f} %")
        return said

    def bounds(self, dtype):
        """Least and largest distance, and least accuracy."""
        figures = self.figures
        if dtype == "f32":
            distance = figures["distance"]
            return distance * 0.97, distance * 1.03, figures["accuracy"] - 0.003
        return figures["low"], figures["high"], figures["accuracy"] - 0.015

    def digits(self, name, count, batch, device, *flags):
        """Generates digits and returns their pixels."""
        out = self.path(f"{name}.npz")
        words = ["sample", "--classes", "balanced", "--count", count, "--batch", batch, "--preset", "gtr-16", *flags]
        self.runner.run(self.gtr(*words, "--out", out, "--device", device))
        images = pictures.read_npz(out)
        if len(images) != count:
            raise Failed(f"expected {count} images, found {len(images)}")
        return images

    def pixels(self):
        alone, together = self.sizes["alone"], self.sizes["together"]
        one = self.digits("alone", alone, 1, self.device)
        all_of_them = self.digits("together", together, together, self.device)
        cpu = self.digits("cpu", together, together, "cpu")
        batch = pictures.differing(one, all_of_them[:alone], ROUNDING)
        device = pictures.differing(all_of_them, cpu, ROUNDING)
        said = f"{batch} of {alone} differ from the batch, {device} of {together} from the CPU's"
        # The detail rule may pick another token where two scores are nearly equal.
        if batch > alone * 0.05 or device > together * 0.05:
            raise Failed(said)
        return said

    def graphs(self):
        self.need_graphs()
        count = self.sizes["alone"]
        direct = self.digits("direct", count, count, self.device)
        graphs = self.digits("graphs", count, count, self.device, "--cuda-graphs")
        unequal = sum(a != b for a, b in zip(direct, graphs))
        differing = pictures.differing(direct, graphs, ROUNDING)
        said = f"{unequal} of {count} not equal, {differing} differ by more"
        if differing:
            raise Failed(said)
        return said

    def need_graphs(self):
        if self.stand_in and not os.environ.get("GTR_ACCEPT_GRAPHS"):
            raise Skipped("the CPU has no graphs")

    def speed_of_graphs(self, model, presets, dtype, batch):
        self.need_graphs()
        return self.speed(model, presets, dtype, batch, graphs=True)

    def trace(self):
        trace, model = os.path.join(self.folder, "trace.safetensors"), self.sizes["trace"]
        words = ["sample", *model, "--class", "7", "--preset", "gtr-8", "--trace", trace]
        out = os.path.join(self.folder, "traced.png")
        self.runner.run(self.on_device(*words, "--out", out, "--overwrite"))
        words = ["conform", trace, *model, "--tolerance", "rounding", "--format", "json"]
        report = self.compare(words, "cpu")
        kept = {"orders", "mask_before", "timesteps", "noise"}
        if not kept <= {it["name"] for it in report["quantities"]}:
            raise Failed("orders, masks, timesteps or noise were not compared")
        worst = max(it["relative"] for it in report["quantities"] if it["name"] in ("z", "sampled", "tokens"))
        return self.within(report, f"{len(report['quantities'])} compared, {worst:.0e} of the largest value at most")

    def speed(self, model, presets, dtype, batch, graphs=False):
        words = ["bench", "--random-weights", "--model", model, "--presets", presets, "--dtype", dtype, "--count", batch]
        words += ["--cuda-graphs"] if graphs else []
        report = self.runner.json(self.on_device(*words, "--rounds", 1, "--format", "json"))
        if report["device"] != self.device or report["dtype"] != dtype:
            raise Failed(f"timed on {report['device']} in {report['dtype']}")
        rows = {row["preset"]: row for row in report["presets"]}
        if not graphs:
            self.seconds |= {("gtr", name, batch): row["seconds"] for name, row in rows.items()}
        said = [f"{name} {row['seconds']:.3f} s" for name, row in rows.items()]
        said = f"{', '.join(said)} an image, {report['rate'] / 1e12:.1f} x 10^12/s in products"
        memory = report["device_memory"]
        self.memory[f"{model} x {batch}{', graphs' if graphs else ''}"] = memory
        for name, row in rows.items():
            share = (row["transformer"] + row["head"] + row["decode"]) / row["seconds"]
            if not 0.7 <= share <= 1.02:
                raise Failed(f"{said}; the parts of {name} are {100 * share:.0f} % of the whole")
        fast = self.seconds.get(("gtr", "gtr-16", batch), 0)
        if "mar-64" in rows and fast > rows["mar-64"]["seconds"] / 2:
            raise Failed(f"{said}; gtr-16 is not twice as fast as mar-64")
        return said

    def memory_use(self):
        if not self.memory:
            raise Failed("no run has reported its memory")
        if self.stand_in:
            raise Skipped("the CPU has no memory of its own")
        if None in self.memory.values():
            raise Failed("the driver does not report it")
        parts = [f"{run}: {it['used'] / 1e9:.1f}" for run, it in self.memory.items()]
        total = max(it["total"] for it in self.memory.values())
        said = f"{', '.join(parts)} of {total / 1e9:.1f} GB"
        if max(it["used"] for it in self.memory.values()) > 0.95 * total:
            raise Failed(said)
        return said

    def torch(self, model, preset, dtype, batch, rounds=3):
        kind = self.device.split(":")[0]
        probe = f"import torch; assert {kind == 'cpu'} or torch.cuda.is_available(), 'torch without CUDA'"
        try:
            self.runner.run([self.python, "-c", probe])
        except Failed as reason:
            raise Skipped(f"no PyTorch for {kind}: {str(reason).split(': ', 1)[-1]}") from None
        plan = self.path(f"{preset}.json")
        out, _ = self.runner.run(self.gtr("plan", "--preset", preset, "--grid", "16x16", "--format", "json"))
        with open(plan, "w", encoding="utf-8") as file:
            file.write(out)
        words = [os.path.join(ROOT, "tools", "torch_mar.py"), "--device", kind, "--model", model, "--plan", plan]
        rounds = 1 if self.stand_in else rounds
        words += ["--cfg", "3.2", "--count", batch, "--rounds", rounds, "--dtype", dtype]
        report = self.runner.json([self.python, *words])
        self.seconds["torch", preset, batch] = report["seconds_per_image"]
        if not report["seconds_per_image"] > 0:
            raise Failed(f"{report['seconds_per_image']} s an image")
        parts = ", ".join(f"{part} {report[part]}" for part in ("transformer", "head", "decode"))
        return f"{report['seconds_per_image']:.3f} s an image ({parts}), torch {report['torch']}"

    def late(self, program, preset, batch, check):
        """Runs a late step of one round if there is time. An image is expected to take no longer than in a smaller batch."""
        known = [seconds for (by, name, images), seconds in self.seconds.items() if (by, name) == (program, preset) and images <= batch]
        # `bench` also runs a round that is not timed.
        needed = STARTING + 2 * batch * min(known) if known else LATE
        left = self.report.left()
        if left < needed:
            raise Skipped(f"no time: {left:.0f} s are left, and it needs about {needed:.0f} s")
        return check()

    def sanitizer(self):
        words = [self.tool("compute-sanitizer"), "--tool", "memcheck", "--error-exitcode", "9"]
        flags = ["--class", "7", "--preset", "gtr-8", "--diffusion", "constant", "--t", "2", "--detail", "none"]
        out, _ = self.runner.run([*words, *self.on_device("sample", *flags, "--out", self.path("checked.png"))])
        summary = [line for line in out.splitlines() if "ERROR SUMMARY" in line]
        if not summary or "ERROR SUMMARY: 0 errors" not in summary[-1]:
            raise Failed(summary[-1].strip("= ") if summary else "no summary")
        return "0 errors"

    def run(self):
        """Runs all steps."""
        sizes, self.memory = self.sizes, {}
        # Seconds of an image by program, preset and batch.
        self.seconds = {}
        self.step("card and driver", "a name", 20, self.card)
        self.step("libraries", "all found", 10, self.libraries)
        self.step("a digit twice", "equal bytes, soon", 60, self.digit)
        for dtype in ("f32", "f16", "bf16"):
            check = lambda dtype=dtype: self.conform(dtype)
            self.step(f"recordings, {dtype}", "as many as on the CPU, 0 beyond", 60, check)
        count = sizes["many"][0]
        self.step(f"{count} of mar-b, three times", "equal; the third waits for launches", 120, self.many)
        for dtype in ("f32", "f16", "bf16"):
            low, high, least = self.bounds(dtype)
            expected = f"{low:.2f} to {high:.2f}, {100 * least:.1f} % or more"
            check = lambda dtype=dtype: self.judged(dtype)
            self.step(f"{sizes['judged']} digits judged, {dtype}", expected, 60, check)
        self.step("digits alone, together, CPU", "at most 5 % differ by more than 4", 60, self.pixels)
        self.step("digits, with CUDA graphs", "none differs by more than 4", 60, self.graphs)
        self.step("a trace, replayed on the CPU", "0 beyond tolerance", 90, self.trace)
        self.step("compute-sanitizer", "0 errors", 90, self.sanitizer)
        for model, presets, dtype, batch in sizes["speed"]:
            check = lambda run=(model, presets, dtype, batch): self.speed(*run)
            expected = "the parts add up to the whole"
            if "mar-64" in presets:
                expected += "; gtr-16 twice as fast as mar-64"
            self.step(f"{model} x {batch}, {dtype}", expected, 150, check)
        model, presets, dtype, batch = sizes["graphs"]
        check = lambda: self.speed_of_graphs(model, presets, dtype, batch)
        self.step(f"{model} x {batch}, {dtype}, CUDA graphs", "the parts add up to the whole", 90, check)
        self.step("device memory", "below 95 %", 5, self.memory_use)
        for model, preset, dtype, batch in sizes["torch"]:
            check = lambda run=(model, preset, dtype, batch): self.torch(*run)
            self.step(f"PyTorch, {model} {preset} x {batch}, {dtype}", "a time, to compare", 90, check)
        for model, presets, dtype, batch in sizes["late speed"]:
            timed = lambda run=(model, presets, dtype, batch): self.speed(*run)
            check = lambda run=(presets, batch), timed=timed: self.late("gtr", *run, timed)
            expected = "the parts add up to the whole; gtr-16 twice as fast as mar-64"
            self.step(f"{model} {presets} x {batch}, {dtype}", expected, LATE, check, late=True)
        for model, preset, dtype, batch in sizes["late torch"]:
            timed = lambda run=(model, preset, dtype, batch): self.torch(*run, rounds=1)
            check = lambda run=(preset, batch), timed=timed: self.late("torch", *run, timed)
            self.step(f"PyTorch, {model} {preset} x {batch}, {dtype}", "a time, to compare", LATE, check, late=True)


def main():
    parser = argparse.ArgumentParser(prog="gpu-accept.sh", description="See scripts/gpu-accept.sh --help.")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", default="gpu-accept-out")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float)
    acceptance = Acceptance(parser.parse_args())

    def stopped(number, _frame):
        acceptance.runner.kill()
        print(acceptance.report.write(finished=False), flush=True)
        os._exit(128 + number)

    signal.signal(signal.SIGINT, stopped)
    signal.signal(signal.SIGTERM, stopped)
    acceptance.run()
    table = acceptance.report.write(finished=True)
    with open(os.path.join(acceptance.folder, "table.txt"), "w", encoding="utf-8") as file:
        file.write(table + "\n")
    shutil.rmtree(acceptance.work, ignore_errors=True)
    print(f"\n{table}")
    return 1 if acceptance.report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
