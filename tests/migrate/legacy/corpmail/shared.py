"""One connection for the whole process, shared in every way that has been the fashion."""

import asyncio
import smtplib
from functools import cached_property, lru_cache
from typing import Any

from corpmail import settings
from corpmail.corporate import *  # noqa: F403 - get_mailer, and whatever else there will be
from corpmail.messages import compose

SENDER = "shared@example.com"
Session = smtplib.SMTP  # as in Python 2

_session = None


def session():
    """The connection of this process."""
    global _session
    if _session is None:
        _session = Session(settings.HOST, settings.PORT)
    return _session


@lru_cache(maxsize=None)
def session_to(host: str, port: int) -> smtplib.SMTP:
    return smtplib.SMTP(host, port)


def forget() -> None:
    global _session
    _session = None
    session_to.cache_clear()


class Office:
    """Has a connection from the first time it is asked for."""

    def __init__(self, port: int = settings.PORT) -> None:
        self.port = port

    @cached_property
    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(settings.HOST, self.port)

    @cached_property
    def address(self) -> str:
        return f"{settings.HOST}:{self.port}"

    def send(self, to: str, subject: str) -> None:
        self.smtp.send_message(compose(to, subject, sender=SENDER))


class Branch:
    def __init__(self, **options: Any) -> None:
        self.office = Office(**options)

    async def send(self, to: str, subject: str) -> str:
        self.office.send(to, subject)  # blocks
        return self.office.address

    async def close(self) -> None:
        self.office.smtp.quit()  # blocks 2


async def send_shared(to: str) -> int:
    session().send_message(compose(to, "Global", sender=SENDER))  # blocks 2
    smtp = session_to(settings.HOST, settings.PORT)  # blocks
    smtp.send_message(compose(to, "Cached", sender=SENDER))  # blocks
    smtp.quit()  # blocks
    code: int = session().quit()[0]  # blocks 2
    forget()
    return code


async def send_from_a_branch(to: str) -> str:
    branch = Branch(port=settings.PORT)
    address = await branch.send(to, "Branch")
    await branch.close()
    return address


async def send_by_wildcard(to: str) -> str:
    get_mailer().send(to, "Wildcard")  # noqa: F405  # blocks
    send(to, "Wildcard again")  # noqa: F405  # blocks
    return get_mailer().sender  # noqa: F405


async def send_as_a_session(to: str) -> None:
    with Session(settings.HOST, settings.PORT) as smtp:  # blocks
        smtp.send_message(compose(to, "Alias of a class", sender=SENDER))  # blocks


async def send_in_a_thread(to: str) -> None:
    """As it should be."""
    office = await asyncio.to_thread(Office)
    await asyncio.wait_for(asyncio.to_thread(office.send, to, "Thread"), 10)
    task = asyncio.create_task(asyncio.to_thread(lambda: office.smtp.quit()))
    await task
