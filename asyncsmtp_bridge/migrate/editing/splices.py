"""Splices: what is inserted into a text, or takes the place of a part of it.

Owns the order of what is inserted in one place. It does not know what the text means.
"""

from __future__ import annotations

from ..sources import NEWLINE


class Splices:
    """A text, and what is to be done to it.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(end.end() for end in NEWLINE.finditer(text))]
        # The offset; ends before begins; the inner end first, the outer begin first; the offset behind it; the text.
        self._splices: list[tuple[int, int, int, int, str]] = []

    def offset(self, line: int, column: int) -> int:
        """Return the number of characters before a place; lines count from 1 on, columns from 0 on."""
        return self._starts[line - 1] + column

    def around(self, begin: int, end: int, before: str, after: str) -> None:
        """Put something before and after a part of the text, within what is put around greater parts."""
        self._splices.append((begin, 1, begin - end, begin, before))
        self._splices.append((end, 0, end - begin, end, after))

    def instead(self, begin: int, end: int, new: str) -> None:
        """Put something in the place of a part of the text."""
        self._splices.append((begin, 2, 0, end, new))

    def applied(self) -> str:
        """Return the text with all of it done."""
        parts: list[str] = []
        place = 0
        for begin, _, _, end, new in sorted(self._splices):
            parts += self._text[place:begin], new
            place = end
        return "".join([*parts, self._text[place:]])
