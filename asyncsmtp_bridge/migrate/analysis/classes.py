"""Classes: where attributes come from.

Owns the order of bases, and what reading an attribute of a module, a class or an object may give. An object that is not
known to be exact may be one of a subclass, which may have its own.
"""

from __future__ import annotations

import ast
import smtplib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .program import Bound, Function, Kind, Module, Scope
from .values import (
    NOTHING,
    Alias,
    Awaitable,
    Bridged,
    External,
    Instance,
    Method,
    Proxy,
    Several,
    Super,
    Value,
    Values,
    union,
)

if TYPE_CHECKING:
    from .inference import Inference

OURS = {"send_stream"}
"""Methods that blocking sessions of this package have besides smtplib's."""

_HOOKS = 2
"""Objects that hand on to objects that hand on: so many are followed."""

_ENUMERATIONS = {"Enum", "Flag", "IntEnum", "IntFlag", "StrEnum"}


class Classes:
    """The classes of a program.

    Args:
        inference: What the expressions in them come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._lineages: dict[Kind, list[Kind]] = {}
        self._externals: dict[Kind, set[str]] = {}
        self._heirs: dict[Kind, list[Kind]] = defaultdict(list)
        self._delegated: set[tuple[Value, str]] = set()

    def know_heirs(self, kinds: Iterable[Kind]) -> None:
        """Take note of which class is derived from which."""
        for kind in kinds:
            for base in self.lineage(kind)[1:]:
                # Every class of sessions is an heir of smtplib's: an object of which no more is known is smtplib's own.
                if not base.session:
                    self._heirs[base].append(kind)

    def lineage(self, kind: Kind) -> list[Kind]:
        """Return a class and its bases, in the order in which attributes are looked up."""
        if kind in self._lineages:
            return self._lineages[kind]
        self._lineages[kind] = [kind]  # a class that is its own base is none for Python, either
        self._externals[kind] = set()
        found = [kind]
        for base in self._bases(kind):
            if isinstance(base, Kind):
                found += self.lineage(base)
                self._externals[kind] |= self._externals.get(base, set())
            elif isinstance(base, External):
                self._externals[kind].add(base.name)
        self._lineages[kind] = [each for number, each in enumerate(found) if each not in found[number + 1 :]]
        return self._lineages[kind]

    def _bases(self, kind: Kind) -> list[Value]:
        if kind.node is None or kind.scope is None or kind.scope.outer is None:
            return []
        around = kind.scope.outer
        bases = [each.value if isinstance(each, ast.Subscript) else each for each in kind.node.bases]
        return [value for each in bases for value in self._inference.values_of(each, around)]

    def session_of(self, kind: Kind) -> str:
        """Return which class of smtplib's it is, or is derived from; empty: none."""
        return next((base.session for base in self.lineage(kind) if base.session), "")

    # Attributes.

    def attribute(self, value: Value, name: str) -> Values:
        """Return what an attribute may be."""
        match value:
            case Module() | External():
                return self._inference.resolved(f"{value.name}.{name}")
            case Kind():
                return self._member(self.lineage(value), name, value)
            case Proxy():
                return self._of_proxy(value, name)
            case Function() if name == "__wrapped__":
                return frozenset({value})
            case Super():
                return self._above(value.kind, name)
            case Instance():
                found = self._member(self.lineage(value.kind), name, value)
                if not value.is_exact:
                    found |= union(self._own_member(each, name, value) for each in self._heirs.get(value.kind, ()))
                return found or self._by_hook(value, name)
        return NOTHING

    def _of_proxy(self, proxy: Proxy, name: str) -> Values:
        if name == "__wrapped__":
            return frozenset({proxy.instance})
        behind = self.attribute(proxy.instance, name)
        methods = frozenset(Bridged(each) for each in behind if isinstance(each, Method))
        others = frozenset(each for each in behind if not isinstance(each, Method))
        return methods | others | frozenset({Awaitable(others)}) if others else methods

    def _above(self, kind: Kind, name: str) -> Values:
        """Return what ``super()`` has: that of the class's bases, or of what stands behind it in another class."""
        found = self._member(self.lineage(kind)[1:], name, Instance(kind))
        if found:
            return found
        behind = [self.lineage(heir) for heir in self._heirs.get(kind, ())]
        return union(self._member(each[each.index(kind) + 1 :], name, Instance(each[0])) for each in behind)

    def _by_hook(self, value: Instance, name: str) -> Values:
        """Return what a ``__getattr__`` gives that hands on to another object."""
        if value.kind.node is None or name.startswith("__") or len(self._delegated) == _HOOKS:
            return NOTHING
        self._delegated.add((value, name))
        found: set[Value] = set()
        for function in self.functions(value.kind, "__getattr__"):
            for returned in function.returned:
                match returned:
                    case ast.Call(func=ast.Name(id="getattr"), args=[held, ast.Name(id=asked), *_]) if asked in {
                        each.arg for each in function.parameters[1:]
                    }:
                        behind = self._inference.values_of(held, function.scope)
                        found |= union(self.attribute(each, name) for each in behind)
        self._delegated.discard((value, name))
        return frozenset(found)

    def _member(self, kinds: Sequence[Kind], name: str, receiver: Instance | Kind) -> Values:
        if name == "__class__" and isinstance(receiver, Instance):
            return frozenset({receiver.kind})
        for kind in kinds:
            if kind.session and (name in OURS or callable(getattr(getattr(smtplib, kind.session), name, None))):
                return frozenset({Method(receiver, name)})
            if kind.is_named:
                return frozenset({Method(receiver, name)})
            found = self._own_member(kind, name, receiver)
            if found:
                return found
        return NOTHING

    def _own_member(self, kind: Kind, name: str, receiver: Instance | Kind) -> Values:
        found: set[Value] = set()
        for bound in kind.scope.bindings.get(name, ()) if kind.scope is not None else ():
            found |= self._in_body(kind, bound, name, receiver)
        if isinstance(receiver, Instance):
            assigned = (*kind.attributes.get(name, ()), *kind.given.get(name, ()))
            found |= self._inference.with_items(
                union(self._inference.bound(each) for each in assigned), kind.items.get(name, ())
            )
        return frozenset(found)

    def _in_body(self, kind: Kind, bound: Bound, name: str, receiver: Instance | Kind) -> Values:
        if bound.how == "definition" and isinstance(bound.what, Function):
            return self._method(bound.what, name, receiver)
        if _is_call_of(bound.what, "property") and isinstance(receiver, Instance):
            return union(self._inference.calls.returned_by(each) for each in self._getters(bound))
        values = self._inference.bound(bound)
        if bound.how != "value":
            return values
        if isinstance(receiver, Kind) and any(self.is_derived_from(kind, each) for each in _ENUMERATIONS):
            return frozenset({Instance(kind, is_exact=True)})
        if isinstance(receiver, Kind) or _is_call_of(bound.what, "staticmethod"):
            return values
        return union(self._method(each, name, receiver) if isinstance(each, Function) else {each} for each in values)

    def _method(self, function: Function, name: str, receiver: Instance | Kind) -> Values:
        made = self._inference.decorators.made_of(function)
        if made.is_awaited:
            return NOTHING
        if isinstance(receiver, Instance) and function.is_property:
            return self._inference.calls.returned_by(function)
        run = [function] if made.runs_it else made.wrappers
        if isinstance(receiver, Kind) and not function.is_class_method:
            return frozenset(run)
        return frozenset(Method(receiver, name, each) for each in run)

    # What classes have.

    def functions(self, kind: Kind, name: str) -> list[Function]:
        """Return the functions that a method's name stands for on objects of just this class."""
        found = self._member(self.lineage(kind), name, Instance(kind, is_exact=True))
        functions = {each.function for each in found if isinstance(each, Method) and each.function is not None}
        return sorted(functions, key=lambda each: each.node.lineno)

    def properties(self, value: Value, name: str) -> list[Function]:
        """Return the functions that reading this attribute calls."""
        if not isinstance(value, Instance):
            return []
        heirs = [] if value.is_exact else self._heirs.get(value.kind, [])
        first = next((each for each in self.lineage(value.kind) if _bindings(each, name)), None)
        bound = [each for kind in (*([] if first is None else [first]), *heirs) for each in _bindings(kind, name)]
        return [getter for each in bound for getter in self._getters(each)]

    def _getters(self, bound: Bound) -> list[Function]:
        if isinstance(bound.what, Function) and bound.how == "definition":
            return [bound.what] if bound.what.is_property else []
        call: Any = bound.what
        if not _is_call_of(call, "property") or not call.args:
            return []
        values = self._inference.values_of(call.args[0], bound.scope)
        return [each for each in values if isinstance(each, Function)]

    def fields(self, kind: Kind) -> list[tuple[str, ast.expr | None]]:
        """Return what is annotated in the bodies of a class and its bases, with the values that are given there."""
        nodes = [each.node for each in reversed(self.lineage(kind)) if each.node is not None]
        return [
            (statement.target.id, statement.value)
            for node in nodes
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        ]

    def part(self, value: Value, which: object) -> Values:
        """Return what a named tuple or a typed dictionary has at an index, or under a key."""
        if not isinstance(value, Instance) or value.kind.node is None:
            return NOTHING
        names = [name for name, _ in self.fields(value.kind)]
        if isinstance(which, int) and self.is_derived_from(value.kind, "NamedTuple"):
            return self.attribute(value, names[which]) if -len(names) <= which < len(names) else NOTHING
        is_dictionary = isinstance(which, str) and self.is_derived_from(value.kind, "TypedDict")
        return self.attribute(value, str(which)) if is_dictionary else NOTHING

    def is_derived_from(self, kind: Kind, external: str) -> bool:
        """Whether a class has a base that is not the project's, by the last part of its name."""
        self.lineage(kind)
        return any(each.rpartition(".")[2] == external for each in self._externals.get(kind, ()))

    # What `isinstance` says.

    def narrowed(self, values: Values, classes: ast.expr, scope: Scope, *, is_one: bool) -> Values:
        """Return which of some values are instances of classes, or are none; of unknown ones, what they are then."""
        named = self._named(classes, scope)
        kinds = [each for each in named if isinstance(each, Kind)]
        others = [each.name for each in named if isinstance(each, External)]
        mirrors = any(self._inference.mirrored(each) is not None for each in others)
        kept: set[Value] = set()
        for value in values:
            if isinstance(value, Instance):
                is_kept = self._is_one(value.kind, kinds, others)
            elif isinstance(value, Proxy):
                is_kept = mirrors
            else:
                is_kept = None
            if is_kept is None or is_kept == is_one:
                kept.add(value)
        if is_one and kinds and not any(isinstance(each, (Instance, Proxy)) for each in kept):
            return frozenset(Instance(each) for each in kinds)
        return frozenset(kept)

    def _is_one(self, kind: Kind, kinds: list[Kind], others: list[str]) -> bool | None:
        lineage = self.lineage(kind)
        if any(each in lineage for each in kinds) or self._externals.get(kind, set()) & set(others):
            return True
        is_unknown = any(each in self._heirs.get(kind, ()) for each in kinds)
        unknown_bases = {each for each in self._externals.get(kind, ()) if not each.startswith(("abc.", "typing."))}
        return None if is_unknown or (others and unknown_bases) else False

    def _named(self, classes: ast.expr, scope: Scope) -> list[Value]:
        match classes:
            case ast.Tuple(elts=parts):
                return [value for part in parts for value in self._named(part, scope)]
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return [*self._named(left, scope), *self._named(right, scope)]
        values = self._inference.values_of(classes, scope)
        found = [each for each in values if isinstance(each, (External, Kind))]
        for value in values:
            if isinstance(value, Alias):
                found += self._named(value.annotation, value.scope)
            elif isinstance(value, Several):
                found += [each for each in value.values if isinstance(each, (External, Kind))]
        return found


def _bindings(kind: Kind, name: str) -> list[Bound]:
    return [] if kind.scope is None else kind.scope.bindings.get(name, [])


def _is_call_of(node: object, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
