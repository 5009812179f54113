"""How many threads really run when the callers give up and the calls do not.

20 calls, one after the other, each of a function that sleeps for 1 s, each cancelled after 0.02 s, with a limit of 2.
Where the limit is released when the awaiter goes, and not when the thread returns, the next call begins beside those
that still run. Reported: the most functions that ran at once, and how many began at all. A limit that holds shows 2
and 2. Nothing is timed, so each peer has one turn, on an event loop of its own with Python's default executor
(min(32, cores + 4) threads, which is what then limits `asyncio.to_thread`), and all its threads end before the next
peer's begin. Quick: calls of 0.2 s; some return in time for others to begin.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from time import sleep

from asyncsmtp_bridge import BoundedExecutor

from .measurement import NOT_INSTALLED, Plan, Row, Table

LIMIT = 2
CALLS = 20
PATIENCE = 0.02  # seconds

Hop = Callable[[Callable[[], None]], Awaitable[None]]
Peer = Callable[[], AbstractAsyncContextManager[Hop]]


class Gauge:
    """Counts the functions that run, from their own threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._changed = threading.Condition()
        # All under the condition's lock.
        self._running = 0
        self.peak = 0
        self.begun = 0

    def occupy(self) -> None:
        """Be the blocking function."""
        with self._changed:
            self.begun += 1
            self._running += 1
            self.peak = max(self.peak, self._running)
        sleep(self._seconds)
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def wait_for_the_last(self) -> None:
        """Return when nothing runs any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)


def measure(plan: Plan) -> list[Table]:
    """Return the table of peaks."""
    seconds = 0.2 if plan.quick else 1.0
    return [
        Table(
            title=f"{CALLS} calls of {seconds:g} s, each cancelled after {PATIENCE:g} s, limit {LIMIT}",
            parameters={"limit": LIMIT, "calls": CALLS, "seconds": seconds, "cancelled_after": PATIENCE},
            columns={"peer": "{peer}", "peak running": "{peak}", "calls begun": "{begun}"},
            rows=[_row(plan, name, peer, seconds) for name, peer in _peers().items()],
        )
    ]


def _peers() -> dict[str, Peer | None]:
    return {
        f"BoundedExecutor({LIMIT}).run": _dedicated,
        f"BoundedExecutor.shared({LIMIT}).run": _shared,
        f"anyio.to_thread.run_sync, CapacityLimiter({LIMIT})": _anyio_peer(),
        f"asyncio.to_thread, asyncio.Semaphore({LIMIT})": _semaphore,
    }


def _row(plan: Plan, name: str, peer: Peer | None, seconds: float) -> Row:
    if peer is None:
        return {"peer": name, "note": NOT_INSTALLED}
    gauge = Gauge(seconds)
    plan.on_loop(_call_and_cancel(peer, gauge))
    gauge.wait_for_the_last()
    return {"peer": name, "peak": gauge.peak, "begun": gauge.begun}


async def _call_and_cancel(peer: Peer, gauge: Gauge) -> None:
    async with peer() as hop:
        for _ in range(CALLS):
            caller = asyncio.ensure_future(_one_call(hop, gauge))
            await asyncio.wait({caller}, timeout=PATIENCE)
            caller.cancel()
            await asyncio.wait({caller})


async def _one_call(hop: Hop, gauge: Gauge) -> None:
    await hop(gauge.occupy)


@asynccontextmanager
async def _dedicated() -> AsyncIterator[Hop]:
    async with BoundedExecutor(LIMIT) as executor:
        yield executor.run


@asynccontextmanager
async def _shared() -> AsyncIterator[Hop]:
    async with BoundedExecutor.shared(LIMIT) as executor:
        yield executor.run


def _anyio_peer() -> Peer | None:
    try:
        import anyio.to_thread
    except ImportError:
        return None

    @asynccontextmanager
    async def peer() -> AsyncIterator[Hop]:
        yield partial(anyio.to_thread.run_sync, limiter=anyio.CapacityLimiter(LIMIT))

    return peer


@asynccontextmanager
async def _semaphore() -> AsyncIterator[Hop]:
    semaphore = asyncio.Semaphore(LIMIT)

    async def hop(func: Callable[[], None]) -> None:
        async with semaphore:
            await asyncio.to_thread(func)

    yield hop
