"""The scan: every call in the source that blocks an event loop.

Owns which steps are findings: those that are taken in a coroutine, and what is given to an event loop to be called
there. How steps are found is `asyncsmtp_bridge.migrate.analysis.blocking`'s business, and how findings are shown is
`asyncsmtp_bridge.migrate.scanning.reports`'.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..analysis.blocking import Blocking, Step
from ..analysis.inference import Inference, scopes_of
from ..analysis.program import Function, Kind, Module
from ..findings import Finding, Place, Way, fingerprint
from ..lines import Lines
from .mends import Parents, mended, parents_of

if TYPE_CHECKING:
    from ..sources import Source


def dotted(wrapper: str) -> str:
    """Return the name of a wrapper that was given as ``package.module:Name``.

    Raises:
        ValueError: It is no such name.
    """
    module, separator, name = wrapper.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if not separator or not all(part.isidentifier() for part in parts):
        raise ValueError(f"a wrapper is named by its module and its name, as in corp.mail:CorpMailer, not {wrapper!r}")
    return ".".join(parts)


def scan(sources: Iterable[Source], wrappers: Sequence[str] = ()) -> list[Finding]:
    """Return the calls in a project that block an event loop, in the order of files and lines.

    Args:
        sources: The modules of the project.
        wrappers: Classes and functions that are known to block, as ``corp.mail:CorpMailer``: of a class every public
            method. They need not be in the project.

    Raises:
        ValueError: A wrapper is not named like that.
    """
    inference = Inference(sources, [dotted(each) for each in wrappers])
    blocking = Blocking(inference)
    found: list[Finding] = []
    for module in inference.modules:
        found += findings_in(module, blocking)
    return sorted(
        found, key=lambda each: (each.place.path, each.place.line, each.place.column, each.end_line, each.end_column)
    )


def steps_on_the_loop(module: Module, blocking: Blocking) -> Iterator[tuple[Function | None, Step]]:
    """Yield the steps of a module that an event loop takes, each with the function that it stands in."""
    for function in module.functions:
        if function.is_async:
            for step in blocking.steps(function):
                yield function, step
    told: set[ast.AST] = set()
    for scope, nodes in scopes_of(module):
        for step in blocking.callbacks(nodes, scope):
            if step.node not in told:
                told.add(step.node)
                yield (scope.holder if isinstance(scope.holder, Function) else None), step


def findings_in(module: Module, blocking: Blocking) -> list[Finding]:
    """Return the findings of one module."""
    steps = list(steps_on_the_loop(module, blocking))
    if not steps:
        return []
    lines, parents = Lines(module.source.text), parents_of(module.source.tree)
    # What is done first, first: of a call on the result of another one, that one.
    steps.sort(key=lambda each: (lines.begin(each[1].node), lines.end(each[1].node)))
    found: list[Finding] = []
    for function, step in steps:
        name = "<module>" if function is None else function.qualname
        mark = fingerprint(module.source.path, name, ast.unparse(step.node), [each.fingerprint for each in found])
        line, column = lines.begin(step.node)
        end_line, end_column = lines.end(step.node)
        found.append(
            Finding(
                place=Place(module.source.path, line, column + 1, name),
                end_line=end_line,
                end_column=end_column + 1,
                source=lines.line(line).strip(),
                does=_what(step),
                way=_way(step, parents),
                mend=mended(step, lines, parents),
                trace=tuple(_trace(step, blocking)),
                fingerprint=mark,
            )
        )
    return found


def _what(step: Step) -> str:
    if step.called is None:
        return step.does
    verb = {True: "gives the loop", False: "calls"}[step.is_given]
    if step.is_entered:
        verb = "enters"
    name = step.called.qualname if step.called.kind is not None else step.called.name
    return f"{verb} {name}(), which {step.does}"


def _way(step: Step, parents: Parents) -> Way:
    if not step.session:
        return Way.BRIDGE
    node: ast.AST | None = step.node
    while isinstance(step.receiver, Kind) and node is not None:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.comprehension, ast.ListComp)):
            return Way.MAILER
        node = None if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else parents.get(node)
    return Way.MIRROR


def _trace(step: Step, blocking: Blocking) -> Iterator[Place]:
    lines: dict[Module, Lines] = {}
    for function, inner in blocking.trace(step):
        of = lines.setdefault(function.module, Lines(function.module.source.text))
        line, column = of.begin(inner.node)
        yield Place(function.module.source.path, line, column + 1, function.qualname)
