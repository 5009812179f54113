"""Sessions that note what was sent. `AuditedSMTP` is a drop-in replacement for smtplib.SMTP."""

import smtplib
from typing import Any

from corpmail import settings

TRAIL: list[tuple[str, str]] = []


class AuditedSMTP(smtplib.SMTP):
    def sendmail(self, from_addr: str, to_addrs: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        refused = super().sendmail(from_addr, to_addrs, msg, *args, **kwargs)
        self.note(from_addr, to_addrs)
        return refused

    def note(self, sender: str, recipients: Any) -> None:
        TRAIL.append((sender, str(recipients)))


class LateSMTP(AuditedSMTP):
    """Is connected by `open`."""

    def __init__(self) -> None:
        super().__init__(timeout=settings.TIMEOUT)

    def open(self) -> "LateSMTP":
        self.connect(settings.HOST, settings.PORT)
        self.ehlo("late.example.com")
        return self


def export(path: str) -> None:
    """Written by a script, without smtplib.SMTP."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{sender} {recipients}\n" for sender, recipients in TRAIL)


async def send_noted(to: str, subject: str) -> int:
    with AuditedSMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        smtp.sendmail("audit@example.com", to, f"Subject: {subject}\n\n")  # blocks
        smtp.note("audit@example.com", "again")
    return len(TRAIL)


async def send_late(to: str, subject: str) -> int:
    smtp = LateSMTP()
    smtp.note("audit@example.com", "nobody yet")
    smtp.open()  # blocks
    with smtp:  # blocks
        smtp.sendmail("audit@example.com", [to], f"Subject: {subject}\n\n")  # blocks
    return len(TRAIL)


async def send_late_in_one_go(to: str, subject: str) -> None:
    smtp = LateSMTP().open()  # blocks
    smtp.sendmail("audit@example.com", [to], f"Subject: {subject}\n\n")  # blocks
    smtp.quit()  # blocks
