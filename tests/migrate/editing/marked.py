"""Edits for tests: of the calls that carry a mark in their name."""

import ast
import textwrap
from collections.abc import Iterator

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Edits, Span

MARK = "send"
"""Calls of functions and methods of this name are awaited."""


def name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value) | ast.Call(func=value):
            return name_of(value)
        case _:
            return ""


def marked_calls(text: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and name_of(node.func) == MARK:
            yield node


def awaiting(text: str) -> Edits:
    """Return the edits that await every call of the mark itself."""
    calls = [call for call in marked_calls(text) if isinstance(call.func, (ast.Name, ast.Attribute))]
    return Edits(awaited=frozenset(Span.of(call) for call in calls))


def in_coroutine(code: str) -> str:
    """Return the code as the body of a coroutine function."""
    return "async def main():\n" + textwrap.indent(code, "    ") + "\n"


def awaited(code: str) -> str:
    """Return the body of a coroutine function after the marked calls in it were awaited."""
    before = in_coroutine(code)
    after = edited(before, awaiting(before))
    assert without_awaits(after) == without_awaits(before)
    return textwrap.dedent(after.partition("\n")[2]).removesuffix("\n")


class _WithoutAwaits(ast.NodeTransformer):
    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)


def without_awaits(text: str) -> str:
    """Return the syntax tree of a text, as if nothing in it were awaited."""
    return ast.dump(_WithoutAwaits().visit(ast.parse(text)))
