"""Mail through the fast mailer where it is installed, through smtplib where it is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from corpmail import settings
from corpmail.messages import compose

try:
    import fast_mailer  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    fast_mailer = None

if sys.version_info >= (3, 8):
    import smtplib
else:
    raise RuntimeError("this is too old")

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP

    from corpmail.gateway import Gateway


def connect() -> SMTP:
    from smtplib import SMTP as Session

    return Session(settings.HOST, settings.PORT)


def is_fast() -> bool:
    return fast_mailer is not None


async def send(to: str, subject: str) -> str:
    message = compose(to, subject, sender="optional@example.com")
    if fast_mailer is not None:
        fast_mailer.send(message)
        return "fast"
    smtp = connect()  # blocks
    try:
        smtp.send_message(message)  # blocks
    finally:
        smtp.quit()  # blocks
    return "slow"


async def send_with_late_import(to: str) -> None:
    import smtplib as transport

    from corpmail.billing import send_invoice as invoice

    with transport.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        smtp.send_message(compose(to, "Late import", sender="optional@example.com"))  # blocks
    invoice(to, 12)  # blocks


async def send_through(gateway: Gateway, message: EmailMessage) -> None:
    gateway.send(message)  # blocks


async def send_through_a_gateway(to: str) -> None:
    from corpmail.gateway import Gateway

    gateway = Gateway(settings.HOST, settings.PORT)  # blocks
    await send_through(gateway, compose(to, "Gateway", sender="optional@example.com"))
    gateway.quit()  # blocks


async def explain(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code}"
    return "fast" if is_fast() else "smtplib.SMTP()"
