"""Functions that are asked for secrets, who waits for them, and sessions that are opened with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import credentials
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.hop.gate import PATIENCE

from .planted import SECRET

FLAWED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "returned a NoneType"),
    "octets": (SECRET.encode(), "returned a bytes"),
    "empty": ("", "it is empty"),
    "line end": (f"{SECRET}\n", "perhaps a line end"),
    "half a pair": (f"{SECRET}\ud800", "half a surrogate pair"),
    "NUL": (f"{SECRET}\0", "a control character"),
    "list": ([SECRET], "returned a list"),
    "dict": ({"password": SECRET}, "returned a dict"),
}


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A function that is asked for secrets: returns one after the other, and the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.threads: list[threading.Thread] = []

    @property
    def times(self) -> int:
        return len(self.threads)

    def __call__(self) -> Any:
        self.threads.append(threading.current_thread())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Waits:
    """Counts who waits for what another one is asking for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting = self._waiting = threading.Semaphore(0)

        class Counted(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                waiting.release()
                return super().result(timeout)

        monkeypatch.setattr(credentials, "Future", Counted)

    def come(self, count: int) -> None:
        for _ in range(count):
            assert self._waiting.acquire(timeout=PATIENCE)


@contextmanager
def accounts() -> Iterator[SMTPTestServer]:
    with SMTPTestServer(auth={"anna": SECRET}) as server:
        yield server


def with_password(server: SMTPTestServer, password: Any) -> SMTPSettings:
    return SMTPSettings(server.host, server.port, "none", "anna", password, cleartext_login=True)


def opened(settings: SMTPSettings) -> int:
    """Open a session, and return what the server says to NOOP."""
    with settings.connect_sync() as session:
        return session.noop()[0]


def outcomes(settings: SMTPSettings, count: int, then: Callable[[], None] = lambda: None) -> list[Any]:
    """Open sessions from as many threads; return what came of each."""

    def answer() -> Any:
        try:
            return opened(settings)
        except BaseException as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        answers = [threads.submit(answer) for _ in range(count)]
        then()
        return [each.result(PATIENCE) for each in answers]
