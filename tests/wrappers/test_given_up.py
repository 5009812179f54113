"""What becomes of the message of a call that is given up, in a wrapper that may reconnect, retry or swallow errors."""

from __future__ import annotations

import asyncio
import logging

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence
from asyncsmtp_bridge.testing.faults import Step

from .corporate import Newsletter
from .giving_up import GiveUp, by_cancelling, each_way_to_give_up, recipients
from .table import Wrapper, drained, each_wrapper

# Shorter than the 60 seconds after which the wrappers give up by themselves.
pytestmark = pytest.mark.timeout(30)


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the bridge logged that somebody should look at; wrappers log errors of their own."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "asyncsmtp_bridge" and record.levelno >= logging.WARNING
    ]


@each_way_to_give_up
@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
@each_wrapper
async def test_it_never_arrives_and_the_next_one_does(
    wrapper: Wrapper, step: Step, give_up: GiveUp, caplog: pytest.LogCaptureFixture
) -> None:
    # Only one message meets the silence: whoever tried it again would succeed.
    with SMTPTestServer(faults=[silence(step, nth=2)]) as server:
        async with wrapper.bridged(server, BoundedExecutor(1)) as face:
            await wrapper.send(face, "before@example.org", "x\n")
            call = asyncio.ensure_future(wrapper.send(face, "given-up@example.org", "x\n"))
            await server.reached(step, 2)
            await give_up(call)
            await wrapper.mend(face)
            await wrapper.send(face, "after@example.org", "x\n")
        assert recipients(server) == ["before@example.org", "after@example.org"]
    assert alarms(caplog) == []


@each_wrapper
async def test_what_was_being_confirmed_is_reported_unknown_and_not_sent_again(
    wrapper: Wrapper, caplog: pytest.LogCaptureFixture
) -> None:
    with SMTPTestServer(faults=[hold("after content", keep=True, times=1)]) as server:
        async with wrapper.bridged(server, BoundedExecutor(1)) as face:
            call = asyncio.ensure_future(wrapper.send(face, "bert@example.org", "x\n"))
            await server.held("after content")
            await by_cancelling(call)
        assert recipients(server) == ["bert@example.org"]
    [alarm] = alarms(caplog)
    assert "may have been delivered" in alarm


@each_way_to_give_up
async def test_a_newsletter_goes_to_nobody_after_the_one_who_was_being_served(give_up: GiveUp) -> None:
    everybody = [f"r{number}@example.org" for number in range(5)]
    with SMTPTestServer(faults=[silence("RCPT", nth=2)]) as server:
        async with drained(BoundedExecutor(1)) as executor:
            newsletter = bridge(Newsletter(server.host, server.port), executor=executor)
            call = asyncio.ensure_future(newsletter.send(everybody, "x\n"))
            await server.reached("RCPT", 2)
            await give_up(call)
            await newsletter.send(["after@example.org"], "x\n")
        assert recipients(server) == ["r0@example.org", "after@example.org"]
