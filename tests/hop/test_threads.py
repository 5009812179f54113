"""Dedicated threads: what they are, how they start, that they end."""

import _thread
import asyncio
import contextvars
import gc
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.lane import Lane

from .gate import Gate, busy, in_thread, new_job, run_job, settled, soon, until

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


async def test_workers_are_daemon_threads_with_the_name_of_the_executor() -> None:
    thread = await BoundedExecutor(1, name="mail").run(threading.current_thread)
    assert type(thread) is threading.Thread
    assert thread.daemon
    assert thread.name == "mail-1"


async def test_workers_are_numbered() -> None:
    executor, barrier = BoundedExecutor(3, name="mail"), threading.Barrier(3)

    def func() -> str:
        barrier.wait(10)
        return threading.current_thread().name

    names = await asyncio.gather(*(executor.run(func) for _ in range(3)))
    assert sorted(names) == ["mail-1", "mail-2", "mail-3"]


async def test_no_thread_is_started_before_the_first_call() -> None:
    before = threading.active_count()
    BoundedExecutor(8)
    assert threading.active_count() == before


async def test_no_more_threads_are_started_than_there_are_calls() -> None:
    executor = BoundedExecutor(8)
    async with busy(executor, 2):
        pass
    assert slots_of(executor)._threads == 2  # type: ignore[attr-defined]


async def test_threads_are_used_again() -> None:
    executor = BoundedExecutor(1)
    assert len({await executor.run(threading.get_ident) for _ in range(20)}) == 1


async def test_workers_start_in_an_empty_context() -> None:
    variable.set("first caller's")
    executor = BoundedExecutor(1)
    seen: list[str] = []

    class Observer:
        """Is called in the context of the thread, not of a call."""

        def job_started(self, event: object) -> None:
            seen.append(variable.get())

        job_ended = job_abandoned = job_started

    observed = BoundedExecutor(1, observer=Observer())
    await observed.run(int)
    await executor.run(int)
    assert seen[0] == "empty"


async def test_no_thread_is_started_on_the_thread_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    starters: list[int] = []
    start = threading.Thread.start

    def record(thread: threading.Thread) -> None:
        starters.append(threading.get_ident())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", record)
    executor, barrier = BoundedExecutor(4), threading.Barrier(4)
    await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(4)))
    assert len(starters) == 4
    assert threading.get_ident() not in starters


async def test_close_ends_the_threads() -> None:
    executor = BoundedExecutor(3, name="ending")
    async with busy(executor, 3):
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("ending-")]
        assert len(threads) == 3
    await soon(executor.aclose())
    assert slots_of(executor)._threads == 0  # type: ignore[attr-defined]
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


async def test_threads_of_a_dropped_executor_end() -> None:
    executor = BoundedExecutor(2)
    threads = await asyncio.gather(*(executor.run(threading.current_thread) for _ in range(2)))
    del executor
    gc.collect()
    for thread in threads:
        await until(lambda thread=thread: not thread.is_alive())


async def test_dropped_executor_finishes_what_was_submitted() -> None:
    executor, ran = BoundedExecutor(1), []
    slots = slots_of(executor)
    with Gate() as gate:
        jobs = [new_job(gate), new_job(ran.append, 1)]
        for job in jobs:
            slots.submit(job)
        await gate.has_entered()
        del executor
        gc.collect()
        assert slots.closed
        gate.open()
        for job in jobs:
            await slots.outcome(job)
    assert ran == [1]
    await until(lambda: slots._threads == 0)  # type: ignore[attr-defined]


class HoldsOwnLock:
    """The lock of the slots; a garbage collection happens just when the worker holds it."""

    def __init__(self, collect: Any) -> None:
        self._lock = threading.Lock()
        self._collect = collect
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> None:
        self._lock.acquire()
        self._collect()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


async def test_executor_that_is_collected_on_its_own_worker_while_that_holds_the_lock_does_not_deadlock() -> None:
    executor = BoundedExecutor(1)
    slots = slots_of(executor)
    cycle: list[Any] = [executor]
    cycle.append(cycle)
    job = new_job(int)
    await executor.run(int)

    def collect() -> None:
        if cycles and threading.current_thread() is not threading.main_thread():
            cycles.clear()
            gc.collect()

    cycles = [cycle]
    slots._lock = HoldsOwnLock(collect)  # type: ignore[assignment]
    del executor, cycle
    slots.submit(job)
    await soon(slots.outcome(job))
    await until(lambda: slots._threads == 0)  # type: ignore[attr-defined]
    assert slots.closed


async def test_executor_serves_a_burst_after_a_burst() -> None:
    executor = BoundedExecutor(4)
    for size in (1, 2, 4, 3, 4):
        barrier = threading.Barrier(size)
        await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(size)))
    assert slots_of(executor)._threads == 4  # type: ignore[attr-defined]


