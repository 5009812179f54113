"""The syntax of functions: what can be told of one without knowing what its names stand for.

Owns the questions that are asked of the nodes of the tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .members import reference, said_first
from .source import Function, flat, unquoted

_ITERABLES = {"Iterator", "Generator", "Iterable"}
_LITERALS = (bool, int, float, str, bytes)


def is_attribute_of(target: ast.Attribute, name: str) -> bool:
    """Whether it is an attribute of what has this name."""
    return isinstance(target.value, ast.Name) and target.value.id == name


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Give statements, each with the string that follows it."""
    statements = list(flat(body))
    for statement, after in zip(statements, [*statements[1:], None], strict=True):
        doc = after.value if isinstance(after, ast.Expr) else None
        said = doc.value if isinstance(doc, ast.Constant) and isinstance(doc.value, str) else None
        yield statement, said_first(said)


def pairs(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Give what a statement assigns to, each with the value; None where that cannot be told."""
    if isinstance(statement, ast.AnnAssign):
        yield statement.target, statement.value
    if not isinstance(statement, ast.Assign):
        return
    for target in statement.targets:
        value = statement.value
        if not isinstance(target, (ast.Tuple, ast.List)):
            yield target, value
        elif isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            yield from zip(target.elts, value.elts, strict=True)
        else:
            yield from ((each, None) for each in target.elts)


def parameters_of(function: Function) -> list[ast.arg]:
    """Return its parameters, without ``*args`` and ``**kwargs``."""
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def is_bare(function: Function) -> bool:
    """Whether nothing of it is annotated."""
    arguments = function.args
    others = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return function.returns is None and not any(each.annotation for each in [*parameters_of(function), *others])


def called(decorator: ast.expr) -> ast.expr:
    """Return a decorator without its arguments."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def yields(function: Function) -> bool:
    """Whether it is a generator."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))
    return False


def head(annotation: ast.expr | None) -> str:
    """Return the last name of a generic type: ``Iterator`` of ``typing.Iterator[str]``."""
    annotation = unquoted(annotation)
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    return annotation.id if isinstance(annotation, ast.Name) else ""


def item_of(annotation: ast.expr | None, taken: ast.expr) -> ast.expr | None:
    """Return what an iterator gives."""
    if head(annotation).removeprefix("Async") not in _ITERABLES or not isinstance(taken, ast.Subscript):
        return None
    return taken.slice.elts[0] if isinstance(taken.slice, ast.Tuple) else taken.slice


def calls(value: ast.expr | None, name: str) -> bool:
    """Whether it is ``cls(...)`` or ``cls.__new__(cls)``."""
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    if isinstance(called, ast.Attribute) and called.attr == "__new__":
        called = called.value
    return isinstance(called, ast.Name) and called.id == name


def type_of(value: ast.expr | None) -> ast.expr | None:
    """Return the type that a literal has."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        value = value.operand
    if isinstance(value, ast.JoinedStr):
        return reference("builtins", "str")
    if isinstance(value, ast.Constant) and type(value.value) in _LITERALS:
        return reference("builtins", type(value.value).__name__)
    return None
