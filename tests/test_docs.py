"""The code on the pages of the documentation does what they say."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, bridge
from asyncsmtp_bridge.testing import SMTPTestServer, silence

DOCS = Path(__file__).parent.parent / "docs"


def code_of(page: str) -> dict[str, Any]:
    """Everything that the code blocks of a page define, each of which sees what is above it."""
    names: dict[str, Any] = {}
    for block in re.findall(
        r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        module = dict(names)
        exec(compile(block, page, "exec"), module)
        names.update(module)
    return names


async def test_an_object_is_bridged_and_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    code = code_of("bridging.md")
    await code["notify"](code["CorpMailer"]("mail.example.org"), "bert@example.org")
    assert "message 1 through mail.example.org" in caplog.text


async def test_an_object_is_made_on_a_thread_of_its_own() -> None:
    code = code_of("bridging.md")
    async with code["one_thread"]:
        made = await code["connect"]()
        assert made.__wrapped__.host == "mail.example.org"


async def test_old_code_has_its_turn() -> None:
    code = code_of("bridging.md")
    proxy = bridge(code["CorpMailer"]("mail.example.org"))
    await asyncio.to_thread(code["nightly_report"], proxy)
    assert proxy.sent == 1
    assert threading.current_thread() is threading.main_thread()


async def test_a_face_is_a_table() -> None:
    code = code_of("bridging.md")
    assert issubclass(code["AsyncCorpMailer"], AsyncBridge)
    assert await code["AsyncCorpMailer"](code["CorpMailer"]("mail.example.org")).send("bert@example.org", "x") == 1


async def test_a_deadline_says_what_is_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import smtplib

    wait_for = asyncio.wait_for

    async def soon(call: Any, timeout: float) -> Any:
        assert timeout == 10
        return await wait_for(call, 0.05)

    class Mailer:
        def __init__(self, port: int) -> None:
            self._port = port

        def send(self, message: str) -> None:
            smtplib.SMTP("localhost", self._port, timeout=60).sendmail("anna@example.org", "bert@example.org", message)

    code = code_of("cancelling.md")
    with SMTPTestServer(faults=[silence("greeting")]) as server:
        monkeypatch.setattr(asyncio, "wait_for", soon)
        await code["send_or_say_why"](Mailer(server.port), "x")
    printed = capsys.readouterr().out
    assert "CancelledCall(function='" in printed
    assert "Mailer.send', began=True, phase=<Phase.GREETING: 'greeting'>" in printed
    assert "returned=True" in printed
