"""`bridge` as a decorator: in a module, and in classes."""

from __future__ import annotations

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from asyncsmtp_bridge import bridge
from tests.hop.gate import Gate, cancelled


@bridge
def send(to: str) -> str:
    """Send."""
    return "to " + to


class Mailer:
    """Half migrated."""

    def __init__(self, prefix: str = "to ") -> None:
        self.prefix = prefix
        self.gate = Gate()

    @bridge
    def send(self, to: str) -> str:
        """Send it."""
        return self.prefix + to

    @bridge
    def wait(self, tag: str) -> Any:
        return self.gate(tag)

    @bridge
    def close(self) -> Any:
        return self.gate("close")

    @staticmethod
    @bridge
    def above(to: str) -> str:
        return "static " + to

    @bridge
    @staticmethod
    def below(to: str) -> str:
        return "static " + to

    @classmethod
    @bridge
    def made_above(cls, prefix: str) -> Mailer:
        return cls(prefix)

    @bridge
    @classmethod
    def made_below(cls, prefix: str) -> Mailer:
        return cls(prefix)

    @property
    @bridge
    def status_above(self) -> str:
        return self.prefix

    @bridge  # type: ignore[prop-decorator]
    @property
    def status_below(self) -> str:
        """How it is."""
        return self.prefix

    @status_below.setter
    def status_below(self, value: str) -> None:
        self.prefix = value

    @bridge
    def addresses(self) -> Iterator[str]:
        yield self.prefix + "anna"
        yield self.prefix + "bert"

    @bridge
    @contextmanager
    def session(self) -> Iterator[Mailer]:
        self.prefix = "in session "
        yield self
        self.prefix = "after session "


async def test_a_function_is_decorated() -> None:
    assert await send("bert") == "to bert"
    assert (send.__name__, send.__doc__) == ("send", "Send.")


async def test_options_are_given_through_a_partial() -> None:
    with Gate() as gate:

        @functools.partial(bridge, calls="serial")
        def one_by_one(tag: int) -> Any:
            return gate(tag)

        calls = [asyncio.ensure_future(one_by_one(number)) for number in range(3)]
        await gate.has_entered()
        gate.open()
        await asyncio.gather(*calls)
    assert gate.peak == 1


async def test_a_method_is_that_of_its_object() -> None:
    assert await Mailer("for ").send("bert") == "for bert"
    assert await Mailer.send(Mailer("by "), "bert") == "by bert"
    assert Mailer.send.__doc__ == "Send it."
    assert list(inspect.signature(Mailer("x").send).parameters) == ["to"]


async def test_static_methods_are_decorated_on_either_side() -> None:
    assert await Mailer().above("bert") == "static bert"
    assert await Mailer().below("bert") == "static bert"
    assert await Mailer.below("bert") == "static bert"


async def test_class_methods_are_decorated_on_either_side() -> None:
    class Special(Mailer): ...

    for make in (Special.made_above, Special.made_below):
        made = await make("for ")
        assert type(made) is Special
        assert made.prefix == "for "


async def test_a_property_is_awaited_and_can_be_set() -> None:
    mailer = Mailer()
    mailer.status_below = "for "  # type: ignore[method-assign, assignment]
    assert await mailer.status_above == "for "
    assert await mailer.status_below == "for "
    assert inspect.getdoc(inspect.getattr_static(Mailer, "status_below")) == "How it is."


async def test_a_generator_method_is_iterated() -> None:
    assert [address async for address in Mailer().addresses()] == ["to anna", "to bert"]


async def test_a_context_manager_method_is_entered() -> None:
    mailer = Mailer()
    async with mailer.session() as same:
        assert same is mailer
        assert mailer.prefix == "in session "
    assert mailer.prefix == "after session "


async def test_calls_on_one_object_run_one_at_a_time() -> None:
    mailer = Mailer()
    with mailer.gate as gate:
        calls = [asyncio.ensure_future(call) for call in (mailer.wait("first"), mailer.close(), mailer.wait("last"))]
        await gate.has_entered()
        gate.open()
        await asyncio.gather(*calls)
    assert gate.peak == 1
    assert gate.entered == ["first", "close", "last"]


