"""Sites: the line of somebody's own code that a step of smtplib was taken for, told by the stack.

Owns whose a frame is, and which of them an ``await`` belongs into. It looks at code and never at variables, and keeps
no frame. It does not know why it is asked, or how the line would be mended.

What counts as the site is what a reader can change: the innermost coroutine function of the user's own, since that is
where an ``await`` can stand. What lies within the standard library, installed packages and this one is passed over.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import linecache
import os
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import CodeType, FrameType

from ...phase import OWN, in_smtplib

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Caller:
    """A line that calls another one, on the way from a site to smtplib.

    Args:
        filename: The file, as Python names it.
        line: From 1 on.
        function: The qualified name of the function, on Python 3.10 its name; ``<module>`` outside of any.
    """

    filename: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{shown_path(self.filename)}:{self.line} in {self.function}"


@dataclass(frozen=True)
class Session:
    """The class of the session that blocks.

    Args:
        name: As the user calls it.
        module: Where it is defined.
    """

    name: str
    module: str

    @property
    def is_smtplibs(self) -> bool:
        """Whether the mirror has the same name, with ``Async`` before it."""
        return self.module == "smtplib"

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the pipelined ones."""
        return self.module == _PACKAGE


@dataclass(frozen=True)
class Site:
    """Where something can be done about a call that blocks, and what it calls.

    Args:
        place: The line.
        module: The name of its module.
        code: Its function.
        lasti: Which instruction of the function.
        inwards: The names of the functions from there to smtplib's own, that one included.
        through: The lines from there to the one that calls smtplib, without the standard library's; empty where the
            site calls smtplib itself.
        does: The method of smtplib that was called.
        session: The class of the session.
        calls_session: Whether what the site calls is a method of the session.
        runs_generator: Whether what it calls is the next step of a generator.
        awaits_library: Whether it awaits a coroutine of somebody else's that blocks.
        logs: Whether it is a log record that is mailed.
    """

    place: Caller
    module: str
    code: CodeType
    lasti: int
    inwards: tuple[str, ...]
    through: tuple[Caller, ...]
    does: str
    session: Session
    calls_session: bool
    runs_generator: bool
    awaits_library: bool
    logs: bool

    @property
    def is_coroutine(self) -> bool:
        """Whether an ``await`` can stand there."""
        return _is_coroutine(self.code)


class _Owner(Enum):
    SMTPLIB = auto()
    PACKAGE = auto()
    STANDARD = auto()
    LIBRARY = auto()
    USER = auto()


def site_of(frame: FrameType | None, session: object) -> Site | None:
    """Return the site of a step of smtplib that is being taken; None if it is not smtplib that takes it.

    Args:
        frame: The innermost one.
        session: Whose step it is.
    """
    frames = _frames_of_this_turn(frame)
    owners = [_owner_of(each) for each in frames]
    index = _index_of_site(frames, owners)
    smtplibs = [at for at in range(index or 0) if owners[at] is _Owner.SMTPLIB]
    if index is None or not smtplibs:
        return None
    site, callee, method = frames[index], frames[index - 1], frames[smtplibs[-1]]
    linecache.lazycache(site.f_code.co_filename, site.f_globals)  # for sources that are not in files
    between = range(index - 1, smtplibs[-1], -1)
    return Site(
        place=_caller(site),
        module=_module_of(site),
        code=site.f_code,
        lasti=site.f_lasti,
        inwards=tuple(frames[at].f_code.co_name for at in range(index - 1, smtplibs[-1] - 1, -1)),
        through=tuple(_caller(frames[at]) for at in between if owners[at] in (_Owner.USER, _Owner.LIBRARY)),
        does=_does(method, session),
        session=_session(session),
        calls_session=_class_with(callee.f_code, session) is not None,
        runs_generator=bool(callee.f_code.co_flags & inspect.CO_GENERATOR),
        awaits_library=_is_coroutine(callee.f_code),
        logs=any(_module_of(frames[at]) == "logging.handlers" for at in between),
    )


