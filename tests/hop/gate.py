"""Forces orders: blocking functions that tests hold by both ends, and waits that always end."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.job import Job, LaneJob
from asyncsmtp_bridge.lane import Lane

PATIENCE = 20.0


class Gate:
    """A blocking function that returns when it is let through, first come, first let; knows how many are inside.

    Used as a context manager it opens at the end, so that a test that fails leaves no thread behind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._let = 0
        self._open = False
        self._watchers: list[tuple[Callable[[], bool], asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.inside = 0
        self.peak = 0
        self.entered: list[Any] = []
        self.left: list[Any] = []

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self.open()

    def __call__(self, tag: Any = None) -> Any:
        with self._changed:
            number = len(self.entered)
            self.inside += 1
            self.peak = max(self.peak, self.inside)
            self.entered.append(tag)
            self._tell()
            through = self._changed.wait_for(lambda: self._open or number < self._let, PATIENCE)
            self.inside -= 1
            self.left.append(tag)
            self._tell()
        assert through, "nobody opened the gate"
        return tag

    def let_through(self, count: int = 1) -> None:
        with self._changed:
            self._let += count
            self._changed.notify_all()

    def open(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def _tell(self) -> None:
        for condition, loop, event in self._watchers:
            if condition():
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(event.set)
        self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Block until the gate is as `condition` says."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)

    async def until(self, condition: Callable[[], bool]) -> None:
        event = asyncio.Event()
        watcher = (condition, asyncio.get_running_loop(), event)
        with self._changed:
            if condition():
                return
            self._watchers.append(watcher)
        try:
            await asyncio.wait_for(event.wait(), PATIENCE)
        finally:
            with self._changed:
                self._watchers.remove(watcher)

    async def has_entered(self, count: int = 1) -> None:
        await self.until(lambda: len(self.entered) >= count)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens in a thread without an event that tells of it."""
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came about")


def wait_until(condition: Callable[[], object]) -> None:
    """The same, where no event loop runs."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never came about")


async def soon(awaitable: Coroutine[Any, Any, Any]) -> Any:
    """Await what would wait for ever if it were broken."""
    return await asyncio.wait_for(awaitable, PATIENCE)


async def settled(executor: BoundedExecutor) -> None:
    """Wait until the executor has nothing to do: a slot is given back after the function's last statement."""
    await until(lambda: not (executor.stats().running or executor.stats().pending))


async def cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


@contextlib.asynccontextmanager
async def busy(executor: BoundedExecutor, calls: int = 1) -> AsyncIterator[Gate]:
    """The executor with some of its slots taken; they are given back at the end."""
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate, number)) for number in range(calls)]
        await gate.has_entered(calls)
        yield gate
        gate.open()
        await asyncio.gather(*tasks)


def new_job(func: Callable[..., Any], *args: Any, lane: Lane | None = None, discard: Any = None) -> Job:
    if lane is None and discard is None:
        return Job(func, args, {})
    return LaneJob(func, args, {}, lane or Lane(), discard=discard)


async def run_job(executor: BoundedExecutor, job: Job) -> Any:
    """What the layers above do."""
    slots = slots_of(executor)
    slots.submit(job)
    return await slots.outcome(job)


@contextlib.contextmanager
def in_thread(func: Callable[[], object]) -> Iterator[threading.Thread]:
    """Another thread beside the test; joined at the end, its failure raised."""
    failures: list[BaseException] = []

    def call() -> None:
        try:
            func()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def total(executor: BoundedExecutor) -> int:
    stats = executor.stats()
    return stats.pending + stats.running + stats.done + stats.failed + stats.cancelled
