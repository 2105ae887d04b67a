"""Runs commands and steps, and reports them."""

import itertools
import json
import os
import signal
import subprocess
import textwrap
import time

PASS, FAIL, SKIPPED = "pass", "FAIL", "skipped"


class Failed(Exception):
    """A step that fails; the message is what was found."""


class Skipped(Exception):
    """A step that is skipped; the message is the reason."""


class Runner:
    """Runs the commands of a step, within the time that the step has left."""

    def __init__(self, folder):
        self.folder = folder
        self.ends = None
        self.log = None
        self.commands = []
        self.child = None

    def start(self, number, seconds):
        """Begins a step."""
        self.ends = time.monotonic() + seconds
        self.commands = []
        self.log = os.path.join(self.folder, f"step-{number:02}.log")
        open(self.log, "w", encoding="utf-8").close()

    def run(self, words, environment=None, codes=(0,)):
        """Returns standard output and seconds of a command. Another exit code, or no end in time, fails the step."""
        words = [str(word) for word in words]
        self.commands.append(" ".join(words))
        left = self.ends - time.monotonic()
        if left <= 0:
            raise Failed("no time left")
        started = time.monotonic()
        try:
            # A session of its own, so that the whole tree of processes can be killed.
            self.child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise Failed(f"{os.path.basename(words[0])} cannot be run: {error.strerror}") from error
        try:
            out, err = self.child.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"no end after {left:.0f} s: {words[0]} was killed") from None
        code, self.child = self.child.returncode, None
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(words)}\n{out}{err}exit code {code}\n\n")
        if code not in codes:
            lines = [line for line in (err.strip() or out.strip()).splitlines() if line.strip()]
            raise Failed(f"exit code {code}: {lines[-1].strip() if lines else 'no message'}")
        return out, time.monotonic() - started

    def json(self, words, codes=(0,)):
        """Returns the JSON that a command prints."""
        return json.loads(self.run(words, codes=codes)[0])

    def kill(self):
        """Kills the running command and all its processes."""
        if self.child is not None:
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.child.wait()
            self.child = None


# Columns of the table and their widths.
COLUMNS = {"step": 30, "expected": 32, "got": 60, "verdict": 7}


def table(steps):
    """Returns the lines of the table; long texts are wrapped."""
    lines = []
    for row in [{column: column for column in COLUMNS}, *steps]:
        cells = [textwrap.wrap(row[column], width) or [""] for column, width in COLUMNS.items()]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            line = "  ".join(part.ljust(width) for part, width in zip(parts, COLUMNS.values()))
            lines.append(line.rstrip())
    return lines


class Report:
    """The steps and their verdicts."""

    def __init__(self, runner, setting, seconds):
        self.runner, self.setting, self.seconds = runner, setting, seconds
        self.started = time.monotonic()
        self.steps = []

    def left(self):
        """Seconds that all steps together have left."""
        return self.seconds - (time.monotonic() - self.started)

    def step(self, name, expected, limit, check, late=False):
        """Runs a step. `check` returns what was found, or raises; whatever it raises decides the verdict. Without time, a late step
        is skipped, and another one fails."""
        number, started = len(self.steps) + 1, time.monotonic()
        limit = min(limit, max(self.left(), 0))
        self.runner.start(number, limit)
        try:
            if limit <= 0:
                raise Skipped("no time") if late else Failed("not run: no time left")
            found, verdict = check(), PASS
        except Skipped as reason:
            found, verdict = str(reason), SKIPPED
        except Failed as error:
            found, verdict = str(error), FAIL
        except Exception as error:
            # An answer that cannot be read is a failure of the step, not of this script.
            found, verdict = f"unreadable: {type(error).__name__}: {error}", FAIL
        self.steps.append(
            {
                "step": name,
                "expected": expected,
                "got": found,
                "verdict": verdict,
                "seconds": round(time.monotonic() - started, 1),
                "commands": self.runner.commands,
                "log": os.path.basename(self.runner.log),
            }
        )
        print(f"[{time.monotonic() - self.started:4.0f} s] {verdict:7} {name}: {found}", flush=True)
        return verdict == PASS

    def failures(self):
        return sum(step["verdict"] == FAIL for step in self.steps)

    def write(self, finished):
        """Writes report.json and returns the table."""
        counts = {verdict: sum(step["verdict"] == verdict for step in self.steps) for verdict in (PASS, FAIL, SKIPPED)}
        seconds = round(time.monotonic() - self.started, 1)
        content = {
            **self.setting,
            "finished": finished,
            "passed": counts[PASS],
            "failed": counts[FAIL],
            "skipped": counts[SKIPPED],
            "seconds": seconds,
            "steps": self.steps,
        }
        with open(os.path.join(self.runner.folder, "report.json"), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
        lines = table(self.steps)
        end = f"{counts[PASS]} passed, {counts[FAIL]} failed, {counts[SKIPPED]} skipped, {seconds:.0f} s"
        if not finished:
            end += ", stopped before the end"
        title = ", ".join(f"{name} {self.setting[name]}" for name in ("device", "sizes", "mode"))
        if self.setting["only"]:
            title += f", only steps that match `{self.setting['only']}`"
        return "\n".join([title, "", *lines, "", end])
