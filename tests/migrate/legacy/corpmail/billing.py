"""Invoices and reminders: the oldest module, and from before asyncio."""

import asyncio
import smtplib

from corpmail import settings
from corpmail.messages import compose

SENDER = "billing@example.com"
OVERDUE_AFTER = 30  # days


def send_invoice(customer: str, number: int) -> None:
    """Send one invoice."""
    message = compose(customer, f"Invoice {number}", sender=SENDER)
    with smtplib.SMTP(settings.HOST, settings.PORT, timeout=settings.TIMEOUT) as s:
        s.send_message(message)


def send_reminders(customers, days=OVERDUE_AFTER):
    """Remind all of them over one connection; return how many were reminded."""
    reminded = 0
    with smtplib.SMTP(settings.HOST, settings.PORT) as s:
        for customer in customers:
            try:
                s.send_message(compose(customer, "Reminder", f"{days} days!", sender=SENDER))
            except smtplib.SMTPRecipientsRefused:
                continue
            reminded += 1
    return reminded


def subject_of(number: int) -> str:
    return f"Invoice {number}"


def nightly_run(customers: list[str]) -> None:
    """Cron's entry point: there is no event loop in that process."""
    for number, customer in enumerate(customers):
        send_invoice(customer, number)
    send_reminders(customers)


async def on_order(customer: str, number: int) -> str:
    subject = subject_of(number)
    send_invoice(customer, number)  # blocks
    return subject


async def on_overdue(customers: list[str]) -> int:
    if not customers:
        return 0

    # One connection for all; cheaper than send_invoice(...) for each.
    reminded = send_reminders(customers, days=60)  # blocks
    send_invoice("archive@example.com", reminded)  # blocks
    return reminded


async def on_refund(customer: str) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as s:  # blocks
        s.send_message(compose(customer, "Refund", sender=SENDER))  # blocks
        s.sendmail(SENDER, "archive@example.com", f"Subject: Refund to {customer}\n\n")  # blocks


async def on_many_orders(customers: list[str]) -> None:
    """As it should be."""
    await asyncio.gather(*(asyncio.to_thread(send_invoice, customer, 7) for customer in customers))
