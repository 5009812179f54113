"""Deadlines and cancellations: what `classify` makes of the TimeoutError of a call that was cut short."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, Failure, Outcome, bridge, classify
from asyncsmtp_bridge.outcome import CancelledCall
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence

from .test_table import ANNA, BERT, MESSAGE

TRANSIENT, UNKNOWN, ACCEPTED = Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.ACCEPTED


async def failure_after(milestone: Any, call: Awaitable[Any]) -> Failure:
    """Have a deadline pass when a milestone is reached; return what its TimeoutError means."""
    task = asyncio.ensure_future(call)
    await milestone
    with pytest.raises(asyncio.TimeoutError) as caught:
        await asyncio.wait_for(task, 0)
    return classify(caught.value)


def send(server: SMTPTestServer) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=60) as smtp:
        smtp.sendmail(ANNA, [BERT], MESSAGE)


async def through_a_function(server: SMTPTestServer) -> None:
    await bridge(send)(server)


async def through_a_mirror(server: SMTPTestServer) -> None:
    async with AsyncSMTP(server.host, server.port) as smtp:
        await smtp.sendmail(ANNA, [BERT], MESSAGE)


WAYS = [through_a_function, through_a_mirror]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        ("greeting", TRANSIENT),
        ("EHLO", TRANSIENT),
        ("MAIL", TRANSIENT),
        ("RCPT", TRANSIENT),
        ("DATA", TRANSIENT),
        ("after content", UNKNOWN),
    ],
)
async def test_a_deadline_is_judged_by_how_far_the_message_had_come(
    at: Any, outcome: Outcome, way: Callable[[SMTPTestServer], Awaitable[None]]
) -> None:
    with SMTPTestServer(faults=[silence(at)]) as server:
        failure = await failure_after(server.reached(at), way(server))
    assert failure.outcome is outcome
    assert failure.phase is not None


async def test_a_call_that_never_began_has_sent_nothing() -> None:
    with SMTPTestServer(faults=[hold("MAIL")]) as server:
        async with BoundedExecutor(1) as executor:
            bridged = bridge(send, executor=executor)
            first = asyncio.ensure_future(bridged(server))
            await server.held("MAIL")
            failure = await failure_after(asyncio.sleep(0), bridged(server))
            assert failure.outcome is TRANSIENT
            server.faults = []
            server.release("MAIL")
            await first


async def test_a_call_that_is_abandoned_is_unknown() -> None:
    with SMTPTestServer(faults=[hold("MAIL")]) as server:
        async with BoundedExecutor(1) as executor:
            bridged = bridge(send, executor=executor, on_cancel="abandon")
            assert (await failure_after(server.held("MAIL"), bridged(server))).outcome is UNKNOWN
            server.release("MAIL")
        assert len(server.messages) == 1


async def test_a_call_that_was_waited_for_and_succeeded_is_accepted() -> None:
    with SMTPTestServer(faults=[hold("MAIL")]) as server:
        async with BoundedExecutor(1) as executor:
            bridged = bridge(send, executor=executor, on_cancel="wait")
            call = asyncio.ensure_future(bridged(server))
            await server.held("MAIL")
            call.cancel()
            server.release("MAIL")
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
        assert classify(caught.value).outcome is ACCEPTED
        assert len(server.messages) == 1


class Forgiving:
    """Swallows what goes wrong, and goes on."""

    def __init__(self, server: SMTPTestServer) -> None:
        self._server = server

    def send(self) -> bool:
        try:
            send(self._server)
        except OSError:
            return False
        return True

    def send_to_both(self) -> tuple[bool, bool]:
        return self.send(), self.send()


@pytest.mark.parametrize(("at", "outcome"), [("MAIL", TRANSIENT), ("after content", UNKNOWN)])
@pytest.mark.parametrize("method", ["send", "send_to_both"])
async def test_a_wrapper_that_swallows_the_end_of_its_session_is_judged_by_where_it_was_ended(
    method: str, at: Any, outcome: Outcome
) -> None:
    with SMTPTestServer(faults=[silence(at)]) as server:
        failure = await failure_after(server.reached(at), getattr(bridge(Forgiving(server)), method)())
    assert failure.outcome is outcome


def test_what_is_cancelled_outside_smtplib_may_have_sent_before() -> None:
    told: dict[str, CancelledCall] = {
        "outside": CancelledCall("f", True, None, aborted=True),
        "between": CancelledCall("f", True, Phase.BETWEEN, aborted=True),
        "outside, and raised": CancelledCall(
            "f", True, None, True, error=smtplib.SMTPServerDisconnected(), aborted=True
        ),
    }
    for call in told.values():
        cancelled = asyncio.CancelledError()
        cancelled.call = call  # type: ignore[attr-defined]
        assert classify(cancelled).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("earlier", "outcome"),
    [
        (Failure(UNKNOWN), UNKNOWN),
        (Failure(TRANSIENT), TRANSIENT),
    ],
    ids=["may have been delivered", "refused for now"],
)
def test_earlier_attempts_count(earlier: Failure, outcome: Outcome) -> None:
    cancelled = asyncio.CancelledError()
    cancelled.call = CancelledCall("f", began=False, earlier=(earlier,))  # type: ignore[attr-defined]
    assert classify(cancelled).outcome is outcome
