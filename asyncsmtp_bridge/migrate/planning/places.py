"""Places: where in a coroutine function something can be awaited.

Owns what Python's grammar and its scopes forbid. It does not know what is awaited, or why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..analysis.program import Function
from ..scanning.mends import Parents

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_STRINGS = tuple(getattr(ast, name) for name in ("JoinedStr", "TemplateStr") if hasattr(ast, name))


class Unsafe(Exception):
    """Something that cannot be taken over; what it says is the reason, as a clause."""


def check_place(node: ast.AST, function: Function, parents: Parents, what: str = "it") -> None:
    """Raise where nothing can be awaited.

    Args:
        node: What would be awaited.
        function: The coroutine function that it stands in.
        parents: What each node of the module stands in.
        what: What the reason is about.

    Raises:
        Unsafe: Another function, a class, a generator expression, an f-string or an annotation is in between, or more
            than one comprehension.
    """
    below, child, comprehensions = node, node, 0
    for around in _outwards(node, function, parents):
        if isinstance(around, (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.arguments)):
            _check_definition(below, child, around, what)
        elif isinstance(around, ast.arg) or (isinstance(around, ast.AnnAssign) and child is around.annotation):
            raise Unsafe(f"{what} is used in an annotation")
        elif isinstance(around, _STRINGS):
            raise Unsafe(f"{what} is used in an f-string: give what it comes to a name first")
        elif isinstance(around, _Comprehension) and not _is_outside(below, child, around):
            if isinstance(around, ast.GeneratorExp):
                raise Unsafe(f"{what} is used in a generator expression, which would become an asynchronous one")
            comprehensions += 1
        below, child = child, around
    if comprehensions > 1:
        raise Unsafe(f"{what} is used in a comprehension within another one, where Python 3.10 cannot await")


def _outwards(node: ast.AST, function: Function, parents: Parents) -> Iterator[ast.AST]:
    around = parents.get(node)
    while around is not None and around is not function.node:
        yield around
        around = parents.get(around)


def _check_definition(below: ast.AST, child: ast.AST, around: ast.AST, what: str) -> None:
    """Raise in what a definition does not evaluate where it stands: defaults and decorators it does."""
    if isinstance(around, ast.arguments) or child in getattr(around, "decorator_list", ()):
        return
    if isinstance(around, ast.ClassDef):
        if child in around.body:
            raise Unsafe(f"{what} is used in the body of a class")
    elif isinstance(child, ast.arguments):
        if isinstance(below, ast.arg):
            raise Unsafe(f"{what} is used in an annotation")
    elif isinstance(around, ast.Lambda):
        raise Unsafe(f"{what} is used in a lambda")
    elif isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if child is around.returns:
            raise Unsafe(f"{what} is used in an annotation")
        raise Unsafe(f"{what} is used in a nested function, {around.name}()")


def _is_outside(below: ast.AST, child: ast.AST, comprehension: _Comprehension) -> bool:
    """Whether it is what a comprehension walks through first, which is evaluated before it begins."""
    first = comprehension.generators[0]
    return child is first and below is first.iter
