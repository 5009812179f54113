"""A name that is being looked up cannot be interrupted: its awaiter is freed after the grace, and nothing is sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, configure
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer

from .targets import Sending, each_bridge
from .told import PATIENCE, cancelled, idle, is_set, opened_at_the_end

SLOW = "slow.example.org"


class SlowLookup:
    """Answers for one name when it is let go."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self._original = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != SLOW:
            return self._original(host, *args, **kwargs)
        self.asked.set()
        assert self.answer.wait(PATIENCE)
        return self._original("127.0.0.1", *args, **kwargs)


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLookup]:
    slow = SlowLookup()
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with opened_at_the_end(slow.answer):
        yield slow


@each_bridge
async def test_the_caller_is_freed_after_the_grace_and_nothing_is_delivered_later(
    bridged: Any, lookup: SlowLookup
) -> None:
    configure(cancel_grace=0.02)
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(bridged(Sending(server.port, SLOW), executor=executor)("bert@example.org"))
            await is_set(lookup.asked)
            known = await cancelled(call)
            assert (executor.stats().running, executor.stats().abandoned) == (1, 1)
            assert (known.began, known.phase, known.returned) == (True, Phase.CONNECTING, False)
            lookup.answer.set()
            await idle(executor)
        await server.connected(0)
        assert server.commands == []


async def test_a_mirror_that_looks_a_name_up_is_freed_and_what_comes_of_it_is_closed(lookup: SlowLookup) -> None:
    configure(cancel_grace=0.02)
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as executor:

            async def connect() -> AsyncSMTP:
                return await AsyncSMTP(SLOW, server.port, executor=executor)

            call = asyncio.ensure_future(connect())
            await is_set(lookup.asked)
            assert (await cancelled(call)).phase is Phase.CONNECTING
            lookup.answer.set()
            await idle(executor)
        await server.connected(0)
        assert server.commands == []


async def test_a_deadline_is_met_but_for_the_grace(lookup: SlowLookup) -> None:
    configure(cancel_grace=0.02)
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as executor:
            smtp = AsyncSMTP(executor=executor, local_hostname="client.example.org")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(smtp.connect(SLOW, server.port), 0.02)
            assert not lookup.answer.is_set()
            lookup.answer.set()
            await idle(executor)
            # The object is not spoilt.
            assert (await smtp.connect("localhost", server.port))[0] == 220
            await smtp.quit()
