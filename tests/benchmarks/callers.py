"""Concurrent callers: how long a call takes when so many make one after the other.

Each caller awaits its call before it makes the next. It does not know what is called.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from .measurement import TIMES, Samples, Table, turns

Call = Callable[[], Awaitable[object]]

Peer = Callable[[int], Call]
"""Makes the call that the caller of this number, from 0, repeats."""

Hop = Callable[[Callable[[], object]], Awaitable[object]]
"""Calls a function in a thread."""


def nothing() -> None:
    """Be the blocking function."""


def how_many(callers: int) -> str:
    """Return "1 concurrent caller", "8 concurrent callers"."""
    return f"{callers} concurrent caller{'s' if callers > 1 else ''}"


async def start_every_thread(hop: Hop, workers: int) -> None:
    """Make calls that return only when as many run as there are to be threads."""
    barrier = threading.Barrier(workers)
    meet: Callable[[], Any] = partial(barrier.wait, timeout=30)
    await asyncio.gather(*(hop(meet) for _ in range(workers)))


@dataclass(frozen=True)
class Comparison:
    """Peers that take turns on the running event loop; those that are not installed are None."""

    peers: Mapping[str, Peer | None]
    baseline: str
    """The peer with the ratio of 1."""

    async def table(self, title: str, *, callers: int, calls: int, runs: int, **fixed: Any) -> Table:
        """Measure.

        Args:
            title: The table's.
            callers: How many there are.
            calls: Calls of a sample, all callers together.
            runs: Counted rounds.
            **fixed: What else was held fixed.
        """
        installed = {name: peer for name, peer in self.peers.items() if peer is not None}
        samples = Samples()
        for run, name in turns(list(installed), runs):
            repeated = [installed[name](caller) for caller in range(callers)]
            samples.add(run, name, await _microseconds_per_call(repeated, calls // callers))
        return Table(
            title=title,
            parameters={"callers": callers, **fixed, "calls": calls, "baseline": self.baseline},
            columns=TIMES,
            rows=[samples.row(name, self.baseline) for name in self.peers],
        )


async def _microseconds_per_call(repeated: list[Call], calls_each: int) -> float:
    async def caller(call: Call) -> None:
        for _ in range(calls_each):
            await call()

    start = perf_counter()
    await asyncio.gather(*map(caller, repeated))
    return (perf_counter() - start) / (len(repeated) * calls_each) * 1e6
