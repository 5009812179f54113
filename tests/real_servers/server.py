"""What the real servers have in common: how they are started and stopped, and how one looks at what has arrived.

Each runs on its own configuration in a folder of its own, listens on ports of 127.0.0.1 that were free, and delivers
into files below that folder. All of them follow one policy, so that the tests are one table:

- ``anna``, ``bert``, ``cleo``, ``grüße`` and every sender of a test are mailboxes of example.org;
- ``nobody@example.org`` is not, ``busy@example.org`` is refused for now, and example.net is not theirs;
- ``banned@example.org`` may not send;
- a message may have 2,000,000 bytes, and one with a header field ``X-Spam`` is refused after its content;
- ``anna@example.org`` logs in with the password ``right``, over TLS.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HOST = "127.0.0.1"
SIZE_LIMIT = 2_000_000
DEADLINE = 30.0
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")

ANNA, BERT, CLEO, UTF8 = "anna@example.org", "bert@example.org", "cleo@example.org", "grüße@example.org"
NOBODY, BUSY, ELSEWHERE = "nobody@example.org", "busy@example.org", "dora@example.net"
BANNED = "banned@example.org"
USER, PASSWORD = ANNA, "right"
SPAM = b"X-Spam: yes\r\n"


@dataclass(frozen=True)
class Received:
    """A copy that arrived: one for each recipient."""

    sender: str
    recipient: str
    content: bytes
    """As it was sent: with CRLF, and without the header fields that the server has put in front."""


@dataclass(kw_only=True)
class RealServer:
    """A server that runs.

    Attributes:
        name: What it is.
        folder: Where all of it is.
        ports: Where it listens: "plain" offers STARTTLS, "tls" begins with it, "login" wants a login; so do those
            named for the one mechanism that they offer; others are the server's own.
        refusals: What it says to whom it refuses: the code, and the enhanced status code if it says one.
        stores: The Maildirs that it delivers into.
        log: Where it writes what it does.
        login_failed: What a line of the log has for each login that failed.
        farewell: What a line of the log has when a session has ended.
    """

    name: str
    folder: Path
    ports: dict[str, int]
    refusals: dict[str, tuple[int, str | None]]
    stores: Sequence[Path]
    log: Path
    login_failed: str = ""
    farewell: str = ""
    is_idle: Callable[[], bool] = field(default=lambda: True)
    """Whether nothing that was accepted is still to be delivered."""
    host: str = HOST

    @property
    def port(self) -> int:
        return self.ports["plain"]

    def messages(self) -> list[Received]:
        """Return all that has been accepted, when it has been delivered."""
        wait_until(self.is_idle, f"{self.name} to deliver what it had accepted", self.log)
        files = [path for store in self.stores for name in ("new", "cur") for path in sorted((store / name).glob("*"))]
        return [read_delivered(path.read_bytes(), default=f"{path.parts[-4]}@example.org") for path in files]

    def received(self, sender: str) -> list[Received]:
        """Return the copies of the messages of a sender."""
        return [message for message in self.messages() if message.sender == sender]

    def logged(self, pattern: str, *, since: int = 0) -> list[str]:
        """Return what a pattern finds in the log from a position on."""
        return re.findall(pattern, self.log.read_bytes()[since:].decode(errors="replace"))

    def wait_for_farewell(self, since: int) -> None:
        """Wait until the end of a session is in the log."""
        wait_until(lambda: bool(self.logged(self.farewell, since=since)), f"{self.name} to log the end", self.log)


_OWN = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Envelope-To|Delivery-Date|Received):.*\n(?:[ \t].*\n)*)*",
    re.IGNORECASE,
)
_RETURN_PATH = re.compile(rb"^Return-Path: *<(.*)>", re.IGNORECASE | re.MULTILINE)
_RECIPIENT = re.compile(rb"^(?:X-Original-To|Envelope-To): *<?([^>\r\n]*)", re.IGNORECASE | re.MULTILINE)


def read_delivered(file: bytes, default: str) -> Received:
    """Take apart what a server has put into a Maildir.

    Args:
        file: The file.
        default: The recipient, where the server does not name it in the file.
    """
    lines = file.replace(b"\r\n", b"\n")
    own = _OWN.match(lines)
    assert own is not None
    sender, recipient = _RETURN_PATH.search(own[0]), _RECIPIENT.search(own[0])
    return Received(
        sender[1].decode() if sender else "",
        recipient[1].decode() if recipient else default,
        lines[own.end() :].replace(b"\n", b"\r\n"),
    )


def wait_until(condition: Callable[[], bool], what: str, log: Path | None = None) -> None:
    """Wait for what another process does: nothing announces it."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            told = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            pytest.fail(f"waited {DEADLINE:.0f} s for {what}\n{told}")
        time.sleep(0.01)


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Choose a free port for each name: one that the system gives to nobody else before the server binds it."""
    candidates = random.sample(range(10_000, 32_000), 1000)
    return dict(zip(names, filter(_is_free, candidates), strict=False))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that the servers' own users can enter, unlike pytest's, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="real-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        # A process that is about to end may still write into it.
        wait_until(lambda: _removed(folder), f"{folder} to be removed")


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        shutil.rmtree(folder)
    return not folder.exists()


def shared_folder(path: Path) -> Path:
    """Make a folder that everybody may write into."""
    path.mkdir()
    path.chmod(0o777)
    return path


# The server ends when this process does, however that ends: then nobody holds the other end of the pipe any more.
_GUARD = 'exec 3<&0; "$@" 3<&- & server=$!; { read -r _ <&3; kill $server; } & wait $server'


@contextmanager
def running(command: Sequence[str | Path], ports: Sequence[int], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground, and go on when it listens on all of its ports.

    Args:
        command: How it is started.
        ports: Where it will listen.
        output: The file for what it prints.
    """
    arguments = ["/bin/sh", "-c", _GUARD, "guard", *map(str, command)]
    with output.open("wb") as printed:
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=printed, stderr=printed, start_new_session=True
        )
    try:
        wait_until(lambda: process.poll() is not None or all(map(listens, ports)), f"{command[0]} to listen", output)
        if process.poll() is not None:
            pytest.fail(f"{command[0]} ended at once: {output.read_text(errors='replace')}")
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(DEADLINE)
        with suppress(ProcessLookupError):  # Exim's sessions and deliveries outlive its daemon
            os.killpg(process.pid, signal.SIGKILL)


def listens(port: int) -> bool:
    """Whether a connection can be made to a port."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=DEADLINE):
        return True
    return False


def need(program: str | None, missing: str = "") -> Path:
    """Return where a program is, or skip the test.

    Args:
        program: Where it is, if it is there.
        missing: Why it cannot be run, if it cannot.
    """
    if program is None or missing:
        pytest.skip(missing)
    if os.geteuid() != 0:
        pytest.skip(f"{Path(program).name} needs root, to be started with an own configuration")
    return Path(program)


def found(name: str) -> str | None:
    """Look for a program where Debian has its servers, too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
