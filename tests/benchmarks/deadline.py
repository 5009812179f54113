"""What a deadline frees: the caller, and the thread that is blocked in smtplib.

A wrapper whose session nobody outside sees, with a socket timeout of 60 s, sends a mail under
`asyncio.wait_for(..., 0.5)` to servers that never come to the point. Behind `bridge`, where cancelling aborts the call,
and in `asyncio.to_thread`, where it frees the caller alone; each call has an executor of one thread. Reported: seconds
from the call until the caller has its TimeoutError; seconds from then until the thread is free, as often as it was free
within 5 s; how often it was not; and how often the next call on the same executor, a mail to a server that works, went
through (behind `bridge` it must, or the benchmark ends with an error). Threads that are still blocked are let go by
closing the server. A run in which the call had not come to where it blocks by the deadline does not count. The peers
take turns. Quick: a deadline of 0.1 s, and 0.3 s of patience.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Protocol

from asyncsmtp_bridge import BoundedExecutor, bridge

from .measurement import Plan, Row, Table, turns
from .traps import Mailer, MakeTrap, healthy_server, traps

HANG = 30.0
"""Seconds after which what must happen is taken not to happen."""

FINEST, COARSEST = 0.0005, 0.05  # seconds between two looks at a thread


@dataclass(frozen=True)
class Times:
    """Seconds."""

    deadline: float
    patience: float
    """How long a thread is watched after the deadline."""
    alone: float
    """How long of that before the next server is called meanwhile."""
    drip: float
    """Between two bytes."""


FULL = Times(deadline=0.5, patience=5.0, alone=0.1, drip=1.0)
QUICK = Times(deadline=0.1, patience=0.3, alone=0.02, drip=0.1)


@dataclass(frozen=True)
class Sample:
    """What came of one call."""

    caller: float
    """Seconds until the caller was free."""
    thread: float | None
    """Seconds from then until the thread was free; None: it was not, for as long as it was watched."""
    next_works: bool
    counts: bool
    """Whether the thread was blocked where it was to be."""


class Peer(Protocol):
    """A way to call in a thread; one for each call, with an executor of one thread."""

    async def send(self, mailer: Mailer) -> None:
        """Call the wrapper."""

    def is_free(self) -> bool:
        """Whether the thread is."""

    async def next_works(self, mailer: Mailer) -> bool:
        """Call another wrapper; whether that went through."""

    async def end(self) -> None:
        """Wait for the thread."""


class Bridged:
    """`bridge`."""

    def __init__(self, _: Times) -> None:
        self._executor = BoundedExecutor(1)

    async def send(self, mailer: Mailer) -> None:
        await bridge(mailer, executor=self._executor).send()

    def is_free(self) -> bool:
        return self._executor.stats().running == 0

    async def next_works(self, mailer: Mailer) -> bool:
        try:
            await asyncio.wait_for(self.send(mailer), HANG)
        except asyncio.TimeoutError:
            raise RuntimeError(
                f"after an abort, the next call on the same executor did not go through in {HANG:g} s"
            ) from None
        return True

    async def end(self) -> None:
        await self._executor.aclose(HANG)


class InThread:
    """`asyncio.to_thread`; the event loop's executor has one thread."""

    def __init__(self, times: Times) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._patience = times.deadline
        self._returned = False  # written by the thread

    async def send(self, mailer: Mailer) -> None:
        def send() -> None:
            try:
                mailer.send()
            finally:
                self._returned = True

        # Of several that are under way, each with its own: nothing comes between this and the submission.
        asyncio.get_running_loop().set_default_executor(self._pool)
        await asyncio.to_thread(send)

    def is_free(self) -> bool:
        return self._returned

    async def next_works(self, mailer: Mailer) -> bool:
        call = asyncio.ensure_future(self.send(mailer))
        await asyncio.wait({call}, timeout=self._patience)
        if call.cancel():
            return False
        await call
        return True

    async def end(self) -> None:
        self._pool.shutdown()


PEERS: dict[str, Callable[[Times], Peer]] = {"bridge": Bridged, "asyncio.to_thread": InThread}


