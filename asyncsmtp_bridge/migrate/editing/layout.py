"""The layout of a module: where its imports end, and the lines between its statements.

Owns what belongs to the imports at the top, which statements bind which names, and blank lines. It does not know what
is put there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TypeAlias

import libcst as cst
from libcst import matchers as m

Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement
Lines: TypeAlias = Sequence[cst.EmptyLine]

COOKIE = re.compile(r"#.*?coding[:=]")
"""A comment that declares an encoding, if it is in the first two lines (PEP 263)."""

IMPORTS = m.SimpleStatementLine(body=[m.AtLeastN(m.Import() | m.ImportFrom(), n=1)])
DUNDER = m.SimpleStatementLine(
    body=[m.Assign(targets=[m.AssignTarget(target=m.Name(value=m.MatchIfTrue(lambda name: name.startswith("__"))))])]
)
AS_SCRIPT = m.If(test=m.Comparison(left=m.Name("__name__")))


def with_own_comments(module: cst.Module) -> cst.Module:
    """Return the module with the last comment of its header at the first statement, if blank lines set it apart.

    LibCST has all lines before the first statement in the header. A comment that is set apart from a license above it
    is about what follows.
    """
    header = list(module.header)
    end = len(header)
    while end and header[end - 1].comment is not None:
        end -= 1
    while end and header[end - 1].comment is None:
        end -= 1
    declared = [
        number for number, line in enumerate(header[:2], 1) if line.comment and COOKIE.match(line.comment.value)
    ]
    end = max([end, *declared])
    if not module.body or end == len(header):
        return module
    first = with_lines(module.body[0], [*header[end:], *module.body[0].leading_lines])
    return module.with_changes(header=header[:end], body=[first, *module.body[1:]])


def has_docstring(body: Sequence[Statement]) -> bool:
    """Tell whether the first statement is a docstring."""
    return bool(body) and m.matches(
        body[0],
        m.SimpleStatementLine(body=[m.Expr(m.SimpleString() | m.ConcatenatedString()), m.ZeroOrMore()]),
    )


def first_place(body: Sequence[Statement]) -> int:
    """Return the number of the statement before which imports may begin: behind docstring, ``__all__`` and kin."""
    place = int(has_docstring(body))
    while place < len(body) and m.matches(body[place], DUNDER):
        place += 1
    return place


def end_of_imports(body: Sequence[Statement]) -> int:
    """Return the number of the first statement behind the imports at the top; without any, `first_place`."""
    place = first_place(body)
    return end_of_imports_from(place, body)


def end_of_imports_from(place: int, body: Sequence[Statement]) -> int:
    """Return the number of the statement behind the last import before the next definition; without any, `place`.

    What else stands between them, such as a change of the search path, does not end them.
    """
    end = place
    for number in range(place, len(body)):
        if belongs_to_imports(body[number]):
            end = number + 1
        elif defines(body[number]) or m.matches(body[number], AS_SCRIPT):
            break
    return end


def defines(statement: Statement) -> bool:
    """Tell whether a function or a class is defined in a statement."""
    return bool(m.findall(statement, m.FunctionDef() | m.ClassDef()))


def defines_coroutine_function(statement: Statement) -> bool:
    """Tell whether a coroutine function is defined in a statement."""
    return bool(m.findall(statement, m.FunctionDef(asynchronous=m.Asynchronous())))


def belongs_to_imports(statement: Statement) -> bool:
    """Tell whether a statement imports, also in ``try`` or ``if``."""
    if m.matches(statement, IMPORTS):
        return True
    if not isinstance(statement, (cst.Try, cst.If)) or m.matches(statement, AS_SCRIPT):
        return False
    return isinstance(statement.body, cst.IndentedBlock) and any(m.matches(one, IMPORTS) for one in statement.body.body)


def names_bound_by(statement: Statement) -> set[str]:
    """Return the names that a statement binds where it stands; of one that runs in scripts only, none."""
    if m.matches(statement, AS_SCRIPT):
        return set()
    return _bound(ast.parse(cst.Module([with_lines(statement, [])]).code))


def _bound(node: ast.AST) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        case ast.Name(ctx=ast.Store()):
            return {node.id}
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return set()
        case _:
            return {name for child in ast.iter_child_nodes(node) for name in _bound(child)}


# Blank lines.


def with_lines(statement: Statement, lines: Lines) -> Statement:
    """Return the statement with these lines above it, blank ones and comments."""
    return statement.with_changes(leading_lines=lines)


def blank(number: int) -> list[cst.EmptyLine]:
    """Return blank lines."""
    return [cst.EmptyLine(indent=False) for _ in range(number)]


def blanks_and_rest(lines: Lines) -> tuple[Lines, Lines]:
    """Return the blank lines that lines begin with, and the lines from the first comment on."""
    end = next((number for number, line in enumerate(lines) if line.comment is not None), len(lines))
    return lines[:end], lines[end:]


def at_least(number: int, lines: Lines) -> Lines:
    """Return the lines, beginning with so many blank ones at least."""
    blanks, _ = blanks_and_rest(lines)
    return [*blank(number - len(blanks)), *lines]
