"""A class becomes something to make objects with, in a worker."""

from __future__ import annotations

import abc
import asyncio
import smtplib
import threading
from types import TracebackType
from typing import Any, ClassVar

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import Gate, cancelled, settled, soon, until

from .conftest import Kind


class CorpMailer:
    """Connects when it is made, as most do."""

    log: ClassVar[list[str]]
    gate: ClassVar[Gate]
    retries = 3

    def __init__(self, host: str = "mail", *, port: int = 25) -> None:
        self.host, self.port = host, port
        self.thread = threading.current_thread().name
        self.log.append("made")
        self.gate("make")

    @classmethod
    def from_url(cls, url: str) -> CorpMailer:
        return cls(*url.split(":")[:1], port=int(url.split(":")[1]))

    @staticmethod
    def version() -> str:
        return "1.0 of " + threading.current_thread().name

    @classmethod
    async def migrated(cls) -> str:
        return cls.__name__

    def send(self, to: str) -> str:
        return f"{to} via {self.host}"

    def where(self) -> str:
        return threading.current_thread().name

    def __enter__(self) -> CorpMailer:
        self.log.append("entered")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.append("left")

    def close(self) -> None:
        self.log.append("closed by " + threading.current_thread().name)


@pytest.fixture(autouse=True)
def gate() -> Any:
    CorpMailer.log = []
    CorpMailer.gate = Gate()
    with CorpMailer.gate as gate:
        gate.open()
        yield gate


@pytest.fixture
def shut() -> Any:
    with Gate() as gate:
        CorpMailer.gate = gate
        yield gate


class TestMaking:
    async def test_it_is_made_in_a_worker(self, kind: Kind) -> None:
        mailer = await bridge(CorpMailer, executor=kind(1))("mx", port=587)
        assert (mailer.host, mailer.port) == ("mx", 587)
        assert mailer.thread != threading.current_thread().name
        assert await mailer.send("bert") == "bert via mx"

    async def test_it_is_made_entered_and_left_by_async_with(self) -> None:
        async with bridge(CorpMailer)("mx") as mailer:
            assert await mailer.send("bert") == "bert via mx"
        assert CorpMailer.log == ["made", "entered", "left"]

    async def test_nothing_is_made_before_it_is_awaited(self) -> None:
        mailer = bridge(CorpMailer)("mx")
        assert CorpMailer.log == []
        assert repr(mailer) == "<AsyncCorpMailer of <not made yet>>"
        with pytest.raises(RuntimeError, match=r"write 'it = await bridge\(CorpMailer\)\(...\)'"):
            await mailer.send("bert")
        with pytest.raises(RuntimeError, match="not made yet"):
            _ = mailer.__wrapped__
        assert not hasattr(mailer, "host")

    async def test_it_is_made_once_however_often_it_is_awaited(self) -> None:
        mailer = bridge(CorpMailer)()
        assert await asyncio.gather(*(soon(_awaited(mailer)) for _ in range(4))) == [mailer] * 4
        async with mailer:
            assert await mailer is mailer
        assert CorpMailer.log.count("made") == 1

    async def test_construction_and_calls_of_one_that_is_bound_to_a_thread_are_on_one_thread(self) -> None:
        class ThreadBound(CorpMailer):
            def __enter__(self) -> Any:
                assert threading.current_thread().name == self.thread
                return self

            __exit__ = lambda self, *_: self.log.append(self.where())  # noqa: E731

        async with BoundedExecutor(1) as executor:
            async with bridge(ThreadBound, executor=executor)() as mailer:
                assert {await mailer.where() for _ in range(5)} == {mailer.thread}
            assert CorpMailer.log[-1] == mailer.thread

    async def test_an_exception_on_making_arrives_and_it_can_be_tried_again(self) -> None:
        class Unreliable(CorpMailer):
            def __init__(self) -> None:
                super().__init__()
                if self.log.count("made") == 1:
                    raise OSError("no route")

        mailer = bridge(Unreliable)()
        with pytest.raises(OSError, match="no route"):
            await mailer
        assert (await mailer).host == "mail"

    async def test_wrong_arguments_are_a_type_error_when_it_is_awaited(self) -> None:
        mailer = bridge(CorpMailer)(hst="mx")
        with pytest.raises(TypeError, match="hst"):
            await mailer

    async def test_an_abstract_class_says_what_is_missing(self) -> None:
        class Base(abc.ABC):
            @abc.abstractmethod
            def send(self) -> None: ...

        with pytest.raises(TypeError, match="abstract"):
            await bridge(Base)()

    async def test_a_class_without_an_exit_is_not_entered(self) -> None:
        with pytest.raises((TypeError, AttributeError), match=r"__aenter__|asynchronous context manager"):
            async with bridge(threading.Event)():
                pass


async def _awaited(mailer: Any) -> Any:
    return await mailer


