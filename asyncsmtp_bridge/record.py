"""The record: which contents a call has begun to send.

Owns what no exception can tell. A call may have sent one message when it fails at the next, or at something that has
nothing to do with mail; to make it again would send the first one twice. The audit hook (`asyncsmtp_bridge.watch`)
notes here every content that smtplib is about to send, in the thread that sends it. Which call it belongs to is told by
the context variables: those of a job, of ``asyncio.to_thread`` and of a task are copies of the caller's.

A thread that a wrapper started itself has none of them. What is sent there belongs to nobody, and so, perhaps, to any
call of which nothing was seen.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from threading import get_ident
from time import monotonic
from types import TracebackType
from typing import Any

from .phase import SMTP

kept = False
"""Whether there is a record at all: set when the hook is installed."""

ATTRIBUTE = "_asyncsmtp_bridge_record"
"""Where an exception has the record of the call that it ended."""

Begun = tuple["str | None", ...]
"""Contents that were begun, by their Message-IDs; None for one that has none."""


_Content = tuple["str | None", int, float, int]
"""What was begun: the Message-ID, the thread that sends it, when it began, and its place in the order of all."""


class Record:
    """What was begun within a ``with`` block, in whichever threads the work goes on."""

    __slots__ = (
        "_begun",
        "_first",
        "_is_given_up",
        "_is_kept",
        "_last",
        "_outer",
        "_saw_something",
        "_sends_by_itself",
    )

    def __enter__(self) -> Record:
        self._begun: list[_Content] = []
        # Of a session whose class has a send() of its own, nothing may be seen.
        self._sends_by_itself = self._saw_something = self._is_given_up = False
        self._is_kept = kept
        self._first = self._last = next(_order)
        self._outer = _current.get()
        _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # Not by a token: a coroutine that is thrown away ends in another context.
        _current.set(self._outer)
        self._last = next(_order)
        if error is not None:
            with suppress(Exception):  # a class of exceptions may have no room for it
                setattr(error, ATTRIBUTE, self)

    def begun(self) -> Begun | None:
        """Return the contents that were begun, in the end; None if that is not known, since there is no record."""
        if not self._is_kept or self._sends_by_itself:
            return None
        begun = self._begun
        if not self._saw_something:
            begun = [content for content in _nobodys.copy() if self._first < content[3] < self._last]
        return tuple(content[0] for content in begun)

    def note(self, content: _Content | None, sends_by_itself: bool) -> bool:
        """Take note of a content, or of another step; return whether it may be taken."""
        may_be_taken = True
        record: Record | None = self
        while record is not None:
            record._saw_something = True
            record._sends_by_itself = sends_by_itself
            if content is not None:
                # Noted first, and asked then: who gives up says so first, and looks then. One of the two sees it.
                record._begun.append(content)
                may_be_taken = may_be_taken and not record._is_given_up
            record = record._outer
        return may_be_taken

    def give_up(self, it: bool = True) -> None:
        """Let nothing more be begun, by whatever work is left of a call that is to be made again; or let it, after all.

        A call may have failed while others that it has started go on: of several sent side by side, one was refused.
        """
        self._is_given_up = it


_current: ContextVar[Record | None] = ContextVar("asyncsmtp_bridge_record", default=None)

# What belongs to no record, the last of it. No lock: the hook may be called while this very thread holds it.
_nobodys: deque[_Content] = deque(maxlen=1000)
_order = itertools.count()


def begun_by(error: BaseException) -> Begun | None:
    """Return the contents that were begun by the call that this exception ended; None if that is not known."""
    record = of(error)
    return None if record is None else record.begun()


def of(error: BaseException) -> Record | None:
    """Return the record of the call that this exception ended, if there is one."""
    record = getattr(error, ATTRIBUTE, None)
    return record if isinstance(record, Record) else None


def begun_in_this_thread(since: float) -> Begun | None:
    """Return the contents that this thread has begun outside any record, since a time of `time.monotonic`."""
    if not kept:
        return None
    thread = get_ident()
    return tuple(message_id for message_id, by, at, _ in _nobodys.copy() if by == thread and at >= since)


def note(event: str, args: tuple[Any, ...]) -> bool:
    """Take note of a step of smtplib, and return whether it may be taken.

    For the audit hook, which is called by the function that takes it.
    """
    record = _current.get()
    content: _Content | None = None
    if event == "smtplib.send" and _is_content(args[1]):
        content = (message_id_of(args[1]), get_ident(), monotonic(), next(_order))
    if record is not None:
        # What is seen to be sent, is sent by smtplib's own send().
        return record.note(content, event == "smtplib.connect" and _has_own_send(type(args[0])))
    if content is not None:
        _nobodys.append(content)
    return True


def _has_own_send(kind: type) -> bool:
    return any("send" in vars(base) for base in kind.__mro__[: kind.__mro__.index(SMTP)])


def _is_content(sent: bytes) -> bool:
    """Whether what is sent is the content of a message, or the last part of one, and not a command."""
    # From the hook, and beyond it from the method that sends, which is called by the one that wants it sent.
    sender = sys._getframe(3).f_back
    if sender is not None and sender.f_code.co_name == "data":
        return True
    # A wrapper that speaks SMTP by itself; no command ends like this.
    return bytes(sent[-5:]) in (b"\r\n.\r\n", b".\r\n") or bytes(sent[:5]).upper() == b"BDAT "


_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^<>\r\n]*>)", re.IGNORECASE | re.MULTILINE)
HEADER_SIZE = 16 * 1024
"""Bytes of a content in which its Message-ID is looked for."""


def message_id_of(content: bytes | bytearray | memoryview) -> str | None:
    """Return the Message-ID of a content, if it has one where one is looked for: at the beginning of its header."""
    head = bytes(content[:HEADER_SIZE])
    header = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    found = _MESSAGE_ID.search(header)
    return None if found is None else found[1].decode("ascii", "replace")
