"""The code on the pages of the documentation does what they say."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, bridge, retry_testing, retry_transient
from asyncsmtp_bridge.testing import SMTPTestServer, refuse, silence

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


@pytest.fixture
def mail_example_org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SMTPTestServer]:
    """A server that answers for mail.example.org."""
    connect = socket.create_connection
    with SMTPTestServer() as server:

        def redirected(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
            assert address == ("mail.example.org", 587)
            return connect((server.host, server.port), *args, **kwargs)

        monkeypatch.setattr(socket, "create_connection", redirected)
        yield server


def test_a_failure_is_handled_by_what_is_known(mail_example_org: SMTPTestServer) -> None:
    code = code_of("retrying.md")
    mail_example_org.faults = [refuse("RCPT", "450 4.2.0 Greylisted, see our page")]
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        code["send_invoice"].__wrapped__("bert@example.org")
    queue: list[Exception] = []
    assert code["handle"](caught.value, queue).startswith("Outcome.TRANSIENT: 450 4.2.0 Greylisted, see our page (grey")
    assert queue == [caught.value]


async def test_all_ways_of_trying_again_deliver_one_copy(mail_example_org: SMTPTestServer) -> None:
    code = code_of("retrying.md")
    with retry_testing():
        for send in (lambda to: asyncio.to_thread(code["send_invoice"], to), code["on_order"], code["mailer"].send):
            mail_example_org.reset()
            mail_example_org.faults = [refuse("MAIL", "451 4.3.0 Later", times=2)]
            await send("bert@example.org")
            assert len(mail_example_org.messages) == 1


async def test_on_a_mirror_the_final_refusals_are_returned(mail_example_org: SMTPTestServer) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "anna@example.org", "bert@example.org, cleo@example.org"
    mail_example_org.faults = [refuse("RCPT", "450 4.2.1 Busy", recipient="cleo@example.org")]
    with retry_testing():
        refused = await code_of("retrying.md")["send_report"](message)
    assert refused == {"cleo@example.org": (450, b"4.2.1 Busy")}
    assert [each.rcpt_tos for each in mail_example_org.messages] == [("bert@example.org",)]


def test_tests_of_retries_do_not_wait() -> None:
    calls = []

    @retry_transient
    def flaky() -> None:
        calls.append(1)
        if len(calls) < 2:
            raise smtplib.SMTPServerDisconnected("gone")

    code_of("retrying.md")["test_a_busy_server"](flaky)
    assert len(calls) == 2
