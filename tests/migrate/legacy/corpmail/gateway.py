"""A wrapper that is connected as soon as it is made, and stays so."""

import smtplib
from email.message import EmailMessage

from corpmail import settings
from corpmail.messages import compose


class Gateway:
    """One connection to the gateway.

    Sends with `smtplib.SMTP.send_message()`; not safe for several threads.
    """

    def __init__(self, host: str, port: int) -> None:
        self._smtp = smtplib.SMTP(host, port, timeout=settings.TIMEOUT)
        self._smtp.ehlo()
        self.sent = 0

    @property
    def banner(self) -> str:
        """What the gateway says of itself, asked anew."""
        return self._smtp.ehlo()[1].decode().splitlines()[0]

    @property
    def count(self) -> int:
        return self.sent

    @property
    def name(self) -> str:
        return self._smtp.local_hostname

    def send(self, message: EmailMessage) -> int:
        self._smtp.send_message(message)
        self.sent += 1
        return self.sent

    def describe(self) -> str:
        return f"{self.name}: {self.count} sent"

    def quit(self) -> None:
        self._smtp.quit()


class Announcer:
    def __init__(self, gateway: Gateway, sender: str = "announcer@example.com") -> None:
        self.gateway = gateway
        self.sender = sender

    async def announce(self, to: str, subject: str) -> int:
        return self.gateway.send(compose(to, subject, sender=self.sender))  # blocks

    async def status(self) -> str:
        return f"{self.gateway.banner}, {self.gateway.count} sent, {self.gateway.describe()}"  # blocks

    async def finish(self) -> None:
        gateway = self.gateway
        gateway.quit()  # blocks


async def open_announcer() -> Announcer:
    gateway = Gateway(settings.HOST, settings.PORT)  # blocks
    return Announcer(gateway)


async def announce_once(to: str, subject: str) -> int:
    announcer = await open_announcer()
    number = await announcer.announce(to, subject)
    text = await announcer.status()
    number += announcer.gateway.send(compose("log@example.com", subject, text))  # blocks
    await announcer.finish()
    return number


async def describe(gateway: Gateway) -> str:
    return gateway.describe() + gateway.name
