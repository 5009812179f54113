"""The messages that are sent: made beforehand, each with the addresses of its envelope in its header."""

from __future__ import annotations

import random
from email.message import EmailMessage
from functools import cache

SMALL = 1_000
"""Bytes of a small message, roughly: five headers, those of MIME, and some lines of text."""

_LINE = "The quick brown fox jumps over the lazy dog, and then it runs away.\n"


def small(number: int, recipients: int = 1) -> EmailMessage:
    """Return a message of about 1 KB (its Bcc, which is not sent, not counted).

    Args:
        number: Tells it from others.
        recipients: How many: the first in To, all others in Bcc.
    """
    message = _message(number)
    if recipients > 1:
        message["Bcc"] = ", ".join(f"recipient{other}@example.org" for other in range(1, recipients))
    message.set_content(_LINE * 10)
    return message


@cache
def with_attachment(size: int) -> EmailMessage:
    """Return a message with an attachment in base64: the same one for all who ask for this size.

    Args:
        size: Bytes of the attachment as it is sent, line ends included.
    """
    message = _message(0)
    message.set_content(_LINE)
    content = random.Random(size).randbytes(size // 78 * 57)  # 57 bytes are a line of 76 characters and CRLF
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename="attachment.bin")
    return message


def _message(number: int) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "sender@example.com"
    message["To"] = "recipient0@example.org"
    message["Subject"] = f"Message {number}"
    message["Date"] = "Mon, 01 Jan 2024 00:00:00 +0000"
    message["Message-ID"] = f"<{number}@example.com>"
    return message
