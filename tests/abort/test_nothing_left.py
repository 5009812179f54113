"""Nothing is left behind: per call, per session, per abort."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure, lane, watch
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence

from .targets import SENDER, Sending, Waiting, as_an_object
from .told import cancelled, idle, is_set, opened_at_the_end, told_at_the_end, until

Call = Callable[[], Awaitable[object]]


class Mailer:
    def send(self, number: int) -> int:
        return number

    def names(self) -> Iterator[str]:
        yield "bert"
        yield "cleo"


async def blocks_after(call: Call, times: int) -> int:
    """Make so many calls, 50 at once; return how many blocks of memory are allocated then."""
    for _ in range(times // 50):
        await asyncio.gather(*(call() for _ in range(50)))
    gc.collect()
    return sys.getallocatedblocks()


def of_a_function(executor: BoundedExecutor) -> Call:
    send = bridge(abs, executor=executor)
    return lambda: send(1)


def of_a_method(executor: BoundedExecutor) -> Call:
    mailer = bridge(Mailer(), executor=executor)
    return lambda: mailer.send(1)


def of_one_object_bridged_anew(executor: BoundedExecutor) -> Call:
    mailer = Mailer()
    return lambda: bridge(mailer, executor=executor).send(1)


def of_another_object_each_time(executor: BoundedExecutor) -> Call:
    return lambda: bridge(Mailer(), executor=executor).send(1)


def of_a_class(executor: BoundedExecutor) -> Call:
    make = bridge(Mailer, executor=executor)

    async def call() -> None:
        await (await make()).send(1)

    return call


def of_a_generator(executor: BoundedExecutor) -> Call:
    mailer = bridge(Mailer(), executor=executor)

    async def call() -> None:
        assert [name async for name in mailer.names()] == ["bert", "cleo"]

    return call


def of_a_generator_that_is_left_early(executor: BoundedExecutor) -> Call:
    mailer = bridge(Mailer(), executor=executor)

    async def call() -> None:
        names = mailer.names()
        await names.__anext__()
        await names.aclose()

    return call


def that_is_withdrawn(executor: BoundedExecutor) -> Call:
    mailer = bridge(Mailer(), executor=executor)

    async def call() -> None:
        one = asyncio.ensure_future(mailer.send(1))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait({one})

    return call


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (of_a_function, 100_000),
        (of_a_method, 100_000),
        (of_one_object_bridged_anew, 20_000),
        (of_another_object_each_time, 20_000),
        (of_a_class, 10_000),
        (of_a_generator, 5_000),
        (of_a_generator_that_is_left_early, 5_000),
        (that_is_withdrawn, 5_000),
    ],
)
async def test_memory_stays_flat_over_many_calls(kind: Callable[[BoundedExecutor], Call], calls: int) -> None:
    async with BoundedExecutor(2) as executor:
        call = kind(executor)
        before = await blocks_after(call, calls // 10)
        await idle(executor)
        after = await blocks_after(call, calls - calls // 10)
        await idle(executor)
    # What allocators and other threads keep is some dozens; anything left by one call in twenty would be hundreds.
    assert after - before < 400


def ours() -> Counter[str]:
    """Count the package's own objects, but for those of its test server."""
    gc.collect()
    kinds = (type(it) for it in gc.get_objects())
    # Some class of somebody may have made its __module__ a property.
    homes = ((str(kind.__module__), kind.__qualname__) for kind in kinds)
    return Counter(name for home, name in homes if home.startswith("asyncsmtp_bridge") and ".testing" not in home)


async def test_nothing_is_left_of_a_session_that_was_left() -> None:
    with SMTPTestServer() as server:
        async with BoundedExecutor(2) as executor:

            async def one() -> None:
                async with AsyncSMTP("localhost", server.port, executor=executor) as smtp:
                    await smtp.sendmail(SENDER, "bert@example.org", "x\n")

            await one()
            before = ours()
            for _ in range(100):
                await one()
            await until(lambda: not ours() - before)
        await server.connected(0)
        assert len(server.messages) == 101


async def test_nothing_is_left_of_many_aborts() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(1) as executor:

            async def one(number: int) -> None:
                call = asyncio.ensure_future(as_an_object(Sending(server.port), executor=executor)("bert@example.org"))
                await server.reached("RCPT", number)
                await cancelled(call)

            await one(1)
            await until(lambda: not watch._repeater._repeating)
            before, threads = ours(), threading.active_count()
            for number in range(2, 202):
                await one(number)
            await until(lambda: not watch._repeater._repeating)
            assert watch._forbidden == {}
            assert watch._repeater._again == []
            await until(lambda: threading.active_count() <= threads)
            await until(lambda: not ours() - before)
            assert executor.stats().abandoned == 0
        await server.connected(0)


@pytest.mark.parametrize("on_cancel", ["abort", "wait", "abandon"])
async def test_nothing_is_left_of_a_cancelled_call_whose_thread_came_back_late(on_cancel: Any) -> None:
    configure(cancel_grace=0)
    async with BoundedExecutor(1) as executor:

        async def one() -> None:
            target = Waiting()
            with opened_at_the_end(target.go):
                call = asyncio.ensure_future(as_an_object(target, executor=executor, on_cancel=on_cancel)("bert"))
                await is_set(target.begun)
                call.cancel()
                await asyncio.sleep(0)
            await told_at_the_end(call)
            await idle(executor)

        await one()
        await until(lambda: not watch._repeater._repeating)
        before = ours()
        for _ in range(50):
            await one()
        await until(lambda: not watch._repeater._repeating)
        await until(lambda: not ours() - before)
        assert watch._forbidden == {}


async def test_a_wrapper_lives_no_longer_for_having_been_bridged() -> None:
    async with BoundedExecutor(1) as executor:
        mailer = Mailer()
        gone, lanes = weakref.ref(mailer), len(lane._lanes)
        await bridge(mailer, executor=executor).send(1)
        await idle(executor)
        assert len(lane._lanes) <= lanes + 1
        gc.disable()
        try:
            del mailer
            await bridge(abs, executor=executor)(1)  # the worker's last job is another
            await until(lambda: gone() is None)
        finally:
            gc.enable()
        assert len(lane._lanes) <= lanes


def collected(reference: weakref.ref[Any]) -> bool:
    """Whether it is gone; the exception of a call holds its frames, and they it, and the worker lets go of it last."""
    gc.collect()
    return reference() is None


@pytest.mark.parametrize("on_cancel", ["abort", "wait", "abandon"])
async def test_a_wrapper_lives_no_longer_for_having_been_cancelled(on_cancel: Any) -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        async with BoundedExecutor(1) as executor:
            mailer = Sending(server.port)
            gone = weakref.ref(mailer)
            call = asyncio.ensure_future(
                bridge(mailer, executor=executor, on_cancel=on_cancel).send("bert@example.org")
            )
            await server.held("RCPT")
            call.cancel()
            await asyncio.sleep(0)
            if on_cancel != "abort":
                server.release("RCPT")
            await asyncio.wait({call})
            del call, mailer
            await idle(executor)
            await until(lambda: not watch._repeater._repeating)
            await until(lambda: collected(gone))
        assert not any(reference is not None and reference() is None for reference, _ in list(lane._lanes.values()))
