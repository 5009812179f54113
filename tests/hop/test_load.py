"""Many calls, and chance: none is lost, none runs twice, no slot is lost."""

import asyncio
import random

import pytest

from asyncsmtp_bridge import BoundedExecutor

from .conftest import Kind
from .gate import in_thread, settled, soon


async def _calls(executor: BoundedExecutor, callers: int, each: int) -> None:
    async def caller(first: int) -> int:
        lost = 0
        for number in range(first, first + each):
            lost += await executor.run(abs, -number) != number
        return lost

    assert sum(await asyncio.gather(*(caller(number * each) for number in range(callers)))) == 0
    stats = executor.stats()
    assert stats.done == callers * each
    assert (stats.pending, stats.running, stats.failed, stats.cancelled) == (0, 0, 0, 0)


async def test_twenty_thousand_calls_of_64_callers_come_back(kind: Kind) -> None:
    await _calls(kind(8), 64, 313)


async def test_a_hundred_thousand_calls_come_back() -> None:
    await _calls(BoundedExecutor(8), 64, 1563)


async def test_calls_all_made_at_once_come_back(kind: Kind) -> None:
    executor = kind(4)
    assert await asyncio.gather(*(executor.run(abs, -number) for number in range(5000))) == list(range(5000))


async def test_calls_made_one_after_another_come_back(kind: Kind) -> None:
    # Each call finds the workers asleep, or on their way to it.
    await _calls(kind(3), 1, 1500)


@pytest.mark.parametrize("seed", range(3))
async def test_claims_raced_against_cancellations_run_once_or_are_counted_as_cancelled(kind: Kind, seed: int) -> None:
    executor, chance = kind(3), random.Random(seed)
    runs = [0] * 1500
    admitted = 0

    def func(number: int) -> None:
        runs[number] += 1

    async def call(number: int) -> None:
        nonlocal admitted
        admitted += 1
        await executor.run(func, number)

    tasks: list[asyncio.Task[None]] = []
    for number in range(1500):
        tasks.append(asyncio.create_task(call(number)))
        if chance.random() < 0.4:
            await asyncio.sleep(0)
        if chance.random() < 0.6:
            tasks[chance.randrange(max(0, number - 5), number + 1)].cancel()
    await asyncio.wait(tasks)
    await settled(executor)
    stats = executor.stats()
    assert set(runs) <= {0, 1}
    assert stats.done == sum(runs)
    assert stats.done + stats.cancelled == admitted
    assert stats.abandoned == 0
    assert all(runs[number] for number, task in enumerate(tasks) if not task.cancelled())
    await _no_slot_is_lost(executor, 3)


async def _no_slot_is_lost(executor: BoundedExecutor, size: int) -> None:
    import threading

    barrier = threading.Barrier(size)
    await soon(asyncio.wait_for(asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(size))), 15))


async def test_cancellations_on_event_loops_in_several_threads_lose_no_slot(kind: Kind) -> None:
    executor = kind(3)

    async def caller(seed: int) -> None:
        chance = random.Random(seed)
        tasks = []
        for _ in range(400):
            tasks.append(asyncio.create_task(executor.run(int)))
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.6:
                chance.choice(tasks).cancel()
        await asyncio.wait(tasks)

    with in_thread(lambda: asyncio.run(caller(1))), in_thread(lambda: asyncio.run(caller(2))):
        await caller(3)
    await settled(executor)
    await _no_slot_is_lost(executor, 3)


@pytest.mark.parametrize("seed", range(3))
async def test_close_raced_against_calls_and_cancellations_always_ends(kind: Kind, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        executor = kind(2)
        tasks = [asyncio.create_task(executor.run(int)) for _ in range(chance.randrange(8))]
        closing = []
        for _ in range(chance.randrange(12)):
            match chance.randrange(3):
                case 0:
                    await asyncio.sleep(0)
                case 1 if tasks:
                    chance.choice(tasks).cancel()
                case 2 if len(closing) < 2:
                    closing.append(asyncio.create_task(executor.aclose(chance.choice([None, 0, 0.001]))))
        await asyncio.wait_for(asyncio.gather(executor.aclose(), *closing), 15)
        assert executor.stats().pending == executor.stats().running == 0
        await asyncio.gather(*tasks, return_exceptions=True)
