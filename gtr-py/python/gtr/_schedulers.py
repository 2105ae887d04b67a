"""Orders and paces written in Python."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from gtr import _gtr


class Grid(NamedTuple):
    """Rows and columns of tokens; token `row * width + column`."""

    height: int
    width: int

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return self.height * self.width


@runtime_checkable
class Order(Protocol):
    """Divides a grid into stages.

    The partition depends only on the grid and the parameters. A class may also have the attributes

    - `within`: `"listed"` (the default: tokens are generated in the listed order), `"random"` or `"farthest"` (the order differs
      between images; a stage lists its tokens in ascending order);
    - `reconstructs`: true if the last of several stages is a reconstruction, in which a detail rule may pick tokens.
    """

    def partition(self, grid: Grid) -> Sequence[Sequence[int]]:
        """Returns the tokens of each stage, with every token of the grid exactly once."""


@runtime_checkable
class Pace(Protocol):
    """Divides stages into AR steps."""

    def steps(self, stages: list[int]) -> Sequence[Sequence[int]]:
        """Returns the token counts of the steps of each stage; `stages` has the number of tokens of each stage."""


_A = {"order": "an order", "pace": "a pace"}
_METHODS = {"order": "partition", "pace": "steps"}
_REGISTERED: dict[tuple[str, str], type] = {}

C = TypeVar("C", bound=type)


def register(scheduler: C) -> C:
    """Registers a class with `partition(grid)` as an order, or with `steps(stages)` as a pace, under a name.

    The name is the attribute `kind` of the class, or the class name in kebab-case. Schedules refer to the class by that name and
    pass parameters to its constructor. Can be used as a decorator.

    Raises:
        TypeError: the class has neither method, or both.
        ValueError: an implementation of this package has that name.

    Examples:
        >>> import gtr
        >>> @gtr.register
        ... class Columns:
        ...     def partition(self, grid):
        ...         return [[row * grid.width + column for column in range(grid.width) for row in range(grid.height)]]
        >>> gtr.plan("mar-8", grid=(2, 2), order="columns").order().tolist()
        [0, 2, 1, 3]
        >>> gtr.unregister(Columns)
    """
    axis = _axis(scheduler)
    kind = kind_of(scheduler)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind):
        raise ValueError(f"`{kind}` is not a name in kebab-case: lower-case words joined by hyphens")
    if any(it["axis"] == axis and it["kind"] == kind for it in _gtr.schedulers()):
        raise ValueError(f"gtr has {_A[axis]} called `{kind}`: choose another name")
    _REGISTERED[axis, kind] = scheduler
    return scheduler


def unregister(scheduler: type) -> None:
    """Removes a registered class."""
    _REGISTERED.pop((_axis(scheduler), kind_of(scheduler)), None)


def kind_of(scheduler: type) -> str:
    """Returns the name under which a class is registered."""
    named = getattr(scheduler, "kind", None)
    if isinstance(named, str):
        return named
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", scheduler.__name__).lower()


def _axis(scheduler: object) -> str:
    axes = [axis for axis, method in _METHODS.items() if callable(getattr(scheduler, method, None))]
    if len(axes) != 1:
        name = getattr(scheduler, "__name__", type(scheduler).__name__)
        raise TypeError(f"{name} is not a scheduler: an order has `partition(grid)`, a pace has `steps(stages)`")
    return axes[0]


def config(axis: str, scheduler: object) -> dict[str, Any]:
    """Returns the configuration of a scheduler, given as an object or a class, and registers it."""
    instance = scheduler() if isinstance(scheduler, type) else scheduler
    found = _axis(instance)
    if found != axis:
        raise TypeError(f"{type(instance).__name__} is not {_A[axis]}, but {_A[found]}")
    register(type(instance))
    return {"kind": kind_of(type(instance)), **_parameters(instance)}


def _parameters(instance: object) -> dict[str, Any]:
    if dataclasses.is_dataclass(instance) and not isinstance(instance, type):
        return dataclasses.asdict(instance)
    return dict(vars(instance)) if hasattr(instance, "__dict__") else {}


def is_python(config: Mapping[str, Any], axis: str) -> bool:
    """Returns true if a configuration names a registered Python scheduler."""
    return isinstance(config, Mapping) and (axis, config.get("kind")) in _REGISTERED


def build(config: Mapping[str, Any], axis: str) -> Any:
    """Constructs the scheduler of a configuration."""
    parameters = {name: value for name, value in config.items() if name not in ("kind", "within")}
    scheduler = _REGISTERED[axis, config["kind"]]
    try:
        return scheduler(**parameters)
    except TypeError as error:
        raise _gtr.PlanError(f"{axis} `{config['kind']}`: {error}") from error


def stages(config: dict[str, Any], sides: tuple[int, int]) -> tuple[list[list[int]], str, bool] | None:
    """Returns the result of a Python order on a grid, or None for another order; adds `within` to its configuration if needed."""
    if not is_python(config, "order"):
        return None
    order = build(config, "order")
    within = str(getattr(order, "within", "listed"))
    if within != "listed":
        config["within"] = within
    made = order.partition(Grid(*sides))
    return _lists(made, f"partition of `{config['kind']}`"), within, bool(getattr(order, "reconstructs", False))


def steps(config: Mapping[str, Any], sizes: list[int]) -> list[list[int]]:
    """Returns the result of a Python pace on stages."""
    return _lists(build(config, "pace").steps(list(sizes)), f"steps of `{config['kind']}`")


def _lists(made: Any, what: str) -> list[list[int]]:
    try:
        return [[int(number) for number in part] for part in made]
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what}: expected a list of lists of integers: {error}") from None
