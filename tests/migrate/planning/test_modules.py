"""Modules that the tables have no room for: imports, bridges between modules, what is told besides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from .programs import migrated, planned

SEND = """
import smtplib


def send(subject: str) -> None:
    smtplib.SMTP("mail.example.org").quit()
"""


def project(folder: Path, **modules: str) -> Path:
    """Write a package, of modules by their names."""
    for name, source in {"__init__": "", **modules}.items():
        (folder / f"{name}.py").write_text(dedent(source).lstrip("\n"))
    return folder


def imported(folder: Path, *names: str) -> str:
    """Import modules of the package, in a process of its own; return what goes wrong."""
    lines = [f"import {folder.name}.{name}" for name in names]
    root = str(Path(__file__).parents[3])
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join([f"import sys; sys.path[:0] = [{str(folder.parent)!r}, {root!r}]", *lines])],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ended.stderr


def settles(folder: Path) -> bool:
    """Whether a second plan has nothing to add, and leaves as much."""
    first = migrated(folder)
    _, second = planned(folder)
    return not second.edits and len(second.left) == len(first.left)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "corp"
    folder.mkdir()
    return folder


def test_a_helper_is_bridged_once_in_each_module_that_calls_it(folder: Path):
    project(
        folder,
        mail=SEND + '\n\nasync def here():\n    send("Here")\n',
        first='from .mail import send\n\n\nasync def there():\n    send("One")\n    send("Two")\n',
        second='from . import mail\n\n\nasync def there():\n    mail.send("One")\n    mail.send("Two")\n',
    )
    assert settles(folder)
    assert (folder / "first.py").read_text().count("bridge(send)") == 1
    assert (folder / "second.py").read_text().count("bridge(mail.send)") == 1
    assert (folder / "mail.py").read_text().count("bridge(send)") == 1
    assert not imported(folder, "mail", "first", "second")


def test_modules_that_import_each_other_bridge_where_they_call(folder: Path):
    project(
        folder,
        first="from . import second\n" + SEND + '\n\nasync def there():\n    second.send("One")\n',
        second="from . import first\n" + SEND + '\n\nasync def there():\n    first.send("One")\n',
    )
    assert settles(folder)
    assert "await bridge(second.send)" in (folder / "first.py").read_text()
    assert not imported(folder, "first")
    assert not imported(folder, "second")


def test_what_is_imported_for_type_checkers_only_is_not_bridged_at_import(folder: Path):
    project(
        folder,
        mail=SEND,
        caller="""
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from .mail import send


        async def there() -> None:
            from .mail import send

            send("One")
        """,
    )
    assert settles(folder)
    assert "await bridge(send)" in (folder / "caller.py").read_text()
    assert not imported(folder, "caller")


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("import smtplib", "smtplib.SMTP"),
        ("import smtplib as mail", "mail.SMTP"),
        ("from smtplib import SMTP", "SMTP"),
        ("from smtplib import SMTP as Session", "Session"),
        ("from smtplib import *", "SMTP"),
        ("import smtplib\nSession = smtplib.SMTP", "Session"),
        ("try:\n    import smtplib\nexcept ImportError:\n    smtplib = None", "smtplib.SMTP"),
        ('"""Text."""\n\nfrom __future__ import annotations\n\nimport smtplib', "smtplib.SMTP"),
    ],
)
def test_smtplib_is_known_however_it_is_imported(imports: str, name: str, folder: Path):
    body = f'async def there():\n    with {name}("mail.example.org") as smtp:\n        smtp.noop()\n'
    project(folder, caller=f"{imports}\n\n\n{body}")
    assert settles(folder)
    assert 'async with AsyncSMTP("mail.example.org") as smtp:' in (folder / "caller.py").read_text()
    assert not imported(folder, "caller")


def test_an_import_in_a_function_is_known_there(folder: Path):
    project(folder, caller='async def there():\n    import smtplib\n\n    smtplib.SMTP("mail.example.org").quit()\n')
    assert settles(folder)
    assert "await (await AsyncSMTP(" in (folder / "caller.py").read_text()


def test_the_sessions_of_this_package_stay_what_they_are(folder: Path):
    project(
        folder,
        caller="""
        from asyncsmtp_bridge import PipelinedSMTP


        async def there() -> None:
            with PipelinedSMTP("mail.example.org") as smtp:
                smtp.noop()
        """,
    )
    assert settles(folder)
    assert "async with AsyncPipelinedSMTP(" in (folder / "caller.py").read_text()
    assert "AsyncPipelinedSMTP = bridge(PipelinedSMTP)" in (folder / "caller.py").read_text()


def test_a_comment_within_what_would_be_replaced_leaves_that_call_only(folder: Path):
    project(
        folder,
        mail=SEND
        + """

class Outbox:
    def send(self) -> None:
        send("Outbox")


async def there(outbox: Outbox) -> None:
    send("One")
    (
        outbox
        # not every day
        .send()
    )
""",
    )
    made = migrated(folder)
    assert [each.reason for each in made.left] == [
        "it is written in several lines, with a comment or a string among them"
    ]
    assert "await async_send(" in (folder / "mail.py").read_text()


def test_the_sessions_that_verify_certificates_from_now_on_are_told_once(folder: Path):
    project(
        folder,
        caller="""
        import smtplib, ssl


        async def there(context: ssl.SSLContext) -> None:
            with smtplib.SMTP_SSL("mail.example.org") as smtp:
                smtp.noop()
            with smtplib.SMTP_SSL("mail.example.org", context=context) as smtp:
                smtp.noop()
            with smtplib.SMTP("mail.example.org") as smtp:
                smtp.starttls()
            with smtplib.SMTP("mail.example.org") as smtp:
                smtp.starttls(context=context)
        """,
    )
    (note,) = migrated(folder).notes
    path = folder / "caller.py"
    assert note.startswith("2 sessions verify their servers' certificates from now on")
    assert f"{path}:5:10, {path}:10:9." in note
    assert planned(folder)[1].notes == ()
