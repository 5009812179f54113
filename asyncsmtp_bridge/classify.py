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
import errno
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType, MappingProxyType
from typing import overload

from . import record, watch
from .outcome import EARLIER, CancelledCall, DeliveryUnknown, Failure, Outcome, StillOwed
from .phase import Phase, Place, in_smtplib, message_in, phase_of, places_in
from .replies import Command, meaning_of

# As they are when this is imported: a test may patch smtplib's names with something else.
_SMTPException = smtplib.SMTPException
_ResponseException = smtplib.SMTPResponseException
_RecipientsRefused = smtplib.SMTPRecipientsRefused
_DataError = smtplib.SMTPDataError
_AuthenticationError = smtplib.SMTPAuthenticationError
_Disconnected = smtplib.SMTPServerDisconnected

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
        return {address: _refusal(address, *reply) for address, reply in failed.items()}
    if not isinstance(failed, BaseException):
        raise TypeError(f"classify() takes an exception, or the refusals that sendmail() returned, not {failed!r:.80}")
    failure = judged(failed, record.begun_by(failed))
    earlier = getattr(failed, EARLIER, None)
    if isinstance(earlier, Failure) and failure.outcome is not Outcome.ACCEPTED:
        return replace(failure, outcome=Outcome.UNKNOWN, message_id=earlier.message_id)
    return failure


def judged(error: BaseException, begun: record.Begun | None) -> Failure:
    """Say what is known of a message, by the exception and by the contents that the call had begun.

    Args:
        error: The exception.
        begun: The contents, those of the failed transaction included; None if they are not known.
    """
    verdicts = list(_verdicts(error, _Knowledge(nothing_begun=begun == ())))
    if not verdicts:
        return Failure(None, text=_line(error), sent_before=begun or (), exception=error)
    worst = min(verdicts, key=lambda verdict: verdict.rank).failure
    if not begun:
        return worst
    accounted = len({verdict.transaction for verdict in verdicts if verdict.transaction is not None})
    if worst.outcome is Outcome.UNKNOWN and worst.phase is None:
        accounted = max(accounted, 1)  # where nobody can tell how far it had come, the last one may be it
    if accounted and worst.message_id is None:
        worst = replace(worst, message_id=begun[-1])
    before = begun[: len(begun) - accounted]
    if not before:
        return worst
    outcome = Outcome.UNKNOWN if worst.outcome is Outcome.TRANSIENT else worst.outcome
    return replace(worst, outcome=outcome, sent_before=before)


@dataclass(frozen=True)
class _Knowledge:
    """What is known besides the exception."""

    nothing_begun: bool = False
    """That no content was begun at all."""


@dataclass(frozen=True)
class _Verdict:
    """What one exception of a chain says."""

    failure: Failure
    transaction: int | None = None
    """Which transaction it ended after the content was begun, if it did: the identity of a frame."""
    is_foreign_member: bool = False
    """Whether it is a member of a group in which there is no SMTP."""

    @property
    def rank(self) -> int:
        """The lower, the more serious."""
        return 2 if self.is_foreign_member else _RANKS[self.failure.outcome]


_RANKS = {Outcome.UNKNOWN: 0, Outcome.PERMANENT: 1, Outcome.TRANSIENT: 3, None: 4, Outcome.ACCEPTED: 5}


# The chain.


