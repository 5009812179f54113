"""The last step of a notification."""

from __future__ import annotations

import smtplib

from .. import settings
from ..messages import compose


def transmit(to: str, subject: str) -> None:
    smtp = smtplib.SMTP(settings.HOST, settings.PORT)
    try:
        smtp.send_message(compose(to, subject, sender="notify@example.com"))
    finally:
        smtp.quit()


def encode(subject: str) -> bytes:
    return subject.encode()
