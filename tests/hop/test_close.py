"""`aclose`: admission ends, what was admitted is awaited or given up, and said."""

import asyncio
import logging
import threading

import pytest

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.lane import Lane

from .conftest import Kind
from .gate import Gate, busy, cancelled, in_thread, new_job, run_job, settled, soon, until
from .test_contract import raise_


async def test_unused_executor_closes(kind: Kind) -> None:
    await soon(kind(2).aclose())


async def test_idle_executor_closes(kind: Kind) -> None:
    executor = kind(2)
    await asyncio.gather(*(executor.run(int) for _ in range(10)))
    await soon(executor.aclose())


async def test_close_waits_for_every_call_that_was_admitted(kind: Kind) -> None:
    executor = kind(2)
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate, number)) for number in range(6)]
        await gate.has_entered(2)
        closing = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        gate.let_through(5)
        await gate.has_entered(6)
        assert not closing.done()
        gate.open()
        await closing
    assert executor.stats().done == 6
    assert await asyncio.gather(*tasks) == list(range(6))


async def test_call_after_close_raises_and_is_not_begun(kind: Kind) -> None:
    executor, ran = kind(2, name="mail"), []
    await executor.aclose()
    with pytest.raises(RuntimeError, match=r"'mail' is closed; list\.append was not called"):
        await executor.run(ran.append, 1)
    assert ran == []


