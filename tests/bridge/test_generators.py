"""A generator becomes an async iterator, and so does an object that is iterated."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import smtplib
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, async_method, bridge
from tests.hop.gate import Gate

from .conftest import Kind
from .watched import Newsletter


async def test_it_gives_what_the_generator_gives_and_is_over() -> None:
    letter = Newsletter()
    letter.gate.open()
    assert [number async for number in letter.bridged()(4)] == [0, 1, 2, 3]
    await letter.is_over_once()


async def test_it_is_seen_to_be_an_async_generator_function() -> None:
    bridged = bridge(Newsletter().addresses)
    assert inspect.isasyncgenfunction(bridged)
    assert (bridged.__name__, bridged.__doc__) == ("addresses", "Give addresses.")
    assert list(inspect.signature(bridged).parameters) == ["count"]


async def test_nothing_runs_before_the_first_step() -> None:
    letter = Newsletter()
    iterator = letter.bridged()()
    await iterator.aclose()
    assert letter.ended == []


async def test_every_step_runs_in_a_worker(kind: Kind) -> None:
    def where() -> Iterator[str]:
        yield threading.current_thread().name
        yield threading.current_thread().name

    here = threading.current_thread().name
    assert here not in [name async for name in bridge(where, executor=kind(2))()]


async def test_an_exception_of_the_generator_arrives_as_raised() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise smtplib.SMTPDataError(554, b"no")

    got = []
    with pytest.raises(smtplib.SMTPDataError):
        async for number in bridge(fails)():
            got.append(number)  # noqa: PERF401
    assert got == [1]


async def test_stop_iteration_within_is_a_runtime_error_as_in_any_generator() -> None:
    def stops() -> Iterator[int]:
        yield 1
        next(iter(()))

    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        [number async for number in bridge(stops)()]


async def test_wrong_arguments_are_a_type_error_when_it_is_iterated() -> None:
    iterator = Newsletter().bridged()(1, 2)
    with pytest.raises(TypeError, match="positional argument"):
        await iterator.__anext__()


class TestTalkingToIt:
    async def test_what_is_sent_arrives(self) -> None:
        def echo() -> Generator[Any, Any, None]:
            got = yield "ready"
            while True:
                got = yield got

        iterator = bridge(echo)()
        assert await iterator.asend(None) == "ready"
        assert await iterator.asend("a") == "a"
        assert await iterator.__anext__() is None
        await iterator.aclose()

    async def test_what_is_thrown_can_be_handled(self) -> None:
        def handles() -> Iterator[str]:
            try:
                yield "ready"
            except ValueError as error:
                yield str(error)

        iterator = bridge(handles)()
        await iterator.__anext__()
        assert await iterator.athrow(ValueError("odd")) == "odd"
        with pytest.raises(StopAsyncIteration):
            await iterator.__anext__()

    async def test_what_is_thrown_and_not_handled_comes_back(self) -> None:
        letter = Newsletter()
        iterator, odd = letter.bridged()(), ValueError("odd")
        await iterator.__anext__()
        with pytest.raises(ValueError, match="odd") as caught:
            await iterator.athrow(odd)
        assert caught.value is odd
        assert letter.seen == [ValueError]
        await letter.is_over_once()

    async def test_it_serves_as_a_context_manager_for_asyncio(self) -> None:
        letter = Newsletter()
        async with contextlib.asynccontextmanager(letter.bridged())(1) as number:
            assert number == 0
            assert not letter.over.is_set()
        assert letter.over.is_set()

    async def test_a_cancellation_in_a_block_made_of_it_stays_a_cancellation(self) -> None:
        """As in web frameworks, where a dependency with a yield is made a context manager."""
        seen: list[type[BaseException]] = []

        def session() -> Iterator[int]:
            try:
                yield 1
            except BaseException as error:
                seen.append(type(error))
                raise

        inside = asyncio.Event()

        async def use() -> None:
            async with contextlib.asynccontextmanager(bridge(session))():
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(use())
        await inside.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert seen == [asyncio.CancelledError]


class Inbox:
    """Its own iterator, with other things to do: an object of that kind is not a generator."""

    def __init__(self) -> None:
        self.left = [1, 2, 3]
        self.log: list[object] = []

    def __iter__(self) -> Inbox:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def send(self, to: object) -> str:
        self.log.append(to)
        return "sent"

    def throw(self, what: object) -> str:
        self.log.append(what)
        return "thrown"

    def close(self) -> None:
        self.log.append("closed")


class TestObjects:
    async def test_an_object_is_iterated_in_workers(self) -> None:
        class Addresses:
            def __iter__(self) -> Iterator[str]:
                yield threading.current_thread().name

        [name] = [name async for name in bridge(Addresses())]
        assert name != threading.current_thread().name

    async def test_a_method_of_an_iterator_that_is_called_send_is_not_called(self) -> None:
        inbox = Inbox()
        got = []
        async for number in bridge(inbox):
            got.append(number)
            assert inbox.log == []
        assert got == [1, 2, 3]

    async def test_an_object_is_not_closed_because_somebody_has_seen_enough_of_it(self) -> None:
        inbox = Inbox()
        iterator = bridge(inbox).__aiter__()
        await iterator.__anext__()
        await iterator.aclose()
        assert inbox.log == []
        assert inbox.left == [2, 3]

    async def test_iterating_is_in_the_lane_of_the_object(self) -> None:
        class Slow:
            def __init__(self) -> None:
                self.gate = Gate()

            def __iter__(self) -> Iterator[Any]:
                yield self.gate("item")

            def send(self) -> None:
                self.gate("send")

        slow = Slow()
        proxy: Any = bridge(slow)
        with slow.gate as gate:
            sending = asyncio.ensure_future(proxy.send())
            await gate.has_entered()
            item = asyncio.ensure_future(proxy.__aiter__().__anext__())
            await asyncio.sleep(0)
            assert gate.entered == ["send"]
            gate.open()
            assert await item == "item"
            await sending
        assert gate.peak == 1

    async def test_what_cannot_be_iterated_says_so(self) -> None:
        with pytest.raises(TypeError, match="__aiter__"):
            async for _ in bridge(threading.Event()):
                pass


async def test_an_override_that_is_no_generator_runs_in_a_worker_too() -> None:
    class Face(AsyncBridge[Newsletter]):
        addresses = async_method(Newsletter.addresses)

    class FromDatabase(Newsletter):
        def addresses(self, count: int = 3) -> Any:
            self.ended.append(threading.current_thread().name)
            return [count]

    letter = FromDatabase()
    assert [number async for number in Face(letter).addresses(7)] == [7]
    assert letter.ended != [threading.current_thread().name]
