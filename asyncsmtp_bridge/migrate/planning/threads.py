"""Threads: what keeps a function from being run in one, besides what it shares.

Owns two questions on a function and all that it calls in the project. Does it use what belongs to the thread of the
event loop, such as a task, a signal handler or a context variable? And does it change what the module keeps? On the
loop nobody gets in between; in threads others do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..analysis.inference import Inference
from ..analysis.program import Function, Module, Scope
from ..analysis.values import External

_THREADS_OWN = ("asyncio.", "contextvars.", "signal.", "sqlite3.", "threading.local")
_ANYWHERE = {"asyncio.run", "asyncio.iscoroutinefunction", "asyncio.run_coroutine_threadsafe", "signal.Signals"}

_CHANGES = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}


class Threads:
    """What keeps the functions of a program from running in threads.

    Args:
        inference: What the expressions of the program come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._known: dict[Function, str | None] = {}

    def objection(self, function: Function) -> str | None:
        """Return why a function is not run in a thread, as a clause; None: nothing keeps it from that."""
        if function not in self._known:
            found = (each for called in self._reached(function) for each in self._objections(called))
            self._known[function] = next(found, None)
        return self._known[function]

    def _reached(self, function: Function) -> Iterator[Function]:
        seen, waiting = {function}, [function]
        while waiting:
            current = waiting.pop()
            yield current
            for node in current.own_nodes:
                callees = self._inference.values_of(node.func, current.scope) if isinstance(node, ast.Call) else ()
                for callee in callees:
                    for called, _ in self._inference.calls.functions_of(callee):
                        if called not in seen and not called.is_async:
                            seen.add(called)
                            waiting.append(called)

    def _objections(self, function: Function) -> Iterator[str]:
        for node in ast.walk(function.node):
            if isinstance(node, ast.Global):
                yield f"it changes {node.names[0]} of its module, and in threads others would get in between"
            elif isinstance(node, ast.Call):
                yield from self._call(node, function)
            elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                yield from self._change(node.value, function)

    def _call(self, call: ast.Call, function: Function) -> Iterator[str]:
        for value in self._inference.values_of(call.func, function.scope):
            if isinstance(value, External) and value.name.startswith(_THREADS_OWN) and value.name not in _ANYWHERE:
                yield f"it calls {value.name}(), which belongs to the thread of the event loop"
        if not isinstance(call.func, ast.Attribute):
            return
        maker = self._maker(call.func.value, function)
        if maker.startswith(_THREADS_OWN):
            yield f"it uses {ast.unparse(call.func.value)}, which belongs to the thread of the event loop ({maker})"
        if call.func.attr in _CHANGES:
            yield from self._change(call.func.value, function)

    def _change(self, changed: ast.expr, function: Function) -> Iterator[str]:
        """Yield that a collection of the module's is changed."""
        made = self._bound_in_module(changed, function)
        if any(isinstance(each, (ast.Dict, ast.List, ast.Set, ast.Call)) for each in made):
            text = ast.unparse(changed)
            yield f"it changes {text} of its module, and in threads others would get in between"

    def _maker(self, used: ast.expr, function: Function) -> str:
        """Return the name of what made something that the module keeps; empty: that is not known."""
        for made in self._bound_in_module(used, function):
            if isinstance(made, ast.Call):
                for value in self._inference.values_of(made.func, function.module.scope):
                    if isinstance(value, External):
                        return value.name
        return ""

    def _bound_in_module(self, used: ast.expr, function: Function) -> list[ast.expr]:
        """Return the expressions that a module binds the name to which is used."""
        if isinstance(used, ast.Attribute):
            homes = self._inference.values_of(used.value, function.scope)
            scopes = [each.scope for each in homes if isinstance(each, Module)]
            name = used.attr
        elif isinstance(used, ast.Name):
            where: Scope | None = function.scope
            while where is not None and used.id not in where.bindings:
                where = where.around()
            scopes = [] if where is None or where.holder is not None else [where]
            name = used.id
        else:
            return []
        bound = [each for scope in scopes for each in scope.bindings.get(name, ())]
        return [each.what for each in bound if each.how == "value" and isinstance(each.what, ast.expr)]
