"""The three answers to a cancellation, cell by cell: of functions, methods, objects and faces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, configure
from asyncsmtp_bridge.outcome import CancelledCall
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence

from .targets import Observer, Sending, Waiting, as_an_object, each_answer, each_bridge, each_serial_bridge
from .told import cancelled, idle, is_set, opened_at_the_end, told_at_the_end, until

Bridged = Callable[..., Callable[..., Any]]


async def soon_cancelled_again(call: asyncio.Future[Any]) -> None:
    """Let a first cancellation be acted upon, then cancel once more."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not call.done()
    call.cancel()


# Still queued.


@each_answer
@each_bridge
async def test_a_call_that_waits_for_a_slot_never_runs(bridged: Bridged, on_cancel: str) -> None:
    configure(cancel_grace=60)
    target, other = Waiting(), Waiting()
    async with BoundedExecutor(1) as executor:
        with opened_at_the_end(target.go, other.go):
            busy = asyncio.ensure_future(executor.run(other.send, "x"))
            await is_set(other.begun)
            call = asyncio.ensure_future(bridged(target, executor=executor, on_cancel=on_cancel)("bert@example.org"))
            await until(lambda: executor.stats().pending == 1)
            known = await cancelled(call)
            stats = executor.stats()
            assert (stats.pending, stats.cancelled, stats.abandoned) == (0, 1, 0)
        await busy
    assert known == CancelledCall(known.function, began=False)
    assert target.began == []


@each_answer
@each_serial_bridge
async def test_a_call_that_waits_for_its_turn_never_runs_and_the_one_before_it_is_not_disturbed(
    bridged: Bridged, on_cancel: str
) -> None:
    target = Waiting()
    async with BoundedExecutor(2) as executor:
        send = bridged(target, executor=executor, on_cancel=on_cancel)
        with opened_at_the_end(target.go):
            first = asyncio.ensure_future(send("bert@example.org"))
            await is_set(target.begun)
            second = asyncio.ensure_future(send("cleo@example.org"))
            await until(lambda: executor.stats().pending == 1)
            assert (await cancelled(second)).began is False
        assert await first == "sent to bert@example.org"
        assert await send("dora@example.org") == "sent to dora@example.org"
    assert target.ended == ["bert@example.org", "dora@example.org"]


@each_answer
async def test_of_a_withdrawn_call_the_observer_is_told_nothing(on_cancel: str) -> None:
    observer, target = Observer(), Waiting()
    async with BoundedExecutor(1, observer=observer) as executor:
        with opened_at_the_end(target.go):
            busy = asyncio.ensure_future(executor.run(target.send, "x"))
            await is_set(target.begun)
            send = as_an_object(Waiting(), executor=executor, on_cancel=on_cancel)
            call = asyncio.ensure_future(send("bert@example.org"))
            await until(lambda: executor.stats().pending == 1)
            await cancelled(call)
        await busy
    assert observer.events == ["started", "ended"]


# Running, "abort".


@each_bridge
async def test_abort_tells_the_awaiter_when_the_thread_is_back(bridged: Bridged) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            send = bridged(Sending(server.port), executor=executor)
            call = asyncio.ensure_future(send("bert@example.org"))
            await server.reached("RCPT")
            known = await cancelled(call)
            stats = executor.stats()
            assert (stats.running, stats.abandoned, stats.failed) == (0, 0, 1)
            assert (known.began, known.returned) == (True, True)
            assert await send("cleo@example.org") == "sent to cleo@example.org"
        assert [received.rcpt_tos for received in server.messages] == [("cleo@example.org",)]


@each_bridge
async def test_abort_waits_for_a_thread_that_cannot_be_interrupted_for_the_grace_and_no_longer(
    bridged: Bridged,
) -> None:
    configure(cancel_grace=0.01)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(bridged(target, executor=executor)("bert@example.org"))
            await is_set(target.begun)
            known = await cancelled(call)
            stats = executor.stats()
            assert (stats.running, stats.abandoned) == (1, 1)
        await idle(executor)
        assert executor.stats().done == 1
    assert (known.began, known.phase, known.returned, known.result) == (True, None, False, None)


@each_bridge
async def test_a_second_cancel_ends_the_wait_for_an_abort_at_once(bridged: Bridged) -> None:
    configure(cancel_grace=60)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(bridged(target, executor=executor)("bert@example.org"))
            await is_set(target.begun)
            call.cancel()
            await soon_cancelled_again(call)
            known = await told_at_the_end(call)
            assert executor.stats().running == 1
        await idle(executor)
    assert (known.began, known.returned) == (True, False)


