"""Mends: the line that would not block.

Owns what is written in place of a step: on the bridge, or on the mirror. It is a suggestion for people; the edits
themselves are planned in `asyncsmtp_bridge.migrate.planning.plan`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from ..analysis.blocking import Step
from ..analysis.decorators import last_name
from ..analysis.program import Kind
from ..analysis.values import Instance
from ..lines import Lines

Parents = Mapping[ast.AST, ast.AST]


def parents_of(root: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return what each node below another one stands in."""
    return {child: node for node in ast.walk(root) for child in ast.iter_child_nodes(node)}


def is_entered(node: ast.expr, parents: Parents) -> bool:
    """Whether it is what a ``with`` statement enters."""
    return isinstance(parents.get(node), ast.withitem)


def binds_tighter(node: ast.expr, parent: ast.AST | None) -> bool:
    """Whether what stands around an expression would take only a part of ``await expression`` for its own."""
    if isinstance(parent, (ast.Attribute, ast.Subscript)):
        return parent.value is node
    if isinstance(parent, ast.Call):
        return parent.func is node
    return isinstance(parent, ast.Await) or (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow))


def mended(step: Step, lines: Lines, parents: Parents) -> str:
    """Return the source that would mend a step: its line, or what comes nearest to it."""
    node = step.node
    entered = is_entered(node, parents)
    before, after = lines.around(node)
    if step.is_given:
        return f"{before}...{after}  # where a task awaits bridge({lines.source(node)})(...)"
    chain = _chain(step, parents)
    if chain is not None:
        maker, call = chain
        before, after = lines.around(call)
        called = lines.source(call)[len(lines.source(maker)) :] if call.lineno == call.end_lineno else "(...)"
        return f"{before}await (await {_made(maker, step, lines)}){called}{after}"
    made = _awaited(step, lines)
    if entered:
        return re.sub(r"^with\b", "async with", f"{before}{made}{after}")
    parent = parents.get(node)
    if step.called is not None and step.called.is_generator and isinstance(parent, (ast.For, ast.comprehension)):
        return re.sub(r"\bfor\b", "async for", f"{before}{made}{after}", count=1)
    awaited = f"await {made}"
    return f"{before}({awaited}){after}" if binds_tighter(node, parent) else f"{before}{awaited}{after}"


def _awaited(step: Step, lines: Lines) -> str:
    """Return the expression that is awaited, or entered with ``async with``, in place of a step."""
    node = step.node
    if step.is_entered:
        return lines.source(node) if step.session else f"bridge({lines.source(node)})"
    if isinstance(node, ast.Attribute):
        return f'bridge({lines.source(node.value)}, awaitable=("{node.attr}",)).{node.attr}'
    if not isinstance(node, ast.Call):
        return lines.source(node)
    if step.session and isinstance(step.receiver, Instance):
        return f"{lines.source(node.func)}{_arguments(node, lines)}"
    return _made(node, step, lines)


def _made(call: ast.Call, step: Step, lines: Lines) -> str:
    """Return what is called in place of a function or a class."""
    receiver = step.receiver
    kind = receiver if isinstance(receiver, Kind) else receiver.kind if isinstance(receiver, Instance) else None
    if step.session and kind is not None and kind.session and not step.is_chosen:
        return f"Async{kind.session}{_arguments(call, lines)}"
    return f"bridge({lines.source(call.func)}){_arguments(call, lines)}"


def _arguments(call: ast.Call, lines: Lines) -> str:
    # On one line comments would swallow what follows, and texts of several lines would be others.
    return lines.source(call)[len(lines.source(call.func)) :] if call.lineno == call.end_lineno else "(...)"


def _chain(step: Step, parents: Parents) -> tuple[ast.Call, ast.Call] | None:
    """Return the call that makes a session and that of its method, where one stands on the other."""
    node = step.node
    if not step.session or step.is_entered or not isinstance(node, ast.Call):
        return None
    if isinstance(step.receiver, Kind):
        attribute = parents.get(node)
        call = parents.get(attribute) if isinstance(attribute, ast.Attribute) else None
        return (node, call) if isinstance(call, ast.Call) and call.func is attribute else None
    if (
        not isinstance(step.receiver, Instance)
        or not step.receiver.is_exact
        or not isinstance(node.func, ast.Attribute)
    ):
        return None
    maker = node.func.value
    is_maker = isinstance(maker, ast.Call) and last_name(maker.func) == step.receiver.kind.name
    return (maker, node) if isinstance(maker, ast.Call) and is_maker else None
