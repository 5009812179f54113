"""What is counted, and what an observer is told."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.stats import JobEvent

from .conftest import Kind
from .gate import Gate, busy, cancelled, settled, soon, total, until
from .test_contract import Private, divide_by_zero, raise_


async def test_new_executor_has_counted_nothing(kind: Kind) -> None:
    stats = kind(3).stats()
    assert stats.size == 3
    assert total(kind(3)) == stats.peak == stats.abandoned == stats.seconds_run == stats.seconds_waited == 0


async def test_every_admitted_call_is_in_one_count_at_every_moment(kind: Kind) -> None:
    executor = kind(2)
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate)) for _ in range(5)]
        await gate.has_entered(2)
        assert (executor.stats().running, executor.stats().pending, total(executor)) == (2, 3, 5)
        await cancelled(tasks[0])
        await cancelled(tasks[4])
        stats = executor.stats()
        assert (stats.running, stats.abandoned, stats.pending, stats.cancelled, total(executor)) == (2, 1, 2, 1, 5)
        gate.let_through(2)
        await gate.has_entered(4)
        stats = executor.stats()
        assert (stats.running, stats.abandoned, stats.done, total(executor)) == (2, 0, 2, 5)
        gate.open()
        await settled(executor)
    stats = executor.stats()
    assert (stats.done, stats.cancelled, stats.failed, stats.peak, total(executor)) == (4, 1, 0, 2, 5)
    await asyncio.wait(tasks)


async def test_counts_add_up_when_looked_at_from_another_thread_all_the_time(kind: Kind) -> None:
    executor, stop, wrong = kind(2), threading.Event(), []
    admitted = 0

    def watch() -> None:
        while not stop.is_set():
            before = admitted
            counted = total_of(executor)
            if not before <= counted <= admitted + 20 or executor.stats().running > 2:
                wrong.append((before, counted))

    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(30):
        tasks = [asyncio.create_task(executor.run(int)) for _ in range(20)]
        await asyncio.sleep(0)
        tasks[-1].cancel()
        admitted += 20
        await asyncio.wait(tasks)
    stop.set()
    thread.join()
    assert wrong == []
    assert total_of(executor) == 600


def total_of(executor: BoundedExecutor) -> int:
    return total(executor)


async def test_failed_calls_are_counted_apart(kind: Kind) -> None:
    executor = kind(1)
    await asyncio.gather(*(executor.run(divide_by_zero) for _ in range(3)), return_exceptions=True)
    await executor.run(int)
    assert (executor.stats().failed, executor.stats().done) == (3, 1)


async def test_call_is_counted_as_done_when_its_awaiter_goes_on(kind: Kind) -> None:
    executor = kind(1)
    for number in range(100):
        await executor.run(int)
        assert executor.stats().done == number + 1


async def test_peak_is_the_most_that_ran_at_once(kind: Kind) -> None:
    executor = kind(5)
    async with busy(executor, 3):
        pass
    async with busy(executor, 2):
        pass
    assert executor.stats().peak == 3


async def test_seconds_waited_and_run_are_added_up(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    for module in ("slots", "job"):
        monkeypatch.setattr(f"asyncsmtp_bridge.{module}.monotonic", lambda: clock[0])
    executor = kind(1)
    with Gate() as gate:
        first = asyncio.create_task(executor.run(gate))
        second = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        clock[0] = 3.0
        gate.let_through()
        await gate.has_entered(2)
        clock[0] = 5.0
        gate.open()
        await asyncio.gather(first, second)
    assert executor.stats().seconds_waited == 3.0
    assert executor.stats().seconds_run == 5.0


class Recorder:
    """Keeps what it is told, and where."""

    def __init__(self) -> None:
        self.told: list[tuple[str, JobEvent]] = []
        self.threads: list[int] = []

    def _keep(self, what: str, event: JobEvent) -> None:
        self.told.append((what, event))
        self.threads.append(threading.get_ident())

    def job_started(self, event: JobEvent) -> None:
        self._keep("started", event)

    def job_ended(self, event: JobEvent) -> None:
        self._keep("ended", event)

    def job_abandoned(self, event: JobEvent) -> None:
        self._keep("abandoned", event)

    @property
    def what(self) -> list[str]:
        return [what for what, _ in self.told]


async def test_observer_is_told_of_start_and_end_on_the_worker(kind: Kind) -> None:
    recorder = Recorder()
    executor = kind(1, observer=recorder, name="mail")
    worker = await executor.run(threading.get_ident)
    await until(lambda: len(recorder.told) == 2)
    assert recorder.what == ["started", "ended"]
    assert recorder.threads == [worker, worker]
    event = recorder.told[1][1]
    assert (event.executor, event.function, event.error) == ("mail", "get_ident", None)
    assert event.waited >= 0
    assert event.ran >= recorder.told[0][1].ran >= 0


async def test_observer_is_told_what_the_function_raised(kind: Kind) -> None:
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError) as caught:
        await kind(1, observer=recorder).run(divide_by_zero)
    await until(lambda: len(recorder.told) == 2)
    assert recorder.told[1][1].error is caught.value


async def test_observer_is_told_of_an_abandoned_call_on_the_event_loop(kind: Kind) -> None:
    recorder = Recorder()
    executor = kind(1, observer=recorder)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await cancelled(task)
        assert recorder.what == ["started", "abandoned"]
        assert recorder.threads[1] == threading.get_ident()
    await until(lambda: recorder.what == ["started", "abandoned", "ended"])


async def test_observer_is_told_what_an_abandoned_call_raised(kind: Kind) -> None:
    recorder = Recorder()
    executor = kind(1, observer=recorder)
    with Gate() as gate:

        def func() -> None:
            gate()
            divide_by_zero()

        task = asyncio.create_task(executor.run(func))
        await gate.has_entered()
        await cancelled(task)
    await until(lambda: len(recorder.told) == 3)
    assert isinstance(recorder.told[2][1].error, ZeroDivisionError)


async def test_observer_is_not_told_of_a_call_that_never_ran(kind: Kind) -> None:
    recorder = Recorder()
    executor = kind(1, observer=recorder)
    async with busy(executor):
        task = asyncio.create_task(executor.run(divide_by_zero))
        await asyncio.sleep(0)
        await cancelled(task)
    await until(lambda: len(recorder.told) == 2)
    assert {event.function for _, event in recorder.told} == {"Gate"}


class Broken:
    """Raises whatever it is told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Callable[[JobEvent], None]:
        return lambda event: raise_(self.error)


