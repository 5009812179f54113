"""Plain messages: those of texts, attachments and multiparts in the standard library's own classes.

Owns a short way of writing them, as most mails are such. What `email.generator` does for them is little, and most of
its time goes by preparing for what they do not have. Where there is any doubt, it is left to the generator.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from email.generator import BytesGenerator
from email.message import EmailMessage, Message, MIMEPart
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.policy import Compat32, EmailPolicy, Policy
from functools import lru_cache
from typing import Any, NamedTuple

from .folding import fold, text_of
from .slices import Octets, Piece, Text, with_crlf

_CLASSES = frozenset(
    (EmailMessage, Message, MIMEPart, MIMEApplication, MIMEBase, MIMEMultipart, MIMENonMultipart, MIMEText)
)
_BODIES = frozenset(("application", "audio", "font", "image", "model", "text", "video"))
"""Types of which the body is written as it is. Of others the generator may know more."""

Content = list[bytes | Text]


class NotPlain(Exception):
    """It is for the generator to write."""


class _Kind(NamedTuple):
    """What a Content-Type says."""

    is_multipart: bool
    boundary: str | None = None
    around_boundary: tuple[bytes, bytes] | None = None
    """The field, folded, when it is given a boundary: what comes before it, and what after."""


class _Part(NamedTuple):
    """A part, before the boundaries are made: these depend on all that is within them."""

    fields: list[bytes]
    at: int
    kind: _Kind
    body: Content
    parts: list[_Part]
    preamble: Content
    epilogue: Content


_TEXT = _Kind(False)


def written(message: Any, policy: Policy, mangle_from: bool, large: int) -> list[Piece]:
    """Return the pieces of a message, without the fields of blind copies.

    Args:
        message: The message.
        policy: Its policy on the wire.
        mangle_from: As for `Text`.
        large: Characters of a body from which on it is a piece of its own.

    Raises:
        NotPlain: It is left to the generator.
    """
    if type(policy) not in (EmailPolicy, Compat32):
        raise NotPlain
    fields = [item for item in message._headers if item[0].lower() not in ("bcc", "resent-bcc")]
    return list(_joined(_whole(_read(message, fields, policy, mangle_from, large))))


def _read(message: Any, headers: list[tuple[str, Any]], policy: Any, mangle_from: bool, large: int) -> _Part:
    """Return a part with its header folded, and its body as pieces."""
    if type(message) not in _CLASSES:
        raise NotPlain
    fields: list[bytes] = []
    at = -1
    kind = _TEXT
    for name, value in headers:
        if len(name) == 12 and name.lower() == "content-type":
            if at >= 0:
                raise NotPlain
            at = len(fields)
            text = value if type(value) is str else text_of(value)
            if text is None:
                raise NotPlain
            found = _kind(policy, name, text, type(value) is str)
            if found is None:
                raise NotPlain
            kind = found
        fields.append(fold(policy, name, value))
    if at < 0 and message._default_type != "text/plain":
        raise NotPlain
    payload = message._payload
    if not kind.is_multipart:
        return _Part(fields, at, kind, _text(payload, policy, mangle_from, large), [], [], [])
    if type(payload) is not list:
        raise NotPlain
    parts = [_read(part, part._headers, policy, mangle_from, large) for part in payload]
    preamble, epilogue = (_text(text, policy, mangle_from, large) for text in (message.preamble, message.epilogue))
    if message.preamble is not None:
        preamble.append(b"\r\n")
    return _Part(fields, at, kind, [], parts, preamble, epilogue)


def _text(text: Any, policy: Any, mangle_from: bool, large: int) -> Content:
    if text is None:
        return []
    # An encoding may be due for what is not ASCII.
    if type(text) is not str or not (text.isascii() or policy.cte_type == "8bit"):
        raise NotPlain
    if len(text) > large:
        made = Text(text, mangle_from)
        made.measure()
        return [made]
    if mangle_from and "From " in text:
        if text.startswith("From "):
            text = ">" + text
        text = text.replace("\nFrom ", "\n>From ")
    return [with_crlf(text.encode("ascii", "surrogateescape"))]


_Generator: Any = BytesGenerator
_SAMPLE = "=" * 15 + "0" * len(repr(sys.maxsize - 1)) + "=="
"""A boundary as the generator makes them: a field that has it is folded as it is with any other."""


class _Parsed(str):
    """The text of a header object: no policy parses it again."""

    __slots__ = ()
    name = "Content-Type"


@lru_cache(maxsize=256)
def _kind(policy: Policy, name: str, text: str, is_source: bool) -> _Kind | None:
    """Return what a Content-Type says, None if it is not plain; the standard library is asked, once."""
    message: Any = Message(policy)
    message._headers = [(name, text if is_source else _Parsed(text))]
    main = message.get_content_maintype()
    if main in _BODIES:
        return _TEXT
    if main != "multipart" or message.get_content_subtype() == "signed":
        return None
    boundary = message.get_boundary()
    if boundary:
        return _Kind(True, boundary) if boundary.isascii() and boundary.isprintable() else None
    message.set_boundary(_SAMPLE)
    before, found, after = fold(policy, *message._headers[0]).partition(_SAMPLE.encode())
    if not found:
        return None
    return _Kind(True, None, (before, after))


def _whole(part: _Part) -> Content:
    """Return a part as it is written."""
    if not part.kind.is_multipart:
        return [*part.fields, b"\r\n", *part.body]
    texts = [_whole(each) for each in part.parts]
    boundary = part.kind.boundary
    if not boundary:
        boundary = _new_boundary(texts)
        before, after = part.kind.around_boundary or (b"", b"")
        part.fields[part.at] = before + boundary.encode() + after
    line = f"--{boundary}".encode("ascii")
    made: Content = [*part.fields, b"\r\n", *part.preamble, line, b"\r\n"]
    for index, text in enumerate(texts):
        if index:
            made += (b"\r\n", line, b"\r\n")
        made += text
    return [*made, b"\r\n", line, b"--\r\n", *part.epilogue]


def _new_boundary(texts: list[Content]) -> str:
    """Return a boundary that is in none of these; made as the generator makes it, which looks for it at more length."""
    flat = b"".join([piece for text in texts for piece in text if isinstance(piece, bytes)])
    large = [piece for text in texts for piece in text if isinstance(piece, Text)]
    while True:
        made: str = _Generator._make_boundary()
        if len(made) != len(_SAMPLE) or not made.strip("=").isdigit():
            raise NotPlain
        line = f"--{made}"
        if line.encode() not in flat and not any(piece.has(line) for piece in large):
            return made


def _joined(content: Content) -> Iterator[Piece]:
    """Return the pieces, those between two large ones in one."""
    short: list[bytes] = []
    for piece in content:
        if isinstance(piece, Text):
            yield Octets(b"".join(short))
            yield piece
            short = []
        else:
            short.append(piece)
    yield Octets(b"".join(short))
