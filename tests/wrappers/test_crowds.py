"""Many tasks send with one bridged wrapper, and everybody gets his own mail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge
from asyncsmtp_bridge.testing import SMTPTestServer

from .corporate import ConnectionPerThread, SharedConnection, UnlockedConnection
from .table import WRAPPERS, Wrapper, drained, each_wrapper

MESSAGES, TASKS = 40, 8


async def send_all(send: Callable[[str, str], Awaitable[None]]) -> None:
    async def work(first: int) -> None:
        for number in range(first, MESSAGES, TASKS):
            await send(f"r{number}@example.org", f"Order-{number}-is-on-its-way.\n")

    await asyncio.gather(*map(work, range(TASKS)))


def orders(server: SMTPTestServer) -> list[tuple[tuple[str, ...], list[bytes]]]:
    """Of each message, to whom it went and the numbers in its body."""
    return sorted((received.rcpt_tos, re.findall(rb"Order-(\d+)-is", received.content)) for received in server.messages)


ALL_ORDERS = sorted(((f"r{number}@example.org",), [b"%d" % number]) for number in range(MESSAGES))


async def everybody_gets_his_own(wrapper: Wrapper, executor: BoundedExecutor | None = None) -> None:
    with SMTPTestServer() as server:
        async with wrapper.bridged(server, executor) as face:
            await send_all(lambda to, body: wrapper.send(face, to, body))
        assert orders(server) == ALL_ORDERS


@each_wrapper
async def test_everybody_gets_his_own_message(wrapper: Wrapper) -> None:
    await everybody_gets_his_own(wrapper)


@pytest.mark.parametrize("wrapper", [each for each in WRAPPERS if each.thread_local], ids=str)
async def test_everybody_gets_his_own_message_from_a_single_thread(wrapper: Wrapper) -> None:
    await everybody_gets_his_own(wrapper, BoundedExecutor(1))


@pytest.mark.parametrize("wrapper", [each for each in WRAPPERS if each.is_object], ids=str)
async def test_one_object_is_used_by_one_thread_at_a_time(wrapper: Wrapper) -> None:
    executor = BoundedExecutor(TASKS)
    await everybody_gets_his_own(wrapper, executor)
    assert executor.stats().peak == 1


async def test_a_connection_per_thread_is_one_connection_on_an_executor_of_one() -> None:
    with SMTPTestServer() as server:
        mailer = ConnectionPerThread(server.host, server.port)
        async with drained(BoundedExecutor(1)) as executor:
            await send_all(bridge(mailer, executor=executor).send)
        assert orders(server) == ALL_ORDERS
        assert server.connections_total == 1
        mailer.close()


@pytest.mark.parametrize("singleton", [SharedConnection, UnlockedConnection])
async def test_a_singleton_may_be_bridged_anew_for_every_call(singleton: type[SharedConnection]) -> None:
    with SMTPTestServer() as server:
        mailer = singleton(server.host, server.port)
        await send_all(lambda to, body: bridge(mailer).send(to, body))
        assert orders(server) == ALL_ORDERS
        assert server.connections_total == 1
        mailer.close()
