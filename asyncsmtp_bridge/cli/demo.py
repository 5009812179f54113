"""The command ``demo``: the same messages to the same server, blocking and bridged, side by side.

Owns the comparison and what is said about it. Measured is with `asyncsmtp_bridge.cli.heartbeat`; the server is
`asyncsmtp_bridge.cli.server`.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from time import perf_counter

from rich.console import Console
from rich.table import Table

from ..client import AsyncSMTP
from ..executor import BoundedExecutor
from .heartbeat import BEAT, FREEZE, Heartbeat
from .interrupt import EXIT_STATUS, on_ctrl_c
from .server import HOST, EmbeddedServer

MESSAGES = 200
FEWEST = 20
SERVER_DELAY = 0.010
LEGACY_BUDGET = 5.0
"""Seconds that the slowest way may take: on a slow machine there are fewer messages."""


# What a legacy codebase has: one blocking function, called on the event loop.


def send_mail(port: int, message: EmailMessage) -> None:
    """Send one message over a connection of its own, as most codebases do."""
    with smtplib.SMTP(HOST, port, local_hostname="demo.invalid") as smtp:
        smtp.send_message(message)


async def blocking(port: int, messages: Sequence[EmailMessage], executor: BoundedExecutor) -> None:
    """Call it on the event loop."""
    for message in messages:
        send_mail(port, message)
        await asyncio.sleep(0)  # the loop gets its turn between two messages


async def bridged(port: int, messages: Sequence[EmailMessage], executor: BoundedExecutor) -> None:
    """Await the same function in the executor's threads."""
    await asyncio.gather(*(executor.run(send_mail, port, message) for message in messages))


async def mirrored(port: int, messages: Sequence[EmailMessage], executor: BoundedExecutor) -> None:
    """Await smtplib's methods, on as many connections as there are threads, each kept open."""
    waiting = deque(messages)

    async def connection() -> None:
        async with AsyncSMTP(HOST, port, "demo.invalid", executor=executor) as smtp:
            while waiting:
                await smtp.send_message(waiting.popleft())

    await asyncio.gather(*(connection() for _ in range(executor.stats().size)))


Way = Callable[[int, Sequence[EmailMessage], BoundedExecutor], Awaitable[None]]


@dataclass(frozen=True)
class Measured:
    """One way of sending, measured."""

    messages: int
    arrived: int
    seconds: float
    heartbeat: Heartbeat

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def frozen_share(self) -> float:
        """The share of the time in which the loop was frozen."""
        return self.heartbeat.frozen / self.heartbeat.seconds


def run_demo(executor: BoundedExecutor) -> int:
    """Run the comparison in the executor's threads and show it; return the exit status."""
    console = Console(highlight=False)
    try:
        with EmbeddedServer(SERVER_DELAY) as server:
            return asyncio.run(_run(server, executor, console))
    except (asyncio.CancelledError, KeyboardInterrupt):
        console.print("Interrupted.")
        return EXIT_STATUS


async def _run(server: EmbeddedServer, executor: BoundedExecutor, console: Console) -> int:
    task = asyncio.ensure_future(_compare(server, executor, console))
    # A KeyboardInterrupt out of the middle of smtplib would be replaced by what its QUIT finds to complain about.
    with on_ctrl_c(task.cancel):
        async with executor:
            return await task


async def _compare(server: EmbeddedServer, executor: BoundedExecutor, console: Console) -> int:
    threads, count = executor.stats().size, await _affordable(server, executor)
    console.print(
        f"Sending {count} messages three times to an SMTP server in this process (aiosmtpd, {HOST}:{server.port}),"
        f" which takes {SERVER_DELAY * 1000:.0f} ms over each message.\n"
    )
    ways: dict[str, Way] = {
        "blocking\non the loop": blocking,
        f"bridged\n{threads} threads": bridged,
        f"AsyncSMTP\n{threads} connections": mirrored,
    }
    measured = {}
    for name, way in ways.items():
        with console.status(f"{name.splitlines()[0]} ..."):  # drawn by a thread, also while the loop is frozen
            measured[name] = await _measure(way, server, executor, count)
    _show(console, measured)
    if any(one.arrived != count for one in measured.values()):
        console.print("[red]Not every message arrived: something is wrong; the figures mean nothing.[/red]")
        return 1
    return 0


async def _affordable(server: EmbeddedServer, executor: BoundedExecutor) -> int:
    """Say how many messages fit the budget; warms everything up that the first one would pay for."""
    begun = perf_counter()
    await blocking(server.port, _messages("warm-up", 5), executor)
    return max(FEWEST, min(MESSAGES, int(LEGACY_BUDGET / (perf_counter() - begun) * 5)))


async def _measure(way: Way, server: EmbeddedServer, executor: BoundedExecutor, count: int) -> Measured:
    messages = _messages(way.__name__, count)
    async with Heartbeat() as heartbeat:
        begun = perf_counter()
        await way(server.port, messages, executor)
        seconds = perf_counter() - begun
    arrived = sum(server.message_ids[str(message["Message-ID"])] == 1 for message in messages)
    return Measured(count, arrived, seconds, heartbeat)


def _messages(run: str, count: int) -> list[EmailMessage]:
    """Make the messages, the same for every run but for the Message-ID, by which they are recognised."""
    messages = []
    for number in range(count):
        message = EmailMessage()
        message["From"] = "shop@demo.invalid"
        message["To"] = f"customer{number}@demo.invalid"
        message["Subject"] = f"Your order {number}"
        message["Message-ID"] = f"<{number}.{run}@demo.invalid>"
        message.set_content("Thank you for your order. It is on its way.\n" * 40)
        messages.append(message)
    return messages


def _show(console: Console, measured: dict[str, Measured]) -> None:
    table = Table()
    table.add_column("")
    for name in measured:
        table.add_column(name, justify="right")
    runs = list(measured.values())
    table.add_row("messages arrived", *(f"{one.arrived} of {one.messages}" for one in runs))
    table.add_row("took", *(f"{one.seconds:.2f} s" for one in runs))
    table.add_row("throughput", *(f"[bold]{one.rate:.0f}[/bold] a second" for one in runs))
    table.add_row("event loop frozen", *(f"{one.heartbeat.frozen:.2f} s" for one in runs))
    table.add_row("of the time", *(f"[bold]{one.frozen_share:.0%}[/bold]" for one in runs))
    table.add_row("longest gap", *(f"{one.heartbeat.longest * 1000:.0f} ms" for one in runs))
    console.print(table)
    before, after = runs[0], runs[1]
    console.print(
        f"\nBlocking, everything else on the event loop stood still for {before.frozen_share:.0%} of the time; "
        f"bridged, for {after.frozen_share:.0%}, and the same function sent {after.rate / before.rate:.1f} times as "
        "many messages a second.\n"
    )
    console.print("[bold]Next step[/bold], one line where your code sends mail:\n")
    console.print("    [red]- send_mail(message)[/red]")
    console.print("    [green]+ await asyncsmtp_bridge.to_thread(send_mail, message)[/green]\n")
    console.print(
        f"How it was measured: a task on the loop sleeps {BEAT * 1000:.0f} ms, again and again; when it wakes after "
        f"more than {FREEZE * 1000:.0f} ms, the loop was frozen. All three send the same messages; the first two make "
        "a connection for each, the third keeps its own open. Blocking, the loop has its turn after each message: code "
        "that sends several in one go freezes for all of them together. The server shares this process and its CPU.",
        style="dim",
    )
