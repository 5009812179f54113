"""A call through a bridge: to a worker and back, for whoever awaits it, or waits for it in a thread.

Owns the terms on which a bridge's calls are made, and the three ways of making one: awaited, waited for in a thread,
and as the last thing that is done with an object. It does not know what is called.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from . import defaults, watch
from .arguments import Arguments
from .cancellation import ON_CANCEL, OnCancel, note, reached_through, settle, settle_from_thread
from .executor import BoundedExecutor, slots_of
from .job import WITHDRAWN, BlockingJob, ClosingJob, LaneJob, logger
from .record import Record
from .watch import Aborted

Retry = Callable[[Callable[..., Coroutine[Any, Any, Any]]], Callable[..., Coroutine[Any, Any, Any]]]
"""A decorator for coroutine functions, such as ``tenacity.retry(...)``."""


@dataclass(frozen=True)
class Terms:
    """How the calls of a bridge are made."""

    executor: BoundedExecutor | None = None
    on_cancel: OnCancel = "abort"
    retry: Retry | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.executor, (BoundedExecutor, type(None))):
            raise TypeError(f"executor= takes a BoundedExecutor, not {self.executor!r}")
        if self.on_cancel not in ON_CANCEL:
            raise ValueError(f"on_cancel= is one of {', '.join(map(repr, ON_CANCEL))}, not {self.on_cancel!r}")
        if self.retry is not None and not callable(self.retry):
            raise TypeError(
                f"retry= takes a decorator, such as retry_transient or tenacity.retry(...), not {self.retry!r}"
            )
        self.retried(_probe)

    def retried(self, call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return the coroutine function as the policy has it; waiting between attempts holds no thread and no lane.

        What is sent in each attempt is recorded, and the exception that ends it has the record. The policy does not see
        the arguments: its frames would show them.
        """
        if self.retry is None:
            return call

        @functools.wraps(call)
        async def attempt(arguments: Arguments) -> Any:
            watch.keep_record("a retried call")
            with Record():
                return await arguments(call)

        decorated = self.decorated(attempt)

        @functools.wraps(call)
        async def whole(*args: Any, **kwargs: Any) -> Any:
            arguments = Arguments(args, kwargs)
            del args, kwargs
            with Record():  # when it ends, what is left of given-up attempts may go on
                return await decorated(arguments)

        return whole

    def decorated(self, call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return the coroutine function as the policy has it."""
        assert self.retry is not None  # noqa: S101 - that there is one was asked before
        try:
            decorated: Any = self.retry(call)
        except Exception as error:
            raise TypeError(
                "retry= takes a decorator for coroutine functions, such as retry_transient or tenacity.retry(...), "
                f"not {self.retry!r}"
            ) from error
        if inspect.iscoroutine(decorated):
            decorated.close()
        if not inspect.iscoroutinefunction(decorated):
            raise TypeError(
                f"retry= takes a decorator for coroutine functions, such as retry_transient or tenacity.retry(...); "
                f"{self.retry!r} made {decorated!r} of one"
            )
        made: Callable[..., Coroutine[Any, Any, Any]] = decorated
        return made


async def _probe() -> None:
    """Be what a policy is tried on."""


def nothing() -> None:
    """Interrupt nothing in particular: what a thread is blocked on is found without."""


async def perform(job: LaneJob, terms: Terms, interrupt: Callable[[], object] = nothing) -> Any:
    """Have a job run, and wait for it.

    Args:
        job: The job.
        terms: Where, and what becomes of it when the awaiter is cancelled.
        interrupt: For an abort: ends what the object is known to be connected to.
    """
    if job.lane is not None and job.lane.is_mine:
        raise RuntimeError(
            f"{job.name} was awaited from within a call on the same object, which it would wait for; "
            "call the object itself"
        )
    slots = slots_of(terms.executor)
    slots.submit(job)
    try:
        result = await slots.outcome(job)
    except asyncio.CancelledError as cancelled:
        note(cancelled, await settle(job, terms.on_cancel, interrupt))
        raise
    if type(result) is CoroutineType:
        return await result  # what was called turned out to be a coroutine function: a mock, or already migrated
    return result


def perform_here(job: BlockingJob, terms: Terms, interrupt: Callable[[], object] = nothing) -> Any:
    """Have a job run, and block the calling thread until it has.

    Raises:
        RuntimeError: This is the thread of a running event loop, or one of the executor's own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            f"{job.name} was called through blocking() on the thread of a running event loop, which it would block; "
            "await it through the bridge itself"
        )
    if job.lane is not None and job.lane.is_mine:
        return _not_async(job.call_here(), job.name)  # it has its turn already, and would wait for itself
    slots = slots_of(terms.executor)

    def cancel() -> None:
        slots.give_up(job, Aborted())
        settle_from_thread(job, terms.on_cancel, interrupt)

    try:
        slots.submit(job)
        with reached_through(cancel):
            slots.wait(job)
    except BaseException:  # Ctrl-C, or a refusal
        if job.was_admitted:
            slots.let_go(job)
            settle_from_thread(job, terms.on_cancel, interrupt)
        raise
    if job.error is None:
        return _not_async(job.result, job.name)
    raise job.take_error()


def _not_async(result: Any, name: str) -> Any:
    if type(result) is CoroutineType:
        result.close()
        raise TypeError(f"{name} is a coroutine function: it can be awaited, and not called through blocking()")
    return result


async def conclude(make: Callable[[], ClosingJob], terms: Terms, interrupt: Callable[[], object] = nothing) -> Any:
    """Do the last thing that is done with something: it is done whatever becomes of the awaiter.

    Args:
        make: Makes the job; once more, if the awaiter is cancelled while the first waits for its turn.
        terms: Where, and what becomes of it when the awaiter is cancelled while it runs.
        interrupt: For an abort.
    """
    job = make()
    try:
        return await perform(job, terms, interrupt)
    finally:
        if job.state is WITHDRAWN:
            _leave_behind(make, terms)


async def conclude_soon(
    make: Callable[[], ClosingJob], terms: Terms, interrupt: Callable[[], object] = nothing
) -> None:
    """Do it for an awaiter that is being cancelled, or has failed, and for which that is the news.

    The awaiter waits at most ``configure(cancel_grace=...)`` seconds; an exception of the call is logged.
    """
    job = make()
    if job.lane is not None and job.lane.is_stuck:
        _leave_behind(make, terms)  # a call that could not be interrupted
        return
    closing = asyncio.ensure_future(conclude(make, terms, interrupt))
    _closings.add(closing)
    closing.add_done_callback(_concluded)
    try:
        await asyncio.wait({closing}, timeout=defaults.in_force("a cancelled call").cancel_grace)
    finally:
        closing.cancel()  # which aborts it, if it has not ended


# The event loop keeps only weak references to its tasks.
_closings: set[asyncio.Future[Any]] = set()


def _concluded(closing: asyncio.Future[Any]) -> None:
    _closings.discard(closing)
    if not closing.cancelled() and closing.exception() is not None:
        logger.debug("what was done in the end failed: %r", closing.exception())


def _leave_behind(make: Callable[[], ClosingJob], terms: Terms) -> None:
    """Have it done when its awaiter is told already that it was cancelled, and trusts that nothing is sent any more."""
    job = make()
    if terms.on_cancel == "abort":
        job.wrap(watch.forbidden)
    slots_of(terms.executor).leave(job)


def leave(make: Callable[[], ClosingJob], terms: Terms) -> None:
    """Do it where nothing can be awaited any more."""
    slots_of(terms.executor).leave(make())
