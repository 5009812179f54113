"""What is left since it would be another thing in a thread, or beside other tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.planning.plan import plan
from asyncsmtp_bridge.migrate.sources import read

HELPERS = """\
import asyncio
import contextvars
import signal
import smtplib
import sqlite3
import threading

db = sqlite3.connect(":memory:")
current = contextvars.ContextVar("current")
waiting = asyncio.Queue()
local = threading.local()
sent = set()
NAMES = {"a": 1}
total = 0

def send(to):
    smtplib.SMTP("mail.example.org").sendmail("a@example.org", to, "x")
    return 1

def lookup(to):
    return send(NAMES.get(to, to))

def in_a_task(to):
    send(to)
    asyncio.get_running_loop().call_soon(print)

def further_down(to):
    in_a_task(to)

def with_a_signal(to):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    send(to)

def in_a_database(to):
    send(to)
    db.execute("INSERT INTO sent VALUES (?)", [to])

def in_the_context(to):
    current.set(to)
    send(to)

def queued(to):
    send(to)
    waiting.put_nowait(to)

def once(to):
    if to not in sent:
        send(to)
        sent.add(to)

def counted(to):
    global total
    total += send(to)

def each(addresses):
    for address in addresses:
        yield send(address)

class Page:
    sent = 0
    log = {}
"""

LEFT = [
    ("helpers.in_a_task(to)", "it calls asyncio.get_running_loop(), which belongs to the thread of the event loop"),
    ("helpers.further_down(to)", "it calls asyncio.get_running_loop(), which belongs to the thread of the event loop"),
    ("helpers.with_a_signal(to)", "it calls signal.signal(), which belongs to the thread of the event loop"),
    ("helpers.in_a_database(to)", "it uses db, which belongs to the thread of the event loop (sqlite3.connect)"),
    ("helpers.in_the_context(to)", "it uses current, which belongs to the thread of the event loop"),
    ("helpers.queued(to)", "it uses waiting, which belongs to the thread of the event loop (asyncio.Queue)"),
    ("helpers.once(to)", "it changes sent of its module, and in threads others would get in between"),
    ("helpers.counted(to)", "it changes total of its module, and in threads others would get in between"),
    ("with lock:\n        helpers.send(to)", "a lock is held around it"),
    ("with page.mutex:\n        helpers.send(to)", "a lock is held around it"),
    ("page.sent += helpers.send(to)", "page.sent is read before it, and written after it"),
    ("page.log[to] = page.log.get(to, 0) + helpers.send(to)", "page.log is read before it, and written after it"),
    ("global number\n    number += helpers.send(to)", "number is read before it, and written after it"),
    ("for each in helpers.each([to]):\n        break", "the loop may be left early"),
    ("for each in helpers.each([to]):\n        return each", "the loop may be left early"),
]

EDITED = [
    ("helpers.lookup(to)", "await async_lookup(to)"),
    ("number = 0\n    number += helpers.send(to)", "number += await async_send(to)"),
    ("page.sent = helpers.send(to)", "page.sent = await async_send(to)"),
    ("with clock:\n        helpers.send(to)", "await async_send(to)"),
    ("for each in helpers.each([to]):\n        print(each)", "async for each in async_each([to]):"),
]


def project(folder: Path, body: str, **others: str) -> Path:
    (folder / "helpers.py").write_text(HELPERS, encoding="utf-8")
    names = "import helpers\n\nnumber = 0\n\n\n"
    body = f"{names}async def main(to, page: helpers.Page, lock, clock):\n    {body}\n"
    (folder / "views.py").write_text(body, encoding="utf-8")
    for name, text in others.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("body", "reason"), LEFT, ids=[body for body, _ in LEFT])
def test_it_is_left_with_the_reason(tmp_path: Path, body: str, reason: str) -> None:
    planned = plan(read([project(tmp_path, body)]).sources)
    assert [each.reason.startswith(reason) for each in planned.left] == [True], planned.left
    assert not planned.edits


def views_edited(folder: Path) -> str:
    sources = read([folder]).sources
    planned = plan(sources)
    assert not planned.left
    return next(edited(each.text, planned.edits[each.path]) for each in sources if each.path.name == "views.py")


@pytest.mark.parametrize(("body", "line"), EDITED, ids=[body for body, _ in EDITED])
def test_it_is_edited(tmp_path: Path, body: str, line: str) -> None:
    assert line in views_edited(project(tmp_path, body))


def test_what_is_replaced_while_the_program_runs_is_bridged_where_it_is_called(tmp_path: Path) -> None:
    dry = "import helpers\n\ndef dry_run():\n    helpers.send = print\n"
    assert "await bridge(helpers.send)(to)" in views_edited(project(tmp_path, "helpers.send(to)", settings=dry))


@pytest.mark.parametrize("other", ["from views import SMTP\n", "from views import *\n", "import views\nviews.SMTP\n"])
def test_an_import_that_another_module_takes_from_there_stays(tmp_path: Path, other: str) -> None:
    body = "from smtplib import SMTP\n\nasync def main():\n    with SMTP('mail.example.org') as s:\n        s.noop()\n"
    (tmp_path / "views.py").write_text(body, encoding="utf-8")
    assert "from smtplib import SMTP\n" not in views_edited(tmp_path)
    (tmp_path / "other.py").write_text(other, encoding="utf-8")
    assert "from smtplib import SMTP\n" in views_edited(tmp_path)
