"""What retrying costs while nothing fails, and who waits while something does.

First the attempt that succeeds: microseconds per call of a function that does nothing, as it is, under
`retry_transient`, and under `tenacity.retry`; a plain function, and a coroutine function. Reported besides: what is
added to the function's own time, and the ratio of what tenacity adds to what `retry_transient` adds, run by run. The
audit hook, which the first call of the warm-up installs, is there for all of them. (`retry_transient` leaves tenacity
out until something has failed.)

Then a crowd: 16 calls that fail twice and wait 0.5 s before each further attempt, and 8 healthy ones that are submitted
right after them, all through 4 threads; each attempt blocks its thread for 10 ms. `bridge(..., retry=...)` waits on the
event loop, a function that is decorated by `tenacity.retry` in its thread. Reported: seconds until all are done, and
those of the slowest healthy call. Quick: waits of 0.05 s.

Last, `asyncio.wait_for(..., 0.1)` around a call that fails at once and would wait 10 s before the next attempt: seconds
until the caller has its TimeoutError, for a bridged function, for a coroutine function, and for a mirror whose server
refuses the recipient. A run in which the call did not wait yet by the deadline does not count.

In all three the peers take turns.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median
from time import perf_counter, sleep
from typing import Any

import tenacity

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, retry_transient
from asyncsmtp_bridge.testing import SMTPTestServer, refuse

from .callers import Call, nothing
from .measurement import Plan, Row, Table, turns, version

Decorate = Callable[[Any], Any]


def measure(plan: Plan) -> list[Table]:
    """Return the three tables."""
    return [plan.on_loop(_first_attempts(plan)), plan.on_loop(_crowds(plan)), plan.on_loop(_deadlines(plan))]


def _figures(name: str, samples: Sequence[float]) -> Row:
    return {name: median(samples), f"{name}_min": min(samples), f"{name}_max": max(samples), f"samples_{name}": samples}


def _by_tenacity(**options: Any) -> Decorate:
    decorate: Decorate = tenacity.retry(
        retry=tenacity.retry_if_exception_type(OSError), stop=tenacity.stop_after_attempt(5), reraise=True, **options
    )
    return decorate


# What the first attempt costs.

CALLS, QUICK_CALLS = 20_000, 500  # of a sample
BARE, OURS, THEIRS = "the function itself", "retry_transient", "tenacity.retry"
PLAIN, COROUTINE = "plain", "coroutine"
DECORATORS: dict[str, Decorate] = {BARE: lambda func: func, OURS: retry_transient, THEIRS: _by_tenacity()}


async def _nothing() -> None:
    """Be the coroutine function."""


async def _first_attempts(plan: Plan) -> Table:
    calls = QUICK_CALLS if plan.quick else CALLS
    plain = {f"{PLAIN}: {peer}": decorate(nothing) for peer, decorate in DECORATORS.items()}
    awaited = {f"{COROUTINE}: {peer}": decorate(_nothing) for peer, decorate in DECORATORS.items()}
    samples: dict[str, list[float]] = {name: [] for name in (*plain, *awaited)}
    for run, name in turns(list(samples), plan.runs):
        own = _calling(plain[name], calls) if name in plain else await _awaiting(awaited[name], calls)
        if run:
            samples[name].append(own)
    return Table(
        title="What the first attempt costs",
        parameters={"calls": calls, "tenacity": version("tenacity")},
        columns={
            "function, peer": "{function}: {peer}",
            "median us/call": "{us:.2f}",
            "min": "{us_min:.2f}",
            "max": "{us_max:.2f}",
            "added, median us": "{added_us:.2f}",
            "min ": "{added_us_min:.2f}",
            "max ": "{added_us_max:.2f}",
            "added, ratio": "{ratio:.1f}",
            "ratio min..max": "{ratio_min:.1f}..{ratio_max:.1f}",
        },
        rows=[_cost(kind, peer, samples) for kind in (PLAIN, COROUTINE) for peer in DECORATORS],
    )


def _calling(func: Callable[[], object], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        func()
    return (perf_counter() - start) / calls * 1e6


async def _awaiting(func: Call, calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        await func()
    return (perf_counter() - start) / calls * 1e6


def _cost(kind: str, peer: str, samples: dict[str, list[float]]) -> Row:
    own, ours, bare = (samples[f"{kind}: {name}"] for name in (peer, OURS, BARE))
    row: Row = {"function": kind, "peer": peer, **_figures("us", own)}
    if peer == BARE:
        nothing_added = dict.fromkeys(("added_us", "added_us_min", "added_us_max", "ratio", "ratio_min", "ratio_max"))
        return {**row, **nothing_added}
    added = _above(own, bare)
    ratios = [above / of_ours for above, of_ours in zip(added, _above(ours, bare), strict=True)]
    return {**row, **_figures("added_us", added), **_figures("ratio", ratios)}


def _above(samples: list[float], bare: list[float]) -> list[float]:
    return [own - of_bare for own, of_bare in zip(samples, bare, strict=True)]


# Who waits for whom.

THREADS = 4
FLAKY, FAILURES, HEALTHY = 16, 2, 8
BLOCKED = 0.01  # seconds of an attempt


class Mail:
    """A message, and how often it is refused before it is taken."""

    def __init__(self, refusals: int) -> None:
        self._refusals = refusals  # one attempt after the other, in whichever threads

    def deliver(self) -> None:
        """Be the blocking function."""
        sleep(BLOCKED)
        if self._refusals:
            self._refusals -= 1
            raise smtplib.SMTPConnectError(421, b"busy")


Delivery = Callable[[Mail], Awaitable[object]]


def _on_the_loop(executor: BoundedExecutor, wait: float) -> Delivery:
    policy = retry_transient(wait=tenacity.wait_fixed(wait))
    return bridge(Mail.deliver, executor=executor, retry=policy)


def _in_the_thread(executor: BoundedExecutor, wait: float) -> Delivery:
    deliver = _by_tenacity(wait=tenacity.wait_fixed(wait))(Mail.deliver)
    return lambda mail: executor.run(deliver, mail)


WAITING: dict[str, Callable[[BoundedExecutor, float], Delivery]] = {
    "backoff on the loop: bridge(func, retry=retry_transient(...))": _on_the_loop,
    "backoff in the thread: BoundedExecutor.run of tenacity.retry(...)(func)": _in_the_thread,
}


async def _crowds(plan: Plan) -> Table:
    wait = 0.05 if plan.quick else 0.5
    samples: dict[str, list[tuple[float, float]]] = {peer: [] for peer in WAITING}
    for run, peer in turns(list(WAITING), plan.runs):
        async with BoundedExecutor(THREADS) as executor:
            sample = await _crowd(WAITING[peer](executor, wait))
        if run:
            samples[peer].append(sample)
    return Table(
        title=f"Who waits for whom: {FLAKY} calls that fail {FAILURES} times and wait {wait:g} s after each, "
        f"then {HEALTHY} healthy ones, {THREADS} threads",
        parameters={"threads": THREADS, "flaky": FLAKY, "failures": FAILURES, "healthy": HEALTHY, "wait": wait}
        | {"blocked": BLOCKED, "tenacity": version("tenacity")},
        columns={
            "peer": "{peer}",
            "all done, median s": "{all_s:.3f}",
            "min": "{all_s_min:.3f}",
            "max": "{all_s_max:.3f}",
            "slowest healthy call, median s": "{healthy_s:.3f}",
            "min ": "{healthy_s_min:.3f}",
            "max ": "{healthy_s_max:.3f}",
        },
        rows=[
            {
                "peer": peer,
                **_figures("all_s", [everything for everything, _ in samples[peer]]),
                **_figures("healthy_s", [healthy for _, healthy in samples[peer]]),
            }
            for peer in WAITING
        ],
    )


async def _crowd(deliver: Delivery) -> tuple[float, float]:
    """Return the seconds for all, and those of the slowest healthy call."""

    async def one(mail: Mail) -> float:
        start = perf_counter()
        await deliver(mail)
        return perf_counter() - start

    mails = [*(Mail(FAILURES) for _ in range(FLAKY)), *(Mail(0) for _ in range(HEALTHY))]
    start = perf_counter()
    seconds = await asyncio.gather(*map(one, mails))
    return perf_counter() - start, max(seconds[FLAKY:])


# A deadline around a retried call.

DEADLINE = 0.1  # seconds
BACKOFF = 10.0  # seconds

MakeCall = Callable[[Any], AbstractAsyncContextManager[Call]]
"""Makes the call under a policy; what it takes is there before the deadline begins."""


def _busy() -> None:
    raise smtplib.SMTPConnectError(421, b"busy")


@asynccontextmanager
async def _bridged(policy: Any) -> AsyncIterator[Call]:
    async with BoundedExecutor(1) as executor:
        yield bridge(_busy, executor=executor, retry=policy)


@asynccontextmanager
async def _coroutine_function(policy: Any) -> AsyncIterator[Call]:
    async def busy() -> None:
        _busy()

    yield policy(busy)


@asynccontextmanager
async def _mirror(policy: Any) -> AsyncIterator[Call]:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy")]) as server:
        async with (
            BoundedExecutor(1) as executor,
            AsyncSMTP(server.host, server.port, "localhost", executor=executor, retry=policy) as mirror,
        ):
            yield lambda: mirror.sendmail("anna@example.org", "bert@example.org", "Subject: x\n\nx\n")


RETRIED: dict[str, MakeCall] = {
    "bridge(func, retry=retry_transient(...))": _bridged,
    "a coroutine function under retry_transient": _coroutine_function,
    "AsyncSMTP(..., retry=retry_transient(...)).sendmail": _mirror,
}


async def _deadlines(plan: Plan) -> Table:
    samples: dict[str, list[float]] = {peer: [] for peer in RETRIED}
    for run, peer in turns(list(RETRIED), plan.runs):
        seconds = await _until_freed(peer)
        if run and seconds is not None:
            samples[peer].append(seconds)
    return Table(
        title=f"A deadline of {DEADLINE:g} s around a call that waits {BACKOFF:g} s for its second attempt",
        parameters={"deadline": DEADLINE, "backoff": BACKOFF, "tenacity": version("tenacity")},
        columns={
            "peer": "{peer}",
            "runs": "{runs}",
            "caller freed, median s": "{caller_s:.3f}",
            "max": "{caller_s_max:.3f}",
        },
        rows=[
            {"peer": peer, "runs": len(own), **(_figures("caller_s", own) if own else {"note": "did not come so far"})}
            for peer, own in samples.items()
        ],
    )


async def _until_freed(peer: str) -> float | None:
    """Return the seconds until the caller had its TimeoutError; None if the call did not wait by then."""
    waits: list[tenacity.RetryCallState] = []
    policy = retry_transient(wait=tenacity.wait_fixed(BACKOFF), before_sleep=waits.append)
    async with RETRIED[peer](policy) as call:
        start = perf_counter()
        try:
            await asyncio.wait_for(call(), DEADLINE)
        except asyncio.TimeoutError:
            return perf_counter() - start if waits else None
    raise RuntimeError(f"{peer}: the call returned")
