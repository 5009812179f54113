"""A call that is given up while its wrapper is not talking to a server cannot be interrupted, and sends nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer, drop

from .corporate import CorpSession, Report
from .giving_up import GiveUp, each_way_to_give_up, recipients
from .table import drained


class Gate:
    """Where a worker is busy until the test lets it go on; who comes later passes."""

    def __init__(self) -> None:
        self._entered, self._opened = threading.Event(), threading.Event()

    def __call__(self, value: Any) -> Any:
        self._entered.set()
        assert self._opened.wait(10)
        return value

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Gate:
    configure(cancel_grace=0.01)  # callers do not wait for a worker that is at the gate
    return Gate()


@each_way_to_give_up
async def test_a_report_that_is_being_rendered_is_not_sent(gate: Gate, give_up: GiveUp) -> None:
    with SMTPTestServer() as server:
        async with drained(BoundedExecutor(1)) as executor:
            report = bridge(Report(server.host, server.port, render=gate), executor=executor)
            call = asyncio.ensure_future(report.send("given-up@example.org", "x\n"))
            await gate.entered()
            await give_up(call)
            assert executor.stats().running == 1  # its caller is gone, the worker is where it was
            gate.open()
            await report.send("after@example.org", "x\n")
        assert recipients(server) == ["after@example.org"]
        assert server.connections_total == 1


@each_way_to_give_up
async def test_a_session_that_pauses_before_it_tries_again_does_not_try_again(gate: Gate, give_up: GiveUp) -> None:
    with SMTPTestServer(faults=[drop("MAIL", times=1)]) as server:

        def notify(to: str) -> None:
            with CorpSession(server.host, server.port, pause=gate) as session:
                session.send(to, "x\n")

        async with drained(BoundedExecutor(1)) as executor:
            notify_async = bridge(notify, executor=executor)
            call = asyncio.ensure_future(notify_async("given-up@example.org"))
            await gate.entered()
            await give_up(call)
            assert executor.stats().running == 1
            gate.open()
            await notify_async("after@example.org")
        assert recipients(server) == ["after@example.org"]
