"""Overloads, generics, and types that mean something only where they stand."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

T = t.TypeVar("T")
K = t.TypeVar("K")

Handler = Callable[[str], None]


class Verifier:
    """Asks the server."""

    @t.overload
    def verify(self, address: str) -> bool: ...
    @t.overload
    def verify(self, address: list[str]) -> list[bool]: ...
    def verify(self, address: str | list[str]) -> bool | list[bool]:
        """Ask for an address, or for some."""
        return [True for _ in address] if isinstance(address, list) else True


class Directory(t.Generic[K, T]):
    """Finds things."""

    first: T
    handlers: dict[str, Handler]
    on_error: t.Callable[[Exception, str], t.Any]

    def __init__(self, entries: Mapping[K, T]) -> None:
        self.entries = entries
        self.handlers = {}

    def find(self, key: K) -> T:
        """Find one."""
        return self.entries[key]

    def count(self) -> int:
        return len(self.entries)


class Names(Directory[str, str]):
    pass