@each_serial_bridge
async def test_after_an_abort_the_object_is_busy_until_the_thread_is_back(bridged: Bridged) -> None:
    configure(cancel_grace=0)
    target = Waiting()
    async with BoundedExecutor(2) as executor:
        send = bridged(target, executor=executor)
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(send("bert@example.org"))
            await is_set(target.begun)
            await cancelled(call)
            following = asyncio.ensure_future(send("cleo@example.org"))
            await until(lambda: executor.stats().pending == 1)
            assert executor.stats().running == 1
            assert target.began == ["bert@example.org"]
        assert await following == "sent to cleo@example.org"


async def test_the_observer_is_told_of_an_abort() -> None:
    observer = Observer()
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(1, observer=observer) as executor:
            call = asyncio.ensure_future(as_an_object(Sending(server.port), executor=executor)("bert@example.org"))
            await server.reached("RCPT")
            await cancelled(call)
    assert sorted(observer.events) == ["abandoned", "aborted", "ended", "started"]


# Running, "wait".


@each_bridge
async def test_wait_tells_the_awaiter_at_the_end_however_often_it_is_cancelled(bridged: Bridged) -> None:
    configure(cancel_grace=0)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        send = bridged(target, executor=executor, on_cancel="wait")
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(send("bert@example.org"))
            await is_set(target.begun)
            call.cancel()
            for _ in range(3):
                await soon_cancelled_again(call)
            await asyncio.sleep(0)
            assert not call.done()
        known = await told_at_the_end(call)
        assert (known.began, known.returned, known.result) == (True, True, "sent to bert@example.org")
        assert (executor.stats().running, executor.stats().abandoned) == (0, 0)
        assert await send("cleo@example.org") == "sent to cleo@example.org"


@each_bridge
async def test_wait_lets_the_message_be_delivered(bridged: Bridged) -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            send = bridged(Sending(server.port), executor=executor, on_cancel="wait")
            call = asyncio.ensure_future(send("bert@example.org"))
            await server.held("RCPT")
            call.cancel()
            await soon_cancelled_again(call)
            server.release("RCPT")
            assert (await told_at_the_end(call)).result == "sent to bert@example.org"
        assert [received.rcpt_tos for received in server.messages] == [("bert@example.org",)]


async def test_wait_tells_what_the_call_raised() -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            send = as_an_object(Sending(server.port), executor=executor, on_cancel="wait")
            call = asyncio.ensure_future(send("bert@example.org"))
            await server.held("RCPT")
            call.cancel()
            server.hang_up()
            known = await told_at_the_end(call)
    assert known.returned
    assert type(known.error).__name__ == "SMTPServerDisconnected"


# Running, "abandon".


@each_bridge
async def test_abandon_tells_the_awaiter_at_once_and_the_slot_stays_taken(bridged: Bridged) -> None:
    configure(cancel_grace=60)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(bridged(target, executor=executor, on_cancel="abandon")("bert@example.org"))
            await is_set(target.begun)
            known = await cancelled(call)
            stats = executor.stats()
            assert (stats.running, stats.abandoned) == (1, 1)
        await idle(executor)
        assert executor.stats().done == 1
    assert (known.began, known.phase, known.returned) == (True, None, False)
    assert target.ended == ["bert@example.org"]


@each_bridge
async def test_abandon_lets_the_message_be_delivered(bridged: Bridged) -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(
                bridged(Sending(server.port), executor=executor, on_cancel="abandon")("bert@example.org")
            )
            await server.held("RCPT")
            await cancelled(call)
            server.release("RCPT")
        assert [received.rcpt_tos for received in server.messages] == [("bert@example.org",)]


@each_serial_bridge
async def test_after_abandon_the_object_is_busy_until_the_thread_returns(bridged: Bridged) -> None:
    target = Waiting()
    async with BoundedExecutor(2) as executor:
        send = bridged(target, executor=executor, on_cancel="abandon")
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(send("bert@example.org"))
            await is_set(target.begun)
            await cancelled(call)
            following = asyncio.ensure_future(send("cleo@example.org"))
            await until(lambda: executor.stats().pending == 1)
            assert target.began == ["bert@example.org"]
        assert await following == "sent to cleo@example.org"


@pytest.mark.parametrize("on_cancel", ["wait", "abandon"])
async def test_the_observer_is_told_of_no_abort_where_there_is_none(on_cancel: str) -> None:
    observer, target = Observer(), Waiting()
    async with BoundedExecutor(1, observer=observer) as executor:
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(
                as_an_object(target, executor=executor, on_cancel=on_cancel)("bert@example.org")
            )
            await is_set(target.begun)
            call.cancel()
            await until(lambda: "abandoned" in observer.events)
        await told_at_the_end(call)
    assert observer.events == ["started", "abandoned", "ended"]