# Threads that cannot be started: too many in the process, or memory for none.


class NoThreads:
    """Stands in front of what starts threads; refuses while it is told to."""

    def __init__(self, start: Any) -> None:
        self.start = start
        self.refuse = True
        self.refused = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.refuse:
            self.refused += 1
            raise RuntimeError("can't start new thread")
        return self.start(*args, **kwargs)


@pytest.fixture(params=["_thread.start_new_thread", "threading.Thread.start"])
def no_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> NoThreads:
    if request.param == "_thread.start_new_thread":
        refusal = NoThreads(_thread.start_new_thread)
        monkeypatch.setattr(_thread, "start_new_thread", refusal)
    else:
        refusal = NoThreads(threading.Thread.start)
        # A plain function, so that it becomes a method.
        monkeypatch.setattr(threading.Thread, "start", lambda thread: refusal(thread))  # noqa: PLW0108
    return refusal


async def test_thread_that_cannot_be_started_fails_the_call(no_threads: NoThreads) -> None:
    executor = BoundedExecutor(2, name="mail")
    with pytest.raises(RuntimeError, match="'mail' could not start a thread for pow: can't start new thread") as caught:
        await soon(executor.run(pow, 2, 3))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert executor.stats().cancelled == 1
    assert executor.stats().pending == 0


async def test_executor_recovers_when_threads_can_be_started_again(no_threads: NoThreads) -> None:
    executor = BoundedExecutor(2)
    for _ in range(5):
        with pytest.raises(RuntimeError, match="could not start"):
            await soon(executor.run(int))
    no_threads.refuse = False
    barrier = threading.Barrier(2)
    await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(2)))


async def test_calls_wait_for_the_threads_that_there_are(no_threads: NoThreads) -> None:
    executor = BoundedExecutor(2)
    no_threads.refuse = False
    async with busy(executor):
        no_threads.refuse = True
        task = asyncio.create_task(executor.run(lambda: 2))
        await asyncio.sleep(0)
        await until(lambda: no_threads.refused == 1)
        assert not task.done()
    assert await task == 2


async def test_every_call_of_a_lane_fails_when_no_thread_can_be_started(no_threads: NoThreads) -> None:
    executor, lane = BoundedExecutor(1), Lane()
    tasks = [asyncio.create_task(run_job(executor, new_job(int, lane=lane))) for _ in range(500)]
    done, _ = await asyncio.wait(tasks, timeout=20)
    assert len(done) == 500
    assert all("could not start" in str(task.exception()) for task in done)
    no_threads.refuse = False
    assert await run_job(executor, new_job(int, lane=lane)) == 0


async def test_executor_closes_though_no_thread_could_be_started(no_threads: NoThreads) -> None:
    executor = BoundedExecutor(1)
    with pytest.raises(RuntimeError, match="could not start"):
        await soon(executor.run(int))
    await soon(executor.aclose())


async def test_thread_that_starts_when_its_call_was_withdrawn_goes_idle_and_serves_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor, go = BoundedExecutor(1), threading.Event()
    launch = type(slots_of(executor))._launch  # type: ignore[attr-defined]

    def late(slots: Any, generation: object) -> None:
        assert go.wait(10)
        launch(slots, generation)

    monkeypatch.setattr(type(slots_of(executor)), "_launch", late)
    task = asyncio.create_task(executor.run(int))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    go.set()
    await until(lambda: slots_of(executor)._idle == 1)  # type: ignore[attr-defined]
    assert await soon(executor.run(lambda: 1)) == 1


async def test_thread_that_starts_when_the_executor_was_closed_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    executor, go = BoundedExecutor(1), threading.Event()
    launch = type(slots_of(executor))._launch  # type: ignore[attr-defined]

    def late(slots: Any, generation: object) -> None:
        assert go.wait(10)
        launch(slots, generation)

    monkeypatch.setattr(type(slots_of(executor)), "_launch", late)
    task = asyncio.create_task(executor.run(int))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    closing = asyncio.create_task(executor.aclose())
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(closing, 10)


async def test_woken_thread_that_finds_its_call_withdrawn_serves_the_next() -> None:
    executor = BoundedExecutor(1)
    slots = slots_of(executor)
    for number in range(200):
        job = new_job(int)
        slots.submit(job)
        slots.give_up(job, RuntimeError("given up"))
        assert await soon(executor.run(lambda: number)) == number  # noqa: B023 - awaited here
    await settled(executor)


async def test_executor_can_be_made_and_dropped_without_an_event_loop() -> None:
    with in_thread(lambda: BoundedExecutor(1).stats()):
        pass
