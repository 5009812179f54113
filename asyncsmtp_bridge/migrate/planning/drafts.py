"""Drafts: edits that belong together, until it is known that nothing stands against them.

Owns what cannot be done at the same time: half of a ``with`` statement, and an edit within what is replaced as a whole.
It does not know what the edits are for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..editing.edits import Bridge, Span

HALF = "its with statement enters something else, too, that is not awaited: give it a with statement of its own"
CHAINED = "it is called on what another call gives: give that a name first"


@dataclass(eq=False)
class Draft:
    """Edits that are made all, or not at all.

    Args:
        about: The expressions that block, and would no longer.
    """

    about: set[ast.expr]
    awaited: set[Span] = field(default_factory=set)
    replaced: dict[Span, str] = field(default_factory=dict)
    entered: dict[ast.With, set[ast.expr]] = field(default_factory=dict)
    walked: set[Span] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    bridges: set[Bridge] = field(default_factory=set)
    unused: set[str] = field(default_factory=set)
    unverified: set[ast.expr] = field(default_factory=set)
    """What secures a connection without a word about certificates, and will verify them."""

    def add(self, other: Draft) -> None:
        """Take over all of another one."""
        for statement, entered in other.entered.items():
            self.entered.setdefault(statement, set()).update(entered)
        for name, value in vars(self).items():
            if name != "entered":
                value.update(getattr(other, name))

    def spans(self) -> Iterator[Span]:
        """Yield the places that it edits."""
        yield from self.awaited
        yield from self.replaced
        yield from self.walked


def settled(drafts: list[Draft]) -> tuple[list[Draft], list[tuple[Draft, str]]]:
    """Return the drafts that can be made together, and the others, each with the reason."""
    kept, refused = list(drafts), list[tuple[Draft, str]]()
    while True:
        entered = {node for draft in kept for nodes in draft.entered.values() for node in nodes}
        spans = [(span, draft) for draft in kept for span in draft.spans()]
        problems = [(draft, problem) for draft in kept if (problem := _problem(draft, entered, spans))]
        if not problems:
            return kept, refused
        refused += problems
        kept = [draft for draft in kept if draft not in {each for each, _ in problems}]


def _problem(draft: Draft, entered: set[ast.expr], spans: list[tuple[Span, Draft]]) -> str:
    if any(item.context_expr not in entered for statement in draft.entered for item in statement.items):
        return HALF
    for outer in draft.replaced:
        if any(_is_within(span, outer) for span, other in spans if other is not draft or span != outer):
            return CHAINED
    return ""


def _is_within(inner: Span, outer: Span) -> bool:
    begins = (outer.line, outer.column) <= (inner.line, inner.column)
    return inner != outer and begins and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
