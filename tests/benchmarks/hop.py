"""What a call through a thread costs when the function itself does nothing.

Microseconds per call of a no-op at 1, 8 and 64 concurrent callers, each of which awaits its call before it makes the
next. Every peer has 8 threads, all started before anything is timed: the loop's default executor, which
`asyncio.to_thread` and `BoundedExecutor.shared` use, is set to 8; anyio gets a limiter of 8. The peers take turns on
one event loop. What they promise differs: `run_in_executor` carries no context variables, and only `BoundedExecutor`
keeps its bound when callers are cancelled (see the entry `bound`). The ratio is calls per second against
`asyncio.to_thread`, run by run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

from asyncsmtp_bridge import BoundedExecutor

from .measurement import TIMES, Plan, Samples, Table, turns

WORKERS = 8
CALLS = {1: 1500, 8: 4000, 64: 6400}  # callers: calls of a sample, all callers together
QUICK_CALLS = {1: 100, 8: 400, 64: 640}
BASELINE = "asyncio.to_thread"
ANYIO = "anyio.to_thread.run_sync"

Hop = Callable[[Callable[[], object]], Awaitable[object]]


def measure(plan: Plan) -> list[Table]:
    """Return one table per number of callers."""
    return plan.on_loop(_measure(plan))


async def _measure(plan: Plan) -> list[Table]:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(WORKERS))
    with ThreadPoolExecutor(WORKERS) as pool:
        async with BoundedExecutor(WORKERS) as dedicated, BoundedExecutor.shared(WORKERS) as shared:
            peers: dict[str, Hop | None] = {
                f"BoundedExecutor({WORKERS}).run": dedicated.run,
                f"BoundedExecutor.shared({WORKERS}).run": shared.run,
                BASELINE: asyncio.to_thread,
                "loop.run_in_executor": partial(loop.run_in_executor, pool),
                ANYIO: _anyio_hop(),
            }
            hops = {name: hop for name, hop in peers.items() if hop is not None}
            for hop in hops.values():
                await _start_every_thread(hop)
            calls = QUICK_CALLS if plan.quick else CALLS
            return [await _compare(list(peers), hops, callers, calls[callers], plan.runs) for callers in calls]


def _anyio_hop() -> Hop | None:
    try:
        import anyio.to_thread
    except ImportError:
        return None
    return partial(anyio.to_thread.run_sync, limiter=anyio.CapacityLimiter(WORKERS))


async def _start_every_thread(hop: Hop) -> None:
    """Make calls that return only when as many run as there are to be threads."""
    barrier = threading.Barrier(WORKERS)
    meet: Callable[[], Any] = partial(barrier.wait, timeout=30)
    await asyncio.gather(*(hop(meet) for _ in range(WORKERS)))


async def _compare(names: list[str], hops: dict[str, Hop], callers: int, calls: int, runs: int) -> Table:
    samples = Samples()
    for run, name in turns(list(hops), runs):
        samples.add(run, name, await _microseconds_per_call(hops[name], callers, calls // callers))
    return Table(
        title=f"{callers} concurrent caller{'s' if callers > 1 else ''}, {WORKERS} threads",
        parameters={"callers": callers, "workers": WORKERS, "calls": calls, "baseline": BASELINE},
        columns=TIMES,
        rows=[samples.row(name, BASELINE) for name in names],
    )


async def _microseconds_per_call(hop: Hop, callers: int, calls_each: int) -> float:
    async def caller() -> None:
        for _ in range(calls_each):
            await hop(_nothing)

    start = perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return (perf_counter() - start) / (callers * calls_each) * 1e6


def _nothing() -> None:
    pass
