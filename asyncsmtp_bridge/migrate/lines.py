"""Lines: the text of a file by the positions that `ast` gives.

Owns what a line is for Python's parser, and the difference between its columns (octets of UTF-8) and those that people
and editors count (characters).
"""

from __future__ import annotations

import ast
import re


class Lines:
    """The lines of a text.

    Args:
        text: The text, as `ast` was given it.
    """

    def __init__(self, text: str) -> None:
        # Not splitlines(): that takes a form feed, and more, for an end.
        self._lines = re.split(r"\r\n|\r|\n", text)

    def line(self, number: int) -> str:
        """Return a line, from 1 on, without its end."""
        return self._lines[number - 1]

    def column(self, number: int, offset: int) -> int:
        """Return the column in characters, from 0 on, for one in octets."""
        line = self.line(number)
        return (
            offset if line.isascii() else len(line.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "replace"))
        )

    def begin(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins: its line, and its column in characters from 0 on."""
        return node.lineno, self.column(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node ends: its last line, and the column after its last character, from 0 on."""
        line = node.end_lineno or node.lineno
        return line, self.column(line, node.end_col_offset or 0)

    def source(self, node: ast.expr | ast.stmt) -> str:
        """Return the source of a node, on one line."""
        (first, start), (last, end) = self.begin(node), self.end(node)
        if first == last:
            return self.line(first)[start:end]
        parts = [self.line(first)[start:], *map(self.line, range(first + 1, last)), self.line(last)[:end]]
        return " ".join(part.strip() for part in parts)

    def around(self, node: ast.expr | ast.stmt) -> tuple[str, str]:
        """Return what stands before a node on its first line, and after it on its last one."""
        (first, start), (last, end) = self.begin(node), self.end(node)
        after = self.line(last)[end:].rstrip()
        without_comment = re.fullmatch(r"([^#\"']*?)\s*#.*", after)
        return self.line(first)[:start].lstrip(), after if without_comment is None else without_comment[1]
