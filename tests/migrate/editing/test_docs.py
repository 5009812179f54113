"""The page on the edits: every row of its table is what the command makes, and what it says of patches is so."""

from __future__ import annotations

import importlib
import re
import smtplib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer
from tests.cli.conftest import ROOT

from .conftest import Run

PAGE = (ROOT / "docs" / "editing.md").read_text(encoding="utf-8")


def rows_under(header: str) -> list[tuple[str, str]]:
    """Return the cells of the page's table with this header."""
    lines = PAGE.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [(before, after) for before, after in (line.strip("| ").split(" | ") for line in lines)]


def code_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# The table of edits.

PROGRAMS = {
    "with smtplib.SMTP(host) as smtp:": """
        async def place(host):
            with smtplib.SMTP(host) as smtp:
                smtp.noop()
        """,
    "smtp = smtplib.SMTP(host)": """
        async def place(host):
            smtp = smtplib.SMTP(host)
            smtp.quit()
        """,
    "with CorpSMTP(host) as smtp:": """
        class CorpSMTP(smtplib.SMTP):
            pass


        async def place(host):
            with CorpSMTP(host) as smtp:
                smtp.noop()
        """,
    "send_invoice(order)": """
        def send_invoice(order):
            with smtplib.SMTP(order.host) as smtp:
                smtp.send_message(order.invoice)


        async def place(order):
            send_invoice(order)
            send_invoice(order)
        """,
    "self.mailer.send(order)": """
        class Mailer:
            def send(self, order):
                with smtplib.SMTP(order.host) as smtp:
                    smtp.send_message(order.invoice)


        class Shop:
            def __init__(self):
                self.mailer = Mailer()

            async def place(self, order):
                self.mailer.send(order)
        """,
    "for address, result in deliver(orders):": """
        def deliver(orders):
            for order in orders:
                with smtplib.SMTP(order.host) as smtp:
                    yield order.address, smtp.send_message(order.invoice)


        async def place(orders):
            for address, result in deliver(orders):
                print(address, result)
        """,
    "with CorpMailer(host) as mailer:": """
        class CorpMailer:
            def __init__(self, host):
                self._smtp = smtplib.SMTP(host)

            def __enter__(self):
                return self

            def __exit__(self, *exc_info):
                self._smtp.quit()

            def send(self, order):
                self._smtp.send_message(order.invoice)


        async def place(host, order):
            with CorpMailer(host) as mailer:
                mailer.send(order)
        """,
    "mailer.status": """
        class Mailer:
            @property
            def status(self):
                with smtplib.SMTP("mail.example.org") as smtp:
                    return smtp.noop()


        async def place():
            mailer = Mailer()
            return mailer.status
        """,
}


@pytest.mark.parametrize(("before", "after"), rows_under("| before | after |"))
def test_what_the_page_says_is_edited_is_edited_so(before: str, after: str, project: Path, migrate: Run) -> None:
    program = "import smtplib\n\n\n" + textwrap.dedent(PROGRAMS[code_in(before)[0]]).lstrip()
    (project / "mail.py").write_text(program)
    assert migrate(".", "--write").status == 0
    edited = (project / "mail.py").read_text()
    assert [code for code in code_in(before) if code not in program] == []
    assert [code for code in code_in(after) if code not in edited or code in program] == []


# Tests that patch.

MAIL = """\
import smtplib


class Mailer:
    def __init__(self, port):
        self.port = port

    def send(self, to):
        with smtplib.SMTP("127.0.0.1", self.port) as smtp:
            smtp.sendmail("a@example.com", [to], "Subject: Hello\\n\\n")


class CorpMailer:
    def __init__(self, port):
        self.smtp = smtplib.SMTP("127.0.0.1", port)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.smtp.quit()

    def send(self, to):
        self.smtp.sendmail("a@example.com", [to], "Subject: Hello\\n\\n")


def send(port, to):
    Mailer(port).send(to)


async def order(port, to):
    send(port, to)


async def order_by_class(port, to):
    with CorpMailer(port) as mailer:
        mailer.send(to)


async def order_by_method(port, to):
    mailer = Mailer(port)
    mailer.send(to)
"""

ORDERS = """\
from app import mail


async def order(port, to):
    mail.send(port, to)
"""

DIRECT = """\
import smtplib


async def order(port, to):
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail("a@example.com", [to], "Subject: Hello\\n\\n")
"""

COROUTINES = {
    "app.mail.send, called in app.mail": "app.mail:order",
    "app.mail.send, called as mail.send(order) in app.orders": "app.orders:order",
    "app.mail.CorpMailer, a class": "app.mail:order_by_class",
    "app.mail.Mailer.send, a method": "app.mail:order_by_method",
    "smtplib.SMTP": "app.direct:order",
    "app.mail.smtplib.SMTP": "app.direct:order",
}


@pytest.fixture
def migrated(project: Path, migrate: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package `app` after the edits, imported before anything is patched."""
    (project / "app").mkdir()
    for name, text in {"__init__": "", "mail": MAIL, "orders": ORDERS, "direct": DIRECT}.items():
        (project / "app" / f"{name}.py").write_text(text)
    assert migrate("app", "--write").status == 0
    monkeypatch.syspath_prepend(project)
    for name in ("mail", "orders", "direct"):
        importlib.import_module(f"app.{name}")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]


@pytest.fixture
def server() -> Iterator[SMTPTestServer]:
    with SMTPTestServer() as server:
        yield server


async def run(name: str, server: SMTPTestServer) -> None:
    module, _, coroutine = name.partition(":")
    await getattr(sys.modules[module], coroutine)(server.port, "b@example.com")


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(("before", "after"), rows_under("| a test that patched | patches |"))
async def test_the_new_target_of_a_patch_is_reached(before: str, after: str, server: SMTPTestServer) -> None:
    name = COROUTINES[before.replace("`", "")]
    target = code_in(before)[0] if after.startswith("the same") else code_in(after)[0]
    with mock.patch(target) as patched:
        await run(name, server)
    assert patched.called
    assert server.messages == []


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("app.mail.send", "app.mail:order"),
        ("app.mail.send", "app.orders:order"),
        ("app.mail.async_send", "app.orders:order"),
        ("app.mail.CorpMailer", "app.mail:order_by_class"),
    ],
)
async def test_what_is_no_target_any_more_is_not_reached_and_sends(
    target: str, name: str, server: SMTPTestServer
) -> None:
    with mock.patch(target) as patched:
        await run(name, server)
    assert not patched.called
    assert len(server.messages) == 1


@pytest.mark.usefixtures("migrated")
def test_smtplib_is_gone_from_a_module_that_needs_it_no_more() -> None:
    with pytest.raises((AttributeError, ImportError), match="smtplib"), mock.patch("app.direct.smtplib.SMTP"):
        pass  # pragma: no cover


@pytest.mark.usefixtures("migrated")
async def test_smtplib_is_below_bridges_as_well(server: SMTPTestServer) -> None:
    with mock.patch.object(smtplib, "SMTP") as patched:
        await run("app.mail:order", server)
    patched.assert_called_once_with("127.0.0.1", server.port)
    assert server.messages == []


@pytest.mark.usefixtures("migrated")
def test_a_bridged_function_is_patched_by_an_async_mock() -> None:
    with mock.patch("app.mail.async_send") as patched:
        assert isinstance(patched, mock.AsyncMock)
