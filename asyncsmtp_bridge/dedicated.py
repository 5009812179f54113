"""Slots on threads of their own, started as they are needed; the end of the process.

Owns the worker threads: how they start, wait, wake each other and end. What a job is and when it is claimed is in
`asyncsmtp_bridge.slots`.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import contextvars
import threading
import warnings
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Any, cast

from . import defaults
from .job import Bell, Job, logger
from .slots import Slots, every_slots


class DedicatedSlots(Slots):
    """Slots with threads of their own, started as they are needed, at most `size`.

    The threads are daemons: a stuck one must not keep the interpreter from ending; `_end_at_exit` gives them the
    time that they may have.
    """

    def _clear(self) -> None:
        super()._clear()
        # A worker whose generation is over lives on in the child of a fork, and must find that it has no job here.
        self._generation = object()
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._idle = 0
        self._waking = False
        self._threads = 0
        self._started = 0

    def _add(self, job: Job) -> Callable[[], None] | None:
        self._runnable[job] = None
        if self._idle and not self._waking:
            self._waking = True
            self._idle -= 1
            return self._wake
        # The thread that was woken wakes the next, and that one the next: no more jobs than they are wait for them.
        if self._waking and len(self._runnable) <= self._idle + 1:
            return None
        if self._threads < self.size:
            self._threads += 1
            return self._start_thread
        return None

    def _wake(self) -> None:
        self._wakeups.put(None)

    async def outcome(self, job: Job) -> Any:
        """Wait for a submitted job; its future is resolved when it has returned."""
        try:
            await job.future
        except asyncio.CancelledError:
            self.let_go(job)
            raise
        except GeneratorExit:
            self.let_go_from_finalizer(job)
            raise
        if job.error is None:
            return job.result
        raise job.take_error()

    def wait(self, job: Job) -> None:
        """Wait for a worker of the executor to return the job."""
        cast(Bell, job.future).wait()

    def loop_is_gone(self, job: Job) -> None:
        """Its result is lost; say so, and dispose of it."""
        logger.warning("the event loop was closed before the result of %s came in: it is lost", job.name)
        self._dispose(job)
        self._tell_failure(job)

    def _is_drained(self) -> bool:
        return super()._is_drained() and not self._threads

    def _announce_drained(self) -> None:
        if self._closed:
            with self._lock:
                # Threads that wait for a job that cannot come any more are woken, and end.
                idle = 0 if self._pending else self._idle
                self._idle -= idle
            for _ in range(idle):
                self._wakeups.put(None)
        super()._announce_drained()

    # Starting a thread takes as long as the new thread takes to get the GIL (measured: 2 s for eight of them, under
    # load), and enqueue() runs on event loops. So a bare thread, for which nobody waits, starts the real one.

    def _start_thread(self) -> None:
        try:
            _thread.start_new_thread(self._launch, (self._generation,))
        except RuntimeError as error:
            self._launch_failed(error)

    def _launch(self, generation: object) -> None:
        with self._lock:
            self._started += 1
            number = self._started
        # An empty context, also where threads inherit one (free-threaded 3.14): a worker serves many callers and must
        # not keep the first one's variables.
        context = contextvars.Context()
        thread = threading.Thread(
            target=context.run, args=(self._serve, generation), name=f"{self.name}-{number}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            self._launch_failed(error)

    def _launch_failed(self, error: RuntimeError) -> None:
        with self._lock:
            self._threads -= 1
            stranded = [] if self._threads else list(self._runnable)
        for job in stranded:
            problem = RuntimeError(f"executor {self.name!r} could not start a thread for {job.name}: {error}")
            problem.__cause__ = error
            self.give_up(job, problem)
        self._announce_drained()

    # The worker's side.

    def _serve(self, generation: object) -> None:
        """Take jobs and run them until the executor is closed: the life of a thread."""
        thread = threading.get_ident()
        job: Job | None = None
        finished: Job | None = None
        woken = False
        while True:
            wake = sleep = False
            # One acquisition of the lock per job: the slot of the last one, and the claim of the next.
            with self._lock:
                if generation is not self._generation:
                    return  # the function forked, and this is the child: nobody here awaits it
                if finished is not None:
                    self._settle(finished)
                if woken:
                    self._waking = woken = False
                if self._runnable:
                    job = self._runnable.popitem(last=False)[0]
                    self._claim(job, thread)
                    # Wake the next only now: threads that are all woken at once stand in each other's way.
                    if self._runnable and self._idle and not self._waking:
                        self._waking = wake = True
                        self._idle -= 1
                elif finished is None:
                    # Idle only now that its last result is delivered: whoever wakes for that and brings the next job
                    # is better served by a thread that is asleep than by one that is on its way to bed.
                    if self._closed and not self._pending:
                        self._threads -= 1
                        break
                    self._idle += 1
                    sleep = True
            if wake:
                self._wakeups.put(None)
            if finished is not None:
                if finished.abandoned or finished.lane is not None or self.observer is not None or self._closed:
                    self._wind_up(finished)
                if not finished.abandoned:
                    finished.inbox.put(finished)
                finished = None
            if job is not None:
                if self.observer is not None:
                    self._tell(job, "job_started")
                job.execute(self.around)
                finished, job = job, None
            elif sleep:
                self._wakeups.get()
                woken = True
        self._announce_drained()


def _end_at_exit() -> None:
    """Give running jobs their grace, then let the process end, and say what was still running."""
    deadline = monotonic() + defaults.peek().exit_grace
    waiting: list[tuple[Slots, threading.Event]] = []
    for slots in every_slots():
        if isinstance(slots, DedicatedSlots):  # the threads of the others are waited for by their own executor
            drained = threading.Event()
            slots.close(drained.set)
            slots.give_up_pending()
            waiting.append((slots, drained))
    for _, drained in waiting:
        drained.wait(min(max(0.0, deadline - monotonic()), threading.TIMEOUT_MAX))
    for slots, _ in waiting:
        names = slots.names_of_running()
        if names:
            message = (
                f"executor {slots.name!r}: the process ends while {len(names)} call(s) still run: {', '.join(names)}"
            )
            logger.warning(message)
            warnings.warn(message, ResourceWarning, stacklevel=1)


atexit.register(_end_at_exit)
