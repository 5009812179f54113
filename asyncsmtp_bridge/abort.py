"""The abort: what becomes of a running call on an object when its awaiter is cancelled.

Owns the order of things: the thread is forbidden to go on with SMTP, what it is blocked on is shut down until it is
back, the awaiter waits for that, but not for long, and the log is told what is known of the message. How a thread is
stopped is in `asyncsmtp_bridge.watch`, when a job has returned is in `asyncsmtp_bridge.slots`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from . import defaults, watch
from .job import LaneJob, call_on_loop, logger
from .watch import Phase, Position


async def abort(job: LaneJob, interrupt: Callable[[], object]) -> None:
    """Make an abandoned job return, and wait until it has, at most ``configure(cancel_grace=...)`` seconds.

    What it is blocked on in smtplib is shut down again and again until it returns, also when nobody waits any more.
    What cannot be interrupted (a name being looked up, code that is not talking SMTP) runs on, but it begins no further
    step of SMTP.

    Cancelling ends the wait at once.

    Args:
        job: The job.
        interrupt: Called each time, too: ends what the object itself is known to be connected to. Quick.
    """
    settings = defaults.in_force("a cancelled call")
    loop = asyncio.get_running_loop()
    back: asyncio.Future[None] = loop.create_future()
    positions: list[Position] = []

    def resolve() -> None:
        if not back.done():
            back.set_result(None)

    def returned() -> None:
        watch.permit(job.thread)
        with suppress(RuntimeError):
            call_on_loop(loop, resolve)

    def shut_down() -> None:
        # Looked at first: what is shut down goes on, and is then somewhere else.
        positions.append(watch.shut_down(job.thread))
        interrupt()

    def begin() -> None:
        job.on_return = returned
        if settings.audit_hook:
            watch.forbid(job.thread)
        try:
            shut_down()
        except Exception:  # another audit hook may refuse a look at the stack; what is cancelled stays cancelled
            logger.exception("%s was cancelled, and cannot be interrupted", job.name)

    def again() -> bool:
        del positions[1:]
        return job.slots.interrupt(job, shut_down)

    if not job.slots.interrupt(job, begin):
        return  # it has returned meanwhile
    try:
        watch.repeat(again)
    except RuntimeError as error:  # no thread can be started
        logger.warning("%s was cancelled, and is interrupted only once: %s", job.name, error)
    _tell(job, positions[0] if positions else None)
    await asyncio.wait({back}, timeout=settings.cancel_grace)


def _tell(job: LaneJob, position: Position | None) -> None:
    if position is None or position.phase is None:
        logger.info("%s was cancelled outside smtplib; what it did before is not known", job.name)
    elif position.phase in (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT):
        logger.warning(
            "%s was cancelled (%s): message %s may have been delivered, nobody can know",
            job.name,
            position.phase.value,
            _message_id(position) or "of unknown Message-ID",
        )
    else:
        logger.info("%s was cancelled and is aborted (%s)", job.name, position.phase.value)


def _message_id(position: Position) -> str | None:
    try:
        found = None if position.message is None else position.message["Message-ID"]
    except Exception:  # a header that cannot be read names nothing
        return None
    return None if found is None else str(found)
