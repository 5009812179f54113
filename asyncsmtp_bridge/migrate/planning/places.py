"""Places: where in a coroutine function something can be awaited.

Owns what Python's grammar and its scopes forbid. It does not know what is awaited, or why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..analysis.program import Function
from ..scanning.mends import Parents

_LOCK = re.compile(
    r"(?<![BCbc])lock|Lock|(?<![BC])LOCK|[Mm]utex|MUTEX"
)  # not in the name of a clock, or of what blocks
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
    _check_statement(node, function, parents)
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
        elif isinstance(around, ast.With) and not isinstance(child, ast.withitem):
            _check_lock(around)
        below, child = child, around
    if comprehensions > 1:
        raise Unsafe(f"{what} is used in a comprehension within another one, where Python 3.10 cannot await")


def _outwards(node: ast.AST, function: Function, parents: Parents) -> Iterator[ast.AST]:
    around = parents.get(node)
    while around is not None and around is not function.node:
        yield around
        around = parents.get(around)


def is_lock(node: ast.expr) -> bool:
    """Whether an expression looks like a lock, by the names in it."""
    names = [getattr(each, "id", getattr(each, "attr", None)) for each in ast.walk(node)]
    return any(isinstance(each, str) and _LOCK.search(each) for each in names)


def _check_lock(statement: ast.With) -> None:
    if any(is_lock(item.context_expr) for item in statement.items):
        raise Unsafe(
            "a lock is held around it: the next task would wait for that on the event loop's thread, and stop the loop "
            "for ever; make it an asyncio.Lock"
        )


def _check_statement(node: ast.AST, function: Function, parents: Parents) -> None:
    """Raise where what is there already is read before something is awaited, and written afterwards."""
    statement = node
    while not isinstance(statement, ast.stmt):
        statement = parents[statement]
    if not isinstance(statement, (ast.Assign, ast.AugAssign)) or not isinstance(node, ast.expr):
        return
    targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
    for target in targets:
        held = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(held, ast.Name) and not _is_of_others(held.id, function, target):
            continue
        text = ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
        others = {id(each) for each in ast.walk(node)}
        read = any(id(each) not in others and ast.unparse(each) == text for each in _parts(statement.value))
        if isinstance(statement, ast.AugAssign) or read:
            raise Unsafe(
                f"{text} is read before it, and written after it: another task may change it while this one waits; "
                "give what the call returns to a name first"
            )


def _is_of_others(name: str, function: Function, target: ast.expr) -> bool:
    """Whether others than the function have what it writes to: a name, or a part of what the name holds."""
    bound = function.scope.bindings.get(name, ())
    if not bound or (not isinstance(target, ast.Name) and any(each.how == "parameter" for each in bound)):
        return True
    declared = [each.names for each in ast.walk(function.node) if isinstance(each, (ast.Global, ast.Nonlocal))]
    return any(name in names for names in declared)


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    return (each for each in ast.walk(value) if isinstance(each, (ast.Name, ast.Attribute, ast.Subscript)))


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
