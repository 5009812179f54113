"""The account of a delivery: totals, exit status, and how both are written for people and for machines.

Owns words and formats. It does not know how messages are sent, or whether a terminal is there.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..outcome import Outcome
from ..settings import SMTPSettings
from .outcome import Answer, Result, Status
from .reach import Unreachable

SHOWN = 10
"""Files that were not sent and are named on the screen; all of them are in the JSON."""

MEANING = {
    Status.ACCEPTED: "",
    Status.PARTIAL: "accepted for some recipients only",
    Status.REFUSED: "accepted for no recipient",
    Status.UNKNOWN: "may have been delivered: look before you send them again",
    Status.UNUSABLE: "cannot be sent to any server as they are",
    Status.NOT_SENT: "",
}


@dataclass
class Report:
    """What was to be done and what became of it."""

    settings: SMTPSettings
    files: list[Path]
    """All that was to be sent or was named in vain, in the order of the command line."""
    threads: int
    results: list[Result] = field(default_factory=list)
    connections: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    unreachable: Unreachable | None = None
    turned_away: Unreachable | None = None

    @property
    def exit_status(self) -> int:
        """0: everything was accepted. 1: something was not. 130: interrupted."""
        if self.interrupted:
            return 130
        return 0 if all(result.status is Status.ACCEPTED for result in self.results) else 1

    def count(self, status: Status) -> int:
        """Return how many files have this status."""
        return sum(result.status is status for result in self.results)

    def sorted_results(self) -> list[Result]:
        """Return the results in the order of the command line."""
        place = {path: number for number, path in enumerate(self.files)}
        return sorted(self.results, key=lambda result: place[result.path])


# For people.


def printable(text: object) -> str:
    """Return text from a file name or a server's reply as it can be shown: no control characters, no broken Unicode."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(text))


def failure_lines(result: Result) -> Iterator[str]:
    """Say what failed in one file: a line for each recipient, or one line if it is the same for all."""
    path = printable(result.path)
    if result.problem is not None:
        yield f"{path}: {printable(result.problem)}"
        return
    failures = [answer for answer in result.answers if answer.outcome is not Outcome.ACCEPTED]
    if len(failures) > 1 and len(failures) == len(result.answers) and len({_what(one) for one in failures}) == 1:
        yield f"{path}: all {len(failures)} recipients: {_what(failures[0])}"
        return
    for failure in failures:
        yield f"{path}: {printable(failure.recipient)}: {_what(failure)}"


def _what(answer: Answer) -> str:
    code = "" if answer.code is None else f"{answer.code} "
    return f"{answer.outcome.value}: {code}{printable(answer.text)}"


def summary_lines(report: Report) -> Iterator[str]:
    """Say how it ended."""
    total = len(report.results)
    accepted = report.count(Status.ACCEPTED)
    if report.unreachable is not None:
        yield f"No connection to {report.unreachable.address}: {printable(report.unreachable.reason)}."
        if report.unreachable.advice:
            yield printable(report.unreachable.advice)
    elif report.turned_away is not None:
        yield (
            f"Only {report.connections} of {report.threads} connections were taken "
            f"({printable(report.turned_away.reason)}); they carried everything."
        )
    if report.interrupted:
        yield "Interrupted."
    rate = f", {accepted / report.seconds:.0f} a second" if accepted and report.seconds else ""
    over = f" over {report.connections} connection{'s'[: report.connections != 1]}" if report.connections else ""
    yield f"{accepted} of {total} accepted by {report.settings.address}{over} in {report.seconds:.1f} s{rate}."
    for status, meaning in MEANING.items():
        number = report.count(status)
        if number and (status is not Status.ACCEPTED or accepted != total):
            yield f"  {status.value:<9}{number:>6}  {meaning}".rstrip()
    if report.interrupted or accepted:
        yield from _not_sent_lines(report)


def _not_sent_lines(report: Report) -> Iterator[str]:
    paths = [result.path for result in report.sorted_results() if result.status is Status.NOT_SENT]
    if paths:
        yield "Not sent:"
        yield from (f"  {printable(path)}" for path in paths[:SHOWN])
    if len(paths) > SHOWN:
        yield f"  and {len(paths) - SHOWN} more (--json names them all)"


# For machines.


def as_json(report: Report) -> str:
    """Return one JSON document: the results of all files, and totals."""
    unreachable = report.unreachable
    document = {
        "server": _server_as_json(report.settings),
        "connections": report.connections,
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "error": unreachable and {"reason": unreachable.reason, "advice": unreachable.advice},
        "totals": {
            "files": {"all": len(report.results)} | {_key(status): report.count(status) for status in Status},
            "recipients": _recipient_totals(report),
        },
        "results": [_result_as_json(result) for result in report.sorted_results()],
    }
    return json.dumps(document, indent=2)  # ASCII, so that file names of any bytes pass


def _server_as_json(settings: SMTPSettings) -> dict[str, object]:
    # As in smtplib, the path of a Unix socket is a host without a port.
    return {"host": settings.unix_socket or settings.host, "port": settings.port or None, "tls": settings.tls_mode}


def _recipient_totals(report: Report) -> dict[str, int]:
    counted = Counter(answer.outcome for result in report.results for answer in result.answers)
    return {"all": counted.total()} | {outcome.value: counted[outcome] for outcome in Outcome}


def _result_as_json(result: Result) -> dict[str, object]:
    return {
        "file": os.fspath(result.path),
        "status": _key(result.status),
        "problem": result.problem,
        "sender": result.sender,
        "recipients": [
            {
                "recipient": answer.recipient,
                "outcome": answer.outcome.value,
                "code": answer.code,
                "text": answer.text,
            }
            for answer in result.answers
        ],
    }


def _key(status: Status) -> str:
    return status.value.replace(" ", "_")