def _verdicts(
    error: BaseException, known: _Knowledge, above: Sequence[Place] = (), seen: set[int] | None = None
) -> Iterator[_Verdict]:
    """Yield what an exception says, and what those in its chain say; nothing if there is no SMTP in them.

    Args:
        error: The exception.
        known: What is known besides.
        above: Where the exception came from during which this one was handled.
        seen: Those that were looked at.
    """
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    own = places_in(error.__traceback__)
    # What smtplib has caught and turned into an error of its own goes back no further than to where it was caught.
    caught = next((index for index, (frame, _) in enumerate(above) if own and frame is own[0][0]), 0)
    places = [*above[:caught], *own]
    inner = [
        verdict
        for each in (error.__cause__, error.__context__)
        if each is not None
        for verdict in _verdicts(each, known, places, seen)
    ]
    call = getattr(error, "call", None) if isinstance(error, asyncio.CancelledError) else None
    if isinstance(call, CancelledCall):
        yield _Verdict(_of_cancelled(call, error))
    elif _is_smtps(error, own) and (not inner or _speaks_for_itself(error, own)):
        event = _Event(error, places)
        yield _Verdict(_judged_alone(event, known), event.transaction)
    yield from inner
    for member in _members(error):
        if id(member) in seen:
            continue  # the group was raised when it was handled
        found = list(_verdicts(member, known, (), seen))
        yield from found or [_Verdict(Failure(None, text=_line(member), exception=member), is_foreign_member=True)]


def _members(error: BaseException) -> Sequence[BaseException]:
    # Those of Python 3.11, and those of the package that brings them to 3.10.
    members = getattr(error, "exceptions", ())
    if type(members) is tuple and all(isinstance(each, BaseException) for each in members):
        return members
    return ()


def _is_smtps(error: BaseException, own: Sequence[Place]) -> bool:
    return isinstance(error, _SMTPException) or any(in_smtplib(frame) for frame, _ in own)


def _speaks_for_itself(error: BaseException, own: Sequence[Place]) -> bool:
    """Whether an exception tells more than those in its chain: not one that a wrapper has put around them."""
    if isinstance(error, (_RecipientsRefused, DeliveryUnknown)):
        return True
    if isinstance(error, _ResponseException) and _is_refusal(error.smtp_code) and not _is_cut_off(own):
        return True
    return bool(own) and own[-1][0].f_globals.get("__name__") in ("smtplib", *_BELOW, watch.__name__)


_BELOW = ("socket", "ssl")
"""What smtplib calls, and where an exception may be raised that it knows how to take."""


# What one exception says.


@dataclass(frozen=True)
class _Event:
    """An exception that is SMTP's, and where it came from."""

    error: BaseException
    places: Sequence[Place]
    """The outermost first."""

    @property
    def frames(self) -> list[FrameType]:
        """The frames, the innermost first."""
        return [frame for frame, _ in reversed(self.places)]

    @property
    def phase(self) -> Phase | None:
        """How far the transaction had come."""
        return phase_of(reversed(self.places))

    @property
    def transaction(self) -> int | None:
        """Which transaction it ended after its content was begun, if it did."""
        if isinstance(self.error, StillOwed) and self.error.is_delivered:
            return id(self.error)
        if self.phase not in _CONTENT:
            return None
        methods = {frame.f_code.co_name: frame for frame in reversed(self.frames) if in_smtplib(frame)}
        begun_by = methods.get("sendmail") or methods.get("data")
        return id(self.error if begun_by is None else begun_by)

    @property
    def never_left(self) -> bool:
        """Whether the content, or the rest of it, has not left: sending it failed, by what sends it.

        Not so if something else raised there: a handler of signals is called when all may have been sent.
        """
        if isinstance(self.error, watch.Aborted):
            return True  # raised before
        if not isinstance(self.error, OSError):
            return False
        innermost = next((frame for frame in self.frames if frame.f_globals.get("__name__") not in _BELOW), None)
        return innermost is not None and in_smtplib(innermost) and innermost.f_code.co_name == "send"

    @property
    def message_id(self) -> str | None:
        """The Message-ID of what was being sent, where the frames have it."""
        with suppress(Exception):  # a header that cannot be read names nothing
            message = message_in(self.frames)
            if message is not None and "Message-ID" in message:
                return str(message["Message-ID"]).strip()
        for frame in self.frames:
            if in_smtplib(frame) and frame.f_code.co_name in ("sendmail", "data"):
                content = frame.f_locals.get("msg")
                if isinstance(content, str):
                    content = content[: record.HEADER_SIZE].encode("ascii", "replace")
                return record.message_id_of(content) if isinstance(content, (bytes, bytearray)) else None
        return None


