"""A job: one call on its way to a worker thread and its result on the way back.

Owns what belongs to a single call (the function, its arguments, its context, its state) and the batched way home to
the event loop that awaits it. It does not know threads, queues or limits: `asyncsmtp_bridge.slots` decides when a job
runs, and changes its state, under its lock.

A call's arguments live in the `Job` alone, never in a variable of one of the package's frames: error trackers collect
frame variables, and ``login(user, password)`` must not show there what a synchronous call would have hidden. That is
also why a `Job` has no telling ``repr``.
"""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import enum
import functools
import logging
import os
import threading
import weakref
from asyncio import get_running_loop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .defaults import Around
    from .lane import Lane
    from .slots import Slots

logger = logging.getLogger("asyncsmtp_bridge")


class State(enum.Enum):
    """How far a job has come. Moves down only, once each, under the lock of its `Slots`."""

    WAITING = "waiting"
    """Admitted and not yet claimed: by a worker that will run it, or by a canceller that withdraws it."""
    RUNNING = "running"
    """Claimed by a worker; its slot is occupied until the function has really returned."""
    RETURNED = "returned"
    """The function has returned or raised."""
    WITHDRAWN = "withdrawn"
    """Claimed by a canceller, or given up: it never runs."""


# Bound once: on Python 3.10 looking a member up on its Enum costs as much as the rest of a claim.
WAITING, RUNNING, RETURNED, WITHDRAWN = State


def name_of(func: Any) -> str:
    """Return what to call a function in logs and errors."""
    while isinstance(func, functools.partial):
        func = func.func
    name = None
    with suppress(Exception):  # an object may do anything when it is asked for an attribute
        name = getattr(func, "__qualname__", None)
    return name if isinstance(name, str) else type(func).__qualname__


class Job:
    """One call.

    Expected on the thread of the event loop that will await it. The worker's side is `execute`; the loop's side is
    reading `result` and `error`, once `future` says so.

    Args:
        func: The blocking function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
    """

    # Every call of everybody makes one: it has no field that not every call needs.
    # Written by the loop's thread before the job is submitted: func, args, kwargs, context, inbox, future, slots,
    # admitted_at. By the worker that claimed it: thread, started_at, returned_at, result, error.
    # Under the lock of its Slots: state, abandoned. After that by one side only, as the state says.
    __slots__ = (
        "_args",
        "_context",
        "_func",
        "_kwargs",
        "abandoned",
        "admitted_at",
        "error",
        "future",
        "inbox",
        "result",
        "returned_at",
        "slots",
        "started_at",
        "state",
        "thread",
    )

    slots: Slots
    admitted_at: float
    started_at: float
    returned_at: float
    thread: int
    result: Any
    error: BaseException | None

    # What only a `LaneJob` has.
    lane: Lane | None = None
    discard: Callable[[Any], object] | None = None
    label: str | None = None
    on_return: Callable[[], object] | None = None
    must_run = False

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._func = func
        self._args: Any = args
        self._kwargs: Any = kwargs
        self._context: Any = contextvars.copy_context()
        self.state = WAITING
        self.abandoned = False

    def expect(self) -> None:
        """Be awaited from here: on the thread of a running event loop, before the job is admitted.

        Not part of construction: where no loop runs this raises, and whoever constructs holds the arguments.
        """
        loop = get_running_loop()
        try:
            inbox = _current.inbox
        except AttributeError:
            inbox = None
        self.inbox: Inbox = inbox if inbox is not None and inbox.loop() is loop else new_inbox(loop)
        self.future: asyncio.Future[None] = loop.create_future()

    def expect_in_thread(self) -> None:
        """Be waited for by a thread, or by nobody."""
        # What resolves a future on a loop and what rings a bell in a thread are one here.
        self.inbox = self.future = cast(Any, Bell())

    @property
    def name(self) -> str:
        """What runs, for logs and errors: never an argument."""
        if self.label is not None:
            return self.label
        return name_of(self._func)

    @property
    def was_admitted(self) -> bool:
        """Whether an executor has taken it on."""
        return hasattr(self, "admitted_at")

    def __repr__(self) -> str:
        return f"<Job {self.name} {self.state.value}>"

    # The worker's side.

    def execute(self, around: Around | None) -> None:
        """Call the function, in the job's own copy of the caller's context, and keep what comes of it."""
        try:
            if around is not None:
                self.result = self._context.run(self._call_within, around)
            elif self._kwargs:
                self.result = self._context.run(self._func, *self._args, **self._kwargs)
            else:
                self.result = self._context.run(self._func, *self._args)
            self.error = None
        except BaseException as error:  # whatever it is, it belongs to the awaiter
            self.result, self.error = None, self._carried(error)
        self.returned_at = monotonic()
        # Now, and not with the job: a large message need not live as long as its result.
        self._args = self._kwargs = self._context = None

    def _call_within(self, around: Around) -> Any:
        # Entered in the job's context: a context variable that __enter__ sets can be reset by __exit__ there only.
        with around():
            return self._func(*self._args, **self._kwargs)

    def _carried(self, error: BaseException) -> BaseException:
        """Return `error`, or what stands for it where it would mean something else on the event loop.

        A StopIteration cannot be raised out of a coroutine (and hangs ``asyncio.to_thread``, gh-112182); a
        CancelledError from the function would make the caller's task look cancelled, which nobody asked for.
        """
        if isinstance(error, (StopIteration, asyncio.CancelledError)):
            replacement = RuntimeError(f"{self.name} raised {type(error).__name__}")
            replacement.__cause__ = error
            return replacement
        return error

    def drop_arguments(self) -> None:
        """Let go of what only the call needed, when there will be none."""
        self._args = self._kwargs = self._context = None

    def drop_error(self) -> None:
        """Let go of the exception, which nobody will raise: its traceback holds the job."""
        self.error = None

    # The loop's side.

    def take_error(self) -> BaseException:
        """Return the function's exception, to be raised. It is not kept: its traceback will hold the job."""
        error, self.error = self.error, None
        assert error is not None  # noqa: S101 - that there is one was asked before
        return error


