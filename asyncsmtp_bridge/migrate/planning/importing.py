"""Importing: what is bound when a module has run, and whether a module may run while another one is unfinished.

Owns the order of things at import. It does not know what is made with them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..analysis.inference import Inference
from ..analysis.program import Module


def is_bound_at_last(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether one statement of a module binds a name in any case, and no other one does it again."""
    binding = [each for each in body if _binds(each, name, surely=False)]
    return len(binding) == 1 and _binds(binding[0], name, surely=True)


def _binds(statement: ast.stmt, name: str, *, surely: bool) -> bool:
    """Whether a definition or an import in a statement binds a name: in any case, or perhaps."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return statement.name == name and not _is_overload(statement)
        case ast.Import() | ast.ImportFrom():
            return any((each.asname or each.name.partition(".")[0]) == name for each in statement.names)
    ways = list(_ways(statement))
    bound = [any(_binds(each, name, surely=surely) for each in way) for way in ways]
    return bool(bound) and (all(bound) if surely else any(bound))


def _ways(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield what is run of a statement, in each of the ways that it may go and be left."""
    match statement:
        case ast.If():
            yield statement.body
            yield statement.orelse
        case ast.Try():
            yield [*statement.body, *statement.orelse, *statement.finalbody]
            for each in statement.handlers:
                if not isinstance(each.body[-1], ast.Raise):
                    yield [*each.body, *statement.finalbody]
        case ast.With():
            yield statement.body
        case ast.For() | ast.While():
            yield statement.body
            yield []


def _is_overload(statement: ast.stmt) -> bool:
    decorators = getattr(statement, "decorator_list", [])
    return any(ast.unparse(each).rpartition(".")[2] == "overload" for each in decorators)


def may_be_unfinished(wanted: Module, importer: Module, inference: Inference) -> bool:
    """Whether a module imports another one in its turn, and may not have run to its end when that one is run."""
    seen: set[Module] = set()
    waiting = [wanted]
    while waiting:
        module = waiting.pop()
        if module is importer:
            return True
        if module not in seen:
            seen.add(module)
            waiting += _imported_by(module, inference)
    return False


def _imported_by(module: Module, inference: Inference) -> Iterator[Module]:
    names = {bound.what for bindings in module.scope.bindings.values() for bound in bindings if bound.how == "import"}
    names |= set(module.scope.stars)
    names |= {alias.name for each in module.source.tree.body if isinstance(each, ast.Import) for alias in each.names}
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            for value in inference.resolved(".".join(parts[:end])):
                if isinstance(value, Module) and value is not module:
                    yield value
