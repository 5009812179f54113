"""Recommendations: what to make of a check's findings.

Owns the judgement: which other mode or port is worth a try, what to change, and which URL to keep. Pure functions.
"""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ..settings import InvalidSettings, SMTPSettings
from ..settings.fields import RELAY_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, TLS
from .findings import Findings, StepName, megabytes, size_limit

FEW_DAYS = 21
"""Days that a certificate should be good for: fewer, and it is not renewed by a machine."""

EXECUTOR_SIZE = 8
_FEWER_SESSIONS = ((("office365.com", "outlook.com"), 3, "Exchange Online takes 3 connections of a mailbox at once"),)
"""Providers' limits, by the ends of their servers' names."""

_USUAL: tuple[tuple[int, TLS], ...] = (
    (SUBMISSION_PORT, "starttls"), (SUBMISSIONS_PORT, "implicit"), (RELAY_PORT, "starttls"),
)  # fmt: skip

_BASE64 = 1.37
"""What base64 and its line ends make of an octet of an attachment."""


# What else might work.


def candidates(settings: SMTPSettings, step: StepName, error: BaseException, findings: Findings) -> list[SMTPSettings]:
    """Return the modes and ports that are worth a try after a failure, the best first; none if they cannot mend it."""
    if settings.unix_socket is not None or not _is_about_mode(step, error):
        return []
    plain = settings.tls_mode in ("none", "opportunistic")
    if step == "login":
        # It is a matter of TLS, or of the port.
        modes: list[TLS] = ["starttls"] if plain and findings.encryption is None else []
    elif step == "TCP":
        modes = []
    elif settings.tls_mode == "implicit":
        modes = ["starttls"]
    elif step in ("EHLO", "STARTTLS"):
        modes = []  # it has greeted in clear text
    else:
        modes = ["implicit"]
    tried = [_with(settings, settings.port, mode) for mode in modes if not (settings.lmtp and mode == "implicit")]
    if settings.port in dict(_USUAL) and not settings.lmtp:
        tried += [_with(settings, port, mode) for port, mode in _USUAL if port != settings.port]
    return tried


def without_encryption(settings: SMTPSettings, step: StepName) -> SMTPSettings | None:
    """Return the last resort, which is worth a look when nothing that is encrypted works."""
    if settings.tls_mode in ("none", "opportunistic") or step == "TCP":
        return None
    return _with(settings, settings.port, "none")


def _is_about_mode(step: StepName, error: BaseException) -> bool:
    if step not in ("TCP", "TLS", "greeting", "EHLO", "STARTTLS", "login"):
        return False
    if isinstance(error, ssl.SSLCertVerificationError):
        return False
    if step == "login":
        is_early = isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code in (530, 538)
        return is_early or isinstance(error, smtplib.SMTPNotSupportedError)
    if not isinstance(error, smtplib.SMTPResponseException) or error.smtp_code == 530:
        return True
    return not 400 <= error.smtp_code <= 599  # who answers with a failure code has understood


def _with(settings: SMTPSettings, port: int, tls: TLS) -> SMTPSettings:
    if tls != "none":
        return replace(settings, port=port, tls=tls)
    return replace(
        settings, port=port, tls=tls, ca_file=None, client_certificate=None, client_key=None, client_key_password=None,
        minimum_tls_version=None, server_hostname=None,
    )  # fmt: skip


# What to keep.


def canonical(findings: Findings) -> SMTPSettings | None:
    """Return the settings to keep: those that work, with the mode said; None if none do."""
    if not findings.works:
        return findings.would_work[0] if findings.would_work else None
    settings = findings.settings
    if settings.tls_mode == "opportunistic":
        if findings.encryption is not None:
            return replace(settings, tls="starttls")
        return settings
    return settings if settings.unix_socket is not None else replace(settings, tls=settings.tls_mode)


def is_loopback(settings: SMTPSettings) -> bool:
    """Whether nobody can listen on the way."""
    if settings.unix_socket is not None or settings.host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        return False


# What to do.


def recommendations(findings: Findings) -> list[str]:
    """Return what to change, or to know, a sentence each; the most urgent first."""
    if not findings.works:
        return [*_on_others(findings), *_on_names(findings), *_on_certificate(findings), *_on_patience(findings)]
    return [
        *_on_mode(findings),
        *_on_port(findings),
        *_on_certificate(findings),
        *_on_addresses(findings),
        *_on_speed(findings),
        *_on_size(findings),
        *_on_executor(findings),
    ]


def _on_others(findings: Findings) -> Iterator[str]:
    for number, other in enumerate(findings.would_work):
        use = "Or use" if number else "Use"
        untold = "" if other.username is None else "; the login was not tried"
        if other.tls_mode == "none" and not is_loopback(other):
            yield f"{use} {other.to_url()} only if nobody can listen on the way: it works, unencrypted{untold}."
        else:
            yield f"{use} {other.to_url()}, which works{untold}."


