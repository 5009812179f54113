"""Annotations: those of a wrapper, taken over into another module.

Owns which names in an annotation can be reached from elsewhere, and by which reference. It does not know how they are
spelled there.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from .members import ITSELF, FacadeError, reference
from .source import ClassSource, Function, Sources, dotted, flat, unquoted
from .syntax import head

_TYPE_VARIABLES = {"TypeVar", "ParamSpec", "TypeVarTuple"}
_SELVES = {("typing", "Self"), ("typing_extensions", "Self")}
_QUALIFIERS = {"ClassVar", "Final", "Required", "NotRequired", "ReadOnly"}
_NOT_TAKEN = {"AnyStr"}
_SESSIONS = {("smtplib", "SMTP"), ("smtplib", "SMTP_SSL"), ("smtplib", "LMTP")}
# What is in their brackets is not given.
_NOT_GIVEN = {"Callable", "Literal", "Type", "type"}


class NotTakenOver(Exception):
    """An annotation means something only where it stands."""


class Annotations:
    """The annotations in a class.

    Args:
        source: The class.
        sources: Where other modules are found.
    """

    def __init__(self, source: ClassSource, sources: Sources) -> None:
        self._source = source
        self._sources = sources
        self._inner = {node.name for node in flat(source.node.body) if isinstance(node, ast.ClassDef)}
        self._own = {parameter.name for parameter in getattr(source.node, "type_params", ())}

    def taken_over(self, annotation: ast.expr | None, function: ast.stmt | None = None) -> ast.expr | None:
        """Return an annotation with references in place of names; None if there is none, or it cannot be taken over.

        Args:
            annotation: The annotation.
            function: The function whose type parameters may be in it.
        """
        if annotation is None:
            return None
        unknown = self._own | {parameter.name for parameter in getattr(function, "type_params", ())}
        try:
            return _Rewriting(self, unknown).visit(annotation)  # type: ignore[no-any-return]
        except NotTakenOver:
            return None

    def parameters(self) -> int:
        """Count the type variables of the class."""
        found = {name: None for name in getattr(self._source.node, "type_params", ()) for name in [name.name]}
        if found:
            return len(found)
        for base in self._source.node.bases:
            if not isinstance(base, ast.Subscript):
                continue
            named = [node for node in ast.walk(base.slice) if isinstance(node, ast.Name)]
            variables = {node.id: None for node in named if self.is_variable(self._source.module.origin(node))}
            origin = self._source.module.origin(base.value)
            if origin is not None and origin[1] in ("Generic", "Protocol"):
                return len(variables)
            found |= variables
        return len(found)

    def given(self, annotation: ast.expr | None, self_type: ast.expr | None = None) -> str:
        """Return the class of what is given, where it blocks: a class of sessions, or this one. "" otherwise.

        Args:
            annotation: The annotation.
            self_type: That of ``self``.
        """
        annotation = unquoted(annotation)
        if annotation is None or (isinstance(annotation, ast.Subscript) and head(annotation) in _NOT_GIVEN):
            return ""
        if dotted(annotation) is None:
            inner = (each for each in ast.iter_child_nodes(annotation) if isinstance(each, ast.expr))
            return next(filter(None, (self.given(each, self_type) for each in inner)), "")
        origin = self._source.module.origin(annotation)
        if origin is None:
            return ""
        is_its_own = self_type is not None and dotted(annotation) == dotted(self_type) and self.is_variable(origin)
        if is_its_own or origin in _SELVES:
            return ITSELF
        is_this = origin == (self._source.module.name, self._source.name)
        return ".".join(origin) if is_this or self._is_session(origin) else ""

    def _is_session(self, origin: tuple[str, str], below: tuple[tuple[str, str], ...] = ()) -> bool:
        """Whether something is a class of sessions: one of smtplib's, or derived from it."""
        if origin in _SESSIONS:
            return True
        if origin in below or origin[0].partition(".")[0] in sys.stdlib_module_names:
            return False
        try:
            found = self._sources.find_class(*origin)
        except FacadeError:  # of a module that passes it on: no reason to have no face
            return False
        bases = [] if found is None else [found.module.origin(base) for base in found.node.bases]
        return any(base is not None and self._is_session(base, (*below, origin)) for base in bases)

    def variables(self, function: Function) -> set[str]:
        """Return the type variables of a function that are neither those of its class nor that of its object."""
        arguments = function.args
        first, *others = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        others += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        bound = self._own | _named([*self._source.node.bases, first.annotation]).keys()
        own = {parameter.name for parameter in getattr(function, "type_params", ())}
        named = _named([function.returns, *(each.annotation for each in others)])
        return {
            name
            for name, node in named.items()
            if name not in bound and (name in own or self.is_variable(self._source.module.origin(node)))
        }

    def is_variable(self, origin: tuple[str, str] | None) -> bool:
        """Whether something is a type variable."""
        if origin is None or origin[0].partition(".")[0] in sys.stdlib_module_names:
            return False
        module = self._sources.module(origin[0])
        statement = None if module is None else module.defined.get(origin[1])
        if module is None or not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            return False
        made_by = module.origin(statement.value.func)
        return made_by is not None and made_by[1] in _TYPE_VARIABLES

    def reference(self, expression: ast.expr, unknown: set[str]) -> ast.expr:
        """Return the reference for a dotted name.

        Raises:
            NotTakenOver: It leads nowhere, or to a type variable.
        """
        source, name = self._source, dotted(expression) or ""
        first = name.partition(".")[0]
        if first in unknown:
            raise NotTakenOver
        if first in self._inner:
            return reference(source.module.name, f"{source.name}.{name}")
        origin = source.module.origin(expression)
        if origin is None or origin[1] in _NOT_TAKEN or self.is_variable(origin):
            raise NotTakenOver
        if origin in _SELVES:
            return reference(source.module.name, source.name)
        checked = "?" if origin[0] in source.module.only_checked else ""
        return reference(origin[0] + checked, origin[1])

    def qualifier(self, expression: ast.expr) -> str | None:
        """Return which of ``ClassVar``, ``Final`` and the like it is."""
        origin = self._source.module.origin(expression)
        return origin[1] if origin is not None and origin[1] in _QUALIFIERS else None

    def is_typing(self, expression: ast.expr, name: str) -> bool:
        """Whether it is this name of typing's."""
        origin = self._source.module.origin(expression)
        return origin is not None and origin[0] in ("typing", "typing_extensions") and origin[1] == name


