"""Bulk mail: generators that tell of each recipient."""

import smtplib
from collections.abc import AsyncIterator, Iterable, Iterator

from corpmail import settings
from corpmail.messages import compose

SENDER = "bulk@example.com"


def send_each(subject: str, addresses: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Send to one after the other, over one connection, as it is iterated."""
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        for address in addresses:
            try:
                smtp.send_message(compose(address, subject, sender=SENDER))
            except smtplib.SMTPRecipientsRefused:
                yield address, False
            else:
                yield address, True


def domains(addresses: Iterable[str]) -> Iterator[str]:
    """Sends nothing."""
    for address in addresses:
        yield address.partition("@")[2]


def send_all(subject: str, addresses: Iterable[str]) -> Iterator[tuple[str, bool]]:
    yield from send_each(subject, sorted(addresses))


async def addresses_of(team: str) -> AsyncIterator[str]:
    for number in range(2):
        yield f"{team}{number}@example.org"


async def campaign(subject: str, addresses: list[str]) -> dict[str, bool]:
    report: dict[str, bool] = {}
    for domain in domains(addresses):
        assert domain
    for address, sent in send_each(subject, addresses):  # blocks
        report[address] = sent
    return report


async def delivered(subject: str, addresses: list[str]) -> AsyncIterator[str]:
    for address, sent in send_all(subject, addresses):  # blocks
        if sent:
            yield address


async def count_delivered(subject: str, addresses: list[str]) -> int:
    return sum(sent for _, sent in send_each(subject, addresses))  # blocks


async def undelivered(subject: str, addresses: list[str]) -> list[str]:
    return [address for address, sent in send_all(subject, addresses) if not sent]  # blocks


async def send_to_team(subject: str, team: str) -> AsyncIterator[int]:
    """An asynchronous generator that talks to the server itself."""
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        number = 0
        async for address in addresses_of(team):
            smtp.sendmail(SENDER, address, f"Subject: {subject}\n\n")  # blocks
            number += 1
            yield number


async def send_to_all_teams(subject: str, teams: list[str]) -> list[int]:
    return [number for team in teams async for number in send_to_team(subject, team)]
