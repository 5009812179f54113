"""What became of a file: the answer for each of its recipients.

Owns what is said of each. It does not know connections, or how a result is shown.
"""

from __future__ import annotations

import enum
import smtplib
from dataclasses import dataclass, replace
from pathlib import Path

from ..classify import Refusals, classify
from ..outcome import Failure, Outcome
from ..phase import Phase
from .message import MessageFile


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


def sent(message: MessageFile, refused: Refusals) -> Result:
    """Return the result of a ``send_message`` that returned."""
    failures = classify(refused)
    answers = tuple(
        _answer(recipient, failures[recipient]) if recipient in failures else Answer(recipient, Outcome.ACCEPTED)
        for recipient in message.recipients
    )
    return Result(message.path, message.sender, answers)


def failed(message: MessageFile, error: Exception) -> Result:
    """Return the result of a ``send_message`` that raised."""
    failure = classify(error)
    # A 421 ends the transaction: recipients after it were never named to the server.
    rest = Answer("", Outcome.TRANSIENT, None, "not tried: the server closed the connection at another recipient")
    if not failure.recipients:
        rest = _answer("", failure)
    answers = tuple(
        _answer(recipient, failure.recipients[recipient])
        if recipient in failure.recipients
        else replace(rest, recipient=recipient)
        for recipient in message.recipients
    )
    return Result(message.path, message.sender, answers)


def interrupted(message: MessageFile) -> Result:
    """Return the result of a ``send_message`` that was abandoned under way."""
    text = "interrupted while it was being sent"
    answers = tuple(Answer(recipient, Outcome.UNKNOWN, None, text) for recipient in message.recipients)
    return Result(message.path, message.sender, answers)


def _answer(recipient: str, failure: Failure) -> Answer:
    text = " ".join(filter(None, (failure.enhanced_code, failure.text)))
    outcome = failure.outcome or Outcome.PERMANENT
    if failure.code is None:
        if outcome is Outcome.UNKNOWN:
            text = f"the content may have been sent, and no answer came: {text}"
        elif outcome is Outcome.TRANSIENT and isinstance(failure.exception, OSError):
            was_reply = isinstance(failure.exception, smtplib.SMTPResponseException)
            text = f"{'no proper reply' if was_reply else 'the connection ended before the content was sent'}: {text}"
        elif outcome is Outcome.TRANSIENT:
            text = f"no proper reply: {text}"
        else:
            text = f"smtplib could not send it: {type(failure.exception).__name__}: {text}"
    return Answer(recipient, outcome, failure.code, text)


def refused_in_step(error: BaseException) -> bool:
    """Say whether the server refused something with a proper reply, so that it and smtplib agree on what comes next."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code <= 599 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and 400 <= error.smtp_code <= 599


def reply_text(reply: bytes | str) -> str:
    """Return a reply of the server, which may have several lines and any bytes, as one line."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())


def may_have_been_delivered(error: BaseException) -> bool:
    """Say whether nobody can know what became of a message when smtplib raised `error`."""
    return classify(error).outcome is Outcome.UNKNOWN


def connection_was_gone(error: BaseException) -> bool:
    """Say whether the server had given up the connection before it took the envelope: no content had begun."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == 421
    return isinstance(error, smtplib.SMTPServerDisconnected) and classify(error).phase is Phase.ENVELOPE
