"""Dispatchers: everything that they need is an attribute of the class."""

import smtplib
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import ClassVar, Optional

from corpmail import settings
from corpmail.messages import compose
from corpmail.reconnecting import PersistentMailer


class Dispatcher:
    host = settings.HOST
    port = settings.PORT
    sender = "dispatch@example.com"
    mailer = PersistentMailer(settings.HOST, settings.PORT)
    _shared: ClassVar[Optional[smtplib.SMTP]] = None

    @classmethod
    def shared(cls) -> smtplib.SMTP:
        if cls._shared is None:
            cls._shared = smtplib.SMTP(cls.host, cls.port)
        return cls._shared

    @classmethod
    def address(cls) -> str:
        return f"{cls.host}:{cls.port}"

    async def dispatch(self, to: str, subject: str) -> str:
        self.mailer.send(compose(to, subject, sender=self.sender))  # blocks
        return self.address()

    async def dispatch_shared(self, to: str, subject: str) -> None:
        smtp = self.shared()  # blocks
        smtp.send_message(compose(to, subject, sender=self.sender))  # blocks

    @classmethod
    async def close(cls) -> None:
        cls.mailer.quit()  # blocks
        if cls._shared is not None:
            cls._shared.quit()  # blocks
            cls._shared = None


async def dispatch_directly(to: str, subject: str) -> None:
    Dispatcher.mailer.send(compose(to, subject, sender=Dispatcher.sender))  # blocks


@dataclass
class Channel:
    name: str
    smtp: smtplib.SMTP
    backlog: list[EmailMessage] = field(default_factory=list)

    def flush(self) -> int:
        for message in self.backlog:
            self.smtp.send_message(message)
        return len(self.backlog)

    def send(self, message: EmailMessage) -> None:
        """Later, with `flush`."""
        self.backlog.append(message)


async def dispatch_on_channel(to: str, subject: str) -> int:
    channel = Channel("main", smtplib.SMTP(settings.HOST, settings.PORT))  # blocks
    channel.send(compose(to, subject, sender="channel@example.com"))
    count = channel.flush()  # blocks
    channel.smtp.quit()  # blocks
    return count


class Regions:
    """A session for each region."""

    def __init__(self) -> None:
        self._sessions: dict[str, smtplib.SMTP] = {}

    async def send(self, region: str, message: EmailMessage) -> None:
        if region not in self._sessions:
            self._sessions[region] = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
        self._sessions[region].send_message(message)  # blocks

    async def leave(self, region: str) -> None:
        session = self._sessions[region]
        session.quit()  # blocks
        del self._sessions[region]