class LaneJob(Job):
    """A call on an object: it has its turn in the object's lane, and may make something that must be disposed of.

    Args:
        func: The blocking function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        lane: The FIFO in which the job has its turn, if it has one.
        label: What to call the job in logs and errors; the function's qualified name if left out.
        discard: Called with the function's result, in a worker, when nobody is left to receive it: closes a
            connection that was opened for an awaiter that was cancelled meanwhile.
    """

    # on_return is written by a canceller and called by the worker, both under the lock of the job's Slots.
    # late_error is what a call raised that returned as it was cancelled; for its canceller, who takes it.
    __slots__ = ("discard", "label", "lane", "late_error", "on_return")

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        lane: Lane | None,
        *,
        label: str | None = None,
        discard: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(func, args, kwargs)
        self.lane = lane
        self.label = label
        self.discard = discard
        self.on_return = None
        self.late_error: BaseException | None = None

    def aim(self, func: Callable[..., Any], lane: Lane | None) -> None:
        """Say what is to be called, and in which lane, where that is known only after the arguments were put away."""
        self._func = func
        self.lane = lane

    def wrap(self, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Call the function through a wrapper."""
        self.label, self._func = self.name, wrapper(self._func)

    def within(self, context: contextvars.Context) -> None:
        """Run in this context, and not in a copy of the caller's: one that several jobs share, one after the other."""
        self._context = context

    def call_here(self) -> Any:
        """Call the function on this thread, which has the job's turn already."""
        return self._func(*self._args, **self._kwargs)

    def drop_error(self) -> None:
        """Keep it for the canceller, if the job returned before the canceller could wait for that."""
        if self.on_return is None:
            self.late_error = self.error
        self.error = None


class ClosingJob(LaneJob):
    """A call that ends something, and must not be refused for want of room."""

    __slots__ = ()
    must_run = True


class BlockingJob(LaneJob):
    """A call on an object that a thread waits for, and not an event loop."""

    __slots__ = ()

    def expect(self) -> None:
        """Be waited for by the calling thread."""
        self.expect_in_thread()


class ClosingBlockingJob(BlockingJob):
    """A call that ends something, and that a thread waits for."""

    __slots__ = ()
    must_run = True


class Bell:
    """Stands where jobs that are awaited have an `Inbox` and a future."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def loop(self) -> None:
        """No loop."""

    def put(self, _: Job) -> None:
        """Ring: as a worker does that has returned the job."""
        self._rung.set()

    def set_result(self, _: None) -> None:
        """Ring: as one does that has a slot for the job."""
        self._rung.set()

    def done(self) -> bool:
        """Whether it has rung."""
        return self._rung.is_set()

    def wait(self) -> None:
        """Block until the job is done with."""
        self._rung.wait()


class Inbox:
    """Carries jobs home to one event loop: many jobs, one wake-up.

    ``call_soon_threadsafe`` writes to the loop's self-pipe, a system call each time; while a wake-up is under way, a
    job that comes meanwhile only needs to be put in the tray.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        # Workers append and set the flag; the loop's thread clears the flag, then takes out. No lock, and none needed,
        # with the GIL or without: a worker that finds the flag set has appended before it was cleared, so the loop,
        # which looks into the tray after that, finds the job (both deque operations synchronise). Two workers that
        # find it clear at once wake the loop twice, which does no harm.
        self._tray: deque[Job] = deque()
        self._armed = False

    def put(self, job: Job) -> None:
        """Have the job's future resolved on the loop, from any thread.

        A loop that was closed meanwhile gets nothing any more; that costs a line in the log, not a worker.
        """
        self._tray.append(job)
        if self._armed:
            return
        self._armed = True
        if not call_on_loop(self.loop(), self._empty):
            self.strand()

    def is_stranded(self) -> bool:
        """Whether something is left that a closed loop did not come to."""
        loop = self.loop()
        return bool(self._tray) and (loop is None or loop.is_closed())

    def strand(self) -> None:
        """Send back what a closed loop did not come to."""
        self._armed = False
        while self._tray:
            with suppress(IndexError):  # another thread may do the same
                job = self._tray.popleft()
                job.slots.loop_is_gone(job)

    def _empty(self) -> None:
        """Resolve the future of every job that has come in; on the loop's thread."""
        self._armed = False
        take_out = self._tray.popleft
        with suppress(IndexError):
            while True:
                future = take_out().future
                if not future.done():
                    future.set_result(None)


def call_on_loop(loop: asyncio.AbstractEventLoop | None, callback: Callable[..., object], *args: Any) -> bool:
    """Have `callback` called on the thread of `loop`; False if that loop is no more.

    The loop is asked after the failure, not before the attempt: it may be closed in between (gh-96827).
    """
    if loop is None:
        return False
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
        return False
    return True


_current = threading.local()


def new_inbox(loop: asyncio.AbstractEventLoop) -> Inbox:
    """Make an inbox for the loop that runs on this thread, and remember it.

    One is remembered per thread, as a thread runs one loop at a time. Two for the same loop would do no harm but wake
    it twice.
    """
    last: Inbox | None = getattr(_current, "inbox", None)
    inbox = _current.inbox = Inbox(loop)
    if last is not None and last.is_stranded():
        # Disposing of results may block, and this is a loop's thread.
        _thread.start_new_thread(last.strand, ())
    return inbox


def _forget_inboxes() -> None:
    global _current
    _current = threading.local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inboxes)
