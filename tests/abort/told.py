"""What a cancellation tells of its call, and waits that always end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor
from asyncsmtp_bridge.outcome import CancelledCall

PATIENCE = 20.0


def told(error: BaseException | None) -> CancelledCall:
    """Return what is known of a cancelled call, from wherever in an exception's chain it is.

    On Python 3.10 ``await task`` raises a new CancelledError, with the task's own as its context.
    """
    while error is not None:
        call = getattr(error, "call", None)
        if isinstance(call, CancelledCall):
            return call
        error = error.__cause__ or error.__context__
    raise AssertionError("nothing is told of the call")


async def cancelled(call: asyncio.Future[Any]) -> CancelledCall:
    """Cancel a call, and return what is then known of it."""
    call.cancel()
    return await told_at_the_end(call)


async def told_at_the_end(call: asyncio.Future[Any]) -> CancelledCall:
    """Wait for a call that was cancelled, and return what is known of it."""
    with pytest.raises(asyncio.CancelledError) as raised:
        await asyncio.wait_for(asyncio.wait({call}), PATIENCE)
        await call
    return told(raised.value)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens in a thread without an event that tells of it."""
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came about")


async def is_set(event: threading.Event) -> None:
    """Wait for a thread's event."""
    await until(event.is_set)


async def idle(executor: BoundedExecutor) -> None:
    """Wait until nothing runs, waits or was left behind."""
    await until(lambda: not (executor.stats().running or executor.stats().pending or executor.stats().abandoned))


@contextlib.contextmanager
def opened_at_the_end(*events: threading.Event) -> Iterator[None]:
    """Set the events that threads wait for, so that a test that fails leaves none behind."""
    try:
        yield
    finally:
        for event in events:
            event.set()