def _on_names(findings: Findings) -> Iterator[str]:
    certificate, failed, settings = findings.certificate, findings.failed, findings.settings
    if certificate is None or failed is None or "mismatch" not in failed.error:
        return
    name = next((each for each in certificate.names if "*" not in each), None)
    if name is not None:
        with suppress(InvalidSettings):
            other = replace(settings, host=name, server_hostname=None)
            yield f"Try {other.to_url()}, if that is the server that you mean: it has the certificate's name."


def _on_patience(findings: Findings) -> Iterator[str]:
    failed, settings = findings.failed, findings.settings
    if failed is None or failed.seconds is None or failed.name not in ("TCP", "TLS", "greeting"):
        return
    if findings.patience <= failed.seconds and findings.patience < settings.connect_timeout:
        yield (
            f"This check waits {findings.patience:g} s for a connection, where connect_timeout is "
            f"{settings.connect_timeout:g} s: a server that is so slow would still work."
        )


def _on_mode(findings: Findings) -> Iterator[str]:
    settings = findings.settings
    if findings.encryption is None:
        if "starttls" in findings.offered:
            yield "Use tls='starttls': the server offers it, and this connection is not encrypted."
        elif not is_loopback(settings):
            yield (
                "Do not send over this connection, which is not encrypted: use tls='implicit' on port 465, or "
                "tls='starttls' on port 587, if the server has them."
            )
        else:
            yield "Mode: not encrypted, which is fine on this host."
    elif settings.tls_mode == "implicit":
        yield f"Mode: implicit TLS on port {settings.port}, as RFC 8314 prefers it."
    elif settings.tls_mode == "opportunistic":
        yield "Use tls='starttls': with 'auto', whoever can hide the server's offer has mail sent without encryption."
    else:
        yield (
            f"Mode: STARTTLS on port {settings.port}, and never without; if the server has port {SUBMISSIONS_PORT}, "
            "too, implicit TLS saves two round trips a connection (RFC 8314)."
        )


def _on_port(findings: Findings) -> Iterator[str]:
    settings = findings.settings
    if settings.port == RELAY_PORT and settings.username is not None:
        yield "Use port 465 or 587 to submit mail: 25 is for relays, and many networks block it."
    if settings.username is None and findings.mechanisms and settings.port != RELAY_PORT:
        yield "The server takes logins, and there is no username: it may refuse recipients outside without one."


def _on_certificate(findings: Findings) -> Iterator[str]:
    certificate = findings.certificate
    if certificate is None or certificate.days_left >= FEW_DAYS:
        return
    if certificate.days_left < 0:
        yield f"Have the certificate renewed: it has expired on {certificate.not_after[:10]}."
    else:
        days = f"{certificate.days_left} day{'s'[: certificate.days_left != 1]}"
        yield f"Have the certificate renewed: it is good for {days} only, until {certificate.not_after[:10]}."


def _on_addresses(findings: Findings) -> Iterator[str]:
    if findings.unreachable:
        yield (
            f"No connection to {', '.join(findings.unreachable)}: each session may wait for that first, up to "
            f"connect_timeout={findings.settings.connect_timeout:g} s; mend the route, or the DNS."
        )


def _on_speed(findings: Findings) -> Iterator[str]:
    is_offered = "pipelining" in findings.offered
    is_used = is_offered and findings.settings.pipelining
    if is_offered and not is_used:
        yield "Leave out pipelining=False, if there is no reason for it: the server offers PIPELINING."
    if findings.round_trip is None:
        return
    trips = 2 if is_used else 4
    seconds = max(trips * findings.round_trip, 1e-6)
    rate = 1 / seconds
    about = f"{float(f'{rate:.2g}'):g}"
    how = (
        "2 round trips a message, by PIPELINING" if is_used else "4 round trips a message and more, without PIPELINING"
    )
    yield (
        f"Speed: a connection sends about {about} messages a second at best "
        f"({how}, of {milliseconds(findings.round_trip)} each)."
    )


def milliseconds(seconds: float) -> str:
    """Return a time as people read it."""
    if seconds >= 10:
        return f"{seconds:.0f} s"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def _on_size(findings: Findings) -> Iterator[str]:
    limit = size_limit(findings.offered.get("size", ""))
    if limit is not None:
        yield f"Size: {megabytes(limit)} a message, so about {megabytes(int(limit / _BASE64))} of attachments (base64)."


def _on_executor(findings: Findings) -> Iterator[str]:
    host = findings.settings.host.rstrip(".").lower()
    for ends, size, why in _FEWER_SESSIONS:
        if any(host == end or host.endswith(f".{end}") for end in ends):
            yield f"Executor: executor_size={size}; {why}."
            return
    yield f"Executor: executor_size={EXECUTOR_SIZE}, unless the provider allows fewer connections at once."
