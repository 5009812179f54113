"""`around`: a context manager entered around every call, in the worker, in the context of the call."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Iterator

import pytest

from asyncsmtp_bridge import configure

from .conftest import Kind
from .gate import soon
from .test_contract import Private, divide_by_zero, raise_

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


@contextlib.contextmanager
def within() -> Iterator[None]:
    token = variable.set("within")
    try:
        yield
    finally:
        # Raises ValueError if this is not the context in which it was set.
        variable.reset(token)


async def test_around_is_entered_in_the_context_of_the_call(kind: Kind) -> None:
    executor = kind(1, around=within)
    assert await executor.run(variable.get) == "within"
    assert variable.get() == "outside"


async def test_around_sees_the_context_of_the_caller(kind: Kind) -> None:
    seen = []

    @contextlib.contextmanager
    def look() -> Iterator[None]:
        seen.append(variable.get())
        yield

    variable.set("caller's")
    await kind(1, around=look).run(int)
    assert seen == ["caller's"]


async def test_around_is_entered_and_left_in_the_worker_for_each_call(kind: Kind) -> None:
    log: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def record() -> Iterator[None]:
        log.append(("enter", threading.get_ident()))
        yield
        log.append(("leave", threading.get_ident()))

    executor = kind(1, around=record)
    workers = [await executor.run(threading.get_ident) for _ in range(2)]
    assert log == [(what, worker) for worker in workers for what in ("enter", "leave")]
    assert threading.get_ident() not in workers


async def test_around_is_left_when_the_function_raises_and_sees_the_exception(kind: Kind) -> None:
    seen: list[BaseException] = []

    @contextlib.contextmanager
    def record() -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError as error:
            seen.append(error)
            raise

    with pytest.raises(ZeroDivisionError):
        await kind(1, around=record).run(divide_by_zero)
    assert len(seen) == 1


@pytest.mark.parametrize("error", [OSError("no database"), Private("no database"), StopIteration()])
async def test_around_that_cannot_be_made_fails_the_call_and_costs_no_slot(kind: Kind, error: BaseException) -> None:
    ran: list[int] = []
    executor = kind(1, around=lambda: raise_(error))
    for _ in range(3):
        with pytest.raises(BaseException, match=r"no database|raised StopIteration"):
            await soon(executor.run(ran.append, 1))
    assert ran == []
    assert executor.stats().failed == 3


async def test_around_that_fails_on_leaving_fails_the_call(kind: Kind) -> None:
    @contextlib.contextmanager
    def fails() -> Iterator[None]:
        yield
        raise OSError("could not close")

    with pytest.raises(OSError, match="could not close"):
        await kind(1, around=fails).run(int)


async def test_around_counts_as_running_time_of_the_call(kind: Kind) -> None:
    entered, leave = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def slow() -> Iterator[None]:
        yield
        entered.set()
        leave.wait(10)

    executor = kind(1, around=slow)
    task = asyncio.create_task(executor.run(int))
    # On a thread of its own: the event loop's may be what the executor shares.
    await asyncio.gather(asyncio.to_thread(entered.wait, 10))
    assert executor.stats().running == 1
    leave.set()
    assert await task == 0


async def test_around_from_configure_is_used_where_none_is_given(kind: Kind) -> None:
    configure(around=within)
    assert await kind(1).run(variable.get) == "within"
    assert await kind(1, around=contextlib.nullcontext).run(variable.get) == "outside"
