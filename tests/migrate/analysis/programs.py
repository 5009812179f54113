"""Programs: small ones in which each line with a call that blocks an event loop says so.

Owns the form in which they are written, several in one text, and how they are scanned. A program begins with ``===``
and what it shows. Its file is ``main.py``; others begin with ``---`` and their path. A line that begins with ``$`` says
how it is scanned: ``$ wrapper`` and ``$ path``, as the command takes them, ``$ python``, the first version that can
parse it.

Each program can import from ``mail.py``, of which ``send`` and ``Mailer().send`` send a message, ``connected`` and
``Mailer()`` give what sends, and ``count`` and ``Mailer().describe`` send nothing.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.migrate.findings import Finding
from asyncsmtp_bridge.migrate.scanning.scan import scan
from asyncsmtp_bridge.migrate.sources import read

from ..marks import marks

MAIL = """
import smtplib


def send(to="bert@example.org", text=""):
    with smtplib.SMTP("mail.example.com") as smtp:
        smtp.sendmail("anna@example.com", to, text)
    return len(text)


def count(to=""):
    return len(to)


def connected() -> smtplib.SMTP:
    return smtplib.SMTP("mail.example.com")


class Mailer:
    def __init__(self, host="mail.example.com"):
        self.host = host

    def send(self, to=""):
        return send(to)

    def describe(self):
        return self.host
"""


@dataclass
class Program:
    """A program.

    Args:
        shows: What it shows.
        files: Its source, by path.
        wrappers: What is named as blocking.
        paths: What is scanned, relative to its folder.
        python: The first version of Python that can parse it.
    """

    shows: str
    files: dict[str, str] = field(default_factory=dict)
    wrappers: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    python: tuple[int, ...] = (3, 10)

    def write(self, folder: Path) -> None:
        for path, text in {"mail.py": MAIL, **self.files}.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")

    def findings(self, folder: Path) -> list[Finding]:
        """What a scan of it finds, when it is written to a folder."""
        self.write(folder)
        sources = read([folder / path for path in self.paths or ["."]])
        assert not sources.unread
        return scan(sources.sources, self.wrappers)


def programs(text: str) -> list[Any]:
    """The programs in a text, as parameters of a test."""
    return [pytest.param(each, id=each.shows) for each in map(_program, re.split(r"^=== ", text, flags=re.M)[1:])]


def _program(text: str) -> Program:
    shows, _, rest = text.partition("\n")
    program = Program(shows)
    path = "main.py"
    for line in rest.splitlines():
        if line.startswith("$ wrapper "):
            program.wrappers.append(line.removeprefix("$ wrapper "))
        elif line.startswith("$ path "):
            program.paths.append(line.removeprefix("$ path "))
        elif line.startswith("$ python "):
            program.python = tuple(map(int, line.removeprefix("$ python ").split(".")))
        elif line.startswith("--- "):
            path = line.removeprefix("--- ")
            program.files[path] = ""
        else:
            program.files[path] = program.files.get(path, "") + line + "\n"
    return program


def check(program: Program, folder: Path) -> None:
    """Assert that every call that blocks is found in a program, and nothing else."""
    if sys.version_info < program.python:
        pytest.skip(f"is for Python {program.python}")
    found = Counter(
        (each.place.path.relative_to(folder).as_posix(), each.place.line) for each in program.findings(folder)
    )
    expected = marks(folder)
    assert not _told(expected - found, folder), "not found"
    assert not _told(found - expected, folder), "found, and does not block"


def _told(lines: Counter[tuple[str, int]], folder: Path) -> list[str]:
    return [
        f"{path}:{number}: {(folder / path).read_text('utf-8').splitlines()[number - 1].strip()}"
        for path, number in sorted(lines.elements())
    ]
