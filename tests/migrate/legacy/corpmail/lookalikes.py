"""What looks like mail and is none: smtplib.SMTP("mail.example.com").send_message(...) stands here only in words."""

import smtplib as _smtplib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from smtplib import SMTPException, quoteaddr

from corpmail.messages import compose

TEMPLATE = """
import smtplib
with smtplib.SMTP("mail.example.com") as smtp:
    smtp.sendmail({sender!r}, {to!r}, "")
"""


@dataclass
class Registry:
    """Of session classes, by the names that they have in smtplib."""

    known: dict[str, int]

    def SMTP(self, host: str) -> str:
        return f"{host}:{self.known['SMTP']}"

    def send(self, message: EmailMessage) -> None:
        self.known[message["Subject"]] = 0

    def quit(self) -> None:
        self.known.clear()


class Socket:
    """Somebody else's connection, awaited."""

    async def connect(self, host: str) -> "Socket":
        return self

    async def send_message(self, message: EmailMessage) -> str:
        return str(message["Subject"])

    async def quit(self) -> None:
        return None


def send(to: str, subject: str) -> None:
    """Never reached from a coroutine."""
    with _smtplib.SMTP("localhost") as smtp:
        smtp.send_message(compose(to, subject))


async def from_a_registry(smtplib: Registry, to: str) -> str:
    # smtplib.SMTP("mail.example.com") would connect, if this were the module.
    where = smtplib.SMTP("mail.example.com")
    smtplib.send(compose(to, "Registered"))
    smtplib.quit()
    return f"{where} {TEMPLATE.format(sender='', to=to)[:14]!r}"


async def from_a_socket(to: str) -> str:
    smtp = await Socket().connect("mail.example.com")
    said = await smtp.send_message(compose(to, "Said"))
    await smtp.quit()
    return said


async def from_a_parameter(send: Callable[[str, str], Awaitable[str]], to: str) -> str:
    return await send(to, "Parameter")


async def from_a_local_name(to: str) -> int:
    def send(address: str, subject: str) -> int:
        return len(address) + len(subject)

    return send(to, "Local")


async def from_exceptions(to: str) -> str:
    try:
        raise _smtplib.SMTPRecipientsRefused({to: (550, b"Unknown")})
    except SMTPException as error:
        address = quoteaddr(to)
        return f"{address}: {type(error).__name__}"


async def from_an_unconnected_session() -> int:
    smtp = _smtplib.SMTP()
    smtp.set_debuglevel(0)
    session = _smtplib.SMTP(local_hostname="lookalikes.example.com", timeout=1)
    return smtp.default_port + len(session.esmtp_features)
