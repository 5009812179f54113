"""Expressions: what in the source the instruction stands for that a site has come to.

Owns the way from code to source. From Python 3.11 on the expression is known exactly; before, it is what on that line
has the name of what was called. It does not know what is to be written in its place.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterable, Iterator
from itertools import islice

from ..lines import Lines
from .sites import Site

Found = tuple[ast.stmt, ast.expr]
"""An expression, and the statement that it is a part of."""

ENTERING = ("__enter__", "__exit__")


def expression_at(site: Site) -> Found | None:
    """Return what blocks: what a ``with`` statement enters, a call, or another expression; None if it is not known.

    Raises:
        SyntaxError: The source is not what was compiled.
    """
    statements = [each for each in ast.walk(_tree(site)) if isinstance(each, ast.stmt)]
    if site.inwards[0] in ENTERING:
        return _entered(site, statements)
    inner = [(each, node) for each in statements for node in expressions_of(each)]
    position = _position(site)
    exact = [pair for pair in inner if _extent(pair[1]) == position]
    # What is in a chain over several lines is said to begin at its own name, but it ends where it ends.
    ending = [pair for pair in inner if _extent(pair[1])[2:] == position[2:]]
    for kinds in ((ast.Call, ast.Await), (ast.Attribute,)):
        for pair in (*exact, *ending):
            if isinstance(pair[1], kinds):
                return pair
    near = [pair for pair in inner if _covers(pair[1], site.place.line)]
    return _named(site, near) or next(iter(exact), None) or (_only_call(near) if position is _UNKNOWN else None)


def expressions_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement that are not a part of one within it, the outer ones first."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop(0)):
            if isinstance(child, ast.stmt):
                continue
            waiting.append(child)
            if isinstance(child, ast.expr):
                yield child


def name_called(node: ast.expr) -> str:
    """Return the name, without what it belongs to, of what a call calls; empty if it has none."""
    func = node.func if isinstance(node, ast.Call) else node
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _tree(site: Site) -> ast.Module:
    """Parse the function, every line of which keeps its number."""
    lines = linecache.getlines(site.place.filename)
    first = max(site.code.co_firstlineno, 1)
    if site.code.co_name.startswith("<") or first > len(lines):  # a module, a lambda
        text = "".join(lines)
    else:
        block = inspect.getblock(lines[first - 1 :])
        head = "\n" * (first - 2) + "if 1:\n" if block[0][:1].isspace() else "\n" * (first - 1)
        text = head + "".join(block)
    tree: ast.Module = _Verbatim(text).visit(ast.parse(text))
    return tree


class _Verbatim(ast.NodeTransformer):
    """Puts a name in place of each string: that of its source, so that it is written as it was."""

    def __init__(self, text: str) -> None:
        self._lines = Lines(text)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Take a string as it stands, if it stands on one line."""
        return self._as_it_stands(node) if isinstance(node.value, (str, bytes)) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """Take it as a whole, unless what is looked for may be within it."""
        return node if any(isinstance(each, ast.Call) for each in ast.walk(node)) else self._as_it_stands(node)

    def _as_it_stands(self, node: ast.expr) -> ast.expr:
        if node.lineno != node.end_lineno:
            return node
        return ast.copy_location(ast.Name(self._lines.source(node), ast.Load()), node)


_Extent = tuple[int | None, int | None, int | None, int | None]
"""First line, first column, last line, column after the last one; columns in octets of UTF-8."""

_UNKNOWN: _Extent = (-1, -1, -1, -1)


def _extent(node: ast.expr) -> _Extent:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _position(site: Site) -> _Extent:
    positions = getattr(site.code, "co_positions", None)  # from Python 3.11 on
    if positions is None:
        return _UNKNOWN
    line, end_line, column, end_column = next(islice(positions(), site.lasti // 2, None), (None, None, None, None))
    return _UNKNOWN if column is None or end_column is None else (line, column, end_line, end_column)


def _covers(node: ast.expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _entered(site: Site, statements: Iterable[ast.stmt]) -> Found | None:
    entered = [(each, item.context_expr) for each in statements if isinstance(each, ast.With) for item in each.items]
    exact = [pair for pair in entered if _extent(pair[1]) == _position(site)]
    # What is left may be said to stand where the statement begins.
    near = [pair for pair in entered if site.place.line == pair[0].lineno or _covers(pair[1], site.place.line)]
    named = [pair for pair in near if name_called(pair[1]) in (site.session.name, *site.inwards)]
    return next(iter([*exact, *named, *near]), None)


def _named(site: Site, near: list[Found]) -> Found | None:
    """Choose by the names of what was called, the site's own call first."""
    for name in site.inwards:
        wanted = site.session.name if name == "__init__" and site.calls_session else name
        for each, node in near:
            if isinstance(node, (ast.Call, ast.Attribute)) and name_called(node) == wanted:
                return each, node
    return None


def _only_call(near: list[Found]) -> Found | None:
    calls = [pair for pair in near if isinstance(pair[1], ast.Call)]
    return calls[0] if len(calls) == 1 else None
