"""Annotations: what may be where something is annotated.

Owns the forms that annotations have. It evaluates no expression by itself.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .program import Kind, Scope
from .values import (
    NOTHING,
    Alias,
    Awaitable,
    External,
    Instance,
    Maker,
    Manager,
    Proxy,
    Value,
    Values,
    several,
    union,
)

if TYPE_CHECKING:
    from .inference import Inference

_WRAPPED = {"Annotated", "ClassVar", "Final", "InitVar", "Optional", "ReadOnly", "Required", "NotRequired"}
_AWAITED = {"Awaitable", "Coroutine", "Future", "Task"}
_MANAGERS = {"AbstractContextManager", "ContextManager"}
_ASYNC_MANAGERS = {"AbstractAsyncContextManager", "AsyncContextManager"}
_MAPPINGS = {"dict", "Dict", "DefaultDict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict"}


class Annotations:
    """What annotations stand for.

    Args:
        inference: What the names in them come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._parsed: dict[str, ast.expr | None] = {}
        self._under_way: set[ast.expr] = set()

    def instances(self, annotation: ast.expr, scope: Scope) -> Values:
        """Return what may be where something is annotated like this."""
        match annotation:
            case ast.Constant(value=str(text)):
                parsed = self._parse(text)
                return NOTHING if parsed is None else self.instances(parsed, scope)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.instances(left, scope) | self.instances(right, scope)
            case ast.Subscript(value=value, slice=inner):
                return self._generic(value, inner, scope)
            case ast.Name() | ast.Attribute():
                return union(self._instances_of(each) for each in self._inference.values_of(annotation, scope))
        return NOTHING

    def _instances_of(self, named: Value) -> Values:
        if isinstance(named, Kind):
            return frozenset({Instance(named)})
        if isinstance(named, External):
            kind = self._inference.mirrored(named.name)
            return NOTHING if kind is None else frozenset({Proxy(Instance(kind))})
        if not isinstance(named, Alias) or named.annotation in self._under_way:
            return NOTHING
        self._under_way.add(named.annotation)
        try:
            return self.instances(named.annotation, named.scope)
        finally:
            self._under_way.discard(named.annotation)

    def _parse(self, text: str) -> ast.expr | None:
        # Kept, since what expressions come to is known by their identity.
        if text not in self._parsed:
            try:
                self._parsed[text] = ast.parse(text.strip(), mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._parsed[text] = None
        return self._parsed[text]

    def _generic(self, value: ast.expr, inner: ast.expr, scope: Scope) -> Values:
        name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if not parts:
            return NOTHING
        if name == "Union" or name in _WRAPPED:
            found = union(self.instances(part, scope) for part in (parts if name == "Union" else parts[:1]))
            if name == "Annotated" and not found:
                found = union(self._inference.values_of(part, scope) for part in parts[1:])
            return found
        own = union(self._instances_of(each) for each in self._inference.values_of(value, scope))
        if own:
            return own
        if name in ("type", "Type"):
            return frozenset(each.kind for each in self.instances(parts[0], scope) if isinstance(each, Instance))
        if name == "Callable":
            given = self.instances(parts[-1], scope)
            return frozenset({Maker(given)}) if given else NOTHING
        if name in _AWAITED:
            return frozenset({Awaitable(self.instances(parts[-1], scope))})
        if name in _MANAGERS | _ASYNC_MANAGERS:
            return frozenset({Manager(self.instances(parts[0], scope), name in _ASYNC_MANAGERS)})
        return self._collection(name, parts, scope)

    def _collection(self, name: str, parts: list[ast.expr], scope: Scope) -> Values:
        known = [self.instances(part, scope) for part in parts]
        if name in ("tuple", "Tuple"):
            is_open = isinstance(parts[-1], ast.Constant) and parts[-1].value is ...
            return several(union(known), () if is_open else enumerate(known))
        if name == "ContextVar":
            return several(known[0])
        of = known[0] if name.endswith(("Generator", "Iterator")) else known[-1]
        return several(of, is_mapping=name in _MAPPINGS)
