"""A function, or anything else that is called, becomes a coroutine function."""

from __future__ import annotations

import asyncio
import functools
import inspect
import operator
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.hop.gate import Gate, cancelled, until


def send(to: str, /, text: str = "hello", *, urgent: bool = False) -> tuple[str, str, bool]:
    """Send a text.

    To somebody.
    """
    return to, text, urgent


async def test_it_takes_the_same_arguments_and_returns_the_same_result() -> None:
    assert await bridge(send)("bert", "x", urgent=True) == ("bert", "x", True)


async def test_it_runs_in_a_worker_of_the_executor() -> None:
    async with BoundedExecutor(1, name="mail") as executor:
        assert (await bridge(threading.current_thread, executor=executor)()).name.startswith("mail-")


def test_it_has_name_documentation_and_signature_of_the_function() -> None:
    bridged = bridge(send)
    assert (bridged.__name__, bridged.__doc__, bridged.__module__) == ("send", send.__doc__, __name__)
    assert inspect.signature(bridged) == inspect.signature(send)
    assert bridged.__wrapped__ is send  # type: ignore[attr-defined]


def test_it_is_seen_to_be_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(bridge(send))


def test_attributes_of_the_function_are_there() -> None:
    def task() -> None: ...

    task.queue = "mail"  # type: ignore[attr-defined]
    assert bridge(task).queue == "mail"  # type: ignore[attr-defined]


async def test_an_exception_arrives_as_raised() -> None:
    error = OSError("no route")

    def fail() -> None:
        raise error

    with pytest.raises(OSError, match="no route") as caught:
        await bridge(fail)()
    assert caught.value is error


async def test_wrong_arguments_are_a_type_error_when_it_is_awaited() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'prio'"):
        await bridge(send)("bert", prio=1)  # type: ignore[call-arg]


async def test_stop_iteration_does_not_look_like_the_end_of_something() -> None:
    with pytest.raises(RuntimeError, match="next raised StopIteration"):
        await bridge(next)(iter(()))


@pytest.mark.parametrize(
    ("func", "arguments", "result"),
    [
        (lambda to: "to " + to, ("bert",), "to bert"),
        (functools.partial(send, "bert", urgent=True), ("x",), ("bert", "x", True)),
        (functools.partial(functools.partial(send, "bert"), "x"), (), ("bert", "x", False)),
        (functools.lru_cache(len), ("four",), 4),
        (len, ("four",), 4),
        ("-".join, (["a", "b"],), "a-b"),
        (str.upper, ("a",), "A"),
        (dict.fromkeys, (["a"],), {"a": None}),
        (operator.itemgetter(1), ("ab",), "b"),
        ((5).__add__, (2,), 7),
    ],
    ids=["lambda", "partial", "nested partial", "cached", "builtin", "bound", "unbound", "class method", "C", "slot"],
)
async def test_whatever_can_be_called_can_be_awaited(func: Any, arguments: tuple[Any, ...], result: Any) -> None:
    assert await bridge(func)(*arguments) == result


def test_a_partial_has_the_signature_that_is_left() -> None:
    bridged: Any = bridge(functools.partial(send, "bert"))
    assert inspect.signature(bridged) == inspect.signature(functools.partial(send, "bert"))
    assert bridged.__name__ == "send"


async def test_a_cached_function_is_called_once() -> None:
    calls = []

    @functools.lru_cache
    def look_up(name: str) -> str:
        calls.append(name)
        return name

    bridged = bridge(look_up)
    assert [await bridged("mx"), await bridged("mx")] == ["mx", "mx"]
    assert calls == ["mx"]


async def test_a_bound_method_is_that_of_its_object() -> None:
    sent: list[str] = []
    await bridge(sent.append)("bert")
    assert sent == ["bert"]


async def test_a_callable_object_is_called_and_keeps_its_methods() -> None:
    class Sender:
        def __call__(self, to: str) -> str:
            return "to " + to

        def verify(self) -> int:
            return 250

    sender: Any = bridge(Sender())
    assert await sender("bert") == "to bert"
    assert await sender.verify() == 250


class TestWhatIsAwaitedAlready:
    def test_a_coroutine_function_is_returned_as_it_is(self) -> None:
        async def migrated() -> None: ...

        assert bridge(migrated) is migrated
        bound = functools.partial(migrated)
        assert bridge(bound) is bound

    def test_an_async_generator_function_is_returned_as_it_is(self) -> None:
        async def migrated() -> Any:
            yield 1

        assert bridge(migrated) is migrated

    def test_what_was_bridged_is_returned_as_it_is(self) -> None:
        bridged = bridge(send)
        assert bridge(bridged) is bridged
        proxy = bridge(threading.Event())
        assert bridge(proxy) is proxy
        factory = bridge(threading.Thread)
        assert bridge(factory) is factory

    async def test_a_function_that_returns_a_coroutine_is_awaited_to_its_end(self) -> None:
        async def migrated(to: str) -> str:
            return "to " + to

        assert await bridge(lambda: migrated("bert"))() == "to bert"


async def news_of(waiting: Any) -> Any:
    """What is known of a call whose awaiter is cancelled."""
    with pytest.raises(asyncio.CancelledError) as caught:
        await waiting
    return caught.value.call  # type: ignore[attr-defined]


class TestCancelling:
    async def test_a_call_that_waits_for_a_slot_never_runs(self) -> None:
        ran: list[str] = []
        async with BoundedExecutor(1) as executor:
            with Gate() as gate:
                blocker = asyncio.ensure_future(executor.run(gate))
                await gate.has_entered()
                call = asyncio.ensure_future(bridge(ran.append, executor=executor)("bert"))
                await asyncio.sleep(0)
                await cancelled(call)
            await blocker
        assert ran == []

    @pytest.mark.usefixtures("endless_grace")
    async def test_a_call_that_is_blocked_in_smtp_is_ended(self) -> None:
        import smtplib

        def deliver(port: int) -> None:
            smtplib.SMTP("localhost", port, timeout=60).sendmail("anna@example.org", "bert@example.org", "x")

        with SMTPTestServer(faults=[silence("RCPT")]) as server:
            async with BoundedExecutor(1) as executor:
                call = asyncio.ensure_future(news_of(bridge(deliver, executor=executor)(server.port)))
                await server.reached("RCPT")
                call.cancel()
                known = await call
                assert executor.stats().running == 0
            assert server.messages == []
        assert (known.began, known.returned, type(known.error)) == (True, True, smtplib.SMTPServerDisconnected)

    async def test_waiting_for_it_gives_its_result_with_the_cancellation(self) -> None:
        with Gate() as gate:
            call = asyncio.ensure_future(news_of(bridge(gate, on_cancel="wait")("done")))
            await gate.has_entered()
            call.cancel()
            await asyncio.sleep(0)
            assert not call.done()
            gate.open()
            assert (await call).result == "done"

    @pytest.mark.usefixtures("endless_grace")
    async def test_abandoning_it_frees_the_caller_at_once(self) -> None:
        with Gate() as gate:
            call = asyncio.ensure_future(bridge(gate, on_cancel="abandon")())
            await gate.has_entered()
            await cancelled(call)
            assert gate.inside == 1
        await until(lambda: not gate.inside)
