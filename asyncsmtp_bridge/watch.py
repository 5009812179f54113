"""The watch: where a thread stands in smtplib, how it is made to stop, and how it is kept from going on.

Owns what can be known of a thread from its stack, and what is done to it at an abort. It knows neither executors nor
retries: whoever runs the thread says when, and sees to it that the thread is still where it is thought to be.

Nothing is recorded while mail is sent. At the moment of an abort the thread's stack is read (``sys._current_frames``):
a frame of smtplib has the session as its ``self``, and below it a socket that is being connected, or shakes hands, is a
local variable. What is found is shut down, which makes the blocked call return with an error. It is done again until
the thread is back, since the thread may just then be between two sockets.

A wrapper that connects again and sends once more would still deliver. So, from the first abort of the process on, an
audit hook raises in a thread that was forbidden to go on, at ``smtplib.connect`` and ``smtplib.send``. Before that
there is no hook, unless a retry policy needs one (`asyncsmtp_bridge.record`): once installed it slows some operations
of the interpreter for good.

Objects of other people are on the stack, too. They are told by their types, and nothing of theirs is called: a property
could block, or take a lock that the thread holds.
"""

from __future__ import annotations

import _thread
import logging
import os
import smtplib
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from threading import get_ident
from types import FrameType
from typing import Any

from . import defaults, record
from .phase import OWN, SMTP, Phase, frame_of, in_smtplib, message_in, phase_of, phase_said_by, session_of

logger = logging.getLogger("asyncsmtp_bridge")

INTERVAL = 0.005
"""Seconds between the first attempts to make a thread return."""

LONGEST_INTERVAL = 0.1
"""Seconds between attempts, when a thread does not return for long."""


class Aborted(BaseException):
    """Raised at the next step of SMTP in a thread that was forbidden any; no handler for errors shall catch it."""


@dataclass(frozen=True)
class Position:
    """Where a thread stood when it was looked at."""

    phase: Phase | None
    """How far it had come; None: not in smtplib, or that cannot be told."""
    message: Message | None
    """What it was sending, if that can be told."""
    sockets: tuple[socket.socket, ...]
    """What it may be blocked on: the session's, and those below smtplib that are not its yet."""


_WORKERS = {f"{__package__}.{name}" for name in ("job", "dedicated", "shared")}


def look(thread: int) -> Position:
    """Return where a thread stands in smtplib; with caution, if nothing keeps it from going on."""
    frames: list[FrameType] = []
    frame = frame_of(thread)
    # Not beyond the call: the worker's own frames live on, and up to 3.12 a frame keeps what it was asked for.
    while frame is not None and frame.f_globals.get("__name__") not in _WORKERS:
        frames.append(frame)
        frame = frame.f_back
    phase = _said_by_session(frames) or phase_of([(frame, frame.f_lasti) for frame in frames])
    if phase in (Phase.ENVELOPE, Phase.DATA_COMMAND) and not _can_be_held(frames):
        # It goes on while it is looked at, and before its socket is shut down: that may be time enough.
        phase = Phase.CONTENT_BEGUN
    return Position(phase, message_in(frames), tuple(_sockets_in(frames)))


def _said_by_session(frames: list[FrameType]) -> Phase | None:
    innermost = _innermost_session(frames)
    # Whether it is held is seen to before it is asked: then what it says holds until it is shut down.
    return None if innermost is None else phase_said_by(session_of(frames[innermost]))


def _innermost_session(frames: list[FrameType]) -> int | None:
    for index, frame in enumerate(frames):
        # Not asked for its truth value, which a class may define.
        if in_smtplib(frame) and session_of(frame) is not None:
            return index
    return None


def _can_be_held(frames: list[FrameType]) -> bool:
    """Whether a forbidden thread really cannot go on: the hook is there, and the session sends as smtplib does."""
    innermost = _innermost_session(frames)
    if not _seen or innermost is None:
        return False
    bases = type(session_of(frames[innermost])).__mro__
    return not any("send" in vars(base) and base.__module__ not in OWN for base in bases[: bases.index(SMTP)])


def _sockets_in(frames: list[FrameType]) -> list[socket.socket]:
    innermost = _innermost_session(frames)
    if innermost is None:
        return []  # what it is blocked on is nobody's business here
    session = session_of(frames[innermost])
    found = [object.__getattribute__(session, "__dict__").get("sock")]
    for frame in reversed(frames[:innermost]):
        # What smtplib itself calls, or a method of the session; not what a method does besides, on a socket of its own.
        if frame.f_globals.get("__name__") in ("socket", "ssl"):
            found += [frame.f_locals.get("sock"), frame.f_locals.get("self")]
        elif not in_smtplib(frame) and session_of(frame) is not session:
            break
    return [each for each in found if issubclass(type(each), socket.socket)]


class GivenUp(smtplib.SMTPServerDisconnected):
    """Raised where a content would begin that belongs to an attempt in place of which another one is made."""


