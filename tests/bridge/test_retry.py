"""`retry=`: every call is put through a policy, and waiting between attempts is done on the event loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
import smtplib
from typing import Any

import pytest
import tenacity

from asyncsmtp_bridge import AsyncBridge, BoundedExecutor, async_method, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, greylist
from tests.hop.gate import cancelled, soon

ARGUMENTS = (("bert", "x"), {"urgent": True})


class Flaky:
    """Fails at first."""

    def __init__(self, failures: int = 2) -> None:
        self.failures = failures
        self.tries: list[tuple[Any, ...]] = []

    def send(self, *args: Any, **kwargs: Any) -> str:
        self.tries.append((args, kwargs))
        if len(self.tries) <= self.failures:
            raise smtplib.SMTPServerDisconnected("gone")
        return "sent"

    def other(self) -> str:
        return "other"


class Face(AsyncBridge[Flaky]):
    send = async_method(Flaky.send)


def at_once(attempts: int = 3) -> Any:
    return tenacity.retry(stop=tenacity.stop_after_attempt(attempts), reraise=True)


class Waiting:
    """A policy that waits between attempts until it is told."""

    def __init__(self) -> None:
        self.waits, self.go_on = asyncio.Event(), asyncio.Event()
        self.policy = tenacity.retry(stop=tenacity.stop_after_attempt(3), sleep=self.sleep)

    async def sleep(self, _: float) -> None:
        self.waits.set()
        await self.go_on.wait()


WAYS: dict[str, Any] = {
    "function": lambda flaky, policy: bridge(functools.partial(flaky.send), retry=policy),
    "bound method": lambda flaky, policy: bridge(flaky.send, retry=policy),
    "proxy": lambda flaky, policy: bridge(flaky, retry=policy).send,
    "face": lambda flaky, policy: Face(flaky, retry=policy).send,
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_is_tried_again_with_the_same_arguments(way: str) -> None:
    flaky = Flaky()
    args, kwargs = ARGUMENTS
    assert await WAYS[way](flaky, at_once())(*args, **kwargs) == "sent"
    assert flaky.tries == [ARGUMENTS] * 3


@pytest.mark.parametrize("way", WAYS)
async def test_every_call_begins_anew(way: str) -> None:
    flaky = Flaky(1)
    send = WAYS[way](flaky, at_once(2))
    await send()
    flaky.tries.clear()
    assert await send() == "sent"


@pytest.mark.parametrize("way", WAYS)
async def test_the_last_failure_arrives_as_the_policy_says(way: str) -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected, match="gone"):
        await WAYS[way](Flaky(5), at_once())()
    with pytest.raises(tenacity.RetryError):
        await WAYS[way](Flaky(5), tenacity.retry(stop=tenacity.stop_after_attempt(2)))()


async def test_waiting_holds_neither_thread_nor_turn() -> None:
    flaky, waiting = Flaky(), Waiting()
    async with BoundedExecutor(1) as executor:
        proxy: Any = bridge(flaky, executor=executor, retry=waiting.policy)
        call = asyncio.ensure_future(proxy.send())
        await waiting.waits.wait()
        assert executor.stats().running == 0
        assert await soon(proxy.other()) == "other"
        assert await soon(bridge(flaky.other)()) == "other"
        waiting.go_on.set()
        assert await call == "sent"


@pytest.mark.usefixtures("endless_grace")
@pytest.mark.parametrize("way", WAYS)
async def test_a_cancellation_between_attempts_takes_effect_at_once(way: str) -> None:
    flaky, waiting = Flaky(), Waiting()
    call = asyncio.ensure_future(WAYS[way](flaky, waiting.policy)())
    await waiting.waits.wait()
    await cancelled(call)
    assert len(flaky.tries) == 1


async def test_a_cancelled_attempt_is_not_tried_again() -> None:
    flaky, waiting = Flaky(), Waiting()
    async with BoundedExecutor(1) as executor:
        from tests.hop.gate import Gate

        with Gate() as gate:
            blocker = asyncio.ensure_future(executor.run(gate))
            await gate.has_entered()
            call = asyncio.ensure_future(bridge(flaky.send, executor=executor, retry=waiting.policy)())
            await asyncio.sleep(0)
            await cancelled(call)
        await blocker
    assert flaky.tries == []


async def test_a_class_makes_objects_whose_calls_are_tried_again() -> None:
    flaky = await bridge(Flaky, retry=at_once())(2)
    assert await flaky.send() == "sent"


async def test_a_greylisted_recipient_is_delivered_to() -> None:
    def deliver(port: int) -> None:
        with smtplib.SMTP("localhost", port) as session:
            session.sendmail("anna@example.org", "bert@example.org", "x")

    policy = tenacity.retry(
        stop=tenacity.stop_after_attempt(3), retry=tenacity.retry_if_exception_type(smtplib.SMTPRecipientsRefused)
    )
    with SMTPTestServer(faults=[greylist()]) as server:
        await bridge(deliver, retry=policy)(server.port)
        assert len(server.messages) == 1


async def test_other_decorators_of_coroutine_functions_will_do() -> None:
    def twice(call: Any) -> Any:
        @functools.wraps(call)
        async def called(*args: Any) -> Any:
            return [await call(*args), await call(*args)]

        return called

    assert await bridge(len, retry=twice)("four") == [4, 4]


async def test_the_bare_decorator_of_tenacity_will_do() -> None:
    assert await bridge(Flaky(2).send, retry=tenacity.retry)() == "sent"


def test_it_has_name_and_signature_of_the_function_still() -> None:
    bridged: Any = bridge(Flaky().send, retry=at_once())
    assert bridged.__name__ == "send"
    assert inspect.signature(bridged) == inspect.signature(Flaky().send)
    assert inspect.iscoroutinefunction(bridged)


@pytest.mark.parametrize(
    "wrong",
    [
        functools.lru_cache,
        lambda call: None,
        lambda call: lambda *args: None,
        tenacity.Retrying(stop=tenacity.stop_after_attempt(2)),
        tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2)),
    ],
    ids=["lru_cache", "nothing", "synchronous", "Retrying", "AsyncRetrying"],
)
def test_what_decorates_no_coroutine_function_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="retry= takes a decorator for coroutine functions, such as retry_transient"):
        bridge(len, retry=wrong)


@pytest.mark.parametrize("wrong", [3, "tenacity", tenacity.stop_after_attempt(3), True])
def test_what_is_no_decorator_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"retry= takes a decorator"):
        bridge(len, retry=wrong)
