"""A class, as its source has it: its public members.

Owns what a definition says of a member: whether it blocks, what it gives, and what type checkers will not see. Nothing
is imported. It does not know the bases of the class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from . import members
from .annotations import Annotations
from .members import ANY, ASYNC_ALREADY, NOT_ANNOTATED, PROTOCOLS, Kind, Member, said_first
from .source import FUNCTIONS, ClassSource, Function, Sources, flat, unquoted
from .syntax import (
    called,
    calls,
    documented,
    head,
    is_attribute_of,
    is_bare,
    item_of,
    pairs,
    parameters_of,
    type_of,
    yields,
)

Typing = tuple[str, ...]

_PROPERTIES = {"builtins.property", "abc.abstractproperty"}
_CACHED = {"functools.cached_property"}
_CONTEXT_MANAGER = "contextlib.contextmanager"
_ASYNC_CONTEXT_MANAGER = "contextlib.asynccontextmanager"
_BRIDGE = "asyncsmtp_bridge.bridge"
_ABSTRACT = {"abc.abstractmethod", "abc.abstractproperty"}
# Whatever they do, parameters and result stay as they are, for type checkers, too.
_TRANSPARENT = {
    *_ABSTRACT,
    _CONTEXT_MANAGER,
    "builtins.classmethod",
    "builtins.staticmethod",
    "typing.final",
    "typing.override",
    "typing_extensions.deprecated",
    "typing_extensions.final",
    "typing_extensions.override",
    "warnings.deprecated",
    "tenacity.retry",
    "asyncsmtp_bridge.retry_transient",
}
_ITERATORS = {"Iterator", "Generator"}
_PARTS = {"setter", "getter", "deleter"}
# Of smtplib's sessions: what waits for the server.
_TALKS = {
    *("auth", "connect", "data", "docmd", "ehlo", "ehlo_or_helo_if_needed", "expn", "getreply", "helo", "login"),
    *("mail", "noop", "putcmd", "quit", "rcpt", "rset", "send", "send_message", "sendmail", "starttls", "verify"),
    "vrfy",
}


class ClassReader:
    """Reads the definition of a class.

    Args:
        source: The definition.
        sources: Where other modules are found.
    """

    def __init__(self, source: ClassSource, sources: Sources) -> None:
        self._source = source
        self._types = Annotations(source, sources)
        self._functions: dict[str, Function] = {}
        self._overloads: dict[str, Function] = {}
        self._last = {each.name: each for each in flat(source.node.body) if isinstance(each, FUNCTIONS)}
        self.passed_on: set[str] = set()
        """What goes to the constructor of a dataclass, and is no attribute."""

    @property
    def parameters(self) -> int:
        """How many type variables the class has."""
        return self._types.parameters()

    def members(self) -> dict[str, Member]:
        """Return the public members by name, in the order of the source."""
        found: dict[str, Member] = {}
        for statement, doc in documented(self._source.node.body):
            for member in self._declared(statement, doc):
                found[member.name] = member
        for name in ("__init__", "__post_init__"):
            if name in self._functions:
                for member in self._assigned(self._functions[name]):
                    found.setdefault(member.name, member)
        return {name: member for name, member in found.items() if not name.startswith("_")}

    def construction(self) -> tuple[str, ...] | None:
        """Return what cannot be typed when an object is made; None if the class leaves that to its bases."""
        for statement in flat(self._source.node.body):
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                return (NOT_ANNOTATED,) if is_bare(statement) and parameters_of(statement)[1:] else ()
        return None

    def protocols(self) -> set[str]:
        """Return which of `PROTOCOLS` the class itself has."""
        named = set(self._last)
        for statement in flat(self._source.node.body):
            named |= {target.id for target, _ in pairs(statement) if isinstance(target, ast.Name)}
        return named & PROTOCOLS.keys()

    def _name_of(self, expression: ast.expr) -> str:
        origin = self._source.module.origin(expression)
        return "" if origin is None else ".".join(origin)

    # What stands in the body of the class.

    def _declared(self, statement: ast.stmt, doc: str) -> Iterator[Member]:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from self._defined(statement)
        elif isinstance(statement, ast.ClassDef):
            yield Member(statement.name, Kind.CLASS, said_first(ast.get_docstring(statement)))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if head(statement.annotation) == "InitVar":
                self.passed_on.add(statement.target.id)
            else:
                yield self._attribute(statement.target.id, statement.annotation, statement.value, doc)
        elif isinstance(statement, ast.Assign):
            for target, value in pairs(statement):
                if isinstance(target, ast.Name):
                    yield from self._given(target.id, value, doc)

    def _given(self, name: str, value: ast.expr | None, doc: str) -> Iterator[Member]:
        """Read ``verify = check``, ``status = property(get_status)``, or a value."""
        if isinstance(value, ast.Name) and value.id in self._functions:
            yield from (self._renamed(name, value.id, each) for each in self._defined(self._functions[value.id]))
        elif isinstance(value, ast.Lambda):
            yield Member(name, Kind.METHOD, doc, notes=(NOT_ANNOTATED,))
        elif not isinstance(value, ast.Call):
            yield self._attribute(name, None, value, doc)
        elif self._name_of(value.func) == "functools.partialmethod":
            yield Member(name, Kind.METHOD, doc)
        elif self._name_of(value.func) == "builtins.property" and value.args:
            getter = self._functions.get(value.args[0].id) if isinstance(value.args[0], ast.Name) else None
            yield self._property(name, getter, is_cached=False)
        else:
            yield self._attribute(name, None, value, doc)

    def _renamed(self, name: str, before: str, member: Member) -> Member:
        # mypy takes other names of functions for attributes of objects, whose type depends on the type variables.
        is_ambiguous = self.parameters and not before.startswith("__")
        is_still_there = self._last.get(before) is self._functions[before]
        return replace(member, name=name, known_as=before if is_ambiguous and is_still_there else "")

    def _attribute(self, name: str, annotation: ast.expr | None, value: ast.expr | None, doc: str) -> Member:
        taken = self._types.taken_over(annotation)
        gives = self._types.given(annotation)
        note = _not_taken_over(annotation)
        if taken is None and (annotation is None or self._types.qualifier(annotation)):
            taken, note = type_of(value), "not annotated"
            gives = self._types.given(value.func) if isinstance(value, ast.Call) else ""
        return Member(name, Kind.ATTRIBUTE, doc, taken or ANY, () if taken else (note,), gives=gives)

    # Functions.

    def _defined(self, function: Function) -> Iterator[Member]:
        self._functions[function.name] = function
        decorators = {self._name_of(called(each)): each for each in function.decorator_list}
        if {"typing.overload", "typing_extensions.overload"} & decorators.keys():
            self._overloads.setdefault(function.name, function)
            return
        if any(isinstance(each, ast.Attribute) and each.attr in _PARTS for each in function.decorator_list):
            return  # the property is there already
        if (_PROPERTIES | _CACHED) & decorators.keys():
            yield self._property(function.name, function, is_cached=bool(_CACHED & decorators.keys()))
            return
        doc = said_first(ast.get_docstring(function))
        is_abstract = bool(_ABSTRACT & decorators.keys())
        notes = tuple(
            f"decorated by @{ast.unparse(called(each))}: type checkers see what that makes of it"
            for name, each in decorators.items()
            if name not in _TRANSPARENT | {_ASYNC_CONTEXT_MANAGER, _BRIDGE}
        )
        gives = self._types.given(function.returns, _self_type(function))
        is_static = "builtins.staticmethod" in decorators
        if is_static or "builtins.classmethod" in decorators:
            makes = not is_static and self._makes_one(function)
            typing = self._typing_notes(function, decorators)
            kind = Kind.FACTORY if makes else Kind.FUNCTION
            gives = "" if makes else gives
            yield Member(function.name, kind, doc, None, notes + typing, is_abstract=is_abstract, gives=gives)
            return
        annotation, typing = self._as_it_is_awaited(function, decorators)
        kind = Kind.METHOD if annotation is None else Kind.ATTRIBUTE
        is_seen = kind is Kind.METHOD and not notes
        minded = self._minded(self._overloads.get(function.name, function)) if is_seen else {}
        notes += (*typing, *minded.values())
        codes = tuple(minded)
        yield Member(function.name, kind, doc, annotation, notes, is_abstract=is_abstract, minded=codes, gives=gives)

    def _minded(self, function: Function) -> dict[str, str]:
        """Return what mypy minds, as the codes of its errors, each with what is to be said of it."""
        arguments, minded = function.args, {}
        takes_anything = arguments.vararg is not None and not (
            _is_typed(arguments.vararg) or _is_typed(arguments.kwarg)
        )
        is_open = arguments.kwarg is not None and head(arguments.kwarg.annotation) != "Unpack"
        if is_open and arguments.args and not takes_anything:
            minded["arg-type"] = "mypy: a 'self' could be among the keywords, too"
        if parameters_of(function) and self._types.variables(function):
            minded["var-annotated"] = "mypy sees Any in place of its type variables"
        return minded

    def _typing_notes(self, function: Function, decorators: dict[str, ast.expr]) -> Typing:
        if function.name in self._overloads:
            return ("overloads: type checkers see the first only",)
        return (NOT_ANNOTATED,) if is_bare(function) and _CONTEXT_MANAGER not in decorators else ()

    def _as_it_is_awaited(self, function: Function, decorators: dict[str, ast.expr]) -> tuple[ast.expr | None, Typing]:
        """Return the type to declare a method by, where async_method cannot tell it, and what that does not say."""
        result = self._types.taken_over(function.returns, function) or ANY
        item = item_of(function.returns, result)
        if _ASYNC_CONTEXT_MANAGER in decorators or {_BRIDGE, _CONTEXT_MANAGER} <= decorators.keys():
            made = members.an_async_context_manager(item or ANY)
        elif isinstance(function, ast.AsyncFunctionDef):
            made = result if yields(function) else members.an_awaitable(result)
            if yields(function) and result is ANY:
                made = members.an_async_generator(ANY)
        elif _BRIDGE in decorators:
            made = members.an_async_generator(item or ANY) if yields(function) else members.an_awaitable(result)
        elif _CONTEXT_MANAGER in decorators:
            return None, self._typing_notes(function, decorators)
        else:
            return self._of_a_blocking_one(function, decorators, result, item)
        return members.a_function_that_returns(made), (ASYNC_ALREADY,)

    def _of_a_blocking_one(
        self, function: Function, decorators: dict[str, ast.expr], result: ast.expr, item: ast.expr | None
    ) -> tuple[ast.expr | None, Typing]:
        named = head(function.returns)
        if yields(function) and named not in _ITERATORS:
            note = "a generator" if named else "a generator, not annotated"
            made = members.an_async_generator(item or ANY)
            return members.a_function_that_returns(made), (f"{note}: type checkers do not see its parameters",)
        if not yields(function) and named in _ITERATORS and not decorators:
            made = members.an_awaitable(result)
            note = "returns an iterator, and is no generator: type checkers do not see its parameters"
            return members.a_function_that_returns(made), (note,)
        return None, self._typing_notes(function, decorators)

    def _property(self, name: str, getter: Function | None, *, is_cached: bool) -> Member:
        returns = None if getter is None else getter.returns
        taken = self._types.taken_over(returns, getter)
        notes: Typing = ()
        if taken is None:
            notes = ("not annotated",) if returns is None else (_not_taken_over(returns),)
        doc = "" if getter is None else said_first(ast.get_docstring(getter))
        blocks = getter is not None and any(self._talks(node) for node in ast.walk(getter))
        is_abstract = getter is not None and any(self._name_of(each) in _ABSTRACT for each in getter.decorator_list)
        gives = "" if getter is None else self._types.given(returns, _self_type(getter))
        return Member(name, Kind.PROPERTY, doc, taken or ANY, notes, blocks, is_cached, is_abstract, gives=gives)

    def _talks(self, node: ast.AST) -> bool:
        """Whether it is a call of smtplib's, or of what a session has and waits for the server."""
        if not isinstance(node, ast.Call):
            return False
        if self._name_of(node.func).startswith("smtplib."):
            return True
        method = node.func
        return (
            isinstance(method, ast.Attribute)
            and method.attr in _TALKS
            and isinstance(method.value, ast.Attribute)
            and isinstance(method.value.value, ast.Name)
            and method.value.value.id == "self"
        )

    def _makes_one(self, function: Function) -> bool:
        """Whether a class method gives an object of its class."""
        cls = next(iter(parameters_of(function)), None)
        if cls is None:
            return False
        if function.returns is not None:
            return self._is_own_type(function.returns, cls)
        made = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and calls(node.value, cls.arg)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        return any(calls(value, cls.arg) or (isinstance(value, ast.Name) and value.id in made) for value in returned)

    def _is_own_type(self, annotation: ast.expr, cls: ast.arg) -> bool:
        returns = unquoted(annotation)
        if returns is None:
            return False
        if isinstance(cls.annotation, ast.Subscript) and head(cls.annotation) in ("type", "Type"):
            return ast.unparse(cls.annotation.slice).strip("'") == ast.unparse(returns)
        if isinstance(returns, ast.Subscript):  # of a generic class
            returns = returns.value
        own = f"{self._source.module.name}.{self._source.name}"
        return self._name_of(returns) in (own, "typing.Self", "typing_extensions.Self")

    # What the constructor gives to the object.

    def _assigned(self, function: Function) -> Iterator[Member]:
        parameters = parameters_of(function)
        if not parameters:
            return
        types = {each.arg: each.annotation for each in parameters}
        for statement, doc in documented(function.body):
            for target, value in pairs(statement):
                annotation = types.get(value.id) if isinstance(value, ast.Name) else None
                if isinstance(statement, ast.AnnAssign):
                    annotation = statement.annotation
                if isinstance(target, ast.Attribute) and is_attribute_of(target, parameters[0].arg):
                    yield self._attribute(target.attr, annotation, value, doc)


def _self_type(function: Function) -> ast.expr | None:
    first = next(iter(parameters_of(function)), None)
    return None if first is None else unquoted(first.annotation)


def _is_typed(parameter: ast.arg | None) -> bool:
    return parameter is not None and parameter.annotation is not None and head(parameter.annotation) != "Any"


def _not_taken_over(annotation: ast.expr | None) -> str:
    text = "" if annotation is None else " ".join(ast.unparse(annotation).split())
    return f"annotated {text}, which means nothing here" if len(text) < 50 else "its annotation means nothing here"
