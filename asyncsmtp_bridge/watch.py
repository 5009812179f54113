"""The watch: where a thread stands in smtplib, how it is made to stop, and how it is kept from going on.

Owns what can be known of a thread from its stack, and what is done to it at an abort. It knows neither executors nor
retries: whoever runs the thread says when, and sees to it that the thread is still where it is thought to be.

Nothing is recorded while mail is sent. At the moment of an abort the thread's stack is read (``sys._current_frames``):
a frame of smtplib has the session as its ``self``, and below it a socket that is being connected, or shakes hands, is a
local variable. What is found is shut down, which makes the blocked call return with an error. It is done again until
the thread is back, since the thread may just then be between two sockets.

A wrapper that connects again and sends once more would still deliver. So, from the first abort of the process on, an
audit hook raises in a thread that was forbidden to go on, at ``smtplib.connect`` and ``smtplib.send``. Before that
there is no hook: once installed it slows some operations of the interpreter for good.

Objects of other people are on the stack, too. They are told by their types, and nothing of theirs is called: a property
could block, or take a lock that the thread holds.
"""

from __future__ import annotations

import _thread
import dis
import enum
import functools
import logging
import os
import smtplib
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from threading import get_ident
from types import CodeType, FrameType
from typing import Any

logger = logging.getLogger("asyncsmtp_bridge")

# As it is when this is imported: a test may patch smtplib.SMTP with something that is no class.
_SMTP = smtplib.SMTP

INTERVAL = 0.005
"""Seconds between the first attempts to make a thread return."""

LONGEST_INTERVAL = 0.1
"""Seconds between attempts, when a thread does not return for long."""


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


class Aborted(BaseException):
    """Raised at the next step of SMTP in a thread that was forbidden any; no handler for errors shall catch it."""


def phase_of(frames: Iterable[FrameType]) -> Phase | None:
    """Return how far a transaction has come; None if the frames are not in smtplib, or it cannot be told.

    Args:
        frames: Those of a stack, the innermost first.
    """
    phase: Phase | None = None
    inner = ""
    sending = False
    for frame in frames:
        name = frame.f_code.co_name
        if not _in_smtplib(frame):
            if _session_of(frame) is not None:
                # A class of sessions with ways of its own.
                if name == "data":
                    return Phase.CONTENT_BEGUN
                if name in _LAST_STEPS and not sending:
                    return None  # before it, or after: nobody can tell
                if not inner and phase is None and name != "__init__":
                    phase = _PHASES.get(name)
            continue
        sending = sending or name in _LAST_STEPS
        if name == "data":
            # data() names the content `q` when it is ready to be sent, which is after the reply to DATA.
            if "q" not in frame.f_locals:
                return Phase.DATA_COMMAND
            return Phase.CONTENT_SENT if inner == "getreply" else Phase.CONTENT_BEGUN
        if name in _LAST_STEPS and inner != _LAST_STEPS[name] and _is_past(frame, _LAST_STEPS[name]):
            return Phase.CONTENT_SENT  # and perhaps answered: the thread will know, but has not said so yet
        if phase is None:
            phase = Phase.GREETING if (name, inner) == ("connect", "getreply") else _PHASES.get(name)
        inner = name
    # A wrapper that speaks SMTP itself, by send() and getreply(), may be anywhere.
    return phase or (Phase.BETWEEN if inner in _BETWEEN else None)


_LAST_STEPS = {"sendmail": "data", "send_message": "sendmail"}
"""What these methods do last of all."""


def _is_past(frame: FrameType, step: str) -> bool:
    """Whether a method of smtplib has come to the call of its last step, or beyond."""
    return frame.f_lasti > _offset_of(frame.f_code, step)


@functools.cache
def _offset_of(code: CodeType, name: str) -> int:
    return max((each.offset for each in dis.get_instructions(code) if each.argval == name), default=sys.maxsize)


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
    frame = sys._current_frames().get(thread)
    # Not beyond the call: the worker's own frames live on, and up to 3.12 a frame keeps what it was asked for.
    while frame is not None and frame.f_globals.get("__name__") not in _WORKERS:
        frames.append(frame)
        frame = frame.f_back
    phase = phase_of(frames)
    if phase in (Phase.ENVELOPE, Phase.DATA_COMMAND) and not _can_be_held(frames):
        # It goes on while it is looked at, and before its socket is shut down: that may be time enough.
        phase = Phase.CONTENT_BEGUN
    return Position(phase, _message_in(frames), tuple(_sockets_in(frames)))


def _in_smtplib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "smtplib"


def _session_of(frame: FrameType) -> smtplib.SMTP | None:
    found = frame.f_locals.get("self")
    return found if issubclass(type(found), _SMTP) else None


def _message_in(frames: list[FrameType]) -> Message | None:
    for frame in frames:
        if frame.f_code.co_name == "send_message" and _in_smtplib(frame):
            found = frame.f_locals.get("msg")
            return found if issubclass(type(found), Message) else None
    return None


def _innermost_session(frames: list[FrameType]) -> int | None:
    for index, frame in enumerate(frames):
        # Not asked for its truth value, which a class may define.
        if _in_smtplib(frame) and _session_of(frame) is not None:
            return index
    return None


def _can_be_held(frames: list[FrameType]) -> bool:
    """Whether a forbidden thread really cannot go on: the hook is there, and the session sends as smtplib does."""
    innermost = _innermost_session(frames)
    if not _seen or innermost is None:
        return False
    bases = type(_session_of(frames[innermost])).__mro__
    return not any("send" in vars(base) for base in bases[: bases.index(_SMTP)])


def _sockets_in(frames: list[FrameType]) -> list[socket.socket]:
    innermost = _innermost_session(frames)
    if innermost is None:
        return []  # what it is blocked on is nobody's business here
    session = _session_of(frames[innermost])
    found = [object.__getattribute__(session, "__dict__").get("sock")]
    for frame in reversed(frames[:innermost]):
        # What smtplib itself calls, or a method of the session; not what a method does besides, on a socket of its own.
        if frame.f_globals.get("__name__") in ("socket", "ssl"):
            found += [frame.f_locals.get("sock"), frame.f_locals.get("self")]
        elif not _in_smtplib(frame) and _session_of(frame) is not session:
            break
    return [each for each in found if issubclass(type(each), socket.socket)]


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
            "no audit hook could be installed, another one refuses it: "
            "a wrapper that reconnects and tries again may send after its call was cancelled"
        )


def _hook(event: str, args: tuple[object, ...]) -> None:
    # Called for every audited operation of the process. An exception other than Aborted would break it, whatever it is.
    if event == "smtplib.send" or event == "smtplib.connect":  # noqa: PLR1714 - quicker than a look into a set
        if get_ident() in _forbidden:
            # The session is somewhere in a transaction: nobody shall go on where this call left off.
            with suppress(Exception):
                shut_down_socket(object.__getattribute__(args[0], "__dict__").get("sock"))
            raise Aborted
    elif event == _PROBE:
        global _seen
        _seen = True


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
