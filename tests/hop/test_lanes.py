"""A lane: the calls on one object, one at a time, in their order, without occupying the executor."""

import asyncio
import gc
import random
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import ExecutorFull
from asyncsmtp_bridge import lane as lanes
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.job import LaneJob
from asyncsmtp_bridge.lane import Lane, lane_of

from .conftest import Kind
from .gate import Gate, cancelled, in_thread, new_job, run_job, settled, soon, until


def call(executor: Any, lane: Lane, func: Any, *args: Any) -> "asyncio.Task[Any]":
    return asyncio.create_task(run_job(executor, new_job(func, *args, lane=lane)))


async def test_calls_of_a_lane_run_one_at_a_time_in_their_order(kind: Kind) -> None:
    executor, lane = kind(4), Lane()
    with Gate() as gate:
        tasks = [call(executor, lane, gate, number) for number in range(10)]
        for number in range(10):
            await gate.has_entered(number + 1)
            gate.let_through()
        assert await asyncio.gather(*tasks) == list(range(10))
    assert gate.peak == 1
    assert gate.entered == list(range(10))


async def test_only_the_head_is_before_the_workers(kind: Kind) -> None:
    executor, lane = kind(2), Lane()
    with Gate() as gate:
        tasks = [call(executor, lane, gate, number) for number in range(11)]
        await gate.has_entered()
        assert (executor.stats().running, executor.stats().pending) == (1, 10)
        # The other slot is free for everybody else, time and again.
        for _ in range(5):
            assert await soon(executor.run(lambda: "other")) == "other"
        assert gate.inside == 1
        gate.open()
        await asyncio.gather(*tasks)


async def test_different_lanes_run_at_the_same_time(kind: Kind) -> None:
    executor, barrier = kind(3), threading.Barrier(3)
    await asyncio.gather(*(call(executor, Lane(), barrier.wait, 10) for _ in range(3)))


async def test_failed_call_lets_the_next_have_its_turn(kind: Kind) -> None:
    executor, lane = kind(1), Lane()
    results = await asyncio.gather(
        *(call(executor, lane, divmod, 1, number % 2) for number in range(6)), return_exceptions=True
    )
    assert [type(result) for result in results] == [ZeroDivisionError, tuple] * 3


async def test_abandoned_head_keeps_its_turn_until_it_returns(kind: Kind) -> None:
    executor, lane = kind(2), Lane()
    with Gate() as gate:
        head, following = call(executor, lane, gate, 1), call(executor, lane, gate, 2)
        await gate.has_entered()
        await cancelled(head)
        assert gate.entered == [1]
        gate.let_through()
        await gate.has_entered(2)
        gate.open()
        await following
    assert gate.peak == 1


async def test_withdrawn_call_in_the_middle_is_passed_over(kind: Kind) -> None:
    executor, lane, ran = kind(2), Lane(), []
    with Gate() as gate:
        tasks = [call(executor, lane, gate), *(call(executor, lane, ran.append, number) for number in range(5))]
        await gate.has_entered()
        await cancelled(tasks[2])
        await cancelled(tasks[5])
    await asyncio.wait(tasks)
    assert ran == [0, 2, 3]


async def test_withdrawn_head_that_waits_for_a_slot_lets_the_next_have_its_turn(kind: Kind) -> None:
    executor, lane = kind(1), Lane()
    with Gate() as gate:
        blocker = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        head, following = call(executor, lane, int), call(executor, lane, lambda: 2)
        await asyncio.sleep(0)
        await cancelled(head)
    assert await soon(asyncio.wait_for(following, 10)) == 2
    await blocker


