"""The record: which contents a call has begun to send.

Owns what no exception can tell. A call may have sent one message when it fails at the next, or at something that has
nothing to do with mail; to make it again would send the first one twice. The audit hook (`asyncsmtp_bridge.watch`)
notes here every content that smtplib is about to send, in the thread that sends it. Which call it belongs to is told by
the context variables: those of a job, of ``asyncio.to_thread`` and of a task are copies of the caller's.

A thread that a wrapper started itself has none of them, and the loop's ``run_in_executor`` gives it none. What it does
belongs to nobody: it may be the call's of which nothing else was seen, or which has started threads.
"""

from __future__ import annotations

import itertools
import re
import smtplib
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import get_ident
from time import monotonic
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakKeyDictionary, ref

from .phase import CONTENT, OWN, SMTP, frame_of, in_smtplib

kept = False
"""Whether there is a record at all: set when the hook is installed."""

ATTRIBUTE = "_asyncsmtp_bridge_record"
"""Where an exception has the record of the call that it ended."""

# What was begun: the Message-ID, the transaction (the identity of a frame), the thread, the time, the order of all, and
# whether it is certain; it is not where a class of sessions does in its own way what comes after the DATA command.
Content = tuple["str | None", int, int, float, int, bool]


@dataclass(frozen=True)
class Known:
    """What the record tells of a call."""

    begun: Sequence[Content] | None = None
    """The contents that were begun, in their order; None: there is no record."""
    is_odd: bool = False
    """Whether a class of sessions sends in ways of its own, so that nothing seen is not nothing sent."""
    is_ambiguous: bool = False
    """Whether more may have been sent than was seen."""
    has_strays: bool = False
    """Whether threads took steps meanwhile that belong to no call."""
    sends: int = 0
    """How often something was seen to be sent, commands included."""

    @property
    def nothing_begun(self) -> bool:
        """Whether it is certain that no content was begun."""
        return self.begun is not None and not self.begun and not self.is_odd and not self.is_ambiguous


NOTHING_KNOWN = Known()


