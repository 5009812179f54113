"""Advice: what to do when a session could not be opened, in one line.

Owns what an error means for the one who wrote the settings. Types and texts of errors stay as they are: the line is
their attribute ``advice``, and a note (PEP 678), which tracebacks show from Python 3.11 on. It opens no connections.
"""

from __future__ import annotations

import errno
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..replies import Command, meaning_of
from ..tls import ADVICE

if TYPE_CHECKING:
    from .fields import SMTPSettings

Step = Literal["connect", "EHLO", "STARTTLS", "login"]
"""What was being done; connecting ends with the server's greeting."""

_COMMANDS: dict[Step, Command] = {"connect": "CONNECT", "EHLO": "EHLO", "STARTTLS": "STARTTLS", "login": "AUTH"}

_PORTS = "587 is for STARTTLS, 465 for implicit TLS, 25 for relays"
_IMPLICIT = "tls='implicit' (smtps://), which is mostly on port 465"
_STARTTLS = "tls='starttls' (smtp+starttls://), which is mostly on port 587"


def advise(
    error: Exception,
    settings: SMTPSettings,
    step: Step,
    offered: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
    limit: tuple[str, float] | None = None,
) -> None:
    """Put a line of advice on an error, if there is one.

    Args:
        error: What came back.
        settings: What was tried.
        step: What was being done.
        offered: The server's extensions, by their names in lower case, as far as they are known.
        names: Whom the server's certificate is for, if it was refused for its name.
        limit: Which of the settings has limited the time of the step, and its seconds.
    """
    if limit is None:
        limit = ("connect_timeout", settings.connect_timeout) if step == "connect" else ("timeout", settings.timeout)
    line = advice_on(error, settings, step, offered or {}, names, limit)
    if not line:
        return
    if isinstance(error, ssl.SSLCertVerificationError) and error.strerror:
        error.strerror = error.strerror.removesuffix(f". {ADVICE}")  # which is for who has no settings
    noted: Any = error
    noted.advice = line
    if hasattr(noted, "add_note"):
        noted.add_note(line)


def advice_on(
    error: Exception,
    settings: SMTPSettings,
    step: Step,
    offered: Mapping[str, str],
    names: Sequence[str],
    limit: tuple[str, float],
) -> str:
    """Return the line; empty if there is nothing to say that the error does not say."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _on_login(error, settings, offered)
    if isinstance(error, smtplib.SMTPNotSupportedError) or (type(error) is smtplib.SMTPException and step == "login"):
        # The latter is smtplib's where no mechanism suits.
        return _on_missing(error, settings, step, offered)
    if isinstance(error, smtplib.SMTPResponseException):
        return _on_reply(error, settings, step)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _on_certificate(error, settings, names)
    if isinstance(error, ssl.SSLError):
        return _on_tls(error, settings, step)
    if settings.source_address is not None and getattr(error, "errno", None) in _OF_SOURCE:
        return f"connections cannot come from {settings.source_address[0]}: check source_address, and its family"
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return f"the name {settings.host!r} cannot be looked up now: the name server does not answer; try again"
        return f"there is no host of the name {settings.host!r}: check host"
    if _is_timeout(error):
        return _on_timeout(error, settings, step, limit)
    if isinstance(error, ConnectionRefusedError):
        if settings.unix_socket is not None:
            return f"nothing listens at {settings.unix_socket}: check unix_socket, and that the server runs"
        return f"nothing listens at {settings.address}: check host and port ({_PORTS}), and that the server runs"
    if isinstance(error, FileNotFoundError) and settings.unix_socket is not None and step == "connect":
        return f"there is no socket at {settings.unix_socket}: check unix_socket, and that the server runs"
    if isinstance(error, (smtplib.SMTPServerDisconnected, ConnectionError)):
        return _on_end(error, settings, step)
    return ""


_OF_SOURCE = {errno.EADDRNOTAVAIL, errno.EADDRINUSE, socket.EAI_FAMILY, getattr(socket, "EAI_ADDRFAMILY", None)}


# Time and connections.


def _is_timeout(error: BaseException) -> bool:
    """Whether it is about time; SMTPServerDisconnected hides that in what it was raised from."""
    if isinstance(error, TimeoutError):
        return True
    inner = error.__cause__ or error.__context__
    return isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(inner, TimeoutError)


def _on_timeout(error: Exception, settings: SMTPSettings, step: Step, limited: tuple[str, float]) -> str:
    limit, seconds = limited
    is_handshake = any("handshake" in str(each) for each in (error, error.__cause__))
    if step != "connect":
        what = "the TLS handshake" if is_handshake else "the login" if step == "login" else step
        return f"the server did not answer {what} in time: {limit}={seconds:g} (seconds) may be too short for it"
    within = f"within {seconds:g} s"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        is_plain = settings.tls_mode != "implicit" and settings.unix_socket is None
        hint = f"; if it waits for TLS: {_IMPLICIT}" if is_plain else ""
        return f"{settings.address} took the connection, and did not greet {within}{hint}; or raise {limit}"
    if is_handshake:
        return f"{settings.address} did not answer TLS {within}; if it speaks plain SMTP there: {_STARTTLS}"
    return f"nothing answered at {settings.address} {within}: many networks block port 25; {_PORTS}"


def _on_end(error: Exception, settings: SMTPSettings, step: Step) -> str:
    is_agreed = isinstance(error, smtplib.SMTPServerDisconnected)  # or else it was in the handshake
    inner = error.__cause__ or error.__context__
    if is_agreed and isinstance(inner, ssl.SSLError):
        # With TLS 1.3 a server says what it thinks of the client's certificate when the client's handshake is over.
        said = _on_tls(inner, settings, step)
        if said:
            return said
    if step == "STARTTLS" and not is_agreed:
        return f"the server took STARTTLS, and ended the connection before TLS was agreed: {_SILENT_REASONS}"
    if step != "connect":
        return f"the server closed the connection in place of an answer to {'the login' if step == 'login' else step}"
    if settings.tls_mode == "implicit" and is_agreed:
        return f"{settings.address} ended the encrypted connection without a greeting: {_SILENT_REASONS}"
    if settings.tls_mode == "implicit":
        return (
            f"{settings.address} ended the connection before TLS was agreed; if it speaks plain SMTP there: "
            f"{_STARTTLS}; else {_SILENT_REASONS}"
        )
    if settings.unix_socket is not None:
        return f"{settings.unix_socket} ended the connection without a greeting: check unix_socket"
    return f"{settings.address} ended the connection without a greeting; if it waits for TLS: {_IMPLICIT}"


_SILENT_REASONS = (
    "it may want a client_certificate, or have no version of TLS that minimum_tls_version allows, or none for this host"
)


# TLS.

_PLAIN_SMTP = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of a greeting in clear text, in the versions that there are."""

