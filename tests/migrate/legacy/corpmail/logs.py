"""Log records by mail, several in one message."""

import logging
import smtplib
from logging.handlers import BufferingHandler
from typing import Optional

from corpmail import settings
from corpmail.messages import compose


class DigestHandler(BufferingHandler):
    """Collects records, and sends them when it is flushed.

    Unlike logging.handlers.SMTPHandler, which calls smtplib.SMTP() for each.
    """

    def __init__(self, capacity: int, to: str, mailhost: str, mailport: int) -> None:
        super().__init__(capacity)
        self.to = to
        self.mailhost = mailhost
        self.mailport = mailport
        self.last: Optional[str] = None

    def digest(self) -> str:
        return "\n".join(self.format(record) for record in self.buffer)

    def flush(self) -> None:
        if not self.buffer:
            return
        self.last = self.digest()
        with smtplib.SMTP(self.mailhost, self.mailport) as smtp:
            smtp.send_message(compose(self.to, f"{len(self.buffer)} records", self.last, sender="logs@example.com"))
        self.buffer.clear()


HANDLER = DigestHandler(1000, "ops@example.com", settings.HOST, settings.PORT)
LOGGER = logging.getLogger("corpmail")
LOGGER.propagate = False
LOGGER.addHandler(HANDLER)


async def work(names: list[str]) -> Optional[str]:
    for name in names:
        LOGGER.warning("%s was here", name)
    HANDLER.flush()  # blocks
    return HANDLER.last


async def peek(name: str) -> str:
    LOGGER.warning("%s is here", name)
    text = HANDLER.digest()
    for handler in LOGGER.handlers:
        handler.setFormatter(None)
    HANDLER.buffer.clear()
    return text
