"""The code on the pages of the documentation does what they say."""

from __future__ import annotations

import asyncio
import queue
import re
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asyncsmtp_bridge import (
    AsyncBridge,
    AsyncSMTP,
    PipelinedSMTP,
    SMTPSettings,
    bridge,
    configure,
    retry_testing,
    retry_transient,
)
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


@contextmanager
def answering_for_mail_example_org(server: SMTPTestServer) -> Iterator[None]:
    connect = socket.create_connection

    genuine = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return genuine(*((server.host, server.port) if host == "mail.example.org" else (host, port)), *args, **kwargs)

    def redirected(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        assert address in (("mail.example.org", 587), (server.host, server.port))
        return connect((server.host, server.port), *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", redirected)
        patch.setattr(socket, "getaddrinfo", look_up)
        yield


@pytest.fixture
def mail_example_org() -> Iterator[SMTPTestServer]:
    """A server that answers for mail.example.org."""
    with SMTPTestServer() as server, answering_for_mail_example_org(server):
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


# Sessions that do not wait.


def mails(*recipients: str) -> list[EmailMessage]:
    made = []
    for number, recipient in enumerate(recipients):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "anna@example.org", recipient, f"number {number}"
        made.append(message)
    return made


async def test_a_pipelined_session_takes_the_place_of_smtplibs() -> None:
    code = code_of("pipelined.md")
    with SMTPTestServer(extensions=["PIPELINING"]) as server, answering_for_mail_example_org(server):
        code["send_report"](*mails("bert@example.org"))
        server.faults = [refuse("RCPT", "550 5.1.1 Unknown", recipient="cleo@example.org")]
        refused = await code["send_report_async"](*mails("bert@example.org, cleo@example.org"))
        assert refused == {"cleo@example.org": (550, b"5.1.1 Unknown")}
        assert len(server.messages) == 2


async def test_a_stream_tells_of_each_message() -> None:
    code = code_of("pipelined.md")
    with SMTPTestServer(extensions=["PIPELINING"]) as server, answering_for_mail_example_org(server):
        server.faults = [refuse("RCPT", "550 5.1.1 Unknown", recipient="cleo@example.org")]
        newsletter = mails("bert@example.org", "cleo@example.org", "dora@example.org")
        failed = await asyncio.to_thread(code["send_newsletter"], iter(newsletter))
        assert [each.partition(":")[0] for each in failed] == ["cleo@example.org"]
        assert [each.rcpt_tos for each in server.messages] == [("bert@example.org",), ("dora@example.org",)]
        async with AsyncSMTP("mail.example.org", 587, smtp_class=PipelinedSMTP) as smtp:
            stream: Any = getattr(smtp, "send_stream")  # noqa: B009 - of the class that is passed
            assert [answer async for answer in stream(mails("bert@example.org"))] == [{}]


def test_a_source_waits_when_nothing_is_under_way() -> None:
    code = code_of("pipelined.md")
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for message in (*mails("bert@example.org", "cleo@example.org"), None):
        waiting.put(message)
    with SMTPTestServer(extensions=["PIPELINING"]) as server, PipelinedSMTP(server.host, server.port) as smtp:
        sent: list[Any] = []
        assert list(smtp.send_stream(code["waiting"](smtp, waiting, sent))) == [{}, {}]
        assert [message["To"] for message in sent] == ["bert@example.org", "cleo@example.org"]
        assert [each.rcpt_tos for each in server.messages] == [("bert@example.org",), ("cleo@example.org",)]


def test_a_login_is_encrypted() -> None:
    code = code_of("pipelined.md")
    with (
        SMTPTestServer(
            tls="starttls", auth={"anna": "secret"}, require_auth=True, certificate_names=["mail.example.org"]
        ) as server,
        answering_for_mail_example_org(server),
    ):
        configure(tls_context=lambda: server.client_context)
        code["send_securely"](*mails("bert@example.org"), "anna", "secret")
        assert len(server.messages) == 1


@contextmanager
def logged_in_at_mail_example_org() -> Iterator[SMTPTestServer]:
    """A server that wants TLS and a login, and answers for mail.example.org."""
    auth = {"app": "geheim"}
    names = ["mail.example.org"]
    with (
        SMTPTestServer(tls="starttls", auth=auth, require_auth=True, certificate_names=names) as server,
        answering_for_mail_example_org(server),
    ):
        configure(tls_context=lambda: server.client_context)
        yield server


async def test_settings_open_sessions_that_are_logged_in() -> None:
    code = code_of("settings.md")
    with logged_in_at_mail_example_org() as server:
        settings = replace(code["settings"], password="geheim")
        send_now, send_soon = code["send_now"], code["send_soon"]
        assert code["settings"].password is None  # the last one on the page is that of the URL
        send_now.__globals__["settings"] = send_soon.__globals__["settings"] = settings
        await asyncio.to_thread(send_now, *mails("bert@example.org"))
        await send_soon(*mails("cleo@example.org"))
        assert [each.rcpt_tos for each in server.messages] == [("bert@example.org",), ("cleo@example.org",)]


def test_settings_come_from_what_a_project_has() -> None:
    code = code_of("settings.md")
    assert code["settings"].timeout == 20
    app = SimpleNamespace(config={"MAIL_SERVER": "mail.example.org", "MAIL_PORT": 587, "MAIL_USE_TLS": True})
    assert code["settings_of_flask"](app) == SMTPSettings("mail.example.org", 587, tls="starttls")


async def test_errors_of_settings_say_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    code = code_of("settings.md")
    with logged_in_at_mail_example_org():
        settings = replace(code["settings"], password="wrong")
        assert not await code["tell"](settings)
        assert "user or password is wrong" in caplog.text
        assert await code["tell"](replace(settings, password="geheim"))


def test_a_token_is_asked_for_with_the_seconds_that_it_is_good_for() -> None:
    code = code_of("settings.md")
    asked: list[None] = []

    def fetch() -> dict[str, Any]:
        asked.append(None)
        return {"access_token": "token", "expires_in": 3600}

    settings = code["exchange_online"](SimpleNamespace(fetch=fetch))
    assert [settings.access_token.token().reveal() for _ in range(3)] == ["token"] * 3
    assert len(asked) == 1
