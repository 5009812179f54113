"""When no session can be opened: what was tried, what came back, what to check.

Owns the server's address and the explanation of a failed connection. It does not open connections.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass

from .outcome import reply_text


@dataclass(frozen=True)
class Server:
    """Where to send, and how."""

    host: str
    port: int
    timeout: float = 30.0
    """Seconds for each single network operation."""
    starttls: bool = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Unreachable(Exception):
    """No session could be opened; nothing was sent over it.

    Args:
        server: What was tried.
        error: What came back.
    """

    def __init__(self, server: Server, error: Exception) -> None:
        self.server = server
        self.reason, self.advice = _explain(server, error)
        super().__init__(f"no connection to {server}: {self.reason}")


def _explain(server: Server, error: Exception) -> tuple[str, str]:
    port_advice = "Check --port: 25 is the usual one, 587 for submission; 465 expects TLS from the first byte"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused, nothing listens there", f"Check --host and that the server runs. {port_advice}."
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the name {server.host!r} cannot be resolved ({error})", "Check --host."
    if isinstance(error, smtplib.SMTPConnectError) and not 200 <= error.smtp_code <= 599:
        return "it does not speak SMTP", f"{port_advice}."
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return f"it refused the session: {error.smtp_code} {reply_text(error.smtp_error)}", "Ask who runs the server."
    if isinstance(error, smtplib.SMTPResponseException):  # STARTTLS
        return f"it refused TLS: {error.smtp_code} {reply_text(error.smtp_error)}", "Ask who runs the server."
    if isinstance(error, TimeoutError) or _timed_out(error):
        return f"no answer within {server.timeout:g} s", f"Many networks block port 25. {port_advice}."
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return f"it closed the connection before the session began ({error})", f"{port_advice}."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return (
            f"no STARTTLS: {str(error).rstrip('.')}",
            "Leave out --starttls only if the way to the server is safe without.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}",
            "Check that --host is the name in the certificate; SSL_CERT_FILE=ca.pem trusts a CA of your own.",
        )
    return str(error) or type(error).__name__, "Check --host and --port."


def _timed_out(error: BaseException) -> bool:
    """SMTPServerDisconnected hides the timeout of a read in its context."""
    return isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError)
