"""Nothing of a call's arguments is seen in the hop's frames, and nothing of a call is kept once it is over."""

import asyncio
import contextlib
import functools
import gc
import sys
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, ExecutorFull, to_thread

from .conftest import Kind
from .gate import Gate, busy, cancelled, new_job, run_job, settled, until

SECRET = "hunter2-0123456789"


def refuse(*args: object, **kwargs: object) -> None:
    """Raises, and does not show what it was given in its own variables."""
    del args, kwargs
    raise OSError("refused")


def seen_by_an_error_tracker(error: BaseException) -> str:
    """What is sent to the error tracker: the message and every frame's variables, causes and contexts included."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


async def raised_by(call: Any) -> BaseException:
    try:
        await call
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def assert_secret_is_not_shown(error: BaseException) -> None:
    text = seen_by_an_error_tracker(error)
    assert "in run" in text or "in to_thread" in text
    assert SECRET not in text


async def test_arguments_are_not_seen_when_the_function_raises(kind: Kind) -> None:
    error = await raised_by(kind(1).run(refuse, SECRET, password=SECRET))
    assert isinstance(error, OSError)
    assert_secret_is_not_shown(error)


async def test_arguments_are_not_seen_when_around_raises(kind: Kind) -> None:
    executor = kind(1, around=refuse)
    assert_secret_is_not_shown(await raised_by(executor.run(int, SECRET, base=SECRET)))


async def test_arguments_are_not_seen_when_the_function_raises_within_around(kind: Kind) -> None:
    executor = kind(1, around=contextlib.nullcontext)
    assert_secret_is_not_shown(await raised_by(executor.run(refuse, SECRET, password=SECRET)))


async def test_arguments_are_not_seen_when_the_executor_is_full(kind: Kind) -> None:
    executor = kind(1, max_pending=0)
    async with busy(executor):
        error = await raised_by(executor.run(refuse, SECRET, password=SECRET))
    assert isinstance(error, ExecutorFull)
    assert_secret_is_not_shown(error)


async def test_arguments_are_not_seen_when_the_executor_is_closed(kind: Kind) -> None:
    executor = kind(1)
    await executor.aclose()
    assert_secret_is_not_shown(await raised_by(executor.run(refuse, SECRET, password=SECRET)))


async def test_arguments_are_not_seen_when_the_call_was_given_up(kind: Kind) -> None:
    executor = kind(1)
    async with busy(executor):
        task = asyncio.create_task(executor.run(refuse, SECRET, password=SECRET))
        await asyncio.sleep(0)
        await executor.aclose(timeout=0)
    assert_secret_is_not_shown(await raised_by(task))


async def test_arguments_are_not_seen_when_the_call_is_cancelled(kind: Kind) -> None:
    executor = kind(1)
    with Gate() as gate:

        def func(*args: object, **kwargs: object) -> None:
            gate()

        task = asyncio.create_task(executor.run(func, SECRET, password=SECRET))
        await gate.has_entered()
        task.cancel()
        assert_secret_is_not_shown(await raised_by(task))
    await settled(executor)


async def test_arguments_bound_by_a_partial_are_not_seen(kind: Kind) -> None:
    error = await raised_by(kind(1).run(functools.partial(refuse, SECRET, password=SECRET)))
    assert_secret_is_not_shown(error)


async def test_arguments_are_not_seen_when_the_function_raises_stop_iteration(kind: Kind) -> None:
    def func(*args: object, **kwargs: object) -> None:
        del args, kwargs
        raise StopIteration

    assert_secret_is_not_shown(await raised_by(kind(1).run(func, SECRET, password=SECRET)))


async def test_arguments_are_not_seen_through_to_thread() -> None:
    assert_secret_is_not_shown(await raised_by(to_thread(refuse, SECRET, password=SECRET)))


async def test_arguments_are_not_seen_when_the_default_executor_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCSMTP_BRIDGE_EXECUTOR_SIZE", "many")
    assert_secret_is_not_shown(await raised_by(to_thread(refuse, SECRET, password=SECRET)))


def test_repr_of_a_job_shows_no_argument() -> None:
    async def show() -> None:
        assert repr(new_job(refuse, SECRET)) == "<Job refuse waiting>"
        assert repr(new_job(functools.partial(functools.partial(refuse, SECRET), 1))) == "<Job refuse waiting>"

        class Send:
            def __call__(self) -> None:
                pass

        assert repr(new_job(Send())).endswith("Send waiting>")

    asyncio.run(show())


# What is over is freed by its reference count: a garbage collection may be far off.


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Thing:
    """Can be watched."""


def make(*_: object) -> Thing:
    return Thing()


def fail(*_: object) -> None:
    error = OSError("watched")
    error.thing = Thing()  # type: ignore[attr-defined]
    try:
        raise error
    finally:
        del error  # or else this frame, which the traceback holds, holds the exception


@pytest.mark.usefixtures("no_garbage_collection")
class TestReferences:
    async def test_result_is_freed_when_it_is_dropped(self, kind: Kind) -> None:
        executor = kind(1)
        result = await executor.run(make)
        gone = weakref.ref(result)
        del result
        await until(lambda: gone() is None)

    async def test_arguments_are_freed_when_the_call_is_over(self, kind: Kind) -> None:
        executor, thing, keyword = kind(1), Thing(), Thing()
        gone, keyword_gone = weakref.ref(thing), weakref.ref(keyword)
        await executor.run(lambda *args, **kwargs: None, thing, key=keyword)
        del thing, keyword
        await until(lambda: gone() is None and keyword_gone() is None)

    async def test_arguments_are_freed_while_the_result_lives(self, kind: Kind) -> None:
        executor, thing = kind(1), Thing()
        gone = weakref.ref(thing)
        result = await executor.run(make, thing)
        del thing
        await until(lambda: gone() is None)
        assert result

    async def test_exception_is_freed_when_it_is_dropped(self, kind: Kind) -> None:
        executor = kind(1)
        with contextlib.suppress(OSError):
            try:
                await executor.run(fail)
            except OSError as error:
                gone = weakref.ref(error.thing)  # type: ignore[attr-defined]
                raise
        await until(lambda: gone() is None)

    async def test_exception_of_a_replaced_stop_iteration_is_freed(self, kind: Kind) -> None:
        def stop() -> None:
            error = StopIteration()
            error.thing = Thing()  # type: ignore[attr-defined]
            things.append(weakref.ref(error.thing))  # type: ignore[attr-defined]
            try:
                raise error
            finally:
                del error

        things: list[Any] = []
        with contextlib.suppress(RuntimeError):
            await kind(1).run(stop)
        await until(lambda: things[0]() is None)

    async def test_exception_of_an_abandoned_call_is_freed(self, kind: Kind) -> None:
        executor, things = kind(1), []
        with Gate() as gate:

            def func() -> None:
                gate()
                try:
                    fail()
                except OSError as error:
                    things.append(weakref.ref(error.thing))  # type: ignore[attr-defined]
                    raise

            task = asyncio.create_task(executor.run(func))
            await gate.has_entered()
            await cancelled(task)
            del task
        await until(lambda: things and things[0]() is None)
        await settled(executor)

    async def test_result_of_an_abandoned_call_is_freed(self, kind: Kind) -> None:
        executor, things = kind(1), []
        with Gate() as gate:

            def func() -> Thing:
                gate()
                thing = Thing()
                things.append(weakref.ref(thing))
                return thing

            task = asyncio.create_task(executor.run(func))
            await gate.has_entered()
            await cancelled(task)
            del task
        await until(lambda: things and things[0]() is None)
        await settled(executor)

    async def test_job_is_freed_when_it_was_awaited(self) -> None:
        executor = BoundedExecutor(1)
        token = Thing()
        gone = weakref.ref(token)
        job = new_job(make, discard=lambda _, token=token: None)
        del token
        await run_job(executor, job)
        del job
        await until(lambda: gone() is None)

    async def test_context_of_a_call_is_not_kept_by_a_worker(self, kind: Kind) -> None:
        import contextvars

        executor, thing = kind(1), Thing()
        gone = weakref.ref(thing)
        variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
        token = variable.set(thing)
        await executor.run(int)
        variable.reset(token)
        del thing, token
        # The task of the test keeps nothing; what the event loop ran last does so until it runs the next.
        await until(lambda: gone() is None)

    async def test_event_loop_is_not_kept_by_an_executor(self, kind: Kind) -> None:
        executor, loops = kind(1), []

        def use() -> None:
            loop = asyncio.new_event_loop()
            loops.append(weakref.ref(loop))
            loop.run_until_complete(executor.run(int))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        await asyncio.to_thread(use)
        await executor.run(int)
        gc.collect()
        assert loops[0]() is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10's wait_for keeps what it waited for")
async def test_exception_that_arrives_through_wait_for_shows_no_argument(kind: Kind) -> None:
    error = await raised_by(asyncio.wait_for(kind(1).run(refuse, SECRET, password=SECRET), 10))
    assert SECRET not in seen_by_an_error_tracker(error)


async def test_arguments_do_not_show_where_no_event_loop_runs(kind: Kind) -> None:
    executor = kind(1)

    def drive() -> BaseException:
        coroutine = executor.run(print, SECRET, end=SECRET)
        with pytest.raises(RuntimeError, match="no running event loop") as caught:
            coroutine.send(None)
        return caught.value

    error = await asyncio.to_thread(drive)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame for frame in frames if "asyncsmtp_bridge" in frame.filename]
    assert ours
    assert SECRET not in str([frame.locals for frame in ours])
