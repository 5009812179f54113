"""What was entered is left, in a worker, once, whatever happens."""

from __future__ import annotations

import asyncio
import smtplib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, ExecutorFull, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import busy, cancelled, settled, soon, until

from .conftest import Kind
from .watched import Session


class TestCancelled:
    async def test_in_the_body_it_is_left_with_the_cancellation(self) -> None:
        session, inside = Session().open(), asyncio.Event()

        async def use() -> None:
            async with bridge(session):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(use())
        await inside.wait()
        await cancelled(task)
        assert session.left == [asyncio.CancelledError]

    @pytest.mark.parametrize("way", ["object", "function"])
    async def test_an_old_exit_that_answers_true_does_not_swallow_it(self, way: str) -> None:
        session, inside = Session(answer=True).open(), asyncio.Event()

        async def use() -> None:
            proxy = bridge(session)
            async with proxy if way == "object" else proxy.transaction():
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(use())
        await inside.wait()
        await cancelled(task)
        assert session.left == [asyncio.CancelledError]

    async def test_an_exit_that_raises_does_not_replace_it(self) -> None:
        class Failing(Session):
            def __exit__(self, *error: object) -> bool | None:
                raise OSError("no QUIT")

        inside = asyncio.Event()

        async def use() -> None:
            async with bridge(Failing().open()):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(use())
        await inside.wait()
        await cancelled(task)

    @pytest.mark.usefixtures("short_grace")
    @pytest.mark.parametrize("way", ["object", "function"])
    async def test_on_entering_it_is_left_by_the_worker(self, kind: Kind, way: str) -> None:
        session, executor = Session().open(entering=False), kind(1)

        async def use() -> None:
            proxy = bridge(session, executor=executor)
            async with proxy if way == "object" else proxy.transaction():
                raise AssertionError

        with session.entering as gate:
            task = asyncio.ensure_future(use())
            await gate.has_entered()
            await cancelled(task)
            assert session.left == []
        await settled(executor)
        assert session.left == [asyncio.CancelledError]
        assert threading.current_thread().name not in session.threads

    async def test_before_entering_nothing_is_entered(self) -> None:
        session = Session().open()
        with session.working as gate:
            work = asyncio.ensure_future(bridge(session).work())
            await gate.has_entered()
            task = asyncio.ensure_future(bridge(session).__aenter__())
            await asyncio.sleep(0)
            await cancelled(task)
            gate.open()
            await work
        assert session.threads == []

    async def test_while_leaving_waits_for_its_turn_it_is_left_nevertheless(self, kind: Kind) -> None:
        session, executor, leaving = Session().open(), kind(2), asyncio.Event()

        async def use() -> None:
            async with bridge(session, executor=executor):
                work.append(asyncio.ensure_future(bridge(session, executor=executor).work()))
                await gate.has_entered()
                leaving.set()

        work: list[asyncio.Future[Any]] = []
        with session.working as gate:
            task = asyncio.ensure_future(use())
            await leaving.wait()
            await until(lambda: executor.stats().pending)
            await cancelled(task)
            assert session.left == []
            gate.open()
            await work[0]
        await until(lambda: session.left)
        await settled(executor)
        assert session.left == [None]

    @pytest.mark.usefixtures("short_grace")
    async def test_while_leaving_it_is_left_once(self) -> None:
        session, executor = Session().open(leaving=False), BoundedExecutor(2)

        async def use() -> None:
            async with bridge(session, executor=executor):
                pass

        with session.leaving as gate:
            task = asyncio.ensure_future(use())
            await gate.has_entered()
            await cancelled(task)
        await settled(executor)
        assert session.left == [None]

    @pytest.mark.usefixtures("short_grace")
    async def test_behind_a_stuck_call_the_caller_is_free_after_one_grace(self, kind: Kind) -> None:
        session, executor = Session().open(), kind(2)

        async def use() -> None:
            async with bridge(session, executor=executor) as proxy:
                await proxy.work()

        with session.working as gate:
            task = asyncio.ensure_future(use())
            await gate.has_entered()
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(task, 0.01)
            assert time.monotonic() - begun < 1
            assert session.left == []
        await until(lambda: session.left)
        await settled(executor)
        assert session.left == [asyncio.CancelledError]

    @pytest.mark.usefixtures("short_grace")
    async def test_behind_somebody_elses_call_the_caller_is_free_after_one_grace(self) -> None:
        session, executor, inside = Session().open(), BoundedExecutor(2), asyncio.Event()

        async def use() -> None:
            async with bridge(session, executor=executor):
                inside.set()
                await asyncio.Event().wait()

        with session.working as gate:
            task = asyncio.ensure_future(use())
            await inside.wait()
            work = asyncio.ensure_future(bridge(session, executor=executor).work())
            await gate.has_entered()
            await soon(cancelled(task))
            assert session.left == []
            gate.open()
            await work
        await until(lambda: session.left)
        await settled(executor)
        assert session.left == [asyncio.CancelledError]

    async def test_while_a_session_is_opened_against_a_silent_server_it_is_ended(self) -> None:
        @contextmanager
        def session(port: int) -> Iterator[smtplib.SMTP]:
            with smtplib.SMTP("localhost", port, timeout=60) as smtp:
                yield smtp

        async def use(port: int) -> None:
            async with bridge(session, executor=executor)(port):
                raise AssertionError

        executor = BoundedExecutor(1)
        with SMTPTestServer(faults=[silence("greeting")]) as server:
            task = asyncio.ensure_future(use(server.port))
            await server.reached("greeting")
            await soon(cancelled(task))
            await settled(executor)


class TestFull:
    async def test_entering_is_refused_and_leaving_is_not(self) -> None:
        executor, session = BoundedExecutor(1, max_pending=0), Session().open()
        proxy = bridge(session, executor=executor)
        async with busy(executor):
            with pytest.raises(ExecutorFull):
                await proxy.__aenter__()
        await settled(executor)
        await proxy.__aenter__()
        await settled(executor)
        async with busy(executor) as gate:
            leaving = asyncio.ensure_future(proxy.__aexit__(None, None, None))
            await until(lambda: executor.stats().pending)
            gate.open()
            await leaving
        assert session.left == [None]

    async def test_what_was_entered_for_nobody_is_left_when_it_is_full(self) -> None:
        executor, session = BoundedExecutor(1, max_pending=0), Session().open(entering=False)
        with session.entering as gate:
            task = asyncio.ensure_future(bridge(session, executor=executor, on_cancel="abandon").__aenter__())
            await gate.has_entered()
            await cancelled(task)
            with pytest.raises(ExecutorFull):
                await executor.run(int)
        await settled(executor)
        assert session.left == [asyncio.CancelledError]
