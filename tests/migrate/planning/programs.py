"""Programs: a module before and after, and what is left in it.

Owns what a program of the tables is, and the head that all of them have. A line that still blocks afterwards ends in
``# left:`` and the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Left, Plan
from asyncsmtp_bridge.migrate.planning.plan import plan
from asyncsmtp_bridge.migrate.sources import Sources, read

HEAD = '''\
import asyncio
import contextlib
import functools
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

HOST, PORT = "127.0.0.1", 25
SENDER, TO = "ada@example.com", "bert@example.org"
ERRORS = (smtplib.SMTPException, OSError)


def send(subject: str = "Note") -> int:
    with smtplib.SMTP(HOST, PORT) as smtp:
        smtp.sendmail(SENDER, TO, f"Subject: {subject}\\n\\n")
    return len(subject)


def each(*subjects: str) -> Iterator[int]:
    for subject in subjects:
        yield send(subject)


@contextmanager
def noted(subject: str) -> Iterator[int]:
    yield send(subject)


@contextmanager
def session() -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(HOST, PORT) as smtp:
        yield smtp


def connect() -> smtplib.SMTP:
    return smtplib.SMTP(HOST, PORT)


class Outbox:
    """Blocks in its methods only."""

    count = 0

    def send(self, subject: str = "Outbox") -> int:
        self.count += 1
        return send(subject)

    def describe(self) -> str:
        return f"{self.count} sent"

    @property
    def receipt(self) -> int:
        return self.send("Receipt")


class Mailer:
    """Connects when it is made."""

    def __init__(self, subject: str = "Mailer") -> None:
        self.smtp = smtplib.SMTP(HOST, PORT)
        self.subject = subject

    def __enter__(self) -> "Mailer":
        return self

    def __exit__(self, *_: object) -> None:
        self.smtp.quit()

    def send(self) -> int:
        self.smtp.sendmail(SENDER, TO, f"Subject: {self.subject}\\n\\n")
        return len(self.subject)

    def again(self) -> "Mailer":
        return self

    def each(self, *subjects: str) -> Iterator[int]:
        for self.subject in subjects:
            yield self.send()

    @property
    def label(self) -> str:
        return f"about {self.subject}"

    @property
    def code(self) -> int:
        return self.smtp.noop()[0]

    def quit(self) -> None:
        self.smtp.quit()


class Audited(smtplib.SMTP):
    """An organisation's own."""

    def sendmail(self, *arguments: Any, **options: Any) -> Any:
        return super().sendmail(*arguments, **options)

    def note(self) -> int:
        return self.noop()[0]


# The program.
'''
MARK = "# The program.\n"
LEFT = re.compile(r"#\s*left:\s*(.*)$")


@dataclass(frozen=True)
class Program:
    """One of a table; all but the head.

    Args:
        name: What it is about.
        before: The program.
        after: What becomes of it.
        runs: It has a coroutine function ``main``, which is run before and after.
    """

    name: str
    before: str
    after: str
    runs: bool = True

    @property
    def source(self) -> str:
        """The module, before."""
        return HEAD + self.before

    @property
    def blocks(self) -> bool:
        """Something in it is left."""
        return bool(said(self.after))


def program(name: str, before: str, after: str | None = None, *, runs: bool = True) -> Program:
    """Return a program; without `after`, it stays as it is."""
    before = dedent(before).lstrip("\n")
    after = before if after is None else dedent(after).lstrip("\n")
    return Program(name, before, after, runs)


def planned(path: Path) -> tuple[Sources, Plan]:
    """Read what is at a path, and plan its edits."""
    sources = read([path])
    assert not sources.unread
    return sources, plan(sources.sources)


def migrated(path: Path) -> Plan:
    """Edit what is at a path; return the plan that was carried out."""
    sources, made = planned(path)
    for source in sources.sources:
        if source.path in made.edits:
            source.path.write_text(edited(source.text, made.edits[source.path]))
    return made


def said(source: str) -> list[tuple[int, str]]:
    """Return the lines that are said to be left, with the reasons."""
    found = ((number, LEFT.search(line)) for number, line in enumerate(source.splitlines(), 1))
    return [(number, match[1]) for number, match in found if match]


def told(left: tuple[Left, ...]) -> list[tuple[int, str]]:
    """Return the lines that a plan leaves, each reason once."""
    return sorted({(each.place.line, each.reason) for each in left})
