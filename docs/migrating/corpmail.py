"""How this company sends mail."""

from __future__ import annotations

import logging
import smtplib
import threading
from email.message import EmailMessage

logger = logging.getLogger("corpmail")

SENDER = "shop@example.com"


def compose(to: str, subject: str, text: str) -> EmailMessage:
    """Make a message from the shop."""
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    return message


class CorpMailer:
    """Keeps one connection, and makes it anew when the server has closed it. A lock makes it safe for threads."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.sent = 0
        self._smtp: smtplib.SMTP | None = None
        self._lock = threading.Lock()

    def _session(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = smtplib.SMTP(self.host, self.port, timeout=30)
        return self._smtp

    def send(self, to: str, subject: str, text: str) -> int:
        """Send one message, and return how many were sent so far."""
        with self._lock:
            message = compose(to, subject, text)
            try:
                self._session().send_message(message)
            except smtplib.SMTPServerDisconnected:
                logger.info("connecting again")
                self._smtp = None
                self._session().send_message(message)
            self.sent += 1
            return self.sent

    def is_alive(self) -> bool:
        """Whether the server answers."""
        with self._lock:
            try:
                return self._session().noop()[0] == 250
            except OSError:
                self._smtp = None
                return False

    @property
    def name(self) -> str:
        """What the server is called in the logs."""
        return f"{self.host}:{self.port}"

    def close(self) -> None:
        """End the connection, if there is one."""
        with self._lock:
            if self._smtp is not None:
                self._smtp.quit()
                self._smtp = None
