"""A mailer for code that is not migrated yet."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncsmtp_bridge import BoundedExecutor
from tests.hop.gate import Gate, in_thread, wait_until


class Transport:
    def connect(self) -> str:
        return "connected"


class CorpMailer:
    """Legacy."""

    prefix = "to "

    def __init__(self) -> None:
        self.gate = Gate()
        self.transport = Transport()
        self.log: list[Any] = []
        self.view: Any = None

    def send(self, to: str) -> str:
        """Send it."""
        return self.prefix + to

    def wait(self, tag: Any = None) -> Any:
        return self.gate(tag)

    def fail(self) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    def where(self) -> str:
        return threading.current_thread().name

    def nest(self, to: str) -> str:
        result: str = self.view.send(to)
        return result

    def again(self) -> CorpMailer:
        return self

    def is_open(self) -> bool:
        return True

    @property
    def status(self) -> str:
        return "open in " + threading.current_thread().name

    def addresses(self, count: int = 2) -> Iterator[int]:
        try:
            yield from range(count)
        finally:
            self.log.append(("ended", threading.current_thread().name))

    @contextmanager
    def session(self) -> Iterator[str]:
        self.log.append("begun")
        try:
            yield "session"
        finally:
            self.log.append("done")

    def __enter__(self) -> CorpMailer:
        self.log.append("entered")
        return self

    def __exit__(self, *error: object) -> bool:
        self.log.append(("left", error[0]))
        return error[0] is ValueError

    def __call__(self, to: str) -> str:
        return "called " + to

    def __iter__(self) -> Iterator[int]:
        return self.addresses()

    def __len__(self) -> int:
        return 3

    def __contains__(self, item: object) -> bool:
        return item == "bert"

    def __repr__(self) -> str:
        return "<CorpMailer>"


@contextmanager
def full(executor: BoundedExecutor) -> Iterator[Gate]:
    """All slots taken, by a loop in another thread."""
    wait_until(lambda: not executor.stats().running)
    with Gate() as gate, in_thread(lambda: asyncio.run(executor.run(gate))):
        gate.wait(lambda: bool(gate.entered))
        try:
            yield gate
        finally:
            gate.open()