@pytest.mark.parametrize("withdrawn_first", [True, False])
async def test_withdrawal_at_the_very_moment_of_becoming_head_loses_no_turn(kind: Kind, withdrawn_first: bool) -> None:
    executor, lane = kind(1), Lane()
    slots = slots_of(executor)
    first, second, third = (new_job(int, lane=lane) for _ in range(3))
    for job in (first, second, third):
        job.expect()
        job.slots = slots
    with slots._lock:
        assert lane.enter(first)
        assert not lane.enter(second)
        assert not lane.enter(third)
        slots._pending += 2
        slots._behind |= {second, third}
        second.admitted_at = third.admitted_at = 0.0
    # The first has returned, and its worker lets the next move up, while the awaiter of that next is cancelled.
    if withdrawn_first:
        with slots._lock:
            assert slots._withdraw(second)
        assert lane.leave(first) is second
        slots.enqueue(second)
        slots._after_withdrawal(second)
    else:
        assert lane.leave(first) is second
        with slots._lock:
            assert slots._withdraw(second)
        slots._after_withdrawal(second)
        slots.enqueue(second)
    assert lane._head is third
    assert await soon(slots.outcome(third)) == 0
    await until(lambda: lane._head is None)
    assert executor.stats().pending == 0


async def test_withdrawals_raced_against_turns_lose_none(kind: Kind) -> None:
    executor, lane, chance = kind(2), Lane(), random.Random(1)
    ran: list[int] = []
    tasks = []
    for number in range(2000):
        tasks.append(call(executor, lane, ran.append, number))
        if chance.random() < 0.5:
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            chance.choice(tasks).cancel()
    await asyncio.wait(tasks)
    await settled(executor)
    assert ran == sorted(set(ran))
    assert executor.stats().done == len(ran)
    assert executor.stats().done + executor.stats().cancelled <= 2000
    assert lane._head is None
    assert not lane._waiting
    assert await soon(run_job(executor, new_job(int, lane=lane))) == 0


async def test_ten_thousand_withdrawn_calls_of_one_lane_do_not_recurse(kind: Kind) -> None:
    executor, lane = kind(1), Lane()
    slots = slots_of(executor)
    with Gate() as gate:
        blocker = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        jobs = [new_job(int, lane=lane) for _ in range(10_000)]
        for job in jobs:
            slots.submit(job)
        assert slots.give_up_pending() == 10_000
        assert executor.stats().cancelled == 10_000
        assert lane._head is None
        gate.open()
        await blocker
    for job in jobs:
        with pytest.raises(RuntimeError, match="never ran"):
            await slots.outcome(job)


async def test_calls_behind_the_head_count_for_max_pending(kind: Kind) -> None:
    executor, lane = kind(1, max_pending=2), Lane()
    with Gate() as gate:
        tasks = [call(executor, lane, gate) for _ in range(3)]
        await gate.has_entered()
        with pytest.raises(ExecutorFull):
            await run_job(executor, new_job(int, lane=lane))
        gate.open()
        await asyncio.gather(*tasks)


async def test_refused_call_takes_no_place_in_the_lane(kind: Kind) -> None:
    executor, lane = kind(1, max_pending=0), Lane()
    with Gate() as gate:
        blocker = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        with pytest.raises(ExecutorFull):
            await run_job(executor, new_job(int, lane=lane))
        gate.open()
        await blocker
    await settled(executor)
    assert await soon(run_job(executor, new_job(int, lane=lane))) == 0


async def test_one_lane_across_two_executors_keeps_its_order(kind: Kind) -> None:
    executors, lane = [kind(2), kind(2)], Lane()
    with Gate() as gate:
        tasks = [call(executors[number % 2], lane, gate, number) for number in range(8)]
        for number in range(8):
            await gate.has_entered(number + 1)
            gate.let_through()
        await asyncio.gather(*tasks)
    assert gate.entered == list(range(8))
    assert gate.peak == 1
    assert [executor.stats().done for executor in executors] == [4, 4]


