"""The faults a server can be told to show: what happens, at which step, and how often.

Owns the vocabulary. A fault is a frozen value that several servers may share; counting is `script`'s, acting
`conversation`'s.

Every function here takes the keywords of `When` besides its own. Without any of them the fault happens always:

    refuse("RCPT", "550 5.1.1 Unknown", nth=2)                     the second RCPT that the server sees
    refuse("RCPT", "550 5.1.1 Unknown", nth=2, per="message")      the second RCPT of every message
    refuse("RCPT", "450 4.2.0 Later", recipient="b@example.org", times=1)
    drop("MAIL", after=3, per="connection")                        from the fourth message of a connection on
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypedDict, get_args

if TYPE_CHECKING:
    from typing_extensions import Unpack

Step = Literal[
    "greeting", "TLS", "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "content", "after content",
    "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT",
]  # fmt: skip
"""Where a client can stand. A command's step comes when the command was read and before it is obeyed.

`"greeting"`: connected (and TLS there, if implicit), before the 220. `"TLS"`: before the handshake, implicit or after
STARTTLS's 220. `"EHLO"`: LMTP's LHLO too. `"content"`: after the 354, while the content comes. `"after content"`: the
content is complete and unanswered; in LMTP once for each accepted recipient.
"""

Per = Literal["server", "connection", "message", "recipient"]
"""What occurrences are counted by; `"recipient"` means each pair of reverse-path and recipient."""

STEPS: Final[tuple[str, ...]] = get_args(Step)


class When(TypedDict, total=False):
    """When a fault happens; an occurrence is one client arriving once at the fault's step."""

    nth: int
    """At this occurrence alone, counted from 1. Not together with `after` or `times`."""
    after: int
    """Not at the first so many occurrences."""
    times: int
    """So many times, and not again."""
    within: float
    """Until so many seconds after the first occurrence."""
    recipient: str
    """Only for this address: at RCPT, and after the content in LMTP. Other recipients are not counted."""
    per: Per
    """Count anew for each of these. The default is one count for the whole server."""


@dataclass(frozen=True)
class Refuse:
    """Answer with this instead of obeying."""

    reply: str
    close: bool


@dataclass(frozen=True)
class Drop:
    """Close the connection without a complete reply."""

    reply: str
    keep: bool
    reset: bool


@dataclass(frozen=True)
class Silence:
    """Say nothing any more."""

    keep: bool


@dataclass(frozen=True)
class Hold:
    """Wait for the test."""

    keep: bool


@dataclass(frozen=True)
class Delay:
    """Wait for a time."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """Send the reply byte by byte."""

    interval: float


Action = Refuse | Drop | Silence | Hold | Delay | Drip


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; made by the functions of this module.

    Raises:
        ValueError: It could never happen: there is no such step, or it has no reply, no recipient or no content.
    """

    at: Step
    action: Action
    after: int = 0
    times: int | None = None
    within: float | None = None
    recipient: str | None = None
    per: Per = "server"
    after_bytes: int = 0

    def __post_init__(self) -> None:
        if self.at not in STEPS:
            raise ValueError(f"there is no step {self.at!r}; the steps are {', '.join(STEPS)}")
        if self.per not in get_args(Per):
            raise ValueError(f"cannot count per {self.per!r}, only per {', '.join(get_args(Per))}")
        if self.after_bytes and self.at != "content":
            raise ValueError(f'after_bytes counts the content: use at="content", not at={self.at!r}')
        if getattr(self.action, "keep", False) and self.at != "after content":
            raise ValueError(f'there is no message to keep at {self.at!r}, only at "after content"')
        if self.at == "TLS" and isinstance(self.action, Refuse | Drip):
            raise ValueError('a handshake has no reply: refuse or drip at "STARTTLS" instead')
        if (self.recipient or self.per == "recipient") and self.at not in {"RCPT", "after content"}:
            raise ValueError(f"there is no recipient at {self.at!r}")


