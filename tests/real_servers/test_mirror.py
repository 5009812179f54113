"""The same sessions, awaited."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections import Counter

import pytest

from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL, classify

from .conftest import Mail
from .dovecot import FULL
from .server import ANNA, BANNED, BERT, CLEO, NOBODY, PASSWORD, USER, RealServer
from .sessions import PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL, beyond_smtplib


async def test_mail_and_refusals(server: RealServer, mail: Mail) -> None:
    async with AsyncSMTP(server.host, server.port, smtp_class=PipelinedSMTP) as smtp:
        refusals = await smtp.sendmail(mail.sender, [ANNA, NOBODY, BERT], mail.content)
        failure = classify(refusals)[NOBODY]
        assert (failure.code, failure.enhanced_code) == server.refusals[NOBODY]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await smtp.sendmail(mail.sender, [NOBODY], mail.content)
        with pytest.raises(smtplib.SMTPSenderRefused):
            await smtp.sendmail(BANNED, [ANNA], mail.content)
        assert await smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert sorted(copy.recipient for copy in server.received(mail.sender)) == [ANNA, BERT, CLEO]


async def test_many_sessions_at_once(server: RealServer, mail: Mail) -> None:
    async def session(number: int) -> None:
        async with AsyncSMTP(server.host, server.port, smtp_class=PipelinedSMTP) as smtp:
            for each in range(5):
                content = mail.content + b"Session %d, message %d.\r\n" % (number, each)
                assert await smtp.sendmail(mail.sender, [BERT], content) == {}

    await asyncio.gather(*map(session, range(8)))
    copies = Counter(copy.content for copy in server.received(mail.sender))
    assert len(copies) == 40
    assert set(copies.values()) == {1}


async def test_a_login_over_starttls(server: RealServer, mail: Mail, trusting: ssl.SSLContext) -> None:
    if "login" not in server.ports:
        pytest.skip(f"{server.name}'s logins need Dovecot, which is missing")
    async with AsyncSMTP(server.host, server.ports["login"], smtp_class=PipelinedSMTP) as smtp:
        await smtp.starttls(context=trusting)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await smtp.login(USER, "wrong")
        assert (await smtp.login(USER, PASSWORD))[0] == 235
        assert await smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


async def test_implicit_tls(server: RealServer, mail: Mail, trusting: ssl.SSLContext) -> None:
    port = server.ports["tls"]
    async with AsyncSMTP_SSL(server.host, port, context=trusting, smtp_class=PipelinedSMTP_SSL) as smtp:
        assert await smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


async def test_without_a_context_the_server_must_be_known(server: RealServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await AsyncSMTP_SSL(server.host, server.ports["tls"], smtp_class=PipelinedSMTP_SSL)
    async with AsyncSMTP(server.host, server.port, smtp_class=PipelinedSMTP) as smtp:
        with pytest.raises(ssl.SSLCertVerificationError):
            await smtp.starttls()


@beyond_smtplib
@pytest.mark.parametrize("way", ["tcp", "unix"])
async def test_lmtp(dovecot: RealServer, mail: Mail, way: str) -> None:
    args = (dovecot.host, dovecot.port) if way == "tcp" else (str(dovecot.folder / "lmtp"),)
    content = mail.content + b"A line that a full mailbox has no room for.\r\n" * 50
    async with AsyncLMTP(*args, smtp_class=PipelinedLMTP) as lmtp:
        refusals = await lmtp.sendmail(mail.sender, [ANNA, NOBODY, FULL[0], BERT], content)
    assert {address: reply[0] for address, reply in refusals.items()} == {NOBODY: 550, FULL[0]: 552}
    assert sorted(copy.recipient for copy in dovecot.received(mail.sender)) == [ANNA, BERT]
