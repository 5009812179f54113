"""The command ``facade``: a typed face for a wrapper, written to a file, or compared with it.

Owns where wrappers are looked for, which files are written, and the exit status. What is written is in
`asyncsmtp_bridge.migrate.facade`.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from ..migrate.facade.facade import MARK, face_of
from ..migrate.facade.inspected import inspected
from ..migrate.facade.members import FacadeError
from ..migrate.facade.read import read
from ..migrate.facade.source import Sources

WRONG_USAGE = 2
_HEAD = 10  # lines, of which one has the mark


def facade(
    target: str,
    output: Path | None,
    *,
    check: bool = False,
    static: bool = False,
    name: str = "",
    awaitable: Sequence[str] = (),
    search_path: Sequence[Path] = (),
) -> int:
    """Write the face of a wrapper, or compare it with what was written.

    Args:
        target: The wrapper, ``module:Class``.
        output: The file; None: stdout.
        check: Write nothing, and say what differs.
        static: Read the source, and import nothing.
        name: What to call the face.
        awaitable: Properties that block.
        search_path: Where to look for modules, before the current folder and Python's own path.

    Returns:
        The exit status: 0; 1: the file is not what would be written; 2: wrong usage.
    """
    # Python puts the folder of a script that it runs into its path: the one of the command, which has no modules.
    scripts = Path(sys.argv[0]).resolve().parent
    python = [path for path in map(Path, filter(None, sys.path)) if path.resolve() != scripts]
    sources = Sources(list(dict.fromkeys([*search_path, Path.cwd(), *python])))
    module, _, kind = target.partition(":")
    try:
        wrapper = (read if static else inspected)(module, kind, sources)
        text = face_of(wrapper, name, awaitable)
        if output is None:
            typer.echo(text, nl=False)
            return 0
        there = _existing(output)
        if check:
            return _compare(output, there, text)
        _write(output, there, text)
    except FacadeError as error:
        typer.echo(f"asyncsmtp-bridge facade: {error}", err=True)
        return WRONG_USAGE
    return 0


def _existing(output: Path) -> str | None:
    """Return what a file holds; None if there is none."""
    try:
        return output.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FacadeError(f"{output} cannot be read: {error}") from error


def _compare(output: Path, there: str | None, text: str) -> int:
    if there == text:
        return 0
    lines = difflib.unified_diff(
        (there or "").splitlines(keepends=True),
        text.splitlines(keepends=True),
        str(output) if there is not None else os.devnull,
        f"{output} (as it would be written)",
    )
    typer.echo("".join(lines), nl=False)
    return 1


def _write(output: Path, there: str | None, text: str) -> None:
    if there == text:
        return
    if there and not any(line.startswith(MARK) for line in there.splitlines()[:_HEAD]):
        raise FacadeError(
            f"{output} is there already, and was not written by this command: choose another file, or move it away"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        written = output.with_name(f".{output.name}.{os.getpid()}")  # whole, or not at all
        try:
            written.write_text(text, encoding="utf-8", newline="\n")
            os.replace(written, output)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        raise FacadeError(f"{output} cannot be written: {error}") from error
    typer.echo(f"{output}: written", err=True)
