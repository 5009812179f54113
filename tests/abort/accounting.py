"""Mail sent and cancelled at random moments, with an account of what became of each message.

Every message has a number, a recipient and a body of its own. Every call sends one message, and ends in one of:

- *known* (K): the call returned, or its CancelledError has the result. It was delivered.
- *unknown* (U): it had begun, has no result, and what is told of it does not rule out that the content was sent: the
  phase is CONTENT_BEGUN or CONTENT_SENT; or, for what is opaque (a wrapper, a function), None or BETWEEN: outside
  smtplib, and at RSET, NOOP or QUIT, nothing is said of what came before, and before QUIT comes the message.
  Of a mirror, whose call is smtplib's alone, None is unknown only where a second cancel ended the wait for the thread:
  otherwise the thread is back, and what it came back with is its result, or the end of the connection.
- *not sent* (N): the rest. It never began, stood before the content, or failed.
"""

from __future__ import annotations

import asyncio
import random
import smtplib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge
from asyncsmtp_bridge.outcome import CancelledCall
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer

from .told import idle, told

SENDER = "anna@example.org"
HOST = "localhost"
CONTENT = (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT)

Send = Callable[[int], Awaitable[object]]


def recipient(number: int) -> str:
    return f"r{number}@example.org"


def body(number: int) -> str:
    return f"Subject: {number}\n\nbody {number}\n"


def open_session(port: int) -> smtplib.SMTP:
    return smtplib.SMTP(HOST, port, local_hostname="client.example.org", timeout=15)


class PerMessage:
    """A wrapper with a session for each message."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, number: int) -> None:
        with open_session(self._port) as session:
            session.sendmail(SENDER, recipient(number), body(number))


class Keeping:
    """A wrapper that keeps its session, and connects again when the server has gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._session: smtplib.SMTP | None = None

    def send(self, number: int) -> None:
        for _ in range(2):
            if self._session is None:
                self._session = open_session(self._port)
            try:
                self._session.sendmail(SENDER, recipient(number), body(number))
                return
            except (smtplib.SMTPServerDisconnected, OSError):
                self._session = None
        raise RuntimeError("gave up")

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


@dataclass
class Account:
    """What was told of each message, and what the server says."""

    opaque: bool
    known: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    not_sent: set[int] = field(default_factory=set)
    accepted: set[int] = field(default_factory=set)
    cancels: int = 0
    why: dict[int, CancelledCall | BaseException] = field(default_factory=dict)

    def enter(self, number: int, outcome: object) -> None:
        if not isinstance(outcome, BaseException):
            self.known.add(number)
            return
        if not isinstance(outcome, asyncio.CancelledError):
            self.why[number] = outcome
            self.not_sent.add(number)
            return
        try:
            call = told(outcome)
        except AssertionError:  # cancelled before its task had taken its first step
            self.not_sent.add(number)
            return
        self.why[number] = call
        self._set_for(call).add(number)

    def _set_for(self, call: CancelledCall) -> set[int]:
        if call.returned and call.error is None:
            return self.known
        if not call.began:
            return self.not_sent
        if call.phase in CONTENT:
            return self.unknown
        if self.opaque:
            return self.unknown if call.phase in (None, Phase.BETWEEN) else self.not_sent
        return self.unknown if call.phase is None and not call.returned else self.not_sent

    def phases_of_unknown(self) -> set[Phase | None]:
        calls = (self.why[number] for number in self.unknown)
        return {call.phase for call in calls if isinstance(call, CancelledCall)}

    def close(self, server: SMTPTestServer) -> None:
        """Compare with what arrived: nothing twice, nothing in the body of another."""
        for received in server.messages:
            [to] = received.rcpt_tos
            number = int(to.partition("@")[0][1:])
            assert received.content == body(number).replace("\n", "\r\n").encode(), received
            assert number not in self.accepted, f"{number} came twice"
            self.accepted.add(number)

    def must_balance(self) -> None:
        lied = {number: self.why.get(number) for number in self.accepted & self.not_sent}
        assert not lied, f"delivered, and told not to have been sent: {lied}"
        assert self.known <= self.accepted
        assert self.accepted == self.known | (self.accepted & self.unknown)
        assert len(self.accepted) + len(self.unknown - self.accepted) == len(self.known) + len(self.unknown)

    def __str__(self) -> str:
        return (
            f"cancels {self.cancels}: A {len(self.accepted)} = K {len(self.known)} + A∩U "
            f"{len(self.accepted & self.unknown)}; U {len(self.unknown)}, N {len(self.not_sent)}"
        )


