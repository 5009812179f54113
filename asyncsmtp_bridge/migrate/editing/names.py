"""The names in an import statement: one more, or one less.

Owns their order, and the commas, line breaks and comments between them. It does not know why a name comes or goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import libcst as cst

AnyImport: TypeAlias = cst.Import | cst.ImportFrom
Space: TypeAlias = cst.BaseParenthesizableWhitespace


def names_of(statement: cst.Import | cst.ImportFrom) -> Sequence[cst.ImportAlias]:
    """Return the names that are imported; of ``*``, none."""
    return () if isinstance(statement.names, cst.ImportStar) else statement.names


def by_kind(name: str) -> tuple[int, str]:
    """Order names as isort and ruff do: constants, classes, all others."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower()


ORDERS: tuple[Callable[[str], Any], ...] = (by_kind, str.lower, str)


def with_name(statement: cst.ImportFrom, name: str) -> cst.ImportFrom:
    """Return the import with one more name: in its order if its names are in one, on a line of its own if they are."""
    statement = _with_end_in_parenthesis(statement)
    names = list(names_of(statement))
    known = [alias.evaluated_name for alias in names]
    order = next((order for order in ORDERS if known == sorted(known, key=order)), None)
    number = len(names) if order is None else sum(order(one) < order(name) for one in known)
    new = cst.ImportAlias(cst.Name(name))
    begin = statement.lpar.whitespace_after if statement.lpar else None
    indent = begin.last_line if isinstance(begin, cst.ParenthesizedWhitespace) else None
    if number < len(names):
        return statement.with_changes(names=_with_inserted(names, number, new, indent))
    last = names[-1]
    new = new.with_changes(comma=last.comma)
    end = statement.rpar.whitespace_before if statement.rpar else None
    if indent is None or not isinstance(end, cst.ParenthesizedWhitespace):
        names[-1] = _with_space(last, cst.SimpleWhitespace(" "))
        return statement.with_changes(names=[*names, new])
    # What stood between the last one and the parenthesis stands between the two now; comments below stay below.
    names[-1] = _with_space(last, end.with_changes(last_line=indent, indent=True, empty_lines=[]))
    closing = cst.RightParen(whitespace_before=end.with_changes(first_line=cst.TrailingWhitespace()))
    return statement.with_changes(names=[*names, new], rpar=closing)


def _with_inserted(
    names: list[cst.ImportAlias], number: int, new: cst.ImportAlias, indent: cst.SimpleWhitespace | None
) -> list[cst.ImportAlias]:
    """Return the names with a new one before another, on a line of its own if there is an indent for one."""
    if indent is None:
        return [*names[:number], _with_space(new, cst.SimpleWhitespace(" ")), *names[number:]]
    after = cst.ParenthesizedWhitespace(indent=True, last_line=indent)
    space = _space(names[number - 1]) if number else None
    if isinstance(space, cst.ParenthesizedWhitespace):
        # Comments above the name that follows stay above it.
        after = after.with_changes(empty_lines=space.empty_lines)
        names[number - 1] = _with_space(names[number - 1], space.with_changes(empty_lines=[]))
    return [*names[:number], _with_space(new, after), *names[number:]]


def without_name(statement: AnyImport, number: int) -> AnyImport:
    """Return an import without one of its names and the comment behind it; comments on lines of their own stay."""
    if isinstance(statement, cst.ImportFrom):
        statement = _with_end_in_parenthesis(statement)
    names = list(names_of(statement))
    gone = names.pop(number)
    if number == len(names):
        return _without_last(statement, names, gone)
    if number:
        names[number - 1] = _with_space(names[number - 1], _merged(_space(names[number - 1]), _space(gone)))
    elif isinstance(statement, cst.ImportFrom) and statement.lpar is not None:
        begin = _merged(statement.lpar.whitespace_after, _space(gone))
        return statement.with_changes(names=names, lpar=cst.LeftParen(whitespace_after=begin))
    return statement.with_changes(names=names)


def _without_last(statement: AnyImport, names: list[cst.ImportAlias], gone: cst.ImportAlias) -> AnyImport:
    between = _space(names[-1])
    names[-1] = names[-1].with_changes(comma=gone.comma)
    if not isinstance(statement, cst.ImportFrom) or statement.rpar is None:
        return statement.with_changes(names=names)
    end = statement.rpar.whitespace_before
    if isinstance(end, cst.ParenthesizedWhitespace) or _has_comment(between):
        end = _merged(between, end)
    return statement.with_changes(names=names, rpar=cst.RightParen(whitespace_before=end))


# The space between them.


def _space(alias: cst.ImportAlias) -> Space:
    return alias.comma.whitespace_after if isinstance(alias.comma, cst.Comma) else cst.SimpleWhitespace("")


def _with_space(alias: cst.ImportAlias, space: Space) -> cst.ImportAlias:
    return alias.with_changes(comma=cst.Comma(whitespace_after=space))


def _with_end_in_parenthesis(statement: cst.ImportFrom) -> cst.ImportFrom:
    """Return the import with what follows its last comma in the closing parenthesis, where it is without a comma."""
    names = list(names_of(statement))
    if statement.rpar is None or not statement.rpar.whitespace_before.empty:
        return statement
    if not isinstance(names[-1].comma, cst.Comma):
        return statement
    end = cst.RightParen(whitespace_before=_space(names[-1]))
    names[-1] = _with_space(names[-1], cst.SimpleWhitespace(""))
    return statement.with_changes(names=names, rpar=end)


def _has_comment(space: Space) -> bool:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return False
    return space.first_line.comment is not None or any(line.comment is not None for line in space.empty_lines)


def _merged(above: Space, below: Space) -> Space:
    """Return what stands between two names when what stood between these two spaces is gone."""
    if not isinstance(below, cst.ParenthesizedWhitespace):
        return above
    if not isinstance(above, cst.ParenthesizedWhitespace):
        bare = below.first_line.with_changes(comment=None, whitespace=cst.SimpleWhitespace(""))
        return below.with_changes(first_line=bare)
    return below.with_changes(first_line=above.first_line, empty_lines=[*above.empty_lines, *below.empty_lines])
