"""Faces deliver mail."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer

from .table import WRAPPERS, faces


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The modules of all faces, imported."""
    folder = tmp_path_factory.mktemp("faces") / "written_faces"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for module, text in faces().items():
        (folder / f"{module}.py").write_text(text)
    sys.path.insert(0, str(folder.parent))
    try:
        yield {each: importlib.import_module(f"written_faces.{each}") for each in WRAPPERS}
    finally:
        sys.path.remove(str(folder.parent))
        for name in [name for name in sys.modules if name.partition(".")[0] == "written_faces"]:
            del sys.modules[name]


async def test_of_legacy_code(made: dict[str, Any]) -> None:
    with SMTPTestServer() as server:
        mailer = await made["legacy"].AsyncLegacyMailer.from_url(f"smtp://127.0.0.1:{server.port}")
        assert await mailer.send("bert@example.org", "Hi", "carl@example.org") == 1
        assert [address async for address in mailer.addresses("staff")] == ["staff@example.org"]
        async with mailer.transaction() as number:
            assert number == 1
    (message,) = server.messages
    assert message.rcpt_tos == ("bert@example.org", "carl@example.org")
    assert mailer.sent == mailer.__wrapped__.sent == 1


async def test_of_what_is_inherited(made: dict[str, Any]) -> None:
    with SMTPTestServer() as server:
        mailer = await made["reminders"].AsyncReminderMailer.create("127.0.0.1", server.port)
        assert await mailer.remind("bert@example.org", days=2) == 0
        message = EmailMessage()
        message["From"], message["To"] = "anna@example.org", "carl@example.org"
        assert await mailer.send(message) == []
    assert [message.rcpt_tos for message in server.messages] == [("bert@example.org",), ("carl@example.org",)]


async def test_of_a_context_manager(made: dict[str, Any]) -> None:
    with SMTPTestServer() as server:
        async with await made["sessions"].AsyncSession.local(server.port) as session:
            assert await session.send("bert@example.org", "Subject: x\r\n\r\nx") == {}
            assert (await session.status())[0] == 250
            assert "size" in await session.extensions()
            assert [word async for word in session.words("a b")] == ["a", "b"]
            assert list(await session.listed()) == [1, 2]
            async with session.paused() as one:
                assert one == 1
        assert len(server.messages) == 1
        assert server.commands[-1].lower() == "quit"


async def test_of_what_is_async_already(made: dict[str, Any]) -> None:
    mailer = await made["migrated"].AsyncHalfMigrated.create()
    assert await mailer.fetch(1) == "1"
    assert [number async for number in mailer.rows()] == [1]
    assert await mailer.send("bert") == 4
    assert [address async for address in mailer.addresses()] == ["bert@example.org"]
    assert await mailer.find("mail") == "mail"


async def test_of_names_that_mean_something_else(made: dict[str, Any]) -> None:
    odd = await made["odd"].AsyncOdd.make()
    assert await odd.create("four") == 4
    assert await odd.bridge("x") == "x"
    assert await odd.staticmethod(3) == 3
    assert odd.date.year == 2024
    assert made["odd_inner"].AsyncInner.Refused.__name__ == "Refused"


async def test_attributes_are_read_and_written_through(made: dict[str, Any]) -> None:
    outbox = await made["outbox"].AsyncOutbox.create("mail.example.org", tags=["a"])
    outbox.port = 587
    assert (outbox.__wrapped__.port, outbox.tags, outbox.limit) == (587, ["a"], 100)


async def test_nothing_runs_on_the_thread_of_the_loop(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from .corp.migrated import HalfMigrated

    monkeypatch.setattr(HalfMigrated, "plain", lambda self, to: threading.current_thread())
    mailer = await made["migrated"].AsyncHalfMigrated.create()
    assert await mailer.plain("x") is not threading.current_thread()
