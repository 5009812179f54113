"""Classifying: from an exception to what is known of the message.

Owns `classify`. What a call failed with may be wrapped: in a wrapper's own exception, in a group, in the TimeoutError
of a deadline. So the whole of its chain is looked through (``__cause__``, ``__context__``, also where ``from None``
hides it). What in there is SMTP's is told by its type, or by frames of smtplib in its traceback; how far the
transaction had come, by the same frames. Where several of them speak, the most serious counts: that a message may have
been delivered is not undone by what a wrapper tried afterwards.

It does not know threads, event loops or retry policies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from . import record
from .chain import links_of
from .evidence import BEFORE_CONTENT, CONTENT, Event, is_smtps, judged_alone, line_of, refusal_of, speaks_for_itself
from .outcome import EARLIER, CancelledCall, Failure, Outcome, StillOwed
from .phase import Phase

Refusals = Mapping[str, tuple[int, bytes]]
"""What ``sendmail`` and ``send_message`` return: the recipients that were refused, with the reply to each."""


@overload
def classify(failed: BaseException) -> Failure: ...
@overload
def classify(failed: Refusals) -> dict[str, Failure]: ...
def classify(failed: BaseException | Refusals) -> Failure | dict[str, Failure]:
    """Say what is known of a message whose sending has failed.

    =======================================================================  ===========================================
    seen                                                                     outcome
    =======================================================================  ===========================================
    connect, TLS or EHLO failed, the connection ended before the content     transient
    a 4yz reply                                                              transient
    a 5yz reply, a feature that the server has not, a malformed message      permanent
    wrong credentials, a certificate that is refused, a name that is none    permanent
    the content was sent, and no complete reply read                         unknown
    a 2yz reply to the content that smtplib did not expect                   accepted
    a cancelled call, or a deadline                                          as far as it had come; accepted, if it had
                                                                             returned in time
    nothing of SMTP, or the QUIT after the mail                              None: the error is foreign
    =======================================================================  ===========================================

    Where all recipients were refused, the whole is transient if one of them is, since nobody has got anything.

    An exception that came through a retry policy tells also whether the same call had begun to send other messages
    before: then it is not to be made again as a whole, and its outcome is never transient, but unknown.

    Args:
        failed: The exception; or the refusals that ``sendmail`` and ``send_message`` return.

    Returns:
        What is known; of refusals, for each address.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(failed, Mapping):
        try:
            return {address: refusal_of(address, *reply) for address, reply in failed.items()}
        except TypeError as error:
            raise TypeError(
                f"refusals are {{address: (code, text)}}, as sendmail() returns them, not {failed!r:.80}"
            ) from error
    if not isinstance(failed, BaseException):
        raise TypeError(f"classify() takes an exception, or the refusals that sendmail() returned, not {failed!r:.80}")
    known = next((found.known() for link in links_of(failed) if (found := record.of(link.error)) is not None), None)
    failure = judged(failed, known or record.NOTHING_KNOWN)
    earlier = getattr(failed, EARLIER, None)
    if isinstance(earlier, Failure) and failure.outcome is not Outcome.ACCEPTED:
        return replace(failure, outcome=Outcome.UNKNOWN, message_id=earlier.message_id)
    return failure


def judged(error: BaseException, known: record.Known) -> Failure:
    """Say what is known of a message, by the exception and by what was recorded of the call.

    Args:
        error: The exception.
        known: What was recorded.
    """
    if known.begun is not None and _is_from_elsewhere(error):
        known = replace(known, is_ambiguous=True)
    verdicts = _verdicts(error, nothing_begun=known.nothing_begun)
    if not verdicts:
        return Failure(None, text=line_of(error), sent_before=_ids(known.begun or ()), exception=error)
    worst = min(verdicts, key=lambda verdict: verdict.rank).failure
    if known.begun is None or worst.outcome is Outcome.ACCEPTED:
        return worst
    before = _before(known.begun, verdicts, worst)
    if worst.message_id is None and worst.phase in (None, *CONTENT) and len(before) < len(known.begun):
        worst = replace(worst, message_id=known.begun[-1][0])
    sent_before = _ids(before)
    is_unseen = not before and not known.sends and any(verdict.is_unseen for verdict in verdicts)
    if known.is_ambiguous or is_unseen or (before and known.has_strays):
        sent_before = (None,)  # perhaps; what others may have sent is not named
    if not sent_before:
        return worst
    outcome = Outcome.UNKNOWN if worst.outcome is Outcome.TRANSIENT else worst.outcome
    return replace(worst, outcome=outcome, sent_before=sent_before)


def _is_from_elsewhere(error: BaseException) -> bool:
    """Whether an exception has come from another process, of which nothing is recorded here."""
    return any(type(link.error).__name__ in ("RemoteTraceback", "_RemoteTraceback") for link in links_of(error))


