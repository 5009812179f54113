"""The company's relay: a session class that knows where it is and who it is."""

import smtplib
from email.message import EmailMessage
from typing import Any

from corpmail import settings
from corpmail.messages import compose


class CorpRelay(smtplib.SMTP_SSL):
    """Always the same host, port and context."""

    def __init__(self, timeout: float = 30) -> None:
        super().__init__(
            settings.HOST,
            settings.TLS_PORT,
            timeout=timeout,
            context=settings.tls_context(settings.TLS_PORT),
        )
        self.submitted: list[str] = []

    def submit(self, message: EmailMessage, **options: Any) -> int:
        """Log in when it is the first, and send."""
        if not self.submitted:
            self.login(settings.USER, settings.PASSWORD)
        refused = self.send_message(message, **options)
        self.submitted.append(message["Subject"])
        return len(refused)

    def summary(self) -> str:
        return ", ".join(self.submitted)


class Submission:
    """Has a relay for as long as it takes."""

    relay: CorpRelay

    async def begin(self) -> None:
        self.relay = CorpRelay(timeout=10)  # blocks

    async def submit(self, to: str, subject: str) -> str:
        self.relay.submit(compose(to, subject, sender="relay@example.com"))  # blocks
        return self.relay.summary()

    async def end(self) -> None:
        self.relay.quit()  # blocks


def submit_all(messages: list[EmailMessage]) -> None:
    """For scripts."""
    with CorpRelay() as relay:
        for message in messages:
            relay.submit(message)


async def submit_one(to: str, subject: str) -> str:
    with CorpRelay() as relay:  # blocks
        if relay.submit(compose(to, subject, sender="relay@example.com")):  # blocks
            return ""
        relay.noop()  # blocks
        return relay.summary()


async def submit_two(to: str) -> str:
    submission = Submission()
    await submission.begin()
    await submission.submit(to, "One")
    said = await submission.submit(to, "Two")
    await submission.end()
    return said
