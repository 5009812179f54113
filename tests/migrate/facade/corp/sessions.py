"""Context managers, generators, properties."""

from __future__ import annotations

import contextlib
import functools
import smtplib
from collections.abc import Generator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, AsyncIterator, TypeVar  # noqa: UP035 - of its time

Self = TypeVar("Self", bound="Session")


class Session:
    """A connection that is kept."""

    def __init__(self, host: str, port: int) -> None:
        self._smtp = smtplib.SMTP(host, port, timeout=10)
        self._encoding = "utf-8"

    @classmethod
    def local(cls: type[Self], port: int) -> Self:
        """Connect to this machine."""
        return cls("127.0.0.1", port)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._smtp.quit()

    def send(self, to: str, text: str) -> dict[str, tuple[int, bytes]]:
        """Send a text."""
        return self._smtp.sendmail("anna@example.org", [to], text)

    def lines(self, text: str) -> Iterator[str]:
        """Give one after the other."""
        yield from text.splitlines()

    def numbers(self, upto: int) -> Generator[int, None, str]:
        yield from range(upto)
        return "done"

    def words(self, text: str) -> Iterable[str]:
        yield from text.split()

    def listed(self) -> Iterator[int]:
        return iter([1, 2])

    @contextmanager
    def transaction(self, name: str) -> Iterator[bytes]:
        """Begin and end."""
        yield name.encode()

    @contextlib.contextmanager
    def untyped(self, name):
        yield name

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[int]:
        """Do nothing for a while."""
        yield 1

    @property
    def status(self) -> tuple[int, bytes]:
        """What the server says."""
        return self._smtp.noop()

    @functools.cached_property
    def extensions(self) -> dict[str, str]:
        """What the server can do."""
        self._smtp.ehlo()
        return self._smtp.esmtp_features

    @property
    def encoding(self) -> str:
        """How text is sent."""
        return self._encoding

    @encoding.setter
    def encoding(self, value: str) -> None:
        self._encoding = value

    def get_age(self) -> float:
        return 1.0

    age = property(get_age)

    @property
    def anything(self):  # type: ignore[no-untyped-def]
        return self._encoding

    @functools.cached_property
    def kept(self) -> Any:
        return 1
