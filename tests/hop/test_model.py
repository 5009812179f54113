"""Any sequence of calls, cancellations, ends and closings keeps the executor's promises (hypothesis)."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge import BoundedExecutor, ExecutorFull
from asyncsmtp_bridge.lane import Lane

from .conftest import Kind
from .gate import Gate, new_job, run_job, until

SIZES = st.integers(1, 3)
LIMITS = st.none() | st.integers(0, 3)
# A call, alone or in one of two lanes; a cancellation of any call; a call that may return; a step of the event loop.
STEPS = st.lists(
    st.tuples(st.just("call"), st.sampled_from([None, 0, 1]))
    | st.tuples(st.just("cancel"), st.integers(0, 30))
    | st.tuples(st.just("return"), st.integers(1, 2))
    | st.tuples(st.just("step"), st.integers(1, 3)),
    max_size=40,
)


class Play:
    """Does the steps, and knows what must hold after each."""

    def __init__(self, executor: BoundedExecutor, limit: int | None) -> None:
        self.executor = executor
        self.limit = limit
        self.gate = Gate()
        self.lanes = [Lane(), Lane()]
        self.tasks: list[asyncio.Task[Any]] = []
        self.refused = 0
        self.admitted = 0

    def call(self, lane: int | None) -> None:
        number = self.admitted
        job = new_job(self.gate, (lane, number), lane=None if lane is None else self.lanes[lane])
        before = self.executor.stats()
        try:
            self.executor._slots.submit(job)
        except ExecutorFull:
            self.refused += 1
            assert self.limit is not None
            return
        self.admitted += 1
        if self.limit is not None:
            assert before.running + before.pending < before.size + self.limit + 1
        self.tasks.append(asyncio.ensure_future(self.executor._slots.outcome(job)))

    async def do(self, what: str, argument: Any) -> None:
        if what == "call":
            self.call(argument)
            # A task that is cancelled before its first step would leave the job to nobody.
            await asyncio.sleep(0)
        elif what == "cancel" and self.tasks:
            self.tasks[argument % len(self.tasks)].cancel()
        elif what == "return":
            self.gate.let_through(argument)
        elif what == "step":
            for _ in range(argument):
                await asyncio.sleep(0)

    def check(self) -> None:
        stats = self.executor.stats()
        assert stats.pending + stats.running + stats.done + stats.failed + stats.cancelled == self.admitted
        assert 0 <= stats.running <= stats.peak <= stats.size
        assert 0 <= stats.abandoned <= stats.running
        assert stats.pending >= 0
        assert self.gate.peak <= stats.size
        assert stats.failed == 0

    async def end(self) -> None:
        self.gate.open()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=20)
        await until(lambda: not (self.executor.stats().running or self.executor.stats().pending))
        self.check()
        stats = self.executor.stats()
        assert stats.abandoned == 0
        assert stats.done == len(self.gate.left)
        assert len(set(self.gate.entered)) == len(self.gate.entered)
        for lane in (0, 1):
            of_lane = [number for its, number in self.gate.entered if its == lane]
            assert of_lane == sorted(of_lane)
        for number, task in enumerate(self.tasks):
            if not task.cancelled():
                assert task.result()[1] == number
        assert all(lane._head is None and not lane._waiting for lane in self.lanes)
        # Every slot and every lane works.
        for lane in self.lanes:
            await asyncio.wait_for(run_job(self.executor, new_job(int, lane=lane)), 20)
        await asyncio.wait_for(self.executor.aclose(), 20)


# The fixture only names the kind; nothing of it lives on between examples.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=SIZES, limit=LIMITS, steps=STEPS)
def test_promises_hold_after_every_step(kind: Kind, size: int, limit: int | None, steps: list[tuple[str, Any]]) -> None:
    async def play() -> None:
        it = Play(kind(size, max_pending=limit), limit)
        with it.gate:
            for what, argument in steps:
                await it.do(what, argument)
                it.check()
            await it.end()

    asyncio.run(play())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, patience=st.sampled_from([None, 0, 0.001]))
def test_closing_after_any_steps_leaves_nothing_waiting(
    kind: Kind, steps: list[tuple[str, Any]], patience: Any
) -> None:
    async def play() -> None:
        it = Play(kind(2), None)
        with it.gate:
            for what, argument in steps:
                await it.do(what, argument)
            closing = asyncio.ensure_future(it.executor.aclose(patience))
            if patience is None:
                it.gate.open()
            await asyncio.wait_for(closing, 20)
            assert it.executor.stats().pending == 0
            entered = len(it.gate.entered)
            it.gate.open()
            await asyncio.wait_for(it.executor.aclose(), 20)
            if patience is not None:
                assert len(it.gate.entered) <= entered + 2
            for task in it.tasks:
                await asyncio.wait([task], timeout=20)
                assert task.done()
                if not task.cancelled():
                    error = task.exception()
                    assert error is None or "never ran" in str(error)

    asyncio.run(play())


@given(st.lists(st.integers(0, 9), max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_lane_is_a_queue_from_which_anyone_can_leave(leavers: list[int], chance: Any) -> None:
    async def play() -> None:
        lane, queue = Lane(), []
        for leaver in leavers:
            if leaver < 5 or not queue:
                job = new_job(int)
                assert lane.enter(job) == (not queue)
                queue.append(job)
            else:
                index = chance.randrange(len(queue))
                job = queue.pop(index)
                expected = queue[0] if index == 0 and queue else None
                assert lane.leave(job) is expected
                assert lane.leave(job) is None or index == 0
            assert lane._head is (queue[0] if queue else None)

    asyncio.run(play())


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_at_most_size_and_max_pending_calls_are_admitted(kind: Kind, limit: int) -> None:
    async def play() -> None:
        it = Play(kind(2, max_pending=limit), limit)
        with it.gate:
            for _ in range(20):
                it.call(None)
                await asyncio.sleep(0)
            assert it.admitted == 2 + limit
            assert it.refused == 18 - limit
            await it.end()

    asyncio.run(play())