class Record:
    """What was begun within a ``with`` block, in whichever threads the work goes on."""

    __slots__ = (
        "_begun",
        "_connects_unseen",
        "_first",
        "_has_ended",
        "_held",
        "_is_closed",
        "_is_given_up",
        "_is_kept",
        "_is_odd",
        "_last",
        "_outer",
        "_saw_something",
        "_sends",
        "_sessions",
        "_started_threads",
    )

    def __enter__(self) -> Record:
        self._begun: list[Content] = []
        self._sends = self._connects_unseen = 0
        self._saw_something = self._started_threads = self._is_odd = False
        self._is_given_up = self._is_closed = self._has_ended = False
        # By identity: a class of sessions may say anything of whether two are equal.
        self._sessions: dict[int, ref[Any]] = {}
        self._held: dict[int, ref[Any]] = {}
        self._is_kept = kept
        self._first = self._last = next(_order)
        self._outer = _current.get()
        _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # Not by a token: a coroutine that is thrown away ends in another context, and shall leave that alone.
        if _current.get() is self:
            _current.set(self._outer)
        self._last = next(_order)
        self._has_ended = True
        if error is None:
            self._is_closed = True
            return
        with suppress(Exception):  # a class of exceptions may have no room for it; one may refuse it, and is not asked
            BaseException.__setattr__(error, ATTRIBUTE, self)

    def known(self) -> Known:
        """Say what is known, in the end."""
        if not self._is_kept:
            return NOTHING_KNOWN
        begun, threads = list(self._begun), set[int]()
        is_cut_off = False
        if self._started_threads or not self._saw_something:
            strays = _strays.copy()
            is_cut_off = len(strays) == strays.maxlen and strays[0][1] > self._first
            threads = {thread for thread, order in strays if self._first < order < self._last}
            begun += [each for each in _nobodys.copy() if self._first < each[4] < self._last]
        return Known(
            begun,
            self._is_odd,
            # Several threads: who knows which of them are this call's, or whether these have come to their end.
            is_cut_off
            or len(threads) > 1
            or any(map(_is_in_smtplib, threads))
            or (self._connects_unseen > 1 and not self._sends),
            bool(threads),
            self._sends,
        )

    def note(self, session: Any, content: Content | None, is_send: bool, is_odd: bool, is_unseen: bool) -> bool:
        """Take note of a content, or of another step; return whether it may be taken."""
        may_be_taken = True
        record: Record | None = self
        while record is not None:
            if record._is_closed:
                if not is_send:  # it connects: a conversation of its own
                    record._held.pop(id(session), None)
                may_be_taken = may_be_taken and not (content is not None and record._holds(session))
            else:
                known = record._sessions.get(id(session))
                if known is None or known() is not session:
                    record._sessions[id(session)] = ref(session)
                record._saw_something = True
                record._is_odd = record._is_odd or is_odd
                record._sends += is_send
                record._connects_unseen += is_unseen
                if content is not None:
                    last = record._begun[-1] if record._begun else None
                    if last is not None and not last[5] and last[2] == content[2]:
                        record._begun.pop()  # now it is certain
                    # Noted first, and asked then: who gives up says so first, and looks then. One of the two sees it.
                    if len(record._begun) < _MOST:
                        record._begun.append(content)
                    may_be_taken = may_be_taken and not record._refuses(session)
            record = record._outer
        return may_be_taken

    def _refuses(self, session: Any) -> bool:
        if self._outer is not None and self._outer._has_ended:  # the whole of the call, whoever makes the attempts
            return self._holds(session)
        return self._is_given_up

    def _holds(self, session: Any) -> bool:
        # Not what begins anew: it may be a task that a call has started, and that serves others now.
        held = self._held.get(id(session))
        return held is not None and held() is session

    def note_thread(self) -> None:
        """Take note that a thread was started."""
        record: Record | None = self
        while record is not None:
            record._started_threads = True
            record = record._outer

    def give_up(self, it: bool = True) -> None:
        """Let nothing more be begun, by whatever work is left of a call that is to be made again; or let it, after all.

        A call may have failed while others that it has started go on: of several sent side by side, one was refused.
        Until the call has ended, nothing may be begun at all; then, by the sessions that had taken a step by now.
        """
        self._is_given_up = it
        self._held = self._sessions if it else {}

    def settle(self) -> None:
        """Let no call around this one be answerable for its contents: they were refused, and it is to be made again."""
        outer = self._outer
        while outer is not None:
            _take_out(outer._begun, self._begun)
            outer = outer._outer
        _take_out(_contents, self._begun)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # an exception that has one may go to another process

    def close(self) -> None:
        """Take no more notes: the call has ended."""
        self._is_closed = True


def _take_out(of: list[Content] | deque[Content], what: Sequence[Content]) -> None:
    for content in what:
        with suppress(ValueError):
            of.remove(content)


_MOST = 1000
"""Contents that a record has, and that are remembered of nobody's."""

_current: ContextVar[Record | None] = ContextVar("asyncsmtp_bridge_record", default=None)

# The last contents of all, and of those that belong to no record; the last steps of the latter, by thread and order. No
# lock: the hook may be called while this very thread holds it.
_contents: deque[Content] = deque(maxlen=_MOST)
_nobodys: deque[Content] = deque(maxlen=_MOST)
_strays: deque[tuple[int, int]] = deque(maxlen=4 * _MOST)
_order = itertools.count()


def of(error: BaseException) -> Record | None:
    """Return the record of the call that this exception ended, if there is one."""
    found = getattr(error, ATTRIBUTE, None)
    return found if isinstance(found, Record) else None


def known_by(error: BaseException) -> Known:
    """Say what is known of the call that this exception ended."""
    found = of(error)
    return NOTHING_KNOWN if found is None else found.known()


def known_in_this_thread(since: float) -> Known:
    """Say what this thread has begun, whatever record it is in, since a time of `time.monotonic`."""
    thread = get_ident()
    begun = [each for each in _contents.copy() if each[2] == thread and each[3] >= since]
    # Nothing seen is not nothing sent: a wrapper may have threads of its own.
    return Known(begun) if kept and begun else NOTHING_KNOWN


# For the hook.