def measure(plan: Plan) -> list[Table]:
    """Return the table of what the deadline freed."""
    times = QUICK if plan.quick else FULL
    with _package_says_nothing():
        samples = plan.on_loop(_measure(plan, times, traps(times.drip)))
    return [
        Table(
            title=f"A deadline of {times.deadline:g} s; the thread is watched for {times.patience:g} s more",
            parameters={"deadline": times.deadline, "patience": times.patience, "drip": times.drip},
            columns={
                "the server": "{server}",
                "peer": "{peer}",
                "runs": "{runs}",
                "caller freed, median s": "{caller_s:.3f}",
                "max": "{caller_s_max:.3f}",
                "thread freed after that, median s": "{thread_s:.3f}",
                "max ": "{thread_s_max:.3f}",
                f"still blocked after {times.patience:g} s": "{still_blocked}",
                "next call works": "{next_works}",
            },
            rows=[_row(server, peer, samples[server, peer]) for server, peer in samples],
        )
    ]


@contextmanager
def _package_says_nothing() -> Iterator[None]:
    """Each abort after the content warns that the mail may have been delivered; of these it is no news."""
    logger = logging.getLogger("asyncsmtp_bridge")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _row(server: str, peer: str, samples: list[Sample]) -> Row:
    samples = [sample for sample in samples if sample.counts]
    row: Row = {"server": server, "peer": peer, "runs": len(samples)}
    if not samples:
        return {**row, "note": f"{peer}: did not come so far"}
    callers = [sample.caller for sample in samples]
    threads = [sample.thread for sample in samples]
    freed = [seconds for seconds in threads if seconds is not None]
    return {
        **row,
        "caller_s": median(callers),
        "caller_s_max": max(callers),
        "thread_s": median(freed) if freed else None,
        "thread_s_max": max(freed) if freed else None,
        "still_blocked": threads.count(None),
        "next_works": sum(sample.next_works for sample in samples),
        "samples_caller_s": callers,
        "samples_thread_s": threads,
    }


async def _measure(plan: Plan, times: Times, make_traps: dict[str, MakeTrap]) -> dict[tuple[str, str], list[Sample]]:
    samples: dict[tuple[str, str], list[Sample]] = {(server, peer): [] for server in make_traps for peer in PEERS}
    for run, peer in turns(list(PEERS), plan.runs):
        for server, sample in (await _one_call_each(PEERS[peer], times, make_traps)).items():
            if run:
                samples[server, peer].append(sample)
    return samples


async def _one_call_each(
    make_peer: Callable[[Times], Peer], times: Times, make_traps: dict[str, MakeTrap]
) -> dict[str, Sample]:
    """Call each server once, one after the other; threads that stay blocked are watched all together."""
    watches: dict[str, asyncio.Task[Sample]] = {}
    async with AsyncExitStack() as stack:
        healthy = stack.enter_context(healthy_server())
        for server, make_trap in make_traps.items():
            peer = make_peer(times)
            stack.push_async_callback(peer.end)  # when the trap has let go of the thread
            trap = stack.enter_context(make_trap())
            start = perf_counter()
            try:
                await asyncio.wait_for(peer.send(trap.mailer), times.deadline)
            except asyncio.TimeoutError:
                freed, counts = perf_counter(), trap.is_reached()
            else:
                raise RuntimeError(f"{server}: a mail was sent")
            watches[server] = asyncio.ensure_future(_watch(peer, freed, times, healthy, freed - start, counts))
            await asyncio.wait({watches[server]}, timeout=times.alone)
        return dict(zip(watches, await asyncio.gather(*watches.values()), strict=True))


async def _watch(peer: Peer, freed: float, times: Times, healthy: Mailer, caller: float, counts: bool) -> Sample:
    thread = await _until_free(peer, freed, times.patience)
    return Sample(caller, thread, await peer.next_works(healthy), counts)


async def _until_free(peer: Peer, since: float, patience: float) -> float | None:
    if peer.is_free():
        return 0.0
    while (waited := perf_counter() - since) < patience:
        await asyncio.sleep(min(max(FINEST, waited / 20), COARSEST))
        if peer.is_free():
            return perf_counter() - since
    return None
