"""What a bridged call costs above the bare hop when nothing is cancelled: the price of lanes, and of being watched.

First a no-op, as in the entry `hop`: 8 threads for every peer, at 1, 8 and 64 concurrent callers. `bridge(func)` runs
concurrently; the methods of a bridged object run one at a time, so there is a row in which each caller has an object of
its own, and one in which all have the same. Each call looks the method up. The ratio is calls per second against
`asyncio.to_thread`, run by run.

Then a real command, NOOP on one connection, one after the other, to a server in a process of its own that answers every
line with 250: the mirror, the synchronous session in `asyncio.to_thread`, and aiosmtplib, which needs no thread.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asyncsmtp_bridge import AsyncBridge, AsyncSMTP, BoundedExecutor, async_method, bridge

from .callers import Call, Comparison, Peer, how_many, nothing, start_every_thread
from .measurement import Plan, Table
from .processes import HOST
from .replies import replying_server

WORKERS = 8
CALLS = {1: 1500, 8: 4000, 64: 6400}  # callers: calls of a sample, all callers together
QUICK_CALLS = {1: 50, 8: 160, 64: 320}
NOOPS, QUICK_NOOPS = 1000, 50
BASELINE = "asyncio.to_thread"
NOOP_BASELINE = "smtplib.SMTP.noop in asyncio.to_thread"


class Legacy:
    """An object with a blocking method."""

    def nothing(self) -> None:
        """Be the blocking method."""


class AsyncLegacy(AsyncBridge[Legacy]):
    """Its declared face."""

    nothing = async_method(Legacy.nothing)


def measure(plan: Plan) -> list[Table]:
    """Return one table per number of callers, and that of NOOP."""
    return [*plan.on_loop(_no_ops(plan)), plan.on_loop(_noops(plan))]


async def _no_ops(plan: Plan) -> list[Table]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))
    async with BoundedExecutor(WORKERS) as executor:
        await start_every_thread(executor.run, WORKERS)
        await start_every_thread(asyncio.to_thread, WORKERS)
        func = bridge(nothing, executor=executor)
        most = max(CALLS)
        proxies = [bridge(Legacy(), executor=executor) for _ in range(most)]
        faces = [AsyncLegacy(Legacy(), executor=executor) for _ in range(most)]
        peers: dict[str, Peer | None] = {
            f"BoundedExecutor({WORKERS}).run(func)": lambda _: lambda: executor.run(nothing),
            "bridge(func)": lambda _: func,
            "bridge(obj).method, one object a caller": lambda caller: _method(proxies[caller]),
            "bridge(obj).method, one object for all": lambda _: _method(proxies[0]),
            "async_method of an AsyncBridge, one object a caller": lambda caller: _method(faces[caller]),
            BASELINE: lambda _: lambda: asyncio.to_thread(nothing),
        }
        comparison = Comparison(peers, BASELINE)
        return [
            await comparison.table(
                f"No-op, {how_many(callers)}, {WORKERS} threads",
                callers=callers,
                calls=calls,
                runs=plan.runs,
                workers=WORKERS,
            )
            for callers, calls in (QUICK_CALLS if plan.quick else CALLS).items()
        ]


def _method(bridged: Any) -> Call:
    return lambda: bridged.nothing()  # noqa: PLW0108 - each call looks it up, as callers do


async def _noops(plan: Plan) -> Table:
    with replying_server() as port, smtplib.SMTP(HOST, port, "localhost") as session:
        async with (
            BoundedExecutor(WORKERS) as executor,
            AsyncSMTP(HOST, port, "localhost", executor=executor) as mirror,
            _aiosmtplib_noop(port) as native,
        ):
            peers: dict[str, Peer | None] = {
                "AsyncSMTP.noop": lambda _: mirror.noop,
                NOOP_BASELINE: lambda _: lambda: asyncio.to_thread(session.noop),
                "aiosmtplib.SMTP.noop": native,
            }
            return await Comparison(peers, NOOP_BASELINE).table(
                "NOOP over loopback, 1 connection",
                callers=1,
                calls=QUICK_NOOPS if plan.quick else NOOPS,
                runs=plan.runs,
            )


@asynccontextmanager
async def _aiosmtplib_noop(port: int) -> AsyncIterator[Peer | None]:
    try:
        import aiosmtplib
    except ImportError:
        yield None
        return
    async with aiosmtplib.SMTP(hostname=HOST, port=port, local_hostname="localhost", start_tls=False) as session:
        yield lambda _: session.noop
