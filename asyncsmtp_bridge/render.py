"""Rendering: a message as it goes over the wire, between the 354 and the reply to the content.

Owns what is sent of a message, and what is to be known of it before: how long it is, and what a server has to be
capable of. The bytes are those that `smtplib` sends, but they are made a slice at a time: none takes long enough to
hold up other threads, and a large message is never copied as a whole. It does not know connections, or commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.message import Message

from .flatten import flattened
from .record import HEADER_SIZE, message_id_of
from .slices import CRLF, Octets, Piece, Text, steps, wire


class Content:
    """What is sent of a message. It may be iterated over again, and by several threads at once.

    Iterating gives the slices as they are sent: with CRLF line ends, dot-stuffed, and with the terminator at the end of
    the last one. What has up to 64 KB is one slice; of more slices each has 64 KB or somewhat more, and the last one at
    most 16 KB.
    """

    __slots__ = ("_has_ascii_header", "_measures", "_message_id", "_pieces")

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._measures: tuple[int, bool] | None = None
        self._has_ascii_header: bool | None = None
        self._message_id: tuple[str | None] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return wire(self._pieces)

    def __len__(self) -> int:
        return self.size

    def _measure(self) -> tuple[int, bool]:
        if self._measures is None:
            measures = [piece.measure() for piece in self._pieces]
            self._measures = sum(size for size, _ in measures), all(is_ascii for _, is_ascii in measures)
        return self._measures

    @property
    def size(self) -> int:
        """Octets as servers count them (RFC 1870): with CRLF line ends, without dot-stuffing and terminator."""
        return self._measure()[0]

    @property
    def is_ascii(self) -> bool:
        """Whether no octet has the eighth bit set; else it takes a server with 8BITMIME (RFC 6152)."""
        return self._measure()[1]

    @property
    def has_ascii_header(self) -> bool:
        """Whether none in the header of the message itself has; else it takes one with SMTPUTF8 (RFC 6532)."""
        if self._has_ascii_header is None:
            self._has_ascii_header = self.is_ascii or _header_is_ascii(self._steps())
        return self._has_ascii_header

    @property
    def message_id(self) -> str | None:
        """The Message-ID, if it is within the first 16 KB of the header."""
        if self._message_id is None:
            head = b""
            for step in self._steps():
                head += step[:HEADER_SIZE]
                if len(head) >= HEADER_SIZE:
                    break
            self._message_id = (message_id_of(head),)
        return self._message_id[0]

    def whole(self) -> bytes:
        """Return all of it at once, without dot-stuffing and terminator."""
        return b"".join(self._steps())

    def _steps(self) -> Iterator[bytes]:
        for piece in self._pieces:
            yield from piece


def _header_is_ascii(octets: Iterator[bytes]) -> bool:
    """Return whether all up to the first empty line is ASCII."""
    ending = CRLF  # as if of a line before the first one, which may be the empty one
    for step in octets:
        # The empty line may begin in one step and end in the next.
        seen = ending + step
        end = seen.find(CRLF + CRLF)
        if end >= 0 or not step.isascii():
            return seen[: end if end >= 0 else len(seen)].isascii()
        ending = seen[-3:]
    return True


def render(
    message: Message | str | bytes | bytearray | memoryview, *, utf8: bool | None = None, seven_bit: bool = False
) -> Content:
    r"""Return a message as it goes over the wire.

    A message object is sent as ``smtplib.SMTP.send_message`` sends it, without its Bcc and Resent-Bcc; it is not
    changed. A text or octets are sent as ``smtplib.SMTP.sendmail`` does, with two exceptions for octets: smtplib sends
    their line ends as they are, by which mail can be smuggled. Here octets with Unix line ends, as
    ``message.as_bytes()`` returns them, get CRLF, and those with line ends of several kinds are refused.

    Args:
        message: A message object, a text of ASCII, or octets. Octets are not copied: they must not change meanwhile.
        utf8: Whether the header of a message object is in UTF-8 (RFC 6532), not in encoded words: for a server with
            SMTPUTF8, True; for one without, False; None: as the policy of the message says. A policy that does not
            know of UTF-8, as ``compat32``, with which smtplib raises TypeError, gets UTF-8 for those fields that are
            not ASCII, or are a `email.header.Header`, all the same.
        seven_bit: Whether bodies of a message object that have the eighth bit set are encoded as quoted-printable or
            base64: for a server without 8BITMIME. Where they name no charset, they stay as they are. Such a body
            is encoded by the standard library, in one go: if it is large, this takes its time, and memory.

    Raises:
        LookupError: A body shall be encoded, and its charset is not known.
        UnicodeEncodeError: A text, or a body, is not ASCII.
        ValueError: The line ends of octets are of several kinds.
        TypeError: It is something else.
    """
    if isinstance(message, Message):
        return Content(flattened(message, utf8, seven_bit))
    if isinstance(message, str):
        return Content([_checked_text(message)])
    if isinstance(message, (bytes, bytearray, memoryview)):
        return Content([_checked_octets(message)])
    raise TypeError(f"a message is an email.message.Message, a str, or bytes, not {type(message).__name__}")


def _checked_text(text: str) -> Text:
    if not text.isascii():
        at = next(at for at, char in enumerate(text) if not char.isascii())
        raise UnicodeEncodeError(
            "ascii",
            text,
            at,
            at + 1,
            "ordinal not in range(128); pass an EmailMessage, or bytes, encoded as the header says",
        )
    return Text(text)


def _checked_octets(octets: bytes | bytearray | memoryview) -> Octets:
    view = memoryview(octets)
    if not view.contiguous or view.itemsize != 1 or view.ndim != 1:
        raise TypeError(f"octets must be a contiguous memoryview of bytes, not of format {view.format!r}")
    view = view.cast("B")
    crlf = cr = lf = 0
    for step in steps(view):
        lf += step.count(b"\n")
        if b"\r" in step:
            cr += step.count(b"\r")
            crlf += step.count(b"\r\n")
    if cr == 0:
        return Octets(view, is_unix=True)
    if crlf == cr == lf:
        return Octets(view)
    raise ValueError(_odd_line_end(view))


def _odd_line_end(view: memoryview) -> str:
    """Say where the first line end is that is not CRLF."""
    line = 1
    for step in steps(view):
        odd = re.search(rb"\r(?!\n)|(?<!\r)\n", step)
        if odd:
            line += step.count(b"\n", 0, odd.start())
            found = "CR" if odd[0] == b"\r" else "LF"
            return (
                f"line {line} ends with a bare {found}, and others end in another way: what is one line to this server "
                "may be two to the next, and thus a second mail (SMTP smuggling). Pass octets with one kind of line "
                'ends, CRLF or LF: octets.replace(b"\\r\\n", b"\\n").replace(b"\\r", b"\\n")'
            )
        line += step.count(b"\n")
    raise AssertionError("no line end is odd")
