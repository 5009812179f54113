"""`run` has the contract of ``asyncio.to_thread``: results, exceptions, context."""

import asyncio
import contextvars
import functools
import threading
import traceback

import pytest

from asyncsmtp_bridge import BoundedExecutor

from .conftest import Kind
from .gate import settled, soon

variable = contextvars.ContextVar("variable", default="default")


class Private(BaseException):
    """As KeyboardInterrupt is: not an Exception."""


def raise_(error: BaseException) -> None:
    raise error


async def test_result_is_returned(kind: Kind) -> None:
    assert await kind(2).run(lambda: 42) == 42


async def test_positional_and_keyword_arguments_are_passed(kind: Kind) -> None:
    assert await kind(2).run(lambda *args, **kwargs: (args, kwargs), 1, 2, a=3) == ((1, 2), {"a": 3})


@pytest.mark.parametrize("name", ["func", "self", "args", "kwargs", "lane", "discard", "around", "job"])
async def test_keyword_arguments_may_have_the_names_of_the_package(kind: Kind, name: str) -> None:
    assert await kind(1).run(lambda **kwargs: kwargs, **{name: 1}) == {name: 1}


async def test_function_runs_in_another_thread(kind: Kind) -> None:
    assert await kind(2).run(threading.get_ident) != threading.get_ident()


async def test_event_loop_serves_others_while_a_call_blocks(kind: Kind) -> None:
    event = threading.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await kind(1).run(event.wait, 10)


async def test_exception_is_raised_as_it_is(kind: Kind) -> None:
    error = ValueError("as it is")
    with pytest.raises(ValueError, match="as it is") as caught:
        await kind(2).run(raise_, error)
    assert caught.value is error


async def test_exception_keeps_its_traceback_and_names_the_line_that_raised(kind: Kind) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        await kind(2).run(divide_by_zero)
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-1] == "divide_by_zero"


def divide_by_zero() -> float:
    return 1 / 0


async def test_exception_keeps_its_cause_and_context(kind: Kind) -> None:
    def func() -> None:
        try:
            divide_by_zero()
        except ZeroDivisionError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        await kind(2).run(func)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_exception_has_no_context_that_the_function_did_not_give_it(kind: Kind) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - whichever
        await kind(2).run(raise_, ValueError())
    assert caught.value.__context__ is None


async def test_base_exception_arrives_as_raised(kind: Kind) -> None:
    error = Private()
    with pytest.raises(Private) as caught:
        await kind(1).run(raise_, error)
    assert caught.value is error


async def test_base_exception_costs_no_slot(kind: Kind) -> None:
    executor = kind(1)
    for _ in range(3):
        with pytest.raises(Private):
            await executor.run(raise_, Private())
    assert await soon(executor.run(lambda: 1)) == 1


async def test_stop_iteration_becomes_a_runtime_error_with_the_cause(kind: Kind) -> None:
    executor = kind(1)
    with pytest.raises(RuntimeError, match="next raised StopIteration") as caught:
        await soon(executor.run(next, iter(())))
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_cancelled_error_from_the_function_does_not_cancel_the_caller(kind: Kind) -> None:
    task = asyncio.create_task(kind(1).run(raise_, asyncio.CancelledError("from the function")))
    await asyncio.wait([task])
    assert not task.cancelled()
    error = task.exception()
    assert isinstance(error, RuntimeError)
    assert "raise_ raised CancelledError" in str(error)
    assert isinstance(error.__cause__, asyncio.CancelledError)


async def test_exception_object_can_be_raised_a_second_time(kind: Kind) -> None:
    executor, error = kind(1), OSError(1, "again")
    for _ in range(2):
        with pytest.raises(OSError, match="again"):
            await executor.run(raise_, error)


async def test_context_variables_of_the_caller_are_seen(kind: Kind) -> None:
    variable.set("caller's")
    assert await kind(1).run(variable.get) == "caller's"


async def test_context_is_that_of_the_moment_of_the_call(kind: Kind) -> None:
    executor = kind(1)
    tasks = []
    for number in range(10):
        variable.set(str(number))
        tasks.append(asyncio.create_task(executor.run(variable.get)))
    assert await asyncio.gather(*tasks) == [str(number) for number in range(10)]


async def test_context_is_a_copy_of_which_nothing_leaks_back(kind: Kind) -> None:
    executor = kind(1)
    variable.set("before")
    await executor.run(variable.set, "in the worker")
    assert variable.get() == "before"
    assert await executor.run(variable.get) == "before"


async def test_one_context_can_be_used_by_calls_at_the_same_time(kind: Kind) -> None:
    barrier = threading.Barrier(3)
    variable.set("together")

    def func() -> str:
        barrier.wait(10)
        return variable.get()

    executor = kind(3)
    assert await asyncio.gather(*(executor.run(func) for _ in range(3))) == ["together"] * 3


@pytest.mark.parametrize(
    "func",
    [functools.partial(int, "7"), "7".__len__, type("Callable", (), {"__call__": lambda self: 7})()],
    ids=["partial", "bound method of C", "object"],
)
async def test_any_callable_runs(kind: Kind, func: object) -> None:
    assert await kind(1).run(func) in {7, 1}  # type: ignore[arg-type]


async def test_what_is_not_callable_raises_its_type_error_and_costs_no_slot(kind: Kind) -> None:
    executor = kind(1)
    with pytest.raises(TypeError, match="not callable"):
        await executor.run(None)  # type: ignore[arg-type]
    await settled(executor)
    assert executor.stats().failed == 1


@pytest.mark.parametrize("name", ["BoundedExecutor", "BoundedExecutor.shared"])
async def test_repr_tells_kind_name_and_state(name: str) -> None:
    executor = (BoundedExecutor if name == "BoundedExecutor" else BoundedExecutor.shared)(3, name="mail")
    assert repr(executor) == f"<{name} 'mail' size=3 0 running, 0 pending>"
    await executor.aclose()
    assert repr(executor) == f"<{name} 'mail' size=3 closed>"


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError)])
def test_size_that_cannot_work_is_refused(kind: Kind, size: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="size"):
        kind(size)


@pytest.mark.parametrize(("number", "error"), [(-1, ValueError), (True, TypeError), (1.0, TypeError), ("1", TypeError)])
def test_max_pending_that_cannot_work_is_refused(kind: Kind, number: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_pending"):
        kind(1, max_pending=number)
