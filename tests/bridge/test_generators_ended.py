"""What a generator has begun is ended, in a worker, once, however it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import smtplib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, ExecutorFull, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import Gate, busy, soon, until

from .conftest import Kind
from .watched import Newsletter


class TestStoppedEarly:
    async def test_by_a_break(self) -> None:
        letter = Newsletter()
        async for _ in letter.bridged()():
            break
        await letter.is_over_once()

    async def test_by_aclose(self) -> None:
        letter = Newsletter()
        iterator = letter.bridged()()
        assert await iterator.__anext__() == 0
        await iterator.aclose()
        assert letter.over.is_set()
        await letter.is_over_once()
        assert letter.seen == [GeneratorExit]

    async def test_by_an_exception_in_its_consumer(self) -> None:
        letter = Newsletter()
        with pytest.raises(ZeroDivisionError):
            async for number in letter.bridged()():
                _ = 1 // number
        await letter.is_over_once()

    async def test_by_a_cancellation_between_two_steps(self) -> None:
        letter, between = Newsletter(), asyncio.Event()

        async def consume() -> None:
            async for _ in letter.bridged()():
                between.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(consume())
        await between.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        del task
        gc.collect()
        await letter.is_over_once()

    @pytest.mark.usefixtures("short_grace")
    async def test_by_a_cancellation_during_a_step(self, kind: Kind) -> None:
        letter = Newsletter(kind(2))
        got: list[int] = []

        async def consume() -> None:
            async for number in letter.bridged()():
                got.append(number)  # noqa: PERF401

        with letter.gate:
            task = asyncio.ensure_future(consume())
            await letter.gate.has_entered()
            task.cancel()
            await soon(asyncio.wait([task]))
            assert task.cancelled()
            assert letter.ended == []  # the step cannot be interrupted; the end comes after it
        await letter.is_over_once()
        assert letter.seen == [GeneratorExit]
        assert got == [0]

    async def test_by_a_cancellation_of_a_step_that_is_blocked_in_smtp(self) -> None:
        seen: list[type[BaseException]] = []
        over = threading.Event()

        def newsletter(port: int) -> Iterator[str]:
            session = smtplib.SMTP("localhost", port, timeout=60)
            try:
                for to in ("a@example.org", "b@example.org", "c@example.org"):
                    with contextlib.suppress(smtplib.SMTPException):
                        session.sendmail("anna@example.org", to, "x")
                    yield to
            except BaseException as error:
                seen.append(type(error))
                raise
            finally:
                session.close()
                over.set()

        async def consume(port: int) -> None:
            async for to in bridge(newsletter)(port):
                sent.append(to)  # noqa: PERF401

        sent: list[str] = []
        with SMTPTestServer(faults=[silence("MAIL", nth=2)]) as server:
            task = asyncio.ensure_future(consume(server.port))
            await server.reached("MAIL", 2)
            task.cancel()
            await soon(asyncio.wait([task]))
            assert task.cancelled()
            assert over.is_set()
            assert [received.rcpt_tos for received in server.messages] == [("a@example.org",)]
        assert sent == ["a@example.org"]
        assert seen == [GeneratorExit]  # the step swallowed its error, and yielded to nobody

    async def test_by_a_cancellation_while_a_step_waits_for_its_turn(self) -> None:
        letter = Newsletter()
        letter.gate.open()

        class Busy:
            def __init__(self) -> None:
                self.gate = Gate()

            addresses = letter.addresses.__func__  # type: ignore[attr-defined]
            ended, over, seen = letter.ended, letter.over, letter.seen

            def block(self) -> None:
                self.gate()

        target = Busy()
        proxy: Any = bridge(target)
        iterator = proxy.addresses()
        with target.gate:
            assert await iterator.__anext__() == 0
            blocker = asyncio.ensure_future(proxy.block())
            await target.gate.has_entered()
            step = asyncio.ensure_future(iterator.__anext__())
            await asyncio.sleep(0)
            step.cancel()
            target.gate.open()
            await asyncio.wait([step])
            await blocker
        assert step.cancelled()
        await letter.is_over_once()
        assert letter.seen == [GeneratorExit]

    def test_by_the_end_of_the_loop(self) -> None:
        letter = Newsletter(BoundedExecutor(1))
        kept: list[Any] = []

        async def main() -> None:
            kept.append(letter.bridged()())
            await kept[0].__anext__()

        asyncio.run(main())
        assert letter.over.is_set()
        assert letter.ended != [threading.current_thread().name]

    async def test_by_an_executor_that_is_full(self) -> None:
        executor = BoundedExecutor(1, max_pending=0)
        letter = Newsletter(executor)
        iterator = letter.bridged()()
        assert await iterator.__anext__() == 0
        async with busy(executor) as gate:
            step = asyncio.ensure_future(iterator.__anext__())
            await until(lambda: executor.stats().pending)  # closing is not refused
            gate.open()
            with pytest.raises(ExecutorFull):
                await step
        await letter.is_over_once()
        await executor.aclose()

    async def test_by_an_executor_that_is_full_from_the_beginning_at_once(self) -> None:
        executor = BoundedExecutor(1, max_pending=0)
        letter = Newsletter(executor)
        async with busy(executor) as gate:
            with pytest.raises(ExecutorFull):
                # There is nothing to be ended, so nothing to wait for.
                await asyncio.wait_for(letter.bridged()().__anext__(), 1)
            gate.open()
        assert letter.ended == []

    @pytest.mark.usefixtures("endless_grace")
    async def test_by_a_cancellation_before_the_first_step_at_once(self) -> None:
        executor = BoundedExecutor(1)
        letter = Newsletter(executor)
        async with busy(executor) as gate:
            step = asyncio.ensure_future(letter.bridged()().__anext__())
            await until(lambda: executor.stats().pending)
            step.cancel()
            done, _ = await asyncio.wait([step], timeout=1)
            gate.open()
            assert done
        assert letter.ended == []

    async def test_when_its_end_fails_the_consumer_is_told(self) -> None:
        def fails_at_the_end() -> Iterator[int]:
            try:
                yield 1
            finally:
                raise OSError("no QUIT")

        iterator = bridge(fails_at_the_end)()
        await iterator.__anext__()
        with pytest.raises(OSError, match="no QUIT"):
            await iterator.aclose()
