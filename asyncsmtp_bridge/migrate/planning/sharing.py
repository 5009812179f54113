"""Sharing: what a function uses that others use, too.

Owns which functions use a session that outlives their call, or an object that keeps one or changes while it sends, and
that the next call meets. On an event loop one call comes after the other; in threads they run side by side, on one
connection. Where objects are kept is told by `asyncsmtp_bridge.migrate.planning.origins`. It edits nothing.

A method's own object is not shared: when it is bridged, its methods take turns. A function that uses the same object
has no turn among them. What is done under a lock is safe, in the function or in one that it is called by.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from ..analysis.blocking import Blocking, Step
from ..analysis.inference import Inference
from ..analysis.program import Function, Kind
from ..analysis.values import Instance, Manager, Method, Value, Values
from .origins import Origins, Run, first, first_parameter, order_of, receiver_of


class Sharing:
    """What the functions of a program share.

    Args:
        inference: What the expressions of the program come to.
        blocking: Which of them come to a server.
    """

    def __init__(self, inference: Inference, blocking: Blocking) -> None:
        self._inference = inference
        self._blocking = blocking
        self._origins = Origins(inference)
        self._known: dict[Function, str | None] = {}
        self._steps: dict[Function, list[Step]] = {}
        self._seen: set[object] = set()

    def of(self, function: Function) -> str | None:
        """Return what a function uses that other calls use, as source; None: nothing.

        Args:
            function: The function: what it calls is looked into, too.
        """
        if function not in self._known:
            self._seen = set()
            self._known[function] = self._in_run(function, {}, None) or self._kept_by(function)
        return self._known[function]

    def _kept_by(self, function: Function) -> str | None:
        """Return what a function gives and keeps: of two calls side by side each would make one."""
        if not self._blocks(self._inference.calls.returned_by(function)):
            return None
        return self._origins.cached(function) or self._origins.of_result(Run(function))

    def _blocks(self, values: Values) -> bool:
        for value in values:
            if isinstance(value, Manager) and self._blocks(value.values):
                return True
            if isinstance(value, Instance) and any(map(self._is_blocking, self._inference.classes.lineage(value.kind))):
                return True
        return False

    def _is_blocking(self, kind: Kind) -> bool:
        functions = kind.module.functions if kind.module is not None else ()
        return (
            bool(kind.session) or kind.is_named or any(self._steps_of(each) for each in functions if each.kind is kind)
        )

    def _steps_of(self, function: Function) -> list[Step]:
        if function not in self._steps:
            self._steps[function] = [] if function.is_async else list(self._blocking.steps(function))
        return self._steps[function]

    # What is called.

    def _in_run(self, function: Function, given: Mapping[str, str | None], caller: Run | None) -> str | None:
        """Return what a call of a function uses that is shared, its decorators included."""
        wrappers = self._inference.decorators.made_of(function).wrappers
        runs = [Run(each, {}, caller) for each in wrappers]
        if not any(map(self._origins.guards, wrappers)):
            runs.append(Run(function, given, caller))
        return first(map(self._in_body, runs))

    def _in_body(self, run: Run) -> str | None:
        if run.is_too_deep or run.key in self._seen:
            return None
        self._seen.add(run.key)
        guarded = self._origins.guarded(run.function)
        steps = (step for step in self._steps_of(run.function) if step.node not in guarded)
        return first(self._in_step(step, run) for step in steps) or self._changed(run, guarded)

    @staticmethod
    def _changed(run: Run, guarded: set[ast.AST]) -> str | None:
        """Return the shared object that a method is called on, if it assigns to an attribute of it."""
        name = first_parameter(run.function)
        if run.function.kind is None or run.given.get(name) is None:
            return None
        for node in run.function.own_nodes:
            match node:
                case ast.Attribute(value=ast.Name(id=found), ctx=ast.Store() | ast.Del()) if found == name:
                    if node not in guarded:
                        return run.given[name]
        return None

    def _in_step(self, step: Step, run: Run) -> str | None:
        node, scope = step.node, run.function.scope
        if step.is_entered:
            entered = self._inference.values_of(node, scope)
            names = ("__enter__", "__exit__")
            methods = {each for value in entered for name in names for each in self._inference.attribute(value, name)}
            return self._called(methods, node, None, step, run)
        if isinstance(node, ast.Call):
            called = self._called(self._inference.values_of(node.func, scope), receiver_of(node.func), node, step, run)
            given = [*node.args, *(each.value for each in node.keywords)]
            return called or first(self._given(each, step, run) for each in given)
        if step.is_given or not isinstance(node, ast.Attribute):
            return self._given(node, step, run)
        if step.called is None:
            return None
        return self._in_run(step.called, {first_parameter(step.called): self._origins.of(node.value, scope, run)}, run)

    def _given(self, argument: ast.expr, step: Step, run: Run) -> str | None:
        """Return what is shared of what an argument uses, if it is one that is called."""
        values = self._inference.values_of(argument, run.function.scope)
        called = {each for each in values if isinstance(each, (Function, Method))}
        return self._called(called, receiver_of(argument), None, step, run)

    def _called(
        self, callees: Iterable[Value], receiver: ast.expr, call: ast.Call | None, step: Step, run: Run
    ) -> str | None:
        return first(self._in_call(each, receiver, call, step, run) for each in sorted(callees, key=order_of))

    def _in_call(self, callee: Value, receiver: ast.expr, call: ast.Call | None, step: Step, run: Run) -> str | None:
        scope = run.function.scope
        if isinstance(callee, Method) and (callee.function is None or step.called is None):
            if isinstance(callee.receiver, Instance):
                return self._origins.of(receiver, scope, run)
            is_given = call is not None and bool(call.args) and callee.name != "__init__"
            return self._origins.of(call.args[0], scope, run) if call is not None and is_given else None
        functions = [each for each in self._inference.calls.functions_of(callee) if not each[0].is_async]
        return first(
            self._in_run(each, self._origins.given(each, skipped, callee, receiver, call, run), run)
            for each, skipped in functions
        )
