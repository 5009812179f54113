"""Calls on one object run one at a time, in their order, however it is reached."""

from __future__ import annotations

import asyncio
import gc
import smtplib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, BoundedExecutor, async_method, bridge
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.hop.gate import Gate, cancelled, in_thread, soon, until

from .conftest import Kind


class Transport:
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def connect(self, tag: Any = "connect") -> Any:
        return self.gate(tag)


class CorpMailer:
    def __init__(self) -> None:
        self.gate = Gate()
        self.transport = Transport(self.gate)

    def send(self, tag: Any = "send") -> Any:
        return self.gate(tag)

    def get_transport(self) -> Transport:
        return self.transport


@pytest.fixture
def mailer() -> Any:
    mailer = CorpMailer()
    with mailer.gate:
        yield mailer


async def one_at_a_time(gate: Gate, *calls: Any) -> bool:
    """Whether of calls that are made in this order each waits for the one before."""
    tasks = []
    for call in calls:
        tasks.append(asyncio.ensure_future(call))
        await asyncio.sleep(0)
    for number in range(len(tasks)):
        await gate.has_entered(number + 1)
        gate.let_through()
    await asyncio.gather(*tasks)
    return gate.peak == 1


async def side_by_side(gate: Gate, *calls: Any) -> None:
    tasks = [asyncio.ensure_future(call) for call in calls]
    await gate.has_entered(len(tasks))
    gate.open()
    await asyncio.gather(*tasks)


class Face(AsyncBridge[CorpMailer]):
    send = async_method(CorpMailer.send)


async def test_calls_on_one_proxy_run_in_their_order(kind: Kind, mailer: CorpMailer) -> None:
    proxy = bridge(mailer, executor=kind(4))
    assert await one_at_a_time(mailer.gate, *(proxy.send(number) for number in range(5)))
    assert mailer.gate.entered == list(range(5))


