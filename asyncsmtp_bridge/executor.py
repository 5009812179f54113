"""The executor: blocking calls awaited, never more than `size` of them at once.

Owns `BoundedExecutor`, the face of `asyncsmtp_bridge.slots` for event loops, and the executor that the process uses
where none is named. It does not know SMTP.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from . import defaults
from .dedicated import DedicatedSlots
from .defaults import Around
from .job import Job, call_on_loop, logger
from .shared import SharedSlots
from .slots import Slots
from .stats import ExecutorObserver, ExecutorStats

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self", bound="BoundedExecutor")


class BoundedExecutor:
    """Runs blocking calls in at most `size` threads of its own, and lets them be awaited.

    ``await executor.run(func, *args)`` has the contract of ``asyncio.to_thread``, with a bound that holds: the slot of
    a cancelled call is given back when its thread returns, not before. Threads start as they are needed, never on the
    event loop's thread, and end with `aclose` or with the executor itself. One executor serves any number of event
    loops and threads. In the child of a ``fork()`` it starts empty.

    Args:
        size: Slots, and so the most threads. Without it: ``configure(executor_size=...)``, else the environment
            variable ``ASYNCSMTP_BRIDGE_EXECUTOR_SIZE``, else 8.
        max_pending: Calls that may wait for a slot; one more raises `ExecutorFull`. None: no limit.
        around: Makes a context manager that is entered around every call, in the worker, in the context of the call:
            Django's ``close_old_connections``, a Flask application context. Without it: ``configure(around=...)``.
        name: Names the threads and appears in messages.
        observer: Is told when jobs start, end and are abandoned.

    Raises:
        TypeError, ValueError: `size` or `max_pending` is not a number that can work.
    """

    _slots: Slots

    def __init__(
        self,
        size: int | None = None,
        *,
        max_pending: int | None = None,
        around: Around | None = None,
        name: str = "asyncsmtp",
        observer: ExecutorObserver | None = None,
    ) -> None:
        self._use(DedicatedSlots, size, max_pending, around, name, observer)

    @classmethod
    def shared(
        cls: type[Self],
        size: int | None = None,
        *,
        max_pending: int | None = None,
        around: Around | None = None,
        name: str = "asyncsmtp",
        observer: ExecutorObserver | None = None,
    ) -> Self:
        """Make an executor without threads of its own: it calls ``asyncio.to_thread``, at most `size` times at once.

        For applications that tune the event loop's default executor and want all their threads there. Bound, slot,
        context, exceptions and statistics are the same. What the loop's executor does, it goes on doing: it starts
        threads on the loop's thread; at interpreter exit it waits for a stuck call for ever; in the child of a
        ``fork()`` only a new event loop can use it; and when others fill it, mail waits behind them, and they and
        every DNS lookup wait behind mail. A loop that is stopped while calls of it wait keeps the slot that it is
        handed until it runs again, or is closed and followed by another loop on its thread. And
        calls start nearly in their order: one whose slot is on its way to the loop may be overtaken by a later one.

        Args:
            size: As for a dedicated executor.
            max_pending: As for a dedicated executor.
            around: As for a dedicated executor.
            name: Appears in messages.
            observer: As for a dedicated executor.
        """
        self = cls.__new__(cls)
        self._use(SharedSlots, size, max_pending, around, name, observer)
        return self

    def _use(
        self,
        kind: type[Slots],
        size: int | None,
        max_pending: int | None,
        around: Around | None,
        name: str,
        observer: ExecutorObserver | None,
    ) -> None:
        user = f"executor {name!r}"
        if max_pending is not None and (isinstance(max_pending, bool) or not isinstance(max_pending, int)):
            raise TypeError(f"max_pending: a number of calls, or None for no limit, not {max_pending!r}")
        if max_pending is not None and max_pending < 0:
            raise ValueError(f"max_pending: 0 or more calls, or None for no limit, not {max_pending}")
        self._slots = kind(
            defaults.default_size(user) if size is None else defaults.checked_size(size, "size"),
            max_pending=max_pending,
            around=defaults.in_force(user).around if around is None else around,
            name=name,
            observer=observer,
        )
        # Threads hold the slots, not the executor. When the executor is dropped, they finish what there is, and end.
        weakref.finalize(self, self._slots.close_from_finalizer).atexit = False

    def __repr__(self) -> str:
        if not hasattr(self, "_slots"):  # as seen in the frames of an __init__ that raised
            return f"<{type(self).__name__}, not made>"
        stats = self.stats()
        kind = "BoundedExecutor.shared" if isinstance(self._slots, SharedSlots) else "BoundedExecutor"
        state = "closed" if self._slots.closed else f"{stats.running} running, {stats.pending} pending"
        return f"<{kind} {self._slots.name!r} size={stats.size} {state}>"

    async def run(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a blocking function in a worker thread and wait for its result.

        The call sees a copy of the current context variables. Calls start in the order in which they were made.

        Cancelling: a call that has not begun never runs. A running function cannot be stopped from here: the awaiter
        is freed at once, the function runs on, and its slot stays occupied until it returns.

        Args:
            func: Any blocking callable.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What the function returns.

        Raises:
            ExecutorFull: `max_pending` calls wait already; the function was not called.
            RuntimeError: The executor is closed, or was called from one of its own threads. Also instead of a
                StopIteration or CancelledError from the function, which is then the cause.
            BaseException: Any other exception of the function, as it was raised, with its traceback.
        """
        job = Job(func, args, kwargs)
        del func, args, kwargs  # not to be seen in this frame's variables by whoever collects them
        slots = self._slots
        slots.submit(job)
        result: R = await slots.outcome(job)
        return result

    def stats(self) -> ExecutorStats:
        """Return what runs and waits, and what was counted since the executor was made."""
        return self._slots.stats()

    async def aclose(self, timeout: float | None = None) -> None:
        """End admission, wait for every call that was admitted, and end the threads.

        After `timeout` seconds (None: no limit) what has not begun is given up, its awaiters get a RuntimeError, and
        what still runs is named in the log and left alone: a thread cannot be stopped from outside, it ends when its
        call returns. Closing twice is allowed.

        Cancelling ends the wait; admission stays ended, and the calls go on.

        Args:
            timeout: Seconds to wait.

        Raises:
            RuntimeError: Called from one of the executor's own threads.
        """
        self._slots.refuse_own_thread()
        loop = asyncio.get_running_loop()
        drained: asyncio.Future[None] = loop.create_future()

        def resolve() -> None:
            if not drained.done():
                drained.set_result(None)

        self._slots.close(lambda: call_on_loop(loop, resolve))
        await asyncio.wait({drained}, timeout=timeout)
        if drained.done():
            return
        given_up = self._slots.give_up_pending()
        names = self._slots.names_of_running()
        if given_up or names:
            logger.warning(
                "executor %r was closed with %d call(s) not begun, and %d still running after %s s: %s",
                self._slots.name,
                given_up,
                len(names),
                timeout,
                ", ".join(names) or "none",
            )

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


_default_lock = threading.Lock()
_default: BoundedExecutor | None = None


def default_executor() -> BoundedExecutor:
    """Return the executor that is used where none is named; made at the first call, and anew after it was closed.

    Its size is that of ``configure(executor_size=...)``, else of ``ASYNCSMTP_BRIDGE_EXECUTOR_SIZE``, else 8.
    """
    global _default
    with _default_lock:
        if _default is None or _default._slots.closed:
            _default = BoundedExecutor(name="asyncsmtp-default")
        return _default


async def to_thread(func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a blocking function in a thread of the default executor: `BoundedExecutor.run` for the impatient.

    Takes the place of ``asyncio.to_thread``; arguments, result, errors and cancelling are described there.
    """
    job = Job(func, args, kwargs)
    del func, args, kwargs
    slots = slots_of(None)
    slots.submit(job)
    result: R = await slots.outcome(job)
    return result


def slots_of(executor: BoundedExecutor | None) -> Slots:
    """Return where to submit jobs: the layers above make their own `Job`s, with lanes."""
    return (executor or default_executor())._slots


def _forget_lock_after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock_after_fork)


def _forget_default() -> None:
    """Forget the default executor (the package's own tests)."""
    global _default
    with _default_lock:
        _default = None
