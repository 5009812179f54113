"""Objects: what a coroutine makes and uses, taken over as a whole.

Owns which calls and uses belong together: all that is made for one variable, and all that is done with it. Whether that
can be awaited is `asyncsmtp_bridge.migrate.planning.sessions`' to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from ..analysis.blocking import Step
from ..analysis.program import Function, Kind
from ..analysis.values import Instance
from ..editing.edits import Span
from ..scanning.mends import Parents
from .callees import Callees
from .drafts import Draft
from .members import MIRRORS
from .places import Unsafe
from .sessions import Making, Sessions, Uses


class Objects:
    """The objects that one coroutine function makes.

    Args:
        function: The function.
        sessions: What is safe.
        callees: How classes are bridged.
        parents: What each node of the module stands in.
        steps: The steps that the function takes.
    """

    def __init__(
        self,
        function: Function,
        sessions: Sessions,
        callees: Callees,
        parents: Parents,
        steps: Mapping[ast.AST, Step],
    ) -> None:
        self._function = function
        self._sessions = sessions
        self._callees = callees
        self._parents = parents
        self._steps = steps
        self.reasons: dict[ast.expr, str] = {}
        """Why steps are left."""
        self.told: set[ast.expr] = set()
        """The steps that are taken with objects of the function's own."""

    def drafts(self) -> Iterator[Draft]:
        """Yield the edits for each object that can be taken over; the others have their reasons told."""
        for makings in self._groups():
            about = self._about(makings)
            self.told |= about
            try:
                draft = self._draft(makings)
            except Unsafe as unsafe:
                self.reasons.update(dict.fromkeys(about, str(unsafe)))
            else:
                yield draft

    def _groups(self) -> list[list[Making]]:
        """Return what is made, by the variables that it is made for."""
        by_name: dict[str, list[Making]] = {}
        single: list[list[Making]] = []
        spoilt: dict[str, str] = {}
        for call in self._function.own_nodes:
            if not isinstance(call, ast.Call) or not self._is_of_interest(call):
                continue
            self.told.add(call)
            try:
                making = self._sessions.making(call)
            except Unsafe as unsafe:
                self.reasons[call] = str(unsafe)
                spoilt.update(dict.fromkeys(self._sessions.names_of(call), str(unsafe)))
                continue
            if making.variable:
                by_name.setdefault(making.variable, []).append(making)
            else:
                single.append([making])
        for name, reason in spoilt.items():
            about = self._on(name) | {each.call for each in by_name.pop(name, ())}
            self.told |= about
            self.reasons.update(dict.fromkeys(about, reason))
        return [*by_name.values(), *single]

    def _is_of_interest(self, call: ast.Call) -> bool:
        """Whether a call makes an object that blocks: in being made, or later, if it is a session."""
        kinds = self._sessions.made_by(call)
        return bool(kinds) and (call in self._steps or any(map(self._sessions.is_session, kinds)))

    def _on(self, name: str) -> set[ast.expr]:
        """Return the steps that are taken on what a variable holds."""
        found: set[ast.expr] = set()
        for step in self._steps.values():
            root = step.node.func if isinstance(step.node, ast.Call) else step.node
            if isinstance(root, ast.Attribute):
                root = root.value
            is_on_object = isinstance(step.receiver, Instance) or step.node is root
            if isinstance(root, ast.Name) and root.id == name and is_on_object:
                found.add(step.node)
        return found

    def _about(self, makings: Sequence[Making]) -> set[ast.expr]:
        """Return the steps that are taken in making, using and leaving an object."""
        found: set[ast.expr] = {making.call for making in makings if making.call in self._steps}
        if makings[0].variable:
            return found | self._on(makings[0].variable)
        attribute = self._parents[makings[0].call]
        used = (attribute, self._parents.get(attribute)) if isinstance(attribute, ast.Attribute) else ()
        return found | {each for each in used if isinstance(each, ast.expr) and each in self._steps}

    # The edits for one of them.

    def _draft(self, makings: Sequence[Making]) -> Draft:
        drafted = Draft(self._about(makings))
        for making in makings:
            if isinstance(self._parents[making.call], ast.withitem):
                if making.variable:
                    self._sessions.check_entered(making)
                self._callees.enter(making.call, drafted)
            else:
                drafted.awaited.add(Span.of(making.call))
        uses = self._uses(makings)
        for making in makings:
            drafted.replaced[Span.of(making.call.func)] = self._maker(making, uses, drafted)
        for each in uses.awaited:
            drafted.awaited.add(Span.of(each))
        for each in uses.entered:
            self._callees.enter(each, drafted)
        for each in uses.walked:
            self._callees.walk(each, drafted)
        for each in uses.annotations:
            drafted.replaced[Span.of(each)] = self._annotation(makings[0].kinds[0], drafted)
        self._note_tls(makings, uses, drafted)
        return drafted

    def _uses(self, makings: Sequence[Making]) -> Uses:
        if makings[0].variable:
            return self._sessions.uses(makings[0].variable, makings)
        uses = Uses()
        for making in makings:
            parent = self._parents[making.call]
            if isinstance(parent, ast.Attribute):
                self._sessions.member(parent, making.kinds, uses)
        return uses

    def _maker(self, making: Making, uses: Uses, drafted: Draft) -> str:
        """Return what makes the object now, in place of the class."""
        if not making.mirror:
            return self._callees.bridged(making.call.func, drafted, frozenset(uses.properties))
        mirror = MIRRORS[making.mirror].__name__
        self._callees.need(mirror, drafted)
        root = making.call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            drafted.unused.add(root.id)
        return mirror

    def _annotation(self, kind: Kind, drafted: Draft) -> str:
        session = self._sessions.session_of(kind)
        if not session:
            raise Unsafe(f"its variable is annotated as {kind.name}, and would hold a proxy of one")
        self._callees.need(MIRRORS[session].__name__, drafted)
        return MIRRORS[session].__name__

    def _note_tls(self, makings: Sequence[Making], uses: Uses, drafted: Draft) -> None:
        """Note what is verified from now on: smtplib takes any certificate if it is given no context."""
        for making in makings:
            kind = making.kinds[0]
            if not making.mirror and kind.node is None:
                return  # a session of this package's, which verifies as it is
            if self._sessions.takes_context(kind) and _has_no_context(making.call):
                drafted.unverified.add(making.call)
        for each in uses.awaited if self._sessions.is_session(makings[0].kinds[0]) else ():
            called = each.func if isinstance(each, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "starttls" and _has_no_context(each):
                drafted.unverified.add(each)


def _has_no_context(call: ast.expr) -> bool:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    given = [each.value for each in keywords if each.arg in ("context", None)]
    return all(isinstance(each, ast.Constant) and each.value is None for each in given)
