"""Ways to send from coroutines, behind one face: aiosmtplib, smtplib in `asyncio.to_thread`, and the mirrors.

A sender has as many threads as it is told to have connections, all started before anything is timed. Every message
must be accepted for every recipient; anything else is an error, and ends the benchmark.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import EmailMessage
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, PipelinedSMTP

from .callers import start_every_thread
from .processes import HOST

NAME = "localhost"  # for EHLO; not to be looked up
TIMEOUT = 60.0  # seconds, for a single operation of the network

AIOSMTPLIB = "aiosmtplib"
TO_THREAD = "smtplib in asyncio.to_thread"
PLAIN_MIRROR = "AsyncSMTP"
PIPELINED_MIRROR = "AsyncSMTP(smtp_class=PipelinedSMTP)"

Send = Callable[[EmailMessage], Awaitable[None]]


class Sender(Protocol):
    """A way to send."""

    def session(self) -> AbstractAsyncContextManager[Send]:
        """Have a connection to send on, one message after the other; it is closed without QUIT."""

    async def send_alone(self, message: EmailMessage) -> None:
        """Send on a connection of its own, from the handshake to the reply to QUIT."""


MakeSender = Callable[[int, int], AbstractAsyncContextManager[Sender]]
"""Takes the port, and how many connections there are at most at once."""


def check_accepted(answer: object) -> None:
    """Raise if a message was not accepted for everybody.

    Args:
        answer: The dictionary of those who were refused, or the exception.
    """
    if isinstance(answer, BaseException):
        raise answer
    if answer != {}:
        raise RuntimeError(f"refused: {answer}")


def connect(session_class: type[smtplib.SMTP], port: int) -> Any:
    """Return a session, in whichever thread."""
    return session_class(HOST, port, NAME, TIMEOUT)


class Native:
    """aiosmtplib."""

    def __init__(self, port: int) -> None:
        import aiosmtplib

        self._make = partial(
            aiosmtplib.SMTP, hostname=HOST, port=port, local_hostname=NAME, start_tls=False, timeout=TIMEOUT
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        session = self._make()
        await session.connect()
        try:
            yield partial(self._send, session)
        finally:
            session.close()

    async def send_alone(self, message: EmailMessage) -> None:
        async with self._make() as session:
            await self._send(session, message)

    async def _send(self, session: Any, message: EmailMessage) -> None:
        refused, _ = await session.send_message(message)
        check_accepted(refused)


class ToThread:
    """smtplib in `asyncio.to_thread`, as one writes it oneself: one call for a message, and all that it takes."""

    def __init__(self, port: int) -> None:
        self._port = port

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        session = await asyncio.to_thread(connect, smtplib.SMTP, self._port)
        try:
            yield partial(self._send, session)
        finally:
            session.close()

    async def send_alone(self, message: EmailMessage) -> None:
        def connect_and_send() -> object:
            with connect(smtplib.SMTP, self._port) as session:
                return session.send_message(message)

        check_accepted(await asyncio.to_thread(connect_and_send))

    async def _send(self, session: smtplib.SMTP, message: EmailMessage) -> None:
        check_accepted(await asyncio.to_thread(session.send_message, message))


class Mirror:
    """`AsyncSMTP` with a class of sessions."""

    def __init__(self, session_class: type[smtplib.SMTP], executor: BoundedExecutor, port: int) -> None:
        self._make = partial(AsyncSMTP, HOST, port, NAME, TIMEOUT, executor=executor, smtp_class=session_class)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Send]:
        mirror = await self._make()
        try:
            yield partial(self._send, mirror)
        finally:
            await mirror.close()

    async def send_alone(self, message: EmailMessage) -> None:
        async with self._make() as mirror:
            await self._send(mirror, message)

    async def _send(self, mirror: AsyncSMTP, message: EmailMessage) -> None:
        check_accepted(await mirror.send_message(message))


@asynccontextmanager
async def _native(port: int, _: int) -> AsyncIterator[Sender]:
    yield Native(port)


@asynccontextmanager
async def _to_thread(port: int, connections: int) -> AsyncIterator[Sender]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(connections))
    await start_every_thread(asyncio.to_thread, connections)
    yield ToThread(port)


@asynccontextmanager
async def _mirror(session_class: type[smtplib.SMTP], port: int, connections: int) -> AsyncIterator[Sender]:
    async with BoundedExecutor(connections) as executor:
        await start_every_thread(executor.run, connections)
        yield Mirror(session_class, executor, port)


SENDERS: dict[str, MakeSender | None] = {
    AIOSMTPLIB: _native if find_spec("aiosmtplib") else None,
    TO_THREAD: _to_thread,
    PLAIN_MIRROR: partial(_mirror, smtplib.SMTP),
    PIPELINED_MIRROR: partial(_mirror, PipelinedSMTP),
}
"""By name; None: not installed."""
