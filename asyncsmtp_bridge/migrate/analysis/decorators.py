"""Decorators: what they make of a function.

Owns whether what a decorated function's name stands for is awaited, whether it still runs the function itself, and what
it runs besides. Decorators of the project are read: what is looked for are the functions that they return. Others are
known by name; one that is not known is taken to change nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .program import Function, Kind, Scope
from .values import External, Method

if TYPE_CHECKING:
    from .inference import Inference

# Decorators of which the result is awaited, by the last part of their names.
_ASYNC_MAKERS = {
    "asyncify",
    "bridge",
    "run_in_executor",
    "run_in_thread",
    "run_in_threadpool",
    "sync_to_async",
    "to_thread",
}

_RETRIES = {"asyncsmtp_bridge.retry_transient", "tenacity.retry"}

HANDS_OVER = {
    "Process",
    "Thread",
    "Timer",
    "add_task",
    "apply_async",
    "enqueue",
    "run_in_executor",
    "run_in_threadpool",
    "run_sync",
    "start_new_thread",
    "submit",
    "sync_to_async",
    "to_thread",
}
"""What has a function that it is given called elsewhere, by the last part of its name."""


@dataclass(frozen=True)
class Made:
    """What decorators have made of a function.

    Args:
        is_awaited: Whether its calls are awaited, and it blocks nothing.
        wrappers: Functions that are run when it is called, the outermost first.
        runs_it: Whether it is run itself.
    """

    is_awaited: bool = False
    wrappers: tuple[Function, ...] = ()
    runs_it: bool = True


class Decorators:
    """The decorators of a program.

    Args:
        inference: What the expressions in them come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._made: dict[Function, Made] = {}

    def made_of(self, function: Function) -> Made:
        """Return what its decorators make of a function."""
        if not function.decorators:
            return _PLAIN
        if function not in self._made:
            self._made[function] = _PLAIN  # while its decorators are looked at
            self._made[function] = self._all(function)
        return self._made[function]

    def is_retried(self, function: Function) -> bool:
        """Whether a retry policy decorates it: tenacity's, or one of this package's."""
        for decorator in function.decorators:
            made_by = decorator.func if isinstance(decorator, ast.Call) else decorator
            for value in self._inference.values_of(made_by, function.outer):
                if isinstance(value, External) and value.name in _RETRIES:
                    return True
        return False

    def _all(self, function: Function) -> Made:
        wrappers: list[Function] = []
        runs_it = True
        for decorator in function.decorators:
            made = self._by(decorator, function)
            if made.is_awaited:
                return made
            if runs_it:
                wrappers += made.wrappers
            runs_it = runs_it and made.runs_it
        return Made(wrappers=tuple(wrappers), runs_it=runs_it)

    def _by(self, decorator: ast.expr, function: Function) -> Made:
        is_called = isinstance(decorator, ast.Call)
        made_by = decorator.func if isinstance(decorator, ast.Call) else decorator
        for found in sorted(self._inference.values_of(made_by, function.outer), key=_order_of):
            if isinstance(found, External) and found.last in _ASYNC_MAKERS:
                return Made(is_awaited=True)
            value = found.function if isinstance(found, Method) and found.function is not None else found
            if isinstance(value, Function):
                if value.is_decorated("contextmanager"):
                    return Made(wrappers=(value,))
                return _made_by(value, function, is_called=is_called)
            if isinstance(value, Kind) and not is_called:
                called = self._inference.classes.functions(value, "__call__")
                return Made(wrappers=tuple(each for each in called if not each.is_async))
        return _PLAIN


_PLAIN = Made()


def _order_of(value: object) -> tuple[str, str, int]:
    line = getattr(getattr(value, "node", None), "lineno", 0)
    return type(value).__name__, str(getattr(value, "name", "")), line


def _made_by(decorator: Function, function: Function, *, is_called: bool) -> Made:
    found = list(_wrappers(decorator))
    if is_called:
        below = [each for inner, _ in found for each in _wrappers(inner)]
        found = below or found
    wrappers = [wrapper for wrapper, _ in found]
    if not wrappers:
        return _PLAIN
    if any(not each.is_async for each in wrappers):
        # One for functions and one for coroutine functions, of which this takes its own.
        found = [each for each in found if each[0].is_async == function.is_async] or found
    elif not function.is_async:
        return Made(is_awaited=True)
    sync = tuple(wrapper for wrapper, _ in found if not wrapper.is_async)
    return Made(wrappers=sync, runs_it=any(runs(wrapper, name) for wrapper, name in found))


def passed_through(function: Function) -> Iterator[str]:
    """Yield the parameters of a function that are run by what it returns: those that decorators have."""
    for wrapper, name in _wrappers(function):
        if name and not wrapper.is_async and _owner_of(name, wrapper.scope) is function and runs(wrapper, name):
            yield name


def _wrappers(decorator: Function) -> Iterator[tuple[Function, str]]:
    """Yield the functions that a decorator returns in place of the one that it is given, and what it calls that."""
    parameters = [each for each in decorator.parameters if each.arg not in ("self", "cls")]
    name = parameters[0].arg if parameters else ""
    for returned in decorator.returned:
        for node in ast.walk(returned):
            if not isinstance(node, (ast.Name, ast.Lambda)):
                continue
            for inner in _nested(decorator, node):
                if isinstance(returned, ast.Call) and returned.func is node:
                    yield from _wrappers(inner)
                else:
                    yield inner, name


def _nested(function: Function, node: ast.Name | ast.Lambda) -> Iterator[Function]:
    if isinstance(node, ast.Lambda):
        yield from (each for each in function.module.functions if each.node is node)
        return
    for bound in function.scope.bindings.get(node.id, ()):
        if bound.how == "definition" and isinstance(bound.what, Function):
            yield bound.what


def _owner_of(name: str, scope: Scope) -> Function | None:
    """Return the function that has the parameter which a name stands for."""
    where: Scope | None = scope
    while where is not None and name not in where.bindings:
        where = where.around()
    if where is None or not isinstance(where.holder, Function):
        return None
    return where.holder if any(each.how == "parameter" for each in where.bindings[name]) else None


def runs(function: Function, name: str) -> bool:
    """Whether a function runs what a name in it stands for: it calls it, or gives it away, but to a thread."""
    node = function.node
    return _runs([node.body] if isinstance(node, ast.Lambda) else node.body, {name})


def _runs(body: Sequence[ast.AST], names: set[str]) -> bool:
    nodes, inner = [], []
    waiting = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner.append(node)
            continue
        nodes.append(node)
        below = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            below = []  # something about it: its name
        elif isinstance(node, ast.Call) and last_name(node.func) in HANDS_OVER:
            below = [each for each in below if not _is_function(each)]
        waiting += below
    names = names | {each.name for each in inner if _runs(each.body, names)}
    return any(isinstance(each, ast.Name) and each.id in names for each in nodes)


def _is_function(node: ast.AST) -> bool:
    """Whether an argument may be a function."""
    value = node.value if isinstance(node, ast.keyword) else node
    return isinstance(value, (ast.Lambda, ast.Name))


def last_name(func: ast.expr) -> str:
    """Return the last part of the name of what is called; empty: it has none."""
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
