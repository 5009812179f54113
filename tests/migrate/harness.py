"""What the tests on the legacy modules share: driving a folder of them, and checking its types, each in a process.

Owns how those processes are started and read. What they must show is for the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .drive import Seen
from .marks import PACKAGE, Book, Line

ROOT = Path(__file__).parents[2]


def drive(folder: Path) -> dict[str, Seen]:
    """Run all cases against the modules in a folder; by case, what was seen."""
    ended = _run("-m", "tests.migrate.drive", folder)
    assert ended.returncode == 0, ended.stderr
    return {name: Seen(**seen) for name, seen in json.loads(ended.stdout).items()}


def mypy(folder: Path, cache: Path) -> str:
    """Check the modules in a folder; return what mypy says."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ["--config-file=", "--check-untyped-defs", "--follow-imports=silent", "--python-version", version]
    path = os.pathsep.join([str(folder), str(ROOT)])
    return _run("-m", "mypy", *options, "--cache-dir", cache, "-p", PACKAGE, MYPYPATH=path).stdout


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line; 0 and 1 are answers, anything else is a failure."""
    ended = _run("-m", "asyncsmtp_bridge", *arguments)
    assert ended.returncode in {0, 1}, ended.stderr
    return ended


def answer(*arguments: object) -> Any:
    """Run the command line with ``--json``; return the document."""
    return json.loads(command(*arguments, "--json").stdout)


def relative(path: str, folder: Path) -> str:
    """A path that a command has named, relative to a folder, whether it is absolute or as seen from here."""
    return (ROOT / path).resolve().relative_to(folder.resolve()).as_posix()


def lines_of(seen: Seen, book: Book) -> tuple[set[Line], list[object]]:
    """The lines that a case blocked the loop on, as the book knows them; and what it does not know."""
    known: set[Line] = set()
    unknown: list[object] = []
    for path, number in seen.blocked:
        line = book.line_of(path, number)
        if line is None:
            unknown.append((path, number))
        else:
            known.add(line)
    for path, name, begins in seen.callbacks:
        lines = book.callbacks_of(path, name, begins)
        known |= lines
        unknown += [] if lines else [(path, name, begins)]
    return known, unknown


def told(lines: Iterable[Line], book: Book) -> str:
    """Lines with their text, for a failure's message."""
    return "\n".join(f"{path}:{number}: {book.text((path, number)).strip()}" for path, number in sorted(lines))


def _run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