WAYS: dict[str, Callable[[Any], Any]] = {
    "a bridge for every call": lambda mailer: bridge(mailer).send(),
    "a bridge with other options": lambda mailer: bridge(mailer, passthrough=("close",), on_cancel="wait").send(),
    "a bound method": lambda mailer: bridge(mailer.send)(),
    "a face": lambda mailer: Face(mailer).send(),
    "an attribute that is nested": lambda mailer: bridge(mailer, nested=("transport",)).transport.connect(),
    "another executor": lambda mailer: bridge(mailer, executor=BoundedExecutor(1)).send(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_calls_wait_for_each_other_through(way: str, mailer: CorpMailer) -> None:
    use, proxy = WAYS[way], bridge(mailer)
    assert await one_at_a_time(mailer.gate, proxy.send(), use(mailer), proxy.send(), use(mailer))


async def test_what_a_nested_method_returns_is_in_the_lane(mailer: CorpMailer) -> None:
    proxy = bridge(mailer, nested=("get_transport",))
    transport = await proxy.get_transport()
    del proxy
    gc.collect()
    assert await one_at_a_time(mailer.gate, bridge(mailer).send(), transport.connect(), bridge(mailer).send())


async def test_all_ways_at_once_keep_the_order(mailer: CorpMailer) -> None:
    assert await one_at_a_time(mailer.gate, *(use(mailer) for use in list(WAYS.values()) * 2))


async def test_different_objects_do_not_wait_for_each_other() -> None:
    gate = Gate()
    with gate:
        await side_by_side(gate, *(bridge(Transport(gate)).connect() for _ in range(3)))


async def test_equal_objects_do_not_wait_for_each_other() -> None:
    class Equal(Transport):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    with Gate() as gate:
        await side_by_side(gate, *(bridge(Equal(gate)).connect() for _ in range(3)))


async def test_an_object_with_slots_has_one_lane() -> None:
    class Slotted:
        __slots__ = ("gate",)

        def send(self) -> Any:
            return self.gate()  # type: ignore[attr-defined]

    slotted: Any = Slotted()
    with Gate() as gate:
        slotted.gate = gate
        assert await one_at_a_time(
            gate, bridge(slotted).send(), bridge(slotted.send)(), bridge(slotted).send(), bridge(slotted.send)()
        )


async def test_loops_in_several_threads_share_the_lane(kind: Kind, mailer: CorpMailer) -> None:
    executor = kind(8)

    async def work() -> None:
        await asyncio.gather(*(bridge(mailer, executor=executor).send() for _ in range(50)))

    mailer.gate.open()
    with in_thread(lambda: asyncio.run(work())), in_thread(lambda: asyncio.run(work())):
        await work()
    assert mailer.gate.peak == 1
    assert len(mailer.gate.entered) == 150


async def test_on_request_calls_run_side_by_side(mailer: CorpMailer) -> None:
    proxy = bridge(mailer, calls="concurrent")
    await side_by_side(mailer.gate, proxy.send(), proxy.send(), bridge(mailer.send, calls="concurrent")())


async def test_on_request_the_calls_of_a_made_object_run_side_by_side() -> None:
    mailer = await bridge(CorpMailer, calls="concurrent")()
    with mailer.__wrapped__.gate as gate:
        await side_by_side(gate, mailer.send(), mailer.send())


async def test_a_made_object_has_its_lane_for_everybody() -> None:
    mailer = await bridge(CorpMailer)()
    with mailer.__wrapped__.gate as gate:
        assert await one_at_a_time(gate, mailer.send(), bridge(mailer.__wrapped__).send(), mailer.send())


async def test_a_busy_object_takes_one_slot(mailer: CorpMailer) -> None:
    async with BoundedExecutor(2) as executor:
        proxy = bridge(mailer, executor=executor)
        calls = [asyncio.ensure_future(proxy.send()) for _ in range(5)]
        await mailer.gate.has_entered()
        assert await soon(bridge(len, executor=executor)("four")) == 4
        assert executor.stats().running == 1
        mailer.gate.open()
        await asyncio.gather(*calls)


@pytest.mark.usefixtures("short_grace")
async def test_the_turn_is_over_when_the_thread_is_back(mailer: CorpMailer) -> None:
    proxy = bridge(mailer)
    first = asyncio.ensure_future(proxy.send("first"))
    await mailer.gate.has_entered()
    await cancelled(first)
    second = asyncio.ensure_future(bridge(mailer).send("second"))
    await asyncio.sleep(0)
    assert mailer.gate.entered == ["first"]
    mailer.gate.open()
    assert await second == "second"
    assert mailer.gate.peak == 1


class TestFunctions:
    async def test_calls_run_side_by_side(self) -> None:
        with Gate() as gate:

            def func() -> Any:
                return gate()

            bridged = bridge(func)
            await side_by_side(gate, bridged(), bridged(), bridged())

    async def test_on_request_they_run_one_at_a_time_through_all_bridges(self) -> None:
        with Gate() as gate:

            def func(tag: int) -> Any:
                return gate(tag)

            bridges = [bridge(func, calls="serial") for _ in range(2)]
            assert await one_at_a_time(gate, *(bridges[number % 2](number) for number in range(4)))

    async def test_the_steps_of_two_generators_run_side_by_side(self) -> None:
        with Gate() as gate:

            def generate() -> Any:
                yield gate()

            bridged = bridge(generate)
            await side_by_side(gate, *(bridged().__anext__() for _ in range(2)))

    async def test_between_two_steps_of_a_generator_the_lane_is_free(self, mailer: CorpMailer) -> None:
        class Letter(CorpMailer):
            def addresses(self) -> Any:
                yield "anna"
                yield "bert"

        letter = Letter()
        letter.gate.open()
        got = []
        proxy: Any = bridge(letter)
        async for to in proxy.addresses():
            got.append(await soon(proxy.send(to)))  # noqa: PERF401
        assert got == ["anna", "bert"]


class OneSession:
    """Not safe to use from two threads: one connection, one conversation."""

    def __init__(self, port: int) -> None:
        self.session = smtplib.SMTP("localhost", port)
        self.session.ehlo()

    def send(self, to: str) -> None:
        self.session.mail("anna@example.org")
        self.session.rcpt(to)
        self.session.data("Subject: x\n\nfor " + to + "\n")

    def close(self) -> None:
        self.session.quit()


async def test_a_singleton_that_is_bridged_anew_for_every_call_delivers_to_each_his_own(kind: Kind) -> None:
    executor = kind(8)
    with SMTPTestServer() as server:
        single = await asyncio.to_thread(OneSession, server.port)

        async def work(task: int) -> None:
            for number in range(5):
                await bridge(single, executor=executor).send(f"{task}.{number}@example.org")

        await asyncio.gather(*(work(task) for task in range(8)))
        await bridge(single, executor=executor).close()
        assert len(server.messages) == 40
        for received in server.messages:
            assert f"for {received.rcpt_tos[0]}".encode() in received.content


async def test_withdrawn_calls_lose_no_turn(mailer: CorpMailer) -> None:
    calls = [asyncio.ensure_future(bridge(mailer).send(number)) for number in range(6)]
    await mailer.gate.has_entered()
    await cancelled(calls[1])
    await cancelled(calls[4])
    mailer.gate.open()
    await asyncio.wait(calls)
    assert mailer.gate.entered == [0, 2, 3, 5]


async def test_threads_that_bridge_at_once_get_one_lane() -> None:
    for _ in range(20):
        target, barrier, found = Transport(Gate()), threading.Barrier(3), []

        def ask(target: Any = target, barrier: Any = barrier, found: list[Any] = found) -> None:
            barrier.wait(10)
            found.append(bridge(target)._lane)

        with in_thread(ask), in_thread(ask):
            ask()
        await until(lambda found=found: len(found) == 3)
        assert len(set(map(id, found))) == 1
