"""Ctrl-C while a thread waits through `blocking()`: what waits is withdrawn, what runs is aborted."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, blocking, bridge
from asyncsmtp_bridge import job as jobs
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import Gate, in_thread, wait_until

from .conftest import Kind

struck = threading.Event()


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """A handler like Python's own, that raises once; also where the shell that started the tests had it ignored."""

    def interrupt(*_: object) -> None:
        if not struck.is_set():
            struck.set()
            raise KeyboardInterrupt

    struck.clear()
    before = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, before)


def strike() -> None:
    """Do what Ctrl-C does: interrupt the main thread, whatever it waits for.

    As users do, again and again until it works: a signal that comes right before the thread begins to wait is noticed
    by Python only when the wait is over.
    """
    main = threading.main_thread()
    if threading.current_thread() is main:
        signal.raise_signal(signal.SIGINT)
    assert main.ident is not None
    while not struck.wait(0.005):
        signal.pthread_kill(main.ident, signal.SIGINT)


class CorpMailer:
    def __init__(self) -> None:
        self.gate = Gate()
        self.sent: list[str] = []

    def wait(self) -> None:
        self.gate()

    def interrupt(self) -> None:
        """As the user does, while it runs."""
        strike()
        self.gate()

    def send(self, to: str) -> None:
        self.sent.append(to)

    def deliver(self, port: int) -> None:
        session = smtplib.SMTP("localhost", port, timeout=60)
        try:
            session.sendmail("anna@example.org", "bert@example.org", "x")
        finally:
            session.close()


@pytest.fixture
def mailer() -> Any:
    mailer = CorpMailer()
    with mailer.gate:
        yield mailer


@contextmanager
def interrupted_in_wait() -> Iterator[None]:
    """The user strikes as soon as the main thread waits."""
    wait = jobs.Bell.wait

    def wait_struck(bell: jobs.Bell) -> None:
        strike()
        wait(bell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs.Bell, "wait", wait_struck)
        with pytest.raises(KeyboardInterrupt):
            yield


def settled(executor: BoundedExecutor) -> None:
    wait_until(lambda: not (executor.stats().running or executor.stats().pending))


def test_what_waits_for_its_turn_never_runs(kind: Kind, mailer: CorpMailer) -> None:
    executor = kind(2)
    with in_thread(lambda: asyncio.run(awaited(bridge(mailer, executor=executor).wait))):
        mailer.gate.wait(lambda: bool(mailer.gate.entered))
        with interrupted_in_wait():
            blocking(bridge(mailer, executor=executor)).send("bert")
        assert executor.stats().pending == 0
        mailer.gate.open()
    settled(executor)
    assert mailer.sent == []


async def awaited(call: Any) -> None:
    await call()


def test_what_waits_for_a_slot_never_runs(kind: Kind, mailer: CorpMailer) -> None:
    executor = kind(1)
    with in_thread(lambda: asyncio.run(executor.run(mailer.wait))):
        mailer.gate.wait(lambda: bool(mailer.gate.entered))
        with interrupted_in_wait():
            blocking(bridge(mailer, executor=executor)).send("bert")
        mailer.gate.open()
    settled(executor)
    assert mailer.sent == []
    blocking(bridge(mailer, executor=executor)).send("cleo")
    assert mailer.sent == ["cleo"]


def test_what_runs_in_a_worker_is_let_go(mailer: CorpMailer) -> None:
    executor = BoundedExecutor(1)
    with pytest.raises(KeyboardInterrupt):
        blocking(bridge(mailer, executor=executor)).interrupt()
    assert executor.stats().running == 1  # its turn is over when its thread is back
    mailer.gate.open()
    settled(executor)
    blocking(bridge(mailer, executor=executor)).send("cleo")
    assert mailer.sent == ["cleo"]


def test_what_runs_here_ends(mailer: CorpMailer) -> None:
    executor = BoundedExecutor.shared(1)
    with pytest.raises(KeyboardInterrupt):
        blocking(bridge(mailer, executor=executor)).interrupt()
    assert executor.stats().running == 0
    blocking(bridge(mailer, executor=executor)).send("cleo")


def test_what_is_blocked_in_smtp_is_ended(kind: Kind, mailer: CorpMailer) -> None:
    executor = kind(1)
    with SMTPTestServer(faults=[silence("MAIL")]) as server:

        def strike_there() -> None:
            server.reached("MAIL").wait(10)
            strike()

        with in_thread(strike_there):
            with pytest.raises(KeyboardInterrupt):
                blocking(bridge(mailer, executor=executor)).deliver(server.port)
            settled(executor)
        assert server.messages == []


def test_to_wait_means_that_it_is_not_aborted(mailer: CorpMailer) -> None:
    executor = BoundedExecutor(1)
    with pytest.raises(KeyboardInterrupt):
        blocking(bridge(mailer, executor=executor, on_cancel="wait")).interrupt()
    assert executor.stats().running == 1
    mailer.gate.open()
    settled(executor)
    assert executor.stats().done == 1


def test_a_session_is_left_when_its_body_is_interrupted() -> None:
    left: list[Any] = []

    class Session(CorpMailer):
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None:
            left.append(error[0])

    session, executor = Session(), BoundedExecutor(1)
    view: Any = blocking(bridge(session, executor=executor))
    with pytest.raises(KeyboardInterrupt), view:
        strike()
    assert left == [KeyboardInterrupt]


def test_a_strike_right_after_the_call_was_handed_over_withdraws_it_too(kind: Kind, mailer: CorpMailer) -> None:
    executor = kind(1)
    slots = slots_of(executor)
    submit = slots.submit

    def submit_struck(job: jobs.Job) -> None:
        submit(job)
        strike()

    with in_thread(lambda: asyncio.run(executor.run(mailer.wait))):
        mailer.gate.wait(lambda: bool(mailer.gate.entered))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slots, "submit", submit_struck)
            with pytest.raises(KeyboardInterrupt):
                blocking(bridge(mailer, executor=executor)).send("bert")
        mailer.gate.open()
    settled(executor)
    assert mailer.sent == []
