"""Cancellation: what becomes of a running call when its awaiter is cancelled.

Owns the three answers, and what is known of the call in the end. ``"abort"``: the thread is forbidden to go on with
SMTP, what it is blocked on is shut down until it is back, and the awaiter waits for that, but not for long. ``"wait"``:
the awaiter waits for as long as it takes. ``"abandon"``: nobody waits. How a thread is stopped is in
`asyncsmtp_bridge.watch`, when a job has returned is in `asyncsmtp_bridge.slots`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any, Literal

from . import defaults, watch
from .job import RUNNING, WITHDRAWN, LaneJob, call_on_loop, logger
from .outcome import CancelledCall
from .phase import Phase
from .watch import Position

OnCancel = Literal["abort", "wait", "abandon"]

ON_CANCEL: tuple[OnCancel, ...] = ("abort", "wait", "abandon")


async def settle(job: LaneJob, on_cancel: OnCancel, interrupt: Callable[[], object]) -> CancelledCall:
    """Do what is to be done about a job whose awaiter is cancelled; on its event loop, when the job was let go of.

    Args:
        job: The job.
        on_cancel: One of the three answers.
        interrupt: For an abort: ends what the object itself is known to be connected to. Quick.

    Returns:
        What is known of it.

    Raises:
        asyncio.CancelledError: A second cancel ended the wait for an abort; it has the attribute ``call``.
    """
    if job.state is WITHDRAWN:
        return CancelledCall(job.name, began=False)
    loop = asyncio.get_running_loop()
    back: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not back.done():
            back.set_result(None)

    end = _End(job, lambda: call_on_loop(loop, resolve))
    try:
        if on_cancel == "abort":
            if _abort(end, job, interrupt):
                await asyncio.wait({back}, timeout=defaults.in_force("a cancelled call").cancel_grace)
        elif on_cancel == "wait":
            if end.is_awaited():
                await _come_what_may(back)
        elif end.is_awaited():
            logger.info("%s was cancelled and runs on; what becomes of it will not be known", job.name)
    except asyncio.CancelledError as again:
        note(again, end.known())
        raise
    return end.known()


def settle_from_thread(job: LaneJob, on_cancel: OnCancel, interrupt: Callable[[], object]) -> None:
    """Do the same for a thread that waited for the job, and was interrupted: it does not wait any longer."""
    if job.state is not WITHDRAWN and on_cancel == "abort":
        _abort(_End(job, bool), job, interrupt)


def note(cancelled: asyncio.CancelledError, call: CancelledCall) -> None:
    """Put what is known of the call on the CancelledError."""
    cancelled.call = call  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]


class _End:
    """The end of a job that runs, or has just returned: waited for, and what came of it."""

    def __init__(self, job: LaneJob, on_return: Callable[[], object]) -> None:
        self._job: LaneJob | None = job
        self._on_return = on_return
        self.name = job.name
        self.position: Position | None = None
        self.is_forbidden = False
        # Written by the worker, if the job returns while it is awaited.
        self._came: tuple[Any, BaseException | None] | None = None

    def is_awaited(self, meanwhile: Callable[[], object] = bool) -> bool:
        """Take note when the job returns; False if it has returned already.

        Args:
            meanwhile: Called while the job cannot return.
        """
        job = self._job
        assert job is not None  # noqa: S101 - this is called once

        def arm() -> None:
            job.on_return = self._returned
            meanwhile()

        if job.slots.interrupt(job, arm):
            return True
        logger.info(
            "%s had returned when its caller was cancelled; what came of it is on the CancelledError", self.name
        )
        # The worker moves it from one place to the other, in this order.
        error = job.error
        self._came = (self._result_of(job), job.late_error if error is None else error)
        job.late_error = None
        return False

    def _returned(self) -> None:
        # On the worker, under the lock of its Slots.
        job, self._job = self._job, None  # which holds this
        assert job is not None  # noqa: S101 - a job returns once
        self._came = (self._result_of(job), job.error)
        if self.is_forbidden:
            watch.permit(job.thread)
        with suppress(RuntimeError):
            self._on_return()

    @staticmethod
    def _result_of(job: LaneJob) -> Any:
        return None if job.discard is not None else job.result  # disposed of: nobody shall use it

    def known(self) -> CancelledCall:
        """Say what is known by now."""
        phase = None if self.position is None else self.position.phase
        if self._came is None:
            return CancelledCall(self.name, True, phase, aborted=self.is_forbidden)
        result, error = self._came
        return CancelledCall(self.name, True, phase, True, result, error, self.is_forbidden)


async def _come_what_may(back: asyncio.Future[None]) -> None:
    while not back.done():
        with suppress(asyncio.CancelledError):  # the first one is raised when the call has ended
            await asyncio.wait({back})


# What threads wait for that run jobs of their own meanwhile. Each entry is written by the thread that it is of, and its
# content taken out by whoever calls it.
_waiting: dict[int, list[Callable[[], object]]] = {}


@contextmanager
def reached_through(cancel: Callable[[], object]) -> Iterator[None]:
    """While the calling thread waits: have this called, once, if the job that it runs is aborted, or has been."""
    thread = get_ident()
    outer = _waiting.get(thread)
    entry = _waiting[thread] = [cancel]
    try:
        if watch.is_forbidden(thread):
            reach_through(entry)
        yield
    finally:
        if outer is None:
            _waiting.pop(thread, None)
        else:
            _waiting[thread] = outer


def reach_through(entry: list[Callable[[], object]]) -> None:
    """Cancel what a thread waits for, of which the job is aborted; the thread is forbidden already."""
    while entry:
        entry.pop()()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_waiting.clear)


def _abort(end: _End, job: LaneJob, interrupt: Callable[[], object]) -> bool:
    """Make the job return; False if it had returned already.

    What it is blocked on in smtplib is shut down again and again until it returns, also when nobody waits any more.
    What cannot be interrupted (a name being looked up, code that is not talking SMTP) runs on, but it begins no further
    step of SMTP.
    """
    settings = defaults.in_force("a cancelled call")

    def shut_down() -> None:
        # Looked at first: what is shut down goes on, and is then somewhere else.
        position = watch.shut_down(job.thread)
        if end.position is None:
            end.position = position
        interrupt()

    problems: list[Exception] = []
    waits: list[list[Callable[[], object]]] = []

    def begin() -> None:
        watch.forbid(job.thread)
        end.is_forbidden = True
        waits.append(_waiting.get(job.thread, []))
        try:
            shut_down()
        except Exception as problem:  # another audit hook may refuse a look at the stack
            problems.append(problem)

    if settings.audit_hook and job.state is RUNNING:  # not under the lock: it may have to log
        watch.install_hook()
    if not end.is_awaited(begin):
        return False
    for problem in problems:  # what is cancelled stays cancelled
        logger.error("%s was cancelled, and cannot be interrupted", end.name, exc_info=problem)
    reach_through(waits[0])
    try:
        watch.repeat(lambda: job.slots.interrupt(job, shut_down))
    except RuntimeError as error:  # no thread can be started
        logger.warning("%s was cancelled, and is interrupted only once: %s", end.name, error)
    _log(end.name, end.position)
    job.slots.tell_of_abort(job)
    return True


def _log(name: str, position: Position | None) -> None:
    if position is None or position.phase is None:
        logger.info("%s was cancelled outside smtplib; what it did before is not known", name)
    elif position.phase is Phase.BETWEEN:
        logger.info("%s was cancelled between messages; what it did before is not known", name)
    elif position.phase in (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT):
        logger.warning(
            "%s was cancelled (%s): message %s may have been delivered, nobody can know",
            name,
            position.phase.value,
            _message_id(position) or "of unknown Message-ID",
        )
    else:
        logger.info("%s was cancelled and is aborted (%s)", name, position.phase.value)


def _message_id(position: Position) -> str | None:
    try:
        found = None if position.message is None else position.message["Message-ID"]
    except Exception:  # a header that cannot be read names nothing
        return None
    return None if found is None else str(found)
