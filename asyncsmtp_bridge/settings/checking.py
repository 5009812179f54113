"""Checks: what a value of a setting may be, and what is said of one that may not.

Owns the error. Each check returns the value as it is kept. It does not know how settings belong together.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn


class InvalidSettings(ValueError):
    """Settings that cannot work: names the field, the value unless it is a secret, and what is allowed."""


def refuse(field: str, value: object, allowed: str) -> NoReturn:
    """Raise, with the value cut to a readable length."""
    shown = repr(value)
    raise InvalidSettings(f"{field}: {shown if len(shown) <= 100 else shown[:99] + '…'} is not {allowed}")


_LONGEST = 10 * 24 * 60 * 60.0


def seconds(field: str, value: Any) -> float:
    """Check a time."""
    allowed = "a number of seconds, more than 0 and ten days at most"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(field, value, allowed)
    if not (math.isfinite(value) and 0 < value <= _LONGEST):
        refuse(field, value, allowed)
    return float(value)


def flag(field: str, value: Any) -> bool:
    """Check a switch."""
    if not isinstance(value, bool):
        refuse(field, value, "True or False")
    return value


def choice(field: str, value: Any, choices: Sequence[str | None]) -> Any:
    """Check one of several."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        refuse(field, value, " or ".join(filter(None, [", ".join(map(repr, choices[:-1])), repr(choices[-1])])))
    return value


def port(field: str, value: Any) -> int:
    """Check a port."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        refuse(field, value, "a port, a whole number from 1 to 65535")
    return value


_LABEL = re.compile(r"[^\W](?:[\w-]{0,61}\w)?|_[\w-]{0,62}")


def host(field: str, value: Any) -> str:
    """Check a name or an address of a host."""
    allowed = "the name or the IP address of a host"
    if not isinstance(value, str) or not value:
        refuse(field, value, allowed)
    if "://" in value:
        refuse(field, value, f"{allowed}; for a URL there is SMTPSettings.from_url()")
    if value[0] == "[" or value[-1] == "]":
        refuse(field, value, f"{allowed}; an IPv6 address has no brackets here")
    if ":" in value and not is_address(value):
        refuse(field, value, f"{allowed}; a port goes into port=")
    if not is_address(value) and not _is_name(value):
        refuse(field, value, allowed)
    return value


def is_address(text: str) -> bool:
    """Whether a text is an IP address, perhaps with a scope."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.isascii() and text.isprintable() and " " not in text


def _is_name(text: str) -> bool:
    if len(text) > 253:
        return False
    try:
        octets = text.encode("idna")
    except UnicodeError:  # a label that is empty or too long, among others
        return False
    labels = text.removesuffix(".").split(".")
    return len(octets) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def greeting_name(field: str, value: Any) -> str:
    """Check what EHLO says of this host (RFC 5321, section 4.1.1.1): a domain, or an address in brackets."""
    allowed = "a host name, or an IP address in brackets, as in 'app.example.org' or '[192.0.2.1]'"
    if not isinstance(value, str) or not value.isascii():
        refuse(field, value, allowed)
    inner = value[1:-1].removeprefix("IPv6:") if value[:1] == "[" and value[-1:] == "]" else ""
    if not (is_address(inner) if inner else _is_name(value)):
        refuse(field, value, allowed)
    return value


def path(field: str, value: Any) -> str:
    """Check the path of a file; whether there is one shows when it is needed."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value or not _is_encodable(value):
        refuse(field, value, "the path of a file")
    return os.fsdecode(os.fsencode(value))  # one text for one file: a letter may come as the octets of it


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeError:
        return False
    return True


_LONGEST_UNIX_PATH = 107
"""Octets: what Linux has room for; macOS has 103."""


def unix_path(field: str, value: Any) -> str:
    """Check the path of a Unix socket."""
    checked = path(field, value)
    if not checked.startswith("/"):
        refuse(field, value, "the absolute path of a Unix socket")
    if len(os.fsencode(checked)) > _LONGEST_UNIX_PATH:
        refuse(field, value, f"a path that a Unix socket can have, of {_LONGEST_UNIX_PATH} octets at most")
    return checked


def source_address(field: str, value: Any) -> tuple[str, int]:
    """Check where connections are to come from: an address, or a pair with a port."""
    address, number = value if isinstance(value, tuple) and len(value) == 2 else (value, 0)
    is_port = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 65535
    if not (isinstance(address, str) and is_address(address) and is_port):
        refuse(field, value, "an IP address of this host, or a tuple of one and a port (0: any)")
    return address, number


def user_name(field: str, value: Any) -> str:
    """Check a name to log in by."""
    if not isinstance(value, str) or not value or not is_sayable(value):
        refuse(field, value, "a user name: a text without control characters")
    return value


def is_sayable(text: str) -> bool:
    """Whether a text has neither control characters nor halves of surrogate pairs, which no mechanism can carry."""
    return not any(ord(each) < 32 or ord(each) == 127 or 0xD800 <= ord(each) <= 0xDFFF for each in text)
