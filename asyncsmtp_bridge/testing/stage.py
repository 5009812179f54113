"""The stage: a connection of aiosmtpd's, stopped at every step to see whether something shall go wrong.

Owns how faults act on a connection, what is noted of it, and how it ends. It does not know which commands there are,
except that each is a step.

Everything here runs on the server's loop, in the server's thread.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, Envelope

from .faults import STEPS, Delay, Drip, Drop, Fault, Hold, Refuse, Silence, Step
from .record import Gate, Line, Record
from .script import Occasion, Script

_DAY = 86_400.0


@dataclass(frozen=True)
class Rules:
    """What all connections of a server have in common."""

    record: Record
    script: Script
    tls: Literal["implicit", "starttls"] | None
    tls_context: ssl.SSLContext | None
    auth: Mapping[str, str] | None
    require_auth: bool
    extensions: tuple[str, ...]
    without: frozenset[str]
    size_limit: int | None
    max_connections: int | None
    live: set[Stage] = field(default_factory=set)
    """The connections that were let in and are open."""


class Stage(SMTP):
    """One connection on which faults act."""

    line_length_limit = 65_536  # of the stream's buffer; commands have limits of their own

    def __init__(self, rules: Rules, loop: asyncio.AbstractEventLoop, handler: object, **options: Any) -> None:
        # aiosmtpd keeps these on the class and changes them with every EHLO, of every server in every thread.
        self.command_size_limits = defaultdict(lambda: 512, AUTH=12_288)  # RFC 4954, section 4
        super().__init__(handler, loop=loop, timeout=_DAY, **options)
        self._smtp_methods = {verb: self._as_step(verb, method) for verb, method in self._smtp_methods.items()}
        self._rules = rules
        self._record = rules.record
        self._raw: asyncio.Transport | None = None
        self._number = 0
        self._transactions = 0
        # What the present step says of its reply.
        self._muted = False
        self._interval: float | None = None
        self._instead: str | None = None

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called for the connection, and by aiosmtpd's upgrade once more for TLS on it."""
        if self._raw is None:
            self._raw = cast(asyncio.Transport, transport)
        super().connection_made(transport)

    def _cb_client_connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note every line that is read: commands, known or not, and the answers within AUTH."""
        super()._cb_client_connected(reader, writer)
        readuntil = reader.readuntil

        async def noting(separator: Any = b"\n") -> bytes:
            line = await readuntil(separator)
            self._note("client", line)
            return line

        reader.readuntil = noting  # type: ignore[method-assign]

    def is_open(self) -> bool:
        """Whether there is a conversation: it was let in, and has not ended."""
        return self in self._rules.live

    def is_closed(self) -> bool:
        """Whether the socket is closed."""
        return self._raw is not None and self._raw.get_extra_info("socket").fileno() == -1

    def close(self) -> None:
        """Send what is to be sent, and close; do not wait for the peer's consent, as TLS would."""
        if self.transport is not None:
            self.transport.close()
        if self._raw is not None:
            self._raw.close()

    def abort(self, *, reset: bool = False) -> None:
        """Close at once.

        Args:
            reset: Whether with RST.
        """
        if self._raw is None or self.is_closed():
            return
        if reset:
            linger = struct.pack("ii", 1, 0)  # close() throws away what is buffered and sends RST
            self._raw.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
        self._raw.abort()

    def hang_up(self, reply: str | None = None) -> None:
        """End the conversation wherever it stands, after an unasked-for reply if there is one."""
        if reply is not None and not self._muted:
            self._note("server", reply.encode())
            self._writer.write(reply.encode() + b"\r\n")
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()  # as aiosmtpd's QUIT does; it closes

    async def _end(self) -> None:
        self.hang_up()
        await self._for_ever()

    async def _for_ever(self) -> None:
        """Wait until cancelled: the client hung up, or the server is stopped."""
        await self.loop.create_future()

    # The steps

    def _as_step(self, verb: str, method: Callable[[str | None], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Wrap the method that obeys a command: first comes what shall go wrong."""
        step = cast(Step, "EHLO" if verb == "LHLO" else verb)
        if step not in STEPS:
            return method

        @wraps(method)
        async def obey(arg: str | None) -> None:
            if step == "MAIL":
                self._transactions += 1
            refusal = await self._arrive(step, recipient=self._recipient(arg) if step == "RCPT" else None)
            if refusal is None:
                await method(arg)
            else:
                await self._refuse(refusal)

        return obey

    def _recipient(self, arg: str | None) -> str | None:
        path = self._strip_command_keyword("TO:", arg or "")
        return None if path is None else self._getaddr(path)[0]

    def _faults(self, step: Step, recipient: str | None = None, envelope: Envelope | None = None) -> list[Fault]:
        """Note that the client has arrived at a step; return what happens there."""
        envelope = envelope or self.envelope
        mail_from = None if envelope is None else envelope.mail_from
        occasion = Occasion(self._number, self._transactions, mail_from, recipient)
        faults = self._rules.script.firing(step, occasion)
        self._record.reach(step)
        return faults

    async def _arrive(
        self,
        step: Step,
        *,
        recipient: str | None = None,
        envelope: Envelope | None = None,
        keep: Callable[[], None] = lambda: None,
    ) -> Refuse | None:
        """Let a step's faults happen; return the refusal, if they come to one.

        Args:
            step: Where the client is.
            recipient: The one that it is about.
            envelope: The one that it is about; by default the present one.
            keep: Takes responsibility for the message that was received.
        """
        self._interval = None
        for fault in self._faults(step, recipient, envelope):
            if getattr(fault.action, "keep", False):
                keep()
            if isinstance(fault.action, Refuse):
                return fault.action
            await self._act(fault)
        return None

    async def _act(self, fault: Fault) -> None:
        """Let a fault happen; it does not return if the step ends with it."""
        match fault.action:
            case Drop() as drop:
                await self._drop(drop)
            case Silence():
                await self._for_ever()
            case Hold():
                await self._hold(fault.at)
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Drip(interval):
                self._interval = interval

    async def _refuse(self, refusal: Refuse) -> None:
        await self.push(refusal.reply)
        if refusal.close:
            await self._end()

    async def _drop(self, drop: Drop) -> None:
        if drop.reply:
            self._note("server", drop.reply.encode())
            self._writer.write(drop.reply.encode())
            await self._writer.drain()
        if drop.reset:
            self.abort(reset=True)
        elif self._raw is not None:
            self._raw.close()  # beneath TLS, which says no farewell
        await self._end()

    async def _hold(self, at: Step) -> None:
        gate = Gate(at)
        self._record.shut(gate)
        try:
            await gate.opened.wait()
        finally:
            self._record.leave(gate)

    # What is said

    def _note(self, side: Literal["client", "server"], said: bytes) -> None:
        for line in said.rstrip(b"\r\n").split(b"\n"):
            self._record.write(Line(self._number, side, line.rstrip(b"\r").decode(errors="replace")))

    async def push(self, status: str | bytes) -> None:
        """Send a reply, as the present step wants it."""
        if self._muted:
            return
        if self._instead is not None:
            status, self._instead = self._instead, None
        text = status if isinstance(status, str) else status.decode(errors="surrogateescape")
        reply = "\r\n".join(text.splitlines()).encode(errors="surrogateescape")
        self._note("server", reply)  # before the client can have read it
        if self._interval is None:
            await super().push(reply)
            return
        for byte in reply + b"\r\n":
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(self._interval)
