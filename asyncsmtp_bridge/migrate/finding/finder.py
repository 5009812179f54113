"""The finder: reports what uses smtplib on the thread of a running event loop, while the program runs.

Owns the audit hook, who listens to it, and what becomes of a call: recorded, warned of, or refused. It does not know
how a site is told or mended.

The hook can be called anywhere, in a finalizer or a signal handler, too. So it takes no lock, what threads share is
changed by single steps of the interpreter, and a thread that is in it already is let through. It raises nothing but
`BlockingCallError`. For a line it has seen before it does little more than to look at the stack.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import warnings
from _thread import get_ident
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Literal, cast, get_args

from .blocking_calls import BlockingCall, BlockingCallError, BlockingCallWarning
from .sites import Site, site_of
from .stops import Line, Stop

Mode = Literal["warn", "error", "record"]

VARIABLE = "ASYNCSMTP_BRIDGE_FIND_BLOCKING"
"""What switches it on for a whole process: ``warn`` or ``error``."""


def find_blocking(mode: Mode = "warn") -> BlockingFinder:
    """Find what uses smtplib on the thread of a running event loop, for as long as the ``with`` block lasts.

        with find_blocking() as found:
            asyncio.run(main())
        print(found.calls)

    Calls in all threads are seen. What a bridge or a mirror runs in a worker is not on a loop's thread, and is none.
    It installs an audit hook, which cannot be removed and slows some operations of the interpreter down: it is for
    development and tests.

    Args:
        mode: ``"warn"``: a `BlockingCallWarning` for the line, when the loop goes on. ``"error"``: `BlockingCallError`
            at the call, before anything is sent; raised once more when the block is left, in case somebody has caught
            it, unless `BlockingFinder.calls` was cleared. ``"record"``: neither.

    Raises:
        ValueError: There is no such mode.
        RuntimeError: Another audit hook refuses this one (when the block is entered).
    """
    return BlockingFinder(mode)


class BlockingFinder:
    """What `find_blocking` returns: listens from ``with`` on until that is left.

    Args:
        mode: As for `find_blocking`.
    """

    def __init__(self, mode: Mode = "warn") -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"find_blocking takes 'warn', 'error' or 'record', not {mode!r}")
        self.mode: Mode = mode
        self.calls: list[BlockingCall] = []
        """One for each line, in the order in which they were seen first; clear it to have done with them."""
        # What is held up now, by thread and line, and for how long it had been before this finder saw it.
        self._holding: dict[tuple[int, Line], float] = {}
        self._untold: dict[Line, BlockingCall] = {}
        self._refused: BlockingCallWarning | None = None

    def __repr__(self) -> str:
        listening = "listening" if self in _finders else "not listening"
        return f"<{type(self).__name__} {self.mode!r}, {listening}, calls: {len(self.calls)}>"

    def __enter__(self) -> BlockingFinder:
        if self in _finders:
            raise RuntimeError("this finder listens already: each with statement takes one of its own")
        _install_hook()
        _finders.append(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stop_listening()
        refused, self._refused = self._refused, None
        if exc_type is not None:
            return
        if self.mode == "error" and self.calls:
            raise BlockingCallError(self.calls[0])
        if refused is not None:
            raise refused

    def _stop_listening(self) -> None:
        for stop in tuple(_stops.values()):
            for call in tuple(self.calls):
                self._settle(stop, call)
        _finders.remove(self)
        for call in tuple(self._untold.values()):
            self._tell(call)

    # From the hook.

    def _note(self, site: Site, stop: Stop, task: str | None, host: str | None) -> None:
        line = _line_of(site)
        call = self._known(line)
        if call is None:
            # Another thread may come to the same line now: the first one in the list is it.
            self.calls.append(BlockingCall(site, task, host))
            call = self._known(line) or self.calls[-1]
            if self.mode == "warn":
                self._untold.setdefault(line, call)
        if (stop.thread, line) not in self._holding:
            call.count += 1
            self._holding[stop.thread, line] = stop.seconds(line)
            stop.at_end(partial(self._turn_over, stop, call))

    def _known(self, line: Line) -> BlockingCall | None:
        return next((call for call in tuple(self.calls) if _line_of(call.site) == line), None)

    # When the loop goes on, or nobody listens any more.

    def _turn_over(self, stop: Stop, call: BlockingCall) -> None:
        if self in _finders:
            self._settle(stop, call)
            self._tell(call)

    def _settle(self, stop: Stop, call: BlockingCall) -> None:
        line = _line_of(call.site)
        before = self._holding.pop((stop.thread, line), None)
        if before is not None and self.mode != "error":
            call.seconds = max(call.seconds, stop.seconds(line) - before)

    def _tell(self, call: BlockingCall) -> None:
        if self._untold.pop(_line_of(call.site), None) is None or call not in self.calls:
            return
        try:
            _warn(call)
        except BlockingCallWarning as refused:  # a filter makes errors of them
            self._refuse(refused)

    def _refuse(self, warning: BlockingCallWarning) -> None:
        self._refused = self._refused or warning.with_traceback(None)


class _ProcessFinder(BlockingFinder):
    """Listens until the process ends: nobody leaves it, and would be told then."""

    def _refuse(self, warning: BlockingCallWarning) -> None:
        raise warning


def from_environment() -> None:
    """Listen until the process ends, if the environment says so.

    Raises:
        ValueError: It says something else.
    """
    mode = os.environ.get(VARIABLE, "")
    if not mode:
        return
    if mode not in ("warn", "error"):
        raise ValueError(f"{VARIABLE} is 'warn' or 'error', or empty for neither, not {mode!r}")
    finder = _ProcessFinder(cast("Mode", mode))
    finder.__enter__()
    atexit.register(finder._stop_listening)


def _line_of(site: Site) -> Line:
    return site.place.filename, site.place.line, site.place.function


def _warn(call: BlockingCall) -> None:
    # No registry, in which Python keeps what it has warned of: whether it was is known here.
    warnings.warn_explicit(
        BlockingCallWarning(call.told()), BlockingCallWarning, call.filename, call.line, module=call.site.module
    )


# The hook.

_finders: list[BlockingFinder] = []
_stops: dict[int, Stop] = {}
"""By thread, each of which writes its own."""
_inside: set[int] = set()
"""Threads that are in the hook."""
_EVENTS = frozenset(("smtplib.connect", "smtplib.send"))
_PROBE = "asyncsmtp_bridge.probe_of_finder"
_installed = False


def _install_hook() -> None:
    if _installed:
        return
    # Another hook may refuse: silently, or with an exception of its own.
    with suppress(Exception):
        sys.addaudithook(_hook)
        sys.audit(_PROBE)
    if not _installed:
        raise RuntimeError("no audit hook could be installed, another one refuses it: what blocks cannot be found")


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        if event == _PROBE:
            global _installed
            _installed = True
        return
    if not _finders or asyncio._get_running_loop() is None:
        return
    thread = get_ident()
    if thread in _inside:
        return
    refused: BlockingCallError | None = None
    _inside.add(thread)
    try:
        with suppress(Exception):
            refused = _seen(event, args, thread)
    finally:
        _inside.discard(thread)
    if refused is not None:
        __tracebackhide__ = True  # by pytest, which shows where it was called
        args = ()  # it may be a password, and what is in a traceback is collected by error trackers
        raise refused


def _seen(event: str, args: tuple[Any, ...], thread: int) -> BlockingCallError | None:
    loop = asyncio.get_running_loop()
    stop = _stops.get(thread)
    if stop is not None and stop.loop is loop:
        stop.leave()
    site = site_of(sys._getframe(2), args[0])
    if site is None:
        return None
    task, host = _name_of_task(loop), _host(event, args)
    if stop is None or stop.loop is not loop:
        stop = _begin(loop, thread, stop)
    finders = tuple(_finders)
    for finder in finders:
        finder._note(site, stop, task, host)
    if any(finder.mode == "error" for finder in finders):
        # Not one that a finder has, which changes: what is said of each refusal is of that alone.
        return BlockingCallError(BlockingCall(site, task, host, count=1))
    stop.enter(_line_of(site))
    return None


def _begin(loop: asyncio.AbstractEventLoop, thread: int, before: Stop | None) -> Stop:
    stop = Stop(loop, thread)
    if before is not None:
        loop.call_soon(before.end)  # its loop has ended without another turn
    loop.call_soon(_end, stop)
    _stops[thread] = stop
    return stop


def _end(stop: Stop) -> None:
    if _stops.get(stop.thread) is stop:
        del _stops[stop.thread]
    stop.end()


def _name_of_task(loop: asyncio.AbstractEventLoop) -> str | None:
    with suppress(Exception):  # whatever a task factory makes
        task = asyncio.current_task(loop)
        return None if task is None else task.get_name()
    return None


def _host(event: str, args: tuple[Any, ...]) -> str | None:
    host = args[1] if event == "smtplib.connect" else object.__getattribute__(args[0], "__dict__").get("_host")
    return host if isinstance(host, str) and host else None
