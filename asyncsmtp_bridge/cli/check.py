"""The command ``check``: whether settings work, step by step, as a person or a machine sees it.

Owns the lines, the JSON document and the exit status. The steps are taken by `asyncsmtp_bridge.cli.probing`.
"""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..envelope import recipient_path_of
from ..settings import SMTPSettings
from .findings import Certificate, Findings, Step, StepName, capabilities
from .interrupt import EXIT_STATUS
from .probing import Probe, TestMail
from .recommending import FEW_DAYS, canonical, milliseconds, recommendations
from .report import printable

_SHOWN_NAMES = 5


def check(settings: SMTPSettings, *, send_to: str | None, from_addr: str | None, json: bool) -> int:
    """Try settings, and say what works.

    Args:
        settings: What to try.
        send_to: Who gets a test mail; nobody if None.
        from_addr: Whom it comes from; if None, the user name, if that is an address; if empty, nobody.
        json: Whether to write one JSON document, and nothing else.

    Returns:
        The exit status: 0 if they work, 1 if not, 130 after Ctrl-C.

    Raises:
        typer.BadParameter: The test mail has no sender, or one of its addresses is none.
    """
    mail = None if send_to is None else _mail(settings, send_to, from_addr)
    screen = None if json else _Screen()
    if screen is not None:
        screen.line(f"Checking {settings.to_url()}")
    probe = Probe(settings, screen.step if screen else _ignore, screen.begun if screen else _ignore)
    findings = probe.findings
    with screen or nullcontext():
        try:
            probe.run(mail)
        except KeyboardInterrupt:
            findings.interrupted = True
            findings.works = False
    if screen is None:
        typer.echo(_as_json(findings))
    else:
        screen.conclude(findings)
    if findings.interrupted:
        return EXIT_STATUS
    return 0 if findings.works else 1


def _ignore(_: object) -> None:
    return


def _mail(settings: SMTPSettings, send_to: str, from_addr: str | None) -> TestMail:
    sender = settings.username or "" if from_addr is None else from_addr
    if from_addr is None and "@" not in sender:
        raise typer.BadParameter(
            "a test mail needs a sender, and there is no user name that is an address: give --from",
            param_hint="'--send-to'",
        )
    for option, address in (("--send-to", send_to), ("--from", sender)):
        if option == "--from" and not address:
            continue  # the null reverse-path, which gets no bounces
        try:
            recipient_path_of(address)
        except ValueError as error:
            raise typer.BadParameter(printable(error), param_hint=f"'{option}'") from error
        if "@" not in address:
            raise typer.BadParameter(f"no address: {printable(address)}", param_hint=f"'{option}'")
    return TestMail(sender, send_to)


# For people.


