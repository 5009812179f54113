"""What other modules build on."""

from __future__ import annotations

import abc
import logging
import smtplib
import threading
from email.message import EmailMessage
from typing import NamedTuple

Failures = list["Failure"]


class Failure(NamedTuple):
    address: str
    code: int


class BaseMailer:
    """What all mailers have."""

    #: Seconds.
    timeout: float = 30.0

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port: int = port
        """Where it listens."""
        if port:
            self.last: Failure | None = None
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> Failures:
        """Send a message."""
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout) as smtp:
            refused = smtp.send_message(message)
        return [Failure(address, code) for address, (code, _) in refused.items()]

    def describe(self) -> str:
        """Say what it is."""
        return "base"

    def close(self) -> None:
        """End the connection."""


class Audited:
    """Knows what was done."""

    log: logging.Logger = logging.getLogger(__name__)

    def audit(self, message: EmailMessage) -> str:
        """Tell what would be noted of a message."""
        return str(message["Subject"])


class Queue(abc.ABC, threading.local):
    """To be defined elsewhere."""

    @abc.abstractmethod
    def put(self, message: EmailMessage) -> None:
        """Take it."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many wait."""
