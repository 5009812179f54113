"""Mail code as an organisation has it: synchronous, and nobody is going to rewrite it this week."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

SENDER, RECIPIENT, TEXT = "anna@example.org", "bert@example.org", "Subject: x\n\nHello\n"


class CorpSMTP(smtplib.SMTP):
    def send_order(self, order: str) -> None:
        self.sendmail(SENDER, RECIPIENT, order)

    async def send_order_soon(self, order: str) -> None:
        self.sendmail(SENDER, RECIPIENT, order)


class Mailer:
    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, order: str) -> Mailer:
        with smtplib.SMTP("localhost", self.port, timeout=60) as session:
            session.sendmail(SENDER, RECIPIENT, order)
        return self

    def send_all(self, orders: list[str]) -> Iterator[str]:
        for order in orders:
            self.send(order)
            yield order

    def send_safely(self, order: str) -> bool:
        try:
            self.send(order)
        except Exception:
            return False
        return True

    @property
    def status(self) -> int:
        with smtplib.SMTP("localhost", self.port, timeout=60) as session:
            return session.noop()[0]

    @contextmanager
    def session(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("localhost", self.port, timeout=60) as session:
            yield session

    def connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("localhost", self.port, timeout=60)


class Connected(Mailer):
    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.connect().quit()
