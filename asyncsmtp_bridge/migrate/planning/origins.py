"""Origins: where an object comes from, and whether it is kept where others meet it.

Owns the ways by which an object outlives the call that uses it: a name of a module, a class, a collection there, a
default argument, a closure, `functools.cache`; and what is done under a lock. It knows nothing of what blocks.

What a function makes, or takes out of a collection, is its own. A parameter is its caller's. An attribute of ``self``
is its object's, unless something that is kept was put there. What `threading.local` keeps is its thread's.

A lock is what a ``with`` enters that has ``lock`` or ``mutex`` in a name of its expression. Nothing is known of locks
that are acquired and released by calls.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..analysis.arguments import arguments_of, default_of
from ..analysis.decorators import last_name
from ..analysis.inference import Inference
from ..analysis.program import Bound, Function, Kind, Module, Scope
from ..analysis.values import External, Instance, Manager, Method, Several, Value
from .places import is_lock

_DEEPEST = 40
"""Calls in calls that are followed: further down, nothing is shared."""

_CACHES = {"cache", "lru_cache"}
_TAKE_OUT = {"get_nowait", "pop", "popitem", "popleft"}
_COLLECTIONS = {"OrderedDict", "WeakValueDictionary", "defaultdict", "deque", "dict", "list", "set"}


@dataclass(eq=False)
class Run:
    """A call of a function, under way.

    Args:
        function: The function.
        given: The parameters that are given, and what of them is shared.
        caller: The call that it is made in.
    """

    function: Function
    given: Mapping[str, str | None] = field(default_factory=dict)
    caller: Run | None = None

    @cached_property
    def depth(self) -> int:
        """Return in how many calls it is made."""
        return 0 if self.caller is None else self.caller.depth + 1

    @property
    def is_too_deep(self) -> bool:
        """Whether it is not followed any more."""
        return self.depth > _DEEPEST

    @property
    def key(self) -> Hashable:
        """Return what tells it from a call that may come to something else."""
        holder = self.function.outer.holder
        around = self.caller.of(holder) if self.caller is not None and isinstance(holder, Function) else None
        return self.function, frozenset(self.given.items()), None if around is None else around.key

    def of(self, function: Function) -> Run | None:
        """Return the call of a function that this is, or is made in."""
        run: Run | None = self
        while run is not None and run.function is not function:
            run = run.caller
        return run


class Origins:
    """Where objects come from, and are kept.

    Args:
        inference: What the expressions of the program come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._found: dict[Hashable, str | None] = {}
        self._guarded: dict[Function, set[ast.AST]] = {}

    def of(self, node: ast.expr, scope: Scope, run: Run) -> str | None:
        """Return what keeps the object that an expression comes to, where others meet it; None: nothing does."""
        key = node, scope, run.key
        if key not in self._found:
            is_first = not self._found
            self._found[key] = None  # while it is looked at
            self._found[key] = self._of(node, scope, run)
            if is_first:
                return self._forget(key)
        return self._found[key]

    def _forget(self, key: Hashable) -> str | None:
        """Return what was found, and forget the rest: parts of it were looked at while others were under way."""
        found = self._found[key]
        self._found.clear()
        return found

    def _of(self, node: ast.expr, scope: Scope, run: Run) -> str | None:
        if self._is_of_thread(node, scope):
            return None
        match node:
            case ast.Name():
                return self._of_name(node, scope, run)
            case ast.Attribute():
                return self._of_attribute(node, scope, run)
            case ast.Call():
                return self._of_call(node, scope, run)
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.of(value, scope, run)
            case ast.IfExp(body=body, orelse=other):
                return self.of(body, scope, run) or self.of(other, scope, run)
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return first(self.of(each, scope, run) for each in parts)
            case ast.Dict(values=parts):
                return first(self.of(each, scope, run) for each in parts)
        return None

    def _is_of_thread(self, node: ast.expr, scope: Scope) -> bool:
        if isinstance(node, ast.Name):
            home = _home_of(node.id, scope.module.scopes.get(node, scope))
            for each in home.bindings[node.id] if home is not None else ():
                if isinstance(each.what, ast.Call) and External("threading.local") in self._inference.values_of(
                    each.what.func, each.scope
                ):
                    return True
        values = self._inference.values_of(node, scope)
        return any(isinstance(each, Instance) and self._is_local(each.kind) for each in values)

    def _is_local(self, kind: Kind) -> bool:
        return self._inference.classes.is_derived_from(kind, "local")

    # Names.

    def _of_name(self, node: ast.Name, scope: Scope, run: Run) -> str | None:
        home = _home_of(node.id, scope.module.scopes.get(node, scope))
        if home is not None and isinstance(home.holder, Kind):
            return f"{home.holder.name}.{node.id}"
        holder = None if home is None else _function_of(home)
        if home is None or holder is None:
            values = self._inference.values_of(node, scope)
            return (
                node.id if (home or values) and not any(isinstance(each, (Kind, Module)) for each in values) else None
            )
        own = run.of(holder)
        if own is None:  # it has ended: what is left of it is the closure
            return node.id
        return first(self._of_bound(each, own) for each in home.bindings[node.id])

    def _of_bound(self, bound: Bound, run: Run) -> str | None:
        match bound.how:
            case "value" | "entered" | "element":
                return self.of(bound.what, bound.scope, run)
            case "item":
                return self._of_bound(bound.what, run)
            case "part":
                return self._of_bound(bound.what[0], run)
            case "parameter":
                return self._of_parameter(bound.what, bound.name, run)
        return None

    def _of_parameter(self, function: Function, name: str, run: Run) -> str | None:
        if name in run.given:
            return run.given[name]
        default = default_of(function.node.args, name)
        return name if default is not None and self._holds(default, function.outer) else None

    def _holds(self, node: ast.expr, scope: Scope) -> bool:
        values = self._inference.values_of(node, scope)
        return any(isinstance(each, (Instance, Manager, Method, Several)) for each in values)

    # Attributes.

    def _of_attribute(self, node: ast.Attribute, scope: Scope, run: Run) -> str | None:
        holders = self._inference.values_of(node.value, scope)
        if any(isinstance(each, Module) for each in holders):
            return ast.unparse(node)
        for each in holders:
            if isinstance(each, Kind):
                return f"{each.name}.{node.attr}"
        instances = [each for each in holders if isinstance(each, Instance)]
        shared = self.of(node.value, scope, run)
        if shared is not None:
            return shared if instances else ast.unparse(node)
        return first(self._of_member(each, node.attr, run) for each in instances)

    def _of_member(self, value: Instance, name: str, run: Run) -> str | None:
        for function in self._inference.classes.properties(value, name):
            if not function.is_decorated("cached_property"):
                return self.of_result(Run(function, {}, run))
        lineage = self._inference.classes.lineage(value.kind)
        assigned = [bound for each in lineage for bound in (*each.attributes.get(name, ()), *each.given.get(name, ()))]
        for kind in lineage:
            for bound in kind.scope.bindings.get(name, ()) if kind.scope is not None else ():
                if bound.how == "value" and self._is_kept(bound, is_alone=not assigned):
                    return f"{kind.name}.{name}"
        for bound in assigned:
            setter = _function_of(bound.scope)
            if setter is not None and setter.is_class_method:
                return f"{value.kind.name}.{name}"
            what = None if setter is None else self._of_bound(bound, Run(setter))
            if what is not None:
                return what
        return None

    def _is_kept(self, bound: Bound, *, is_alone: bool) -> bool:
        """Whether what the body of a class binds is one object for all of the class's."""
        if any(isinstance(each, Instance) for each in self._inference.values_of(bound.what, bound.scope)):
            return True
        is_collection = isinstance(bound.what, ast.Call) and last_name(bound.what.func) in _COLLECTIONS
        return is_alone and (is_collection or isinstance(bound.what, (ast.Dict, ast.List, ast.Set)))

    # Calls.

    def _of_call(self, node: ast.Call, scope: Scope, run: Run) -> str | None:
        func = node.func
        callees = sorted(self._inference.values_of(func, scope), key=order_of)
        if isinstance(func, ast.Name) and func.id == "super" and not callees:
            return self._of_self(run)
        if self._is_cached(func, scope):
            return f"{ast.unparse(func)}()"
        if any(isinstance(each, Kind) for each in callees):
            return first(self._of_class(each, run) for each in callees if isinstance(each, Kind))
        functions = [(each, *of) for each in callees for of in self._inference.calls.functions_of(each)]
        if functions:
            return first(
                (f"{ast.unparse(func)}()" if self.cached(function) else None)
                or self.of_result(Run(function, self.given(function, skipped, each, receiver_of(func), node, run), run))
                for each, function, skipped in functions
            )
        if isinstance(func, ast.Attribute) and not any(isinstance(each, External) for each in callees):
            return None if _takes_out(func, node) else self.of(func.value, scope, run)
        return first(self.of(each, scope, run) for each in node.args if self._holds(each, scope))

    @staticmethod
    def _of_self(run: Run) -> str | None:
        method: Run | None = run
        while method is not None and method.function.kind is None:
            method = method.caller
        return None if method is None else method.given.get(first_parameter(method.function))

    def _of_class(self, kind: Kind, run: Run) -> str | None:
        """Return what keeps the object that calling a class gives: it may be the only one."""
        made_by = self._inference.classes.functions(kind, "__new__")
        return first(self.of_result(Run(each, {}, run)) for each in made_by)

    def of_result(self, run: Run) -> str | None:
        """Return what keeps the object that a function gives."""
        if run.is_too_deep:
            return None
        function = run.function
        guarded = self.guarded(function)
        given = [each for each, _ in function.yielded if each not in guarded] or function.returned
        return first(self.of(each, function.scope, run) for each in given)

    def given(
        self, function: Function, skipped: int, callee: Value, receiver: ast.expr, call: ast.Call | None, run: Run
    ) -> dict[str, str | None]:
        """Return which parameters of a function are given, and what of them is shared."""
        scope = run.function.scope
        arguments = arguments_of(function, call, skipped) if call is not None else ()
        found = {name: self.of(each, scope, run) for name, each in arguments}
        is_on_object = isinstance(callee, Instance) or isinstance(getattr(callee, "receiver", None), Instance)
        if skipped and is_on_object and not function.is_class_method:
            found[first_parameter(function)] = self.of(receiver, scope, run)
        return found

    def cached(self, function: Function) -> str | None:
        """Return a function as it is called, if what it gives is kept for the next call."""
        is_kept = any(_name_of(each) in _CACHES for each in function.decorators)
        return f"{function.name}()" if is_kept else None

    def _is_cached(self, func: ast.expr, scope: Scope) -> bool:
        home = _home_of(func.id, scope) if isinstance(func, ast.Name) else None
        bound = home.bindings[func.id] if home is not None and isinstance(func, ast.Name) else ()
        return any(isinstance(each.what, ast.Call) and _name_of(each.what) in _CACHES for each in bound)

    # Locks.

    def guards(self, wrapper: Function) -> bool:
        """Whether a decorator runs what it decorates while it holds a lock."""
        for node in self.guarded(wrapper):
            if isinstance(node, ast.Yield):
                return True
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                home = _home_of(node.func.id, wrapper.scope)
                if home is not None and any(each.how == "parameter" for each in home.bindings[node.func.id]):
                    return True
        return False

    def guarded(self, function: Function) -> set[ast.AST]:
        """Return the nodes of a function that are reached with a lock only."""
        if function not in self._guarded:
            found: set[ast.AST] = set()
            for node in ast.walk(function.node):
                if isinstance(node, ast.With) and any(is_lock(item.context_expr) for item in node.items):
                    found.update(each for statement in node.body for each in ast.walk(statement))
            self._guarded[function] = found
        return self._guarded[function]