_VERSIONS = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "WRONG_SSL_VERSION")

_CERTIFICATE_WANTED = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "PEER_DID_NOT_RETURN_A_CERTIFICATE")


def _on_tls(error: ssl.SSLError, settings: SMTPSettings, step: Step) -> str:
    reason = getattr(error, "reason", None) or ""
    if step == "connect" and reason in _PLAIN_SMTP:
        return f"the server does not speak TLS from the first byte at port {settings.port}: use {_STARTTLS}"
    if step == "STARTTLS" and reason in _PLAIN_SMTP:
        return (
            f"the server took STARTTLS, and then did not speak TLS: it, or what is in between, is broken; {_IMPLICIT}"
        )
    if reason in _VERSIONS or "PROTOCOL_VERSION" in reason:
        return (
            "there is no version of TLS that both sides allow: the server's is older, or newer, than "
            f"minimum_tls_version ({settings.minimum_tls_version or 'Python has 1.2'}) and OpenSSL's own limits have it"
        )
    if reason in _CERTIFICATE_WANTED:
        return "the server wants a certificate of the client: client_certificate, and client_key"
    if "HANDSHAKE_FAILURE" in reason:  # which is all that TLS 1.2 has for it
        wanted = "it may want a client_certificate, or " if settings.client_certificate is None else ""
        return f"the server refused the TLS handshake: {wanted}there is no cipher that both sides allow"
    if "UNKNOWN_CA" in reason or "CERTIFICATE" in reason:
        return "the server does not take the client's certificate: check client_certificate, and who issued it"
    if "EOF" in reason or isinstance(error, ssl.SSLEOFError):
        return _on_end(error, settings, step)
    return ""


_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED = 18
_UNTRUSTED = (19, 20, 21)
_WRONG_NAME = (62, 64)


def _on_certificate(error: ssl.SSLCertVerificationError, settings: SMTPSettings, names: Sequence[str]) -> str:
    code = error.verify_code
    name = settings.server_hostname or settings.host
    if code == _EXPIRED:
        return "the server's certificate has expired: who runs it has to renew it; or is this host's clock wrong?"
    if code == _NOT_YET:
        return "the server's certificate is not valid yet: is this host's clock wrong?"
    if code in _WRONG_NAME:
        shown = f"is for {_enumerated(names)}" if names else "has other names"
        return (
            f"the server's certificate {shown}, not for {name!r}: connect to it by its name, or, if that is the right "
            "server, set server_hostname"
        )
    if code == _SELF_SIGNED:
        return (
            "the server's certificate is self-signed: set ca_file to that very certificate, if you know it is its own"
        )
    if code in _UNTRUSTED:
        if settings.ca_file is not None:
            return (
                f"the server's certificate is issued by nobody in ca_file ({settings.ca_file}): check whose CA that is"
            )
        return (
            "the server's certificate is issued by a CA that this system does not know: set ca_file, if it is your "
            "organisation's own; or the server does not send the certificates in between"
        )
    return ""


