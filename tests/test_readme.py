"""The README's code does what the README says, against a real server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import configure
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.servers import Server, smtp_server

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """Everything that the code blocks define; the first block is a line out of context.

    Each block is a module of its own that sees what the blocks before it defined.
    """
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks[1:]:
        module = dict(names)
        exec(compile(block, "README.md", "exec"), module)
        names.update(module)
    return names


@pytest.fixture
def mail_example_org(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A real server that answers for mail.example.org."""
    connect = socket.create_connection
    with smtp_server() as server:

        def redirected(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
            assert address == ("mail.example.org", 587)
            return connect(("127.0.0.1", server.port), *args, **kwargs)

        monkeypatch.setattr(socket, "create_connection", redirected)
        yield server


async def test_settings_open_a_session_that_is_logged_in(code: dict[str, Any]) -> None:
    with (
        SMTPTestServer(tls="starttls", auth={"app": "geheim"}, certificate_names=["mail.example.org"]) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        look_up = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", lambda *_args: look_up(server.host, server.port, 0, socket.SOCK_STREAM))
        configure(tls_context=lambda: server.client_context)
        send = code["send_logged_in"]
        send.__globals__["settings"] = replace(code["settings"], password="geheim")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "anna@example.org", "bert@example.org", "Hi"
        await send(message)
        assert [each.rcpt_tos for each in server.messages] == [("bert@example.org",)]


async def test_the_legacy_function_can_be_awaited(code: dict[str, Any], mail_example_org: Server) -> None:
    await code["on_order"]("bert@example.org")
    await code["on_many_orders"](["cleo@example.org", "dora@example.org"])
    assert mail_example_org.mailbox.recipients == ["bert@example.org", "cleo@example.org", "dora@example.org"]


async def test_a_patient_mailer_tries_again(code: dict[str, Any], mail_example_org: Server) -> None:
    await code["patient"].send("bert@example.org", subject="Hi")
    assert mail_example_org.mailbox.recipients == ["bert@example.org"]


async def test_many_messages_go_over_one_pipelined_session(code: dict[str, Any], mail_example_org: Server) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@example.org", "bert@example.org", "Hi"
    await code["send_all"]([message, message])
    assert len(mail_example_org.mailbox.bodies) == 2
    assert len(mail_example_org.mailbox.peers) == 1


async def test_smtplib_code_delivers_the_same_before_and_after(code: dict[str, Any], mail_example_org: Server) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "anna@example.org", "bert@example.org"
    message.set_content("x\n")
    code["send_report"](message)
    await code["send_report_async"](message)
    first, second = mail_example_org.mailbox.bodies
    assert first == second


async def test_a_wrapper_is_bridged_as_it_is(code: dict[str, Any], mail_example_org: Server) -> None:
    await code["greet"]("bert@example.org")
    assert mail_example_org.mailbox.recipients == ["bert@example.org"]


async def test_a_table_of_methods_makes_a_face(code: dict[str, Any], mail_example_org: Server) -> None:
    mailer = code["AsyncCorpMailer"](code["CorpMailer"]("mail.example.org"))
    assert await mailer.send("bert@example.org", subject="Hi") == 2
    assert mail_example_org.mailbox.recipients == ["bert@example.org"]


async def test_a_deadline_is_a_limit_and_no_more(code: dict[str, Any], mail_example_org: Server) -> None:
    await code["send_or_give_up"](code["AsyncCorpMailer"](code["CorpMailer"]("mail.example.org")))
    assert mail_example_org.mailbox.recipients == ["bert@example.org"]


def test_there_are_exactly_two_set_up_commands() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("asyncsmtp-bridge demo")
    assert commands[1].endswith("python -m pytest")
