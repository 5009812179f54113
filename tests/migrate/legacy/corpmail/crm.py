"""The customer database's mailer: synchronous inside, asynchronous outside, and inherited from."""

import smtplib
from email.message import EmailMessage
from typing import Any

from corpmail import settings
from corpmail.messages import compose


class CrmMailer:
    sender = "crm@example.com"

    def __init__(self, host: str = settings.HOST, port: int = settings.PORT) -> None:
        self.host = host
        self.port = port

    @classmethod
    def from_settings(cls) -> "CrmMailer":
        return cls(settings.HOST, settings.PORT)

    @classmethod
    def verified(cls) -> "CrmMailer":
        """Made, if there is a server at all."""
        if not cls._probe(settings.HOST, settings.PORT):
            raise RuntimeError("no server")
        return cls.from_settings()

    @staticmethod
    def _probe(host: str, port: int) -> bool:
        with smtplib.SMTP(host, port) as smtp:
            return bool(smtp.noop()[0] == 250)

    @staticmethod
    def _greeting(name: str) -> str:
        return f"Dear {name}"

    def _message(self, to: str, subject: str) -> EmailMessage:
        return compose(to, subject, self._greeting(to), sender=self.sender)

    def _deliver(self, message: EmailMessage) -> None:
        with smtplib.SMTP(self.host, self.port) as smtp:
            smtp.send_message(message)

    async def welcome(self, to: str) -> None:
        message = self._message(to, "Welcome")
        self._deliver(message)  # blocks

    async def survey(self, to: str) -> bool:
        if not self._probe(self.host, self.port):  # blocks
            return False
        self._deliver(self._message(to, "Survey"))  # blocks
        return CrmMailer._probe(self.host, self.port)  # blocks

    @classmethod
    async def greet(cls, to: str) -> "CrmMailer":
        mailer = cls.verified()  # blocks
        await mailer.welcome(to)
        return mailer


class VipMailer(CrmMailer):
    sender = "vip@example.com"

    def _deliver(self, message: EmailMessage) -> None:
        message["X-Priority"] = "1"
        super()._deliver(message)

    async def welcome(self, to: str) -> None:
        await super().welcome(to)
        super()._deliver(self._message(to, "Welcome from the board"))  # blocks

    async def invite(self, to: str) -> None:
        self._deliver(self._message(to, "Invitation"))  # blocks

    @staticmethod
    async def reachable() -> bool:
        return VipMailer._probe(settings.HOST, settings.PORT)  # blocks


class RehearsalMailer(CrmMailer):
    """Keeps what others send."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.kept: list[EmailMessage] = []

    def _deliver(self, message: EmailMessage) -> None:
        self.kept.append(message)

    async def invite(self, to: str) -> int:
        self._deliver(self._message(to, "Invitation"))
        return len(self.kept)


async def invite_all(guests: list[str]) -> int:
    vip, rehearsal = VipMailer(), RehearsalMailer()
    for guest in guests:
        await rehearsal.invite(guest)
        await vip.invite(guest)
    vip._deliver(compose("host@example.com", "Invited", sender="vip@example.com"))  # blocks
    rehearsal._deliver(compose("host@example.com", "Rehearsed"))
    return len(rehearsal.kept)