def _enumerated(names: Sequence[str]) -> str:
    shown = list(names[:5]) + (["others"] if len(names) > 5 else [])
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


# What the server has not, or refuses.


def _on_missing(error: smtplib.SMTPException, settings: SMTPSettings, step: Step, offered: Mapping[str, str]) -> str:
    if step == "STARTTLS":
        return (
            f"the server does not offer STARTTLS at port {settings.port}: use {_IMPLICIT}, or another port "
            f"({_PORTS}); tls='none' only if nobody can listen on the way"
        )
    if step != "login":
        return ""
    mechanisms = offered.get("auth", "").upper().split()
    is_plain = settings.tls_mode in ("none", "opportunistic")
    if "not encrypted" in str(error) or (not mechanisms and is_plain):
        if "starttls" in offered:
            return f"the server offers STARTTLS, and wants it before a login: use {_STARTTLS}"
        return f"log in over TLS: use {_STARTTLS}, or {_IMPLICIT}; cleartext_login=True only if nobody can listen"
    if not mechanisms:
        return f"the server takes no logins at port {settings.port}: leave username out, or use another port ({_PORTS})"
    if settings.access_token is not None:
        return f"the server takes no access tokens here (XOAUTH2), but {', '.join(mechanisms)}: set password"
    if {"XOAUTH2", "OAUTHBEARER"} & set(mechanisms):
        return "the server takes no passwords, but OAuth 2.0: set access_token, to a function that returns one"
    return f"the server takes logins by {', '.join(mechanisms)} only, which there is nothing for here"


_OAUTH = "it may take OAuth 2.0 only: set access_token, to a function that returns one"
_APP_PASSWORD = "set an app password (of the account's security settings), or access_token"  # noqa: S105 - advice

_PROVIDERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("office365.com", "outlook.com", "hotmail.com", "live.com"), f"Microsoft retires passwords here; {_OAUTH}"),
    (("gmail.com", "googlemail.com", "google.com"), f"Google takes no password of an account: {_APP_PASSWORD}"),
    (("yahoo.com", "aol.com"), f"Yahoo takes no password of an account: {_APP_PASSWORD}"),
    (("mail.me.com", "icloud.com"), f"Apple takes no password of an account: {_APP_PASSWORD}"),
    (("amazonaws.com",), "Amazon SES has credentials for SMTP of its own, which are not those of AWS, and per region"),
    (("sendgrid.net",), "the user of SendGrid is 'apikey', the password the key"),
)
"""What is known of providers' logins, by the ends of their servers' names."""


def _on_login(error: smtplib.SMTPAuthenticationError, settings: SMTPSettings, offered: Mapping[str, str]) -> str:
    meaning = meaning_of(error.smtp_code, error.smtp_error, "AUTH")
    if error.smtp_code == 530:
        return f"{meaning.meaning}: use {_STARTTLS}, or {_IMPLICIT}"
    if error.smtp_code == 538:
        return f"{meaning.meaning}: use {_STARTTLS}, or {_IMPLICIT}"
    if error.smtp_code // 100 == 4:
        return meaning.meaning
    if settings.access_token is not None:
        # Most of what is known of 535 is about passwords.
        what = "the server refused the user, or the token" if "password" in meaning.meaning else meaning.meaning
        return f"{what}: check username and access_token, and whom and what for the token was issued"
    said = f"{meaning.meaning}: check username and password"
    host = settings.host.lower().rstrip(".")
    for ends, known in _PROVIDERS:
        if any(host == end or host.endswith(f".{end}") for end in ends):
            return f"{said}; {known}"
    if {"XOAUTH2", "OAUTHBEARER"} & set(offered.get("auth", "").upper().split()):
        return f"{said}; {_OAUTH}"
    return said


def _on_reply(error: smtplib.SMTPResponseException, settings: SMTPSettings, step: Step) -> str:
    code = error.smtp_code
    if not 400 <= code <= 599:
        return f"{settings.address} does not speak SMTP there: check host and port ({_PORTS})"
    if step == "EHLO" and code in (500, 502):
        if settings.lmtp:
            return "the server does not know LHLO, so it speaks SMTP, and not LMTP: leave lmtp=True out (smtp://)"
        return "the server does not know EHLO: it may speak LMTP, for which there is lmtp=True (lmtp://)"
    meaning = meaning_of(code, error.smtp_error, _COMMANDS[step])
    if code == 530:
        return f"{meaning.meaning}: use {_STARTTLS}, or {_IMPLICIT}"
    if code in (421, 432) and "too many connections" in meaning.meaning:
        return f"{meaning.meaning}: use a smaller executor (executor_size=)"
    return meaning.meaning
