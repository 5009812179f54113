"""Imports that nothing refers to any more, and their removal.

Owns what counts as a reference, and what stays in any case: imports in ``try`` and ``if``, lines with ``noqa``,
comments on lines of their own. It does not know which names may go at all.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import cast

import libcst as cst
from libcst import matchers as m

from .layout import Lines, Statement, blanks_and_rest, with_lines
from .names import names_of, without_name

TYPE_COMMENT = re.compile(r"#\s*type:(.*)")


def without_unused(module: cst.Module, names: frozenset[str]) -> cst.Module:
    """Return the module without the imports of names that nothing in it refers to."""
    if not names:
        return module
    unused = names - _references(module.code)
    return module.visit(_Removal(unused)) if unused else module


def _references(code: str) -> set[str]:
    """Return the names that the code refers to, also in strings: annotations, ``__all__``, ``globals()["it"]``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
        found = _names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= _names_in(node.value)
    for comment in TYPE_COMMENT.findall(code):
        found |= set(re.findall(r"\w+", comment))
    return found


def _names_in(text: str) -> set[str]:
    try:
        return _names(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def _names(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            found |= set(node.names)
    return found


class _Removal(cst.CSTTransformer):
    """Removes imports from the bodies of the module and of functions.

    Args:
        names: The names that go.
    """

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:  # noqa: N802 - LibCST's name
        body, footer = self._kept(updated_node.body, updated_node.footer)
        header = updated_node.header
        if not header or header[-1].comment is None:
            body = _closed_up(body, updated_node.body)
        return updated_node.with_changes(body=body, footer=footer)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:  # noqa: N802
        block = updated_node.body
        if not isinstance(block, cst.IndentedBlock):
            return updated_node
        before = cast("Sequence[Statement]", block.body)
        body, footer = self._kept(before, block.footer)
        if not body:
            return updated_node
        body = _closed_up(body, before)
        return updated_node.with_changes(body=block.with_changes(body=body, footer=footer))

    def _kept(self, body: Sequence[Statement], footer: Lines) -> tuple[list[Statement], Lines]:
        """Return the statements that stay, and the lines below them."""
        kept: list[Statement] = []
        above: Lines = []  # the lines above those that went
        for statement in body:
            left = self._without(statement)
            if left is None:
                above = _joined(above, statement.leading_lines)
                continue
            kept.append(with_lines(left, _joined(above, left.leading_lines)) if above else left)
            above = []
        return kept, [*(line for line in above if line.comment is not None), *footer]

    def _without(self, statement: Statement) -> Statement | None:
        """Return what is left of a statement."""
        if not isinstance(statement, cst.SimpleStatementLine) or _is_marked(statement):
            return statement
        small = [left for one in statement.body if (left := self._without_names(one)) is not None]
        if not small:
            return None
        if len(small) < len(statement.body):
            small[-1] = small[-1].with_changes(semicolon=statement.body[-1].semicolon)
        return statement.with_changes(body=small)

    def _without_names(self, statement: cst.BaseSmallStatement) -> cst.BaseSmallStatement | None:
        if not isinstance(statement, (cst.Import, cst.ImportFrom)):
            return statement
        left = statement
        while True:
            names = names_of(left)
            number = next((number for number, alias in enumerate(names) if _bound(alias) in self._names), None)
            if number is None:
                return left
            if len(names) == 1:
                return None
            left = without_name(left, number)


def _is_marked(statement: cst.SimpleStatementLine) -> bool:
    comments = m.findall(with_lines(statement, []), m.Comment())
    return any(isinstance(one, cst.Comment) and "noqa" in one.value.lower() for one in comments)


def _bound(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or alias.evaluated_name.partition(".")[0]


# Lines above what went, and above what follows.


def _joined(first: Lines, second: Lines) -> Lines:
    blanks, comments = blanks_and_rest(first)
    if comments:
        return [*first, *second]
    others, rest = blanks_and_rest(second)
    return [*max(blanks, others, key=len), *rest]


def _closed_up(body: list[Statement], before: Sequence[Statement]) -> list[Statement]:
    """Return the statements, without blank lines above the first one if another one was the first before."""
    if not body or body[0] is before[0]:
        return body
    _, lines = blanks_and_rest(body[0].leading_lines)
    return [with_lines(body[0], lines), *body[1:]]