def refuse(at: Step, reply: str, *, close: bool | None = None, **when: Unpack[When]) -> Fault:
    r"""Answer a step with a reply of your own, and do not obey.

    Args:
        at: The step; `"content"` means the reply to the content.
        reply: All of it, with its code: `"550 5.1.1 Unknown"`. Lines are separated by `"\n"`. It is sent as it is,
            even where it makes no sense.
        close: Whether the connection is closed afterwards. The default is what RFC 5321, section 3.8, says: after a
            421 only.
        **when: When it happens.
    """
    closing = reply.startswith("421") if close is None else close
    return _fault("after content" if at == "content" else at, Refuse(reply, closing), when)


def greylist(*, seconds: float | None = None, reply: str = "450 4.2.0 Greylisted, try again later") -> Fault:
    """Refuse each pair of reverse-path and recipient at first.

    Args:
        seconds: For so many seconds after its first attempt; by default the first attempt only.
        reply: What is answered.
    """
    if seconds is None:
        return refuse("RCPT", reply, times=1, per="recipient")
    return refuse("RCPT", reply, within=seconds, per="recipient")


def close_with_421(*, after_messages: int, reply: str = "421 4.7.0 Too many messages on this connection") -> Fault:
    """Answer MAIL with 421 and close, once a connection has begun so many messages.

    Args:
        after_messages: How many a connection may begin (MAIL), whatever became of them.
        reply: What is answered.
    """
    return refuse("MAIL", reply, after=after_messages, per="connection")


def drop(
    at: Step,
    *,
    after_bytes: int = 0,
    reply: str = "",
    keep: bool = False,
    reset: bool = False,
    **when: Unpack[When],
) -> Fault:
    """Close the connection.

    Args:
        at: The step.
        after_bytes: At `"content"`: once so many bytes of it came, as sent, dots and all. 0 is right after the 354.
        reply: A part of a reply, sent before, without a line's end: `"25"`.
        keep: At `"after content"`: whether the server takes responsibility for the message that it does not answer.
        reset: Whether the client sees ECONNRESET instead of the end of the stream.
        **when: When it happens.
    """
    return _fault(at, Drop(reply, keep, reset), when, after_bytes)


def silence(at: Step, *, after_bytes: int = 0, keep: bool = False, **when: Unpack[When]) -> Fault:
    """Never answer, and read nothing more, until the client hangs up or the server is stopped.

    At `"content"` a client that has more to say than the sockets' buffers hold blocks as it sends, and the server
    cannot see it hang up; at `"after content"` everything was read.

    Args:
        at: The step.
        after_bytes: As for `drop`.
        keep: As for `drop`.
        **when: When it happens.
    """
    return _fault(at, Silence(keep), when, after_bytes)


def hold(at: Step, *, after_bytes: int = 0, keep: bool = False, **when: Unpack[When]) -> Fault:
    """Wait at a step until the test calls `server.release(at)`, then go on as if nothing had been.

    A client that hangs up meanwhile is gone, and so is its message unless kept.

    Args:
        at: The step.
        after_bytes: As for `drop`.
        keep: As for `drop`; the message counts as kept while it is held.
        **when: When it happens.
    """
    return _fault(at, Hold(keep), when, after_bytes)


def delay(at: Step, *, seconds: float, after_bytes: int = 0, **when: Unpack[When]) -> Fault:
    """Wait some seconds at a step, then go on.

    Args:
        at: The step.
        seconds: How long.
        after_bytes: As for `drop`.
        **when: When it happens.
    """
    return _fault(at, Delay(seconds), when, after_bytes)


def drip(at: Step, *, interval: float, **when: Unpack[When]) -> Fault:
    """Send the step's reply one byte at a time.

    Args:
        at: The step; `"content"` means the reply to the content.
        interval: Seconds after each byte.
        **when: When it happens.
    """
    return _fault("after content" if at == "content" else at, Drip(interval), when)


def _fault(at: Step, action: Action, when: When, after_bytes: int = 0) -> Fault:
    nth = when.get("nth")
    if nth is not None and ("after" in when or "times" in when):
        raise ValueError("nth says both after and times: give it alone")
    return Fault(
        at=at,
        action=action,
        after=when.get("after", 0) if nth is None else nth - 1,
        times=when.get("times") if nth is None else 1,
        within=when.get("within"),
        recipient=when.get("recipient"),
        per=when.get("per", "server"),
        after_bytes=after_bytes,
    )
