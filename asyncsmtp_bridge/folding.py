"""Folding: a header field as a line, or several (RFC 5322, section 2.2.3).

Owns the short cut past the folding of the standard library, which takes most of the time of a small message. Most
fields are of ASCII and fit on a line: of these it is known what becomes of them. All others are left to their policy.
"""

from __future__ import annotations

import re
import sys
from email import headerregistry as registry
from email.policy import Compat32, EmailPolicy, Policy
from functools import lru_cache
from typing import Any

from .slices import with_crlf

try:
    from email.errors import HeaderWriteError
except ImportError:  # not before Python 3.10.15, 3.11.10, 3.12.5; a policy that asks for it has come with it
    HeaderWriteError = ValueError  # type: ignore[assignment,misc]

# Of these the text is that of the parse tree, which is what is folded.
_AS_PARSED = (
    registry.UnstructuredHeader,
    registry.UniqueUnstructuredHeader,
    registry.DateHeader,
    registry.UniqueDateHeader,
    registry.MIMEVersionHeader,
    registry.ContentTypeHeader,
    registry.ContentDispositionHeader,
    registry.ContentTransferEncodingHeader,
    registry.MessageIDHeader,
)

# Of these it is made of the addresses that were found: comments, for one, are in the parse tree alone.
_OF_ADDRESSES = (
    registry.AddressHeader,
    registry.UniqueAddressHeader,
    registry.SingleAddressHeader,
    registry.UniqueSingleAddressHeader,
)

_KNOWN: dict[tuple[type, ...], bool] = {
    (kind, registry.BaseHeader): kind in _AS_PARSED for kind in _AS_PARSED + _OF_ADDRESSES
}

_NEW_FIELD = re.compile(rb"\r\n[^ \t]|\r[^ \n\t]|\n[^ \t]")


def fold(policy: Policy, name: str, value: Any) -> bytes:
    """Return a header field as ``policy.fold_binary`` does, with CRLF line ends.

    Args:
        policy: The policy, with CRLF as its ``linesep``.
        name: The field's name.
        value: Its value, as ``Message.raw_items`` has it.

    Raises:
        HeaderWriteError: It would become more than one field, and the policy forbids that (``verify_generated_headers``
            of newer Pythons).
    """
    line = one_line(policy, name, value)
    if line is not None:
        return line
    folded: bytes = policy.fold_binary(name, value)
    # As the generator of text does; that of octets came to it later.
    if getattr(policy, "verify_generated_headers", False):
        if not folded.endswith(b"\r\n"):
            raise HeaderWriteError(f"folded header does not end with '\\r\\n': {folded!r}")
        if _NEW_FIELD.search(folded[:-2]):
            raise HeaderWriteError(f"folded header contains newline: {folded!r}")
    # A policy leaves other line ends in a field that has octets.
    return with_crlf(folded)


def one_line(policy: Any, name: str, value: Any) -> bytes | None:
    """Return a header field that stays as it is and fits on a line; None: what becomes of it is up to its policy."""
    kind = type(policy)
    if kind is EmailPolicy:
        if type(value) is str:
            if policy.refold_source == "all":
                return None
            line = f"{name}: {value}"
        else:
            text = text_of(value)
            if not text:
                return None
            line = f"{value._name}: {text}"
        longest = policy.max_line_length or sys.maxsize
    elif kind is Compat32 and type(value) is str:
        if not value or value[0] == " " or value[-1] == " ":
            return None
        line = f"{name}: {value}"
        longest = policy.max_line_length or 1_000_000
    else:
        return None
    # A tab, or any line end, is not printable.
    if len(line) <= longest and line.isascii() and line.isprintable():
        return f"{line}\r\n".encode("ascii")
    return None


def text_of(value: Any) -> str | None:
    """Return what a header object is folded from, if it is one of the standard library's, and has no defects."""
    kind = type(value)
    # A registry of headers makes a class for each value.
    is_as_parsed = _KNOWN.get(kind.__bases__)
    if is_as_parsed is None or kind.__module__ != registry.__name__ or value._defects or not value._parse_tree:
        return None
    return str.__str__(value) if is_as_parsed else str(value._parse_tree)


@lru_cache(maxsize=16)
def _of_standard_policy(policy: Policy, utf8: bool | None, is_seven_bit: bool) -> Policy:
    return _of(policy, utf8, is_seven_bit)


def wire_policy(policy: Policy, utf8: bool | None, is_seven_bit: bool) -> Policy:
    """Return a policy as it is for the wire: with CRLF, and with what is asked for, as far as it knows of that."""
    if type(policy) in (EmailPolicy, Compat32):
        return _of_standard_policy(policy, utf8, is_seven_bit)
    return _of(policy, utf8, is_seven_bit)


def _of(policy: Policy, utf8: bool | None, is_seven_bit: bool) -> Policy:
    changes: dict[str, Any] = {"linesep": "\r\n"}
    if utf8 is not None and hasattr(policy, "utf8"):
        changes["utf8"] = utf8
    if is_seven_bit:
        changes["cte_type"] = "7bit"
    return policy.clone(**changes)


def fold_utf8(policy: Policy, name: str, value: Any) -> bytes:
    """Return a header field with UTF-8 for what is not ASCII (RFC 6532), under a policy that does not know of it.

    What is ASCII is folded as the policy folds it; a `email.header.Header` is taken for its text, without the encoded
    words that it would become.
    """
    if hasattr(policy, "utf8") or (isinstance(value, str) and value.isascii()):
        return fold(policy, name, value)
    text = value if isinstance(value, str) else str(value)
    longest = policy.max_line_length
    return EmailPolicy(utf8=True, linesep="\r\n", max_line_length=longest).fold_binary(name, text)
