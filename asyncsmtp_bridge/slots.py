"""Slots: how many jobs run at once, which one next, and what is counted.

Owns what the two kinds of executor share: admission, the claim of each job, the return of its slot, the end. It knows
neither the threads (`asyncsmtp_bridge.dedicated` has its own, `asyncsmtp_bridge.shared` borrows the event loop's) nor
what the jobs do.

One rule holds for both kinds: a slot is given back when the function has really returned, and not when somebody stops
waiting for it. A job is claimed once, under one lock, either by the worker that runs it or by whoever withdraws it.
"""

from __future__ import annotations

import _thread
import os
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from time import monotonic
from typing import Any, cast

from .defaults import Around
from .job import RETURNED, RUNNING, WAITING, WITHDRAWN, ClosingJob, Job, LaneJob, logger
from .stats import ExecutorObserver, ExecutorStats, JobEvent


class ExecutorFull(RuntimeError):
    """The executor's slots are taken and its queue holds `max_pending` calls; the call was not begun."""


class Slots:
    """What both kinds share: admission, claims, counting, the end."""

    def __init__(
        self,
        size: int,
        *,
        max_pending: int | None,
        around: Around | None,
        name: str,
        observer: ExecutorObserver | None,
    ) -> None:
        self.size = size
        self.max_pending = max_pending
        self.around = around
        self.name = name
        self.observer = observer
        self._closed = False
        self._clear()
        with _registry_lock:
            _registry.add(self)

    def _clear(self) -> None:
        """Begin with nothing: when made, and again in the child of a fork, where the threads are no more."""
        self._lock = threading.Lock()
        # All of the following is read and written under the lock.
        self._runnable: OrderedDict[Job, None] = OrderedDict()
        self._behind: set[Job] = set()  # in a lane, of which another job is the head
        self._running: dict[int, Job] = {}  # by the identity of the thread
        self._pending = 0
        self._abandoned = 0
        self._done = 0
        self._failed = 0
        self._cancelled = 0
        self._peak = 0
        self._seconds_waited = 0.0
        self._seconds_run = 0.0
        self._on_drained: list[Callable[[], object]] = []

    # What a kind adds.

    def _add(self, job: Job) -> Callable[[], None] | None:
        """Put a job whose turn it is before the workers; under the lock. Return what remains to be done after it."""
        raise NotImplementedError

    async def outcome(self, job: Job) -> Any:
        """Wait for a submitted job; return its result or raise its exception.

        Cancelling withdraws the job if no worker has claimed it; otherwise the awaiter is freed at once, and the
        function runs on, unobserved, in its slot.
        """
        raise NotImplementedError

    def wait(self, job: Job) -> None:
        """Wait, in a thread, until a submitted job has returned or was given up."""
        raise NotImplementedError

    def loop_is_gone(self, job: Job) -> None:
        """The event loop that awaits the job was closed; on any thread."""
        raise NotImplementedError

    def _slot_freed(self, job: Job) -> None:
        """A job was withdrawn, perhaps after a slot had been kept for it; not under the lock."""

    def _leave_unawaited(self, job: Job) -> None:
        """See to it that a submitted job runs though nobody awaits its outcome."""

    def _not_begun(self) -> list[Job]:
        """Return the jobs that no worker has claimed; under the lock."""
        return [*self._runnable, *self._behind]

    def _is_drained(self) -> bool:
        """Whether nothing is left to do; under the lock."""
        return not self._pending and not self._running

    # Admission.

    def submit(self, job: Job) -> None:
        """Admit a job.

        Raises:
            ExecutorFull: All slots are taken and `max_pending` calls wait.
            RuntimeError: The executor is closed, or this is one of its own threads.
        """
        if get_ident() in self._running:
            self.refuse_own_thread()
        job.expect()
        self._admit(job)

    def _admit(self, job: Job) -> None:
        job.slots = self
        todo = None
        with self._lock:
            if self._closed:
                raise RuntimeError(f"executor {self.name!r} is closed; {job.name} was not called")
            if self.max_pending is not None and not job.must_run:
                # A call for which a slot is free does not count as waiting, though its worker may not have come yet.
                room = self.size + self.max_pending - len(self._running) - self._pending
                if room <= 0:
                    raise ExecutorFull(
                        f"executor {self.name!r} is full: of {self.size} slots {len(self._running)} are taken and "
                        f"{self._pending} calls wait (max_pending={self.max_pending}); {job.name} was not called"
                    )
            self._pending += 1
            job.admitted_at = monotonic()
            if job.lane is None or job.lane.enter(job):
                todo = self._add(job)
            else:
                self._behind.add(job)
        if todo is not None:
            todo()

    def leave(self, job: LaneJob) -> None:
        """Admit a job that nobody will await. A closed executor leaves it undone."""
        job.abandoned = True
        job.on_return = _told
        with self._lock:
            self._abandoned += 1
        job.expect_in_thread()
        try:
            self._admit(job)
        except RuntimeError as error:
            logger.info("%s was left undone: %s", job.name, error)
            with self._lock:
                self._abandoned -= 1
        else:
            self._leave_unawaited(job)

    def enqueue(self, job: Job) -> None:
        """Put a job of which the turn has come in its lane before the workers; it may be withdrawn already."""
        with self._lock:
            self._behind.discard(job)
            todo = self._add(job) if job.state is WAITING else None
        if todo is not None:
            todo()

    def refuse_own_thread(self) -> None:
        """Raise if the caller occupies one of the slots that it wants to wait for."""
        if get_ident() in self._running:
            raise RuntimeError(
                f"executor {self.name!r} was called from one of its own threads; that thread would wait for a slot "
                "that it occupies itself. Call the function directly, or use another executor"
            )

    # The claim.

    def _claim(self, job: Job, thread: int) -> None:
        """Take a waiting job for the worker that calls this; under the lock."""
        job.state = RUNNING
        job.thread = thread
        job.started_at = now = monotonic()
        self._pending -= 1
        self._seconds_waited += now - job.admitted_at
        self._running[thread] = job
        if len(self._running) > self._peak:  # max() would be a tenth of the cost of a claim
            self._peak = len(self._running)

    def let_go(self, job: Job) -> None:
        """The awaiter of a job was cancelled: withdraw the job, or else leave it to run on in its slot.

        A result that had come in at that very moment, and that someone must dispose of, is disposed of.
        """
        with self._lock:
            withdrawn = self._withdraw(job)
            if job.state is RUNNING:
                job.abandoned = True
                self._abandoned += 1
        if withdrawn:
            self._after_withdrawal(job)
        elif not job.abandoned:
            self._discard_on_worker(job)
        elif self.observer is not None:
            self._tell(job, "job_abandoned")

    def interrupt(self, job: Job, action: Callable[[], object]) -> bool:
        """Do something to a job's thread, unless the job has returned: what comes after it must not be hit.

        Args:
            job: The job.
            action: Called while the job cannot return; quick, and free of anything that submits jobs.

        Returns:
            Whether the job still ran.
        """
        with self._lock:
            if job.state is not RUNNING:
                return False
            action()
            return True

    def tell_of_abort(self, job: Job) -> None:
        """An abandoned job is being aborted; on the event loop's thread."""
        if self.observer is not None:
            self._tell(job, "job_aborted")

    def let_go_from_finalizer(self, job: Job) -> None:
        """The awaiter was thrown away unfinished, perhaps by a garbage collection on a thread that holds a lock."""
        with suppress(RuntimeError):  # at interpreter exit no thread starts any more
            _thread.start_new_thread(self.let_go, (job,))

    def give_up(self, job: Job, error: BaseException) -> None:
        """Fail a job that no worker will ever take; no effect on any other."""
        with self._lock:
            if not self._withdraw(job):
                return
            job.result, job.error = None, error
        self._after_withdrawal(job)
        if not job.future.done():
            job.inbox.put(job)

    def _withdraw(self, job: Job) -> bool:
        """Claim a job so that it never runs; under the lock. False if it is no longer waiting."""
        if job.state is not WAITING:
            return False
        job.state = WITHDRAWN
        self._runnable.pop(job, None)
        self._behind.discard(job)
        self._pending -= 1
        self._cancelled += 1
        if job.abandoned:
            self._abandoned -= 1
        return True

    def _after_withdrawal(self, job: Job) -> None:
        # What follows can withdraw further jobs: when a loop was closed, all that it had queued. They are worked off
        # in a row; as a recursion a long lane would be too deep.
        row: deque[Job] | None = getattr(_row, "jobs", None)
        if row is not None:
            row.append(job)
            return
        row = _row.jobs = deque([job])
        try:
            while row:
                each = row.popleft()
                each.slots._settle_withdrawal(each)
        finally:
            _row.jobs = None

    def _settle_withdrawal(self, job: Job) -> None:
        job.drop_arguments()
        self._slot_freed(job)
        self._move_up(job)
        self._announce_drained()

    def _discard_on_worker(self, job: Job) -> None:
        if job.error is not None:
            self._tell_failure(job)
            return
        if job.discard is None:
            return
        # Disposing of a connection blocks, so it is a job, too, in the same lane.
        self.leave(ClosingJob(job.discard, (job.result,), {}, job.lane))

    # The worker's side.

    def _settle(self, job: Job) -> None:
        """Give back the slot of a job that has returned, and count it; under the lock."""
        job.state = RETURNED
        del self._running[job.thread]
        self._seconds_run += job.returned_at - job.started_at
        if job.error is None:
            self._done += 1
        else:
            self._failed += 1
        if job.abandoned:
            self._abandoned -= 1
        if job.on_return is not None:
            job.on_return()
            cast(LaneJob, job).on_return = _told  # what was called holds the job

    def _wind_up(self, job: Job) -> None:
        """What else the end of a job brings about; on the worker, not under the lock."""
        if job.abandoned:
            # Before the next job of the lane has its turn: it must not find what is about to be disposed of.
            self._dispose(job)
        if job.lane is not None:
            self._move_up(job)
        if self.observer is not None:
            self._tell(job, "job_ended")
        if job.abandoned:
            self._tell_failure(job)
        if self._closed:
            self._announce_drained()

    def _tell_failure(self, job: Job) -> None:
        """Nobody awaits the job any more: if it failed, the log is told, and nobody else."""
        if job.error is not None:
            logger.debug("%s failed when nobody awaited it any more: %r", job.name, job.error)
            job.drop_error()

    def _dispose(self, job: Job) -> None:
        """Nobody awaits the job any more: if it returned something to dispose of, that is done here."""
        if job.error is None and job.discard is not None:
            try:
                job.discard(job.result)
            except BaseException as error:  # whatever it is, the worker and its slot must outlive it
                logger.debug("disposing of the result of %s failed: %r", job.name, error)

    def _move_up(self, job: Job) -> None:
        """Let the next job of the lane have its turn."""
        if job.lane is not None:
            head = job.lane.leave(job)
            if head is not None:
                head.slots.enqueue(head)

    def _tell(self, job: Job, what: str) -> None:
        event = JobEvent(
            executor=self.name,
            function=job.name,
            waited=job.started_at - job.admitted_at,
            ran=monotonic() - job.started_at,
            error=job.error if job.state is RETURNED else None,
        )
        try:
            getattr(self.observer, what)(event)
        except BaseException as error:  # whatever it is, the worker and its slot must outlive it
            logger.exception("the observer of executor %r failed in %s", self.name, what)
            if what == "job_abandoned" and not isinstance(error, Exception):
                raise  # this is the event loop's thread, where a KeyboardInterrupt has a meaning

    # The end.

    @property
    def closed(self) -> bool:
        """Whether admission has ended."""
        return self._closed

    def close(self, on_drained: Callable[[], object] | None = None) -> None:
        """End admission; `on_drained` is called, on any thread, when nothing is left to do."""
        with self._lock:
            self._closed = True
            if on_drained is not None:
                self._on_drained.append(on_drained)
        self._announce_drained()

    def close_from_finalizer(self) -> None:
        """End admission, from a place to which a garbage collection may have brought a thread that holds the lock."""
        if self._lock.acquire(blocking=False):
            self._lock.release()  # held by nobody, so not by this thread
            self.close()
        else:
            with suppress(RuntimeError):  # at interpreter exit no thread starts any more
                _thread.start_new_thread(self.close, ())

    def _announce_drained(self) -> None:
        if not self._closed:
            return
        with self._lock:
            if not self._is_drained():
                return
            callbacks, self._on_drained = self._on_drained, []
        for callback in callbacks:
            callback()

    def give_up_pending(self) -> int:
        """Fail every job that has not begun; return how many there were."""
        with self._lock:
            jobs = self._not_begun()
        for job in jobs:
            self.give_up(job, RuntimeError(f"executor {self.name!r} was closed before {job.name} began; it never ran"))
        return len(jobs)

    def names_of_running(self) -> list[str]:
        """What runs now."""
        with self._lock:
            return sorted(job.name for job in self._running.values())

    def stats(self) -> ExecutorStats:
        """Everything that is counted."""
        with self._lock:
            return ExecutorStats(
                size=self.size,
                running=len(self._running),
                pending=self._pending,
                abandoned=self._abandoned,
                done=self._done,
                failed=self._failed,
                cancelled=self._cancelled,
                peak=self._peak,
                seconds_waited=self._seconds_waited,
                seconds_run=self._seconds_run,
            )


def _told() -> None:
    """Stand where the canceller of a job was told of its return."""


_row = threading.local()
_registry: weakref.WeakSet[Slots] = weakref.WeakSet()
_registry_lock = threading.Lock()


def every_slots() -> list[Slots]:
    """Return those of every executor that there is."""
    with _registry_lock:
        return list(_registry)


def _begin_anew_after_fork() -> None:
    """In the child there is one thread, the one that forked; every executor is empty, and works."""
    global _registry_lock
    _registry_lock = threading.Lock()
    for slots in every_slots():
        slots._clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
