"""The bound holds; a slot is given back by the thread; cancelling, order, and a full executor."""

import asyncio
import contextlib
import gc
import threading
import weakref

import pytest

from asyncsmtp_bridge import ExecutorFull

from .conftest import Kind
from .gate import Gate, busy, cancelled, settled, soon, until


async def test_never_more_than_size_at_once(kind: Kind) -> None:
    executor = kind(3)
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate)) for _ in range(30)]
        await gate.has_entered(3)
        for count in range(4, 31):
            gate.let_through()
            await gate.has_entered(count)
        gate.open()
        await asyncio.gather(*tasks)
    assert gate.peak == 3
    assert executor.stats().peak == 3


async def test_all_slots_are_used_at_once(kind: Kind) -> None:
    executor, barrier = kind(4), threading.Barrier(4)
    await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(4)))


async def test_all_slots_are_used_at_once_though_few_threads_are_warm(kind: Kind) -> None:
    # A burst meets two idle threads: they take one call each, and the rest must not wait for them.
    executor, two, eight = kind(4), threading.Barrier(2), threading.Barrier(4)
    await asyncio.gather(*(executor.run(two.wait, 10) for _ in range(2)))
    await settled(executor)
    if hasattr(executor._slots, "_idle"):
        await until(lambda: executor._slots._idle == 2)  # type: ignore[attr-defined]
    await asyncio.gather(*(executor.run(eight.wait, 10) for _ in range(4)))


async def test_bound_holds_when_running_calls_are_cancelled(kind: Kind) -> None:
    executor = kind(2)
    with Gate() as gate:
        for number in range(20):
            task = asyncio.create_task(executor.run(gate))
            if number < 2:
                await gate.has_entered(number + 1)
            else:
                await asyncio.sleep(0)
            await cancelled(task)
        assert len(gate.entered) == 2
        assert executor.stats().running == executor.stats().abandoned == 2
        gate.open()
        await settled(executor)
    assert gate.peak == 2
    assert executor.stats().cancelled == 18


async def test_bound_holds_when_waiting_calls_start_and_are_cancelled_in_turn(kind: Kind) -> None:
    executor = kind(2)
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate)) for _ in range(20)]
        for number in range(0, 20, 2):
            await gate.has_entered(number + 2)
            # These two run: their awaiters leave first, their threads after that.
            await asyncio.gather(*(cancelled(task) for task in tasks[number : number + 2]))
            gate.let_through(2)
        await settled(executor)
    assert gate.peak == 2
    assert len(gate.left) == 20


async def test_bound_holds_under_timeouts(kind: Kind) -> None:
    executor = kind(2)
    with Gate() as gate:

        async def impatient() -> None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(executor.run(gate), 0.02)

        await asyncio.gather(*(impatient() for _ in range(20)))
        assert gate.peak <= 2
        assert executor.stats().running <= 2
    await settled(executor)
    assert gate.peak <= 2