class TestFactories:
    async def test_a_class_method_that_returns_an_object_gives_a_bridged_one(self) -> None:
        mailer = await bridge(CorpMailer).from_url("mx:587")
        assert (mailer.port, type(mailer.__wrapped__)) == (587, CorpMailer)
        assert await mailer.send("bert") == "bert via mx"

    async def test_other_methods_of_the_class_are_awaitable(self) -> None:
        assert threading.current_thread().name not in await bridge(CorpMailer).version()
        assert await bridge(CorpMailer).migrated() == "CorpMailer"

    def test_attributes_of_the_class_are_there(self) -> None:
        assert bridge(CorpMailer).retries == 3
        assert not hasattr(bridge(CorpMailer), "no_such")
        assert {"from_url", "retries"} <= set(dir(bridge(CorpMailer)))

    def test_it_says_what_it_is(self) -> None:
        factory = bridge(CorpMailer)
        assert repr(factory) == "bridge(CorpMailer)"
        assert factory.__wrapped__ is CorpMailer
        assert factory.__doc__ == CorpMailer.__doc__

    async def test_a_function_that_makes_an_object_can_be_awaited_and_bridged(self) -> None:
        def make() -> CorpMailer:
            return CorpMailer("mx")

        assert await bridge(await bridge(make)()).send("bert") == "bert via mx"

    async def test_an_object_that_a_class_method_made_for_nobody_is_closed(self, shut: Gate) -> None:
        async with BoundedExecutor(1) as executor:
            factory = bridge(CorpMailer, executor=executor, on_cancel="abandon")
            task = asyncio.ensure_future(factory.from_url("mx:587"))
            await shut.has_entered()
            await cancelled(task)
            shut.open()
            await settled(executor)
        assert CorpMailer.log[0] == "made"
        assert CorpMailer.log[1:] != []


class TestCancelled:
    async def test_while_being_made_it_is_closed_by_the_worker(self, kind: Kind, shut: Gate) -> None:
        executor = kind(1)
        mailer = bridge(CorpMailer, executor=executor, on_cancel="abandon")()
        task = asyncio.ensure_future(_awaited(mailer))
        await shut.has_entered()
        await cancelled(task)
        shut.open()
        await until(lambda: len(CorpMailer.log) == 2)
        await settled(executor)
        assert CorpMailer.log[1].startswith("closed by ")
        assert threading.current_thread().name not in CorpMailer.log[1]
        assert repr(mailer) == "<AsyncCorpMailer of <not made yet>>"
        await mailer  # made anew
        assert CorpMailer.log[2:] == ["made"]

    async def test_of_two_that_await_it_one_may_go(self, shut: Gate) -> None:
        mailer = bridge(CorpMailer, on_cancel="abandon")()
        first, second = (asyncio.ensure_future(_awaited(mailer)) for _ in range(2))
        await shut.has_entered()
        await cancelled(first)
        shut.open()
        assert (await second).host == "mail"
        made = [line for line in CorpMailer.log if line == "made"]
        closed = [line for line in CorpMailer.log if line != "made"]
        assert len(made) == len(closed) + 1

    async def test_before_it_is_made_nothing_is(self) -> None:
        async with BoundedExecutor(1) as executor:
            with Gate() as busy:
                blocker = asyncio.ensure_future(executor.run(busy))
                await busy.has_entered()
                task = asyncio.ensure_future(_awaited(bridge(CorpMailer, executor=executor)()))
                await asyncio.sleep(0)
                await cancelled(task)
            await blocker
        assert CorpMailer.log == []

    async def test_one_without_close_is_dropped(self, shut: Gate) -> None:
        class Plain:
            def __init__(self) -> None:
                shut()

        async with BoundedExecutor(1) as executor:
            task = asyncio.ensure_future(_awaited(bridge(Plain, executor=executor, on_cancel="abandon")()))
            await shut.has_entered()
            await cancelled(task)
            shut.open()
            await settled(executor)
            assert await executor.run(int) == 0

    async def test_while_entering_fails_what_was_made_is_closed(self) -> None:
        entering = Gate()

        class Half(CorpMailer):
            def __enter__(self) -> Any:
                entering()
                raise OSError("refused")

        async def use() -> None:
            async with bridge(Half, executor=executor, on_cancel="abandon")():
                raise AssertionError

        executor = BoundedExecutor(1)
        with entering:
            task = asyncio.ensure_future(use())
            await entering.has_entered()
            await cancelled(task)
        await settled(executor)
        await executor.aclose()
        assert [line.partition(" ")[0] for line in CorpMailer.log] == ["made", "closed"]

    async def test_while_it_connects_to_a_silent_server_it_is_aborted(self) -> None:
        class Connecting:
            def __init__(self, port: int) -> None:
                self.session = smtplib.SMTP("localhost", port, timeout=60)

        async with BoundedExecutor(1) as executor:
            with SMTPTestServer(faults=[silence("greeting")]) as server:
                task = asyncio.ensure_future(_awaited(bridge(Connecting, executor=executor)(server.port)))
                await server.reached("greeting")
                await soon(cancelled(task))
                assert executor.stats().running == 0
