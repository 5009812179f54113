"""The help desk: uses what others have written, and never saw smtplib."""

import corpmail
import corpmail.notify as bell
from corpmail.notify import Channels, escalate, severities
from corpmail.outbox import notify
from corpmail.outbox import send_invoice as queue_invoice

from .notify import notify as ring
from .notify.channels import escalate as raise_level

DESK = "desk@example.com"


async def open_ticket(title: str) -> int:
    notify(DESK, title)
    return ring(DESK, title)  # blocks


async def escalate_ticket(title: str, level: int) -> int:
    known = severities()
    if level > len(known) or not Channels(known).notify("error"):
        return 0
    steps = escalate(DESK, title, level)  # blocks
    steps += raise_level(DESK, f"{title} again", level=1)  # blocks
    return steps


async def close_ticket(title: str, watchers: list[str]) -> None:
    bell.broadcast(watchers, f"Closed: {title}")  # blocks
    bell.notify(DESK, f"Closed: {title}")  # blocks
    for severity in bell.severities():
        assert severity


async def bill_ticket(customer: str, number: int) -> str:
    queue_invoice(customer, number)
    corpmail.send_invoice(customer, number)  # blocks
    return str(corpmail.compose(customer, "Ticket")["Subject"])
