"""Bridges at a module's level: ``async_send = bridge(send)``, below all that they need.

Owns their place and the blank lines around them. It does not know what is bridged, or why.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import libcst as cst
from libcst import matchers as m

from .edits import Bridge, Import
from .imports import import_of
from .layout import (
    Statement,
    belongs_to_imports,
    blank,
    defines_coroutine_function,
    end_of_imports,
    end_of_imports_from,
    has_docstring,
    names_bound_by,
    with_lines,
    with_own_comments,
)

BRIDGE = m.SimpleStatementLine(
    body=[m.Assign(targets=[m.AssignTarget(target=m.Name())], value=m.Call(func=m.Name("bridge")))]
)


def with_bridges(module: cst.Module, bridges: Sequence[Bridge], imports: Sequence[Import]) -> cst.Module:
    """Return the module with bridges made at its level, as far as they are not.

    Args:
        module: The module, which imports what is to be imported.
        bridges: What is bridged.
        imports: What was imported for that.

    Raises:
        ValueError: A name that a bridge needs is bound nowhere in the module.
    """
    for one in sorted(bridges):
        line = cst.parse_statement(str(one))
        if not any(statement.deep_equals(with_lines(line, statement.leading_lines)) for statement in module.body):
            module = _with_bridge(with_own_comments(module), line, one, imports)
    return module


def _with_bridge(module: cst.Module, line: Statement, bridge: Bridge, imports: Sequence[Import]) -> cst.Module:
    body = list(module.body)
    place = max(
        [
            end_of_imports(body),
            *(number + 1 for one in imports if (number := import_of(body, one)) is not None),
            *(number + 1 for number in _needs(body, bridge)),
        ]
    )
    place = _behind_imports(place, body)
    # Bridges that are there already, made in an order.
    there = list(takewhile(lambda one: m.matches(one, BRIDGE), body[place:]))
    later = [number for number, one in enumerate(there) if _code(one) > _code(line)]
    number = later[0] if later else len(there)
    if number < len(there) and not number:
        # It becomes the first of them, and the blank lines above them are above it.
        lines = there[0].leading_lines
        body[place] = with_lines(body[place], [])
        body.insert(place, with_lines(line, lines))
        return module.with_changes(body=body)
    place += number
    above = blank(0 if number else _blank_lines_below(body[:place]))
    body.insert(place, with_lines(line, above))
    return module.with_changes(body=body)


def _behind_imports(place: int, body: Sequence[Statement]) -> int:
    """Return the place itself, or one behind the imports in the midst of which it is.

    Below a coroutine function may be what runs it, and so needs the bridge: only imports are passed by then.
    """
    if not any(defines_coroutine_function(statement) for statement in body[:place]):
        return end_of_imports_from(place, body)
    if belongs_to_imports(body[place - 1]):
        place += len(list(takewhile(belongs_to_imports, body[place:])))
    return place


def _needs(body: Sequence[Statement], bridge: Bridge) -> list[int]:
    """Return the numbers of the statements that bind what a bridge needs."""
    bound = [names_bound_by(statement) for statement in body]
    missing = bridge.after - frozenset[str]().union(*bound)
    if missing:
        raise ValueError(f"nothing in the module binds {', '.join(sorted(missing))}, which '{bridge}' needs")
    return [number for number, names in enumerate(bound) if names & bridge.after]


def _code(statement: Statement) -> str:
    return cst.Module([with_lines(statement, [])]).code


def _blank_lines_below(body: Sequence[Statement]) -> int:
    """Return how many blank lines black and ruff have between what stands there and a simple statement."""
    if not body:
        return 0
    if _ends_in_definition(body[-1]):
        return 2
    if len(body) == 1 and has_docstring(body):
        return 1
    return int(belongs_to_imports(body[-1]) or not isinstance(body[-1], cst.SimpleStatementLine))


def _ends_in_definition(statement: Statement) -> bool:
    return isinstance(statement, (cst.FunctionDef, cst.ClassDef)) or (
        not isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body, cst.IndentedBlock)
        and any(isinstance(one, (cst.FunctionDef, cst.ClassDef)) for one in statement.body.body)
    )
