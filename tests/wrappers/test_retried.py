"""Policies on wrappers: what is refused for now heals, and a policy adds no copy to what a wrapper does itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, retry_testing, retry_transient
from asyncsmtp_bridge.testing import Fault, SMTPTestServer, drop, refuse

from .giving_up import recipients
from .table import Wrapper, each_wrapper

pytestmark = [
    pytest.mark.timeout(30),
    pytest.mark.filterwarnings("ignore:.*unclosed <socket"),  # which SMTPHandler leaves behind when sending fails
]

BERT = "bert@example.org"

SWALLOWS = {"zope.sendmail in a transaction", "SMTPHandler.handle", "SMTPHandler.emit", "a newsletter"}
"""They raise nothing: nobody can tell that something is to be made again."""


@pytest.fixture(autouse=True)
def _nothing_unclosed_is_left_to_others() -> Iterator[None]:
    yield
    gc.collect()


async def sent(wrapper: Wrapper, fault: Fault, retry: Any) -> list[str]:
    """Have a message sent while something goes wrong; return who got it, as often as they did."""
    with SMTPTestServer(faults=[fault]) as server, retry_testing(attempts=4):
        async with wrapper.bridged(server, BoundedExecutor(1), retry) as face:
            with suppress(Exception):  # as the wrapper likes
                await wrapper.send(face, BERT, "x\n")
        return recipients(server)


REFUSALS = {
    "MAIL": refuse("MAIL", "451 4.3.0 Later", times=1),
    "RCPT": refuse("RCPT", "450 4.2.1 Busy", times=1),
    "DATA": refuse("DATA", "451 4.3.0 Later", times=1),
    "content": refuse("content", "452 4.3.1 Disk full", times=1),
}


@pytest.mark.parametrize("at", REFUSALS)
@each_wrapper
async def test_what_is_refused_for_now_is_delivered_once(wrapper: Wrapper, at: str) -> None:
    got = await sent(wrapper, REFUSALS[at], retry_transient)
    heals = str(wrapper) not in SWALLOWS
    assert got == ([BERT] if heals else [])


@pytest.mark.parametrize(
    "fault",
    [
        drop("after content", keep=True, times=1),
        drop("after content", times=1),
        drop("MAIL", times=1),
        drop("DATA", nth=1),
        refuse("QUIT", "421 4.3.2 Bye"),
    ],
    ids=str,
)
@each_wrapper
async def test_a_policy_adds_no_copy(wrapper: Wrapper, fault: Fault) -> None:
    without = await sent(wrapper, fault, None)
    with_policy = await sent(wrapper, fault, retry_transient)
    assert len(with_policy) <= max(1, len(without))
