"""Blocking calls: what is known of a call that held up an event loop, and how it is told.

Owns the words. It does not know how such calls are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .repairs import Repair, repair_of
from .sites import Caller, Site, shown_path


@dataclass(eq=False, repr=False)
class BlockingCall:
    """A line that has smtplib connect or send on the thread of a running event loop.

    ``str()`` of it is the report. There is one for each line and finder; what is said of the task, the host and the way
    is of the first time.

    Args:
        site: Where it is; private.
        task: The name of the task; None: it was called by the loop itself.
        host: The server's name, if it is known.
    """

    site: Site
    task: str | None = None
    host: str | None = None
    count: int = 0
    """How many turns of a loop it has held up."""
    seconds: float = 0.0
    """How long a loop stood still for it within one turn, at most; 0 if it was kept from that, or goes on."""

    @property
    def filename(self) -> str:
        """The file, as Python names it."""
        return self.site.place.filename

    @property
    def line(self) -> int:
        """The line, from 1 on."""
        return self.site.place.line

    @property
    def function(self) -> str:
        """The function that the line is in; the qualified name from Python 3.11 on."""
        return self.site.place.function

    @property
    def does(self) -> str:
        """What of smtplib it comes to: ``smtplib.SMTP.send_message``."""
        return self.site.does

    @property
    def through(self) -> tuple[Caller, ...]:
        """The lines from there to the one that calls smtplib; empty where it is that."""
        return self.site.through

    @property
    def call(self) -> str | None:
        """The expression that blocks, if the source can be had."""
        return self._repair.call

    @property
    def mend(self) -> str:
        """The line that would not block, or a sentence where no line can be given."""
        return self._repair.mend

    @cached_property
    def _repair(self) -> Repair:
        return repair_of(self.site)

    def __repr__(self) -> str:
        what = self.does if self.call is None else self.call
        return f"{type(self).__name__}({shown_path(self.filename)!r}, {self.line}, {self.function!r}, {what!r})"

    def __str__(self) -> str:
        return f"{shown_path(self.filename)}:{self.line}: {self.told()}"

    def told(self) -> str:
        """Return the report without the place, which Python says of a warning by itself."""
        task = "" if self.task is None else f" (task {self.task!r})"
        times = f", {self.count} times" if self.count > 1 else ""
        most = "up to " if self.count > 1 else ""
        lasts = f" for {most}{_lasting(self.seconds)}" if self.seconds else ""
        way = self.does if self.call is None else f"{self.call} -> {self.does}"
        if self.through:
            way += f" at {shown_path(self.through[-1].filename)}:{self.through[-1].line}"
        if self.host:
            way += f", to {self.host}"
        return f"in {self.function}{task}: blocks the event loop{times}{lasts}\n    {way}\n    mend: {self.mend}"


def _lasting(seconds: float) -> str:
    if seconds >= 0.1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "less than 1 ms"


class BlockingCallWarning(RuntimeWarning):
    """smtplib was used on the thread of a running event loop, which stood still for as long."""


class BlockingCallError(RuntimeError):
    """smtplib was about to be used on the thread of a running event loop; nothing was sent.

    Args:
        call: What is known of it; of this time alone, where it was raised at the call.
    """

    def __init__(self, call: BlockingCall) -> None:
        super().__init__(str(call))
        self.call = call
