"""Half migrated: `async` stands everywhere, and what it stands around blocks as before."""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import nullcontext
from email.message import EmailMessage
from types import TracebackType

from corpmail import outbox, settings
from corpmail.billing import send_invoice
from corpmail.corporate import CorpMailer, mailer
from corpmail.messages import compose
from corpmail.reconnecting import PersistentMailer

SENDER = "transitional@example.com"


class AsyncSession:
    """Asynchronous in name."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.smtp: smtplib.SMTP

    async def __aenter__(self) -> AsyncSession:
        self.smtp = smtplib.SMTP(self.host, self.port)  # blocks
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.smtp.quit()  # blocks

    async def send_message(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        return self.smtp.send_message(message)  # blocks


class SendFailed(Exception):
    pass


def pick(kind: str) -> CorpMailer | PersistentMailer:
    return mailer if kind == "corp" else PersistentMailer(settings.HOST, settings.PORT)


def explain(to: str) -> str:
    """Ask the server why it does not want somebody."""
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        return f"{to}: {smtp.verify(to)[0]}"


async def send(to: str, subject: str) -> None:
    async with AsyncSession(settings.HOST, settings.PORT) as session:
        await session.send_message(compose(to, subject, sender=SENDER))


async def send_by_kind(to: str, kind: str) -> str:
    match kind:
        case "invoice":
            send_invoice(to, 1)  # blocks
        case "corp" if mailer.ping():  # blocks
            mailer.send(to, "By kind")  # blocks
        case "outbox":
            outbox.send_invoice(to, 1)
        case _:
            raise SendFailed(explain(to))  # blocks
    return kind


async def send_to_two_servers(to: str) -> int:
    with (
        smtplib.SMTP(settings.HOST, settings.PORT) as first,  # blocks
        nullcontext("two") as name,
        smtplib.SMTP(settings.HOST, settings.PORT) as second,  # blocks
    ):
        for number, smtp in ((1, first),):
            assert smtp is first
            assert number
        first.send_message(compose(to, f"First of {name}", sender=SENDER))  # blocks
        for _, (code, _) in second.send_message(compose(to, f"Second of {name}", sender=SENDER)).items():  # blocks
            return code
    return 0


async def send_what_was_picked(to: str) -> bool:
    picked = pick("corp")
    assert isinstance(picked, CorpMailer)
    picked.send(to, "Picked")  # blocks
    own = pick("own")
    if isinstance(own, PersistentMailer):
        own.send(compose(to, "Picked again", sender=SENDER))  # blocks
        own.quit()  # blocks
        return own.connected
    return True


async def keep(to: str) -> int:
    """Imports what has the same name, and keeps it."""
    from corpmail.outbox import send_invoice

    send_invoice(to, 2)
    for mailer in (outbox.Outbox(), outbox.Outbox()):  # noqa: F402
        mailer.send_message(compose(to, "Kept"))
        mailer.quit()
    return sum(explain == to for explain in [to])


async def send_soon(to: str) -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(mailer.send, to, "Soon")  # blocks
    await asyncio.sleep(0)


async def shadow(to: str) -> str:
    smtplib = outbox.Outbox()
    smtplib.connect("nowhere.example.com", 25)
    smtplib.send_message(compose(to, "Shadow"))
    smtplib.quit()
    return to
