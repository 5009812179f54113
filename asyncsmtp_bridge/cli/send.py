"""The command ``send``: a delivery, as a person or a machine sees it.

Owns the progress bar, the lines and the exit status. What is sent, and how, is in `asyncsmtp_bridge.cli.delivery`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..executor import BoundedExecutor
from ..settings import SMTPSettings
from .delivery import GRACE, Delivery
from .files import Selection, select
from .interrupt import on_ctrl_c
from .outcome import Result, Status
from .report import Report, as_json, failure_lines, summary_lines

if TYPE_CHECKING:
    from .server import EmbeddedServer


def send(
    paths: Sequence[Path],
    settings: SMTPSettings,
    executor: BoundedExecutor,
    *,
    from_addr: str | None = None,
    to_addrs: Sequence[str] = (),
    demo_server: bool = False,
    json: bool = False,
) -> int:
    """Send files, and say what became of them.

    Args:
        paths: Files and folders.
        settings: Where to, and how.
        executor: Where everything that blocks runs; closed at the end. Its size is the number of connections.
        from_addr: The envelope's sender; None: as each message says.
        to_addrs: The envelope's recipients; empty: as each message says.
        demo_server: Send to an embedded server instead.
        json: Write one JSON document to stdout, and nothing else.

    Returns:
        The exit status.
    """
    selection = select(paths)
    with _demo_server() if demo_server else nullcontext() as embedded:
        if embedded is not None:
            settings = replace(settings, host="127.0.0.1", port=embedded.port)
        delivery = Delivery(selection.files, settings, executor, from_addr=from_addr, to_addrs=to_addrs)
        report = Report(settings, [*selection.problems, *selection.files], executor.stats().size)
        with _warnings_said_once():
            asyncio.run(_Presenter(report, quiet=json).show(delivery, selection, executor))
        if json:
            typer.echo(as_json(report))
        else:
            for line in summary_lines(report):
                typer.echo(line)
            if embedded is not None:
                typer.echo(f"The demo server received {embedded.received}; it delivers nothing to anyone.")
    if report.interrupted and executor.stats().running:
        # A thread that waits for a connection cannot be stopped, and Python would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(report.exit_status)
    return report.exit_status


def _demo_server() -> EmbeddedServer:
    from .server import EmbeddedServer

    return EmbeddedServer()


@contextmanager
def _warnings_said_once() -> Iterator[None]:
    """Have the log say once what is the same for all connections: that they are not encrypted."""
    logger, said = logging.getLogger("asyncsmtp_bridge"), set[str]()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text in said:
            return False
        said.add(text)
        return True

    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


class _Presenter:
    """Shows a delivery while it goes on, and fills the report.

    Args:
        report: What to fill.
        quiet: Print no failures.
    """

    def __init__(self, report: Report, *, quiet: bool) -> None:
        self._report = report
        self._quiet = quiet
        self._failures = 0
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._progress = Progress(
            TextColumn("Sending"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failures]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )

    async def show(self, delivery: Delivery, selection: Selection, executor: BoundedExecutor) -> None:
        """Run the delivery to its end."""
        report = self._report

        def stop() -> None:
            report.interrupted = True
            self._progress.stop()
            self._say(f"Stopping: messages under way have {GRACE:g} s to finish. Ctrl-C again ends at once.")
            delivery.stop()

        begun = monotonic()
        with on_ctrl_c(stop), self._progress:
            self._bar = self._progress.add_task("", total=len(report.files), failures="")
            for path, problem in selection.problems.items():
                self._add(Result(path, problem=problem))
            async for result in delivery.results():
                self._add(result)
            report.seconds = monotonic() - begun
            report.connections = delivery.connections
            report.unreachable = delivery.unreachable
            report.turned_away = delivery.turned_away
            if not report.interrupted:
                await executor.aclose()

    def _add(self, result: Result) -> None:
        self._report.results.append(result)
        if result.status is Status.NOT_SENT:
            return
        if result.status is not Status.ACCEPTED:
            self._failures += 1
            for line in failure_lines(result):
                self._say(line)
        failures = f"{self._failures} not accepted" if self._failures else ""
        self._progress.update(self._bar, advance=1, failures=failures)

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(line, soft_wrap=True)
