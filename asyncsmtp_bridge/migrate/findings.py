"""Findings: the calls that block an event loop, as a scan of the source tells them.

Owns what is known of one such call, and how it is recognised again after the file around it has changed. It knows
neither how calls are found nor how they are shown.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


class Way(enum.Enum):
    """How a blocking call is made awaitable."""

    BRIDGE = "bridge"
    """A function or an object of the project's own: `asyncsmtp_bridge.bridge`, and it stays as it is."""
    MIRROR = "mirror"
    """smtplib itself: `asyncsmtp_bridge.AsyncSMTP`, the same methods awaited."""
    MAILER = "mailer"
    """smtplib itself, a connection for each message of many: one that keeps connections serves better."""


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands in the source.

    Args:
        path: The file, as it was reached from the paths that were given.
        line: From 1 on.
        column: From 1 on, in characters.
        function: The qualified name of the function around it; ``<module>`` outside of any.
    """

    path: Path
    line: int
    column: int
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Finding:
    """A call that blocks an event loop.

    Args:
        place: Where the call begins.
        end_line: The line in which it ends.
        end_column: The column after its last character, from 1 on.
        source: The line of the source, without the space around it.
        does: What it does, as a clause: ``connects``, ``calls send_invoice(), which sends a message``.
        way: How to mend it.
        mend: The source that would mend it.
        trace: From the function that it calls to the call of smtplib; empty where it is that.
        fingerprint: The same as long as the call, the function around it and the file's path are.
    """

    place: Place
    end_line: int
    end_column: int
    source: str
    does: str
    way: Way
    mend: str
    trace: tuple[Place, ...]
    fingerprint: str


@dataclass(frozen=True)
class Unread:
    """A file that could not be read, or understood.

    Args:
        path: The file or folder.
        reason: Why not.
        line: Where in it; None: that cannot be told.
    """

    path: Path
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{'' if self.line is None else f':{self.line}'}: {self.reason}"


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Args:
        findings: In the order of files and lines.
        unread: What it could not look into.
        files: How many it has looked into.
    """

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    files: int


def fingerprint(path: Path, function: str, call: str, earlier: Iterable[str]) -> str:
    """Return what a finding is recognised by when lines have moved.

    Args:
        path: The file.
        function: The qualified name of the function around the call.
        call: The call, as source without comments and in one line.
        earlier: The fingerprints of the findings before it: the same call in the same function has another one.
    """
    taken, number = set(earlier), 0
    while True:
        made = sha256(
            "\0".join([path.as_posix(), function, call, str(number)]).encode("utf-8", "surrogatepass")
        ).hexdigest()[:16]
        if made not in taken:
            return made
        number += 1
