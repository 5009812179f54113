"""When no session can be opened: what came back, in words.

Owns the reason, in one line. What to do is the error's ``advice``, which is from `asyncsmtp_bridge.settings.advice`. It
does not open connections.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl

from ..settings import SMTPSettings
from .outcome import reply_text


class Unreachable(Exception):
    """No session could be opened; nothing was sent over it.

    Args:
        settings: What was tried.
        error: What came back.
    """

    def __init__(self, settings: SMTPSettings, error: Exception) -> None:
        self.address = settings.address
        self.reason = _reason(settings, error)
        self.advice = _as_sentence(getattr(error, "advice", ""))
        super().__init__(f"no connection to {self.address}: {self.reason}")


def _as_sentence(line: str) -> str:
    return f"{line[0].upper()}{line[1:]}." if line else ""


def _reason(settings: SMTPSettings, error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _refusal(error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the name {settings.host!r} cannot be resolved ({error})"
    if isinstance(error, TimeoutError | asyncio.TimeoutError) or _timed_out(error):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return f"it closed the connection before the session began ({error})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {getattr(error, 'reason', None) or error}"
    if isinstance(error, OSError) and error.filename is not None:  # a secret's
        return f"{error.filename}: {error.strerror}"
    return str(error).rstrip(".") or type(error).__name__


def _refusal(error: smtplib.SMTPResponseException) -> str:
    if isinstance(error, smtplib.SMTPConnectError) and not 200 <= error.smtp_code <= 599:
        return "it does not speak SMTP"
    what = "TLS"
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        what = "the session"
    elif isinstance(error, smtplib.SMTPAuthenticationError):
        what = "the login"
    return f"it refused {what}: {error.smtp_code} {reply_text(error.smtp_error)}"


def _timed_out(error: BaseException) -> bool:
    """SMTPServerDisconnected hides the timeout of a read in its context."""
    return isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError)
