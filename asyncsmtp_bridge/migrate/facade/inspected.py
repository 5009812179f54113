"""A wrapper, read by importing it: what its class and the bases have when the program runs.

Owns what comes from elsewhere than the source: bases wherever they are, members that a decorator, a metaclass or a loop
has added, and those that have become something else. What the source says of a member is taken from there, so that a
class as most are gives the same face either way.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import keyword
import os
import smtplib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...face import AsyncBridge
from ...kinds import is_async, is_function, is_generator, makes_context_managers, plain_function
from . import members
from .members import (
    ANY,
    ASYNC_ALREADY,
    NOT_ANNOTATED,
    PROTOCOLS,
    FacadeError,
    Home,
    Kind,
    Member,
    Wrapper,
    refused,
    said_first,
)
from .parsed import ClassReader
from .read import a_function, is_library, looked_in, no_such_class, not_listed
from .source import ClassSource, Sources

_HERE = __file__


def inspected(module: str, name: str, sources: Sources) -> Wrapper:
    """Import a wrapper, and look at it.

    Args:
        module: The module to import.
        name: The qualified name of the class there.
        sources: Where modules are found.

    Raises:
        FacadeError: There is no such class, it cannot be imported, or it needs no face.
    """
    kind = _imported(module, name, sources)
    homes, notes, seen, protocols = [], [], set[str](), set[str]()
    construction: tuple[str, ...] | None = None
    source = _source_of(kind, sources)
    for base in kind.__mro__:
        if base is not kind and is_library(base.__module__):
            notes += not_listed(base.__module__, base.__qualname__)
            continue
        own = [member for member in _members(base, sources) if member.name not in seen]
        seen |= {member.name for member in own}
        protocols |= vars(base).keys() & PROTOCOLS.keys()
        homes.append(Home(base.__module__, base.__qualname__, tuple(own)))
        if construction is None:
            construction = _construction(base, sources)
    return Wrapper(
        module=module,
        name=name,
        defined_in=kind.__module__,
        imported_from=sources.exporter(module, name, kind.__module__, kind.__qualname__),
        doc=said_first(inspect.cleandoc(kind.__doc__ or "")) if source is None else _documentation(source),
        parameters=len(getattr(kind, "__parameters__", ())),
        homes=tuple(homes),
        notes=tuple(notes),
        construction=construction or (),
        protocols=tuple(each for each in PROTOCOLS if each in protocols),
    )


def _imported(module_name: str, name: str, sources: Sources) -> type:
    module = _module(module_name, sources)
    found: Any = module
    for each in name.split("."):
        found = getattr(found, each, None)
    if inspect.isfunction(found):
        raise a_function(module_name, name)
    if not inspect.isclass(found):
        classes = [each for each, value in vars(module).items() if inspect.isclass(value)]
        raise no_such_class(module_name, name, classes)
    if issubclass(found, smtplib.SMTP):
        raise refused(name)
    if issubclass(found, AsyncBridge):
        raise FacadeError(f"{module_name}.{name} is a face already")
    return found


def _module(name: str, sources: Sources) -> Any:
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in sources.folders if str(folder) not in before]
    importlib.invalidate_caches()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a face may be on its way to stdout
            return importlib.import_module(name)
    except SyntaxError as error:
        raise _failed(name, error, is_readable=_file_of(error) != str(sources.find(name))) from error
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise FacadeError(f"there is no module {error.name!r}; looked in {looked_in(sources.folders)}") from error
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error
    finally:
        sys.path[:] = before


def _failed(name: str, error: BaseException, *, is_readable: bool = True) -> FacadeError:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    said = "\n    ".join(f"{type(error).__name__}: {message}".strip(": \n").splitlines())
    between = "\n" if "\n" in said else "; "
    advice = f"{between}with --static it is read without being imported" if is_readable else ""
    return FacadeError(f"importing {name} failed at {_place(error)}: {said}{advice}")


def _file_of(error: SyntaxError) -> str | None:
    return error.filename if error.filename and not error.filename.startswith("<") else None


def _place(error: BaseException) -> str:
    """Return the line that importing failed at: the innermost one that is the user's own."""
    if isinstance(error, SyntaxError) and _file_of(error) is not None:
        return f"{error.filename}:{error.lineno}"
    installed = tuple(sysconfig.get_paths()[each] + os.sep for each in ("stdlib", "platstdlib", "purelib", "platlib"))
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith("<")]
    own = [each for each in frames if not each.filename.startswith((*installed, _HERE))]
    innermost = (own or frames)[-1]
    return f"{innermost.filename}:{innermost.lineno}"


