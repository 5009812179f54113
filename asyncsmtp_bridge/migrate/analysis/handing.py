"""Handing: functions that are given to functions, which call them.

Owns which parameters of a function are called by it, by itself or by what it hands them on to, and what of Python's own
calls what it is given. A function that is kept in an object, and called by a method of it, is not followed.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .arguments import all_of, arguments_of
from .library import FUTURE, STACKS
from .program import Function, Scope
from .values import External

if TYPE_CHECKING:
    from .inference import Inference

Parameter = tuple[Function, str]

CALLBACKS = {
    "add_done_callback": 0,
    "add_reader": 1,
    "add_signal_handler": 1,
    "add_writer": 1,
    "call_at": 1,
    "call_later": 1,
    "call_soon": 0,
    "call_soon_threadsafe": 0,
}
"""Methods of event loops, tasks and futures that have a function called on the loop: which argument that is."""

_CALL_THEIR_FIRST = {"filter", "map"}
_CALL_THEIR_KEY = {"max", "min", "sorted"}


class Handing:
    """What is called where it was given.

    Args:
        inference: What the expressions of the program come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._called: dict[Function, set[Parameter]] = defaultdict(set)
        handed: dict[Function, list[tuple[Function, dict[Parameter, Parameter]]]] = defaultdict(list)
        for module in inference.modules:
            for function in module.functions:
                self._look(function, handed)
        waiting = list(self._called)
        while waiting:
            callee = waiting.pop()
            for caller, names in handed.get(callee, ()):
                # What a nested function calls may be a parameter of the one around it.
                new = {names.get(each, each) for each in self._called[callee] if each in names or each[0] is not callee}
                if not new <= self._called[caller]:
                    self._called[caller] |= new
                    waiting.append(caller)

    def _look(
        self, function: Function, handed: dict[Function, list[tuple[Function, dict[Parameter, Parameter]]]]
    ) -> None:
        if not _sees_parameters(function):
            return
        for call in function.own_nodes:
            if not isinstance(call, ast.Call):
                continue
            for each in self._called_by_python(call, function.scope):
                self._called[function].update(_parameters(each, function.scope))
            if call not in function.module.awaited:
                self._called[function].update(_parameters(call.func, function.scope))
            for value in self._inference.values_of(call.func, function.scope):
                for callee, skipped in self._inference.calls.functions_of(value):
                    given = arguments_of(callee, call, skipped)
                    names = {
                        (callee, name): parameter
                        for name, argument in given
                        for parameter in _parameters(argument, function.scope)
                    }
                    if names or callee.outer.holder is not None:
                        handed[callee].append((function, names))

    def given(self, call: ast.Call, scope: Scope) -> Iterator[tuple[ast.expr, Function | None]]:
        """Yield the arguments of a call that are called by what is called; and by which function, if it is known."""
        for each in self._called_by_python(call, scope):
            yield each, None
        for value in self._inference.values_of(call.func, scope):
            for function, skipped in self._inference.calls.functions_of(value):
                names = {name for owner, name in self._called.get(function, ()) if owner is function}
                if names:
                    yield from (
                        (argument, function)
                        for name, argument in arguments_of(function, call, skipped)
                        if name in names
                    )

    @staticmethod
    def is_parameter(node: ast.Name, scope: Scope) -> bool:
        """Whether a name is a parameter, of which it is told where it is given what is called."""
        for function, name in _parameters(node, scope):
            is_own = function.kind is not None and [each.arg for each in function.parameters[:1]] == [name]
            annotated = any(each.arg == name and each.annotation is not None for each in all_of(function.node.args))
            return not is_own and not annotated
        return False

    def on_the_loop(self, call: ast.Call, scope: Scope) -> Iterator[ast.expr]:
        """Yield the arguments of a call that an event loop is to call."""
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in CALLBACKS:
            return
        on_what = self._inference.values_of(func.value, scope)
        if External(FUTURE) not in on_what:  # that one calls its callbacks in its thread
            yield from call.args[CALLBACKS[func.attr] :][:1]

    def at_the_end(self, call: ast.Call, scope: Scope) -> Iterator[ast.expr]:
        """Yield the arguments of a call that a stack of contexts calls when it is left."""
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr != "callback":
            return
        if any(External(f"{each}()") in self._inference.values_of(func.value, scope) for each in STACKS):
            yield from call.args[:1]

    def _called_by_python(self, call: ast.Call, scope: Scope) -> Iterator[ast.expr]:
        func = call.func
        if isinstance(func, ast.Attribute):
            if func.attr == "sort":
                yield from (each.value for each in call.keywords if each.arg == "key")
            elif func.attr == "reduce" and External("functools.reduce") in self._inference.values_of(func, scope):
                yield from call.args[:1]
        elif isinstance(func, ast.Name):
            is_own = not self._inference.is_bound(func.id, scope)
            if is_own and func.id in _CALL_THEIR_KEY:
                yield from (each.value for each in call.keywords if each.arg == "key")
            elif (is_own and func.id in _CALL_THEIR_FIRST) or (
                not is_own and External("functools.reduce") in self._inference.values_of(func, scope)
            ):
                yield from call.args[:1]


def _sees_parameters(function: Function) -> bool:
    where: Scope | None = function.scope
    while where is not None:
        if any(each.how == "parameter" for bound in where.bindings.values() for each in bound):
            return True
        where = where.around()
    return False


def _parameters(node: ast.expr, scope: Scope) -> Iterator[Parameter]:
    """Yield the parameter that a name stands for, of a function or of one around it."""
    if not isinstance(node, ast.Name):
        return
    where: Scope | None = scope
    while where is not None and node.id not in where.bindings:
        where = where.around()
    if where is None or not isinstance(where.holder, Function):
        return
    if any(each.how == "parameter" for each in where.bindings[node.id]):
        yield where.holder, node.id
