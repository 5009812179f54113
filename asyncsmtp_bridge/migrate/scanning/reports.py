"""Reports of a scan for machines: one JSON document, and the annotations of GitHub's workflows.

Owns both formats. It does not know what the exit status is, or what is said to people; SARIF is in
`asyncsmtp_bridge.migrate.scanning.sarif`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..findings import Finding, Place, Scan, Unread, Way
from .baseline import Comparison


def as_json(scan: Scan, comparison: Comparison) -> str:
    """Return one JSON document: every finding, what could not be read, and totals."""
    ways = Counter(finding.way for finding in scan.findings)
    document = {
        "findings": [_finding(finding, known) for finding, known in zip(scan.findings, comparison.known, strict=True)],
        "unread": [{"path": each.path.as_posix(), "line": each.line, "reason": each.reason} for each in scan.unread],
        "files": scan.files,
        "totals": {
            "findings": len(scan.findings),
            "new": comparison.new,
            "known": sum(comparison.known),
            "mended": len(comparison.mended),
            "ways": {way.value: ways[way] for way in Way},
        },
    }
    return json.dumps(document, indent=2)  # ASCII, so that file names of any bytes pass


def _finding(finding: Finding, known: bool) -> dict[str, object]:
    place = _place(finding.place)
    return {
        **{name: place[name] for name in ("path", "line", "column")},
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "function": place["function"],
        "source": finding.source,
        "does": finding.does,
        "way": finding.way.value,
        "mend": finding.mend,
        "trace": [_place(each) for each in finding.trace],
        "fingerprint": finding.fingerprint,
        "known": known,
    }


def _place(place: Place) -> dict[str, str | int]:
    return {
        "path": place.path.as_posix(),
        "line": place.line,
        "column": place.column,
        "function": place.function,
    }


def as_annotations(scan: Scan, comparison: Comparison, repository: Path | None = None) -> Iterator[str]:
    """Yield workflow commands: an error for each new finding, a warning for what could not be read.

    Args:
        scan: What was found.
        comparison: What of it is known.
        repository: The folder that GitHub names files from; None: the current one.
    """
    for finding, known in zip(scan.findings, comparison.known, strict=True):
        if not known:
            yield _error(finding, repository)
    for each in scan.unread:
        yield _warning(each, repository)


def _error(finding: Finding, repository: Path | None) -> str:
    place = finding.place
    position: dict[str, object] = {"line": place.line, "endLine": finding.end_line}
    if place.line == finding.end_line:  # GitHub has no columns for what is longer
        position |= {"col": place.column, "endColumn": finding.end_column}
    lines = [f"{place}: in {place.function}: {finding.does}", f"{finding.way.value}: {finding.mend}"]
    lines += [f"reached through {each} in {each.function}" for each in finding.trace]
    title = "A call blocks the event loop"
    file = from_folder(place.path, repository).as_posix()
    return _command("error", {"file": file, **position, "title": title}, "\n".join(lines))


def _warning(unread: Unread, repository: Path | None) -> str:
    position = {} if unread.line is None else {"line": unread.line}
    file = from_folder(unread.path, repository).as_posix()
    return _command("warning", {"file": file, **position, "title": "Not scanned"}, str(unread))


def _command(name: str, properties: dict[str, object], message: str) -> str:
    listed = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items())
    return f"::{name} {listed}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def from_folder(path: Path, folder: Path | None) -> Path:
    """Return the path relative to the folder if it is below it; otherwise, or without one, as it is."""
    if folder is None:
        return path
    try:
        return Path(os.path.realpath(path)).relative_to(os.path.realpath(folder))
    except ValueError:
        return path
