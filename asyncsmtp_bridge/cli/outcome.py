"""What became of a file: the answer for each of its recipients.

Owns the reading of smtplib's results and exceptions. It does not know connections, or how a result is shown.
"""

from __future__ import annotations

import enum
import smtplib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..phase import Phase, phase_of, places_in
from .message import MessageFile


class Outcome(enum.Enum):
    """What is known of a message for one recipient."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    """Refused for now, or not delivered because the connection ended before the content: may be tried again."""
    PERMANENT = "permanent"
    """Refused for good."""
    UNKNOWN = "unknown"
    """The content may have been sent and no answer was read: it may have been delivered."""


class Status(enum.Enum):
    """What is known of a whole file."""

    ACCEPTED = "accepted"
    """By the server, for every recipient."""
    PARTIAL = "partial"
    """Accepted for some recipients and refused for others."""
    REFUSED = "refused"
    """Accepted for none."""
    UNKNOWN = "unknown"
    UNUSABLE = "unusable"
    """Cannot be sent to any server; nothing was tried."""
    NOT_SENT = "not sent"
    """Its turn never came, or nothing of it had gone out when the command was interrupted."""


@dataclass(frozen=True)
class Answer:
    """The outcome for one recipient."""

    recipient: str
    outcome: Outcome
    code: int | None = None
    """The reply's code, where there was a reply."""
    text: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one file."""

    path: Path
    sender: str | None = None
    answers: tuple[Answer, ...] = ()
    problem: str | None = None
    """Why it is unusable."""

    @property
    def status(self) -> Status:
        """The answers in one word."""
        if self.problem is not None:
            return Status.UNUSABLE
        outcomes = {answer.outcome for answer in self.answers}
        if not outcomes:
            return Status.NOT_SENT
        if Outcome.UNKNOWN in outcomes:
            return Status.UNKNOWN
        if Outcome.ACCEPTED not in outcomes:
            return Status.REFUSED
        return Status.ACCEPTED if len(outcomes) == 1 else Status.PARTIAL


Refusals = Mapping[str, tuple[int, bytes]]
"""What ``send_message`` returns: refused recipients, with the reply to each."""


def sent(message: MessageFile, refused: Refusals) -> Result:
    """Return the result of a ``send_message`` that returned."""
    answers = tuple(
        _refused(recipient, *refused[recipient]) if recipient in refused else Answer(recipient, Outcome.ACCEPTED)
        for recipient in message.recipients
    )
    return Result(message.path, message.sender, answers)


def failed(message: MessageFile, error: Exception) -> Result:
    """Return the result of a ``send_message`` that raised."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # A 421 ends the transaction: recipients after it were never named to the server.
        rest = Answer("", Outcome.TRANSIENT, None, "not tried: the server closed the connection at another recipient")
        answers = tuple(
            _refused(recipient, *error.recipients[recipient])
            if recipient in error.recipients
            else Answer(recipient, rest.outcome, rest.code, rest.text)
            for recipient in message.recipients
        )
        return Result(message.path, message.sender, answers)
    one = _without_recipient(error)
    return Result(
        message.path,
        message.sender,
        tuple(Answer(recipient, one.outcome, one.code, one.text) for recipient in message.recipients),
    )


def interrupted(message: MessageFile) -> Result:
    """Return the result of a ``send_message`` that was abandoned under way."""
    text = "interrupted while it was being sent"
    answers = tuple(Answer(recipient, Outcome.UNKNOWN, None, text) for recipient in message.recipients)
    return Result(message.path, message.sender, answers)


def _refused(recipient: str, code: int, reply: bytes | str) -> Answer:
    if not 400 <= code <= 599:
        return Answer(recipient, Outcome.TRANSIENT, None, f"no proper reply: {reply_text(reply)}")
    return Answer(recipient, Outcome.PERMANENT if code >= 500 else Outcome.TRANSIENT, code, reply_text(reply))


def _without_recipient(error: Exception) -> Answer:
    if isinstance(error, smtplib.SMTPResponseException):
        if content_begun(error) and not refused_in_step(error):
            text = f"no proper reply to the content: {reply_text(error.smtp_error)}"
            return Answer("", Outcome.UNKNOWN, None, text)
        return _refused("", error.smtp_code, error.smtp_error)
    if content_begun(error):
        return Answer("", Outcome.UNKNOWN, None, f"the content may have been sent, and no answer came: {error}")
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError | TimeoutError):
        return Answer("", Outcome.TRANSIENT, None, f"the connection ended before the content was sent: {error}")
    return Answer("", Outcome.PERMANENT, None, f"smtplib could not send it: {type(error).__name__}: {error}")


def refused_in_step(error: BaseException) -> bool:
    """Say whether the server refused something with a proper reply, so that it and smtplib agree on what comes next."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code <= 599 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and 400 <= error.smtp_code <= 599


def reply_text(reply: bytes | str) -> str:
    """Return a reply of the server, which may have several lines and any bytes, as one line."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())


def content_begun(error: BaseException) -> bool:
    """Say whether the content may have left when smtplib raised `error`: the reply to DATA was 354.

    smtplib's exceptions do not tell, their tracebacks do. A refused content is raised by the caller of ``data()``.
    """
    phase = phase_of(reversed(places_in(error.__traceback__)))
    if isinstance(error, smtplib.SMTPDataError):
        return phase not in (None, Phase.DATA_COMMAND)
    return phase in (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT)


def connection_was_gone(error: BaseException) -> bool:
    """Say whether the server had given up the connection before it took MAIL: nothing of the message had begun."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == 421
    if not isinstance(error, smtplib.SMTPServerDisconnected):
        return False
    names = [
        frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals["__name__"] == "smtplib"
    ]
    return "mail" in names