@pytest.mark.parametrize("error", [ValueError("broken"), Private("broken")], ids=["Exception", "BaseException"])
async def test_observer_that_raises_changes_nothing_but_the_log(
    kind: Kind, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    executor = kind(1, observer=Broken(error), name="mail")
    with caplog.at_level(logging.ERROR, "asyncsmtp_bridge"):
        for number in range(5):
            assert await soon(executor.run(lambda: number)) == number  # noqa: B023 - awaited here
        await soon(executor.aclose())
    assert executor.stats().done == 5
    assert len(caplog.records) == 10
    assert "observer of executor 'mail' failed in job_started" in caplog.text


async def test_observer_that_raises_when_a_call_is_abandoned_leaves_the_cancellation_alone(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    executor = kind(1, observer=Broken(ValueError()))
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await cancelled(task)
    await settled(executor)
    assert "failed in job_abandoned" in caplog.text


async def test_observer_that_raises_an_interrupt_on_the_event_loop_is_not_held_back(kind: Kind) -> None:
    executor = kind(1, observer=Broken(Private()))
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        task.cancel()
        with pytest.raises(Private):
            await task
    await settled(executor)


async def test_failure_of_an_abandoned_call_is_told_to_the_log(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    executor = kind(1)
    with caplog.at_level(logging.DEBUG, "asyncsmtp_bridge"), Gate() as gate:

        def func() -> None:
            gate()
            divide_by_zero()

        task = asyncio.create_task(executor.run(func))
        await gate.has_entered()
        await cancelled(task)
        gate.open()
        await until(lambda: "ZeroDivisionError" in caplog.text)
    assert "func failed" in caplog.text