class _Screen:
    """Lines on stdout: in columns that a terminal wraps, or plain ones elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False, markup=False)
        self._status = self._console.status("", spinner="line") if self._console.is_terminal else None

    def __enter__(self) -> _Screen:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begun(self, name: StepName) -> None:
        """Show what is waited for, where that can be taken away again."""
        if self._status is not None:
            self._status.update(f"{_LABELS.get(name, name)} ...")

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        if self._console.is_terminal:
            self._console.print(Text(_encodable(printable(text)), style), soft_wrap=True)  # so that a URL can be copied
        else:
            typer.echo(_encodable(printable(text)))

    def row(self, cells: Sequence[str], style: str = "", *, widths: Sequence[int] = (5, 12, 8)) -> None:
        """Write a line in columns, the last of which takes what room is left."""
        shown = [_encodable(printable(cell)) for cell in cells]
        if not self._console.is_terminal:
            padded = [cell.ljust(width) for cell, width in zip(shown, widths, strict=False)]
            typer.echo("  ".join([*padded, *shown[len(widths) :]]).rstrip())
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        for width in widths:
            grid.add_column(width=width, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(shown[0], style), *(Text(cell) for cell in shown[1:]))
        self._console.print(grid)

    def step(self, step: Step) -> None:
        """Show a step."""
        took = "" if step.seconds is None else milliseconds(step.seconds)
        mark, style = ("ok", "green") if step.ok else ("FAIL", "bold red")
        if not step.ok and step.name == "instead":
            mark, style = "no", "yellow"
        told = ": ".join(filter(None, (step.detail, step.error)))
        self.row([mark, _LABELS.get(step.name, step.name), took.rjust(8), told], style)
        if step.advice and step.name != "instead":
            self.row(["", "", "", f"-> {step.advice}"])

    def conclude(self, findings: Findings) -> None:
        """Show what was learned of the server, and what to do."""
        if findings.certificate is not None:
            self.line("")
            self.line("Certificate", "bold")
            for label, text in _certificate_lines(findings.certificate):
                self.row(["", label, text], widths=(0, 12))
        if findings.offered:
            self.line("")
            self.line("The server offers", "bold")
            table = capabilities(findings.offered)
            width = min(max(len(each.name) for each in table), 24)
            for each in table:
                self.row(["", each.name, each.purpose], widths=(0, width))
        if findings.interrupted:
            self.line("Interrupted.")
            return
        self.line("")
        failed = findings.failed
        if findings.works:
            self.line("These settings work.", "bold green")
        elif failed is None:
            self.line("These settings do not work.", "bold red")
        else:
            self.line(
                f"These settings do not work: {_LABELS.get(failed.name, failed.name)}: {failed.error}", "bold red"
            )
            if failed.advice and (findings.offered or findings.certificate):  # or else it is in sight
                self.row(["", "->", failed.advice], widths=(0, 2))
        for text in recommendations(findings):
            self.row(["", "-", text], widths=(0, 1))
        keep = canonical(findings)
        if keep is not None:
            self.line("")
            self.line("For the configuration, without secrets:" if findings.works else "What would work:")
            self.line(f"  {keep.to_url()}")


_LABELS: dict[str, str] = {"instead": "instead?"}


def _certificate_lines(certificate: Certificate) -> list[tuple[str, str]]:
    names = ", ".join(certificate.names[:_SHOWN_NAMES]) or f"none; subject: {certificate.subject}"
    more = len(certificate.names) - _SHOWN_NAMES
    left = certificate.days_left
    period = f"{certificate.not_before[:10]} to {certificate.not_after[:10]}"
    if left < 0:
        days = f"EXPIRED {-left} day{'s'[: left != -1]} ago"
    else:
        days = f"{left} day{'s'[: left != 1]} left{'' if left >= FEW_DAYS else ': RENEW IT'}"
    return [
        ("for", f"{names}{f' and {more} more' if more > 0 else ''}"),
        ("issued by", certificate.issuer),
        ("good", f"{period}, {days}"),
    ]


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


# For machines.


def _as_json(findings: Findings) -> str:
    keep = canonical(findings)
    document: dict[str, Any] = {
        "works": findings.works,
        "interrupted": findings.interrupted,
        "checked": findings.settings.to_url(),
        "url": None if keep is None else keep.to_url(),
        "would_work": [other.to_url() for other in findings.would_work],
        "steps": [
            {**asdict(step), "seconds": None if step.seconds is None else round(step.seconds, 6)}
            for step in findings.steps
        ],
        "addresses": findings.addresses,
        "unreachable": findings.unreachable,
        "capabilities": [asdict(each) for each in capabilities(findings.offered)],
        "tls": findings.encryption and asdict(findings.encryption),
        "certificate": findings.certificate and asdict(findings.certificate),
        "auth": {"mechanisms": findings.mechanisms, "logged_in": findings.logged_in},
        "round_trip": findings.round_trip and round(findings.round_trip, 6),
        "recommendations": recommendations(findings),
    }
    return json_module.dumps(document, indent=2)  # ASCII, whatever a server says
