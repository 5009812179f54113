"""The command line: ``asyncsmtp-bridge`` and ``python -m asyncsmtp_bridge``.

Owns the entry point, and what is said when the extra ``cli`` is not installed. It imports nothing of that extra itself;
the commands are declared in `asyncsmtp_bridge.cli.app`.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Sequence

__all__ = ["main"]

EXTRA = ("typer", "rich", "aiosmtpd")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: The arguments without the program's name; by default those of the process.

    Returns:
        0: everything asked for was done. 1: something was not accepted. 2: usage, or the extra ``cli`` is not
        installed. 130: interrupted.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"asyncsmtp-bridge: {' and '.join(missing)} not installed; the command line needs the extra 'cli': "
            'pip install "asyncsmtp_bridge[cli]"\n'
        )
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name must not break the account of all others
    try:
        from .app import app

        app(args=None if argv is None else list(argv), prog_name="asyncsmtp-bridge")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    return 0
