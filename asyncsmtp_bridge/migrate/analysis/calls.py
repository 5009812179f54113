"""Calls: what calling something of the project gives, and which functions of it that runs.

Owns the results of calls, and of context managers that are entered. What leaves the project is in
`asyncsmtp_bridge.migrate.analysis.library`. It knows nothing of what blocks.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .arguments import arguments_of
from .decorators import passed_through
from .library import Library
from .program import Function, Kind, Scope
from .values import (
    NOTHING,
    Alias,
    Awaitable,
    Bridged,
    External,
    Instance,
    Maker,
    Manager,
    Method,
    Proxy,
    Several,
    Super,
    Value,
    Values,
    awaited,
    elements,
    several,
    union,
)

if TYPE_CHECKING:
    from .inference import Inference

_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")


class Calls:
    """What calls give.

    Args:
        inference: What the expressions in them come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._library = Library(inference, self)
        self._registered: dict[Function, list[Function]] = defaultdict(list)

    def know_registered(self, functions: list[Function]) -> None:
        """Take note of the functions that `functools.singledispatch` chooses from."""
        for function in functions:
            for decorator in function.decorators:
                at = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(at, ast.Attribute) and at.attr == "register":
                    for value in self._inference.values_of(at.value, function.outer):
                        if isinstance(value, Function) and value.is_decorated("singledispatch", "singledispatchmethod"):
                            self._registered[value].append(function)

    # What a call gives.

    def result(self, call: ast.Call, scope: Scope) -> Values:
        """Return what a call may give."""
        callees = self._inference.values_of(call.func, scope)
        if isinstance(call.func, ast.Name) and not callees and not self._inference.is_bound(call.func.id, scope):
            if call.func.id == "super":
                return self._super(call, scope)
            return self._library.of_builtin(call.func.id, call, scope)
        found = union(self._result(callee, call, scope) for callee in callees)
        if isinstance(call.func, ast.Attribute) and not found:
            return self._library.of_method(call.func, call, scope)
        return found

    def _super(self, call: ast.Call, scope: Scope) -> Values:
        if call.args:
            return frozenset(
                Super(each) for each in self._inference.values_of(call.args[0], scope) if isinstance(each, Kind)
            )
        where: Scope | None = scope
        while where is not None:
            if isinstance(where.holder, Function) and where.holder.kind is not None:
                return frozenset({Super(where.holder.kind)})
            where = where.outer
        return NOTHING

    def _result(self, callee: Value, call: ast.Call, scope: Scope) -> Values:
        if isinstance(callee, External):
            return self._library.of_external(callee, call, scope)
        if isinstance(callee, Alias):
            return self._inference.instances(callee.annotation, callee.scope)
        if not isinstance(callee, Function):
            return self.given_by(callee)
        # A decorator that is called like any function gives what runs what it was given.
        names = set(passed_through(callee))
        given = dict(arguments_of(callee, call, 0)) if names else {}
        return union(
            [
                self.returned_by(callee),
                *(
                    (each for each in self._inference.values_of(given[name], scope) if _is_function(each))
                    for name in names & given.keys()
                ),
            ]
        )

    def given_by(self, callee: Value) -> Values:
        """Return what calling something may give, whatever its arguments are."""
        if isinstance(callee, Kind):
            return frozenset({Instance(callee, is_exact=True)})
        if isinstance(callee, Maker):
            return callee.values
        if isinstance(callee, Bridged):
            return self._bridged(callee.callee)
        given = union(self.returned_by(function) for function, _ in self.functions_of(callee))
        if not isinstance(callee, Method) or callee.function is None or callee.function.kind is None:
            return given
        receiver = callee.receiver.kind if isinstance(callee.receiver, Instance) else callee.receiver
        return given if receiver is callee.function.kind else given | _as_of(given, callee.function.kind, receiver)

    def _bridged(self, callee: Value) -> Values:
        """Return what calling the bridge of something gives."""
        if isinstance(callee, Kind):
            return frozenset({Awaitable(frozenset({Proxy(Instance(callee, is_exact=True))}))})
        given = self.given_by(callee)
        kept = frozenset(each for each in given if isinstance(each, (Awaitable, Manager, Several)))
        others = given - kept
        return kept | (frozenset({Awaitable(others)}) if others else NOTHING)

    def returned_by(self, function: Function) -> Values:
        """Return what a call of a function may give."""
        inference, node = self._inference, function.node
        declared = NOTHING
        if not isinstance(node, ast.Lambda) and node.returns is not None:
            declared = inference.instances(node.returns, function.outer)
            if _names_self(node.returns) and function.kind is not None:
                declared = frozenset({Instance(function.kind)})
        if function.is_generator:
            given = union(elements(each) for each in declared) or union(self._yielded(function))
            if function.is_decorated("contextmanager", "asynccontextmanager"):
                return frozenset({Manager(given, function.is_async)})
            return several(given)
        values = declared or union(inference.values_of(each, function.scope) for each in function.returned)
        return frozenset({Awaitable(values)}) if function.is_async else values

    def _yielded(self, function: Function) -> Iterator[Values]:
        for expression, is_from in function.yielded:
            values = self._inference.values_of(expression, function.scope)
            yield union(map(elements, values)) if is_from else values

    def entered(self, values: Values, *, is_async: bool = False) -> Values:
        """Return what entering these context managers gives."""
        found: set[Value] = set()
        for value in values:
            if isinstance(value, (Awaitable, Manager)):
                found |= value.values
            elif isinstance(value, Instance):
                methods = self._inference.attribute(value, "__aenter__" if is_async else "__enter__")
                given = awaited(union(self.given_by(each) for each in methods))
                found |= given or {value}
            elif isinstance(value, Proxy) or (isinstance(value, External) and value.name.endswith("()")):
                found.add(value)
        return frozenset(found)

    # What a call runs.

    def functions_of(self, callee: Value) -> Iterator[tuple[Function, int]]:
        """Yield the functions that a call of this runs, and how many parameters it fills by itself."""
        if isinstance(callee, Function):
            yield callee, 0
            yield from ((each, 0) for each in self._registered.get(callee, ()))
        elif isinstance(callee, Method) and callee.function is not None:
            skipped = 0 if callee.function.is_static else 1
            yield callee.function, skipped
            yield from ((each, skipped) for each in self._registered.get(callee.function, ()))
        elif isinstance(callee, Kind):
            for name in _CONSTRUCTORS:
                yield from ((each, 1) for each in self._inference.classes.functions(callee, name))
        elif isinstance(callee, Instance):
            for method in self._inference.attribute(callee, "__call__"):
                if isinstance(method, Method) and method.function is not None:
                    yield method.function, 1

    def is_retried(self, function: Function) -> bool:
        """Whether a retry policy decorates it: tenacity's, or one of this package's."""
        return self._inference.decorators.is_retried(function)


def _is_function(value: Value) -> bool:
    return isinstance(value, (Function, Method))


def _names_self(annotation: ast.expr) -> bool:
    name = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "")
    return name == "Self" or (isinstance(annotation, ast.Constant) and annotation.value == "Self")


def _as_of(values: Values, kind: Kind, heir: Kind) -> Values:
    """Return the same values of an heir, where a method gives objects of its own class."""
    found: set[Value] = set()
    for value in values:
        if isinstance(value, Instance):
            found.add(replace(value, kind=heir) if value.kind is kind else value)
        elif isinstance(value, (Awaitable, Manager)):
            found.add(replace(value, values=_as_of(value.values, kind, heir)))
        else:
            found.add(value)
    return frozenset(found)
