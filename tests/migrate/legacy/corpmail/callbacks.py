"""Functions that the event loop calls by itself."""

import asyncio
import functools
import signal
import smtplib
from email.message import EmailMessage

from corpmail import settings
from corpmail.messages import compose

SENDER = "callbacks@example.com"
NOTES: list[str] = []


def send_note(to: str, subject: str) -> None:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        smtp.send_message(compose(to, subject, sender=SENDER))


def keep_note(to: str, subject: str) -> None:
    NOTES.append(f"{to}: {subject}")


def report_end(task: "asyncio.Task[str]") -> None:
    send_note(task.result(), "Done")


class Batcher:
    """Sends what was added in one turn of the loop over one connection."""

    def __init__(self) -> None:
        self._waiting: list[EmailMessage] = []

    def add(self, message: EmailMessage) -> None:
        self._waiting.append(message)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._flush)  # blocks

    def _flush(self) -> None:
        with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
            while self._waiting:
                smtp.send_message(self._waiting.pop(0))


async def batch(addresses: list[str]) -> None:
    batcher = Batcher()
    for address in addresses:
        batcher.add(compose(address, "Batched", sender=SENDER))


def schedule(loop: asyncio.AbstractEventLoop, to: str) -> None:
    loop.call_soon(keep_note, to, "Kept")
    loop.call_later(0.01, send_note, to, "Scheduled")  # blocks


async def soon(to: str) -> None:
    loop = asyncio.get_running_loop()
    schedule(loop, to)
    loop.call_at(loop.time(), lambda: send_note(to, "At once"))  # blocks
    loop.call_soon_threadsafe(functools.partial(send_note, to, "From a thread"))  # blocks
    loop.call_soon(loop.run_in_executor, None, send_note, to, "In a thread")


async def at_the_end(to: str) -> str:
    async def work() -> str:
        return to

    task = asyncio.ensure_future(work())
    pending = {task}
    task.add_done_callback(report_end)  # blocks
    task.add_done_callback(pending.discard)
    return await task


async def on_signal(to: str) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, send_note, to, "Signal")  # blocks
    loop.add_signal_handler(signal.SIGUSR2, keep_note, to, "Signal")


async def no_signal() -> bool:
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(signal.SIGUSR2)
    return loop.remove_signal_handler(signal.SIGUSR1)
