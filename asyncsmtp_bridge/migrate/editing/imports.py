"""Imports: names that are imported at the top of a module, in the place where people and isort look for them.

Owns which import there is already, and the place of a new one: behind the standard library, in the alphabetical order
of what is from elsewhere, before the project's own. It does not know what the names are for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import cast

import libcst as cst
from libcst import matchers as m
from libcst.helpers import get_full_name_for_node

from .edits import Import
from .layout import (
    IMPORTS,
    Statement,
    at_least,
    belongs_to_imports,
    blank,
    blanks_and_rest,
    end_of_imports,
    first_place,
    with_lines,
    with_own_comments,
)
from .names import by_kind, names_of, with_name


class Section(IntEnum):
    """The sections of imports, in their usual order."""

    FUTURE = 0
    STANDARD = 1
    OTHERS = 2
    PROJECT = 3
    RELATIVE = 4


def with_imports(module: cst.Module, wanted: Sequence[Import], project: frozenset[str]) -> cst.Module:
    """Return the module with names imported at its level, as far as they are not.

    Args:
        module: The module.
        wanted: What is imported.
        project: The top-level packages of the project itself.
    """
    for name in dict.fromkeys(one.module for one in wanted):
        names = list(dict.fromkeys(one.name for one in wanted if one.module == name))
        missing = [one for one in names if import_of(module.body, Import(name, one)) is None]
        if missing:
            module = _with_names(module, name, missing, project)
    return module


def import_of(body: Sequence[Statement], wanted: Import) -> int | None:
    """Return the number of the statement that imports a name at the module's level."""
    for number, statement in enumerate(body):
        for one in _from_imports(statement, wanted.module):
            if any(alias.evaluated_name == wanted.name and alias.asname is None for alias in names_of(one)):
                return number
    return None


def _with_names(module: cst.Module, name: str, missing: Sequence[str], project: frozenset[str]) -> cst.Module:
    for number, statement in enumerate(module.body):
        for existing in _from_imports(statement, name):
            extended = existing
            for one in sorted(missing, key=by_kind):
                extended = with_name(extended, one)
            body = list(module.body)
            body[number] = cast("Statement", statement.deep_replace(existing, extended))
            return module.with_changes(body=body)
    line = cst.parse_statement(f"from {name} import {', '.join(sorted(missing, key=by_kind))}")
    return _with_line(with_own_comments(module), line, name, project)


def _from_imports(statement: Statement, module: str) -> list[cst.ImportFrom]:
    """Return the imports of names from a module in a line."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return []
    return [
        one
        for one in statement.body
        if isinstance(one, cst.ImportFrom) and not one.relative and names_of(one) and _full_name(one.module) == module
    ]


def _full_name(node: cst.CSTNode | None) -> str:
    return (node and get_full_name_for_node(node)) or ""


# A new import.


def _with_line(module: cst.Module, line: Statement, name: str, project: frozenset[str]) -> cst.Module:
    """Return the module with a new line ``from name import ...``."""
    body = list(module.body)
    begin, end = first_place(body), end_of_imports(body)
    sections = {
        number: _section(body[number], project) for number in range(begin, end) if m.matches(body[number], IMPORTS)
    }
    others = _first_run(body, _others(sections))
    earlier = [number for number, section in sections.items() if section < Section.OTHERS]
    first = next((number for number in range(begin, end) if belongs_to_imports(body[number])), None)
    if others:
        _insert_in_order(body, others, line, name)
    elif earlier:
        _insert_behind(body, earlier[-1], line)
    elif first is not None:
        blanks, rest = blanks_and_rest(body[first].leading_lines)
        body[first] = with_lines(body[first], [*blank(1), *rest])
        body.insert(first, with_lines(line, blanks))
    else:
        if begin < len(body):
            wanted = 2 if isinstance(body[begin], (cst.FunctionDef, cst.ClassDef)) else 1
            body[begin] = with_lines(body[begin], at_least(wanted, body[begin].leading_lines))
        body.insert(begin, with_lines(line, blank(1 if begin or module.header else 0)))
    return module.with_changes(body=body)


def _others(sections: Mapping[int, Section]) -> list[int]:
    """Return the imports from elsewhere, without those in a block that the standard library follows in another."""
    numbers = [number for number, section in sections.items() if section is Section.OTHERS]
    standard = [number for number, section in sections.items() if section is Section.STANDARD]
    if not standard:
        return numbers
    block = standard[-1]
    while block - 1 in sections:
        block -= 1
    return [number for number in numbers if number >= block]


def _section(statement: Statement, project: frozenset[str]) -> Section:
    if m.matches(statement, m.SimpleStatementLine(body=[m.ImportFrom(relative=[m.AtLeastN(n=1)]), m.ZeroOrMore()])):
        return Section.RELATIVE
    top = _module_of(statement).partition(".")[0]
    if top == "__future__":
        return Section.FUTURE
    if top in project:
        return Section.PROJECT
    return Section.STANDARD if top in sys.stdlib_module_names else Section.OTHERS


def _first_run(body: Sequence[Statement], numbers: Sequence[int]) -> list[int]:
    """Return the first of the numbers as long as the statements follow each other without a blank line."""
    run = list(numbers[:1])
    for number in numbers[1:]:
        blanks, _ = blanks_and_rest(body[number].leading_lines)
        if number != run[-1] + 1 or blanks:
            break
        run.append(number)
    return run


def _insert_behind(body: list[Statement], number: int, line: Statement) -> None:
    """Insert a line behind a statement, blank lines around it."""
    place = number + 1
    if place < len(body):
        body[place] = with_lines(body[place], at_least(1, body[place].leading_lines))
    body.insert(place, with_lines(line, blank(1)))


def _insert_in_order(body: list[Statement], run: Sequence[int], line: Statement, name: str) -> None:
    """Insert a line ``from name import ...`` into its alphabetical place among lines, behind them if they have none."""
    keys = [_key(body[number]) for number in run]
    new = (True, name.lower())
    if keys != sorted(keys):
        keys, new = [(False, module) for _, module in keys], (False, name.lower())
    place = sum(key < new for key in keys) if keys == sorted(keys) else len(keys)
    if place:
        body.insert(run[place - 1] + 1, line)
        return
    blanks, rest = blanks_and_rest(body[run[0]].leading_lines)
    body[run[0]] = with_lines(body[run[0]], rest)
    body.insert(run[0], with_lines(line, blanks))


def _key(statement: Statement) -> tuple[bool, str]:
    """Return what isort and ruff order lines by: those that import modules first."""
    imports_names = m.matches(statement, m.SimpleStatementLine(body=[m.ImportFrom(), m.ZeroOrMore()]))
    return imports_names, _module_of(statement).lower()


def _module_of(statement: Statement) -> str:
    """Return the module that a line of imports begins with."""
    first = statement.body.body[0] if isinstance(statement.body, cst.BaseSuite) else statement.body[0]
    if isinstance(first, cst.Import):
        return first.names[0].evaluated_name
    return _full_name(first.module) if isinstance(first, cst.ImportFrom) else ""
