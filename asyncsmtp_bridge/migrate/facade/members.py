"""Members: what a face is to have, as data.

Owns what is known of a wrapper class and of each public member of it. It knows neither how that is found out, from the
source or from the class itself, nor what is written for it.

Names in annotations are references, not spellings: what a module calls ``D`` is ``decimal:Decimal`` here, in the ``id``
of an `ast.Name`. How it is spelled is the face's own business.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass


class FacadeError(Exception):
    """A face cannot be written; the message says why, and what to do."""


class Kind(enum.Enum):
    """What stands in the face for a member."""

    METHOD = "async_method(...)"
    """A method that blocks."""
    FACTORY = "async_method.factory(...)"
    """A class method that gives an object of the class."""
    FUNCTION = "staticmethod(bridge(...))"
    """A static method, or a class method that gives something else."""
    PROPERTY = "a property"
    """An annotation; or, where reading it blocks, as a method."""
    ATTRIBUTE = "an annotation"
    """Declared by its type only: read and written through."""
    CLASS = "the class itself"
    """A class in the class."""


@dataclass(frozen=True)
class Member:
    """A public member of a wrapper.

    Args:
        name: Its name.
        kind: What stands in the face for it.
        doc: What its docstring says first.
        annotation: Its type, for properties and attributes.
        notes: What cannot be typed, and why.
        blocks: It is a property, and reading it talks to the server.
        is_cached: It is a property that keeps what it has read, which type checkers know more of.
        is_abstract: Subclasses are to define it.
        minded: What mypy minds in the declaration, as the codes of its errors.
        gives: The class of what it gives, where that blocks, with its module; `ITSELF` for the wrapper's.
        known_as: What to declare it by, where type checkers mind its own name.
    """

    name: str
    kind: Kind
    doc: str = ""
    annotation: ast.expr | None = None
    notes: tuple[str, ...] = ()
    blocks: bool = False
    is_cached: bool = False
    is_abstract: bool = False
    minded: tuple[str, ...] = ()
    gives: str = ""
    known_as: str = ""


@dataclass(frozen=True)
class Home:
    """A class that has members, the wrapper itself or one of its bases.

    Args:
        module: Where it is defined.
        name: Its qualified name.
        members: Its public members, without those that a class before it overrides.
    """

    module: str
    name: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Wrapper:
    """What is known of a wrapper class.

    Args:
        module: Where it was asked for.
        name: Its qualified name.
        defined_in: The module that has its definition.
        imported_from: The module to import it from.
        doc: What its docstring says first.
        parameters: How many type variables it has.
        homes: It and its bases, in the order in which Python looks into them.
        notes: What could not be looked into.
        construction: What cannot be typed when it is made.
        protocols: Which of `PROTOCOLS` it has.
    """

    module: str
    name: str
    defined_in: str
    imported_from: str
    doc: str
    parameters: int
    homes: tuple[Home, ...]
    notes: tuple[str, ...] = ()
    construction: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()

    @property
    def is_abstract(self) -> bool:
        """Whether none can be made of it."""
        return any(member.is_abstract for home in self.homes for member in home.members)


NOT_ANNOTATED = "not annotated: type checkers accept anything"

ITSELF = "Self"
"""The class that a member is looked up in."""

PROTOCOLS = {
    "__call__": True,
    "__len__": True,
    "__bool__": True,
    "__iter__": True,
    "__next__": False,
    "__reversed__": False,
    "__contains__": True,
    "__getitem__": False,
    "__setitem__": False,
    "__delitem__": False,
    "__aiter__": True,
    "__anext__": True,
}
"""What Python calls by itself, and a face does not have; each with whether a proxy has it."""

ASYNC_ALREADY = "async already, and awaited as it is; type checkers do not see its parameters"


def refused(name: str) -> FacadeError:
    """Return what is said of a class of sessions, for which there is a face."""
    return FacadeError(
        f"{name} is a subclass of smtplib.SMTP, and needs no face: write AsyncSMTP(..., smtp_class={name})"
    )


def reference(module: str, name: str) -> ast.expr:
    """Return the expression for something that a module has; a qualified name is looked up step by step."""
    first, *others = name.split(".")
    found: ast.expr = ast.Name(f"{module}:{first}")
    for each in others:
        found = ast.Attribute(found, each)
    return found


def subscript(value: ast.expr, *items: ast.expr) -> ast.expr:
    """Return ``value[items]``."""
    return ast.Subscript(value, items[0] if len(items) == 1 else ast.Tuple(list(items)))


ANY = reference("typing", "Any")


def a_function_that_returns(result: ast.expr) -> ast.expr:
    """Return the type of a function of which the parameters are not told."""
    return subscript(reference("collections.abc", "Callable"), ast.Constant(...), result)


def an_awaitable(result: ast.expr) -> ast.expr:
    """Return the type of what a coroutine function returns."""
    return subscript(reference("collections.abc", "Coroutine"), ANY, ANY, result)


def an_async_generator(item: ast.expr) -> ast.expr:
    """Return the type of what an async generator function returns."""
    return subscript(reference("collections.abc", "AsyncGenerator"), item, ANY)


def an_async_context_manager(entered: ast.expr) -> ast.expr:
    """Return the type of what a function made by ``asynccontextmanager`` returns."""
    return subscript(reference("contextlib", "AbstractAsyncContextManager"), entered)


def said_first(doc: str | None) -> str:
    """Return what a docstring says first, as one line."""
    paragraph = " ".join((doc or "").strip().split("\n\n")[0].split())
    if len(paragraph) <= LONGEST_DOC:
        return paragraph
    sentence, end, _ = paragraph.partition(". ")
    if end and len(sentence) < LONGEST_DOC:
        return f"{sentence}."
    return f"{paragraph[: LONGEST_DOC - 4].rpartition(' ')[0]} ..."


LONGEST_DOC = 78
