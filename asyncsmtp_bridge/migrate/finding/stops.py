"""Stops: the turns of an event loop that are held up, and for how long by which line.

Owns the clock. A turn begins to be held up at its first step of smtplib, and is over when the loop comes to what was
put in its queue then. Within a turn, the time of one line ends where the next one begins. It does not know what is told
of it.

Everything here is on the thread of the loop, except `Stop.seconds`, and the end of one whose loop has ended before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

Line = tuple[str, int, str]
"""A file, a line in it, and the function around that."""


class Stop:
    """One turn of an event loop, from its first step of smtplib on.

    Args:
        loop: The loop.
        thread: The identity of its thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self.loop = loop
        self.thread = thread
        # In the order in which they are to be called, each once.
        self._at_end: list[Callable[[], None]] = []
        self._seconds: dict[Line, float] = {}
        self._line: Line | None = None
        self._since = 0.0

    def leave(self) -> None:
        """Let the time of the line that has held up the loop so far end now."""
        now = monotonic()
        if self._line is not None:
            self._seconds[self._line] = self._seconds.get(self._line, 0.0) + now - self._since
        self._since = now

    def enter(self, line: Line) -> None:
        """Let the time of a line begin now."""
        self._line = line
        self._since = monotonic()

    def seconds(self, line: Line) -> float:
        """Return how long a line has held up the loop; from any thread."""
        seconds = self._seconds.get(line, 0.0)
        # Nobody knows how long a loop stood still that has ended since: until its last step, at least.
        if line == self._line and self.loop.is_running():
            seconds += monotonic() - self._since
        return seconds

    def at_end(self, call: Callable[[], None]) -> None:
        """Have something called when the turn is over."""
        self._at_end.append(call)

    def end(self) -> None:
        """Let the turn be over."""
        if self.loop.is_running():
            self.leave()
        self._line = None
        calls, self._at_end = self._at_end, []
        refused = [warning for warning in map(_refused, calls) if warning is not None]
        if refused:
            raise refused[0]


def _refused(call: Callable[[], None]) -> Warning | None:
    """Call it; the others are called all the same if a filter of warnings makes an error of this one's."""
    try:
        call()
    except Warning as warning:
        return warning
    return None