_CONTENT = (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT)
_BEFORE_CONTENT = (Phase.CONNECTING, Phase.GREETING, Phase.ENVELOPE, Phase.DATA_COMMAND)


def _judged_alone(event: _Event, known: _Knowledge) -> Failure:
    error, phase = event.error, event.phase
    if isinstance(error, DeliveryUnknown):
        return Failure(
            Outcome.UNKNOWN, text=_line(error), phase=error.phase, message_id=error.message_id, exception=error
        )
    if isinstance(error, _RecipientsRefused):
        failure = _of_recipients(error)
    elif isinstance(error, _ResponseException) and _is_refusal(error.smtp_code) and not _is_cut_off(event.places):
        failure = _of_reply(error.smtp_code, error.smtp_error, _replied_to(event))
        if phase is Phase.BETWEEN and not known.nothing_begun:
            failure = replace(failure, outcome=None)
    else:
        failure = Failure(_outcome_without_reply(event, known), text=_reply_or_line(error))
    return replace(failure, phase=phase or failure.phase, message_id=event.message_id, exception=error)


def _outcome_without_reply(event: _Event, known: _Knowledge) -> Outcome | None:
    phase = event.phase
    if isinstance(event.error, _DataError) and phase is Phase.CONTENT_SENT and _is_acceptance(event.error.smtp_code):
        return Outcome.ACCEPTED
    if phase is Phase.CONTENT_SENT or (phase is Phase.CONTENT_BEGUN and not event.never_left):
        return Outcome.UNKNOWN
    if phase is None and not known.nothing_begun:
        return Outcome.UNKNOWN
    if phase is Phase.BETWEEN and not known.nothing_begun:
        return None  # whether QUIT was answered is nothing to the mail before it
    return Outcome.TRANSIENT if _may_pass(event.error) else Outcome.PERMANENT


def _may_pass(error: BaseException) -> bool:
    """Whether what kept a message from being sent may be over when it is tried again."""
    if isinstance(error, ssl.SSLError):
        return not _is_about_certificates(error)
    if isinstance(error, socket.gaierror):
        return error.errno in _LOOKUPS_THAT_MAY_PASS
    if isinstance(error, _SMTPException):
        # Not an AUTH without a proper answer, a feature that the server has not, a way to log in that it does not know.
        return isinstance(error, (_ResponseException, _Disconnected)) and not isinstance(error, _AuthenticationError)
    if isinstance(error, OSError):
        return error.errno not in _FOR_GOOD
    return not isinstance(error, Exception)  # Ctrl-C, or an abort; or else something in the message or the arguments


def _is_about_certificates(error: ssl.SSLError) -> bool:
    # With the server's, verification fails; that it refuses the client's, is in the name of the alert.
    reason = error.reason or ""
    return isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE" in reason or "UNKNOWN_CA" in reason


_LOOKUPS_THAT_MAY_PASS = {
    getattr(socket, name) for name in ("EAI_AGAIN", "EAI_MEMORY", "EAI_SYSTEM") if hasattr(socket, name)
}

_FOR_GOOD = {errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENAMETOOLONG}
"""Errors of the system that do not pass: a firewall's rule, a socket that is none, a name that cannot be one."""


# Replies.


def _is_refusal(code: object) -> bool:
    return isinstance(code, int) and 400 <= code <= 599


def _is_acceptance(code: object) -> bool:
    return isinstance(code, int) and 200 <= code <= 299


def _is_cut_off(places: Sequence[Place]) -> bool:
    """Whether smtplib has given up reading a reply, which it says by a reply of its own making: a line too long."""
    innermost = places[-1][0] if places else None
    return innermost is not None and in_smtplib(innermost) and innermost.f_code.co_name == "getreply"


def _of_reply(code: int, text: bytes | str, command: Command | None) -> Failure:
    found = meaning_of(code, text, command)
    return Failure(
        found.outcome,
        found.code,
        found.enhanced_code,
        found.text,
        found.meaning,
        greylisted=found.greylisted,
        retry_after=found.retry_after,
    )


