"""Chains: an exception, and those that it came from.

Owns the walk through ``__cause__``, ``__context__`` (also where ``from None`` hides it) and the members of groups, each
with the places that it came through. It does not know what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from .phase import Place, places_in


@dataclass(frozen=True)
class Link:
    """An exception in a chain."""

    error: BaseException
    own: Sequence[Place]
    """The places in its traceback, the outermost first."""
    places: Sequence[Place]
    """Those, and before them the places of the exception around it: what smtplib catches, and turns into an error of
    its own, has a traceback that goes back no further than to where it was caught."""
    outer: int | None
    """The index of the exception around it; None for the one that was asked about."""
    is_member: bool
    """Whether it is a member of a group, which is around it."""


def links_of(error: BaseException) -> list[Link]:
    """Return the exception and those in its chain, each after the one around it, and once."""
    found: list[Link] = []
    seen: set[int] = set()
    # Not by recursion: a program that fails again and again as it handles its failure makes a long chain.
    waiting: list[tuple[BaseException, int | None, bool]] = [(error, None, False)]
    while waiting:
        each, outer, is_member = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        own = places_in(each.__traceback__)
        above = () if outer is None or is_member else found[outer].places
        caught = next((index for index, (frame, _) in enumerate(above) if own and frame is own[0][0]), 0)
        found.append(Link(each, own, [*above[:caught], *own], outer, is_member))
        around = len(found) - 1
        waiting += [(member, around, True) for member in reversed(_members(each))]
        # The last one is looked at first.
        waiting += [(inner, around, False) for inner in (each.__context__, each.__cause__) if inner is not None]
    return found


def _members(error: BaseException) -> Sequence[BaseException]:
    # Of the groups of Python 3.11, and of the package that brings them to 3.10.
    with suppress(Exception):  # an exception of somebody else's may have any attribute
        members = getattr(error, "exceptions", ())
        if type(members) is tuple and all(isinstance(each, BaseException) for each in members):
            return members
    return ()