def first(found: Iterable[str | None]) -> str | None:
    """Return the first that is shared."""
    return next((each for each in found if each is not None), None)


def first_parameter(function: Function) -> str:
    """Return the name of what a method is called on."""
    return function.parameters[0].arg if function.parameters else ""


def receiver_of(func: ast.expr) -> ast.expr:
    """Return what a method is taken from; of one under a name of its own, that name."""
    return func.value if isinstance(func, ast.Attribute) else func


def _name_of(decorator: ast.expr) -> str:
    """Return the last part of the name of what is called, however often."""
    while isinstance(decorator, ast.Call):
        decorator = decorator.func
    return last_name(decorator)


def _takes_out(func: ast.Attribute, call: ast.Call) -> bool:
    """Whether a method gives what nobody else finds in a collection any more: a queue's get() needs no key."""
    return func.attr in _TAKE_OUT or (func.attr == "get" and not call.args)


def _scopes(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.around()


def _home_of(name: str, scope: Scope) -> Scope | None:
    """Return the scope that has a name."""
    for each in _scopes(scope):
        if any(bound.how != "comprehension" for bound in each.bindings.get(name, ())):
            return each
    return None


def _function_of(scope: Scope) -> Function | None:
    """Return the function that a scope is of, or is in."""
    return next((each.holder for each in _scopes(scope) if isinstance(each.holder, Function)), None)


def order_of(value: Value) -> tuple[str, str, int]:
    """Return by what values are sorted, so that of several the same one is told in each run."""
    function = value.function if isinstance(value, Method) else value
    module = getattr(function, "module", None)
    return type(value).__name__, getattr(module, "name", ""), getattr(getattr(function, "node", None), "lineno", 0)
