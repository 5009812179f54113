"""Which files to send: the PATHs of the command line, with folders opened.

Owns what counts as a message file in a folder, and the order. It does not open files or know what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Selection:
    """The files to send, and what was named but leads to none."""

    files: list[Path] = field(default_factory=list)
    """In the order of the command line, folders sorted, each file once."""
    problems: dict[Path, str] = field(default_factory=dict)
    """Folders that could not be listed, or hold no message file, and why."""


def select(paths: Iterable[Path]) -> Selection:
    """Find the files that the paths stand for; reads folders, so it blocks.

    A folder stands for its ``*.eml`` files and those of its subfolders, sorted, without hidden ones. Anything else
    stands for itself, whatever its name, even if it does not exist: reading it will tell. A file that is reached twice
    is sent once.
    """
    selection = Selection()
    seen: set[str] = set()
    for path in paths:
        found = _in_folder(path, selection) if path.is_dir() else [path]
        for file in found:
            identity = os.path.realpath(file)
            if identity not in seen:
                seen.add(identity)
                selection.files.append(file)
    return selection


def _in_folder(folder: Path, selection: Selection) -> list[Path]:
    found: list[Path] = []

    def report(error: OSError) -> None:
        selection.problems[Path(os.fsdecode(error.filename))] = f"cannot be listed: {error.strerror}"

    for place, subfolders, names in os.walk(folder, onerror=report):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [
            Path(place, name) for name in sorted(names) if name.lower().endswith(".eml") and not name.startswith(".")
        ]
    if not found and folder not in selection.problems:
        selection.problems[folder] = "the folder holds no .eml file"
    return found
