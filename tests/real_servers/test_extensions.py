"""What goes with MAIL and RCPT, and what the commands besides them do."""

from __future__ import annotations

import re
import smtplib
from contextlib import closing
from email.message import EmailMessage

import pytest

from .conftest import Mail
from .server import ANNA, BERT, NOBODY, SIZE_LIMIT, UTF8, RealServer
from .sessions import PipelinedSMTP, beyond_smtplib


def test_an_address_in_utf8_and_then_an_ordinary_message(server: RealServer, mail: Mail) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, UTF8, "Grüße"
    message.set_content("Schöne Grüße\n")
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for _ in range(2):
            assert smtp.send_message(message) == {}
            assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    arrived = {copy.recipient: copy.content for copy in server.received(mail.sender)}
    assert arrived.keys() == {UTF8, BERT}
    assert f"To: {UTF8}\r\n".encode() in arrived[UTF8]
    assert arrived[BERT] == mail.content


@pytest.mark.parametrize("name", ["postfix", "exim"])
def test_delivery_status_notifications(name: str, mail: Mail, request: pytest.FixtureRequest) -> None:
    server: RealServer = request.getfixturevalue(name)
    identity = f"id-{mail.sender.partition('@')[0]}"
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("dsn")
        refused = smtp.sendmail(
            mail.sender,
            [ANNA, BERT],
            mail.content,
            mail_options=["RET=HDRS", f"ENVID={identity}"],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE"],
        )
        assert refused == {}
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert sorted(copy.recipient for copy in server.received(mail.sender)) == [ANNA, BERT, BERT]
    reports = [copy.content for copy in server.received("") if copy.recipient == mail.sender]
    told = b"".join(reports)
    assert {ANNA.encode(), BERT.encode()} <= set(re.findall(rb"Final-Recipient: *rfc822; *(\S+)", told, re.IGNORECASE))
    assert re.search(rb"Original-Envelope-ID: *" + identity.encode(), told, re.IGNORECASE)
    assert b"Good morning" not in told
    assert 1 <= len(reports) <= 2


@pytest.mark.parametrize("options", [{"mail_options": ["SOLVER=x"]}, {"rcpt_options": ["WHEN=now"]}], ids=str)
def test_parameters_that_nobody_knows(server: RealServer, mail: Mail, options: dict[str, list[str]]) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
            smtp.sendmail(mail.sender, [BERT], mail.content, **options)
        assert smtp.sendmail(mail.sender, [ANNA], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [ANNA]


def test_a_message_that_is_too_large(server: RealServer, mail: Mail) -> None:
    too_large = mail.content + b"\r\n" * (SIZE_LIMIT // 2)
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        assert int(smtp.esmtp_features["size"]) == SIZE_LIMIT
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            smtp.sendmail(mail.sender, [ANNA], too_large)
        assert caught.value.smtp_code == 552
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


@beyond_smtplib
def test_nobody_is_asked_whether_a_message_is_too_large(postfix: RealServer, mail: Mail) -> None:
    begin = postfix.log.stat().st_size
    too_large = mail.content + b"\r\n" * (SIZE_LIMIT // 2)
    with (
        PipelinedSMTP(postfix.host, postfix.port) as smtp,
        pytest.raises(smtplib.SMTPSenderRefused, match="RFC 1870") as caught,
    ):
        smtp.sendmail(mail.sender, [ANNA], too_large)
    assert str(SIZE_LIMIT) in str(caught.value)
    postfix.wait_for_farewell(begin)
    assert postfix.logged(postfix.farewell, since=begin)[0].endswith(" ehlo=1 quit=1 commands=2")


def test_commands_besides_the_mail(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        assert smtp.noop()[0] == 250
        assert smtp.helo()[0] == 250
        assert smtp.ehlo()[0] == 250
        assert smtp.vrfy(ANNA)[0] in (250, 252)
        if server.name != "aiosmtpd":  # which does not know
            assert smtp.verify(NOBODY)[0] == 550
        smtp.help()
        assert smtp.docmd("SOLVE")[0] in (500, 502)
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
        assert smtp.quit()[0] == 221
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


def test_a_transaction_that_is_given_up(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        assert smtp.mail(mail.sender)[0] == 250
        assert smtp.rcpt(ANNA)[0] == 250
        assert smtp.rset()[0] == 250
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


def test_the_commands_of_a_message_one_by_one(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        for recipient in (ANNA, BERT):
            assert smtp.mail(mail.sender)[0] == 250
            assert smtp.rcpt(NOBODY)[0] == 550
            assert smtp.rcpt(recipient)[0] == 250
            assert smtp.data(mail.content)[0] == 250
    assert sorted(copy.recipient for copy in server.received(mail.sender)) == [ANNA, BERT]
