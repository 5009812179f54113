"""Context variables: copied in for every call; one copy from the first step to the last."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import bridge
from tests.hop.gate import Gate, cancelled, until

from .conftest import Kind

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


class Tracing:
    """As tracing libraries do it: a token that only the same context can reset."""

    def __init__(self) -> None:
        self.reset: list[str] = []
        self.gate = Gate()

    def get(self) -> str:
        return request.get()

    def set(self) -> str:
        request.set("set")
        return request.get()

    def steps(self) -> Iterator[str]:
        token = request.set("inner")
        try:
            yield request.get()
            request.set("second")
            self.gate()
            yield request.get()
        finally:
            request.reset(token)
            self.reset.append(request.get())

    @contextmanager
    def span(self) -> Iterator[str]:
        token = request.set("inner")
        try:
            self.gate()
            yield request.get()
        finally:
            request.reset(token)
            self.reset.append(request.get())

    def __enter__(self) -> Tracing:
        self.token = request.set("inner")
        self.gate()
        return self

    def __exit__(self, *_: object) -> None:
        request.reset(self.token)
        self.reset.append(request.get())

    def __iter__(self) -> Iterator[str]:
        yield from self.steps()


@pytest.fixture
def tracing() -> Any:
    request.set("outer")
    tracing = Tracing()
    tracing.gate.open()
    return tracing


@pytest.fixture
def slow(tracing: Tracing) -> Any:
    with Gate() as gate:
        tracing.gate = gate
        yield tracing


async def test_a_call_sees_what_its_caller_has_set(kind: Kind, tracing: Tracing) -> None:
    assert await bridge(tracing, executor=kind(1)).get() == "outer"
    assert await bridge(tracing.get, executor=kind(1))() == "outer"


async def test_what_a_call_sets_stays_there(kind: Kind, tracing: Tracing) -> None:
    executor = kind(1)
    proxy = bridge(tracing, executor=executor)
    assert await proxy.set() == "set"
    assert await proxy.get() == "outer"
    assert request.get() == "outer"


async def test_tasks_do_not_see_each_others(kind: Kind, tracing: Tracing) -> None:
    proxy = bridge(tracing, executor=kind(2))

    async def task(name: str) -> tuple[str, str]:
        request.set(name)
        return name, await proxy.get()

    assert await asyncio.gather(*(task(str(number)) for number in range(20))) == [
        (str(number), str(number)) for number in range(20)
    ]


async def test_construction_sees_what_its_caller_has_set(tracing: Tracing) -> None:
    class Made:
        def __init__(self) -> None:
            self.request = request.get()

    assert (await bridge(Made)()).request == "outer"


class TestGenerators:
    async def test_all_steps_are_in_one_context(self, kind: Kind, tracing: Tracing) -> None:
        assert [value async for value in bridge(tracing.steps, executor=kind(3))()] == ["inner", "second"]
        assert tracing.reset == ["outer"]
        assert request.get() == "outer"

    async def test_those_of_an_object_are_too(self, tracing: Tracing) -> None:
        assert [value async for value in bridge(tracing)] == ["inner", "second"]
        assert [value async for value in bridge(tracing).steps()] == ["inner", "second"]
        assert tracing.reset == ["outer", "outer"]

    async def test_it_is_a_copy_of_the_callers_at_the_first_step(self, tracing: Tracing) -> None:
        iterator = bridge(tracing.steps)()
        request.set("later")
        await iterator.__anext__()
        request.set("latest")
        await iterator.aclose()
        assert tracing.reset == ["later"]

    async def test_the_end_after_a_break_is_in_it(self, tracing: Tracing) -> None:
        async for _ in bridge(tracing.steps)():
            break
        await until(lambda: tracing.reset)
        assert tracing.reset == ["outer"]

    @pytest.mark.usefixtures("short_grace")
    async def test_the_end_after_a_cancellation_is_in_it(self, slow: Tracing) -> None:
        async def consume() -> None:
            async for _ in bridge(slow.steps)():
                pass

        task = asyncio.ensure_future(consume())
        await slow.gate.has_entered()
        await cancelled(task)
        slow.gate.open()
        await until(lambda: slow.reset)
        assert slow.reset == ["outer"]


class TestContextManagers:
    async def test_entering_and_leaving_are_in_one_context(self, kind: Kind, tracing: Tracing) -> None:
        async with bridge(tracing.span, executor=kind(3))() as value:
            assert value == "inner"
            assert request.get() == "outer"
        async with bridge(tracing, executor=kind(3)):
            pass
        async with bridge(tracing, executor=kind(3)).span():
            pass
        assert tracing.reset == ["outer"] * 3

    async def test_leaving_by_an_exception_is_too(self, tracing: Tracing) -> None:
        for manager in (bridge(tracing), bridge(tracing.span)()):
            with pytest.raises(ZeroDivisionError):
                async with manager:
                    _ = 1 // 0
        assert tracing.reset == ["outer"] * 2

    @pytest.mark.usefixtures("short_grace")
    @pytest.mark.parametrize("way", ["object", "function"])
    async def test_what_was_entered_for_nobody_is_left_in_it(self, way: str, slow: Tracing) -> None:
        manager = bridge(slow) if way == "object" else bridge(slow.span)()
        task = asyncio.ensure_future(manager.__aenter__())
        await slow.gate.has_entered()
        await cancelled(task)
        slow.gate.open()
        await until(lambda: slow.reset)
        assert slow.reset == ["outer"]

    async def test_it_is_a_copy_of_the_callers_on_entering(self, tracing: Tracing) -> None:
        manager = bridge(tracing.span)()
        request.set("later")
        async with manager:
            pass
        assert tracing.reset == ["later"]

    async def test_a_generator_of_ours_makes_one_as_well(self, tracing: Tracing) -> None:
        def steps() -> Iterator[str]:
            token = request.set("inner")
            try:
                yield request.get()
            finally:
                request.reset(token)
                tracing.reset.append(request.get())

        async with asynccontextmanager(bridge(steps))() as value:
            assert value == "inner"
        assert tracing.reset == ["outer"]

    async def test_two_tasks_in_one_proxy_have_each_their_own(self, tracing: Tracing) -> None:
        class Reentrant(Tracing):
            """With tokens by context, as a class has them that is made for that."""

            tokens: contextvars.ContextVar[Any] = contextvars.ContextVar("tokens")

            def __enter__(self) -> Any:
                self.tokens.set(request.set("inner"))
                return self

            def __exit__(self, *_: object) -> None:
                request.reset(self.tokens.get())
                self.reset.append(request.get())

        reentrant, first_in, second_in = Reentrant(), asyncio.Event(), asyncio.Event()
        proxy = bridge(reentrant)

        async def first() -> None:
            request.set("first")
            async with proxy:
                first_in.set()
                await second_in.wait()

        async def second() -> None:
            request.set("second")
            await first_in.wait()
            async with proxy:
                second_in.set()
                await one  # which leaves before this one

        one = asyncio.ensure_future(first())
        await second()
        assert reentrant.reset == ["first", "second"]
