"""The drop-in namespace: smtplib with awaitable classes.

``from asyncsmtp_bridge import smtplib`` in place of ``import smtplib``: `SMTP`, `SMTP_SSL` and `LMTP` are the mirrors.
Everything else (constants, functions, exceptions) is smtplib's own: ``except smtplib.SMTPException`` goes on working.
"""

from smtplib import (
    CRLF,
    LMTP_PORT,
    OLDSTYLE_AUTH,
    SMTP_PORT,
    SMTP_SSL_PORT,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    bCRLF,
    quoteaddr,
    quotedata,
)

from .client import AsyncLMTP as LMTP
from .client import AsyncSMTP as SMTP
from .client import AsyncSMTP_SSL as SMTP_SSL

__all__ = [
    "CRLF",
    "LMTP",
    "LMTP_PORT",
    "OLDSTYLE_AUTH",
    "SMTP",
    "SMTP_PORT",
    "SMTP_SSL",
    "SMTP_SSL_PORT",
    "SMTPAuthenticationError",
    "SMTPConnectError",
    "SMTPDataError",
    "SMTPException",
    "SMTPHeloError",
    "SMTPNotSupportedError",
    "SMTPRecipientsRefused",
    "SMTPResponseException",
    "SMTPSenderRefused",
    "SMTPServerDisconnected",
    "bCRLF",
    "quoteaddr",
    "quotedata",
]
