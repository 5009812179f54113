"""Servers in processes of their own, where they do not take the client's GIL.

Such a process listens on a port of 127.0.0.1 that the system chose, prints the port, and ends when its stdin is closed,
which happens at the latest when whoever started it ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[int]:
    """Have a process that runs a module; yields the port."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
