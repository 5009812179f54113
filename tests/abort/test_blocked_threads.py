"""A deadline is a hard limit, whatever the thread is blocked on in smtplib, inside a wrapper that nobody knows.

The wrapper's own timeout is 60 s; what ends it is the abort.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, BoundedExecutor, async_method
from asyncsmtp_bridge.testing import SMTPTestServer, drip, silence


class CorpMailer:
    """Opaque: nobody outside sees its session."""

    def __init__(self, port: int, how: str, trust: ssl.SSLContext | None = None, host: str = "localhost") -> None:
        self._port = port
        self._how = how
        self._trust = trust
        self._host = host

    def send(self, to: str) -> None:
        if self._how == "implicit":
            session: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=60, context=self._trust)
        elif self._how == "lmtp":
            session = smtplib.LMTP(self._host, timeout=60)
        else:
            session = smtplib.SMTP(self._host, self._port, timeout=60)
        with session:
            if self._how == "starttls":
                session.starttls(context=self._trust)
            session.sendmail("anna@example.org", to, "Subject: x\n\nx\n")


class AsyncCorpMailer(AsyncBridge[CorpMailer]):
    send = async_method(CorpMailer.send)


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port that completes no TCP handshake: nobody accepts, and the queue of those who wait is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def deadline_holds(mailer: CorpMailer, reached: Callable[[], bool]) -> None:
    async with BoundedExecutor(1) as executor:
        call = asyncio.ensure_future(AsyncCorpMailer(mailer, executor=executor).send("bert@example.org"))
        while not reached():
            await asyncio.sleep(0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call, 0.05)
        # The awaiter is told when the thread is back, or after a grace of a second: then this would still be 1.
        assert executor.stats().running == 0
        assert await executor.run(int) == 0


BLOCKED: dict[str, dict[str, Any]] = {
    "silent from the start": {"faults": [silence("greeting")]},
    "drips the greeting": {"faults": [drip("greeting", interval=0.02)]},
    "silent after EHLO": {"faults": [silence("EHLO")]},
    "silent after a recipient": {"faults": [silence("RCPT")]},
    "does not answer the content": {"faults": [silence("after content")]},
    "no implicit TLS handshake": {"faults": [silence("TLS")], "tls": "implicit"},
    "no STARTTLS handshake": {"faults": [silence("TLS")], "tls": "starttls"},
    "silent over implicit TLS": {"faults": [silence("RCPT")], "tls": "implicit"},
    "silent over STARTTLS": {"faults": [silence("RCPT")], "tls": "starttls"},
}
STEPS = {"drips the greeting": "greeting", "silent after EHLO": "EHLO"}


@pytest.mark.parametrize("what", BLOCKED)
async def test_a_deadline_frees_caller_and_thread(what: str) -> None:
    options = BLOCKED[what]
    with SMTPTestServer(**options) as server:
        trust = server.client_context if "tls" in options else None
        mailer = CorpMailer(server.port, options.get("tls", "plain"), trust)
        await deadline_holds(mailer, server.reached(options["faults"][0].at).is_set)
        assert server.messages == []


async def test_a_deadline_frees_caller_and_thread_while_it_connects(full_backlog: int) -> None:
    trying = threading.Event()

    class Connecting(CorpMailer):
        def send(self, to: str) -> None:
            trying.set()
            super().send(to)

    await deadline_holds(Connecting(full_backlog, "plain", host="127.0.0.1"), trying.is_set)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
async def test_a_deadline_frees_caller_and_thread_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp")
    with SMTPTestServer(lmtp=True, unix_socket=path, faults=[silence("RCPT")]) as server:
        await deadline_holds(CorpMailer(0, "lmtp", host=path), server.reached("RCPT").is_set)