def _index_of_site(frames: Sequence[FrameType], owners: Sequence[_Owner]) -> int | None:
    theirs = [at for at, owner in enumerate(owners) if owner in (_Owner.USER, _Owner.LIBRARY)]
    coroutines = [at for at in theirs if _is_coroutine(frames[at].f_code)]
    innermost = coroutines[0] if coroutines else len(frames)
    if coroutines and owners[innermost] is _Owner.USER:
        return innermost
    # A library has called a function of the user's; without one, the user awaits what blocks in the library.
    functions = [at for at in theirs if at < innermost and owners[at] is _Owner.USER]
    awaiting = [at for at in coroutines if owners[at] is _Owner.USER]
    for chosen in (functions[-1:], awaiting[:1], coroutines[:1], theirs[:1]):
        if chosen:
            return chosen[0]
    return next((at for at, owner in enumerate(owners) if owner is not _Owner.SMTPLIB), None)


_LOOPS = frozenset(("asyncio.base_events", "asyncio.events", "asyncio.runners", "uvloop"))
_RUNNING = frozenset(("run_forever", "run_until_complete"))


def _frames_of_this_turn(frame: FrameType | None) -> list[FrameType]:
    """Return the frames up to the loop's own, the innermost first: what is further out has only started the loop."""
    found: list[FrameType] = []
    while frame is not None:
        # uvloop has no frames of its own: there the one that runs it is known by what it calls.
        if not _is_coroutine(frame.f_code) and (
            _module_of(frame) in _LOOPS or not _RUNNING.isdisjoint(frame.f_code.co_names)
        ):
            break
        found.append(frame)
        frame = frame.f_back
    return found


def _is_coroutine(code: CodeType) -> bool:
    kinds = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
    return bool(code.co_flags & kinds)


def _module_of(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if type(name) is str else ""


def _owner_of(frame: FrameType) -> _Owner:
    module = _module_of(frame)
    if in_smtplib(frame):
        return _Owner.SMTPLIB
    if module.partition(".")[0] == _PACKAGE:
        return _Owner.PACKAGE
    filename = frame.f_code.co_filename
    if filename.startswith("<"):  # a prompt, or -c; otherwise code that was made by a library
        return _Owner.USER if module == "__main__" else _Owner.STANDARD
    return _owner_of_file(filename)


_STANDARD = tuple(
    {os.path.normcase(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
    | {os.path.normcase(os.path.dirname(asyncio.__path__[0])) + os.sep}
)


@functools.cache
def _owner_of_file(filename: str) -> _Owner:
    path = os.path.normcase(os.path.abspath(filename))
    if {"site-packages", "dist-packages"}.intersection(path.split(os.sep)):
        return _Owner.LIBRARY
    return _Owner.STANDARD if path.startswith(_STANDARD) else _Owner.USER


def _caller(frame: FrameType) -> Caller:
    code = frame.f_code
    name: str = getattr(code, "co_qualname", code.co_name)  # from Python 3.11 on
    return Caller(code.co_filename, frame.f_lineno or code.co_firstlineno, name.rpartition("<locals>.")[2])


def _class_with(code: CodeType, session: object) -> type | None:
    """Return the class of a session's that a method belongs to, if it is one."""
    for base in type(session).__mro__:
        if getattr(vars(base).get(code.co_name), "__code__", None) is code:
            return base
    return None


def _session(session: object) -> Session:
    kind = type(session)
    is_ours = kind.__module__ in OWN
    return Session(kind.__qualname__.rpartition("<locals>.")[2], _PACKAGE if is_ours else kind.__module__)


def _does(method: FrameType, session: object) -> str:
    name = method.f_code.co_name
    kind = _class_with(method.f_code, session)
    if kind is None:
        return f"smtplib.{name}"
    if kind.__module__ in OWN:
        # Those that are not public are what a public one is made of.
        kind = next((base for base in type(session).__mro__ if base.__module__ == f"{_PACKAGE}.pipelined"), kind)
    called = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    return called if name == "__init__" else f"{called}.{name}"


def shown_path(filename: str) -> str:
    """Return a path as people want to read it: from the current directory on, if it lies below that."""
    try:
        here = os.getcwd() + os.sep
    except OSError:  # it was removed
        return filename
    return filename[len(here) :] if filename.startswith(here) else filename
