"""Verification of untrusted plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gtr import _gtr
from gtr._gtr import Plan


@dataclass(frozen=True)
class Violation:
    """A place where a document breaks a rule of the plan format."""

    rule: int
    """The number of the rule."""
    name: str
    """The short name of the rule."""
    place: str
    """Path into the document, such as `stages[1].tokens[3]`."""
    found: str
    expected: str
    message: str = field(repr=False)

    def __str__(self) -> str:
        return self.message


class Verification(list[Violation]):
    """The violations of a document, empty if it is valid; `notes` lists rules that could not be checked."""

    def __init__(self, violations: Iterable[Violation], notes: Iterable[str]) -> None:
        super().__init__(violations)
        self.notes = list(notes)


def verify(plan: str | bytes | Plan) -> Verification:
    """Checks a plan, given as JSON or as a `Plan`, against every rule. The JSON may come from an untrusted source.

    If the plan uses unknown schedulers, such as those written in Python, only its structure is checked, and a note says so.

    >>> import gtr
    >>> text = gtr.plan("gtr-16", grid=(8, 8)).to_json()
    >>> gtr.verify(text)
    []
    >>> str(gtr.verify(text.replace('"tokens": [0, ', '"tokens": [', 1).replace('[0,', '[', 1))[0])
    'R7 covering at stages: found no token 0, expected every token of the grid once'
    """
    if isinstance(plan, Plan):
        plan = plan.to_json()
    elif isinstance(plan, bytes):
        plan = plan.decode("utf-8", errors="replace")
    violations, notes = _gtr.verify(plan)
    return Verification((Violation(*violation) for violation in violations), notes)
