"""Programs that are run as their users run them, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]


def environment(**variables: str) -> dict[str, str]:
    """Return that of such a process: this package can be imported, and so can what is in its directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASYNCSMTP_BRIDGE", "PYTEST"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **variables}


def run(arguments: Sequence[str], directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python, and return what became of it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment(**variables),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def line_of(source: str, text: str) -> int:
    """Return the number of the first line that a text is in."""
    return next(at for at, line in enumerate(source.splitlines(), 1) if text in line)
