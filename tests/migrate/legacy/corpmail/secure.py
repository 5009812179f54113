"""Mail that has to be encrypted: implicit TLS, and STARTTLS where there is nothing else."""

import asyncio
import smtplib
from smtplib import SMTP_SSL as Secure

from corpmail import settings
from corpmail.messages import compose


def send_contract(to: str) -> None:
    context = settings.tls_context(settings.TLS_PORT)
    with Secure(settings.HOST, settings.TLS_PORT, context=context) as session:
        session.login(settings.USER, settings.PASSWORD)
        session.send_message(compose(to, "Contract", sender="legal@example.com"))


async def sign(to: str) -> None:
    send_contract(to)  # blocks


async def seal(to: str) -> str:
    context = settings.tls_context(settings.TLS_PORT)
    with Secure(settings.HOST, settings.TLS_PORT, context=context) as session:  # blocks
        session.login(settings.USER, settings.PASSWORD)  # blocks
        session.send_message(compose(to, "Seal", sender="legal@example.com"))  # blocks
    return to


async def upgrade(to: str) -> bool:
    """With STARTTLS, and a QUIT of its own."""
    smtp = smtplib.SMTP(settings.HOST, settings.STARTTLS_PORT, timeout=settings.TIMEOUT)  # blocks
    smtp.ehlo()  # blocks
    offered = smtp.has_extn("starttls")
    if offered:
        smtp.starttls(context=settings.tls_context(settings.STARTTLS_PORT))  # blocks
        smtp.ehlo()  # blocks
        smtp.login(settings.USER, settings.PASSWORD)  # blocks
    smtp.send_message(compose(to, "Upgrade", sender="legal@example.com"))  # blocks
    smtp.quit()  # blocks
    return offered


async def countersign(to: str) -> None:
    """As it should be."""
    unconnected = Secure(context=settings.tls_context(settings.TLS_PORT))
    assert unconnected.sock is None
    await asyncio.get_running_loop().run_in_executor(None, send_contract, to)