async def test_calls_on_two_objects_run_side_by_side() -> None:
    one, other = Mailer(), Mailer()
    with one.gate, other.gate:
        calls = [asyncio.ensure_future(mailer.wait("")) for mailer in (one, other)]
        await one.gate.has_entered()
        await other.gate.has_entered()
        one.gate.open()
        other.gate.open()
        await asyncio.gather(*calls)


async def test_a_subclass_has_the_lane_of_the_object_too() -> None:
    class Special(Mailer):
        @bridge
        def more(self) -> Any:
            return self.gate("more")

    mailer = Special()
    with mailer.gate as gate:
        calls = [
            asyncio.ensure_future(call) for call in (mailer.more(), mailer.wait("inherited"), bridge(mailer).more())
        ]
        await gate.has_entered()
        gate.open()
        await asyncio.gather(*calls)
    assert gate.peak == 1


async def test_decorated_methods_and_a_bridge_of_the_object_share_its_lane() -> None:
    class Legacy:
        def __init__(self) -> None:
            self.gate = Gate()

        @bridge
        def old(self) -> Any:
            return self.gate("old")

        def new(self) -> Any:
            return self.gate("new")

    legacy = Legacy()
    with legacy.gate as gate:
        calls = [asyncio.ensure_future(call) for call in (legacy.old(), bridge(legacy).new(), bridge(legacy.new)())]
        await gate.has_entered()
        gate.open()
        await asyncio.gather(*calls)
    assert gate.peak == 1


async def test_methods_of_a_class_that_is_defined_in_a_function_have_the_lane_of_the_object() -> None:
    gate = Gate()

    @dataclass
    class Slotted:
        __slots__ = ("name",)
        name: str

        @bridge
        def wait(self) -> Any:
            return gate(self.name)

    it = Slotted("x")
    with gate:
        calls = [asyncio.ensure_future(it.wait()) for _ in range(3)]
        await gate.has_entered()
        gate.open()
        await asyncio.gather(*calls)
    assert gate.peak == 1


async def test_static_methods_run_side_by_side() -> None:
    gate = Gate()

    class Tools:
        @bridge
        @staticmethod
        def wait(tag: int) -> Any:
            return gate(tag)

    with gate:
        calls = [asyncio.ensure_future(Tools.wait(number)) for number in range(2)]
        await gate.has_entered(2)
        gate.open()
        await asyncio.gather(*calls)


async def test_an_abstract_method_stays_abstract() -> None:
    class Base(ABC):
        @bridge
        @abstractmethod
        def send(self, to: str) -> str: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]

    class Real(Base):
        @bridge
        def send(self, to: str) -> str:
            return "to " + to

    assert await Real().send("bert") == "to bert"


async def test_an_override_can_await_the_one_that_it_overrides() -> None:
    class Loud(Mailer):
        async def send(self, to: str) -> str:  # type: ignore[override]
            return (await super().send(to)).upper()

    assert await Loud().send("bert") == "TO BERT"


async def test_a_method_under_another_decorator_has_the_lane_of_its_object() -> None:
    gate = Gate()

    def logged(method: Any) -> Any:
        @functools.wraps(method)
        def call(self: Any, *args: Any) -> Any:
            return method(self, *args)

        return call

    class Legacy:
        @bridge
        @logged
        def wait(self, tag: int) -> Any:
            return gate(tag)

    legacy = Legacy()
    with gate:
        calls = [asyncio.ensure_future(legacy.wait(number)) for number in range(3)]
        await gate.has_entered()
        gate.open()
        assert await asyncio.gather(*calls) == [0, 1, 2]
    assert gate.peak == 1


async def test_a_call_that_waits_for_its_turn_is_withdrawn() -> None:
    mailer = Mailer()
    with mailer.gate as gate:
        first, second = asyncio.ensure_future(mailer.wait("first")), asyncio.ensure_future(mailer.wait("second"))
        await gate.has_entered()
        await cancelled(second)
        gate.open()
        await first
    assert gate.entered == ["first"]
