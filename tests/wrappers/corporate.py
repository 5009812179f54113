"""Mail modules as organisations have them, each with the habit that makes it hard to bridge.

Plain synchronous code that knows nothing of asyncio and catches what its authors had seen.
"""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from email.message import EmailMessage
from email.utils import make_msgid

SENDER = "corp@example.org"

GONE = (smtplib.SMTPServerDisconnected, ConnectionError)


def compose(to: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, "From your corporation"
    message["Message-ID"] = make_msgid(domain="example.org")
    message.set_content(body)
    return message


def connect(host: str, port: int) -> smtplib.SMTP:
    return smtplib.SMTP(host, port, local_hostname="corp.example.org", timeout=60)


class SharedConnection:
    """The mailer of the process: one connection, one lock, and a new connection when the server has gone."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock: AbstractContextManager[object] = threading.Lock()
        self._session: smtplib.SMTP | None = None

    def send(self, to: str, body: str) -> None:
        with self._lock:
            if self._session is None:
                self._session = connect(self._host, self._port)
            try:
                self._session.send_message(compose(to, body))
            except GONE:
                self._session = None
                self._session = connect(self._host, self._port)
                self._session.send_message(compose(to, body))

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


class UnlockedConnection(SharedConnection):
    """The same from the time before the lock."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._lock = nullcontext()


class ConnectionPerThread:
    """One connection for each thread, kept open."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._mine = threading.local()
        self._all: list[smtplib.SMTP] = []

    def send(self, to: str, body: str) -> None:
        if not hasattr(self._mine, "session"):
            self._connect()
        try:
            self._mine.session.sendmail(SENDER, [to], compose(to, body).as_bytes())
        except GONE:
            self._connect()
            self._mine.session.sendmail(SENDER, [to], compose(to, body).as_bytes())

    def _connect(self) -> None:
        self._mine.session = connect(self._host, self._port)
        self._all.append(self._mine.session)

    def close(self) -> None:
        for session in self._all:
            session.close()


class CorpSession:
    """A session that is patient: what fails for any reason is tried again, after a pause.

    Args:
        host: The server.
        port: Its port.
        pause: Called with the number of the failed attempt.
    """

    def __init__(self, host: str, port: int, pause: Callable[[int], object] = lambda _: time.sleep(0.001)) -> None:
        self._host, self._port = host, port
        self._pause = pause
        self._session: smtplib.SMTP | None = None

    def __enter__(self) -> CorpSession:
        self._persistently(self._connect)
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def send(self, to: str, body: str) -> None:
        message = compose(to, body)

        def attempt() -> None:
            if self._session is None:
                self._connect()
            assert self._session is not None
            self._session.send_message(message)

        self._persistently(attempt)

    def _connect(self) -> None:
        self._session = connect(self._host, self._port)

    def _persistently(self, attempt: Callable[[], None]) -> None:
        for number in range(1, 4):
            try:
                return attempt()
            except Exception:  # noqa: PERF203
                if self._session is not None:
                    self._session.close()
                    self._session = None
                if number == 3:
                    raise
                self._pause(number)
        return None


class Newsletter:
    """Goes through a list, and lets nobody's failure keep the letter from the others."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def send(self, recipients: Iterable[str], body: str) -> list[str]:
        """Return who did not get it."""
        failed = []
        for to in recipients:
            try:
                with connect(self._host, self._port) as session:
                    session.send_message(compose(to, body))
            except smtplib.SMTPException:  # noqa: PERF203
                failed.append(to)
        return failed


class Report:
    """Renders for a while, and connects when there is something to send.

    Args:
        host: The server.
        port: Its port.
        render: Makes the text.
    """

    def __init__(self, host: str, port: int, render: Callable[[str], str] = str) -> None:
        self._host, self._port = host, port
        self._render = render

    def send(self, to: str, body: str) -> None:
        message = compose(to, self._render(body))
        with connect(self._host, self._port) as session:
            session.send_message(message)


class Stubborn:
    """Never raises: what went wrong is counted, whatever it was, and the message is sent once more."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.failures = 0

    def send(self, to: str, body: str) -> None:
        for _ in range(3):
            try:
                with connect(self._host, self._port) as session:
                    session.send_message(compose(to, body))
                return
            except:  # noqa: E722, PERF203 - that is the habit
                self.failures += 1
