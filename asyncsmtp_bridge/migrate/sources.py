"""Sources: the Python files that paths stand for, read and parsed.

Owns which files those are, what their modules are called, and every way in which a file can refuse to be understood. It
does not know what is looked for in them.
"""

from __future__ import annotations

import ast
import io
import os
import re
import stat
import sys
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from .findings import Unread

LEFT_OUT = frozenset({"__pycache__", "venv", "node_modules", "site-packages", "build"})
"""Folders below a given one that are not the project's source; `build` may be a package, then it is."""

NEWLINE = re.compile(r"\r\n|\r|\n")
"""What ends a line for Python. `str.splitlines` knows more, form feeds among them, and would count other lines."""

PYTHON_2 = re.compile(r"^[ \t]*(?:print[ \t]+(?:[\w\"'%]|>>)|exec[ \t]+[\w\"'])", re.MULTILINE)


DEEPEST = 200
"""Levels of a syntax tree that code which looks at it with recursion can bear. A long sum, or chain of ``elif``, has
one for each of its parts; of 3,200 files of the standard library and of common packages none has 90."""


@dataclass(frozen=True)
class Source:
    """A Python file, read and parsed.

    Args:
        path: The file: relative to the current folder if it is below it, else as it was reached from what was given.
        module: Its dotted name.
        text: What is in it, line ends as they are, without a byte order mark.
        tree: The same, parsed.
        encoding: What it is encoded in.
        bom: It begins with a byte order mark.
        newline: What ends its lines; where they differ, what ends most of them.
    """

    path: Path
    module: str
    text: str
    tree: ast.Module
    encoding: str
    bom: bool
    newline: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines as Python counts them, without their ends."""
        return NEWLINE.split(self.text)

    def encoded(self, text: str) -> bytes:
        """Return what the file holds when this is its text.

        Raises:
            UnicodeEncodeError: The file's encoding has no such characters.
        """
        return b"\xef\xbb\xbf"[: 3 * self.bom] + text.encode(self.encoding)


@dataclass(frozen=True)
class Sources:
    """What was read.

    Args:
        sources: In the order of the paths, folders sorted, each file once.
        unread: Files that could not be read or parsed, and folders that could not be listed.
    """

    sources: tuple[Source, ...]
    unread: tuple[Unread, ...]


def read(paths: Iterable[Path], exclude: Sequence[str] = ()) -> Sources:
    """Read files, and the ``*.py`` files in folders and those below them.

    Hidden files and folders, virtual environments, what was built or installed, and links to folders are left out;
    what is named itself is not.

    Args:
        paths: Files and folders.
        exclude: Patterns of what to leave out, also where it is named: of the name of a file or folder; with a slash,
            of a path as it is shown.
    """
    sources: list[Source] = []
    unread: list[Unread] = []
    seen: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own, on escapes and comparisons in code that is only looked at
        for path in paths:
            for file, root in _files(path, exclude, unread):
                identity = os.path.realpath(file)
                if identity in seen:
                    continue
                seen.add(identity)
                found = _source(file, root)
                if isinstance(found, Source):
                    sources.append(found)
                else:
                    unread.append(found)
    return Sources(tuple(sources), tuple(unread))


# Which files.


def _files(path: Path, exclude: Sequence[str], unread: list[Unread]) -> Iterator[tuple[Path, Path | None]]:
    """Yield the files that a path stands for, each with the folder that was given, if one was."""
    shown = _shown(path)
    above = len(shown.parts) - 1 if shown.is_absolute() or ".." in shown.parts else 0
    if _is_excluded(shown, above, exclude):
        return
    if not os.path.isdir(path):
        yield shown, None
        return
    folders = [shown]
    while folders:
        here = folders.pop()
        try:
            with os.scandir(here) as listed:
                entries = sorted(listed, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            unread.append(Unread(here, f"cannot be listed: {error.strerror}"))
            continue
        names = {entry.name for entry in entries}
        if here != shown and not _is_projects_own(here.name, names):
            continue
        below = [entry for entry in entries if not entry.name.startswith(".")]
        below = [entry for entry in below if not _is_excluded(here / entry.name, above, exclude)]
        folders += [here / entry.name for entry in below if entry.is_dir(follow_symlinks=False)]
        for entry in reversed(below):
            if entry.name.endswith(".py") and not os.path.isdir(entry):
                yield here / entry.name, shown


def _shown(path: Path) -> Path:
    """Return the path relative to the current folder if it is below it, however it was given."""
    here = os.getcwd()
    for absolute in (os.path.abspath(path), os.path.realpath(path)):
        if absolute == here or absolute.startswith(here.rstrip(os.sep) + os.sep):
            return Path(os.path.relpath(absolute, here))
    return path


def _is_projects_own(name: str, names: set[str]) -> bool:
    if "pyvenv.cfg" in names:
        return False
    return name not in LEFT_OUT or (name == "build" and "__init__.py" in names)


def _is_excluded(path: Path, above: int, exclude: Sequence[str]) -> bool:
    """Tell whether a pattern has the path, or a folder that it is in; `above`: parts of it that nobody asked for."""
    for number in range(above, len(path.parts)):
        folder = Path(*path.parts[: number + 1]).as_posix()
        for pattern in exclude:
            wanted = pattern.removeprefix("./").rstrip("/")
            if "/" not in wanted and fnmatch(path.parts[number], wanted):
                return True
            if "/" in wanted and (fnmatch(folder, wanted) or fnmatch(folder, wanted.removeprefix("**/"))):
                return True
    return False


# One file.


def _source(path: Path, root: Path | None) -> Source | Unread:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Unread(path, "is not a regular file")
        data = path.read_bytes()
    except OSError as error:
        return Unread(path, f"cannot be read: {error.strerror}")
    decoded = _decode(path, data)
    if isinstance(decoded, Unread):
        return decoded
    text, encoding, bom = decoded
    tree = _parse(path, text)
    if isinstance(tree, Unread):
        return tree
    ends = NEWLINE.findall(text)
    newline = max(("\n", "\r\n", "\r"), key=ends.count)
    return Source(path, _module(path, root), text, tree, encoding, bom, newline)


def _decode(path: Path, data: bytes) -> tuple[str, str, bool] | Unread:
    """Return the text, its encoding, and whether it has a byte order mark."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        return Unread(path, "holds NUL bytes, as UTF-16 and binary files do", line)
    try:
        encoding = _encoding(data)
        text = data.decode(encoding)
    except SyntaxError as error:
        return Unread(path, error.msg, 1)
    except UnicodeDecodeError as error:
        line = len(NEWLINE.findall(data[: error.start].decode("latin-1"))) + 1
        hint = "; in another encoding it needs a declaration (PEP 263)" if error.encoding == "utf-8" else ""
        return Unread(path, f"is not {error.encoding}: byte 0x{data[error.start]:02x}{hint}", line)
    except (LookupError, ValueError) as error:  # a codec between bytes, or one that refuses in its own way
        return Unread(path, f"cannot be decoded: {error}", 1)
    if encoding == "utf-8-sig":
        return text, "utf-8", True
    return text, encoding, False


