"""The company's mailer, of which there is one."""

import os
import smtplib
from email.message import EmailMessage
from typing import Union

from corpmail import settings

DEFAULT_SENDER = os.environ.get("CORP_SENDER", "corporate@example.com")


class CorpMailer:
    def __init__(self, host: str, port: int, *, sender: str = DEFAULT_SENDER, dry_run: bool = False) -> None:
        self.host, self.port = host, port
        self.sender = sender
        self.dry_run = dry_run
        self.sent = 0

    def compose(self, to: Union[str, list[str]], subject: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = to if isinstance(to, str) else ", ".join(to)
        message["Subject"] = subject
        return message

    def send(self, to: Union[str, list[str]], subject: str) -> int:
        message = self.compose(to, subject)
        if not self.dry_run:
            self._transmit(message)
        self.sent += 1
        return self.sent

    def _transmit(self, message: EmailMessage) -> None:
        with smtplib.SMTP(self.host, self.port) as smtp:
            smtp.send_message(message)

    def ping(self) -> bool:
        try:
            with smtplib.SMTP(self.host, self.port, timeout=2) as smtp:
                smtp.noop()
        except OSError:
            return False
        return True


mailer = CorpMailer(settings.HOST, settings.PORT, dry_run=bool(os.environ.get("CORP_DRY_RUN")))


def get_mailer() -> CorpMailer:
    """For those who inject their dependencies."""
    return mailer


def send(to: str, subject: str) -> None:
    mailer.send(to, subject)
