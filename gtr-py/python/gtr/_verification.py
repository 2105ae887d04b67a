"""Plans of others, checked."""

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
    """Its short name."""
    place: str
    """Where, as a path into the document: `stages[1].tokens[3]`."""
    found: str
    expected: str
    message: str = field(repr=False)

    def __str__(self) -> str:
        return self.message


class Verification(list[Violation]):
    """The broken rules of a document, none if it is sound; `notes` say what could not be checked."""

    def __init__(self, violations: Iterable[Violation], notes: Iterable[str]) -> None:
        super().__init__(violations)
        self.notes = list(notes)


def verify(plan: str | bytes | Plan) -> Verification:
    """Checks a plan against every rule, whoever wrote it: JSON, or a plan.

    A plan of schedulers that are not known here, as those written in Python, is checked for its structure alone; a note says
    so.

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
