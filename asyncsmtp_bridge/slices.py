"""Slices: large texts as they go over the wire, a piece at a time.

Owns line ends, dot-stuffing and the slicing. No step reads more than `STEP` characters, so that none holds the GIL for
long, and none needs memory for more. It does not know messages: what is streamed here is a text, or octets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

STEP = 64 * 1024
"""Characters, or octets, that one step reads."""

SLICE = 64 * 1024
"""Octets of a slice, about; what is not longer on the wire is one slice."""

LAST = 16 * 1024
"""Octets of the last slice of several, at most."""

PAUSE_EVERY = 4 * STEP

# Seconds: the shortest that the system can do, and not none at all, after which the same thread would be the first to
# go on. Where a system counts in milliseconds, many of them would be too long.
_PAUSE = 0.00001 if os.name == "posix" else 0

CRLF = b"\r\n"


class Octets:
    """Octets that have the right line ends, or Unix ones, which become CRLF."""

    __slots__ = ("_is_unix", "view")

    def __init__(self, octets: bytes | memoryview, is_unix: bool = False) -> None:
        self.view = memoryview(octets)
        self._is_unix = is_unix

    def __iter__(self) -> Iterator[bytes]:
        for piece in steps(self.view):
            yield piece.replace(b"\n", CRLF) if self._is_unix else piece

    def measure(self) -> tuple[int, bool]:
        """Return the size, in octets, and whether all of them are ASCII."""
        size = len(self.view)
        is_ascii = True
        for piece in steps(self.view):
            if self._is_unix:
                size += piece.count(b"\n")
            is_ascii = is_ascii and piece.isascii()
        return size, is_ascii


class Text:
    """A text of ASCII and, where it was made of octets, their surrogates: any line ends become CRLF.

    Args:
        text: The text.
        mangle_from: Whether a ">" is put before each line that begins with "From ", as mailbox files need it. As in
            `email.generator`, a line is what follows a line feed here; after a lone carriage return nothing is done.
    """

    __slots__ = ("_mangle_from", "_measures", "text")

    def __init__(self, text: str, mangle_from: bool = False) -> None:
        self.text = text
        self._mangle_from = mangle_from
        self._measures: tuple[int, bool] | None = None

    def __iter__(self) -> Iterator[bytes]:
        text, end = self.text, len(self.text)
        start, is_at_line_start = 0, True
        while start < end:
            cut = self._cut(start + STEP)
            piece = text[start:cut]
            if self._mangle_from:
                if is_at_line_start and piece.startswith("From "):
                    piece = ">" + piece
                if " " in piece:  # quickly told, and not so in base64
                    piece = piece.replace("\nFrom ", "\n>From ")
            yield with_crlf(piece.encode("ascii", "surrogateescape"))
            start, is_at_line_start = cut, text[cut - 1] == "\n"

    def _cut(self, at: int) -> int:
        """Return where to cut, there or close by: neither within a line end, nor within a "From " to be mangled."""
        text = self.text
        if at >= len(text):
            return len(text)
        if text[at - 1] == "\r" and text[at] == "\n":
            return at + 1
        if self._mangle_from:
            line_start = text.rfind("\n", at - 5, at) + 1
            return line_start or at
        return at

    def measure(self) -> tuple[int, bool]:
        """Return the size, in octets with CRLF line ends, and whether all of them are ASCII.

        Raises:
            UnicodeEncodeError: The text is of more than ASCII and surrogates.
        """
        if self._measures is None:
            # The steps of the text itself are without a copy, and enough where there are no odd line ends.
            self._measures = self._measure_unix() or (sum(map(len, self)), self.text.isascii())
        return self._measures

    def has(self, line: str) -> bool:
        """Whether this is found in the text."""
        return any(self.text.find(line, start, start + STEP + len(line)) >= 0 for start in positions(len(self.text)))

    def _measure_unix(self) -> tuple[int, bool] | None:
        text = self.text
        if not text.isascii():
            return None
        size = len(text) + (self._mangle_from and text.startswith("From "))
        for start in positions(len(text)):
            end = start + STEP
            if text.find("\r", start, end) >= 0:
                return None
            size += text.count("\n", start, end)
            if self._mangle_from and text.find(" ", start, end + 5) >= 0:
                # Five characters more, so that each is whole in the step in which it begins.
                size += text.count("\nFrom ", start, end + 5)
        return size, True


Piece = Octets | Text


def positions(end: int) -> Iterator[int]:
    """Return where the steps of a large text begin, and let other threads have their turn between them."""
    for start in range(0, end, STEP):
        if start and start % PAUSE_EVERY == 0:
            pause()
        yield start


def pause() -> None:
    """Let other threads run.

    The interpreter takes the GIL from a thread after 5 ms only, and then another one of those that render may have it
    next, and not the one that has waited.
    """
    time.sleep(_PAUSE)


def steps(view: memoryview) -> Iterator[bytes]:
    """Return octets in steps, none of which ends within a CRLF."""
    start, end = 0, len(view)
    while start < end:
        cut = min(start + STEP, end)
        if cut < end and view[cut - 1] == 13 and view[cut] == 10:
            cut += 1
        yield bytes(view[start:cut])
        start = cut


def with_crlf(octets: bytes) -> bytes:
    """Return octets with CRLF for each line end, be it CRLF, LF or CR."""
    if b"\r" in octets:
        if octets.count(CRLF) == octets.count(b"\r") == octets.count(b"\n"):
            return octets
        octets = octets.replace(CRLF, b"\n").replace(b"\r", b"\n")
    return octets.replace(b"\n", CRLF)


def terminator(octets: bytes) -> bytes:
    """Return what ends a content that ends with these octets."""
    return b".\r\n" if octets[-2:] == CRLF else b"\r\n.\r\n"


def wire(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Return the slices of a content, dot-stuffed, the last one with its terminator.

    Args:
        pieces: What the content is made of, with CRLF line ends, in its order.
    """
    kept: list[bytes] = []
    size, ending, is_first = 0, b"", True
    for piece in pieces:
        for step in piece:
            stuff = step
            if b"." in step:  # quickly told, and not so in base64
                stuff = step.replace(b"\n.", b"\n..")
                if step[:1] == b"." and ending[-1:] in (b"", b"\n"):
                    stuff = b"." + stuff
            kept.append(stuff)
            size += len(stuff)
            ending = (ending + stuff[-2:])[-2:]
            if size > SLICE:
                yield kept[0] if len(kept) == 1 else b"".join(kept)
                kept, size, is_first = [], 0, False
    end = terminator(ending)
    rest = b"".join(kept)
    if size + len(end) > (SLICE if is_first else LAST):
        yield rest[: len(end) - LAST]
        rest = rest[len(end) - LAST :]
    yield rest + end
