"""How long is waited between two attempts, when it is enough, and what ends a wait."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, Outcome, bridge, classify, retry_transient, wait_transient
from asyncsmtp_bridge.outcome import CancelledCall
from asyncsmtp_bridge.testing import SMTPTestServer, drop, greylist, hold, refuse

from .sending import BERT, Sender, copies

BUSY = smtplib.SMTPConnectError(421, "4.3.2 Busy")
GREYLISTED = smtplib.SMTPRecipientsRefused({BERT: (450, b"4.2.0 Greylisted, see our page")})
IN_TEN_MINUTES = smtplib.SMTPRecipientsRefused({BERT: (451, b"4.7.1 Greylisted, try again in 10 minutes")})


def state_after(attempts: int, error: Exception) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempts
    state.set_exception((type(error), error, None))
    return state


@given(st.integers(1, 5000), st.floats(0, 100), st.floats(0, 1000))
def test_backoff_is_random_and_up_to_twice_as_long_each_time(attempts: int, initial: float, most: float) -> None:
    seconds = wait_transient(initial, most)(state_after(attempts, BUSY))
    assert 0 <= seconds <= most
    assert attempts > 60 or seconds <= initial * 2 ** (attempts - 1)


def test_the_jitter_is_full() -> None:
    waits = [wait_transient(1.0)(state_after(1, BUSY)) for _ in range(500)]
    assert min(waits) < 0.1
    assert 0.9 < max(waits) <= 1.0


def test_a_server_that_greylists_is_left_alone_for_longer() -> None:
    assert 300 <= wait_transient()(state_after(1, GREYLISTED)) <= 301
    assert 30 <= wait_transient(greylisted=30)(state_after(1, GREYLISTED)) <= 31


def test_a_time_that_the_server_asks_for_is_granted() -> None:
    assert 600 <= wait_transient()(state_after(1, IN_TEN_MINUTES)) <= 601


def test_it_can_be_added_to_waits_of_tenacitys() -> None:
    assert 310 <= (wait_transient() + tenacity.wait_fixed(10))(state_after(1, GREYLISTED)) <= 311
    assert 310 <= tenacity.wait_combine(wait_transient(), tenacity.wait_fixed(10))(state_after(1, GREYLISTED)) <= 311


@pytest.mark.parametrize("option", ["initial", "max", "greylisted"])
def test_a_time_that_is_none_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=rf"wait_transient\({option}=-1\): seconds, 0 or more"):
        wait_transient(**{option: -1})


# When it is enough.


def failing(policy: Any, error: Exception = BUSY) -> int:
    """Call a function that never succeeds; return how often it was called."""
    calls = []

    @policy
    def send() -> None:
        calls.append(1)
        raise type(error)(*error.args)

    with pytest.raises(type(error)):
        send()
    return len(calls)


class Waits:
    """A wait strategy that takes no time, and counts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = 0

    def __call__(self, _: tenacity.RetryCallState) -> float:
        self.asked += 1
        return self.seconds


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_so_many_attempts_are_made_and_the_wait_is_asked_for_once_each(attempts: int) -> None:
    waits = Waits(0)
    assert failing(retry_transient(attempts=attempts, wait=waits)) == attempts
    assert waits.asked in (attempts - 1, attempts)


def test_a_wait_that_would_last_beyond_the_end_is_not_begun() -> None:
    assert failing(retry_transient(max_delay=60, wait=Waits(61))) == 1
    assert failing(retry_transient(max_delay=60, attempts=None, wait=wait_in_order(0, 0, 61))) == 3


def wait_in_order(*seconds: float) -> Callable[[tenacity.RetryCallState], float]:
    return lambda state: seconds[state.attempt_number - 1]


def test_what_greylists_is_given_up_where_time_does_not_allow_for_it() -> None:
    assert failing(retry_transient(max_delay=60), GREYLISTED) == 1


def test_a_stop_of_tenacitys_counts_the_time_from_the_beginning_of_the_first_attempt() -> None:
    seen: list[float] = []

    def stop(state: tenacity.RetryCallState) -> bool:
        seen.append(state.start_time)
        return True

    with SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later")]) as server:
        before = time.monotonic()
        with pytest.raises(smtplib.SMTPSenderRefused):
            retry_transient(stop=stop)(Sender(server).send)()
        after = time.monotonic()
    assert before <= seen[0] < after


# What ends a wait.


