"""What is retried in these tests: functions that send by smtplib, and the policy that does not make anybody wait."""

from __future__ import annotations

import smtplib
from collections import Counter
from email.message import EmailMessage
from typing import Any

from tenacity import wait_none

from asyncsmtp_bridge import retry_transient
from asyncsmtp_bridge.testing import SMTPTestServer, refuse

ANNA, BERT, CLEO, DORA = (f"{name}@example.org" for name in ("anna", "bert", "cleo", "dora"))

at_once: Any = retry_transient(wait=wait_none())
"""As by default, without waiting."""


def message(number: int = 1, to: str = BERT) -> EmailMessage:
    """Make a message with a Message-ID."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = ANNA, to, "Hello", f"<{number}@example.org>"
    made.set_content("Hello")
    return made


class Sender:
    """An organisation's wrapper, and what it was asked."""

    def __init__(self, server: SMTPTestServer) -> None:
        self._server = server
        self.calls = 0

    def connect(self) -> smtplib.SMTP:
        """Open a session."""
        return smtplib.SMTP(self._server.host, self._server.port, timeout=10)

    def send(self, *messages: EmailMessage) -> int:
        """Send some messages in one session."""
        self.calls += 1
        with self.connect() as smtp:
            for each in messages or (message(),):
                smtp.send_message(each)
        return len(messages)


TWO = (message(1, BERT), message(2, CLEO))
SECOND_GREYLISTED = refuse("RCPT", "450 4.2.0 Greylisted, try again later", recipient=CLEO, times=1)


class Both(Sender):
    """Sends two messages in one call."""

    def send(self, *_: Any) -> int:
        return super().send(*TWO)


def copies(server: SMTPTestServer) -> Counter[tuple[str, str]]:
    """Count the copies that the server has kept, by Message-ID and recipient."""
    counted: Counter[tuple[str, str]] = Counter()
    for each in server.messages:
        identity = each.message["Message-ID"]
        counted.update((str(identity), recipient) for recipient in each.rcpt_tos)
    return counted
