"""Values: what an expression of a program may come to, as far as it matters for mail.

Owns the kinds of values besides the modules, classes and functions of the program itself. Anything else is not known,
and is nobody's business here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .program import Function, Kind, Scope


@dataclass(frozen=True)
class Instance:
    """An object of a class; or of one of its subclasses, where it is not known to be exact."""

    kind: Kind
    is_exact: bool = False


@dataclass(frozen=True)
class Method:
    """A method of an object or a class.

    Args:
        receiver: What it is called on.
        name: Its name.
        function: None: smtplib's, or one of a class that is not part of the project.
    """

    receiver: Instance | Kind
    name: str
    function: Function | None = None


@dataclass(frozen=True)
class External:
    """Something that the project imports from elsewhere."""

    name: str

    @property
    def last(self) -> str:
        """Return the last part of its name."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Awaitable:
    """What a coroutine function returns."""

    values: frozenset[Any]


@dataclass(frozen=True)
class Bridged:
    """What runs a function in a thread, and is awaited."""

    callee: Any


@dataclass(frozen=True)
class Proxy:
    """An object of which the methods are awaited."""

    instance: Instance


@dataclass(frozen=True)
class Manager:
    """A context manager, and what it gives when it is entered."""

    values: frozenset[Any]
    is_async: bool = False


@dataclass(frozen=True)
class Several:
    """A collection of these.

    Args:
        values: What may be in it; of a mapping, its values.
        parts: What is at which index, or key, where that is known.
        is_mapping: Whether what is iterated over are keys.
    """

    values: frozenset[Any]
    parts: tuple[tuple[Any, frozenset[Any]], ...] = ()
    is_mapping: bool = False


@dataclass(frozen=True)
class Super:
    """What ``super()`` is in a method of a class."""

    kind: Kind


@dataclass(frozen=True)
class Maker:
    """Something of which no more is known than what it gives when it is called."""

    values: frozenset[Any]


@dataclass(frozen=True)
class Alias:
    """A type under a name of its own.

    Args:
        annotation: What it stands for.
        scope: Where that is evaluated.
    """

    annotation: ast.expr
    scope: Scope


Value = Any  # Module | Kind | Function | one of those above
Values = frozenset[Value]
NOTHING: Values = frozenset()

_DEEPEST = 4
"""Collections in collections that are told apart; a list that is put into itself would have no end."""


def union(parts: Iterable[Iterable[Value]]) -> Values:
    """Return the values in all of these."""
    return frozenset(value for part in parts for value in part)


def several(values: Values, parts: Iterable[tuple[Any, Values]] = (), *, is_mapping: bool = False) -> Values:
    """Return a collection of values; nothing, if nothing is known of them."""
    if not values or _depth(values) >= _DEEPEST:
        return NOTHING
    return frozenset({Several(values, tuple(parts), is_mapping)})


def _depth(values: Values) -> int:
    return max((1 + _depth(each.values) for each in values if isinstance(each, Several)), default=0)


def elements(value: Value) -> Values:
    """Return what is iterated over."""
    return value.values if isinstance(value, Several) and not value.is_mapping else NOTHING


def part_of(value: Value, which: Any) -> Values:
    """Return what a collection has at an index, or under a key; None: somewhere."""
    if not isinstance(value, Several):
        return NOTHING
    known = dict(value.parts)
    if isinstance(which, int) and not value.is_mapping and which < 0:
        which += len(known)
    found: Values = known.get(which, value.values)
    return found


def awaited(values: Values) -> Values:
    """Return what awaiting gives; what is no awaitable is taken for what it gives."""
    if not any(isinstance(each, Awaitable) for each in values):
        return values
    return union(each.values if isinstance(each, Awaitable) else {each} for each in values)
