"""The command ``migrate``: the edits for a project, as a person or a machine sees them.

Owns the diff on the screen, the lines about what is left, and the exit status. Which edits are made, and how, is in
`asyncsmtp_bridge.migrate`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from ..migrate.findings import Unread
from ..migrate.planning.plan import plan
from ..migrate.scanning.wrappers import check
from ..migrate.sources import Sources, read
from .report import printable

if TYPE_CHECKING:
    from ..migrate.editing.changes import Change
    from ..migrate.editing.edits import Left

STYLES = {"---": "bold", "+++": "bold", "@@ ": "cyan", "-": "red", "+": "green"}
"""How lines of a diff are shown that begin so; the first that fits."""


@dataclass
class Outcome:
    """What became of the files."""

    sources: Sources
    left: Sequence[Left]
    notes: Sequence[str]
    """What is told once, besides."""
    written: bool
    """They were to be written, and not only shown."""
    folder: Path
    """Where the diffs can be applied."""
    changed: list[Change] = field(default_factory=list)
    """Those that were changed, or would be."""
    unwritten: list[Unread] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0: all was done or shown. 1: something is left, could not be read, or not be written."""
        return 1 if self.left or self.sources.unread or self.unwritten else 0


def migrate(
    paths: Sequence[Path],
    *,
    wrappers: Sequence[str] = (),
    exclude: Sequence[str] = (),
    write: bool = False,
    json: bool = False,
) -> int:
    """Make coroutines await their mail, or show how.

    Args:
        paths: Files and folders.
        wrappers: Classes and functions that block, as ``package.module:Name``, which are not in the source given.
        exclude: Patterns of files and folders to leave out.
        write: Write the files.
        json: Write one JSON document to stdout, and nothing else.

    Returns:
        The exit status.

    Raises:
        typer.BadParameter: A path does not exist, no Python file is there, or a wrapper is malformed.
    """
    if importlib.util.find_spec("libcst") is None:
        sys.stderr.write(
            "asyncsmtp-bridge: libcst not installed; the command migrate needs the extra 'migrate': "
            'pip install "asyncsmtp_bridge[cli,migrate]"\n'
        )
        return 2
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise typer.BadParameter(f"does not exist: {', '.join(printable(path) for path in missing)}")
    sources = read(paths, exclude)
    if not sources.sources and not sources.unread:
        excluded = " that --exclude leaves" if exclude else ""
        raise typer.BadParameter(f"no Python file{excluded}: {', '.join(printable(path) for path in paths)}")
    outcome = _outcome(sources, wrappers, write=write)
    if json:
        typer.echo(_as_json(outcome))
        return outcome.exit_status
    for change in outcome.changed:
        if write:
            typer.echo(printable(change.path))
        else:
            _show(change, outcome.folder)
    sys.stdout.flush()
    for line in _account(outcome):
        typer.echo(printable(line), err=True)
    return outcome.exit_status


def _outcome(sources: Sources, wrappers: Sequence[str], *, write: bool) -> Outcome:
    from ..migrate.editing.changes import changes

    try:
        check(wrappers, sources)
        planned = plan(sources.sources, wrappers)
    except ValueError as error:
        raise typer.BadParameter(printable(error), param_hint="'--wrapper'") from error
    made = changes(planned, sources.sources)  # all of them, before the first is written
    outcome = Outcome(sources, made.left, planned.notes, write, made.folder)
    if not write:
        outcome.changed = made.changed
        return outcome
    for change in made.changed:
        problem = _written(change)
        if problem is None:
            outcome.changed.append(change)
        else:
            outcome.unwritten.append(problem)
    return outcome


def _written(change: Change) -> Unread | None:
    """Write a file; return why it is not written, if it is not."""
    from ..migrate.editing.changes import Unwritten

    try:
        change.write()
    except Unwritten as error:
        return Unread(change.path, str(error))
    return None


# For people.


def _show(change: Change, folder: Path) -> None:
    """Show a diff: in colours in a terminal, elsewhere the bytes that patch needs."""
    console = Console(highlight=False, markup=False, emoji=False)
    diff = change.diff(folder)
    if not console.is_terminal:
        typer.echo(diff.encode(change.source.encoding), nl=False)
        return
    for line in diff.removesuffix("\n").split("\n"):
        style = next((style for begin, style in STYLES.items() if line.startswith(begin)), "")
        shown = "\t".join(printable(part) for part in line.removesuffix("\r").split("\t"))
        console.print(shown, style=style, soft_wrap=True)


def _account(outcome: Outcome) -> Iterator[str]:
    for each in outcome.sources.unread:
        yield f"Not read: {each}"
    for each in outcome.unwritten:
        yield f"Not written: {each}"
    yield from _lines_about(outcome.left)
    for note in outcome.notes:
        yield f"Note: {note}."
    files = _count(len(outcome.sources.sources), "file")
    edits = sum(change.count for change in outcome.changed)
    if not outcome.changed:
        yield f"Nothing {'was edited' if outcome.unwritten else 'to edit'} in {files}."
    elif outcome.written:
        yield f"{_count(edits, 'edit')} made in {len(outcome.changed)} of {files}: run your formatter and your tests."
    else:
        yield f"{_count(edits, 'edit')} in {len(outcome.changed)} of {files}; nothing is written without --write."
        if outcome.folder != Path(os.path.realpath(os.curdir)):
            yield f"The diff is to be applied in {outcome.folder}."
    if outcome.left:
        yield f"{_count(len(outcome.left), 'place')} left as {'it is' if len(outcome.left) == 1 else 'they are'}."


def _lines_about(left: Iterable[Left]) -> Iterator[str]:
    """Say what is left: a reason that several calls of a file have, once."""
    alike: dict[tuple[Path, str], list[Left]] = {}
    for each in left:
        alike.setdefault((each.place.path, each.reason), []).append(each)
    for (path, reason), group in alike.items():
        if len(group) == 1:
            yield f"{group[0].place}: in {group[0].place.function}: left: {reason}"
            yield f"    {group[0].source}"
            continue
        yield f"{path}: {len(group)} places left: {reason}"
        for each in group:
            yield f"    {each.place}: in {each.place.function}: {each.source}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number != 1]}"


# For machines.


def _as_json(outcome: Outcome) -> str:
    document = {
        "changed": [
            {"path": os.fspath(change.path), "edits": change.count, "diff": change.diff(outcome.folder)}
            for change in outcome.changed
        ],
        "folder": os.fspath(outcome.folder),
        "left": [
            {
                "path": os.fspath(left.place.path),
                "line": left.place.line,
                "column": left.place.column,
                "function": left.place.function,
                "source": left.source,
                "reason": left.reason,
            }
            for left in outcome.left
        ],
        "notes": list(outcome.notes),
        "unread": [_as_object(each) for each in outcome.sources.unread],
        "unwritten": [_as_object(each) for each in outcome.unwritten],
        "written": outcome.written,
    }
    return json.dumps(document, indent=2)  # ASCII, so that file names of any bytes pass


def _as_object(each: Unread) -> dict[str, object]:
    return {"path": os.fspath(each.path), "line": each.line, "reason": each.reason}
