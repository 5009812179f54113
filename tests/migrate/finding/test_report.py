"""The report of a call: what a reader needs, in three lines."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate import BlockingCallError, find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer, delay

from .corp import Mailer

HERE = Path(__file__)


async def notify(mailer: Mailer) -> None:
    mailer.send("x")


async def on_every_order(mailer: Mailer) -> None:
    for _ in range(3):
        await asyncio.create_task(notify(mailer), name="order")


def test_it_names_line_task_time_way_and_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    with SMTPTestServer(faults=[delay("greeting", seconds=0.11)]) as server, find_blocking("record") as found:
        asyncio.run(on_every_order(Mailer(server.port)))
    assert re.fullmatch(
        r"test_report\.py:20: in notify \(task 'order'\): blocks the event loop, 3 times for up to \d+\.\d\d s\n"
        r'    mailer\.send\("x"\) -> smtplib\.SMTP at corp\.py:25, to localhost\n'
        r'    mend: await bridge\(mailer\.send\)\("x"\)',
        str(found.calls[0]),
    )


def test_its_repr_is_a_line_with_the_place_and_what_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(notify(Mailer(server.port)))
    assert repr(found.calls) == """[BlockingCall('test_report.py', 20, 'notify', 'mailer.send("x")')]"""


def test_a_file_that_lies_elsewhere_is_named_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(notify(Mailer(server.port)))
    monkeypatch.chdir(tmp_path)
    assert str(found.calls[0]).startswith(f"{HERE}:20: in notify")


def test_an_error_says_no_time_since_nothing_stood_still() -> None:
    with SMTPTestServer() as server, pytest.raises(BlockingCallError) as raised, find_blocking("error"):
        asyncio.run(notify(Mailer(server.port)))
    assert re.search(r"in notify \(task '.*'\): blocks the event loop\n", str(raised.value))
