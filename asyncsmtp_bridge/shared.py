"""Slots on borrowed threads, those of the event loop's default executor.

Owns the hand-over: which job has a slot and may go to ``asyncio.to_thread``. What a job is and when it is claimed is in
`asyncsmtp_bridge.slots`.
"""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

from .job import WAITING, Bell, Job
from .slots import Slots


class SharedSlots(Slots):
    """Slots on the threads of the event loop's default executor, through ``asyncio.to_thread``.

    A job is handed over only when a slot is free, so the loop's queue never holds more than `size` of ours. Its
    awaiter hands it over itself, when the job's future says that it has a slot.
    """

    def _clear(self) -> None:
        super()._clear()
        # Jobs that have a slot and have not returned, though their thread may not have begun. Under the lock.
        self._placed: set[Job] = set()

    def _add(self, job: Job) -> Callable[[], None] | None:
        self._runnable[job] = None
        return self._place_next if len(self._placed) < self.size else None

    def _place_next(self) -> None:
        while True:
            with self._lock:
                if not self._runnable or len(self._placed) >= self.size:
                    return
                job, _ = self._runnable.popitem(last=False)
                self._placed.add(job)
            loop = job.inbox.loop()
            if loop is not None and loop is _running_loop():
                if not job.future.done():  # or else its awaiter was cancelled, and will let go of it
                    job.future.set_result(None)
            else:
                job.inbox.put(job)

    def _slot_freed(self, job: Job) -> None:
        with self._lock:
            self._placed.discard(job)
        self._place_next()

    def _leave_unawaited(self, job: Job) -> None:
        # Not on the loop's executor: the loop may end before the job has its turn.
        try:
            _thread.start_new_thread(self.wait, (job,))
        except RuntimeError as error:  # no thread can be started
            self.give_up(job, error)

    def _not_begun(self) -> list[Job]:
        return [*super()._not_begun(), *(job for job in self._placed if job.state is WAITING)]

    async def outcome(self, job: Job) -> Any:
        """Wait for a slot, then for ``asyncio.to_thread``."""
        try:
            await job.future
            if job.state is WAITING:
                await asyncio.to_thread(self._serve, job)
        except GeneratorExit:
            self.let_go_from_finalizer(job)
            raise
        except BaseException:
            # Cancelled; or refused, because the loop's default executor was shut down.
            self.let_go(job)
            raise
        if job.error is None:
            return job.result
        raise job.take_error()

    def wait(self, job: Job) -> None:
        """Wait for a slot, then run the job here: there is no loop of which a thread could be used."""
        cast(Bell, job.future).wait()
        self._serve(job)

    def loop_is_gone(self, job: Job) -> None:
        """A slot was kept for a job that nobody will hand over any more; the next one shall have it."""
        self.give_up(job, RuntimeError(f"the event loop was closed before {job.name} began"))

    def _serve(self, job: Job) -> None:
        """Run one job, in a thread of the loop's executor."""
        with self._lock:
            if job.state is not WAITING:
                return
            self._claim(job, threading.get_ident())
        if self.observer is not None:
            self._tell(job, "job_started")
        job.execute(self.around)
        with self._lock:
            if self._running.get(job.thread) is not job:
                return  # the function forked, and this is the child: nobody here awaits it
            self._settle(job)
        self._slot_freed(job)
        self._wind_up(job)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