def _refusal(address: str, code: int, text: bytes | str) -> Failure:
    return replace(_of_reply(code, text, "RCPT"), recipient=address, phase=Phase.ENVELOPE)


def _of_recipients(error: smtplib.SMTPRecipientsRefused) -> Failure:
    """Put the refusals of all recipients into one: that of the first who may be tried again, or else of the first."""
    refusals = {address: _refusal(address, *reply) for address, reply in error.recipients.items()}
    if not refusals:
        return Failure(Outcome.PERMANENT, text="no recipients", meaning="the message has no recipients")
    told = next(
        (each for each in refusals.values() if each.outcome is Outcome.TRANSIENT), next(iter(refusals.values()))
    )
    return replace(
        told,
        recipient=told.recipient if len(refusals) == 1 else None,
        recipients=MappingProxyType(refusals),
        greylisted=any(each.greylisted for each in refusals.values()),
    )


def _replied_to(event: _Event) -> Command | None:
    """Say what a reply was given to."""
    if isinstance(event.error, _DataError):
        return "DATA" if event.phase is Phase.DATA_COMMAND else "CONTENT"
    for kind, command in _COMMANDS.items():
        if isinstance(event.error, kind):
            return command
    in_starttls = any(in_smtplib(frame) and frame.f_code.co_name == "starttls" for frame in event.frames)
    return "STARTTLS" if in_starttls else None


_COMMANDS: dict[type, Command] = {
    smtplib.SMTPConnectError: "CONNECT",
    smtplib.SMTPHeloError: "EHLO",
    smtplib.SMTPAuthenticationError: "AUTH",
    smtplib.SMTPSenderRefused: "MAIL",
}


def _reply_or_line(error: BaseException) -> str:
    if isinstance(error, _ResponseException):
        return meaning_of(0, error.smtp_error).text
    return _line(error)


def _line(error: BaseException) -> str:
    text = ""
    with suppress(Exception):  # an exception of somebody else's
        text = " ".join(str(error).split())
    return text or type(error).__name__


# Cancelled calls.


def _of_cancelled(call: CancelledCall, cancelled: BaseException) -> Failure:
    begun = record.begun_by(cancelled)
    told = None if call.error is None else judged(call.error, begun or record.begun_by(call.error))
    outcome = _outcome_of_cancelled(call, told)
    if outcome is Outcome.TRANSIENT and told is None and begun:
        outcome = Outcome.UNKNOWN  # the same call had begun to send before
    errors = (*call.earlier, *((call.error,) if call.error is not None else ()))
    if outcome is not Outcome.ACCEPTED and any(_may_have_delivered(error) for error in errors):
        outcome = Outcome.UNKNOWN
    if told is not None and told.outcome is outcome:
        return told
    phase = call.phase or (None if told is None else told.phase)
    message_id = None if told is None else told.message_id
    return Failure(
        outcome, text=f"{call.function} was cancelled", phase=phase, message_id=message_id, exception=cancelled
    )


def _may_have_delivered(error: BaseException) -> bool:
    if isinstance(error, StillOwed):
        return error.is_delivered
    return judged(error, record.begun_by(error)).outcome is Outcome.UNKNOWN


def _outcome_of_cancelled(call: CancelledCall, told: Failure | None) -> Outcome | None:
    if not call.began:
        return Outcome.TRANSIENT
    if call.returned and not call.aborted:
        return Outcome.ACCEPTED if told is None else told.outcome
    # What was aborted may have swallowed the error of it, and a wrapper may have sent something before.
    if call.phase in _CONTENT:
        return told.outcome if told is not None and told.phase in _CONTENT else Outcome.UNKNOWN
    if call.phase in _BEFORE_CONTENT:
        return Outcome.TRANSIENT if told is None else (told.outcome or Outcome.TRANSIENT)
    return Outcome.UNKNOWN
