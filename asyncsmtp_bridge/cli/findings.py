"""What a check found: the steps, the server's certificate, what it offers.

Owns the shape of it, and what is a plain reading of what came: errors in a line, a certificate's fields, what an
extension is good for. It opens no connections, and does not know how it is shown.
"""

from __future__ import annotations

import math
import smtplib
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from ..settings import SMTPSettings
from ..settings.opening import names_in

StepName = Literal[
    "credentials", "trust", "name lookup", "TCP", "TLS", "greeting", "EHLO", "STARTTLS", "login", "round trip",
    "test mail", "instead",
]  # fmt: skip
"""In their order, but that TLS comes after STARTTLS if it is not implicit; `"instead"` is another mode or port."""


@dataclass(frozen=True)
class Step:
    """One thing that was tried, and what came of it."""

    name: StepName
    ok: bool
    seconds: float | None
    detail: str = ""
    error: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Certificate:
    """What a server shows to prove its name."""

    names: tuple[str, ...]
    subject: str
    issuer: str
    not_before: str
    not_after: str
    """Both in UTC, as ISO 8601 has them."""
    days_left: int

    @classmethod
    def read(cls, parsed: Mapping[str, Any], now: float | None = None) -> Certificate:
        """Read what `ssl.SSLSocket.getpeercert` returns."""
        end = ssl.cert_time_to_seconds(parsed["notAfter"])
        left = end - (time.time() if now is None else now)
        return cls(
            names_in(parsed),
            _name(parsed.get("subject", ())),
            _name(parsed.get("issuer", ())),
            _moment(ssl.cert_time_to_seconds(parsed["notBefore"])),
            _moment(end),
            math.floor(left / 86400),
        )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(pairs: Sequence[Any]) -> str:
    """Return what people call a party: its organisation, and its own name."""
    told = {key: value for part in pairs for key, value in part}
    wanted = [told[key] for key in ("organizationName", "commonName") if told.get(key)]
    return ", ".join(wanted or told.values())


@dataclass(frozen=True)
class Encryption:
    """What a connection is encrypted by."""

    version: str
    cipher: str
    bits: int


@dataclass
class Findings:
    """All that is known of a server so far."""

    settings: SMTPSettings
    patience: float = math.inf
    """Seconds that a connection was waited for at most."""
    steps: list[Step] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    """Those of the addresses that no connection could be made to."""
    offered: dict[str, str] = field(default_factory=dict)
    """The extensions, by their names in lower case, as they were at last."""
    encryption: Encryption | None = None
    certificate: Certificate | None = None
    round_trip: float | None = None
    """Seconds."""
    logged_in: bool = False
    works: bool = False
    """Whether a session was opened, and the test mail accepted, if there was to be one."""
    would_work: list[SMTPSettings] = field(default_factory=list)
    interrupted: bool = False

    @property
    def failed(self) -> Step | None:
        """What the settings failed at, if they did."""
        if self.works:
            return None
        return next((step for step in reversed(self.steps) if not step.ok and step.name != "instead"), None)

    @property
    def mechanisms(self) -> list[str]:
        """What logs in here."""
        return self.offered.get("auth", "").upper().split()


# What errors say.


def said(error: BaseException) -> str:
    """Return what came back, in one line."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{who}: {_reply(*reply)}" for who, reply in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error.args[0] if len(error.args) == 1 else error)
    text = " ".join(text.split())
    return text if isinstance(error, (OSError, ValueError)) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _reply(code: int, text: bytes | str) -> str:
    line = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else str(text)
    shown = " / ".join(filter(None, map(str.strip, line.splitlines())))
    return f"{code} {shown}".strip() if code >= 0 else f"no reply of SMTP: {shown}"


# What extensions are good for.

_PURPOSES = {
    "pipelining": "a message takes 2 round trips in place of 4 and more",
    "8bitmime": "8-bit text is sent as it is",
    "smtputf8": "addresses and headers may be in any script",
    "starttls": "encrypts this connection",
    "enhancedstatuscodes": "replies say exactly why, as 5.1.1",
    "dsn": "reports of delivery can be asked for",
    "chunking": "BDAT in place of DATA; not used here",
    "binarymime": "contents with any octets; not used here",
    "requiretls": "a message may demand TLS all the way; not used here",
    "deliverby": "a message may have a time limit; not used here",
    "future": "a message may be held until later; not used here",
    "futurerelease": "a message may be held until later; not used here",
    "mt-priority": "messages may have priorities; not used here",
    "xclient": "lets proxies say whom they speak for; not used here",
    "xforward": "lets proxies say whom they speak for; not used here",
    "vrfy": "asks whether an address exists; mostly refused",
    "etrn": "has a queue sent; not used here",
    "help": "answers HELP",
}


@dataclass(frozen=True)
class Capability:
    """One line of the reply to EHLO."""

    name: str
    parameters: str
    purpose: str


def capabilities(offered: Mapping[str, str]) -> list[Capability]:
    """Return what each extension is good for; what sessions here use comes first."""
    known = [*_SAYING, *_PURPOSES]
    order = {name: place for place, name in enumerate(known)}
    names = sorted(offered, key=lambda name: order.get(name, len(order)))
    return [Capability(name.upper(), offered[name].strip(), _purpose(name, offered[name])) for name in names]


def _purpose(name: str, parameters: str) -> str:
    if name in _SAYING:
        return _SAYING[name](parameters.strip())
    return _PURPOSES.get(name, "not used here")


def _on_size(parameters: str) -> str:
    limit = size_limit(parameters)
    return "the size of a message is told before it is sent" if limit is None else f"up to {megabytes(limit)} a message"


def _on_auth(parameters: str) -> str:
    return f"logs in by {', '.join(parameters.upper().split())}" if parameters else "logs in by nothing that it names"


def _on_limits(parameters: str) -> str:
    return f"{', '.join(parameters.split()) or 'none'}: how much a connection may carry (RFC 9422)"


_SAYING = {"size": _on_size, "auth": _on_auth, "limits": _on_limits}


def size_limit(parameters: str) -> int | None:
    """Return the octets of the largest message; None if there is no limit, or it is not said (RFC 1870)."""
    text = parameters.strip()
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 20 else None


def megabytes(octets: int) -> str:
    """Return a size as people read it."""
    return f"{octets / 1_000_000:.1f} MB" if octets < 10_000_000 else f"{octets / 1_000_000:.0f} MB"
