"""Sessions that go elsewhere, so that nobody can say where they are used."""

import asyncio
import smtplib
from collections.abc import Iterable
from email.message import EmailMessage
from typing import Optional

from corpmail import settings
from corpmail.messages import compose

SENDER = "handover@example.com"


def _deliver(smtp: smtplib.SMTP, messages: Iterable[EmailMessage]) -> int:
    count = 0
    for message in messages:
        smtp.send_message(message)
        count += 1
    return count


def _close_all(sessions: list[smtplib.SMTP]) -> None:
    for session in sessions:
        session.quit()


def _describe(smtp: smtplib.SMTP) -> str:
    return f"{smtp.local_hostname} {smtp.has_extn('size')}"


async def passed(to: str) -> str:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        smtp.ehlo()  # blocks
        _deliver(smtp, [compose(to, "Passed", sender=SENDER)])  # blocks
        return _describe(smtp)


async def passed_to_a_thread(to: str) -> int:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        return await asyncio.to_thread(_deliver, smtp, [compose(to, "Passed to a thread", sender=SENDER)])


async def _accept(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    smtp.send_message(message)  # blocks


async def passed_to_a_coroutine(to: str) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        await _accept(smtp, compose(to, "Passed to a coroutine", sender=SENDER))


class Holder:
    def __init__(self) -> None:
        self.smtp: Optional[smtplib.SMTP] = None

    async def open(self) -> None:
        smtp = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
        smtp.ehlo()  # blocks
        self.smtp = smtp

    async def send(self, to: str) -> None:
        assert self.smtp is not None
        self.smtp.send_message(compose(to, "Held", sender=SENDER))  # blocks

    async def close(self) -> None:
        if self.smtp is not None:
            self.smtp.quit()  # blocks
        self.smtp = None


async def held(to: str) -> None:
    holder = Holder()
    await holder.open()
    await holder.send(to)
    await holder.close()


async def in_a_lambda(to: str) -> None:
    message = compose(to, "In a lambda", sender=SENDER)
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        await asyncio.to_thread(lambda: smtp.send_message(message))


async def in_a_generator(to: str) -> bool:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        return any(smtp.sendmail(SENDER, to, f"Subject: In a generator {number}\n\n") for number in range(2))  # blocks


async def in_a_nested_function(addresses: list[str]) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks

        def one(address: str) -> None:
            smtp.send_message(compose(address, "In a nested function", sender=SENDER))

        for address in addresses:
            one(address)  # blocks


async def _opened() -> smtplib.SMTP:
    smtp = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
    smtp.ehlo()  # blocks
    return smtp


async def returned(to: str) -> None:
    smtp = await _opened()
    smtp.send_message(compose(to, "Returned", sender=SENDER))  # blocks
    smtp.quit()  # blocks


async def in_a_list() -> int:
    sessions = [smtplib.SMTP(settings.HOST, settings.PORT) for _ in range(2)]  # blocks
    await asyncio.to_thread(_close_all, sessions)
    return len(sessions)
