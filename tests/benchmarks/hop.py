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
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from asyncsmtp_bridge import BoundedExecutor

from .callers import Comparison, Hop, Peer, how_many, nothing, start_every_thread
from .measurement import Plan, Table

WORKERS = 8
CALLS = {1: 1500, 8: 4000, 64: 6400}  # callers: calls of a sample, all callers together
QUICK_CALLS = {1: 100, 8: 400, 64: 640}
BASELINE = "asyncio.to_thread"
ANYIO = "anyio.to_thread.run_sync"


def measure(plan: Plan) -> list[Table]:
    """Return one table per number of callers."""
    return plan.on_loop(_measure(plan))


async def _measure(plan: Plan) -> list[Table]:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(WORKERS))
    with ThreadPoolExecutor(WORKERS) as pool:
        async with BoundedExecutor(WORKERS) as dedicated, BoundedExecutor.shared(WORKERS) as shared:
            hops: dict[str, Hop | None] = {
                f"BoundedExecutor({WORKERS}).run": dedicated.run,
                f"BoundedExecutor.shared({WORKERS}).run": shared.run,
                BASELINE: asyncio.to_thread,
                "loop.run_in_executor": partial(loop.run_in_executor, pool),
                ANYIO: _anyio_hop(),
            }
            for hop in hops.values():
                if hop is not None:
                    await start_every_thread(hop, WORKERS)
            comparison = Comparison({name: _of_nothing(hop) for name, hop in hops.items()}, BASELINE)
            return [
                await comparison.table(
                    f"{how_many(callers)}, {WORKERS} threads",
                    callers=callers,
                    calls=calls,
                    runs=plan.runs,
                    workers=WORKERS,
                )
                for callers, calls in (QUICK_CALLS if plan.quick else CALLS).items()
            ]


def _anyio_hop() -> Hop | None:
    try:
        import anyio.to_thread
    except ImportError:
        return None
    return partial(anyio.to_thread.run_sync, limiter=anyio.CapacityLimiter(WORKERS))


def _of_nothing(hop: Hop | None) -> Peer | None:
    return None if hop is None else lambda caller: partial(hop, nothing)
