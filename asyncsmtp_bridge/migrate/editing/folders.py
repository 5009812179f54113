"""Folders: the one in which a diff can be applied, and files as they are named from a folder.

Owns that neither links nor `..` are in such a name: git and patch refuse both. It does not know what is in the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def named_from_here(path: Path) -> Path:
    """Return a file, or the one that it is a link to, as it is named from the current folder."""
    target = os.path.realpath(path)
    try:
        return Path(os.path.relpath(target, os.path.realpath(os.curdir)))
    except ValueError:  # on another drive
        return Path(target)


def named_from(folder: Path, path: Path) -> str:
    """Return the name of a file below a folder, or of one that a link leads to, as diffs have it."""
    return Path(os.path.realpath(path)).relative_to(folder).as_posix()


def folder_for(paths: Iterable[Path]) -> Path:
    """Return the folder in which a diff of files can be applied.

    It is the current one if they are below it; else that of their repository, or else the one that has all of them.
    """
    here = Path(os.path.realpath(os.curdir))
    targets = [Path(os.path.realpath(path)) for path in paths]
    if all(target.is_relative_to(here) for target in targets):
        return here
    common = Path(os.path.commonpath([target.parent for target in targets]))
    return next((folder for folder in (common, *common.parents) if os.path.exists(folder / ".git")), common)
