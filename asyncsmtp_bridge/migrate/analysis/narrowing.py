"""Narrowing: what a test says of the names in it, where it holds and where it does not.

Owns the forms of such tests: `isinstance`, joined by ``and``, ``or`` and ``not``, and the patterns of ``match``. It
evaluates nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import reduce

Told = tuple[str, bool, ast.expr]
"""An expression as a path, whether it is an instance, and of what."""


def path_of(node: ast.AST) -> str:
    """Return a name or a chain of attributes as it is written; empty: it is something else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def told_by(test: ast.expr, holds: bool) -> Iterator[Told]:
    """Yield what is known where a test holds, or does not."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from told_by(operand, not holds)
        case ast.BoolOp(op=op, values=parts) if isinstance(op, ast.And) == holds:
            for part in parts:
                yield from told_by(part, holds)
        case ast.Call(func=ast.Name(id="isinstance"), args=[asked, classes]):
            asked = asked.target if isinstance(asked, ast.NamedExpr) else asked
            if path := path_of(asked):
                yield path, holds, classes


def told_after(statement: ast.stmt) -> Iterator[Told]:
    """Yield what is known below a statement in the same block."""
    match statement:
        case ast.Assert(test=test):
            yield from told_by(test, True)
        case ast.If(test=test, body=body, orelse=orelse):
            if _leaves(body):
                yield from told_by(test, False)
            if orelse and _leaves(orelse):
                yield from told_by(test, True)


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def classes_of(pattern: ast.pattern) -> ast.expr | None:
    """Return the class that a pattern asks for, or the union of several."""
    match pattern:
        case ast.MatchClass(cls=cls):
            return cls
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return classes_of(inner)
        case ast.MatchOr(patterns=patterns):
            known = [each for each in map(classes_of, patterns) if each is not None]
            either = (
                reduce(lambda left, right: ast.BinOp(left, ast.BitOr(), right), known[1:], known[0]) if known else None
            )
            return either if len(known) == len(patterns) else None
    return None


def takes_all(case: ast.match_case) -> bool:
    """Whether a case takes every instance of its classes."""
    waiting = [case.pattern]
    while waiting:
        match waiting.pop():
            case ast.MatchClass(patterns=[], kwd_patterns=[]):
                pass
            case ast.MatchAs(pattern=ast.pattern() as inner):
                waiting.append(inner)
            case ast.MatchOr(patterns=patterns):
                waiting += patterns
            case _:
                return False
    return case.guard is None
