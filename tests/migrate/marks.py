"""Marks: what the legacy modules say of themselves, ``# blocks`` on each line with a call that blocks a loop.

Owns how marks are read, and which mark a line belongs to that was seen to block: a call may stretch over several lines,
and versions of Python differ in the one that they name. It does not know how lines are seen.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

LEGACY = Path(__file__).parent / "legacy"
PACKAGE = "corpmail"

Line = tuple[str, int]
"""A path relative to the folder, and a line."""

MARK = re.compile(r"# blocks(?: (\d+))?$", re.MULTILINE)
_CALLBACK = re.compile(r"\.(call_soon|call_soon_threadsafe|call_later|call_at|add_done_callback|add_signal_handler)\(")


def sources(folder: Path) -> dict[str, str]:
    """The source of every module in a folder, by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(folder.rglob("*.py"))}


def marks(folder: Path = LEGACY) -> Counter[Line]:
    """How many calls on each marked line block an event loop."""
    found: Counter[Line] = Counter()
    for path, source in sources(folder).items():
        for number, line in enumerate(source.splitlines(), 1):
            if mark := MARK.search(line):
                found[path, number] = int(mark[1] or 1)
    return found


class Book:
    """Says which of some lines a line that was seen belongs to.

    Args:
        folder: What the paths are relative to.
        lines: The lines: marked ones, or those that a tool has named.
    """

    def __init__(self, folder: Path, lines: set[Line]) -> None:
        self._sources = {path: source.splitlines() for path, source in sources(folder).items()}
        self._lines = lines
        trees = {path: list(ast.walk(ast.parse(source))) for path, source in sources(folder).items()}
        self._calls = {
            path: [(node.lineno, node.end_lineno or node.lineno) for node in tree if isinstance(node, ast.Call)]
            for path, tree in trees.items()
        }
        # Up to 3.12, what is left at the end of a ``with`` over several lines is left on its first line.
        self._entered = {
            path: [
                (node.lineno, item.context_expr.lineno)
                for node in tree
                if isinstance(node, (ast.With, ast.AsyncWith))
                for item in node.items
            ]
            for path, tree in trees.items()
        }

    def line_of(self, path: str, seen: int) -> Line | None:
        """The line itself, or where the innermost call around it begins, or what the ``with`` there enters."""
        inwards = sorted((last - first, first) for first, last in self._calls[path] if first <= seen <= last)
        entered = [first for head, first in self._entered[path] if head == seen]
        for first in [seen, *(first for _, first in inwards), *entered]:
            if (path, first) in self._lines:
                return path, first
        return None

    def callbacks_of(self, path: str, name: str, begins: int) -> set[Line]:
        """The lines that may have handed a function to the loop: a lambda's own, or those that name the function."""
        if name == "<lambda>":
            return {(path, begins)} & self._lines
        word = re.compile(rf"\b{re.escape(name)}\b")
        return {line for line in self._lines if _CALLBACK.search(self.text(line)) and word.search(self.text(line))}

    def text(self, line: Line) -> str:
        path, number = line
        return self._sources[path][number - 1]
