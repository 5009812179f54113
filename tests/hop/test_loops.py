"""Many event loops on one executor, and loops that close under their calls."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator

import pytest

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.job import call_on_loop

from .conftest import Kind
from .gate import Gate, busy, in_thread, new_job, run_job, settled, soon, until, wait_until


async def test_event_loops_in_many_threads_share_one_executor_and_its_bound(kind: Kind) -> None:
    executor = kind(2)
    running, peak, lock = [0], [0], threading.Lock()
    results: list[int] = []

    def func(number: int) -> int:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        with lock:
            running[0] -= 1
        return number

    async def caller(first: int) -> None:
        results.extend(await asyncio.gather(*(executor.run(func, first + number) for number in range(50))))

    with contextlib.ExitStack() as stack:
        for number in range(6):
            stack.enter_context(in_thread(lambda number=number: asyncio.run(caller(number * 50))))
    assert sorted(results) == list(range(300))
    assert peak[0] <= 2
    assert executor.stats().done == 300


async def test_result_goes_to_the_loop_that_called(kind: Kind) -> None:
    executor = kind(1)

    async def caller() -> None:
        own = threading.get_ident()
        for _ in range(20):
            await executor.run(int)
            assert threading.get_ident() == own

    with in_thread(lambda: asyncio.run(caller())), in_thread(lambda: asyncio.run(caller())):
        await caller()


async def test_slot_that_one_loop_gives_back_goes_to_a_call_of_another(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        with in_thread(lambda: asyncio.run(executor.run(int))):
            await until(lambda: executor.stats().pending == 1)
            slots = slots_of(executor)
            assert slots.stats().running == 1
            following = asyncio.create_task(executor.run(lambda: 2))
            await asyncio.sleep(0)
            assert executor.stats().pending == 2
            # The gate opens at the end of `busy`, which the thread is waiting for.
            await _open(executor)
    assert await following == 2


async def _open(executor: BoundedExecutor) -> None:
    for job in list(slots_of(executor)._running.values()):
        job._func.open()


async def test_one_loop_after_another_uses_the_same_executor(kind: Kind) -> None:
    executor = kind(2)
    with in_thread(lambda: [asyncio.run(executor.run(int)) for _ in range(20)]):
        pass
    assert executor.stats().done == 20
    assert await executor.run(int) == 0


@contextlib.contextmanager
def abandoned_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is stopped, and closed at the end, with everything that waits on it left where it is."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    # Tasks that are thrown away pending say so; here that is the point.
    try:
        yield loop
    finally:
        if not loop.is_closed():
            loop.close()


def forget(task: "asyncio.Task[object]") -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_loop_that_closed_under_a_running_call_costs_no_worker(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        with abandoned_loop() as loop:
            task = loop.create_task(executor.run(gate))
            loop.run_until_complete(gate.has_entered())
            forget(task)
        gate.open()
        wait_until(lambda: not executor.stats().running)
    assert asyncio.run(soon(executor.run(lambda: 1))) == 1
    assert executor.stats().done == 2


def test_loop_that_closed_under_a_running_call_costs_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    executor = BoundedExecutor(1)
    with Gate() as gate:
        with abandoned_loop() as loop:
            task = loop.create_task(executor.run(gate))
            loop.run_until_complete(gate.has_entered())
            forget(task)
        gate.open()
        asyncio.run(soon(executor.aclose()))
    assert [record.getMessage() for record in caplog.records] == [
        "the event loop was closed before the result of Gate came in: it is lost"
    ]


def test_result_for_a_loop_that_closed_is_disposed_of() -> None:
    executor, discarded = BoundedExecutor(1), []

    async def call() -> None:
        await run_job(executor, new_job(gate, "result", discard=discarded.append))

    with Gate() as gate:
        with abandoned_loop() as loop:
            task = loop.create_task(call())
            loop.run_until_complete(gate.has_entered())
            forget(task)
        gate.open()
        asyncio.run(soon(executor.aclose()))
    assert discarded == ["result"]


def test_failure_for_a_loop_that_closed_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    executor = BoundedExecutor(1)

    def func() -> None:
        gate()
        raise OSError("nobody hears it")

    with caplog.at_level(logging.DEBUG, "asyncsmtp_bridge"), Gate() as gate:
        with abandoned_loop() as loop:
            task = loop.create_task(executor.run(func))
            loop.run_until_complete(gate.has_entered())
            forget(task)
        gate.open()
        asyncio.run(soon(executor.aclose()))
    assert "nobody hears it" in caplog.text


def test_slots_go_to_others_when_a_loop_was_closed_with_calls_in_the_queue(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        with abandoned_loop() as loop:
            tasks = [loop.create_task(executor.run(gate)) for _ in range(5)]
            loop.run_until_complete(gate.has_entered())
            for task in tasks:
                forget(task)
        gate.open()
        assert asyncio.run(soon(executor.run(lambda: 1))) == 1
        asyncio.run(soon(executor.aclose()))


def test_slots_go_to_others_when_a_loop_was_closed_with_a_very_long_queue() -> None:
    executor = BoundedExecutor.shared(1)
    with Gate() as gate:
        with abandoned_loop() as loop:
            tasks = [loop.create_task(executor.run(gate)) for _ in range(3000)]
            loop.run_until_complete(gate.has_entered())
            for task in tasks:
                forget(task)
        gate.open()
        assert asyncio.run(soon(executor.run(lambda: 1))) == 1
    assert executor.stats().cancelled == 2999


def test_slot_kept_for_a_stopped_loop_goes_to_others_when_another_loop_follows_it() -> None:
    executor = BoundedExecutor.shared(1)
    with Gate() as gate, abandoned_loop() as stopped:
        with in_thread(lambda: asyncio.run(executor.run(gate))):
            gate.wait(lambda: len(gate.entered) == 1)
            task = stopped.create_task(executor.run(int))
            stopped.run_until_complete(asyncio.sleep(0))
            assert executor.stats().pending == 1
            gate.open()
        # The slot was handed to the stopped loop, which will never hear of it.
        forget(task)
        stopped.close()
        assert asyncio.run(soon(executor.run(lambda: 1))) == 1


def test_stopped_loop_that_runs_again_finds_its_results(kind: Kind) -> None:
    executor = kind(2)
    loop = asyncio.new_event_loop()
    with Gate() as gate:
        tasks = [loop.create_task(executor.run(gate, number)) for number in range(4)]
        loop.run_until_complete(gate.has_entered(2))
        gate.open()
        assert loop.run_until_complete(asyncio.gather(*tasks)) == [0, 1, 2, 3]
        loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


async def test_cancelled_loop_leaves_nothing_behind(kind: Kind) -> None:
    executor = kind(2)

    async def caller() -> None:
        calls = asyncio.gather(*(executor.run(gate) for _ in range(10)))
        await gate.has_entered(2)
        await asyncio.wait_for(calls, 0)

    with Gate() as gate:

        def use() -> None:
            with pytest.raises(asyncio.TimeoutError):
                asyncio.run(caller())

        with in_thread(use):
            await gate.has_entered(2)
            await until(lambda: executor.stats().abandoned == 2)
            gate.open()
    await settled(executor)
    stats = executor.stats()
    assert (stats.done, stats.cancelled) == (2, 8)


async def test_new_event_loop_on_the_same_thread_gets_its_own_results(kind: Kind) -> None:
    executor = kind(1)

    def use() -> list[int]:
        loops = [asyncio.new_event_loop() for _ in range(2)]
        try:
            return [loop.run_until_complete(executor.run(lambda: 1)) for loop in (*loops, *loops)]
        finally:
            for loop in loops:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

    assert await asyncio.to_thread(use) == [1, 1, 1, 1]


def test_nothing_is_called_on_a_loop_that_is_no_more() -> None:
    called: list[int] = []
    loop = asyncio.new_event_loop()
    loop.close()
    assert not call_on_loop(loop, called.append, 1)
    assert not call_on_loop(None, called.append, 1)
    assert called == []


def test_loop_that_refuses_though_it_is_not_closed_is_an_error() -> None:
    class Refusing(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *args: object, **kwargs: object) -> asyncio.Handle:  # type: ignore[override]
            raise RuntimeError("Non-thread-safe operation")

    loop = Refusing()
    try:
        with pytest.raises(RuntimeError, match="Non-thread-safe"):
            call_on_loop(loop, int)
    finally:
        loop.close()
