"""What cancels in practice: deadlines, groups of tasks, scopes of other libraries."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

import anyio
import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence

from .targets import SENDER, Sending, Waiting, as_an_object, each_bridge
from .told import PATIENCE, idle, opened_at_the_end, told

from_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has it from Python 3.11 on")


def recipients(server: SMTPTestServer) -> set[str]:
    return {to for received in server.messages for to in received.rcpt_tos}


@each_bridge
async def test_the_timeout_of_wait_for_tells_of_the_call(bridged: Any) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(bridged(Sending(server.port), executor=executor)("bert@example.org"))
            await server.reached("RCPT")
            with pytest.raises(asyncio.TimeoutError) as raised:
                await asyncio.wait_for(call, 0.01)
            assert executor.stats().running == 0
        known = told(raised.value)
        assert known.began
        assert known.result is None


async def test_a_deadline_within_a_deadline_ends_only_what_is_its_own() -> None:
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        send = as_an_object(Sending(server.port))

        async def both() -> str:
            first = asyncio.ensure_future(send("bert@example.org"))
            await server.reached("RCPT")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(first, 0.01)
            sent: str = await send("cleo@example.org")
            return sent

        assert await asyncio.wait_for(both(), 20) == "sent to cleo@example.org"
        assert recipients(server) == {"cleo@example.org"}


async def test_an_outer_deadline_goes_through_an_inner_one() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        call = asyncio.ensure_future(as_an_object(Sending(server.port))("bert@example.org"))
        await server.reached("RCPT")
        with pytest.raises(asyncio.TimeoutError) as raised:
            await asyncio.wait_for(asyncio.wait_for(call, 60), 0.01)
        assert recipients(server) == set()
    if sys.version_info >= (3, 12):  # before, a wait_for that is cancelled raises its own CancelledError
        assert told(raised.value).began


@from_311
async def test_the_timeout_of_asyncio_timeout_tells_of_the_call() -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        smtp = await AsyncSMTP("localhost", server.port)
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(None) as deadline:  # type: ignore[attr-defined]
                call = asyncio.ensure_future(smtp.sendmail(SENDER, "bert@example.org", "x\n"))
                await server.reached("RCPT")
                deadline.reschedule(0)
                await call
        known = told(raised.value)
        assert (known.phase, known.returned) == (Phase.ENVELOPE, True)


@from_311
@pytest.mark.parametrize("on_cancel", ["abort", "wait", "abandon"])
async def test_nested_timeouts_each_see_their_own(on_cancel: Any) -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            send = as_an_object(Sending(server.port), executor=executor, on_cancel=on_cancel)
            async with asyncio.timeout(60) as outer:  # type: ignore[attr-defined]
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(None) as inner:  # type: ignore[attr-defined]
                        asyncio.get_running_loop().call_soon(ends_at_once, inner, server)
                        await send("bert@example.org")
                assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
            assert not outer.expired()
            await idle(executor)


def ends_at_once(deadline: Any, server: SMTPTestServer) -> None:
    server.held("RCPT").wait()
    deadline.reschedule(0)
    asyncio.get_running_loop().call_later(0.05, let_go, server)


def let_go(server: SMTPTestServer) -> None:
    with suppress(RuntimeError):  # aborted, it is held no more
        server.release("RCPT")


@from_311
async def test_a_task_group_whose_one_task_fails_aborts_the_others() -> None:
    configure(cancel_grace=60)
    told_of: list[Any] = []
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(4) as executor:

            async def send(to: str) -> None:
                try:
                    await as_an_object(Sending(server.port), executor=executor)(to)
                except asyncio.CancelledError as error:
                    told_of.append(told(error))
                    raise

            async def fail() -> None:
                await server.reached("RCPT", 3)
                raise ValueError("one of them")

            with pytest.raises(BaseExceptionGroup) as raised:  # type: ignore[name-defined] # noqa: F821
                async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
                    for name in ("bert", "cleo", "dora"):
                        group.create_task(send(f"{name}@example.org"))
                    group.create_task(fail())
            assert [type(error) for error in raised.value.exceptions] == [ValueError]
            assert executor.stats().running == 0
        assert [known.phase for known in told_of] == [Phase.ENVELOPE] * 3
        assert server.messages == []


async def test_a_gather_that_is_cancelled_aborts_its_calls() -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(4) as executor:
            calls = [
                asyncio.ensure_future(as_an_object(Sending(server.port), executor=executor)(f"{name}@example.org"))
                for name in ("bert", "cleo", "dora")
            ]
            together = asyncio.gather(*calls)
            await server.reached("RCPT", 3)
            together.cancel()
            with pytest.raises(asyncio.CancelledError):
                await together
            await asyncio.wait(calls)
            for call in calls:
                assert call.cancelled()
            assert executor.stats().running == 0
        assert server.messages == []


async def test_a_call_behind_a_shield_goes_on() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        call = asyncio.ensure_future(as_an_object(Sending(server.port))("bert@example.org"))
        outer = asyncio.ensure_future(asyncio.wait_for(asyncio.shield(call), 60))
        await server.held("RCPT")
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        server.release("RCPT")
        assert await call == "sent to bert@example.org"
        assert recipients(server) == {"bert@example.org"}


# anyio cancels again and again, and so ends the wait for the thread at once.


@each_bridge
async def test_a_scope_of_anyio_frees_its_caller_and_nothing_is_delivered(bridged: Any) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        async with BoundedExecutor(1) as executor:
            with anyio.CancelScope() as scope:
                call = bridged(Sending(server.port), executor=executor)("bert@example.org")
                asyncio.get_running_loop().call_soon(cancel_once_held, scope, server)
                await call
            assert scope.cancelled_caught
            await idle(executor)
            assert server.messages == []
        await server.connected(0)


def cancel_once_held(scope: anyio.CancelScope, server: SMTPTestServer) -> None:
    server.held("RCPT").wait()
    scope.cancel()


async def test_a_scope_of_anyio_does_not_wait_for_a_thread_that_cannot_be_interrupted() -> None:
    configure(cancel_grace=60)
    with SMTPTestServer() as server:
        target = Waiting(server.port)
        async with BoundedExecutor(1) as executor:
            with opened_at_the_end(target.go):
                with anyio.CancelScope() as scope:
                    asyncio.get_running_loop().call_soon(cancel_once_begun, scope, target)
                    await as_an_object(target, executor=executor)("bert@example.org")
                assert scope.cancelled_caught
                assert executor.stats().running == 1
            await idle(executor)
        assert server.connections_total == 0


def cancel_once_begun(scope: anyio.CancelScope, target: Waiting) -> None:
    assert target.begun.wait(PATIENCE)
    scope.cancel()


async def test_a_call_is_freed_when_anyio_moves_on_after_some_time() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(1) as executor:
            with anyio.move_on_after(0.05) as scope:
                await as_an_object(Sending(server.port), executor=executor)("bert@example.org")
            assert scope.cancelled_caught
            await idle(executor)
        assert server.messages == []


async def test_a_deadline_of_anyio_tells_of_the_call() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        with pytest.raises(TimeoutError) as raised:
            with anyio.fail_after(60) as scope:
                asyncio.get_running_loop().call_soon(expire_once_held, scope, server)
                await as_an_object(Sending(server.port))("bert@example.org")
        assert told(raised.value).began


def expire_once_held(scope: anyio.CancelScope, server: SMTPTestServer) -> None:
    server.held("RCPT").wait()
    scope.deadline = asyncio.get_running_loop().time()  # the clock of anyio, on asyncio


async def test_a_call_that_anyio_shields_goes_on() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        with anyio.CancelScope() as outer:
            with anyio.CancelScope(shield=True):
                call = asyncio.ensure_future(as_an_object(Sending(server.port))("bert@example.org"))
                await server.held("RCPT")
                outer.cancel()
                server.release("RCPT")
                assert await call == "sent to bert@example.org"
        assert recipients(server) == {"bert@example.org"}


async def test_with_wait_a_scope_of_anyio_waits_for_the_end() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        send = bridge(Sending(server.port), on_cancel="wait").send
        with anyio.CancelScope() as scope:
            loop = asyncio.get_running_loop()
            loop.call_soon(cancel_once_held, scope, server)
            loop.call_later(0.02, server.release, "RCPT")
            await send("bert@example.org")
        assert scope.cancelled_caught
        assert recipients(server) == {"bert@example.org"}


async def test_a_task_group_of_anyio_aborts_the_others() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        async with BoundedExecutor(4) as executor:
            async with anyio.create_task_group() as group:
                for name in ("bert", "cleo"):
                    group.start_soon(as_an_object(Sending(server.port), executor=executor), f"{name}@example.org")
                await server.reached("RCPT", 2)
                group.cancel_scope.cancel()
            await idle(executor)
        assert server.messages == []
