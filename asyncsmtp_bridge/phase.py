"""Phases: how far a transaction has come, told by the frames of a stack or of a traceback.

Owns what the frames of smtplib say. Nothing is recorded for it while mail is sent, and it holds through wrappers of any
kind, since these are further out. Where in a function a frame stands is told by its bytecode, not by its variables:
those may have been cleared (``traceback.clear_frames``, which ``unittest`` calls).

Objects of other people are in the frames, too. They are told by their types, and nothing of theirs is called: a
property could block, or take a lock.
"""

from __future__ import annotations

import dis
import enum
import functools
import gc
import smtplib
import sys
from collections.abc import Iterable
from contextlib import suppress
from email.message import Message
from types import CodeType, FrameType, TracebackType
from typing import NamedTuple

# As it is when this is imported: a test may patch smtplib.SMTP with something that is no class.
SMTP = smtplib.SMTP


class Phase(enum.Enum):
    """How far a transaction has come (RFC 5321, section 3)."""

    CONNECTING = "connecting"
    """The connection is being made."""
    GREETING = "greeting"
    """The greeting is awaited, or the session set up: EHLO, STARTTLS, AUTH."""
    ENVELOPE = "envelope"
    """Reverse-path and recipients are being given."""
    DATA_COMMAND = "data command"
    """The server is being asked to take the content."""
    CONTENT_BEGUN = "content begun"
    """The content is being sent. A server that has only a part of it delivers nothing; but that the last part has left
    cannot be seen from outside before the thread goes on."""
    CONTENT_SENT = "content sent"
    """The content was sent, and its reply is awaited: the message may have been delivered."""
    BETWEEN = "between messages"
    """Another command: NOOP, RSET, VRFY, QUIT. What a wrapper sent before it is not known."""


# Verbs after which a message can be thought of as done with, or not begun.
_BETWEEN = {"noop", "rset", "quit", "vrfy", "verify", "expn", "help", "close", "__exit__"}

_PHASES = {
    **dict.fromkeys(("__init__", "connect", "_get_socket"), Phase.CONNECTING),
    **dict.fromkeys(("helo", "ehlo", "ehlo_or_helo_if_needed", "starttls", "auth", "login"), Phase.GREETING),
    **dict.fromkeys(("mail", "rcpt", "sendmail", "send_message"), Phase.ENVELOPE),
}

LAST_STEPS = {"sendmail": "data", "send_message": "sendmail"}
"""What these methods do last of all."""

Place = tuple[FrameType, int]
"""A frame, and the offset in its bytecode that it has come to."""


def frame_of(thread: int) -> FrameType | None:
    """Return the innermost frame of a thread; None if there is no such thread."""
    # Some versions of Python make frames for this under a lock of the interpreter. A garbage collection that this sets
    # off may let another thread go on, which waits for that lock, and for ever (gh-106883).
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames().get(thread)
    finally:
        if was_enabled:
            gc.enable()


def places_in(tb: TracebackType | None) -> list[Place]:
    """Return those that an exception came through, the outermost first."""
    found = []
    while tb is not None:
        # Not the frame's own offset: it may have gone on since, or handled the exception and raised another.
        found.append((tb.tb_frame, tb.tb_lasti))
        tb = tb.tb_next
    return found


def phase_of(places: Iterable[Place]) -> Phase | None:
    """Return how far a transaction has come; None if the frames are not in smtplib, or it cannot be told.

    Args:
        places: The innermost first.
    """
    phase: Phase | None = None
    inner = ""
    sending = False
    for frame, lasti in places:
        name = frame.f_code.co_name
        if not in_smtplib(frame):
            if session_of(frame) is not None:
                # A class of sessions with ways of its own.
                if name == "data":
                    return Phase.CONTENT_BEGUN
                if name in LAST_STEPS and not sending:
                    return None  # before it, or after: nobody can tell
                if not inner and phase is None and name != "__init__":
                    phase = _PHASES.get(name)
            continue
        sending = sending or name in LAST_STEPS
        if name == "data":
            if not _is_past(frame, lasti, "send"):  # which the content is sent with; the command is sent by putcmd()
                return Phase.DATA_COMMAND
            return Phase.CONTENT_SENT if inner == "getreply" else Phase.CONTENT_BEGUN
        if name in LAST_STEPS and inner != LAST_STEPS[name] and _is_past(frame, lasti, LAST_STEPS[name]):
            return Phase.CONTENT_SENT  # and perhaps answered: the thread will know, but has not said so yet
        if phase is None:
            phase = Phase.GREETING if (name, inner) == ("connect", "getreply") else _PHASES.get(name)
        inner = name
    # A wrapper that speaks SMTP itself, by send() and getreply(), may be anywhere.
    return phase or (Phase.BETWEEN if inner in _BETWEEN else None)


def _is_past(frame: FrameType, lasti: int, step: str) -> bool:
    """Whether a method of smtplib has come to the call of a step, or beyond."""
    return lasti > _offset_of(frame.f_code, step)


@functools.cache
def _offset_of(code: CodeType, name: str) -> int:
    return max((each.offset for each in dis.get_instructions(code) if each.argval == name), default=sys.maxsize)


OWN = tuple(f"{__package__}.{name}" for name in ("connection", "dialogue", "exchange", "pipelined"))
"""Where the classes of sessions are defined that say by themselves how far a transaction has come."""


def in_smtplib(frame: FrameType) -> bool:
    """Whether a frame is one of smtplib's functions, or one of those that do the same here."""
    name = frame.f_globals.get("__name__")
    return name == "smtplib" or name in OWN


def session_of(frame: FrameType) -> smtplib.SMTP | None:
    """Return the session that a frame is a method of, if it is."""
    found = frame.f_locals.get("self")
    return found if issubclass(type(found), SMTP) else None


def message_in(frames: Iterable[FrameType]) -> Message | None:
    """Return the message that is being sent by ``send_message``, if it is one."""
    for frame in frames:
        if frame.f_code.co_name == "send_message" and in_smtplib(frame):
            found = frame.f_locals.get("msg")
            return found if issubclass(type(found), Message) else None
    return None


class Progress(NamedTuple):
    """How far a transaction has come, as a session says that knows it. What it says is exact."""

    phase: Phase
    transaction: int
    """Which: below zero, where no identity of a frame is."""
    message_id: str | None = None

    @staticmethod
    def of(error: BaseException) -> Progress | None:
        """Return what an exception ended, if the session has said so."""
        found = getattr(error, _PROGRESS, None)
        return found if type(found) is Progress else None

    def tell(self, error: BaseException | None, before: int) -> None:
        """Say it of an exception, and of those that led to it.

        Args:
            error: The exception.
            before: The identity of the one that was being handled when all this began: it ended something else.
        """
        while error is not None and id(error) != before and Progress.of(error) is None:
            with suppress(Exception):  # a class of exceptions may have no room for it
                BaseException.__setattr__(error, _PROGRESS, self)
            error = error.__cause__ or error.__context__


_PROGRESS = "_asyncsmtp_bridge_progress"

PHASE = "_asyncsmtp_bridge_phase"
"""Where such a session has the phase of its transaction, while one is under way."""

CONTENT = "_asyncsmtp_bridge_content"
"""Where it has, while it sends a content, which one: the transaction, the Message-ID, and whether it begins."""


def phase_said_by(session: object) -> Phase | None:
    """Return how far a transaction has come, if the session says so; nothing of its class is called."""
    found = object.__getattribute__(session, "__dict__").get(PHASE)
    return found if type(found) is Phase else None