async def test_call_while_closing_raises(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        closing = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is closed"):
            await executor.run(int)
    await closing


async def test_closing_twice_and_at_the_same_time_is_allowed(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        closings = [asyncio.create_task(executor.aclose()) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*closings)
    await soon(executor.aclose())


async def test_async_with_closes(kind: Kind) -> None:
    async with kind(1) as executor:
        task = asyncio.create_task(executor.run(lambda: 1))
        await asyncio.sleep(0)
    assert task.result() == 1
    with pytest.raises(RuntimeError, match="is closed"):
        await executor.run(int)


async def test_timeout_gives_up_what_has_not_begun_and_names_what_runs_without_arguments(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    executor = kind(1, name="mail")
    ran: list[int] = []
    with Gate() as gate:

        def sending(secret: str) -> None:
            gate()

        running = asyncio.create_task(executor.run(sending, "secret"))
        await gate.has_entered()
        waiting = [asyncio.create_task(executor.run(ran.append, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
        assert "'mail' was closed with 3 call(s) not begun, and 1 still running after 0 s" in caplog.text
        assert "sending" in caplog.text
        assert "secret" not in caplog.text
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, RuntimeError)
            assert "was closed before list.append began; it never ran" in str(error)
    await running
    await soon(executor.aclose())
    assert ran == []
    assert executor.stats().cancelled == 3


async def test_timeout_that_suffices_says_nothing(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    executor = kind(1)
    await executor.run(int)
    await executor.aclose(timeout=20)
    assert caplog.records == []


async def test_timeout_gives_up_calls_that_wait_for_their_turn_behind_a_running_call(kind: Kind) -> None:
    executor, lane, ran = kind(2), Lane(), []
    with Gate() as gate:
        head = asyncio.create_task(run_job(executor, new_job(gate, lane=lane)))
        await gate.has_entered()
        behind = [asyncio.create_task(run_job(executor, new_job(ran.append, 1, lane=lane))) for _ in range(3)]
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
        # At once: the call at the head may be stuck for ever.
        done, _ = await asyncio.wait(behind, timeout=10)
        assert len(done) == 3
        assert all("never ran" in str(task.exception()) for task in done)
    await head
    await soon(executor.aclose())
    assert ran == []


async def test_timeout_gives_up_every_call_of_a_lane_of_which_none_has_begun(kind: Kind) -> None:
    executor, lane = kind(1), Lane()
    async with busy(executor):
        tasks = [asyncio.create_task(run_job(executor, new_job(int, lane=lane))) for _ in range(5)]
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
        assert executor.stats().cancelled == 5
        await asyncio.wait(tasks)
        assert all("never ran" in str(task.exception()) for task in tasks)


async def test_timeout_gives_up_what_was_handed_to_a_busy_event_loop_executor() -> None:
    from concurrent.futures import ThreadPoolExecutor

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    executor, ran = BoundedExecutor.shared(2), []
    with Gate() as gate:
        others = asyncio.create_task(asyncio.to_thread(gate))
        await gate.has_entered()
        task = asyncio.create_task(executor.run(ran.append, 1))
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
        assert executor.stats().cancelled == 1
    await others
    with pytest.raises(RuntimeError, match="never ran"):
        await task
    assert ran == []


async def test_cancelled_close_ends_admission_and_leaves_the_calls_alone(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        tasks = [asyncio.create_task(executor.run(gate, number)) for number in range(2)]
        await gate.has_entered()
        closing = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        await cancelled(closing)
        with pytest.raises(RuntimeError, match="is closed"):
            await executor.run(int)
        gate.open()
        assert await asyncio.gather(*tasks) == [0, 1]
    await soon(executor.aclose())


async def test_close_goes_on_waiting_when_another_close_was_given_up(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        patient = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
        assert not patient.done()
    await soon(asyncio.wait_for(patient, 10))


async def test_close_from_another_event_loop(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        with in_thread(lambda: asyncio.run(executor.aclose())):
            await until(lambda: slots_of(executor).closed)
            gate.open()
            await task


async def test_close_from_an_own_thread_raises(kind: Kind) -> None:
    executor = kind(2)
    with pytest.raises(RuntimeError, match="own threads"):
        await soon(executor.run(lambda: asyncio.run(executor.aclose())))
    assert await executor.run(lambda: 1) == 1


async def test_close_waits_for_abandoned_calls(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()
        await cancelled(task)
        closing = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
    await soon(asyncio.wait_for(closing, 10))


async def test_close_ends_when_the_last_waiting_call_is_cancelled(kind: Kind) -> None:
    executor, lane = kind(1), Lane()
    other = kind(1)
    with Gate() as gate:
        # The lane is busy on another executor, so that nothing of this one runs.
        head = asyncio.create_task(run_job(other, new_job(gate, lane=lane)))
        await gate.has_entered()
        waiting = asyncio.create_task(run_job(executor, new_job(int, lane=lane)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(executor.aclose())
        await asyncio.sleep(0)
        assert not closing.done()
        await cancelled(waiting)
        await asyncio.wait_for(closing, 10)
    await head


async def test_event_loop_that_closed_while_it_waited_for_the_end_does_no_harm(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:
        task = asyncio.create_task(executor.run(gate))
        await gate.has_entered()

        async def give_up() -> None:
            await executor.aclose(timeout=0)

        with in_thread(lambda: asyncio.run(give_up())):
            pass
    await task
    await soon(executor.aclose())


class Connection:
    def __init__(self) -> None:
        self.closed = threading.Event()


async def test_result_that_nobody_receives_is_disposed_of_in_the_worker(kind: Kind) -> None:
    executor, connection = kind(1), Connection()
    with Gate() as gate:

        def connect() -> Connection:
            gate()
            return connection

        job = new_job(connect, discard=lambda result: result.closed.set())
        task = asyncio.create_task(run_job(executor, job))
        await gate.has_entered()
        await cancelled(task)
        assert not connection.closed.is_set()
    await until(connection.closed.is_set)
    await settled(executor)


async def test_result_that_came_in_at_the_moment_of_the_cancellation_is_disposed_of(kind: Kind) -> None:
    executor, connection = kind(1), Connection()
    task = await _returned_but_not_received(executor, lambda: connection, lambda result: result.closed.set())
    await cancelled(task)
    await until(connection.closed.is_set)
    assert await soon(executor.run(lambda: 1)) == 1


async def _returned_but_not_received(
    executor: BoundedExecutor, func: object, discard: object
) -> "asyncio.Task[object]":
    job = new_job(func, discard=discard)  # type: ignore[arg-type]
    task = asyncio.create_task(run_job(executor, job))
    await asyncio.sleep(0)
    pause = threading.Event()
    while job.state.value != "returned":
        pause.wait(0.001)
    return task


async def test_result_that_a_closed_executor_cannot_dispose_of_is_let_go(kind: Kind) -> None:
    executor, connection = kind(1), Connection()
    task = await _returned_but_not_received(executor, lambda: connection, lambda result: result.closed.set())
    slots_of(executor).close()
    await cancelled(task)
    assert not connection.closed.is_set()
    assert (executor.stats().pending, executor.stats().abandoned) == (0, 0)


async def test_result_is_disposed_of_though_the_executor_is_full(kind: Kind) -> None:
    executor, connection = kind(1, max_pending=0), Connection()
    task = await _returned_but_not_received(executor, lambda: connection, lambda result: result.closed.set())
    slots = slots_of(executor)
    with Gate() as gate:
        other = new_job(gate)
        slots.submit(other)
        await cancelled(task)
        assert executor.stats().abandoned == 1
        gate.open()
        await slots.outcome(other)
    await until(connection.closed.is_set)
    await settled(executor)
    assert executor.stats().abandoned == 0


async def test_disposal_does_not_need_the_event_loops_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    executor, connection = BoundedExecutor.shared(1), Connection()
    task = await _returned_but_not_received(executor, lambda: connection, lambda result: result.closed.set())
    refused = RuntimeError("Executor shutdown has been called")
    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", lambda *_: raise_(refused))
    await cancelled(task)
    await until(connection.closed.is_set)
    await settled(executor)


async def test_disposal_that_no_thread_can_be_started_for_costs_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    executor, connection = BoundedExecutor.shared(1), Connection()
    task = await _returned_but_not_received(executor, lambda: connection, lambda result: result.closed.set())
    refused = RuntimeError("can't start new thread")
    monkeypatch.setattr("asyncsmtp_bridge.shared._thread.start_new_thread", lambda *_: raise_(refused))
    await cancelled(task)
    await settled(executor)
    assert not connection.closed.is_set()


async def test_failure_that_came_in_at_the_moment_of_the_cancellation_is_told_to_the_log(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def func() -> None:
        raise OSError("too late")

    with caplog.at_level(logging.DEBUG, "asyncsmtp_bridge"):
        await cancelled(await _returned_but_not_received(kind(1), func, None))
    assert "too late" in caplog.text


@pytest.mark.parametrize("error", [OSError("broken"), GeneratorExit("broken")])
async def test_disposal_that_fails_costs_a_line_in_the_log_and_no_worker(
    kind: Kind, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    executor = kind(1)

    def discard(result: object) -> None:
        raise error

    with caplog.at_level(logging.DEBUG, "asyncsmtp_bridge"), Gate() as gate:
        task = asyncio.create_task(run_job(executor, new_job(gate, discard=discard)))
        await gate.has_entered()
        await cancelled(task)
        gate.open()
        assert await soon(executor.run(lambda: 1)) == 1
        await soon(executor.aclose())
    assert "disposing of the result of Gate failed" in caplog.text


async def test_default_executor_of_the_loop_that_was_shut_down_fails_the_call_and_costs_no_slot() -> None:
    executor = BoundedExecutor.shared(1)
    await asyncio.get_running_loop().shutdown_default_executor()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shutdown"):
            await soon(executor.run(int))
    assert executor.stats().cancelled == 2
