"""Arguments: those of a call, where nobody looks.

Owns the one object that holds them on their way. They may hold a password, and error trackers collect the variables of
frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Hidden:
    """A function that a frame has, and does not show: a partial's repr has its arguments."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func


class Arguments:
    """Those of a call, in one opaque object."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._args = args
        self._kwargs = kwargs

    def take_first(self) -> Any:
        """Take the first positional argument: the ``self`` of a method."""
        first, *others = self._args
        self._args = tuple(others)
        return first

    def turn(self, choose: Callable[[tuple[Any, ...]], T]) -> T:
        """Return what is chosen by the positional arguments."""
        return choose(self._args)

    def __call__(self, func: Callable[..., Any]) -> Any:
        """Call a function with them."""
        return func(*self._args, **self._kwargs)

    def call(self, hidden: Hidden) -> Any:
        """Call a function that shall not be seen, either."""
        return hidden.func(*self._args, **self._kwargs)
