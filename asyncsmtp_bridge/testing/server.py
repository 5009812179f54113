"""The test server: what a test makes, asks, waits for and tells.

Owns the interface and the address. What happens is in the record, what goes wrong in the script.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Literal

from .certificates import Certificates, issue
from .conversation import Conversation, LMTPConversation
from .faults import Fault, Step
from .life import Life
from .record import Line, Milestone, Received, Record
from .script import Script
from .stage import Rules


class SMTPTestServer:
    """An SMTP or LMTP server on the loopback interface, in a thread of its own, that misbehaves as told.

        with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown", nth=2)]) as server:
            smtplib.SMTP(server.host, server.port)

    For synchronous and asynchronous tests alike. It accepts connections when `start` or `with` returns, and all that it
    had (thread, sockets, connections in whatever state) is gone when `stop` returns. A stopped server can be started
    again, on the same port.

    Args:
        faults: What goes wrong. At a step with several, they happen in this order; a refusal, a drop or a silence ends
            the step.
        tls: None, `"starttls"` (offered, not demanded) or `"implicit"`. Needs trustme.
        lmtp: Whether to speak LMTP (RFC 2033).
        unix_socket: A path to listen on instead of a TCP port; it is removed by `stop`.
        auth: Passwords by user. AUTH PLAIN and LOGIN are offered then; with `tls`, once the connection is encrypted.
        require_auth: Whether mail is refused (530) before a login.
        max_connections: One more gets `421 4.7.0 Too many connections`. None has no limit.
        extensions: Further lines for the reply to EHLO, such as `"PIPELINING"` (which works) or `"DSN"`.
        without: Extensions not to offer, of `"8BITMIME"`, `"SMTPUTF8"`, `"HELP"`, `"SIZE"`.
        size_limit: Bytes of the largest message, announced by SIZE and enforced. None has no limit.
        certificate_names: Whom the certificate is for; others make it a bad one.
    """

    def __init__(
        self,
        *,
        faults: Iterable[Fault] = (),
        tls: Literal["implicit", "starttls"] | None = None,
        lmtp: bool = False,
        unix_socket: str | os.PathLike[str] | None = None,
        auth: Mapping[str, str] | None = None,
        require_auth: bool = False,
        max_connections: int | None = None,
        extensions: Sequence[str] = (),
        without: Sequence[str] = (),
        size_limit: int | None = 64 * 1024 * 1024,
        certificate_names: Sequence[str] = ("localhost", "127.0.0.1"),
    ) -> None:
        if tls not in {None, "implicit", "starttls"}:
            raise ValueError(f'tls is None, "implicit" or "starttls", not {tls!r}')
        self.host = "127.0.0.1" if unix_socket is None else os.fspath(unix_socket)
        """Where to connect: the IP address, or the path of the Unix socket (which `smtplib.LMTP` takes as a host)."""
        self.port = 0
        """Where to connect, once started; 0 for a Unix socket."""
        self._unix = unix_socket is not None
        self._conversation = LMTPConversation if lmtp else Conversation
        self._certificates = None if tls is None else issue(certificate_names)
        self._record = Record()
        self._script = Script(faults)
        unwanted = frozenset(keyword.upper() for keyword in without)
        self._rules = Rules(
            record=self._record,
            script=self._script,
            tls=tls,
            tls_context=None if self._certificates is None else self._certificates.server_context,
            auth=auth,
            require_auth=require_auth,
            extensions=tuple(extensions),
            without=unwanted,
            size_limit=size_limit,
            max_connections=max_connections,
        )
        self._life: Life | None = None

    # Its life

    def __enter__(self) -> SMTPTestServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and return when connections are accepted.

        Raises:
            RuntimeError: It is running.
            OSError: The port or the path cannot be had.
        """
        if self._life is not None:
            raise RuntimeError("this server is running")
        listener = self._listen()
        self._life = Life(listener, partial(self._conversation, self._rules), f"SMTPTestServer {self.host}:{self.port}")

    def stop(self) -> None:
        """Close everything at once, whatever state it is in, and end the thread. Does nothing if it is not running."""
        if self._life is None:
            return
        self._life.end()
        self._life = None
        if self._unix:
            with suppress(FileNotFoundError):
                os.unlink(self.host)

    def _listen(self) -> socket.socket:
        if self._unix:
            listener = socket.socket(socket.AF_UNIX)
        else:
            # With the protocol named, asyncio sees that it is TCP and turns Nagle's algorithm off: 40 ms for each EHLO.
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(self.host if self._unix else (self.host, self.port))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        if not self._unix:
            self.port = listener.getsockname()[1]
        return listener

    # What it is asked

    @property
    def messages(self) -> list[Received]:
        """The messages that the server took responsibility for, in their order: it sent a 250, or kept them."""
        return self._record.messages()

    @property
    def transcript(self) -> list[Line]:
        """All lines that were read and sent, in their order, with credentials; a content is one line with its size."""
        return self._record.lines()

    @property
    def commands(self) -> list[str]:
        """What the clients sent, of the transcript."""
        return [line.text for line in self.transcript if line.side == "client"]

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return self._record.open

    @property
    def connections_total(self) -> int:
        """How many there have been."""
        return self._record.total

    @property
    def connections_refused(self) -> int:
        """How many of them were one too many."""
        return self._record.refused

    @property
    def client_context(self) -> ssl.SSLContext:
        """A verifying context that trusts this server.

        Raises:
            RuntimeError: The server has no TLS.
        """
        return self._require_certificates().client_context

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the authority behind the server's, for what wants a CA file.

        Raises:
            RuntimeError: The server has no TLS.
        """
        return self._require_certificates().ca_pem

    def _require_certificates(self) -> Certificates:
        if self._certificates is None:
            raise RuntimeError('this server has no TLS: make it with tls="starttls" or tls="implicit"')
        return self._certificates

    # What can be waited for

    def reached(self, step: Step, count: int = 1) -> Milestone[None]:
        """Clients have arrived at a step so often, since the start or the last `reset`; for `"content"`: sent DATA."""
        return self._milestone(f"reached {step!r} {count}x", lambda: self._record.reached(step) >= count)

    def held(self, step: Step, count: int = 1) -> Milestone[None]:
        """So many clients are held at a step now, by `hold`."""
        return self._milestone(f"{count} held at {step!r}", lambda: self._record.held(step) >= count)

    def connected(self, count: int) -> Milestone[None]:
        """Exactly so many connections are open now; 0 says that everybody has hung up."""
        return self._milestone(f"{count} connections open", lambda: self._record.open == count)

    def received(self, count: int = 1) -> Milestone[list[Received]]:
        """There are at least so many messages; waiting returns them."""
        return Milestone(
            self._record, f"{count} messages", lambda: len(self._record.messages()) >= count, self._record.messages
        )

    def wait_for_message(self, count: int = 1, timeout: float = 5.0) -> list[Received]:
        """Block until there are so many messages, and return them: `received(count).wait(timeout)`.

        Raises:
            TimeoutError: There were fewer after so many seconds.
        """
        return self.received(count).wait(timeout)

    def _milestone(self, what: str, ready: Callable[[], bool]) -> Milestone[None]:
        return Milestone(self._record, what, ready, lambda: None)

    # What it is told

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong. Assigning other faults begins their counts anew; who is held already stays held."""
        return self._script.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._script.replace(faults)

    def release(self, at: Step) -> None:
        """Let those go on who are held at a step now; whoever comes later is held again, as the fault says.

        Raises:
            RuntimeError: Nobody is held there.
        """
        gates = self._record.release(at)
        if not gates:
            raise RuntimeError(f"nobody is held at {at!r}: wait for server.held({at!r}) first")
        for gate in gates:
            gate.open()

    def hang_up(self, reply: str | None = None) -> None:
        """Close all connections that are open, as a server does with idle ones; return when they are closed.

        Args:
            reply: Sent before to each, unasked: `"421 4.4.2 Idle for too long"`.
        """
        if self._life is not None:
            self._life.hang_up(reply)

    def reset(self) -> None:
        """Forget messages, transcript, reached steps and totals, and count the faults anew; connections stay open."""
        self._record.clear()
        self._script.restart()
