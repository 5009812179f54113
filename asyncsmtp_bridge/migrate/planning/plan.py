"""The plan: the edits that make the coroutines of a project await their mail, and what is left as it is.

Owns what takes the place of each call that blocks an event loop. smtplib's sessions become mirrors; functions of the
project, and methods of its objects, are called through a bridge. Nothing is done to code that is not a coroutine's.
What cannot be done safely is left, with the reason: it is better found again by a scan than broken.

A second plan of what was edited has no edits.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..analysis.blocking import Blocking, Step
from ..analysis.inference import Inference
from ..analysis.program import Function, Module
from ..editing.edits import Edits, Import, Left, Plan, Span
from ..findings import Place
from ..lines import Lines
from ..scanning.mends import parents_of
from ..scanning.scan import dotted, steps_on_the_loop
from .callees import Callees
from .drafts import Draft, settled
from .naming import OURS, Naming
from .objects import Objects
from .places import Unsafe
from .sessions import Sessions
from .sharing import Sharing
from .threads import Threads

if TYPE_CHECKING:
    from pathlib import Path

    from ..sources import Source


def plan(sources: Iterable[Source], wrappers: Sequence[str] = ()) -> Plan:
    """Return the edits for a project.

    Args:
        sources: Its modules.
        wrappers: Classes and functions that are known to block, as for `asyncsmtp_bridge.migrate.scanning.scan.scan`.

    Raises:
        ValueError: A wrapper is not named as ``package.module:Name``.
    """
    inference = Inference(sources, [dotted(each) for each in wrappers])
    blocking = Blocking(inference)
    sharing = Sharing(inference, blocking)
    threads = Threads(inference)
    edits: dict[Path, Edits] = {}
    left: list[Left] = []
    verifying: list[Place] = []
    for module in inference.modules:
        planned = _ModulePlan(module, inference, blocking, sharing, threads)
        planned.make()
        left += planned.left
        verifying += planned.verifying()
        made = planned.edits()
        if not made.is_empty:
            edits[module.source.path] = made
    return Plan(edits, tuple(sorted(left, key=lambda each: each.place)), _notes(verifying))


def _notes(verifying: Sequence[Place]) -> tuple[str, ...]:
    if not verifying:
        return ()
    number = len(verifying)
    sessions = (
        "1 session verifies its server's certificate"
        if number == 1
        else (f"{number} sessions verify their servers' certificates")
    )
    places = ", ".join(map(str, sorted(verifying)))
    return (
        f"{sessions} from now on, as smtplib does not where it is given no context: {places}. For a CA of your own, "
        "call asyncsmtp_bridge.configure(tls_context=...) once",
    )


class _ModulePlan:
    """The plan of one module."""

    def __init__(
        self, module: Module, inference: Inference, blocking: Blocking, sharing: Sharing, threads: Threads
    ) -> None:
        self._module = module
        self._inference = inference
        self._blocking = blocking
        self._sharing = sharing
        self._threads = threads
        self._lines = Lines(module.source.text)
        self._naming = Naming(module, inference)
        self._drafted = Draft(set())
        self.left: list[Left] = []

    def make(self) -> None:
        """Plan the edits."""
        steps = list(steps_on_the_loop(self._module, self._blocking))
        if not steps:
            return
        self._parents = parents_of(self._module.source.tree)
        reasons: dict[ast.expr, str] = {}
        for function in dict.fromkeys(function for function, _ in steps):
            if function is not None and function.is_async:
                own = [step for holder, step in steps if holder is function and not step.is_given]
                self._plan_function(function, own, reasons)
        for function, step in steps:
            if step.is_given:
                reasons[step.node] = "the event loop calls it: start a task that awaits it instead"
            if step.node not in self._drafted.about:
                self.left.append(Left(self._place(step.node, function), self._source(step.node), reasons[step.node]))

    def _plan_function(self, function: Function, steps: Sequence[Step], reasons: dict[ast.expr, str]) -> None:
        by_node: dict[ast.AST, Step] = {step.node: step for step in steps}
        sessions = Sessions(function, self._inference, self._parents, self._lines, by_node.keys())
        callees = Callees(
            function, self._inference, self._parents, self._lines, self._naming, self._sharing, self._threads
        )
        objects = Objects(function, sessions, callees, self._parents, by_node)
        drafts = list(objects.drafts())
        reasons.update(objects.reasons)
        for step in steps:
            if step.node in objects.told:
                continue
            try:
                drafts.append(callees.draft(step))
            except Unsafe as unsafe:
                reasons[step.node] = str(unsafe)
        kept, refused = settled(drafts)
        for draft, reason in refused:
            reasons.update(dict.fromkeys(draft.about, reason))
        for draft in kept:
            self._drafted.add(draft)

    def edits(self) -> Edits:
        """Return what was planned."""
        drafted = self._drafted
        return Edits(
            frozenset(drafted.awaited),
            drafted.replaced,
            frozenset(Span.of(statement) for statement in drafted.entered),
            frozenset(drafted.walked),
            tuple(Import(OURS, name) for name in sorted(drafted.imports)),
            tuple(sorted(drafted.bridges)),
            frozenset() if self._module.is_package else frozenset(drafted.unused - self._used_by_others()),
        )

    def _used_by_others(self) -> set[str]:
        """Return the names that other modules of the project take from this one."""
        found: set[str] = set()
        for module in self._inference.modules:
            for scope in (module.scope, *(each.scope for each in module.functions)):
                names = [
                    bound.what for several in scope.bindings.values() for bound in several if bound.how == "import"
                ]
                names += [f"{origin}.*" for origin in scope.stars]
                for dotted_name in names:
                    origin, _, last = dotted_name.rpartition(".")
                    if self._module in self._inference.resolved(origin, module):
                        found |= self._drafted.unused if last == "*" else {last}
            for node in ast.walk(module.source.tree) if self._drafted.unused else ():
                if isinstance(node, ast.Attribute) and node.attr in self._drafted.unused:
                    found |= {node.attr} if module is not self._module else set()
        return found

    def verifying(self) -> list[Place]:
        """Return where connections are secured, which were not verified before."""
        return [self._place(each) for each in self._drafted.unverified]

    def _place(self, node: ast.expr, function: Function | None = None) -> Place:
        line, column = self._lines.begin(node)
        name = "<module>" if function is None else function.qualname
        return Place(self._module.source.path, line, column + 1, name)

    def _source(self, node: ast.expr) -> str:
        return self._lines.line(node.lineno).strip()
