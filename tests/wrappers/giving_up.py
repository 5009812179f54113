"""The ways in which the caller of a bridged wrapper gives up, and what the server then has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer

GiveUp = Callable[["asyncio.Future[object]"], Awaitable[None]]


async def by_cancelling(call: asyncio.Future[object]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def by_a_deadline(call: asyncio.Future[object]) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(call, 0.01)


each_way_to_give_up = pytest.mark.parametrize("give_up", [by_cancelling, by_a_deadline])


def recipients(server: SMTPTestServer) -> list[str]:
    """Of all messages that the server has accepted, in their order."""
    return [to for received in server.messages for to in received.rcpt_tos]