def note(event: str, args: tuple[Any, ...]) -> bool:
    """Take note of a step of smtplib, and return whether it may be taken.

    For the audit hook, which is called by the function that takes it.
    """
    record = _current.get()
    is_send = event == "smtplib.send"
    own_send, is_odd = (False, False) if type(args[0]) in _PLAIN else _oddities_of(type(args[0]))
    content = _content_of(args[0], args[1], is_odd) if is_send else None
    if content is not None:
        _contents.append(content)
    if record is not None:
        return record.note(args[0], content, is_send, is_odd, own_send and not is_send)
    _strays.append((get_ident(), next(_order)))
    if content is not None:
        _nobodys.append(content)
    return True


def _is_in_smtplib(thread: int) -> bool:
    """Whether a thread is still at it."""
    frame = frame_of(thread)
    while frame is not None:
        if in_smtplib(frame):
            return True
        frame = frame.f_back
    return False


def note_thread() -> None:
    """Take note that a thread is started here; from Python 3.12 on, before that nobody says so."""
    record = _current.get()
    if record is not None:
        record.note_thread()


_PLAIN = (SMTP, smtplib.SMTP_SSL, smtplib.LMTP)

# Of classes of sessions: whether they send by themselves, which nobody sees; and whether they do anything of it.
_oddities: WeakKeyDictionary[type, tuple[bool, bool]] = WeakKeyDictionary()


def _oddities_of(kind: type) -> tuple[bool, bool]:
    found = _oddities.get(kind)
    if found is None:
        others = (base for base in kind.__mro__ if issubclass(base, SMTP) and base not in _PLAIN)
        own = {name for base in others if base.__module__ not in OWN for name in vars(base)}
        found = _oddities[kind] = "send" in own, bool(own & {"send", "data", "sendmail", "send_message"})
    return found


def has_own_send(session: object) -> bool:
    """Whether a session is of a class that may send unseen."""
    return isinstance(session, SMTP) and _oddities_of(type(session))[0]


def _content_of(session: Any, sent: Any, is_odd: bool) -> Content | None:
    """Return what is begun by sending this, if it is the content of a message, or the last part of one."""
    said = object.__getattribute__(session, "__dict__").get(CONTENT)
    if type(said) is tuple:  # by a session that knows
        number, message_id, begins = said
        return (message_id, number, get_ident(), monotonic(), next(_order), True) if begins else None
    # From the hook, and beyond it from the method that sends, which is called by the one that wants it sent.
    sender = sys._getframe(3).f_back
    is_content = (
        (sender is not None and sender.f_code.co_name == "data")
        # A wrapper that speaks SMTP by itself; no command ends like this.
        or bytes(sent[-5:]) in (b"\r\n.\r\n", b".\r\n")
        or bytes(sent[:5]).upper() == b"BDAT "
    )
    # What a class with ways of its own does after this command, may not be seen.
    if not is_content and not (is_odd and bytes(sent[:6]).upper().rstrip() == b"DATA"):
        return None
    return message_id_of(sent), _transaction_of(sender), get_ident(), monotonic(), next(_order), is_content


def _transaction_of(frame: FrameType | None) -> int:
    """Return what tells a transaction from others: the frame that makes it, which an exception will come through."""
    innermost, depth = frame, 0
    while frame is not None and depth < _DEPTH:
        if frame.f_code.co_name == "sendmail" and in_smtplib(frame):
            return id(frame)
        if frame.f_code.co_name == "data" and in_smtplib(frame):
            innermost = frame
        frame, depth = frame.f_back, depth + 1
    return id(innermost)


_DEPTH = 6
"""Frames from what sends to what makes a transaction, at most: methods that a class puts between them included."""

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^<>\r\n]*>)", re.IGNORECASE | re.MULTILINE)

HEADER_SIZE = 16 * 1024
"""Bytes of a content in which its Message-ID is looked for."""


def message_id_of(content: bytes | bytearray | memoryview) -> str | None:
    """Return the Message-ID of a content, if it has one where one is looked for: at the beginning of its header."""
    head = bytes(content[:HEADER_SIZE])
    header = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    found = _MESSAGE_ID.search(header)
    return None if found is None else found[1].decode("ascii", "replace")
