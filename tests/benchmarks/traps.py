"""Traps: mail servers on loopback in which a thread of smtplib is caught for as long as its timeout allows.

Owns the servers and the wrapper that walks into them. A trap that is left lets go of the thread: its server is closed.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asyncsmtp_bridge.testing import Fault, SMTPTestServer, drip, silence

TIMEOUT = 60.0  # seconds, of the wrapper's sockets


class Mailer:
    """An organisation's own wrapper: nobody outside sees its session."""

    def __init__(self, connect: Callable[[], smtplib.SMTP], trust: ssl.SSLContext | None = None) -> None:
        self._connect = connect
        self._trust = trust

    def send(self) -> None:
        """Send a mail, on a connection of its own."""
        with self._connect() as session:
            if self._trust is not None:
                session.starttls(context=self._trust)
            session.sendmail("anna@example.org", "bert@example.org", "Subject: x\n\nx\n")


@dataclass(frozen=True)
class Trap:
    """A server, and a wrapper for it."""

    mailer: Mailer
    is_reached: Callable[[], bool]
    """Whether the thread has come as far as it will come."""


MakeTrap = Callable[[], AbstractContextManager[Trap]]


def traps(interval: float) -> dict[str, MakeTrap]:
    """Return what makes each, by what its server does.

    Args:
        interval: Seconds between the bytes that drip.
    """
    made: dict[str, MakeTrap] = {
        "accepts and is silent": partial(_smtp, silence("greeting")),
        f"drips a byte each {interval:g} s": partial(_smtp, drip("greeting", interval=interval)),
        "never answers the content": partial(_smtp, silence("after content")),
        "no implicit TLS handshake": partial(_smtp, silence("TLS"), tls="implicit"),
        "no STARTTLS handshake": partial(_smtp, silence("TLS"), tls="starttls"),
    }
    if hasattr(socket, "AF_UNIX"):
        made["silent on an LMTP Unix socket"] = partial(_lmtp, silence("RCPT"))
    # The last, since it lets go only when the client's system tries the handshake again: after 1, 3, 7, 15 seconds.
    made["no TCP handshake"] = _full_backlog
    return made


@contextmanager
def healthy_server() -> Iterator[Mailer]:
    """Have a server that works; yields a wrapper for it."""
    with SMTPTestServer() as server:
        yield Mailer(_smtp_at(server.host, server.port))


@contextmanager
def _smtp(fault: Fault, **options: Any) -> Iterator[Trap]:
    with SMTPTestServer(faults=[fault], **options) as server:
        if options.get("tls") == "implicit":
            connect: Callable[[], smtplib.SMTP] = partial(
                smtplib.SMTP_SSL, server.host, server.port, "localhost", timeout=TIMEOUT, context=server.client_context
            )
        else:
            connect = _smtp_at(server.host, server.port)
        trust = server.client_context if options.get("tls") == "starttls" else None
        yield Trap(Mailer(connect, trust), server.reached(fault.at).is_set)


@contextmanager
def _lmtp(fault: Fault) -> Iterator[Trap]:
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "lmtp"))
        with SMTPTestServer(faults=[fault], lmtp=True, unix_socket=path) as server:
            connect = partial(smtplib.LMTP, path, local_hostname="localhost", timeout=TIMEOUT)
            yield Trap(Mailer(connect), server.reached(fault.at).is_set)


@contextmanager
def _full_backlog() -> Iterator[Trap]:
    """Nobody accepts, and the queue of those who wait is full."""
    connecting = threading.Event()

    def connect() -> smtplib.SMTP:
        connecting.set()
        return _smtp_at("127.0.0.1", listener.getsockname()[1])()

    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Trap(Mailer(connect), connecting.is_set)


def _smtp_at(host: str, port: int) -> Callable[[], smtplib.SMTP]:
    # With a name for EHLO: looking the machine's own up cannot be interrupted.
    return partial(smtplib.SMTP, host, port, "localhost", timeout=TIMEOUT)
