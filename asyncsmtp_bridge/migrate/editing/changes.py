"""Changes: files as they are and as they would be, a diff between the two, and writing them.

Owns what becomes of a plan, file by file, and that a file on the disk is replaced as a whole or not at all. It does not
know which edits are made, or how.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..findings import Place
from ..sources import Source
from .editor import edited
from .edits import Edits, Left, Plan, Uneditable
from .folders import folder_for, named_from, named_from_here

LINES = re.compile(r"[^\n]*\n|[^\n]+")
"""Lines as patch and git see them, with their ends."""

NO_NEWLINE = "\n\\ No newline at end of file\n"


class Unwritten(Exception):
    """A file that was not written; what it says is the reason, as a clause."""


@dataclass(frozen=True)
class Change:
    """A file, and what it is to be.

    Args:
        source: The file as it was read.
        text: What it is to be.
        count: How many edits that is.
    """

    source: Source
    text: str
    count: int

    @property
    def path(self) -> Path:
        """The file, or what it is a link to, as it is named from the current folder."""
        return named_from_here(self.source.path)

    def diff(self, folder: Path) -> str:
        """Return a unified diff, for ``patch -p1`` and ``git apply`` in a folder that the file is below."""
        mark = "\ufeff" * self.source.bom
        path = named_from(folder, self.source.path)
        end = "\t" if " " in path else ""  # or else the name would end at the space
        old, new = (LINES.findall(mark + text) for text in (self.source.text, self.text))
        lines = difflib.unified_diff(old, new, f"a/{path}{end}", f"b/{path}{end}", lineterm="\n")
        return "".join(line if line.endswith("\n") else line + NO_NEWLINE for line in lines)

    def write(self) -> None:
        """Replace the file, or what it is a link to, by one with the same permissions.

        Raises:
            Unwritten: It cannot be written, or somebody else has changed it since it was read. It is as it was.
        """
        target = os.path.realpath(self.path)
        try:
            with open(target, "rb") as file:
                found, before = file.read(), os.fstat(file.fileno())
            if found != self.source.encoded(self.source.text):
                raise Unwritten("has changed since it was read: run this again")
            _replace(target, self.source.encoded(self.text), before)
        except OSError as error:
            raise Unwritten(f"cannot be written: {error.strerror}") from error


def _replace(target: str, data: bytes, before: os.stat_result) -> None:
    number, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=f".{os.path.basename(target)}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        if (before.st_uid, before.st_gid) != (os.stat(temporary).st_uid, os.stat(temporary).st_gid):
            with suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        os.chmod(temporary, stat.S_IMODE(before.st_mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


@dataclass
class Changes:
    """What becomes of a plan.

    Args:
        changed: The files that change.
        left: The calls that are left, and the files that could not be edited, in the order of files and lines; the
            files as `Change.path` names them.
    """

    changed: list[Change] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the diffs can be applied."""
        return folder_for(change.source.path for change in self.changed)


def changes(plan: Plan, sources: Sequence[Source]) -> Changes:
    """Make the edits of a plan, in memory.

    Args:
        plan: What is to be done.
        sources: The files that it was made from.

    Raises:
        ValueError: The plan was made from other files.
    """
    project = {source.module.partition(".")[0] for source in sources}
    made = Changes(left=list(plan.left))
    for source in sources:
        edits = plan.edits.get(source.path, Edits())
        try:
            text = edited(source.text, edits, project)
            source.encoded(text)
        except Uneditable as error:
            made.left.append(_left_file(source, str(error), error.line))
        except UnicodeEncodeError:
            made.left.append(_left_file(source, f"{source.encoding} has not all characters of the edits"))
        else:
            if text != source.text:
                made.changed.append(Change(source, text, edits.count))
    made.left = sorted(map(_named_from_here, made.left), key=lambda left: left.place)
    return made


def _named_from_here(left: Left) -> Left:
    return replace(left, place=replace(left.place, path=named_from_here(left.place.path)))


def _left_file(source: Source, reason: str, line: int | None = None) -> Left:
    number = line or 1
    place = Place(source.path, number, 1, "<module>")
    return Left(place, source.lines[number - 1].strip(), f"the file cannot be edited: {reason}")