async def test_one_lane_on_event_loops_in_several_threads_runs_one_at_a_time(kind: Kind) -> None:
    executor, lane = kind(4), Lane()
    inside, peak = [0], [0]

    def func() -> None:
        inside[0] += 1
        peak[0] = max(peak[0], inside[0])
        inside[0] -= 1

    async def caller() -> None:
        await asyncio.gather(*(call(executor, lane, func) for _ in range(200)))

    with in_thread(lambda: asyncio.run(caller())), in_thread(lambda: asyncio.run(caller())):
        await caller()
    assert peak == [1]
    assert executor.stats().done == 600


async def test_job_is_called_by_its_label_where_it_has_one() -> None:
    assert LaneJob(int, (), {}, Lane(), label="SMTP.sendmail").name == "SMTP.sendmail"
    assert LaneJob(int, (), {}, Lane()).name == "int"


class Target:
    """A legacy object, with an equality of its own."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_all_who_have_the_lane_of_an_object_have_the_same() -> None:
    target = Target()
    lane = lane_of(target)
    assert lane_of(target) is lane


def test_equal_objects_have_lanes_of_their_own() -> None:
    one, other = Target(), Target()
    assert one == other
    assert lane_of(one) is not lane_of(other)


def test_lane_of_an_object_that_is_gone_is_forgotten() -> None:
    target = Target()
    lane = lane_of(target)
    key = id(target)
    assert key in lanes._lanes
    del target
    gc.collect()
    assert key not in lanes._lanes
    assert lane


def test_lane_that_nobody_has_any_more_is_forgotten() -> None:
    target = Target()
    lane = lane_of(target)
    assert id(target) in lanes._lanes
    del lane
    gc.collect()
    assert id(target) not in lanes._lanes


def test_object_with_the_id_of_one_that_is_gone_has_a_lane_of_its_own() -> None:
    seen: dict[int, Lane] = {}
    again = 0
    for _ in range(50):
        target = Target()
        lane = lane_of(target)
        again += id(target) in seen
        assert seen.get(id(target)) is not lane
        seen[id(target)] = lane
        del target
    assert again


def test_late_end_of_an_object_does_not_take_the_lane_of_its_successor() -> None:
    target, successor = Target(), Target()
    lane = lane_of(target)
    key = id(target)
    entry = (lambda: successor, lambda: lane)
    lanes._lanes[key] = entry  # type: ignore[assignment]
    del target
    gc.collect()
    assert lanes._lanes.pop(key) is entry


def test_lane_does_not_keep_its_object_alive() -> None:
    import weakref

    target = Target()
    lane, gone = lane_of(target), weakref.ref(target)
    del target
    gc.collect()
    assert gone() is None
    assert lane


class Slotted:
    __slots__ = ("value",)


def test_object_that_cannot_be_referenced_weakly_lives_as_long_as_its_lane() -> None:
    target, other = Slotted(), Slotted()
    lane = lane_of(target)
    key = id(target)
    assert lane_of(target) is lane
    assert lane_of(other) is not lane
    del target
    gc.collect()
    assert id(lane._kept) == key
    del lane
    gc.collect()
    assert key not in lanes._lanes


def test_object_without_a_lane_gets_the_one_that_is_offered() -> None:
    target, offered = Target(), Lane()
    assert lane_of(target, offered) is offered
    assert lane_of(target, Lane()) is offered


def test_threads_that_ask_at_the_same_time_get_the_same_lane() -> None:
    barrier = threading.Barrier(4)
    for _ in range(50):
        target, found = Target(), []

        def ask(target: Target = target, found: list[Lane] = found) -> None:
            barrier.wait(10)
            found.append(lane_of(target))

        with in_thread(ask), in_thread(ask), in_thread(ask):
            ask()
        assert len(set(map(id, found))) == 1


def test_lane_that_another_thread_made_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target()
    made: list[Lane] = []

    class Racing(Lane):
        def __init__(self) -> None:
            super().__init__()
            monkeypatch.setattr(lanes, "Lane", Lane)
            made.append(lane_of(target))

    monkeypatch.setattr(lanes, "Lane", Racing)
    assert lane_of(target) is made[0]
