"""How long the event loop was frozen: a task that wants to run all the time, and notes when it could not.

Owns the measurement. It does not know what else runs on the loop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter
from types import TracebackType

BEAT = 0.001
"""Seconds between two beats."""

FREEZE = 0.010
"""Seconds from which a gap between two beats is a freeze: less is what threads and the system's scheduler take."""


class Heartbeat:
    """Measures the event loop for the time of an ``async with`` block.

    A task sleeps for `BEAT` seconds, again and again. When it wakes late, the loop served nobody meanwhile: no request
    was accepted, no timer fired, no reply was read.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        """How long it was measured."""
        self.frozen = 0.0
        """Seconds by which beats came late, added up over all freezes."""
        self.longest = 0.0
        """The longest gap between two beats, in seconds, freeze or not."""

    async def __aenter__(self) -> Heartbeat:
        self._begun = self._last = perf_counter()
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.sleep(BEAT)  # so that a freeze that has just ended is seen
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.seconds = perf_counter() - self._begun

    async def _beat(self) -> None:
        while True:
            self._last = perf_counter()
            await asyncio.sleep(BEAT)
            gap = perf_counter() - self._last
            self.longest = max(self.longest, gap)
            if gap > FREEZE:
                self.frozen += gap - BEAT
