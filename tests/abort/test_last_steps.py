"""What is done in the end, for an awaiter that was told that it was cancelled, sends nothing any more."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from typing import Any

from asyncsmtp_bridge import BoundedExecutor, bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer

from .told import PATIENCE, cancelled, idle, is_set, opened_at_the_end


class Outbox:
    """Sends what it has collected when it is left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.rendering, self.rendered = threading.Event(), threading.Event()
        self.entering, self.entered = threading.Event(), threading.Event()
        self.entered.set()
        self.left = threading.Event()

    def __enter__(self) -> Outbox:
        self.entering.set()
        assert self.entered.wait(PATIENCE)
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            with smtplib.SMTP("localhost", self._port, timeout=5) as session:
                session.sendmail("anna@example.org", "bert@example.org", "x\n")
        finally:
            self.left.set()

    def render(self) -> None:
        self.rendering.set()
        assert self.rendered.wait(PATIENCE)


async def test_leaving_behind_a_call_that_could_not_be_interrupted() -> None:
    configure(cancel_grace=0)
    with SMTPTestServer() as server:
        outbox = Outbox(server.port)
        async with BoundedExecutor(1) as executor:

            async def use() -> None:
                async with bridge(outbox, executor=executor) as entered:
                    await entered.render()

            with opened_at_the_end(outbox.rendered):
                call = asyncio.ensure_future(use())
                await is_set(outbox.rendering)
                await cancelled(call)
            await is_set(outbox.left)
            await idle(executor)
        assert server.messages == []


async def test_leaving_what_was_entered_for_nobody() -> None:
    configure(cancel_grace=0)
    with SMTPTestServer() as server:
        outbox = Outbox(server.port)
        outbox.entered.clear()
        async with BoundedExecutor(1) as executor:

            async def use() -> None:
                async with bridge(outbox, executor=executor):
                    raise AssertionError

            with opened_at_the_end(outbox.entered):
                call = asyncio.ensure_future(use())
                await is_set(outbox.entering)
                await cancelled(call)
            await is_set(outbox.left)
            await idle(executor)
        assert server.messages == []


async def test_leaving_in_good_order_sends() -> None:
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as executor, bridge(Outbox(server.port), executor=executor):
            pass
        assert len(server.messages) == 1
