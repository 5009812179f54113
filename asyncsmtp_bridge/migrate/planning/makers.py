"""Makers: which classes a call makes objects of, as far as its source says so.

Owns the way from what is called, through imports and other names, to the classes themselves. A function that makes an
object, such as a partial one, is no class, though an object of the same class comes of it.
"""

from __future__ import annotations

import ast

from ..analysis.inference import Inference
from ..analysis.program import Bound, Kind, Module, Scope
from ..analysis.values import Instance

_DEEPEST = 10
"""Names of names that are followed."""

Names = frozenset[str]
"""Where classes are imported from, with dots; empty: of the project, or in a place where another one may be put."""

OWN: Names = frozenset({""})


class Makers:
    """What names stand for classes.

    Args:
        inference: What expressions come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def classes(self, func: ast.expr, scope: Scope, depth: int = _DEEPEST) -> Names | None:
        """Return the classes that an expression names; None: it may be something else."""
        if not depth:
            return None
        match func:
            case ast.Name(id=name):
                return self._looked_up(name, scope.module.scopes.get(func, scope), depth - 1)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(value, name, scope, depth - 1)
            case ast.IfExp(body=body, orelse=other):
                return _all([self.classes(each, scope, depth - 1) for each in (body, other)])
            case ast.BoolOp(values=parts):
                return _all([self.classes(each, scope, depth - 1) for each in parts])
        return None

    def _looked_up(self, name: str, scope: Scope, depth: int) -> Names | None:
        where: Scope | None = scope
        while where is not None and name not in where.bindings:
            where = where.around()
        if where is not None:
            return self._of(where.bindings[name], depth)
        return _all([self._imported(f"{star}.{name}", depth) for star in scope.module.scope.stars])

    def _of(self, bindings: list[Bound], depth: int) -> Names | None:
        kept = [each for each in bindings if not _is_none(each)]
        return _all([self._bound(each, depth) for each in kept])

    def _bound(self, bound: Bound, depth: int) -> Names | None:
        if bound.how == "import":
            return self._imported(bound.what, depth)
        if bound.how == "value":
            return self.classes(bound.what, bound.scope, depth)
        if bound.how == "definition" and isinstance(bound.what, Kind):
            return OWN
        if bound.how == "annotation" and _is_of_type(bound.what):
            return OWN
        if bound.how == "parameter":
            arguments = bound.what.node.args
            annotated = [
                each.annotation
                for each in (*bound.what.parameters, *arguments.kwonlyargs)
                if each.arg == bound.name and each.annotation is not None
            ]
            return OWN if annotated and _is_of_type(annotated[0]) else None
        return None

    def _imported(self, dotted: str, depth: int) -> Names | None:
        home, _, last = dotted.rpartition(".")
        for module in self._inference.resolved(home) if home else ():
            if isinstance(module, Module) and last in module.scope.bindings:
                return self._of(module.scope.bindings[last], depth)
        return frozenset({dotted})

    def _attribute(self, value: ast.expr, name: str, scope: Scope, depth: int) -> Names | None:
        values = self._inference.values_of(value, scope)
        kinds = [each.kind if isinstance(each, Instance) else each for each in values]
        if kinds and all(isinstance(each, Kind) for each in kinds):
            found = [self._member(each, name, depth) for each in kinds]
            # Another class may be put there, in a subclass, on an object or by a test.
            return None if None in found else OWN
        module = self._module(value, scope, depth)
        return None if not module else self._imported(f"{module}.{name}", depth)

    def _member(self, kind: Kind, name: str, depth: int) -> Names | None:
        for each in self._inference.classes.lineage(kind):
            own = each.scope.bindings.get(name, []) if each.scope is not None else []
            bindings = [*own, *each.attributes.get(name, [])]
            if bindings:
                return self._of(bindings, depth)
        return None

    def _module(self, value: ast.expr, scope: Scope, depth: int) -> str | None:
        """Return the dotted name of a module."""
        if isinstance(value, ast.Attribute):
            above = self._module(value.value, scope, depth)
            return None if not above else f"{above}.{value.attr}"
        found = self._looked_up(value.id, scope, depth) if isinstance(value, ast.Name) else None
        return next(iter(found)) if found is not None and len(found) == 1 else None


def _all(found: list[Names | None]) -> Names | None:
    if not found or None in found:
        return None
    return frozenset(each for part in found if part is not None for each in part)


def _is_none(bound: Bound) -> bool:
    return bound.how == "value" and isinstance(bound.what, ast.Constant) and bound.what.value is None


def _is_of_type(annotation: ast.expr) -> bool:
    """Whether an annotation is ``type[...]``, perhaps with None besides."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value.removeprefix("typing.").startswith(("type[", "Type["))
    if isinstance(annotation, ast.BinOp):
        sides = [each for each in (annotation.left, annotation.right) if not isinstance(each, ast.Constant)]
        return all(_is_of_type(each) for each in sides)
    if not isinstance(annotation, ast.Subscript):
        return False
    name = annotation.value.attr if isinstance(annotation.value, ast.Attribute) else getattr(annotation.value, "id", "")
    return name in ("type", "Type", "ClassVar", "Final") and (name in ("type", "Type") or _is_of_type(annotation.slice))
