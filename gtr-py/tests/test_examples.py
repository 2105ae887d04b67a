"""Runs the examples like a user."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("torch")]

EXAMPLES = Path(__file__).parents[1] / "examples"


def grey(png: bytes) -> numpy.ndarray:
    """Decodes a grey 8-bit PNG without interlacing."""
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert tuple(png[24:29]) == (8, 0, 0, 0, 0)
    packed, place = b"", 8
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4], "big"), png[place + 4 : place + 8]
        if kind == b"IDAT":
            packed += png[place + 8 : place + 8 + length]
        place += length + 12
    lines, rows = zlib.decompress(packed), [numpy.zeros(width, int)]
    for row in range(height):
        line = lines[row * (width + 1) : (row + 1) * (width + 1)]
        now = numpy.zeros(width, int)
        for column, byte in enumerate(line[1:]):
            left, above = (now[column - 1] if column else 0), rows[-1][column]
            corner = rows[-1][column - 1] if column else 0
            nearest = min(abs(above - corner), abs(left - corner), abs(left + above - 2 * corner))
            paeth = left if abs(above - corner) == nearest else above if abs(left - corner) == nearest else corner
            now[column] = (byte + [0, left, above, (left + above) // 2, paeth][line[0]]) % 256
        rows.append(now)
    return numpy.stack(rows[1:])


@pytest.mark.cli
def test_the_digit_equals_that_of_the_command_line(cli: Callable[..., str], tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.png", tmp_path / "theirs.png"
    command = [sys.executable, str(EXAMPLES / "digits.py"), "--label", "7", "--out", str(ours)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cli("sample", "--class", "7", "--preset", "gtr-16", "--scale", "1", "--out", theirs)
    difference = numpy.abs(grey(ours.read_bytes()) - grey(theirs.read_bytes()))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.05