async def test_awaiter_of_a_running_call_is_freed_at_once(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await soon(cancelled(task))
        assert gate.inside == 1
    await settled(executor)


async def test_slot_is_given_back_when_the_thread_returns_and_not_before(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await cancelled(task)
        following = asyncio.create_task(executor.run(lambda: list(gate.left)))
        await asyncio.sleep(0.01)
        assert executor.stats().pending == 1
        gate.open()
        assert await following == [None]


async def test_call_that_is_cancelled_before_it_starts_never_runs(kind: Kind) -> None:
    executor, ran = kind(1), []
    async with busy(executor):
        task = asyncio.create_task(executor.run(ran.append, 1))
        await asyncio.sleep(0)
        await cancelled(task)
        assert executor.stats().pending == 0
    await executor.run(int)
    assert ran == []


async def test_call_that_is_cancelled_at_once_never_runs_and_costs_no_slot(kind: Kind) -> None:
    executor = kind(1)
    ran: list[int] = []
    async with busy(executor):
        tasks = [asyncio.create_task(executor.run(ran.append, number)) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)  # the tasks learn of it
    await asyncio.wait(tasks)
    assert ran == list(range(1, 50, 2))


async def test_task_that_is_cancelled_before_its_first_step_admits_nothing(kind: Kind) -> None:
    executor = kind(1)
    await cancelled(asyncio.create_task(executor.run(int)))
    assert executor.stats().cancelled == executor.stats().done == 0


async def test_withdrawn_call_lets_go_of_its_arguments_at_once(kind: Kind) -> None:
    class Large:
        pass

    executor = kind(1)
    collected = threading.Event()
    async with busy(executor):
        large = Large()
        weakref.finalize(large, collected.set)
        task = asyncio.create_task(executor.run(id, large))
        del large
        await asyncio.sleep(0)
        await cancelled(task)
        del task
        gc.collect()
        assert collected.is_set()


async def test_calls_start_in_the_order_in_which_they_were_made(kind: Kind) -> None:
    executor, order = kind(1), []
    async with busy(executor):
        tasks = [asyncio.create_task(executor.run(order.append, number)) for number in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == list(range(100))


async def test_order_survives_cancelled_calls_in_between(kind: Kind) -> None:
    executor, order = kind(1), []
    async with busy(executor):
        tasks = [asyncio.create_task(executor.run(order.append, number)) for number in range(30)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            await cancelled(task)
    await asyncio.wait(tasks)
    assert order == [number for number in range(30) if number % 3]


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_one_call_more_than_max_pending_is_refused(kind: Kind, limit: int) -> None:
    executor = kind(2, max_pending=limit, name="mail")
    async with busy(executor, 2):
        tasks = [asyncio.create_task(executor.run(int)) for _ in range(limit)]
        await asyncio.sleep(0)
        with pytest.raises(ExecutorFull, match=rf"'mail' is full: of 2 slots 2 are taken and {limit} calls wait"):
            await executor.run(pow, 1, 2)
        assert executor.stats().pending == limit
    await asyncio.gather(*tasks)


async def test_executor_full_is_a_runtime_error_that_names_the_function_and_no_argument(kind: Kind) -> None:
    executor = kind(1, max_pending=0)
    async with busy(executor):
        with pytest.raises(RuntimeError, match="pow was not called") as caught:
            await executor.run(pow, 123456, 2)
    assert "123456" not in str(caught.value)


async def test_with_max_pending_0_every_slot_can_be_had_in_a_burst(kind: Kind) -> None:
    executor, barrier = kind(4, max_pending=0), threading.Barrier(4)
    await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(4)))


async def test_refused_call_counts_nowhere(kind: Kind) -> None:
    executor = kind(1, max_pending=0)
    async with busy(executor):
        before = executor.stats()
        with pytest.raises(ExecutorFull):
            await executor.run(int)
        assert executor.stats() == before


async def test_cancelled_waiting_call_frees_its_place(kind: Kind) -> None:
    executor = kind(1, max_pending=1)
    async with busy(executor):
        first = asyncio.create_task(executor.run(int))
        await asyncio.sleep(0)
        await cancelled(first)
        second = asyncio.create_task(executor.run(lambda: 2))
        await asyncio.sleep(0)
        assert executor.stats().pending == 1
    assert await second == 2


async def test_cancelled_running_call_does_not_free_its_place(kind: Kind) -> None:
    executor = kind(1, max_pending=0)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await cancelled(task)
        with pytest.raises(ExecutorFull):
            await executor.run(int)
    await settled(executor)
    assert await executor.run(int) == 0


async def test_no_limit_without_max_pending(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        tasks = [asyncio.create_task(executor.run(int)) for _ in range(2000)]
        await asyncio.sleep(0)
        assert executor.stats().pending == 2000
    await asyncio.gather(*tasks)


async def test_closed_coroutine_of_a_waiting_call_withdraws_it(kind: Kind) -> None:
    # What becomes of awaiters whose event loop was closed without cancelling them.
    executor, ran = kind(1), []
    async with busy(executor):
        call = executor.run(ran.append, 1)
        call.send(None)
        call.close()
        await until(lambda: executor.stats().pending == 0)
    await executor.run(int)
    assert ran == []


async def test_call_from_an_own_thread_raises_instead_of_deadlocking(kind: Kind) -> None:
    executor = kind(1, name="mail")

    def func() -> None:
        asyncio.run(executor.run(int))

    with pytest.raises(RuntimeError, match="'mail' was called from one of its own threads"):
        await soon(executor.run(func))
    assert await executor.run(int) == 0


async def test_job_may_use_another_executor(kind: Kind) -> None:
    outer, inner = kind(1), kind(1)
    assert await soon(outer.run(lambda: asyncio.run(inner.run(lambda: "inner")))) == "inner"


async def test_jobs_may_use_executors_of_their_own_three_levels_deep(kind: Kind) -> None:
    executors = [kind(1) for _ in range(3)]

    def descend(level: int) -> int:
        return level if level == 3 else asyncio.run(executors[level].run(descend, level + 1))

    assert await soon(executors[0].run(descend, 1)) == 3
