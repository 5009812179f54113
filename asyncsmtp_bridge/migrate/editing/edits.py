"""Edits: what is to be done in a file so that it awaits its mail, and what is left as it is.

Owns the description, from which nothing follows by itself. It knows neither which edits are safe, nor how a file is
edited.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..findings import Place


class Uneditable(Exception):
    """A file that is valid Python and cannot be edited; what it says is the reason, as a clause.

    Args:
        reason: Why not.
        line: Where in it; None: that cannot be told.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, order=True)
class Span:
    """Where a node of `ast` stands in the text that it was parsed from.

    Args:
        line: From 1 on.
        column: From 0 on, in bytes of UTF-8.
        end_line: The line in which it ends.
        end_column: The column after its last byte.
    """

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, node: ast.expr | ast.stmt) -> Span:
        """Return where a node stands that was parsed from source."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError(f"a node of no source: {ast.dump(node)}")
        return cls(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)

    def __str__(self) -> str:
        return f"{self.line}:{self.column} to {self.end_line}:{self.end_column}"


@dataclass(frozen=True, order=True)
class Import:
    """``from module import name``, at the module's level."""

    module: str
    name: str


@dataclass(frozen=True, order=True)
class Bridge:
    """``name = bridge(source)``, at the module's level.

    Args:
        name: What it is called.
        source: What it is a bridge of.
        after: The names in ``source`` that the module binds, and that must be bound before.
    """

    name: str
    source: str
    after: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name} = bridge({self.source})"


@dataclass(frozen=True)
class Edits:
    """What is to be done in one file.

    Args:
        awaited: Expressions that get an ``await``.
        replaced: Expressions, and the source that takes their place: the function of a call, mostly. One may lie within
            an awaited expression; nothing else can be done within a replaced one.
        entered: ``with`` statements that become ``async with``.
        walked: ``for`` statements that become ``async for``. The ``for`` of a comprehension, which has no place for
            `ast`, is named by what it walks through (`ast.comprehension.iter`).
        imports: What is imported, where it is not yet.
        bridges: What is bridged, where it is not yet.
        unused: Imported names that go when, after all of that, nothing in the file refers to them.
    """

    awaited: frozenset[Span] = frozenset()
    replaced: Mapping[Span, str] = field(default_factory=dict)
    entered: frozenset[Span] = frozenset()
    walked: frozenset[Span] = frozenset()
    imports: tuple[Import, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    unused: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Nothing is to be done."""
        return not any(vars(self).values())

    @property
    def count(self) -> int:
        """In how many lines something is done, the imports that follow from it left aside."""
        lines = {span.line for span in self.awaited | self.replaced.keys() | self.entered | self.walked}
        return len(lines) + len(self.bridges)


@dataclass(frozen=True)
class Left:
    """A call that is left as it is, and goes on blocking.

    Args:
        place: Where it begins.
        source: The line of the source, without the space around it.
        reason: Why it is left, as a clause.
    """

    place: Place
    source: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What is to be done in a project.

    Args:
        edits: For each file in which something is.
        left: What is not, in the order of files and lines.
        notes: What is told once, besides: sentences about what the edits change.
    """

    edits: Mapping[Path, Edits]
    left: tuple[Left, ...]
    notes: tuple[str, ...] = ()