def shut_down(thread: int) -> Position:
    """Shut down what a thread is blocked on in smtplib, and return where it stood; no effect elsewhere."""
    position = look(thread)
    for sock in position.sockets:
        shut_down_socket(sock)
    return position


def shut_down_socket(sock: Any) -> None:
    """Make whatever blocks on a socket return with an error; from any thread.

    Not by ``close()``, which waits for the reader, and not by ``SSLSocket.shutdown()``, which drops TLS first: what the
    thread writes next could leave in clear text.
    """
    if issubclass(type(sock), socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


# Threads that may begin no further step, and how often that was said: a thread may run a job within a job. Written
# under the lock, read by the hook without.
_forbidden: dict[int, int] = {}
_forbid_lock = threading.Lock()
_install_lock = threading.Lock()
_installed = False
_seen = False
_PROBE = "asyncsmtp_bridge.probe"


def forbid(thread: int) -> None:
    """Let the thread begin no further step of SMTP, until it is permitted again; the hook sees to it."""
    with _forbid_lock:
        _forbidden[thread] = _forbidden.get(thread, 0) + 1


def is_forbidden(thread: int) -> bool:
    """Whether the thread may begin no further step."""
    return thread in _forbidden


def forbidden(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls this one, and keeps it from beginning any step."""

    def call(*args: Any, **kwargs: Any) -> Any:
        thread = get_ident()
        forbid(thread)
        try:
            return func(*args, **kwargs)
        finally:
            permit(thread)

    return call


def permit(thread: int) -> None:
    """Take one prohibition back; no effect if there is none."""
    with _forbid_lock:
        times = _forbidden.pop(thread, 0)
        if times > 1:
            _forbidden[thread] = times - 1


def install_hook() -> None:
    """Install the audit hook, once for the process."""
    global _installed
    with _install_lock:
        if _installed:
            return
        # Other hooks are asked, and may refuse: silently, or with an exception of theirs.
        with suppress(Exception):
            sys.addaudithook(_hook)
            sys.audit(_PROBE)
        _installed = True
        refused = not _seen
    if refused:
        logger.warning(
            "no audit hook could be installed, another one refuses it: a wrapper that reconnects and tries again may "
            "send after its call was cancelled, and a retried call that sends several messages may send some twice"
        )


_STARTS = frozenset(("_thread.start_new_thread", "_thread.start_joinable_thread"))
"""Said from Python 3.12 on."""


def _hook(event: str, args: tuple[object, ...]) -> None:
    # Called for every audited operation of the process. An exception other than Aborted would break it, whatever it is.
    if event == "smtplib.send" or event == "smtplib.connect":  # noqa: PLR1714 - quicker than a look into a set
        reason: BaseException | None = Aborted() if get_ident() in _forbidden else None
        if reason is None:
            with suppress(Exception):
                if not record.note(event, args):
                    reason = GivenUp(
                        "another attempt at what this belongs to is being made, and it would be sent twice"
                    )
        if reason is not None:
            # The session is somewhere in a transaction: nobody shall go on where this call left off.
            with suppress(Exception):
                shut_down_socket(object.__getattribute__(args[0], "__dict__").get("sock"))
            raise reason
    elif event in _STARTS:
        with suppress(Exception):
            record.note_thread()
    elif event == _PROBE:
        global _seen
        _seen = record.kept = True


def keep_record(user: str) -> None:
    """Have a record kept of the contents that are begun (`asyncsmtp_bridge.record`), from now on.

    No effect if that was declined by ``configure(audit_hook=False)``.
    """
    if not _installed and defaults.in_force(user).audit_hook:
        install_hook()


class _Repeater:
    """Calls functions again and again until they say that it is enough, on a thread that ends with the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # All under the lock.
        self._again: list[Callable[[], bool]] = []
        self._interval = INTERVAL
        self._repeating = False

    def add(self, again: Callable[[], bool]) -> None:
        with self._lock:
            self._again.append(again)
            self._interval = INTERVAL
            if not self._repeating:
                # Bare, since this is an event loop's thread, which need not wait until a thread has started.
                _thread.start_new_thread(self._repeat, ())
                self._repeating = True

    def _repeat(self) -> None:
        wait = threading.Event().wait  # a sleep that nothing interrupts
        while True:
            wait(self._interval)
            with self._lock:
                current, self._again = self._again, []
                self._interval = min(self._interval * 1.2, LONGEST_INTERVAL)
            unfinished = [again for again in current if _again(again)]
            with self._lock:
                self._again += unfinished
                if not self._again:
                    self._repeating = False
                    return


def _again(again: Callable[[], bool]) -> bool:
    try:
        return again()
    except Exception:
        logger.exception("an abort is given up")
        return False


_repeater = _Repeater()


def repeat(again: Callable[[], bool]) -> None:
    """Call a function every few milliseconds, later less often, as long as it returns True; on a thread for this."""
    _repeater.add(again)


def _begin_anew_after_fork() -> None:
    global _repeater, _install_lock, _forbid_lock
    _repeater = _Repeater()
    _install_lock = threading.Lock()
    _forbid_lock = threading.Lock()
    _forbidden.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
