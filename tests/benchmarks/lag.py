"""How late the event loop is while three large messages go out at once.

Three connections, each of which has sent a message before, send a message with 25 MB of attachment in base64, made
beforehand, all three at once, to a server in a process of its own (see `throughput`); and again, until a heartbeat on
the same event loop, which sleeps for 5 ms again and again, has had at least 400 beats. Reported: milliseconds by which
it woke late, of a run's beats the median, the 99th percentile and the latest, each by the median of the runs, and the
latest of all runs; the share of the time by which it was late, all beats together (a loop that stands still has few
beats, and so the percentiles are kind to it); and seconds for three messages. The first row, in which nothing is sent,
is what timers and machine are late by themselves. Quick: 0.5 MB, 20 beats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter

from .measurement import NOT_INSTALLED, Plan, Row, Table, turns
from .messages import small, with_attachment
from .senders import SENDERS, MakeSender
from .sink import KIND, sink

AT_ONCE = 3
INTERVAL = 0.005  # seconds
SIZE, QUICK_SIZE = 25_000_000, 500_000
BEATS, QUICK_BEATS = 400, 20
NOTHING = "nothing is sent"


@dataclass(frozen=True)
class Sample:
    """A run: how late the heartbeat was, in milliseconds, and how long three messages took, in seconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    late_share: float
    seconds: float
    beats: int


def measure(plan: Plan) -> list[Table]:
    """Return the table."""
    size, beats = (QUICK_SIZE, QUICK_BEATS) if plan.quick else (SIZE, BEATS)
    peers: dict[str, MakeSender | None] = {name: maker for name, maker in SENDERS.items() if maker is not None}
    samples: dict[str, list[Sample]] = {name: [] for name in (NOTHING, *peers)}
    with sink() as port:
        for run, name in turns(list(samples), plan.runs):
            sample = plan.on_loop(_beside(peers.get(name), port, size, beats))
            if run:
                samples[name].append(sample)
    return [
        Table(
            title=f"{AT_ONCE} messages of {size / 1e6:g} MB at once, a beat each {INTERVAL * 1e3:g} ms",
            parameters={"at_once": AT_ONCE, "bytes": size, "interval": INTERVAL, "beats": beats, "sink": KIND},
            columns={
                f"peer, to {KIND}": "{peer}",
                "late, p50 ms": "{p50_ms:.2f}",
                "p99 ms": "{p99_ms:.1f}",
                "max ms": "{max_ms:.1f}",
                "max of all runs": "{worst_ms:.1f}",
                "share of the time": "{late_share:.1%}",
                f"{AT_ONCE} messages, s": "{seconds:.2f}",
            },
            rows=[_row(name, samples.get(name)) for name in (NOTHING, *SENDERS)],
        )
    ]


def _row(name: str, samples: list[Sample] | None) -> Row:
    if samples is None:
        return {"peer": name, "note": NOT_INSTALLED}
    runs = [asdict(sample) for sample in samples]
    row: Row = {"peer": name, "worst_ms": max(sample.max_ms for sample in samples)}
    row |= {figure: median(run[figure] for run in runs) for figure in runs[0]}
    if name == NOTHING:
        row["seconds"] = None
    return {**row, "samples": runs}


async def _beside(make_sender: MakeSender | None, port: int, size: int, beats: int) -> Sample:
    async with AsyncExitStack() as stack:
        if make_sender is None:
            return await _listen(lambda: asyncio.sleep(INTERVAL * beats), beats)
        sender = await stack.enter_async_context(make_sender(port, AT_ONCE))
        sends = [await stack.enter_async_context(sender.session()) for _ in range(AT_ONCE)]
        await asyncio.gather(*(send(small(0)) for send in sends))
        message = with_attachment(size)
        return await _listen(lambda: asyncio.gather(*(send(message) for send in sends)), beats)


async def _listen(send_all: Callable[[], Awaitable[object]], beats: int) -> Sample:
    late: list[float] = []
    heart = asyncio.ensure_future(_beat(late))
    rounds = 0
    start = perf_counter()
    while len(late) < beats:
        await send_all()
        rounds += 1
    passed = perf_counter() - start
    heart.cancel()
    await asyncio.wait({heart})
    return Sample(
        p50_ms=median(late) * 1e3,
        p99_ms=quantiles(late, n=100, method="inclusive")[98] * 1e3,
        max_ms=max(late) * 1e3,
        late_share=sum(late) / passed,
        seconds=passed / rounds,
        beats=len(late),
    )


async def _beat(late: list[float]) -> None:
    while True:
        start = perf_counter()
        await asyncio.sleep(INTERVAL)
        late.append(max(0.0, perf_counter() - start - INTERVAL))
