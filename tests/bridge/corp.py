"""The mailer of a corporation, with all that an object can have."""

from __future__ import annotations

import functools
import smtplib
import threading
from collections.abc import Iterator


class Transport:
    def __init__(self) -> None:
        self.host = "mx"

    def connect(self) -> str:
        return "connected to " + self.host

    def where(self) -> str:
        return threading.current_thread().name


class CorpMailer:
    """The mailer of the corporation."""

    prefix = "to "

    class Refused(Exception):
        """Not sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.transport = Transport()
        self.debug = False
        self.asked: list[str] = []

    def send(self, to: str, *, copies: int = 1) -> str:
        """Send it.

        Args:
            to: Whom to.
        """
        self.sent += [to] * copies
        return self.prefix + to

    def is_open(self) -> bool:
        return True

    def get_transport(self) -> Transport:
        return self.transport

    def again(self) -> CorpMailer:
        return self

    @staticmethod
    def static(to: str) -> str:
        """Static."""
        return "static " + to

    @classmethod
    def klass(cls, to: str) -> str:
        return cls.__name__ + to

    async def migrated(self) -> str:
        return "awaited"

    @property
    def limit(self) -> int:
        """How many."""
        return 7

    @property
    def status(self) -> str:
        """What the server says."""
        self.asked.append(threading.current_thread().name)
        return "open"

    @property
    def broken(self) -> str:
        raise smtplib.SMTPServerDisconnected("gone")

    @functools.cached_property
    def banner(self) -> str:
        return "220 " + threading.current_thread().name

    _secret = "own"

    def __len__(self) -> int:
        return len(self.sent)

    def __contains__(self, to: object) -> bool:
        return to in self.sent

    def __call__(self, to: str) -> str:
        return "called " + to

    def __iter__(self) -> Iterator[str]:
        yield from self.sent

    def __repr__(self) -> str:
        return "<CorpMailer>"
