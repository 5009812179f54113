"""The newsletter, with what became of each subscriber."""

from __future__ import annotations

from collections.abc import Iterable
from smtplib import SMTP, SMTPException, SMTPRecipientsRefused

from corpmail.messages import compose
from corpmail.settings import HOST, PORT

SENDER = "news@example.com"


def connect():
    """Untyped, as most of it was."""
    session = SMTP(HOST, PORT)
    session.ehlo()
    return session


def preview(issue: str) -> str:
    return str(compose("preview@example.com", issue, sender=SENDER))


async def publish(issue: str, subscribers: Iterable[str]) -> tuple[list[str], list[str]]:
    sent, bounced = [], []
    smtp = connect()  # blocks
    for subscriber in subscribers:
        message = compose(subscriber, issue, sender=SENDER)
        try:
            smtp.send_message(message)  # blocks
        except SMTPRecipientsRefused:
            bounced.append(subscriber)
            smtp.rset()  # blocks
        except SMTPException:
            raise
        else:
            sent.append(subscriber)
    smtp.quit()  # blocks
    return sent, bounced


async def publish_quietly(issue: str, subscribers: list[str]) -> bool:
    try:
        with SMTP(HOST, PORT) as smtp:  # blocks
            if refused := smtp.sendmail(SENDER, subscribers, f"Subject: {issue}\n\n"):  # blocks
                return not refused
    except (SMTPException, OSError):
        return False
    return bool(preview(issue))


async def publish_where_it_is_known(issue: str, subscriber: str) -> int:
    smtp = SMTP(timeout=20)
    port = smtp.default_port
    smtp.connect(HOST, PORT)  # blocks
    known, _ = smtp.verify(subscriber)  # blocks
    if known // 100 == 2:
        smtp.send_message(compose(subscriber, issue, sender=SENDER))  # blocks
    smtp.docmd("QUIT")  # blocks
    return port
