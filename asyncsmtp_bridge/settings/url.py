"""URLs: settings read from one, and written as one.

Owns the syntax (RFC 3986), schemes and parameters. The standard library's parser is not used: it drops characters, and
takes what it does not understand. What is wrong with a URL may be that its password is not percent-encoded, and then
any piece of it may be one of the password: no error shows more of a URL than a parameter's name and its value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from . import checking
from .checking import InvalidSettings
from .credentials import SecretText, Unshown
from .fields import DEFAULTS, SMTPSettings
from .reading import PATHS, nearest, port_of, text_of, value_of

_UNIX = "lmtp+unix"

_TLS_OF_SCHEME: dict[str, tuple[str, ...]] = {
    "smtp": ("auto", "none"),
    "smtp+starttls": ("starttls",),
    "smtps": ("implicit",),
    "lmtp": ("auto", "starttls", "none"),
    _UNIX: ("none",),
}
"""What ``tls`` may be; the first is what it is without the parameter."""

_SCHEMES = (
    "smtp:// (encrypted as it is usual on the port), smtp+starttls://, smtps:// (encrypted from the first octet), "
    "lmtp:// and lmtp+unix:///path"
)

_ELSEWHERE = {
    "host": "it comes after the scheme, as in smtp://mail.example.org",
    "port": "it follows the host, as in smtp://mail.example.org:587",
    "username": "it comes before the host, as in smtp://user@mail.example.org",
    "password": (
        "a parameter is no place for a secret; write user:password@ before the host, or better leave it out: "
        "SMTP_PASSWORD or SMTP_PASSWORD_FILE in the environment, or password=a_function"
    ),
    "access_token": (
        "a parameter is no place for a secret; there are SMTP_ACCESS_TOKEN and SMTP_ACCESS_TOKEN_FILE in the "
        "environment, or access_token=a_function"
    ),
    "client_key_password": (
        "a parameter is no place for a secret; there is SMTP_CLIENT_KEY_PASSWORD in the environment, or "
        "dataclasses.replace(settings, client_key_password=...)"
    ),
    "lmtp": "the scheme says so: lmtp://",
    "unix_socket": "the scheme says so: lmtp+unix:///run/lmtp",
}
"""Fields that are no parameters, and where they go."""

_PARAMETERS = tuple(name for name in DEFAULTS if name not in _ELSEWHERE)

_ENCODED = (
    "in a user name or a password these have to be percent-encoded: / is %2F, ? is %3F, # is %23, @ is %40, : is %3A "
    "and % is %25"
)


def settings_from(held: SecretText) -> SMTPSettings:
    """Read settings from a URL.

    Args:
        held: The URL, which no frame shows.

    Raises:
        InvalidSettings: It is none, or a value cannot be.
    """
    # Nothing is raised where pieces of it are in variables: a traceback shows them.
    read = _read(held)
    if isinstance(read, _Problem):
        raise InvalidSettings(read.text)
    return SMTPSettings(**read.it)


class _Problem(NamedTuple):
    """What is wrong."""

    text: str


class _Parts(NamedTuple):
    scheme: str
    user: str | None
    password: str | None
    place: str
    """Host and port."""
    path: str
    query: str


def _read(held: SecretText) -> Unshown | _Problem:
    """Return the arguments of `SMTPSettings`."""
    parts = _split(held.reveal())
    if isinstance(parts, _Problem):
        return parts
    arguments: dict[str, Any] = {"lmtp": parts.scheme.startswith("lmtp"), "tls": _TLS_OF_SCHEME[parts.scheme][0]}
    problem = _read_place(parts, arguments) or _read_user(parts, arguments) or _read_parameters(parts, arguments)
    return problem or Unshown(arguments)


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _split(url: str) -> _Parts | _Problem:
    if any(each.isspace() or ord(each) < 32 or 127 <= ord(each) < 160 or 0xD800 <= ord(each) <= 0xDFFF for each in url):
        return _Problem(
            "there is a space, a line end or a control character in the URL; a space that belongs there is written %20"
        )
    scheme, slashes, rest = url.partition("://")
    scheme = scheme.lower()
    if not slashes or not _SCHEME.fullmatch(scheme):
        return _Problem(f"scheme: it is missing; a URL begins with one of {_SCHEMES}")
    if scheme not in _TLS_OF_SCHEME:
        meant = None if "+" in scheme else nearest(scheme, _TLS_OF_SCHEME)  # ssl and tls say too little to guess
        guess = f" Did you mean {meant}://?" if meant else ""
        return _Problem(f"scheme: it is unknown; there are {_SCHEMES}.{guess}")
    end = min((rest.find(each) for each in "/?#" if each in rest), default=len(rest))
    authority, rest = rest[:end], rest[end:]
    if "@" in rest:
        return _Problem(f"there is an @ after the host has ended; {_ENCODED}")
    if "#" in rest:
        return _Problem("there is a #, and a server has no fragments; one that belongs to a value is written %23")
    if _BAD_PERCENT.search(url):
        return _Problem("a % is not followed by two hexadecimal digits; a percent sign itself is written %25")
    login, at, place = authority.rpartition("@")
    user, colon, password = login.partition(":")
    path, _, query = rest.partition("?")
    return _Parts(scheme, user if at else None, password if colon else None, place, path, query)


def _read_place(parts: _Parts, arguments: dict[str, Any]) -> _Problem | None:
    if parts.scheme == _UNIX:
        return _read_unix(parts, arguments)
    if parts.path not in ("", "/"):
        return _Problem(
            "there is a path after the host, and a server has none; a parameter begins with ?, and in a user name or a "
            "password / is written %2F"
        )
    if parts.place.startswith("["):
        address, bracket, port = parts.place[1:].partition("]")
        host = _decoded(address)
        if not bracket or host is None or ":" not in host or not checking.is_address(host):
            return _Problem(
                "host: what is in brackets is an IPv6 address, as [2001:db8::1], or with a scope [fe80::1%25eth0]"
            )
    else:
        address, colon, port = parts.place.partition(":")
        if ":" in port:
            return _Problem(
                "host: there is more than one colon; an IPv6 address is written in brackets, as in [2001:db8::1]"
            )
        host, port = _decoded(address), colon + port
    if not host:
        return _Problem("host: it is missing; a URL is like smtp://mail.example.org:587")
    if not _passes(checking.host, "host", host):
        return _Problem("host: it is not the name or the IP address of a host")
    arguments["host"] = host
    if port:
        number = port_of(port[1:])
        if port[0] != ":" or isinstance(number, str):
            return _Problem("port: what follows the host is not a colon and a whole number from 1 to 65535")
        arguments["port"] = number
    return None


def _read_unix(parts: _Parts, arguments: dict[str, Any]) -> _Problem | None:
    if parts.place:
        return _Problem("unix_socket: there is a host; the path comes after three slashes, as in lmtp+unix:///run/lmtp")
    path = _decoded(parts.path, is_path=True)
    if not path or not _passes(checking.unix_path, "unix_socket", path):
        return _Problem("unix_socket: there is no path that a Unix socket can have, as in lmtp+unix:///run/lmtp")
    arguments["unix_socket"] = path
    return None


def _passes(check: Callable[[str, Any], Any], field: str, value: str) -> bool:
    try:
        check(field, value)
    except InvalidSettings:
        return False
    return True


def _read_user(parts: _Parts, arguments: dict[str, Any]) -> _Problem | None:
    if parts.user is None:
        return None
    user = _decoded(parts.user)
    if not user or not checking.is_sayable(user):
        return _Problem("username: before the @ there is no user name, a text in UTF-8 without control characters")
    arguments["username"] = user
    if parts.password is None:
        return None
    password = _decoded(parts.password)
    if password is None:
        return _Problem("password: what is percent-encoded in it is not UTF-8")
    arguments["password"] = SecretText(password)
    return None


def _read_parameters(parts: _Parts, arguments: dict[str, Any]) -> _Problem | None:
    seen = set()
    for each in parts.query.split("&") if parts.query else ():
        name, equals, written = each.partition("=")
        if not equals:
            return _Problem("after the ? there is something without =; a parameter is like timeout=20")
        if name not in _PARAMETERS:
            return _Problem(_refused(name, may_be_secret=parts.password is not None))
        if name in seen:
            return _Problem(f"{name}: it is there twice")
        seen.add(name)
        text = _decoded(written, is_path=name in PATHS)
        if text is None:
            return _Problem(f"{name}: what is percent-encoded in it is not UTF-8")
        if name == "tls" and text not in _TLS_OF_SCHEME[parts.scheme]:
            return _Problem(_contradiction(parts.scheme))
        arguments[name] = value_of(name, text)
    return None


def _refused(name: str, *, may_be_secret: bool) -> str:
    if name in _ELSEWHERE:
        return f"{name}: it is no parameter; {_ELSEWHERE[name]}"
    meant = nearest(name, DEFAULTS)
    # With a password before it that has an @ of its own, even this may be a part of that.
    shown = "" if may_be_secret or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) else f"{name}: "
    if meant is None:
        return f"{shown}an unknown parameter; there are {', '.join(_PARAMETERS)}"
    place = f" But {_ELSEWHERE[meant]}" if meant in _ELSEWHERE else ""
    return f"{shown}an unknown parameter; did you mean {meant}?{place}"


def _contradiction(scheme: str) -> str:
    modes = " or ".join(repr(mode) for mode in _TLS_OF_SCHEME[scheme])
    return f"tls: with {scheme}:// it can be {modes} only; the schemes are {_SCHEMES}"


def _decoded(text: str, *, is_path: bool = False) -> str | None:
    """Return what is percent-encoded (RFC 3986, section 2.1), where a plus is a plus; None if it is not UTF-8."""
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8"))
    try:
        return os.fsdecode(octets) if is_path else octets.decode("utf-8")
    except UnicodeDecodeError:
        return None


def url_of(settings: SMTPSettings) -> str:
    """Write settings as a URL, without secrets and without functions that are asked for some."""
    user = "" if settings.username is None else f"{quote(settings.username, safe='')}@"
    if settings.unix_socket is not None:
        scheme, place = _UNIX, quote(os.fsencode(settings.unix_socket), safe="/")
    else:
        scheme = "lmtp" if settings.lmtp else _scheme_of(settings.tls)
        host = quote(settings.host, safe=":" if ":" in settings.host else "")
        place = f"[{host}]:{settings.port}" if ":" in settings.host else f"{host}:{settings.port}"
    said = []
    for name in _PARAMETERS:
        value = getattr(settings, name)
        if value == (_TLS_OF_SCHEME[scheme][0] if name == "tls" else DEFAULTS[name]):
            continue
        text = os.fsencode(value) if name in PATHS else text_of(name, value)
        said.append(f"{name}={quote(text, safe='/:')}")
    return f"{scheme}://{user}{place}{'?' if said else ''}{'&'.join(said)}"


def _scheme_of(tls: str) -> str:
    return {"starttls": "smtp+starttls", "implicit": "smtps"}.get(tls, "smtp")
