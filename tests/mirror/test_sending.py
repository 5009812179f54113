"""What arrives through the mirror is what arrives through smtplib, and results and exceptions are smtplib's."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, BoundedExecutor
from tests.servers import Mailbox, ScriptedServer, Server, Talk, accept_login, lmtp_server, smtp_server


async def test_send_message_delivers_the_bytes_that_smtplib_delivers(server: Server, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as plain:
        plain.send_message(message)
    async with AsyncSMTP("127.0.0.1", server.port) as smtp:
        assert await smtp.send_message(message) == {}
    theirs, ours = server.mailbox.envelopes
    assert ours.content == theirs.content
    assert (ours.mail_from, ours.rcpt_tos) == (theirs.mail_from, theirs.rcpt_tos)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=300))
def test_sendmail_delivers_the_bytes_that_smtplib_delivers(body: str, server: Server) -> None:
    import asyncio

    content = body.encode()
    server.mailbox.envelopes.clear()
    with smtplib.SMTP("127.0.0.1", server.port) as plain:
        plain.sendmail("anna@example.org", "bert@example.org", content)

    async def send() -> None:
        async with AsyncSMTP("127.0.0.1", server.port) as smtp:
            await smtp.sendmail("anna@example.org", "bert@example.org", content)

    asyncio.run(send())
    theirs, ours = server.mailbox.bodies
    assert ours == theirs


async def test_partial_refusals_are_returned_as_smtplib_returns_them(message: EmailMessage) -> None:
    with smtp_server(Mailbox(refused={"bert@example.org": "550 5.1.1 unknown"})) as server:
        async with AsyncSMTP("127.0.0.1", server.port) as smtp:
            assert await smtp.send_message(message) == {"bert@example.org": (550, b"5.1.1 unknown")}
        assert server.mailbox.recipients == ["cleo@example.org"]


async def test_when_all_are_refused_the_exception_is_that_of_smtplib(message: EmailMessage) -> None:
    refused = {"bert@example.org": "550 5.1.1 unknown", "cleo@example.org": "450 4.2.1 busy"}
    with smtp_server(Mailbox(refused=refused)) as server:
        async with AsyncSMTP("127.0.0.1", server.port) as smtp:
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                await smtp.send_message(message)
    assert caught.value.recipients["cleo@example.org"] == (450, b"4.2.1 busy")


async def test_login_tells_a_wrong_password_as_smtplib_does() -> None:
    with smtp_server(authenticator=accept_login, auth_require_tls=False) as server:
        async with AsyncSMTP("127.0.0.1", server.port) as smtp:
            with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                await smtp.login("anna", "wrong")
            assert caught.value.smtp_code == 535
            assert await smtp.login("anna", "right") == (235, b"2.7.0 Authentication successful")
            assert (smtp.user, smtp.password) == ("anna", "right")


async def test_auth_takes_the_synchronous_auth_methods_as_they_are() -> None:
    with smtp_server(authenticator=accept_login, auth_require_tls=False) as server:
        async with AsyncSMTP("127.0.0.1", server.port) as smtp:
            await smtp.ehlo()
            smtp.user, smtp.password = "anna", "right"
            assert (await smtp.auth("PLAIN", smtp.auth_plain))[0] == 235


async def test_each_command_can_be_awaited_by_itself(server: Server) -> None:
    smtp = await AsyncSMTP("127.0.0.1", server.port)
    assert (await smtp.ehlo("client.example.org"))[0] == 250
    assert (await smtp.docmd("NOOP"))[0] == 250
    assert (await smtp.mail("anna@example.org"))[0] == 250
    assert (await smtp.rcpt("bert@example.org"))[0] == 250
    assert (await smtp.data(b"Subject: x\r\n\r\nx\r\n"))[0] == 250
    assert (await smtp.rset())[0] == 250
    await smtp.putcmd("vrfy", "anna")
    assert (await smtp.getreply())[0] == 252
    assert (await smtp.verify("anna"))[0] == (await smtp.vrfy("anna"))[0] == 252
    assert (await smtp.expn("list"))[0] == 502
    assert b"EHLO" in await smtp.help()
    assert (await smtp.quit())[0] == 221
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await smtp.noop()


async def test_lmtp_is_spoken_as_smtplib_speaks_it() -> None:
    with lmtp_server() as server:
        async with AsyncLMTP("127.0.0.1", server.port) as lmtp:
            await lmtp.sendmail("anna@example.org", "bert@example.org", "Subject: x\n\nx\n")
        assert server.mailbox.recipients == ["bert@example.org"]


async def test_a_refused_connection_raises_what_smtplib_raises() -> None:
    def script(talk: Talk) -> None:
        talk.say("554 5.3.2 no service")
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        with pytest.raises(smtplib.SMTPConnectError) as caught:
            await AsyncSMTP("127.0.0.1", server.port)
        assert (caught.value.smtp_code, caught.value.smtp_error) == (554, b"5.3.2 no service")


async def test_a_connection_runs_on_the_executor_that_it_was_given(server: Server) -> None:
    async with BoundedExecutor(1) as executor:
        async with AsyncSMTP("127.0.0.1", server.port, executor=executor) as smtp:
            await smtp.noop()
        assert executor.stats().done >= 4


async def test_a_password_shows_in_no_variable_of_the_frames(server: Server) -> None:
    import traceback

    smtp = await AsyncSMTP("127.0.0.1", server.port)
    with pytest.raises(smtplib.SMTPException) as caught:
        await smtp.login("anna", "pa55w0rd" + "X" * 3)
    await smtp.close()
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [frame for frame in frames if "asyncsmtp_bridge" in frame.filename]
    assert ours
    assert not [frame for frame in ours if "pa55w0rdXXX" in str(frame.locals)]
