"""An abort reaches through a synchronous call that a bridged one makes."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, blocking, bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer, silence

from .told import PATIENCE, cancelled, idle, is_set, opened_at_the_end, until


class Inner:
    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, to: str) -> None:
        with smtplib.SMTP("localhost", self._port, timeout=60) as session:
            session.sendmail("anna@example.org", to, "x\n")


class Outer:
    """Not migrated yet, and calls what is."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.rendering, self.rendered = threading.Event(), threading.Event()

    def send(self, to: str) -> None:
        for _ in range(2):
            try:
                self._inner.send(to)
                return
            except smtplib.SMTPServerDisconnected:  # noqa: PERF203 - as wrappers are
                pass

    def render_and_send(self, to: str) -> None:
        self.rendering.set()
        assert self.rendered.wait(PATIENCE)
        self.send(to)


async def test_what_the_inner_call_is_blocked_on_is_shut_down() -> None:
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as one, BoundedExecutor(1) as other:
            outer = Outer(blocking(bridge(Inner(server.port), executor=other)))
            call = asyncio.ensure_future(bridge(outer, executor=one).send("bert@example.org"))
            await server.reached("RCPT")
            assert (await cancelled(call)).returned
            await idle(other)
        assert server.messages == []


async def test_an_inner_call_that_waits_for_its_turn_never_runs() -> None:
    held = threading.Event()
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as one, BoundedExecutor(1) as other:
            with opened_at_the_end(held):
                busy = asyncio.ensure_future(other.run(held.wait, PATIENCE))
                await until(lambda: other.stats().running)
                outer = Outer(blocking(bridge(Inner(server.port), executor=other)))
                call = asyncio.ensure_future(bridge(outer, executor=one).send("bert@example.org"))
                await until(lambda: other.stats().pending)
                assert (await cancelled(call)).returned
                assert other.stats().pending == 0
            await busy
        assert server.connections_total == 0


async def test_a_call_that_was_aborted_before_begins_none() -> None:
    configure(cancel_grace=0)
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as one, BoundedExecutor(1) as other:
            outer = Outer(blocking(bridge(Inner(server.port), executor=other)))
            with opened_at_the_end(outer.rendered):
                call = asyncio.ensure_future(bridge(outer, executor=one).render_and_send("bert@example.org"))
                await is_set(outer.rendering)
                await cancelled(call)
            await idle(one)
            assert other.stats().done == 0
        assert server.connections_total == 0


async def test_an_inner_call_of_another_mind_goes_on() -> None:
    held = threading.Event()
    ended = threading.Event()

    class Slow:
        def send(self, _: str) -> None:
            assert held.wait(PATIENCE)
            ended.set()

    configure(cancel_grace=0)
    async with BoundedExecutor(1) as one, BoundedExecutor(1) as other:
        outer = Outer(blocking(bridge(Slow(), executor=other, on_cancel="wait")))
        with opened_at_the_end(held):
            call = asyncio.ensure_future(bridge(outer, executor=one).send("bert@example.org"))
            await until(lambda: other.stats().running)
            with pytest.raises(asyncio.CancelledError):
                call.cancel()
                await call
            assert not ended.is_set()
        await is_set(ended)