def _named(annotations: Iterable[ast.expr | None]) -> dict[str, ast.Name]:
    """Return the names in annotations."""
    expressions = [each for each in map(unquoted, annotations) if each is not None]
    nodes = [node for expression in expressions for node in ast.walk(expression)]
    return {node.id: node for node in nodes if isinstance(node, ast.Name)}


class _Rewriting(ast.NodeTransformer):
    """Puts references in place of names, in new nodes: those of the module are read again."""

    def __init__(self, annotations: Annotations, unknown: set[str]) -> None:
        self._annotations = annotations
        self._unknown = unknown

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if self._annotations.qualifier(node):
            raise NotTakenOver  # alone, it says nothing
        return self._annotations.reference(node, self._unknown)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if dotted(node) is None:
            raise NotTakenOver
        return self._annotations.reference(node, self._unknown)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str):
            return node
        inner = unquoted(node)
        if inner is None:
            raise NotTakenOver
        return self.visit(inner)  # type: ignore[no-any-return]

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if self._annotations.qualifier(node.value):
            return self.visit(node.slice)  # type: ignore[no-any-return]
        if self._annotations.is_typing(node.value, "Literal"):
            return ast.Subscript(self.visit(node.value), node.slice)
        if self._annotations.is_typing(node.value, "Annotated"):
            described = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            return self.visit(described)  # type: ignore[no-any-return]
        return ast.Subscript(self.visit(node.value), self.visit(node.slice))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        return ast.Tuple([self.visit(each) for each in node.elts])

    def visit_List(self, node: ast.List) -> ast.expr:
        return ast.List([self.visit(each) for each in node.elts])

    def generic_visit(self, node: ast.AST) -> ast.AST:
        raise NotTakenOver