def _encoding(data: bytes) -> str:
    """Return the encoding that a file declares, or has by default.

    Raises:
        SyntaxError: It declares one that there is not, or that its byte order mark contradicts.
    """
    beginning = io.BytesIO(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    try:
        return tokenize.detect_encoding(beginning.readline)[0]
    except SyntaxError as error:
        if data.startswith(b"\xef\xbb\xbf"):
            problem = "begins with a byte order mark of UTF-8, and is not UTF-8 or declares another encoding"
            raise SyntaxError(problem) from error
        if "declaration" in error.msg:
            return "utf-8"  # which it is not: decoding tells where
        raise SyntaxError(f"declares an encoding that Python does not know: {error.msg}") from error


def _parse(path: Path, text: str) -> ast.Module | Unread:
    version = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    try:
        tree = ast.parse(text, filename=os.fspath(path))
    except SyntaxError as error:
        hint = " (Python 2?)" if _is_python_2(error, text) else ""
        return Unread(path, f"syntax error for {version}: {error.msg}{hint}", error.lineno)
    except (RecursionError, MemoryError):
        return Unread(path, f"is nested too deeply for the parser of {version}")
    except ValueError as error:
        return Unread(path, f"cannot be parsed by {version}: {error}")
    deepest = _deepest_line(tree)
    if deepest is not None:
        return Unread(path, f"is nested too deeply: more than {DEEPEST} levels", deepest)
    return tree


def _deepest_line(tree: ast.Module) -> int | None:
    """Return a line at which the tree is too deep; None: it is not."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return next((line for node in level if (line := getattr(node, "lineno", None)) is not None), None)


def _is_python_2(error: SyntaxError, text: str) -> bool:
    return "Missing parentheses in call to" in error.msg or PYTHON_2.search(text) is not None


def _module(path: Path, root: Path | None) -> str:
    """Return the dotted name: of the package around it, else of its place below the folder that was given."""
    absolute = Path(os.path.abspath(path))
    names = [] if absolute.name == "__init__.py" else [absolute.stem]
    folder = absolute.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        if folder == folder.parent:
            break
        folder = folder.parent
    if root is not None and folder == absolute.parent:
        names = [*folder.relative_to(os.path.abspath(root)).parts, *names]
    return ".".join(names)
