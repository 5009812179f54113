"""Inheritance over modules."""

from __future__ import annotations

import threading
from email.message import EmailMessage

from .base import Audited, BaseMailer
from .base import Queue as _Queue


class Mixed(Audited):
    def audit(self, message: EmailMessage) -> str:
        return "mixed " + super().audit(message)


class ReminderMailer(Mixed, BaseMailer):
    """Reminds people."""

    def remind(self, address: str, *, days: int = 1) -> int:
        """Remind somebody.

        Every day.
        """
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "r@example.org", address, f"{days} days"
        message.set_content("Remember.")
        return len(self.send(message))

    def describe(self) -> str:
        return "reminders"


class Sender(BaseMailer, threading.Thread):
    def begin(self) -> None:
        """Begin."""


class ListQueue(_Queue):
    def __init__(self) -> None:
        self.waiting: list[EmailMessage] = []

    def put(self, message: EmailMessage) -> None:
        self.waiting.append(message)

    @property
    def size(self) -> int:
        return len(self.waiting)
