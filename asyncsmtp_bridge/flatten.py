"""Flattening: a message as pieces, each of which can be streamed.

Owns what stands in for `email.generator.BytesGenerator`, which makes several copies of the whole. Here it is that
generator that writes the message still, so that the bytes are the same, but for the large bodies: in their place it
writes a token, and the bodies are left where they are.
"""

from __future__ import annotations

import base64
import copy
from contextlib import suppress
from email.charset import Charset
from email.generator import BytesGenerator
from email.message import Message
from email.policy import Policy
from io import BytesIO
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from . import folding, plain
from .slices import Octets, Piece, Text, with_crlf

LARGE = 4 * 1024
"""Characters from which on a body is streamed."""


if TYPE_CHECKING:

    class _Generator(BytesGenerator):
        # What the generator has besides what its type tells; the same from Python 3.10 to 3.14.
        policy: Any
        _fp: Any
        _mangle_from_: bool

        def _make_boundary(self, text: Any) -> str: ...
        def _handle_text(self, msg: Any) -> None: ...
        def _handle_message_delivery_status(self, msg: Any) -> None: ...
else:
    _Generator = BytesGenerator


class Bodies:
    """The large bodies of one message, each with the token that stands for it."""

    def __init__(self) -> None:
        self._prefix = f"asyncsmtp-bridge-{token_hex(16)}-"
        self._texts: list[Text] = []

    def put(self, text: Text) -> str:
        """Keep a body, and return its token."""
        text.measure()  # raises what cannot be sent, before anything is
        self._texts.append(text)
        return f"{self._prefix}{len(self._texts) - 1};"

    def pieces(self, flat: bytes) -> list[Piece] | None:
        """Return what was written, the bodies in the tokens' places; None: some are missing, or doubled."""
        if not self._texts:
            return [Octets(with_crlf(flat))]
        first, *others = flat.split(self._prefix.encode())
        pieces: list[Piece] = [Octets(with_crlf(first))]
        seen = set()
        for each in others:
            number, separator, rest = each.partition(b";")
            if not separator or not number.isdigit() or int(number) >= len(self._texts):
                return None
            seen.add(int(number))
            pieces += self._texts[int(number)], Octets(with_crlf(rest))
        return pieces if len(seen) == len(others) == len(self._texts) else None

    def has(self, line: str) -> bool:
        """Whether one of the bodies has this in it."""
        return any(text.has(line) for text in self._texts)


class Flattener(_Generator):
    """The standard library's generator, but for large bodies, and without a trace in the message.

    Args:
        outfp: Where it writes to.
        mangle_from_: As the generator's; None: as the policy says.
        policy: The policy, that of the wire.
        bodies: Where the large bodies go; None: nowhere, they are written.
        is_utf8: Whether headers are UTF-8, whatever the policy knows of that.
    """

    def __init__(
        self,
        outfp: Any,
        mangle_from_: bool | None = None,
        maxheaderlen: int | None = None,
        *,
        policy: Policy,
        bodies: Bodies | None = None,
        is_utf8: bool = False,
    ) -> None:
        super().__init__(outfp, mangle_from_, maxheaderlen, policy=policy)
        self._bodies = bodies
        self._fold = folding.fold_utf8 if is_utf8 else folding.fold

    def clone(self, fp: Any) -> Flattener:
        """Return one for a part."""
        made = Flattener(fp, self._mangle_from_, policy=self.policy, bodies=self._bodies)
        made._fold = self._fold
        return made

    def flatten(self, msg: Message, unixfrom: bool = False, linesep: str | None = None) -> None:
        """Write a message, or a part of one: a copy of it, since writing gives it a boundary, and another policy."""
        super().flatten(copy.copy(msg), unixfrom, linesep)

    def _make_boundary(self, text: Any) -> str:
        # Asked for by the generator, which sees the tokens only.
        while True:
            made = super()._make_boundary(None)
            line = f"--{made}"
            if line.encode() not in text and not (self._bodies is not None and self._bodies.has(line)):
                return made

    def _write_headers(self, msg: Any) -> None:
        for name, value in msg.raw_items():
            self._fp.write(self._fold(self.policy, name, value))
        self._fp.write(b"\r\n")

    def _handle_text(self, msg: Any) -> None:
        payload = msg._payload
        if (
            self._bodies is not None
            and isinstance(payload, str)
            and len(payload) > LARGE
            # Otherwise it may have to be encoded, and the header with it; or it is a text of the class's own making.
            and (payload.isascii() or self.policy.cte_type != "7bit")
            and type(msg).get_payload is Message.get_payload
        ):
            self._fp.write(self._bodies.put(Text(payload, self._mangle_from_)).encode())
        elif self.policy.cte_type == "7bit" and _is_left_unencoded(msg):
            self._munge_cte = "base64", msg["content-type"]  # with which the generator writes the header then
            octets = base64.encodebytes(payload.encode("ascii", "surrogateescape"))
            self._fp.write(octets.replace(b"\n", b"\r\n"))
        else:
            super()._handle_text(msg)

    def _handle_message_delivery_status(self, msg: Any) -> None:
        # Of its parts the ends are looked at, and changed.
        bodies, self._bodies = self._bodies, None
        try:
            super()._handle_message_delivery_status(msg)
        finally:
            self._bodies = bodies

    _writeBody = _handle_text  # noqa: N815 - the generator's name


def _is_left_unencoded(msg: Any) -> bool:
    """Whether a body in UTF-8 is not encoded since somebody has told the whole process not to.

    Flask-Mail does (``email.charset.add_charset``), and the generator then cannot make such a body ASCII.
    """
    payload, name = msg._payload, msg.get_param("charset")
    if not isinstance(payload, str) or payload.isascii() or not isinstance(name, str):
        return False
    charset: Any = Charset(name)
    return bool(charset.output_charset == "utf-8" and charset.body_encoding is None)


def flattened(message: Message, utf8: bool | None = None, is_seven_bit: bool = False) -> list[Piece]:
    """Return the pieces of a message, without the fields of blind copies.

    Args:
        message: The message; it is not changed.
        utf8: As for `asyncsmtp_bridge.render.render`.
        is_seven_bit: Whether bodies that have the eighth bit set are encoded, where it is known how.
    """
    policy = folding.wire_policy(message.policy, utf8, is_seven_bit)
    # As smtplib does, or rather the generator that it makes: without a policy of its own it mangles, whatever the
    # policy of the message says.
    mangle_from = policy.mangle_from_ if utf8 else True
    if not utf8 or hasattr(policy, "utf8"):
        # What goes wrong here, goes wrong in the generator, too, which knows what to say of it.
        with suppress(Exception):
            return plain.written(message, policy, mangle_from, LARGE)
    made = copy.copy(message)
    del made["Bcc"]
    del made["Resent-Bcc"]
    bodies = Bodies()
    pieces: list[Piece] | None = bodies.pieces(_written(made, policy, mangle_from, bool(utf8), bodies))
    if pieces is None:  # a class of messages that writes something of its own, or leaves something out
        pieces = [Octets(with_crlf(_written(made, policy, mangle_from, bool(utf8), None)))]
    return pieces


def _written(message: Message, policy: Policy, mangle_from: bool, is_utf8: bool, bodies: Bodies | None) -> bytes:
    with BytesIO() as file:
        Flattener(file, mangle_from, policy=policy, bodies=bodies, is_utf8=is_utf8).flatten(message, linesep="\r\n")
        return file.getvalue()
