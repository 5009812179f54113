"""Half migrated already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from asyncsmtp_bridge import bridge

F = TypeVar("F", bound=Callable[..., Any])


def logged(function):
    return function


def counted(function: F) -> F:
    return function


class HalfMigrated:
    """Some is awaited, some is not."""

    async def fetch(self, number: int) -> str:
        """Fetch one."""
        return str(number)

    async def rows(self) -> AsyncIterator[int]:
        yield 1

    async def bare(self, number):
        return number

    @bridge
    def send(self, to: str) -> int:
        """Send it, in a worker."""
        return len(to)

    @bridge
    def addresses(self) -> Iterator[str]:
        yield "bert@example.org"

    def plain(self, to: str) -> int:
        return len(to)

    @logged
    def noted(self, to: str) -> int:
        return len(to)

    @counted
    def counted(self, to: str) -> int:
        return len(to)

    @classmethod
    async def find(cls, host: str) -> str:
        return host
