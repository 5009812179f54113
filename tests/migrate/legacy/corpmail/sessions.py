"""Sessions as context managers, of all kinds."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from corpmail import settings
from corpmail.messages import compose

SENDER = "sessions@example.com"


@contextmanager
def mail_session(host: str = settings.HOST, port: int = settings.PORT) -> Iterator[smtplib.SMTP]:
    smtp = smtplib.SMTP(host, port)
    try:
        yield smtp
    finally:
        smtp.quit()


@contextmanager
def subject_prefix(prefix: str) -> Iterator[str]:
    """Has nothing to do with a session, though it is used like one."""
    yield f"{prefix}: "


@asynccontextmanager
async def shared_session() -> AsyncIterator[smtplib.SMTP]:
    smtp = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
    try:
        yield smtp
    finally:
        smtp.quit()  # blocks


@asynccontextmanager
async def threaded_session() -> AsyncIterator[smtplib.SMTP]:
    """As it should be."""
    smtp = await asyncio.to_thread(smtplib.SMTP, settings.HOST, settings.PORT)
    try:
        yield smtp
    finally:
        await asyncio.to_thread(smtp.quit)


def send_in_session(to: str, subject: str) -> None:
    with mail_session() as smtp:
        smtp.send_message(compose(to, subject, sender=SENDER))


async def send_digest(to: str, subjects: list[str]) -> int:
    with mail_session() as smtp:  # blocks
        for subject in subjects:
            smtp.send_message(compose(to, subject, sender=SENDER))  # blocks
    return len(subjects)


async def send_prefixed(to: str, subject: str) -> None:
    with subject_prefix("Urgent") as prefix, mail_session() as smtp, suppress(smtplib.SMTPRecipientsRefused):  # blocks
        smtp.send_message(compose(to, prefix + subject, sender=SENDER))  # blocks


async def send_shared(to: str) -> None:
    async with shared_session() as smtp:
        smtp.send_message(compose(to, "Shared", sender=SENDER))  # blocks
        assert smtp.noop()[0] == 250  # blocks


async def send_threaded(to: str) -> None:
    async with threaded_session() as smtp:
        await asyncio.to_thread(smtp.send_message, compose(to, "Threaded", sender=SENDER))
    await asyncio.to_thread(send_in_session, to, "Threaded again")


async def send_entered_late(to: str) -> None:
    smtp = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
    with smtp:  # blocks
        smtp.send_message(compose(to, "Entered late", sender=SENDER))  # blocks
