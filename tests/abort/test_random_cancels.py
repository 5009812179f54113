"""Cancelled at random moments against a real server: what was told of each message is true, and nothing is stuck."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from asyncsmtp_bridge import BoundedExecutor, configure
from asyncsmtp_bridge.testing import SMTPTestServer

from .accounting import (
    CONTENT,
    Account,
    Keeping,
    PerMessage,
    through_function,
    through_mirrors,
    through_wrapper,
    worker_threads,
)
from .told import until

Way = Callable[..., Awaitable[Account]]

WAYS: dict[str, Way] = {
    "mirrors": through_mirrors,
    "a wrapper with a session for each message": partial(through_wrapper, PerMessage),
    "a wrapper that keeps its session": partial(through_wrapper, Keeping),
    "a function": through_function,
}


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("way", WAYS)
async def test_accepted_is_what_is_known_and_some_of_what_is_unknown(way: str, twice: bool) -> None:
    configure(cancel_grace=60)  # what ends the wait is that the thread is back, or a second cancel
    with SMTPTestServer() as server:
        async with BoundedExecutor(4, name="random") as executor:
            account = await WAYS[way](server, executor, 150 if twice else 250, 7, twice=twice)
            stats = executor.stats()
            assert (stats.running, stats.pending, stats.abandoned) == (0, 0, 0)
            assert stats.peak <= 4
            assert worker_threads("random") <= 4
        await until(lambda: worker_threads("random") == 0)
        assert server.connections == 0
    assert account.known
    assert account.not_sent
    if not account.opaque and not twice:
        assert account.phases_of_unknown() <= set(CONTENT)
