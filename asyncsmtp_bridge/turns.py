"""Turns: in which lane the call of a function has its turn, if in any.

Owns the rule: a method's calls in the lane of its object, a function's side by side, unless somebody wants it
otherwise.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import Any

from .face import Calls
from .functions import Turn
from .lane import Lane, lane_of


def no_turn(_: tuple[Any, ...]) -> Lane | None:
    """Have none: side by side."""
    return None


def turn_of(func: Any, calls: Calls | None) -> Turn:
    """Say in which lane a function's calls have their turn.

    A bound method's, in that of its object; those of a function that was defined in a class, in that of its first
    argument, if that is such an object.
    """
    if calls == "concurrent":
        return no_turn
    inner = func
    while isinstance(inner, partial):
        inner = inner.func
    owner = getattr(inner, "__self__", None) if isinstance(inner, _METHODS) else None
    if owner is not None and not inspect.isclass(owner) and not inspect.ismodule(owner):
        return _always(owner)
    home, _, _ = getattr(func, "__qualname__", "").rpartition(".")
    if home and not home.endswith("<locals>") and inspect.isfunction(func):
        return partial(_turn_of_first, (func.__module__, home), func if calls == "serial" else None)
    # A class method is another object at each access.
    return no_turn if calls is None else _always(getattr(inner, "__func__", inner))


_METHODS = (MethodType, BuiltinMethodType, MethodWrapperType)


def _always(target: object) -> Turn:
    # Looked up at each call, and not kept: a lane may be that of an object that is bridged through another.
    return lambda _: lane_of(target)


def _turn_of_first(home: tuple[str, str], otherwise: object, args: tuple[Any, ...]) -> Lane | None:
    if args and any((base.__module__, base.__qualname__) == home for base in type(args[0]).__mro__):
        return lane_of(args[0])
    return None if otherwise is None else lane_of(otherwise)
