"""What has been migrated already, in as many ways as there were authors. Nothing here blocks."""

import asyncio
import smtplib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import aiosmtplib
import anyio.to_thread
import asyncsmtp_bridge
from asyncsmtp_bridge import AsyncSMTP, bridge, to_thread
from asyncsmtp_bridge import smtplib as asmtplib

from corpmail import billing, settings
from corpmail.corporate import CorpMailer, mailer
from corpmail.messages import compose

SENDER = "modern@example.com"

corp = bridge(mailer)
send_invoice = bridge(billing.send_invoice)


def send(to: str, subject: str) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        smtp.send_message(compose(to, subject, sender=SENDER))


def send_in_the_background(to: str, subject: str) -> None:
    """Return at once."""
    threading.Thread(target=send, args=(to, subject)).start()


def submit(pool: ThreadPoolExecutor, to: str, subject: str) -> "Future[None]":
    return pool.submit(send, to, subject)


def sender_of(subject: str) -> Callable[[str], None]:
    """Return a function that sends, which is not called here."""

    def send_it(to: str) -> None:
        send(to, subject)

    return send_it


async def with_threads(to: str) -> None:
    await asyncio.to_thread(send, to, "asyncio")
    await anyio.to_thread.run_sync(send, to, "anyio")
    await to_thread(send, to, "to_thread")
    await asyncsmtp_bridge.to_thread(partial(send, to), "partial")
    await asyncio.to_thread(sender_of("factory"), to)


async def with_executors(to: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, send, to, "default executor")
    with ThreadPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, lambda: send(to, "lambda"))
        await asyncio.wrap_future(submit(pool, to, "submitted"))
    send_in_the_background(to, "background")


async def with_nested_functions(to: str) -> int:
    message = compose(to, "nested", sender=SENDER)

    def work() -> int:
        smtp = smtplib.SMTP(settings.HOST, settings.PORT)
        try:
            return len(smtp.send_message(message))
        finally:
            smtp.quit()

    return await asyncio.to_thread(work)


async def with_a_session_in_threads(to: str) -> None:
    smtp = await asyncio.to_thread(smtplib.SMTP, settings.HOST, settings.PORT)
    await asyncio.to_thread(smtp.send_message, compose(to, "session", sender=SENDER))
    await asyncio.to_thread(smtp.quit)


async def with_bridges(to: str) -> None:
    await bridge(send)(to, "bridge")
    await corp.send(to, "bridged object")
    own = bridge(CorpMailer(settings.HOST, settings.PORT, sender=SENDER))
    await own.send(to, "own bridged object")
    await send_invoice(to, 99)


async def with_mirrors(to: str) -> None:
    async with AsyncSMTP(settings.HOST, settings.PORT) as smtp:
        await smtp.send_message(compose(to, "mirror", sender=SENDER))
    async with asmtplib.SMTP(settings.HOST, settings.PORT) as session:
        await session.send_message(compose(to, "drop-in", sender=SENDER))


async def with_a_native_client(to: str) -> None:
    message = compose(to, "native", sender=SENDER)
    await aiosmtplib.send(message, hostname=settings.HOST, port=settings.PORT, start_tls=False)
    client = aiosmtplib.SMTP(hostname=settings.HOST, port=settings.PORT, start_tls=False)
    await client.connect()
    await client.sendmail(SENDER, [to], "Subject: native again\n\n")
    await client.quit()
