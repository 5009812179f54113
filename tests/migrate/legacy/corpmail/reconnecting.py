"""A wrapper that connects when it has to, and again when the connection was lost."""

import smtplib
from email.message import EmailMessage
from typing import Optional

from corpmail import settings
from corpmail.messages import compose


class PersistentMailer:
    def __init__(self, host: str, port: int, attempts: int = 3) -> None:
        self.host = host
        self.port = port
        self.attempts = attempts
        self._session: Optional[smtplib.SMTP] = None

    def __enter__(self) -> "PersistentMailer":
        self._connect()
        return self

    def __exit__(self, *error: object) -> None:
        self.quit()

    def _connect(self) -> None:
        self._session = smtplib.SMTP(self.host, self.port, timeout=settings.TIMEOUT)

    @property
    def session(self) -> smtplib.SMTP:
        if self._session is None:
            self._connect()
        assert self._session is not None
        return self._session

    @property
    def connected(self) -> bool:
        return self._session is not None

    def send(self, message: EmailMessage) -> None:
        for attempt in range(1, self.attempts + 1):
            try:
                self.session.send_message(message)
                return
            except smtplib.SMTPServerDisconnected:
                self.forget()
                if attempt == self.attempts:
                    raise

    def forget(self) -> None:
        """Let go of a connection that is lost."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def quit(self) -> None:
        if self._session is None:
            return
        try:
            self._session.quit()
        finally:
            self._session = None


MAILER = PersistentMailer(settings.HOST, settings.PORT)


async def warn(to: str, subject: str) -> bool:
    MAILER.send(compose(to, subject, sender="watch@example.com"))  # blocks
    return MAILER.connected


async def hang_up() -> None:
    if MAILER.connected:
        MAILER.quit()  # blocks


async def warn_twice(to: str) -> None:
    with PersistentMailer(settings.HOST, settings.PORT) as mailer:  # blocks
        mailer.send(compose(to, "First warning", sender="watch@example.com"))  # blocks
        mailer.session.send_message(compose(to, "Second warning", sender="watch@example.com"))  # blocks 2


async def warn_lazily(to: str) -> int:
    mailer = PersistentMailer(settings.HOST, settings.PORT, attempts=1)
    smtp = mailer.session  # blocks
    smtp.send_message(compose(to, "Lazy warning", sender="watch@example.com"))  # blocks
    mailer.quit()  # blocks
    return mailer.attempts
