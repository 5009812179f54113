"""The watch: where a thread stands in smtplib, how it is made to stop, and how it is kept from going on.

Owns what can be known of a thread from its stack, and what is done to it at an abort. It knows neither executors nor
retries: whoever runs the thread says when, and sees to it that the thread is still where it is thought to be.

Nothing is recorded while mail is sent. At the moment of an abort the thread's stack is read (``sys._current_frames``):
a frame of an `smtplib` method has the session as its ``self``, and below it a socket that is being connected, or shakes
hands, is a local variable. What is found is shut down, which makes the blocked call return with an error. It is done
again until the thread is back, since the thread may just then be between two sockets.

A wrapper that connects again and sends once more would still deliver. So, from the first abort of the process on, an
audit hook raises in a thread that was forbidden to go on, at ``smtplib.connect`` and ``smtplib.send``. Before that
there is no hook: once installed it slows some operations of the interpreter for good.
"""

from __future__ import annotations

import _thread
import enum
import os
import smtplib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import get_ident
from types import FrameType

# As it is when this is imported: a test may patch smtplib.SMTP with something that is no class.
_SMTP = smtplib.SMTP

INTERVAL = 0.005
"""Seconds between two attempts to make a thread return."""


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
    """The content is being sent. A server that has only a part of it delivers nothing."""
    CONTENT_SENT = "content sent"
    """The content was sent, and its reply is awaited: the message may have been delivered."""


_PHASES = {
    **dict.fromkeys(("connect", "_get_socket"), Phase.CONNECTING),
    **dict.fromkeys(("helo", "ehlo", "ehlo_or_helo_if_needed", "starttls", "auth", "login"), Phase.GREETING),
    **dict.fromkeys(("mail", "rcpt", "rset", "sendmail", "send_message"), Phase.ENVELOPE),
}


class Aborted(BaseException):
    """Raised at the next step of SMTP in a thread that was forbidden any; no handler for errors shall catch it."""


def phase_of(frames: Iterator[FrameType]) -> Phase | None:
    """Return how far a transaction has come; None if the frames are not in smtplib.

    Args:
        frames: Those of a stack, the innermost first.
    """
    phase = None
    inner = ""
    for frame in frames:
        if frame.f_globals.get("__name__") != "smtplib":
            continue
        name = frame.f_code.co_name
        if name == "data":
            # data() names the content `q` when it is ready to be sent, which is after the reply to DATA.
            if "q" not in frame.f_locals:
                return Phase.DATA_COMMAND
            return Phase.CONTENT_SENT if inner == "getreply" else Phase.CONTENT_BEGUN
        if phase is None:
            phase = Phase.GREETING if (name, inner) == ("connect", "getreply") else _PHASES.get(name)
        inner = name
    return phase


def stack(thread: int) -> Iterator[FrameType]:
    """Yield the frames of a thread, the innermost first; none if there is no such thread."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        yield frame
        frame = frame.f_back


def phase(thread: int) -> Phase | None:
    """Return how far a thread has come in smtplib; None if it is elsewhere."""
    return phase_of(stack(thread))


def message_id(thread: int) -> str | None:
    """Return the Message-ID of the message that a thread is sending, if it can be told."""
    for frame in stack(thread):
        if frame.f_code.co_name == "send_message" and frame.f_globals.get("__name__") == "smtplib":
            found = frame.f_locals["msg"]["Message-ID"]
            return None if found is None else str(found)
    return None


def shut_down(thread: int) -> None:
    """Shut down what a thread is blocked on in smtplib: the innermost session, and sockets below that are not its yet.

    No effect on a thread that is not in smtplib: what it is blocked on is nobody's business here.
    """
    below: list[socket.socket] = []
    for frame in stack(thread):
        for name in ("self", "sock"):
            found = frame.f_locals.get(name)
            if isinstance(found, socket.socket):
                below.append(found)
            elif isinstance(found, _SMTP):
                for sock in (*below, getattr(found, "sock", None)):
                    shut_down_socket(sock)
                return


def shut_down_socket(sock: object) -> None:
    """Make whatever blocks on a socket return with an error; from any thread.

    Not by ``close()``, which waits for the reader, and not by ``SSLSocket.shutdown()``, which drops TLS first: what the
    thread writes next could leave in clear text.
    """
    if isinstance(sock, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


# Threads that may begin no further step. Written by whoever aborts, and by the thread itself when its job is over.
_forbidden: set[int] = set()
_installed = False


def forbid(thread: int) -> None:
    """Let the thread begin no further step of SMTP, until it is permitted again."""
    _forbidden.add(thread)
    _install_hook()


def permit(thread: int) -> None:
    """Take a prohibition back; no effect if there is none."""
    _forbidden.discard(thread)


def _install_hook() -> None:
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, _: tuple[object, ...]) -> None:
    # Called for every audited operation of the process. An exception other than Aborted would break it, whatever it is.
    if (event == "smtplib.send" or event == "smtplib.connect") and get_ident() in _forbidden:  # noqa: PLR1714 - quicker
        raise Aborted


class _Repeater:
    """Calls functions every few milliseconds, until they say that it is enough; on a thread that lives as long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Both under the lock.
        self._again: list[Callable[[], bool]] = []
        self._repeating = False

    def add(self, again: Callable[[], bool]) -> None:
        with self._lock:
            self._again.append(again)
            if not self._repeating:
                # Bare, since this is an event loop's thread, which need not wait until a thread has started.
                _thread.start_new_thread(self._repeat, ())
                self._repeating = True

    def _repeat(self) -> None:
        wait = threading.Event().wait  # a sleep that nothing interrupts
        while True:
            wait(INTERVAL)
            with self._lock:
                current, self._again = self._again, []
            unfinished = [again for again in current if again()]
            with self._lock:
                self._again += unfinished
                if not self._again:
                    self._repeating = False
                    return


_repeater = _Repeater()


def repeat(again: Callable[[], bool]) -> None:
    """Call a function every `INTERVAL` seconds, on a thread for the purpose, as long as it returns True."""
    _repeater.add(again)


def _begin_anew_after_fork() -> None:
    global _repeater
    _repeater = _Repeater()
    _forbidden.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
