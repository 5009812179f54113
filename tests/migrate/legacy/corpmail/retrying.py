"""Everything that is tried more than once."""

import asyncio
import smtplib
from email.message import EmailMessage

import tenacity
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_none

from corpmail import settings
from corpmail.messages import compose

TRANSIENT = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, smtplib.SMTPSenderRefused)
SENDER = "again@example.com"

again = retry(
    stop=stop_after_attempt(3),
    wait=wait_none(),
    retry=retry_if_exception_type(TRANSIENT),
    reraise=True,
)


@retry(stop=stop_after_attempt(3), wait=wait_none(), retry=retry_if_exception_type(TRANSIENT), reraise=True)
def send_again(message: EmailMessage) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        smtp.send_message(message)


@again
def check() -> int:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        return smtp.noop()[0]


def send_in_a_loop(message: EmailMessage, attempts: int = 3) -> int:
    for attempt in range(1, attempts + 1):
        try:
            smtp = smtplib.SMTP(settings.HOST, settings.PORT)
            try:
                smtp.send_message(message)
            finally:
                smtp.quit()
            return attempt
        except TRANSIENT:
            if attempt == attempts:
                raise
    return 0


async def insist(to: str) -> int:
    send_again(compose(to, "Insist", sender=SENDER))  # blocks
    attempts = send_in_a_loop(compose(to, "Insist in a loop", sender=SENDER))  # blocks
    if check() != 250:  # blocks
        raise RuntimeError("the server is not well")
    return attempts


@retry(stop=stop_after_attempt(2), wait=wait_none(), reraise=True)
async def insist_asynchronously(to: str) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
        smtp.send_message(compose(to, "Insist asynchronously", sender=SENDER))  # blocks


async def insist_attempt_by_attempt(to: str) -> None:
    async for attempt in tenacity.AsyncRetrying(stop=stop_after_attempt(3), wait=wait_none(), reraise=True):
        with attempt:
            send_again(compose(to, "Attempt by attempt", sender=SENDER))  # blocks


async def insist_by_hand(to: str, attempts: int = 3) -> int:
    attempt = 0
    while True:
        attempt += 1
        try:
            with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:  # blocks
                smtp.send_message(compose(to, "By hand", sender=SENDER))  # blocks
        except TRANSIENT:
            if attempt == attempts:
                raise
            await asyncio.sleep(0)
        else:
            return attempt
