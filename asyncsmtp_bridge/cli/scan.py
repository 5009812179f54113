"""The command ``scan``: which calls in the source block an event loop, as a person or a machine sees it.

Owns the lines for people, the exit status, and what is a usage error. What is found, and how it is written for
machines, is in `asyncsmtp_bridge.migrate`.
"""

from __future__ import annotations

import enum
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from ..migrate.findings import Finding, Place, Scan, Way
from ..migrate.scanning.baseline import Baseline, BaselineError, Comparison, moved
from ..migrate.scanning.reports import as_annotations, as_json
from ..migrate.scanning.sarif import as_sarif
from ..migrate.scanning.scan import scan as find
from ..migrate.scanning.wrappers import check
from ..migrate.sources import read
from .report import printable

SHOWN_PATHS = 3
"""Paths of the command line that are repeated in advice; more would hide it."""

SHOWN_STEPS = 6
"""Lines for the way from a call to smtplib, the last of which is the call of smtplib."""

NAMES = re.compile(r"(?<![\w.])(AsyncSMTP_SSL|AsyncSMTP|AsyncLMTP|bridge)\(")
"""Calls, in what mends a finding, of what is imported from this package."""


class Format(str, enum.Enum):
    """How the findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def scan(
    paths: Sequence[Path],
    *,
    wrappers: Sequence[str] = (),
    exclude: Sequence[str] = (),
    output: Format = Format.TEXT,
    baseline: Path | None = None,
    update: bool = False,
) -> int:
    """Look for blocking calls, and say which there are.

    Args:
        paths: Files and folders.
        wrappers: Classes that block, as ``package.module:Name``, which are not in the source given.
        exclude: Patterns of files and folders to leave out.
        output: How to write what was found.
        baseline: A file with the findings that are known.
        update: Make the baseline know these findings.

    Returns:
        The exit status: 1 if there are findings that are not in the baseline, or a file could not be read.

    Raises:
        typer.BadParameter: A path does not exist, no Python file is there, a wrapper is malformed or used nowhere, or
            the baseline cannot be read or written.
    """
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise typer.BadParameter(f"does not exist: {', '.join(printable(path) for path in missing)}")
    known = None if baseline is None else _baseline(baseline, make=update)
    files = read(paths, exclude)
    if not files.sources and not files.unread:
        excluded = " that --exclude leaves" if exclude else ""
        raise typer.BadParameter(f"no Python file{excluded}: {', '.join(printable(path) for path in paths)}")
    try:
        check(wrappers, files)
        findings = find(files.sources, wrappers)
    except ValueError as error:
        raise typer.BadParameter(printable(error), param_hint="'--wrapper'") from error
    found = Scan(tuple(findings), files.unread, len(files.sources))

    looked_into = [source.path for source in files.sources]
    comparison = (known or Baseline()).compare(found.findings, looked_into)
    changed = ""
    if known is not None and baseline is not None and update:
        changed = _written(known.updated(found.findings, looked_into), baseline, comparison)
        comparison = Comparison((True,) * len(found.findings))
    status = 1 if comparison.new or found.unread else 0
    repository = Path(os.environ["GITHUB_WORKSPACE"]) if os.environ.get("GITHUB_WORKSPACE") else None
    match output:
        case Format.JSON:
            typer.echo(as_json(found, comparison))
        case Format.SARIF:
            typer.echo(as_sarif(found, None if known is None else comparison, status, repository))
        case Format.GITHUB:
            for line in as_annotations(found, comparison, repository):
                typer.echo(printable(line))
            for line in _summary(found, comparison, paths, changed):
                typer.echo(line)
        case Format.TEXT:
            _say(found, comparison, paths, changed)
    return status


def _baseline(path: Path, *, make: bool) -> Baseline:
    try:
        return Baseline.read(path)
    except FileNotFoundError:
        if make:
            return Baseline()
        raise typer.BadParameter(
            f"{printable(path)} does not exist; --update-baseline makes it, with all that is found now",
            param_hint="'--baseline'",
        ) from None
    except BaselineError as error:
        raise typer.BadParameter(printable(error), param_hint="'--baseline'") from error


def _written(baseline: Baseline, path: Path, before: Comparison) -> str:
    try:
        baseline.write(path)
    except BaselineError as error:
        raise typer.BadParameter(printable(error), param_hint="'--baseline'") from error
    return (
        f"{printable(path)} has {_count(len(baseline.entries), 'entry')}: "
        f"{before.new} added, {len(before.mended)} taken out."
    )


# For people.


def _say(scan: Scan, comparison: Comparison, paths: Sequence[Path], changed: str) -> None:
    for finding, known in zip(scan.findings, comparison.known, strict=True):
        if not known:
            for line in _finding_lines(finding):
                typer.echo(line)
    for each in scan.unread:
        typer.echo(f"Not scanned: {printable(each)}", err=True)
    for line in _summary(scan, comparison, paths, changed):
        typer.echo(line)


def _finding_lines(finding: Finding) -> Iterator[str]:
    place = finding.place
    yield printable(f"{place}: in {place.function}: {finding.does}")
    yield f"    {printable(finding.source)}"
    yield from _trace_lines(finding.trace)
    first, *more = finding.mend.split("\n")
    yield f"  {finding.way.value}: {printable(first)}"
    for line in more:
        yield " " * (len(finding.way.value) + 4) + printable(line)
    yield ""


def _trace_lines(trace: Sequence[Place]) -> Iterator[str]:
    for number, step in enumerate(trace, 1):
        if number < SHOWN_STEPS or number == len(trace):
            yield printable(f"  reached through {step} in {step.function}")
        elif number == SHOWN_STEPS:
            yield f"  and {_count(len(trace) - SHOWN_STEPS, 'more call')} (--json names them all)"


def _summary(scan: Scan, comparison: Comparison, paths: Sequence[Path], changed: str) -> Iterator[str]:
    new = [finding for finding, known in zip(scan.findings, comparison.known, strict=True) if not known]
    known = len(scan.findings) - len(new)
    files = _count(scan.files, "file")
    told = scan.findings if changed else new
    if told:
        places = len({finding.place.path for finding in told})
        blocks = "calls block" if len(told) > 1 else "call blocks"
        fresh = "" if len(told) == len(scan.findings) else "new "
        then = "in the baseline now" if changed else f"mend {_ways(new)}"
        yield f"{len(told)} {fresh}{blocks} the event loop, in {places} of {files}: {then}."
    else:
        yield f"No {'new ' if known else ''}call that blocks the event loop in {files}."
    if scan.unread:
        yield (
            f"{_count(len(scan.unread), 'path')} could not be scanned, and may hide more: mend "
            f"{'it' if len(scan.unread) == 1 else 'them'}, or leave out with --exclude."
        )
    if changed:
        yield changed
    elif known:
        yield f"{_count(known, 'known one')} in the baseline {'is' if known == 1 else 'are'} not shown."
    yield from _mended(new, comparison)
    if new:
        given = shlex.join(map(str, paths)) if len(paths) <= SHOWN_PATHS else "PATH..."
        yield f"See the edits: asyncsmtp-bridge migrate {printable(given)}"
    names = {name for finding in new for name in NAMES.findall(finding.mend)}
    if names:
        yield f"To edit by hand: from asyncsmtp_bridge import {', '.join(sorted(names))}"


def _ways(findings: Sequence[Finding]) -> str:
    ways = Counter(finding.way for finding in findings)
    return ", ".join(f"{ways[way]} by {way.value}" for way in Way if ways[way])


def _mended(new: Sequence[Finding], comparison: Comparison) -> Iterator[str]:
    elsewhere = moved(new, comparison.mended)
    if elsewhere is not None:
        yield (
            f"The baseline has some of them under another path, such as {printable(elsewhere.path)}: run this in the "
            "folder in which it was made, or, if files have moved, --update-baseline."
        )
    elif comparison.mended:
        number = len(comparison.mended)
        yield (
            f"{_count(number, 'entry')} of the baseline {'is' if number == 1 else 'are'} mended: --update-baseline "
            f"takes {'it' if number == 1 else 'them'} out."
        )


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