def _before(begun: Sequence[record.Content], verdicts: Sequence[_Verdict], worst: Failure) -> list[record.Content]:
    """Return the contents that were begun besides those of which the exceptions tell what became."""
    left = list(begun)
    for transaction, is_of_content in {(each.transaction, each.is_of_content) for each in verdicts}:
        # Frames that are gone make room for others: the last one with this identity is the one that was there.
        for index in reversed(range(len(left))):
            _, of, _, _, _, is_certain = left[index]
            if of == transaction and (is_of_content or not is_certain):
                del left[index]
                break
    for verdict in verdicts:
        if left and verdict.is_delivered:
            del left[-1]
    if left and len(left) == len(begun) and worst.outcome is Outcome.UNKNOWN and worst.phase is None:
        del left[-1]  # where nobody can tell how far it had come, the last one may be it
    return left


def _ids(contents: Sequence[record.Content]) -> tuple[str | None, ...]:
    return tuple(content[0] for content in contents)


@dataclass(frozen=True)
class _Verdict:
    """What one exception of a chain says."""

    failure: Failure
    transaction: int | None = None
    """Which transaction it ended, if it did: the identity of a frame."""
    is_of_content: bool = False
    """Whether that had come to its content."""
    is_delivered: bool = False
    """Whether it tells of a message that some have got."""
    is_unseen: bool = False
    """Whether it came through a session that may send unseen."""
    is_foreign_member: bool = False
    """Whether it is a member of a group in which there is no SMTP."""

    @property
    def rank(self) -> int:
        """The lower, the more serious."""
        return 2 if self.is_foreign_member else _RANKS[self.failure.outcome]


_RANKS = {Outcome.UNKNOWN: 0, Outcome.PERMANENT: 1, Outcome.TRANSIENT: 3, None: 4, Outcome.ACCEPTED: 5}


# The chain.


def _verdict(event: Event, nothing_begun: bool) -> _Verdict:
    try:
        failure = judged_alone(event, nothing_begun)
        delivered = _is_delivered(event.error)
        is_unseen = event.is_unseen and failure.phase not in (Phase.CONNECTING, Phase.GREETING)
        return _Verdict(failure, event.transaction, failure.phase in CONTENT, delivered, is_unseen)
    except Exception:  # what somebody has made of one of smtplib's exceptions may lack anything
        return _Verdict(Failure(Outcome.UNKNOWN, text=line_of(event.error), exception=event.error))


def _verdicts(error: BaseException, *, nothing_begun: bool) -> list[_Verdict]:
    """Return what an exception says, and what those in its chain say; nothing if there is no SMTP in them.

    Args:
        error: The exception.
        nothing_begun: Whether it is known besides that no content was begun.
    """
    links = links_of(error)
    told: list[_Verdict | None] = [None] * len(links)
    has_smtp = [False] * len(links)  # it, or what is in it
    for index in reversed(range(len(links))):
        link = links[index]
        call = getattr(link.error, "call", None) if isinstance(link.error, asyncio.CancelledError) else None
        if isinstance(call, CancelledCall):
            told[index] = _Verdict(_of_cancelled(call, link.error))
        elif is_smtps(link.error, link.own) and (not has_smtp[index] or speaks_for_itself(link.error, link.own)):
            told[index] = _verdict(Event(link.error, link.places), nothing_begun)
        has_smtp[index] = has_smtp[index] or told[index] is not None
        if has_smtp[index] and link.outer is not None:
            has_smtp[link.outer] = True
        elif link.is_member:
            told[index] = _Verdict(
                Failure(None, text=line_of(link.error), exception=link.error), is_foreign_member=True
            )
    return [verdict for verdict in told if verdict is not None] if has_smtp[0] else []


# Cancelled calls.


def _of_cancelled(call: CancelledCall, cancelled: BaseException) -> Failure:
    known = record.known_by(cancelled)
    told = None
    if call.error is not None:
        told = judged(call.error, record.known_by(call.error) if known.begun is None else known)
    outcome = _outcome_of_cancelled(call, told)
    if outcome is Outcome.TRANSIENT and told is None and known.begun:
        outcome = Outcome.UNKNOWN  # the same call had begun to send before
    unknown = any(each.outcome is Outcome.UNKNOWN for each in call.earlier)
    if outcome is not Outcome.ACCEPTED and (unknown or (call.error is not None and _is_delivered(call.error))):
        outcome = Outcome.UNKNOWN
    if told is not None and told.outcome is outcome:
        return told
    phase = call.phase or (None if told is None else told.phase)
    message_id = None if told is None else told.message_id
    return Failure(
        outcome, text=f"{call.function} was cancelled", phase=phase, message_id=message_id, exception=cancelled
    )


def _is_delivered(error: BaseException) -> bool:
    return isinstance(error, StillOwed) and error.is_delivered


def _outcome_of_cancelled(call: CancelledCall, told: Failure | None) -> Outcome | None:
    if not call.began:
        return Outcome.TRANSIENT
    if call.returned and not call.aborted:
        return Outcome.ACCEPTED if told is None else told.outcome
    # What was aborted may have swallowed the error of it, and a wrapper may have sent something before.
    if call.phase in CONTENT:
        return told.outcome if told is not None and told.phase in CONTENT else Outcome.UNKNOWN
    if call.phase in BEFORE_CONTENT:
        return Outcome.TRANSIENT if told is None else (told.outcome or Outcome.TRANSIENT)
    return Outcome.UNKNOWN
