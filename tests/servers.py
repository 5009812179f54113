"""Servers to test against: aiosmtpd where mail shall arrive, a script where things shall go wrong.

Both listen on a port of 127.0.0.1 that the system chose, and are bound before anyone is told of it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """An aiosmtpd handler that keeps what arrives and refuses whom it is told to refuse."""

    refused: dict[str, str] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.peers.add(session.peer)
        return "250 OK"

    @property
    def bodies(self) -> list[bytes]:
        return [bytes(envelope.content or b"") for envelope in self.envelopes]

    @property
    def recipients(self) -> list[str]:
        return [address for envelope in self.envelopes for address in envelope.rcpt_tos]


class Server(Controller):
    """aiosmtpd on a thread of its own."""

    def __init__(
        self, handler: Any, *, factory: Callable[..., SMTP] = SMTP, tls: ssl.SSLContext | None = None, **kwargs: Any
    ) -> None:
        # Not socket.create_server(): where the protocol is not named, asyncio leaves Nagle on, and an EHLO takes 40 ms.
        self._bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._bound.bind(("127.0.0.1", 0))
        self._protocol = factory
        self.mailbox = handler
        super().__init__(
            handler,
            hostname="127.0.0.1",
            port=self._bound.getsockname()[1],
            ssl_context=tls,
            ready_timeout=30,
            **kwargs,
        )

    def factory(self) -> SMTP:
        return self._protocol(self.handler, loop=self.loop, **self.SMTP_kwargs)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._bound, ssl=self.ssl_context)

    def _trigger_server(self) -> None:
        """aiosmtpd connects once to see that it works; that would count as a connection, and TLS would complain."""
        self._factory_invoker()


@contextmanager
def smtp_server(mailbox: Mailbox | None = None, **kwargs: Any) -> Iterator[Server]:
    server = Server(mailbox or Mailbox(), **kwargs)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def lmtp_server() -> Any:
    return smtp_server(factory=LMTP)


def accept_login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == b"right"
    return AuthResult(success=good, handled=False)


class ScriptedServer:
    """Runs a script with each connection, in a thread of its own; the script is plain, blocking code.

    Attributes:
        connected: Set when somebody has connected.
        received: All lines that `Talk.expect` has read.
    """

    def __init__(self, script: Callable[[Talk], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connected = threading.Event()
        self.received: list[bytes] = []
        self._script = script
        self._talks: list[Talk] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for talk in self._talks:
            talk.close()
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            talk = Talk(connection, self)
            self._talks.append(talk)
            thread = threading.Thread(target=self._serve, args=(talk,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, talk: Talk) -> None:
        self.connected.set()
        with suppress(OSError, EOFError, ValueError):  # ValueError: closed in the middle of a read
            self._script(talk)
        talk.close()


class Talk:
    """One connection of a `ScriptedServer`."""

    def __init__(self, connection: socket.socket, server: ScriptedServer) -> None:
        self.connection = connection
        self._file = connection.makefile("rb")
        self._server = server

    def say(self, line: str) -> None:
        self.connection.sendall(line.encode() + b"\r\n")

    def expect(self, verb: str = "") -> bytes:
        line = self._file.readline()
        if not line:
            raise EOFError
        self._server.received.append(line.rstrip())
        assert line.upper().startswith(verb.upper().encode()), line
        return line

    def content(self) -> bytes:
        lines = []
        while (line := self._file.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line)
        return b"".join(lines)

    def wait_for_the_end(self) -> None:
        """Stay silent until the peer hangs up."""
        while self._file.readline():
            pass

    def close(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._file.close()
        self.connection.close()
