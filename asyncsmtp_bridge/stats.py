"""What an executor counts, and what it tells an observer.

Owns the shapes of these facts, nothing that produces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ExecutorStats:
    """What an executor does and did, at one moment.

    Every call that was admitted is in one of `pending`, `running`, `done`, `failed` and `cancelled`.
    """

    size: int
    """Slots: at most this many calls run at once."""
    running: int
    """Slots occupied now, awaited or not."""
    pending: int
    """Calls that wait: for a slot, or for their turn on a connection that is busy."""
    abandoned: int
    """Calls under way that nobody awaits: running ones of which the awaiter was cancelled, and those that close what
    such a one left open."""
    done: int
    """Calls that returned."""
    failed: int
    """Calls that raised."""
    cancelled: int
    """Calls that were withdrawn before they began, and never ran."""
    peak: int
    """The most calls that ever ran at once."""
    seconds_waited: float
    """Seconds between admission and start, added up over all calls that started."""
    seconds_run: float
    """Seconds between start and return, added up over all calls that returned."""


@dataclass(frozen=True)
class JobEvent:
    """What an observer is told of a job."""

    executor: str
    """The executor's name."""
    function: str
    """The qualified name of the function; its arguments are nobody's business."""
    waited: float
    """Seconds from admission to start."""
    ran: float
    """Seconds from start until now."""
    error: BaseException | None
    """What the function raised, once it has ended."""


class ExecutorObserver(Protocol):
    """Receives what happens to an executor's jobs, for metrics.

    Called on the thread on which it happens, so an implementation is quick and thread-safe. An exception from it is
    logged and changes nothing else.
    """

    def job_started(self, event: JobEvent) -> None:
        """A worker begins with the job; called on the worker."""

    def job_ended(self, event: JobEvent) -> None:
        """The function returned or raised; called on the worker."""

    def job_abandoned(self, event: JobEvent) -> None:
        """The awaiter of a running job was cancelled; called on its event loop."""

    def job_aborted(self, event: JobEvent) -> None:
        """An abandoned job is being aborted: what it is blocked on is shut down; called on the awaiter's event loop."""
