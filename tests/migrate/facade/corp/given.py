"""What gives sessions and mailers away, and what Python calls by itself."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from smtplib import SMTP
from typing import TypeVar

from typing_extensions import Self

B = TypeVar("B", bound="Broker")


class CorpSMTP(smtplib.SMTP_SSL):
    """Knows the server."""


class Broker:
    """Gives everything away."""

    kind: type[SMTP] = SMTP
    connects: Callable[[], SMTP]
    other: Broker | None = None

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self.smtp = smtp
        self.kept = SMTP()

    @classmethod
    def made(cls) -> Broker:
        return cls(SMTP())

    @classmethod
    def all(cls) -> list[Broker]:
        return []

    @staticmethod
    def connect() -> Broker:
        return Broker(SMTP())

    def itself(self: B) -> B:
        return self

    def again(self) -> Self:
        return self

    def of(self, name: str) -> dict[str, Broker]:
        return {name: self}

    @contextmanager
    def batch(self) -> Iterator["Broker"]:  # noqa: UP037 - of its time
        yield self

    async def later(self) -> Broker:
        return self

    def session(self) -> smtplib.SMTP:
        return self.smtp

    def sessions(self) -> Iterator[SMTP]:
        yield self.smtp

    def corp(self) -> CorpSMTP | None:
        return None

    def use(self, session: SMTP) -> None: ...

    @property
    def status(self) -> SMTP:
        self.smtp.noop()
        return self.smtp

    def size(self) -> int:
        return 1

    def __call__(self, text: str) -> None: ...

    def __len__(self) -> int:
        return 1

    def get(self, name: str) -> str:
        return name

    __getitem__ = get


class Desk(Broker):
    """Inherits all of it."""
