from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asyncsmtp_bridge.cli import main
from asyncsmtp_bridge.migrate.findings import Finding, Place, Way, fingerprint
from tests.cli.conftest import Ended

Write = Callable[..., Path]
Run = Callable[..., Ended]

BLOCKING = """\
import smtplib


async def greet(address):
    smtplib.SMTP("mail.example.org").sendmail("a@example.org", address, "Hi")
"""

HELPERS = """\
import smtplib


def send_invoice(address):
    with smtplib.SMTP("mail.example.org") as smtp:
        smtp.sendmail("billing@example.org", address, "Hi")
"""
VIEWS = """\
from helpers import send_invoice


async def order(address):
    send_invoice(address)
"""

HARMLESS = "def add(a, b):\n    return a + b\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


@pytest.fixture
def write(project: Path) -> Write:
    """Write a file of the project."""

    def write_file(name: str, content: str | bytes = HARMLESS) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def scan(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``asyncsmtp-bridge scan`` in this process."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ended:
        status = main(["scan", *map(str, arguments)])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run


def finding(
    path: str = "app/mail.py",
    *,
    line: int = 7,
    end_line: int | None = None,
    function: str = "greet",
    source: str = "smtp = smtplib.SMTP(host)",
    way: Way = Way.MIRROR,
    mend: str = "smtp = await AsyncSMTP(host)",
    trace: tuple[Place, ...] = (),
    earlier: tuple[Finding, ...] = (),
) -> Finding:
    """A finding as a scan would make it."""
    return Finding(
        Place(Path(path), line, 12, function),
        end_line or line,
        30,
        source,
        "connects",
        way,
        mend,
        trace,
        fingerprint(Path(path), function, source, [each.fingerprint for each in earlier]),
    )
