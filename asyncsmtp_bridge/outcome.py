"""Outcomes: what is known of a message when a call has failed, in the words that everything here uses.

Owns the vocabulary: `Outcome`, `Failure`, the error `DeliveryUnknown`, and what is known of a call whose awaiter was
cancelled. It does not know how an exception is read (`asyncsmtp_bridge.classify`), or what a server's reply means
(`asyncsmtp_bridge.replies`).
"""

from __future__ import annotations

import enum
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .phase import Phase


class Outcome(enum.Enum):
    """What is known of a message, for each recipient where that differs."""

    ACCEPTED = "accepted"
    """The server has taken responsibility for it (RFC 5321, section 4.2.5)."""
    TRANSIENT = "transient"
    """Refused for now, or not sent at all: it may be sent again, and nobody gets it twice."""
    PERMANENT = "permanent"
    """Refused for good: sending it again as it is would be refused again, or does harm, as with wrong credentials."""
    UNKNOWN = "unknown"
    """Its content was sent, and no complete reply to it was read: it may have been delivered, nobody can know."""


@dataclass(frozen=True, repr=False)
class Failure:
    """What a failed call says of its message, or a refusal of its recipient."""

    outcome: Outcome | None
    """None: the error is foreign, it says nothing of a message."""
    code: int | None = None
    """The reply's code (RFC 5321, section 4.2); None where there was no reply."""
    enhanced_code: str | None = None
    """The enhanced status code of the reply (RFC 3463), as ``"4.7.1"``, where there is one."""
    text: str = ""
    """The reply's text in one line, without its codes; or what the exception says."""
    meaning: str = ""
    """What the code, or such a text, is known to mean; empty if nothing special."""
    phase: Phase | None = None
    """How far the transaction had come; None where that cannot be told."""
    recipient: str | None = None
    """Whom it is about, where it is about one."""
    recipients: Mapping[str, Failure] = field(default_factory=dict, hash=False)
    """The refusals of single recipients, where all of them were refused."""
    message_id: str | None = None
    """The Message-ID of the message that was under way, with its angle brackets, where it can be told."""
    sent_before: tuple[str | None, ...] = ()
    """The Message-IDs of the contents that the same call had begun to send before; None for one without. Such a call
    is not to be made again as a whole. Known where a retry policy is put on the call."""
    greylisted: bool = False
    """Whether the server wants to see the same message again, minutes later (RFC 6647)."""
    retry_after: float | None = None
    """Seconds after which the server asks to try again, where its text says so."""
    exception: BaseException | None = field(default=None, compare=False)
    """What says so: the exception that was asked about, or one in its chain."""

    @property
    def foreign(self) -> bool:
        """Whether the error says nothing of a message: there is no SMTP in it, or only what comes after the mail."""
        return self.outcome is None

    def __repr__(self) -> str:
        told = ["foreign" if self.outcome is None else self.outcome.name]
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if value not in (None, "", (), False) and value != {}:
                told.append(f"{each.name}={value.name if isinstance(value, Phase) else repr(value)}")
        return f"Failure({', '.join(told)})"


class DeliveryUnknown(smtplib.SMTPServerDisconnected):
    """A message may have been delivered: its content was sent, and no complete reply to it was read.

    Raised by pipelined sessions, which know when that is so; and by retry policies, which do not send such a message
    again unless they are told to. It is a `smtplib.SMTPServerDisconnected`, as which smtplib reports it: mind code that
    catches that one to send again.

    Attributes:
        message_id: The Message-ID, with its angle brackets; None where it cannot be told.
        phase: How far the transaction had come.
        recipients: Whom it is about, where some of the message's recipients have their answer already.
        refused: Those of them who were refused, with the replies.
    """

    def __init__(
        self,
        text: str,
        message_id: str | None = None,
        phase: Phase | None = None,
        recipients: tuple[str, ...] = (),
        refused: dict[str, tuple[int, bytes]] | None = None,
    ) -> None:
        super().__init__(text)
        self.message_id = message_id
        self.phase = phase
        self.recipients = recipients
        self.refused = refused or {}


def unknown_text(message_id: str | None, phase: Phase | None, why: str) -> str:
    """Return what a `DeliveryUnknown` says."""
    return (
        f"message {message_id or 'of unknown Message-ID'} may have been delivered, nobody can know "
        f"({phase.value + ': ' if phase else ''}{why}); send it again only if a second copy does no harm"
    )


EARLIER = "_asyncsmtp_bridge_earlier"
"""Where an exception has the `Failure` of an earlier attempt, after which the message may have been delivered."""


class StillOwed(smtplib.SMTPRecipientsRefused):
    """Some recipients were refused for now; said to a policy between two attempts.

    Attributes:
        is_delivered: Whether others have got the message.
    """

    def __init__(self, recipients: dict[str, tuple[int, bytes]], is_delivered: bool = False) -> None:
        super().__init__(recipients)
        self.is_delivered = is_delivered


@dataclass(frozen=True)
class CancelledCall:
    """What is known of a call whose awaiter was cancelled: the attribute ``call`` of the CancelledError.

    A TimeoutError has that CancelledError in its chain (``__cause__``, ``__context__``), where `classify` finds it.
    Where a second cancel ended the wait, the last CancelledError has it.
    """

    function: str
    """What was called."""
    began: bool
    """Whether it had begun. If not, it never will: nothing was sent."""
    phase: Phase | None = None
    """Where an aborted call stood in smtplib; None: not there, or that cannot be told, or it was not looked at."""
    returned: bool = False
    """Whether it had returned, or raised, when the CancelledError came."""
    result: Any = field(default=None, repr=False)  # it may be long, and is nobody's business in a log
    """What it returned."""
    error: BaseException | None = None
    """What it raised; after an abort mostly that the connection was lost."""
    aborted: bool = False
    """Whether it was made to return: what it was blocked on was shut down, and it could begin no further step."""
    earlier: tuple[Failure, ...] = ()
    """What was known of earlier attempts of a retried call, without their exceptions."""
