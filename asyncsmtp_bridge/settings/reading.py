"""Reading: what a field's value is as text, and settings made of what was read somewhere.

Owns the conversion between texts and values, by the name of the field, and errors that name the place that a value was
read from. It does not know where that is. What cannot be converted is left as it is, for `SMTPSettings` refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from .checking import InvalidSettings
from .credentials import Unshown
from .fields import SMTPSettings

PATHS = frozenset({"ca_file", "client_certificate", "client_key", "unix_socket"})
"""Fields that are octets to the system, UTF-8 or not."""

_NUMBERS = frozenset({"connect_timeout", "timeout", "deadline"})
_SWITCHES = frozenset({"cleartext_login", "pipelining", "lmtp"})

_MEANING = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


def value_of(name: str, text: str) -> Any:
    """Return the value of a field that is written like this, or the text itself if there is none; it never raises."""
    if name in _NUMBERS:
        return float(text) if _NUMBER.fullmatch(text) else text
    if name in _SWITCHES:
        return switch_of(text)
    if name == "port":
        return port_of(text)
    if name == "source_address":
        return _source_address_of(text)
    return text


def switch_of(text: str) -> bool | str:
    """Return what a text says about a switch, or the text."""
    return _MEANING.get(text.lower(), text)


def port_of(text: str) -> int | str:
    """Return a port, or the text if it is none."""
    return int(text) if _PORT.fullmatch(text) and 1 <= int(text) <= 65535 else text


def _source_address_of(text: str) -> Any:
    if text.startswith("["):
        address, _, port = text[1:].rpartition("]")
        if not port:
            return address
        number = port_of(port[1:]) if port[0] == ":" else text
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
        number = port_of(port)
    else:
        return text
    return text if isinstance(number, str) else (address, number)


def text_of(name: str, value: Any) -> str:
    """Return how a value is written, which `value_of` reads."""
    if name in _SWITCHES:
        return "true" if value else "false"
    if name in _NUMBERS:
        return str(int(value)) if value.is_integer() else repr(value)
    if name == "source_address":
        address, port = value
        if not port:
            return str(address)
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return str(value)


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that this one was probably meant to be; of 1 only if it is the same."""
    found = get_close_matches(name[:60], list(known), 1, likeness)
    return found[0] if found else None


def made(read: Unshown, places: Mapping[str, str]) -> SMTPSettings:
    """Make settings of the arguments that were read.

    Args:
        read: The arguments, which no frame shows.
        places: Where each field was read, by its name; an error begins with that.

    Raises:
        InvalidSettings: They cannot be.
    """
    try:
        return SMTPSettings(**read.it)
    except InvalidSettings as error:
        field, colon, rest = str(error).partition(":")
    raise InvalidSettings(f"{places.get(field, field)}{colon}{rest}")
