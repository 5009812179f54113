"""Evidence: what a single exception says of a message, by its type and by the places that it came through.

Owns what is known of smtplib's exceptions, of errors of the system, and of replies that are raised. It does not know
chains: which of several exceptions counts is in `asyncsmtp_bridge.classify`.
"""

from __future__ import annotations

import errno
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType

from . import record, watch
from .outcome import DeliveryUnknown, Failure, Outcome
from .phase import OWN, Phase, Place, Progress, in_smtplib, message_in, phase_of
from .replies import Command, meaning_of

# As they are when this is imported: a test may patch smtplib's names with something else.
_SMTPException = smtplib.SMTPException
_ResponseException = smtplib.SMTPResponseException
_RecipientsRefused = smtplib.SMTPRecipientsRefused
_DataError = smtplib.SMTPDataError
_AuthenticationError = smtplib.SMTPAuthenticationError
_Disconnected = smtplib.SMTPServerDisconnected

CONTENT = (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT)
BEFORE_CONTENT = (Phase.CONNECTING, Phase.GREETING, Phase.ENVELOPE, Phase.DATA_COMMAND)


def is_smtps(error: BaseException, own: Sequence[Place]) -> bool:
    """Whether an exception is one of SMTP: by its type, or since it came through smtplib."""
    return isinstance(error, _SMTPException) or any(in_smtplib(frame) for frame, _ in own)


def speaks_for_itself(error: BaseException, own: Sequence[Place]) -> bool:
    """Whether an exception tells more than those in its chain: not one that a wrapper has put around them."""
    if isinstance(error, (_RecipientsRefused, DeliveryUnknown)):
        return True
    if isinstance(error, _ResponseException) and _is_refusal(error.smtp_code) and not _is_cut_off(own):
        return True
    return bool(own) and own[-1][0].f_globals.get("__name__") in ("smtplib", *OWN, *_BELOW, watch.__name__)


_BELOW = ("socket", "ssl")
"""What smtplib calls, and where an exception may be raised that it knows how to take."""


# What one exception says.


@dataclass(frozen=True)
class Event:
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
        return phase_of(reversed(self.places)) if self.progress is None else self.progress.phase

    @property
    def progress(self) -> Progress | None:
        """What the session itself has said of that, if it is one that knows."""
        return Progress.of(self.error)

    @property
    def transaction(self) -> int | None:
        """Which transaction it ended at DATA or after it, if it did: the identity of the frame that makes it."""
        if self.phase not in (Phase.DATA_COMMAND, *CONTENT):
            return None
        if self.progress is not None:
            return self.progress.transaction
        methods = {frame.f_code.co_name: frame for frame in reversed(self.frames) if in_smtplib(frame)}
        maker = methods.get("sendmail") or methods.get("data")
        return None if maker is None else id(maker)

    @property
    def is_unseen(self) -> bool:
        """Whether it came through a session that may send unseen."""
        return any(record.has_own_send(frame.f_locals.get("self")) for frame in self.frames)

    @property
    def never_left(self) -> bool:
        """Whether the content, or the rest of it, has not left: sending it failed, by what sends it.

        Not so if something else raised there: a handler of signals is called when all may have been sent.
        """
        if isinstance(self.error, (watch.Aborted, watch.GivenUp)):
            return True  # raised before
        if self.progress is not None:
            return self.progress.phase is Phase.CONTENT_BEGUN  # if it could be otherwise, that would be said
        if not isinstance(self.error, OSError):
            return False
        innermost = next((frame for frame in self.frames if frame.f_globals.get("__name__") not in _BELOW), None)
        return innermost is not None and in_smtplib(innermost) and innermost.f_code.co_name == "send"

    @property
    def message_id(self) -> str | None:
        """The Message-ID of what was being sent, where the frames have it."""
        if self.progress is not None and self.progress.message_id is not None:
            return self.progress.message_id
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


def judged_alone(event: Event, nothing_begun: bool) -> Failure:
    """Say what is known of a message by this exception.

    Args:
        event: The exception.
        nothing_begun: Whether it is known besides that no content was begun.
    """
    error, phase = event.error, event.phase
    if isinstance(error, DeliveryUnknown):
        return Failure(
            Outcome.UNKNOWN, text=line_of(error), phase=error.phase, message_id=error.message_id, exception=error
        )
    if isinstance(error, _RecipientsRefused):
        failure = _of_recipients(error)
    elif isinstance(error, _ResponseException) and _is_refusal(error.smtp_code) and not _is_cut_off(event.places):
        failure = _of_reply(error.smtp_code, error.smtp_error, _replied_to(event))
        if phase is Phase.BETWEEN and not nothing_begun:
            failure = replace(failure, outcome=None)
    else:
        failure = Failure(_outcome_without_reply(event, nothing_begun), text=_reply_orline_of(error))
    return replace(failure, phase=phase or failure.phase, message_id=event.message_id, exception=error)


def _outcome_without_reply(event: Event, nothing_begun: bool) -> Outcome | None:
    phase = event.phase
    if isinstance(event.error, _DataError) and phase is Phase.CONTENT_SENT and _is_acceptance(event.error.smtp_code):
        return Outcome.ACCEPTED
    if phase is Phase.CONTENT_SENT or (phase is Phase.CONTENT_BEGUN and not event.never_left):
        return Outcome.UNKNOWN
    if phase is None and not nothing_begun:
        return Outcome.UNKNOWN
    if phase is Phase.BETWEEN and not nothing_begun:
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
    reason = getattr(error, "reason", None) or ""  # which OpenSSL's own have
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


def refusal_of(address: str, code: int, text: bytes | str) -> Failure:
    """Return what a reply to RCPT means for the recipient."""
    return replace(_of_reply(code, text, "RCPT"), recipient=address, phase=Phase.ENVELOPE)


def _of_recipients(error: smtplib.SMTPRecipientsRefused) -> Failure:
    """Put the refusals of all recipients into one: that of the first who may be tried again, or else of the first."""
    refusals = {address: refusal_of(address, *reply) for address, reply in error.recipients.items()}
    if not refusals:
        return Failure(Outcome.PERMANENT, text="no recipients", meaning="the message has no recipients")
    told = next(
        (each for each in refusals.values() if each.outcome is Outcome.TRANSIENT), next(iter(refusals.values()))
    )
    return replace(
        told,
        recipient=told.recipient if len(refusals) == 1 else None,
        recipients=refusals,
        greylisted=any(each.greylisted for each in refusals.values()),
    )


def _replied_to(event: Event) -> Command | None:
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


def _reply_orline_of(error: BaseException) -> str:
    if isinstance(error, _ResponseException):
        return meaning_of(0, error.smtp_error).text
    return line_of(error)


def line_of(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    text = ""
    with suppress(Exception):  # an exception of somebody else's
        text = " ".join(str(error).split())
    return text or type(error).__name__
