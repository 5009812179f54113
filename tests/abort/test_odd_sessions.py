"""Sessions of classes of their own, threads that run a call within a call, and processes without the audit hook."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, blocking, bridge, configure
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import wait_until

from .told import PATIENCE, cancelled, idle, is_set, opened_at_the_end, until


class Inner:
    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, to: str) -> None:
        with smtplib.SMTP("localhost", self._port, timeout=60) as session:
            session.sendmail("anna@example.org", to, "x\n")


class Outer:
    """Sends by itself when the other cannot."""

    def __init__(self, inner: Any, port: int) -> None:
        self._inner = inner
        self._own = Inner(port)

    def send(self, to: str) -> None:
        try:
            self._inner.send(to)
        except smtplib.SMTPException:
            self._own.send(to)


async def test_a_call_within_a_call_on_the_same_thread_takes_no_prohibition_with_it() -> None:
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            inner = blocking(bridge(Inner(server.port), executor=BoundedExecutor.shared(1)))
            call = asyncio.ensure_future(bridge(Outer(inner, server.port), executor=executor).send("bert@example.org"))
            await server.reached("RCPT")
            await cancelled(call)
            await idle(executor)
        assert server.messages == []


async def test_a_call_within_a_call_on_the_same_thread_is_aborted_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    configure(cancel_grace=0)
    begun, end = threading.Event(), threading.Event()

    class Slow:
        def send(self, _: str) -> None:
            begun.set()
            assert end.wait(PATIENCE)

    async with BoundedExecutor(1) as executor:
        inner = blocking(bridge(Slow(), executor=BoundedExecutor.shared(1)))
        with opened_at_the_end(end):
            call = asyncio.ensure_future(bridge(Outer(inner, 1), executor=executor).send("bert@example.org"))
            await is_set(begun)
            await cancelled(call)
        await idle(executor)
    assert len([record for record in caplog.records if "was cancelled" in record.getMessage()]) == 2


class Empty(smtplib.SMTP):
    """Counts what it has sent, which is nothing yet."""

    def __len__(self) -> int:
        return 0


async def test_a_session_is_not_asked_for_its_truth_value() -> None:
    with SMTPTestServer(faults=[silence("NOOP")]) as server:
        session = Empty("localhost", server.port, timeout=60)
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(bridge(session.noop, executor=executor)())
            await server.reached("NOOP")
            assert (await cancelled(call)).returned
        session.close()


class Talkative(smtplib.SMTP):
    """Looks after each delivery what the server can do."""

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        refused = super().sendmail(*args, **kwargs)
        self.ehlo()
        return refused


async def test_what_a_class_does_after_it_has_delivered_is_no_greeting() -> None:
    with SMTPTestServer(faults=[silence("EHLO", after=1)]) as server:
        session = Talkative("localhost", server.port, timeout=60)
        async with BoundedExecutor(1) as executor:
            send = bridge(session.sendmail, executor=executor)
            call = asyncio.ensure_future(send("anna@example.org", "bert@example.org", "x\n"))
            await until(lambda: server.messages)
            assert (await cancelled(call)).phase in (None, Phase.CONTENT_SENT)
        session.close()


class AllInOne(smtplib.SMTP):
    """Sends when it is made."""

    def __init__(self, port: int) -> None:
        super().__init__("localhost", port, timeout=60)
        self.sendmail("anna@example.org", "bert@example.org", "x\n")
        self.quit()


async def test_a_class_that_sends_when_it_is_made_is_not_connecting_when_it_quits() -> None:
    with SMTPTestServer(faults=[silence("QUIT")]) as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(executor_call(executor, server.port))
            await server.reached("QUIT")
            assert (await cancelled(call)).phase is Phase.BETWEEN
        assert len(server.messages) == 1


async def executor_call(executor: BoundedExecutor, port: int) -> None:
    def send() -> None:
        AllInOne(port)

    await bridge(send, executor=executor)()


PROGRAM = """
import asyncio, logging, smtplib, sys
from asyncsmtp_bridge import bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer, silence

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stdout)
if {refused}:
    sys.addaudithook(lambda event, _: (_ for _ in ()).throw(RuntimeError) if event == "sys.addaudithook" else None)
else:
    configure(audit_hook=False)

def send(port):
    smtplib.SMTP("localhost", port, timeout=60).sendmail("anna@example.org", "bert@example.org", "x")

async def main():
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        call = asyncio.ensure_future(bridge(send)(server.port))
        await server.reached("RCPT")
        call.cancel()
        try:
            await call
        except asyncio.CancelledError as error:
            while not hasattr(error, "call"):
                error = error.__context__
            print(error.call.phase)

asyncio.run(main())
"""


@pytest.mark.parametrize("refused", [False, True])
def test_without_the_hook_a_call_in_the_envelope_may_have_gone_on(refused: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(refused=refused)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Phase.CONTENT_BEGUN" in ended.stdout, ended.stderr
    assert "may have been delivered" in ended.stdout


def test_what_is_left_to_a_shared_executor_is_done_though_the_loop_ends() -> None:
    begun, end, closed = threading.Event(), threading.Event(), threading.Event()

    def rows() -> Any:
        try:
            yield 1
            begun.set()
            end.wait(PATIENCE)
            yield 2
        finally:
            closed.set()

    configure(cancel_grace=0)
    executor = BoundedExecutor.shared(1)

    async def main() -> None:
        async def consume() -> None:
            async for _ in bridge(rows, executor=executor)():
                pass

        call = asyncio.ensure_future(consume())
        await is_set(begun)
        await cancelled(call)
        end.set()

    asyncio.run(main())
    assert closed.wait(PATIENCE)
    wait_until(lambda: not executor.stats().abandoned)


async def test_a_wait_within_a_wait_gives_the_outer_one_back() -> None:
    from asyncsmtp_bridge.cancellation import _waiting, reached_through

    with reached_through(int):
        outer = _waiting[threading.get_ident()]
        with reached_through(int):
            pass
        assert _waiting[threading.get_ident()] is outer
    assert threading.get_ident() not in _waiting
