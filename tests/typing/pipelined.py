"""What users of pipelined sessions write, for type checkers: mypy --strict and pyright."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

from asyncsmtp_bridge import AsyncSMTP, AsyncSMTP_SSL, PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL, to_thread


def in_place_of_smtplibs(message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    with PipelinedSMTP("mail.example.org", 587, timeout=30, deadline=60) as smtp:
        legacy: smtplib.SMTP = smtp
        legacy.starttls()
        smtp.login("anna", access_token="x")
        return smtp.send_message(message)


def encrypted_and_local(message: EmailMessage) -> None:
    PipelinedSMTP_SSL("mail.example.org", cleartext_login=False).sendmail("a@example.org", ["b@example.org"], b"x")
    PipelinedLMTP("/run/lmtp", pipelining=False).send_message(message, to_addrs="b@example.org")


def source(messages: list[EmailMessage]) -> Iterator[EmailMessage | None]:
    yield from messages
    yield None


def a_stream(smtp: PipelinedSMTP, messages: list[EmailMessage]) -> int:
    refused = 0
    for answer in smtp.send_stream(source(messages)):
        if isinstance(answer, Exception):
            raise answer
        refused += len(answer)
    for answer in smtp.send_stream([("a@example.org", ["b@example.org"], "x"), messages[0]]):
        print(answer)
    return refused


async def on_a_mirror(message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    async with AsyncSMTP_SSL("mail.example.org", smtp_class=PipelinedSMTP_SSL) as other:
        await other.noop()
    async with AsyncSMTP("mail.example.org", 587, smtp_class=PipelinedSMTP) as smtp:
        return await smtp.send_message(message)


async def as_one_job(smtp: PipelinedSMTP, messages: list[EmailMessage]) -> int:
    return await to_thread(a_stream, smtp, messages)


def mistakes(smtp: PipelinedSMTP) -> None:
    smtp.send_stream([1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    PipelinedSMTP(deadline="soon")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
