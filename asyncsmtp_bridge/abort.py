"""The abort: what becomes of a running call on an object when its awaiter is cancelled.

Owns the order of things: the thread is forbidden to go on with SMTP, what it is blocked on is shut down until it is
back, the awaiter waits for that, but not for long, and the log is told what is known of the message. How a thread is
stopped is in `asyncsmtp_bridge.watch`, when a job has returned is in `asyncsmtp_bridge.slots`.
"""

from __future__ import annotations

import asyncio

from . import defaults, watch
from .job import LaneJob, call_on_loop, logger
from .watch import Phase


async def abort(job: LaneJob) -> None:
    """Make an abandoned job return, and wait until it has, at most ``configure(cancel_grace=...)`` seconds.

    It is shut down again and again until it returns, also when nobody waits any more. What cannot be interrupted (a
    name being looked up, code that is not talking SMTP) runs on, but it begins no further step of SMTP.

    Cancelling ends the wait at once.
    """
    settings = defaults.in_force("a cancelled call")
    loop = asyncio.get_running_loop()
    back: asyncio.Future[None] = loop.create_future()
    seen: list[tuple[Phase | None, str | None]] = []

    def resolve() -> None:
        if not back.done():
            back.set_result(None)

    def returned() -> None:
        watch.permit(job.thread)
        call_on_loop(loop, resolve)

    def begin() -> None:
        job.on_return = returned
        if settings.audit_hook:
            watch.forbid(job.thread)
        seen.append((watch.phase(job.thread), watch.message_id(job.thread)))
        watch.shut_down(job.thread)

    def again() -> bool:
        return job.slots.interrupt(job, lambda: watch.shut_down(job.thread))

    if not job.slots.interrupt(job, begin):
        return  # it has returned meanwhile
    watch.repeat(again)
    _tell(job, *seen[0])
    await asyncio.wait({back}, timeout=settings.cancel_grace)


def _tell(job: LaneJob, phase: Phase | None, message_id: str | None) -> None:
    where = "outside smtplib" if phase is None else phase.value
    if phase is Phase.CONTENT_SENT:
        logger.warning(
            "%s was cancelled when the content had been sent and no reply read: "
            "message %s may have been delivered, nobody can know",
            job.name,
            message_id or "without a known Message-ID",
        )
    else:
        logger.info("%s was cancelled and is aborted (%s)", job.name, where)
