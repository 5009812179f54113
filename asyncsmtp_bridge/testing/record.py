"""The record: what a server received, said and saw, for a test to look at and to wait for.

Owns the facts and the one lock over them. The server's thread writes, any thread reads. It does not know how a
conversation goes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Generic, Literal, TypeVar

from .faults import Step

T = TypeVar("T")


@dataclass(frozen=True)
class SessionFacts:
    """The session in which a message came."""

    peer: str
    """The client's address, `host:port`; empty on a Unix socket."""
    ehlo: str | None
    """The name by which the client greeted."""
    tls: str | None
    """The TLS version, such as `TLSv1.3`; None in clear text."""
    user: str | None
    """Who logged in."""


@dataclass(frozen=True)
class Received:
    """A message that the server took responsibility for."""

    content: bytes
    """The content as it came, without the dots that transparency added."""
    mail_from: str
    """The reverse-path; empty for a bounce."""
    mail_options: tuple[str, ...]
    """MAIL's parameters, in upper case."""
    rcpt_tos: tuple[str, ...]
    """The recipients that were accepted, in LMTP those whose own reply was a 250."""
    acknowledged: bool
    """Whether the 250 was sent; False for a message that was kept and never answered."""
    connection: int
    """The number of its connection, counted from 1."""
    session: SessionFacts

    @cached_property
    def message(self) -> EmailMessage:
        r"""The content, parsed, with lines that end in `"\n"` as in a message that was composed here."""
        return message_from_bytes(self.content.replace(b"\r\n", b"\n"), policy=policy.default)


@dataclass(frozen=True)
class Line:
    """One line of a transcript, without its end."""

    connection: int
    side: Literal["client", "server"]
    text: str

    def __str__(self) -> str:
        return f"{self.connection} {'C' if self.side == 'client' else 'S'}: {self.text}"


class Gate:
    """Where a held client waits."""

    def __init__(self, at: Step) -> None:
        """Made on the server's loop."""
        self.at = at
        self.opened = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Let the client go on; called from any thread."""
        with suppress(RuntimeError):  # the server was stopped meanwhile
            self._loop.call_soon_threadsafe(self.opened.set)


class Record:
    """Everything a server knows about what happened; each method is one atomic step."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # its lock guards all that follows
        self._listeners: set[Callable[[], None]] = set()
        self._gates: list[Gate] = []
        self._last_number = 0
        self.open = 0
        self._clear()

    def _clear(self) -> None:
        self._messages: dict[tuple[int, int], Received] = {}
        self._lines: list[Line] = []
        self._reached: Counter[Step] = Counter()
        self.total = 0
        self.refused = 0

    def clear(self) -> None:
        """Forget everything but the connections that are open, and who is held."""
        with self._changed:
            self._clear()

    def _notify(self) -> None:
        """Under the lock: wake whoever waits for a change."""
        self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def connect(self, *, refused: bool) -> int:
        """Note a new connection, which may be one too many; return its number."""
        with self._changed:
            self._last_number += 1
            self.refused += refused
            self.total += 1
            self.open += 1
            self._notify()
            return self._last_number

    def disconnect(self) -> None:
        """Note that a connection ended."""
        with self._changed:
            self.open -= 1
            self._notify()

    def reach(self, step: Step) -> None:
        """Note that a client has arrived at a step."""
        with self._changed:
            self._reached[step] += 1
            self._notify()

    def write(self, line: Line) -> None:
        """Add a line to the transcript."""
        with self._changed:
            self._lines.append(line)

    def keep(self, transaction: tuple[int, int], received: Received) -> None:
        """Take responsibility for a message, or replace what was noted of this transaction's message."""
        with self._changed:
            self._messages[transaction] = received
            self._notify()

    def shut(self, gate: Gate) -> None:
        """Note that a client is held."""
        with self._changed:
            self._gates.append(gate)
            self._notify()

    def leave(self, gate: Gate) -> None:
        """Note that a held client has gone, released or not."""
        with self._changed:
            if gate in self._gates:
                self._gates.remove(gate)

    def release(self, at: Step) -> list[Gate]:
        """Take away the gates at a step; the caller opens them on their loop."""
        with self._changed:
            gates = [gate for gate in self._gates if gate.at == at]
            self._gates = [gate for gate in self._gates if gate.at != at]
            return gates

    def messages(self) -> list[Received]:
        """The messages, in the order in which they were kept."""
        with self._changed:
            return list(self._messages.values())

    def lines(self) -> list[Line]:
        """The transcript."""
        with self._changed:
            return list(self._lines)

    def reached(self, step: Step) -> int:
        """How often a step was reached."""
        with self._changed:
            return self._reached[step]

    def held(self, step: Step) -> int:
        """How many clients are held at a step now."""
        with self._changed:
            return sum(gate.at == step for gate in self._gates)

    def wait(self, ready: Callable[[], bool], timeout: float) -> bool:
        """Block until a condition of this record holds, or for so many seconds; return whether it does."""
        with self._changed:
            return self._changed.wait_for(ready, timeout)

    async def wait_async(self, ready: Callable[[], bool], timeout: float) -> bool:
        """As `wait`, without blocking the event loop; cancelling it has no effect on the record."""
        loop = asyncio.get_running_loop()
        fulfilled = asyncio.Event()

        def listener() -> None:
            if ready():
                with suppress(RuntimeError):  # the loop was closed, with the waiter on it
                    loop.call_soon_threadsafe(fulfilled.set)

        with self._changed:
            if ready():
                return True
            self._listeners.add(listener)
        try:
            await asyncio.wait_for(fulfilled.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        finally:
            with self._changed:
                self._listeners.discard(listener)
        return True


class Milestone(Generic[T]):
    """Something that will happen at a server, to be waited for from synchronous and asynchronous tests.

        server.reached("content").wait()            # blocks
        await server.reached("content")             # does not
        server.reached("content").is_set()          # does not wait

    Waiting returns what the milestone brings (the messages; nothing, where it brings nothing).

    Raises:
        TimeoutError: It did not happen in time, 5 seconds unless said otherwise; the error shows the transcript.
    """

    def __init__(self, record: Record, what: str, ready: Callable[[], bool], value: Callable[[], T]) -> None:
        self._record = record
        self._what = what
        self._ready = ready
        self._value = value

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._ready()

    def wait(self, timeout: float = 5.0) -> T:
        """Block until it happens, for at most so many seconds."""
        return self._outcome(self._record.wait(self._ready, timeout), timeout)

    async def wait_async(self, timeout: float = 5.0) -> T:
        """Wait until it happens, for at most so many seconds; it can be cancelled at any time."""
        return self._outcome(await self._record.wait_async(self._ready, timeout), timeout)

    def __await__(self) -> Generator[object, None, T]:
        return self.wait_async().__await__()

    def _outcome(self, happened: bool, timeout: float) -> T:
        if happened:
            return self._value()
        transcript = "\n".join(map(str, self._record.lines())) or "(nobody said anything)"
        raise TimeoutError(f"{self._what}: did not happen within {timeout:g} s. The transcript:\n{transcript}")