@dataclass
class Trial:
    """Messages from several tasks at once, each left alone or cancelled at some moment.

    The moments are drawn from somewhat more than the time that an undisturbed call takes, whatever that is here.
    """

    server: SMTPTestServer
    executor: BoundedExecutor
    account: Account
    seed: int
    twice: bool = False
    """Whether some are cancelled a second time, which ends the wait for the thread."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._usual = 0.003
        self._number = 0

    async def one(self, send: Send) -> bool:
        """Send one message, or cancel it on the way; False if it failed by itself."""
        self._number += 1
        number = self._number
        loop = asyncio.get_running_loop()
        began = loop.time()
        call = asyncio.ensure_future(send(number))
        if self._chance.random() < 0.15:
            await asyncio.wait({call})
            self._usual += 0.2 * (min(loop.time() - began, 0.1) - self._usual)
        else:
            await self._cancel(call)
        outcome: object = None
        try:
            await call
        except (asyncio.CancelledError, Exception) as error:  # not by gather(), which makes another CancelledError
            outcome = error
        self.account.enter(number, outcome)
        return not isinstance(outcome, Exception)

    async def _cancel(self, call: asyncio.Future[Any]) -> None:
        chance = self._chance.random()
        if chance < 0.1:
            for _ in range(self._chance.randrange(4)):
                await asyncio.sleep(0)
        else:
            await asyncio.wait({call}, timeout=self._chance.random() * 1.2 * self._usual)
        self.account.cancels += call.cancel()
        if self.twice and chance < 0.5:
            for _ in range(self._chance.randrange(1, 4)):
                await asyncio.sleep(0)
            call.cancel()

    async def run(self, cancels: int, sends: list[Send], again: Callable[[int], Awaitable[None]] | None = None) -> None:
        """Send with each of these at once, until so many calls were cancelled.

        Args:
            cancels: How many.
            sends: What sends, by the number of the message.
            again: Called with the index of what failed, to begin anew.
        """

        async def work(index: int) -> None:
            while self.account.cancels < cancels:
                if not await self.one(sends[index]) and again is not None:
                    await again(index)

        await asyncio.gather(*map(work, range(len(sends))))

    async def end(self, sends: list[Send], close: Callable[[], Awaitable[object]] | None = None) -> None:
        """See that no lane is stuck, no thread lost, and that the account balances."""
        for send in sends:
            self._number += 1
            await send(self._number)
            self.account.enter(self._number, None)
        if close is not None:
            await close()
        await idle(self.executor)
        await self.server.connected(0)
        self.account.close(self.server)
        self.account.must_balance()


async def through_mirrors(
    server: SMTPTestServer, executor: BoundedExecutor, cancels: int, seed: int, **how: Any
) -> Account:
    """Four mirrors, one of them shared by two tasks; each connects again once it was aborted."""
    trial = Trial(server, executor, Account(opaque=False), seed, **how)
    mirrors = [AsyncSMTP(executor=executor, local_hostname="client.example.org") for _ in range(4)]

    def through(mirror: AsyncSMTP) -> Send:
        return lambda number: mirror.sendmail(SENDER, recipient(number), body(number))

    async def connect(index: int) -> None:
        mirror = mirrors[index % 4]
        if mirror.sock is None:
            await mirror.connect(HOST, server.port)

    async def close() -> None:
        for mirror in mirrors:
            await mirror.close()

    for index in range(4):
        await connect(index)
    sends = [through(mirrors[index % 4]) for index in range(5)]
    await trial.run(cancels, sends, connect)
    for index in range(4):
        await mirrors[index].close()
        await connect(index)
    await trial.end(sends[:4], close)
    return trial.account


async def through_wrapper(
    make: Callable[[int], Any], server: SMTPTestServer, executor: BoundedExecutor, cancels: int, seed: int, **how: Any
) -> Account:
    """One opaque object, bridged once, for two tasks: its calls are made one after the other."""
    trial = Trial(server, executor, Account(opaque=True), seed, **how)
    wrapper = make(server.port)
    mailer = bridge(wrapper, executor=executor)
    await trial.run(cancels, [mailer.send] * 2)

    async def close() -> None:
        await asyncio.to_thread(getattr(wrapper, "close", bool))

    await trial.end([mailer.send], close)
    return trial.account


async def through_function(
    server: SMTPTestServer, executor: BoundedExecutor, cancels: int, seed: int, **how: Any
) -> Account:
    """A function, called by four tasks side by side."""
    trial = Trial(server, executor, Account(opaque=True), seed, **how)

    def send_mail(number: int) -> None:
        PerMessage(server.port).send(number)

    send = bridge(send_mail, executor=executor)
    await trial.run(cancels, [send] * 4)
    await trial.end([send])
    return trial.account


def worker_threads(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())