def _source_of(kind: type, sources: Sources) -> ClassSource | None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None or not file.endswith(".py") or "<" in kind.__qualname__:
        return None
    try:
        if sources.module(kind.__module__, Path(file)) is None:
            return None
        return sources.find_class(kind.__module__, kind.__qualname__)
    except FacadeError:  # it was imported, whatever its source looks like now
        return None


def _documentation(source: ClassSource) -> str:
    first = source.node.body[0]
    doc = first.value if isinstance(first, ast.Expr) else None
    text = doc.value if isinstance(doc, ast.Constant) and isinstance(doc.value, str) else None
    return said_first(text)


def _construction(kind: type, sources: Sources) -> tuple[str, ...] | None:
    source = _source_of(kind, sources)
    if source is not None:
        return ClassReader(source, sources).construction()
    return () if "__init__" in vars(kind) else None


def _members(kind: type, sources: Sources) -> Iterator[Member]:
    """Give the public members of a class itself, in the order of its source."""
    source = _source_of(kind, sources)
    reader = None if source is None else ClassReader(source, sources)
    written = {} if reader is None else reader.members()
    told = {*written, *(() if reader is None else reader.passed_on)}
    living = vars(kind)
    for name, member in written.items():
        if name not in living:
            if member.kind is Kind.ATTRIBUTE and (member.annotation is not None):
                yield member
        elif _fits(member, living[name]):
            yield member
        else:
            yield _living(name, living[name], is_declared=True)
    for name, value in living.items():
        if name not in told and not name.startswith("_") and name.isidentifier() and not keyword.iskeyword(name):
            yield _living(name, value, is_declared=source is None)


def _fits(member: Member, value: Any) -> bool:
    """Whether a member is what its source says that it is."""
    if member.kind is Kind.ATTRIBUTE:
        return is_async(value) or is_generator(value) or not isinstance(value, property)
    if member.kind is Kind.PROPERTY:
        return isinstance(value, (property, functools.cached_property))
    if member.kind is Kind.CLASS:
        return inspect.isclass(value)
    if member.kind is Kind.METHOD:
        return not isinstance(value, (property, staticmethod, classmethod)) and not is_async(value)
    return isinstance(value, (staticmethod, classmethod))


def _living(name: str, value: Any, *, is_declared: bool) -> Member:
    """Look at a member that the source does not tell.

    Args:
        name: Its name.
        value: What the class has.
        is_declared: Whether type checkers know of it.
    """
    doc = said_first(inspect.cleandoc(getattr(value, "__doc__", None) or ""))
    added = () if is_declared else ("not in the source of the class: added when the program runs",)
    if inspect.isclass(value):
        return Member(name, Kind.CLASS if is_declared else Kind.ATTRIBUTE, doc, ANY, added)
    if isinstance(value, (property, functools.cached_property)):
        return Member(name, Kind.PROPERTY if is_declared else Kind.ATTRIBUTE, doc, ANY, added or ("not annotated",))
    if not is_function(value) and not isinstance(value, (staticmethod, classmethod, functools.partialmethod)):
        return Member(name, Kind.ATTRIBUTE, "", ANY, added or ("not annotated",))
    if is_async(value) or not is_declared:
        made = _awaited(value)
        return Member(name, Kind.ATTRIBUTE, doc, made, added or (ASYNC_ALREADY,))
    plain = plain_function(value)
    notes = (NOT_ANNOTATED,) if plain is not None and not plain.__annotations__ else ()
    kind = Kind.FUNCTION if isinstance(value, (staticmethod, classmethod)) else Kind.METHOD
    return Member(name, kind, doc, notes=notes)


def _awaited(value: Any) -> ast.expr:
    """Return the type of a function that is declared by its type."""
    plain = plain_function(value)
    if is_generator(value) or inspect.isasyncgenfunction(plain):
        made = members.an_async_generator(ANY)
    elif makes_context_managers(value) or (is_async(value) and not inspect.iscoroutinefunction(plain)):
        made = members.an_async_context_manager(ANY)
    else:
        made = members.an_awaitable(ANY)
    return members.a_function_that_returns(made)