class Waiting:
    """Tells when a wait begins."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def __call__(self, _: tenacity.RetryCallState) -> None:
        self.begun.set()

    def policy(self) -> Any:
        return retry_transient(wait=tenacity.wait_fixed(100), before_sleep=self)


WAYS = ["bridge", "coroutine function", "mirror"]


async def sent(way: str, server: SMTPTestServer, policy: Any) -> None:
    if way == "bridge":
        await bridge(Sender(server), retry=policy).send()
    elif way == "mirror":
        async with AsyncSMTP(server.host, server.port, retry=policy) as smtp:
            await smtp.sendmail("anna@example.org", [BERT], "x\r\n")
    else:
        await policy(bridge(Sender(server).send))()


@pytest.mark.parametrize("way", WAYS)
async def test_cancelling_ends_a_wait_at_once_and_tells_of_the_attempt_before(way: str) -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy")]) as server:
        waiting = Waiting()
        call = asyncio.ensure_future(sent(way, server, waiting.policy()))
        await waiting.begun.wait()
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0)
    failure = classify(caught.value)
    assert (failure.outcome, failure.code) == (Outcome.TRANSIENT, 450)


@pytest.mark.parametrize("way", WAYS)
async def test_a_deadline_ends_a_retried_call(way: str) -> None:
    loop = asyncio.get_running_loop()
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy")]) as server:
        began = loop.time()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sent(way, server, retry_transient(wait=tenacity.wait_fixed(100))), 0.1)
        assert loop.time() - began < 50  # of a hundred; that it is a tenth, the benchmarks say


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(refuse("MAIL", "451 4.3.0 Later"), Outcome.TRANSIENT), (drop("after content"), Outcome.UNKNOWN)],
    ids=str,
)
async def test_cancelling_a_wait_after_a_result_that_means_failure_tells_of_it(fault: Any, outcome: Outcome) -> None:
    def try_to_send() -> bool:
        try:
            sender.send()
        except OSError:
            return False
        return True

    waiting = Waiting()
    policy = retry_transient(
        wait=tenacity.wait_fixed(100),
        before_sleep=waiting,
        also=tenacity.retry_if_result(lambda sent: not sent),
        on_unknown="retry",
    )
    with SMTPTestServer(faults=[fault]) as server:
        sender = Sender(server)
        call = asyncio.ensure_future(bridge(try_to_send, retry=policy)())
        await waiting.begun.wait()
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0)
    assert classify(caught.value).outcome is outcome


async def test_cancelling_what_a_coroutine_function_does_besides_tells_of_the_attempts_before() -> None:
    second = asyncio.Event()

    @retry_transient(wait=tenacity.wait_none(), on_unknown="retry")
    async def send() -> None:
        if sender.calls:
            second.set()
            await asyncio.Event().wait()
        await bridge(sender.send)()

    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        sender = Sender(server)
        call = asyncio.ensure_future(send())
        await second.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
    assert classify(caught.value).outcome is Outcome.UNKNOWN


async def test_cancelling_an_attempt_tells_of_the_attempts_before() -> None:
    faults = [refuse("RCPT", "450 4.2.1 Busy", times=2), hold("MAIL", after=2)]
    with SMTPTestServer(faults=faults) as server:
        policy = retry_transient(wait=tenacity.wait_none())
        call = asyncio.ensure_future(bridge(Sender(server), retry=policy).send())
        await server.held("MAIL")
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
    known: Any = caught.value
    while not isinstance(getattr(known, "call", None), CancelledCall):  # as on 3.10
        known = known.__context__
    assert [(each.outcome, each.code) for each in known.call.earlier] == [(Outcome.TRANSIENT, 450)] * 2
    assert classify(caught.value).outcome is Outcome.TRANSIENT


async def test_a_call_that_waits_holds_no_thread_and_no_lane() -> None:
    """4 threads, 16 calls that fail twice, and 8 that do not: none of these waits for one that sleeps."""
    waiting = 0
    all_wait = asyncio.Event()
    go_on = asyncio.Event()

    async def before_sleep(_: tenacity.RetryCallState) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 16:
            all_wait.set()
        await go_on.wait()

    policy = retry_transient(wait=tenacity.wait_none(), before_sleep=before_sleep)
    with SMTPTestServer() as healthy, SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later", times=32)]) as flaky:
        sender = Sender(flaky)
        async with BoundedExecutor(4) as executor:
            one = bridge(sender, executor=executor, retry=policy)
            several = bridge(sender.send, executor=executor, retry=policy, calls="concurrent")
            calls = [asyncio.ensure_future((one.send if number % 2 else several)()) for number in range(16)]
            await all_wait.wait()  # sixteen, on four threads and, half of them, in one lane
            assert executor.stats().running == 0
            await asyncio.gather(*(bridge(Sender(healthy), executor=executor).send() for _ in range(8)))
            assert len(healthy.messages) == 8
            assert not any(call.done() for call in calls)
            go_on.set()
            await asyncio.gather(*calls)
        assert sum(copies(flaky).values()) == 16


async def test_greylisting_heals_when_the_wait_is_over() -> None:
    with SMTPTestServer(faults=[greylist()]) as server:
        await bridge(Sender(server), retry=retry_transient(wait=wait_transient(0, greylisted=0.01))).send()
        assert len(server.messages) == 1
