"""Runs a script in an interpreter of its own."""

import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    code: int
    out: str
    err: str
    seconds: float


def python(script: str, *options: str) -> Ended:
    """Run a script until it ends by itself."""
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    return Ended(result.returncode, result.stdout, result.stderr, time.monotonic() - began)
