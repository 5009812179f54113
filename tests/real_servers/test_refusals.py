"""Who is refused is told with the server's own reply, and the session goes on."""

from __future__ import annotations

import smtplib
from contextlib import closing

import pytest

from asyncsmtp_bridge import Outcome, classify

from .conftest import Mail
from .server import ANNA, BANNED, BERT, BUSY, CLEO, ELSEWHERE, NOBODY, SPAM, RealServer
from .sessions import PipelinedSMTP, beyond_smtplib


def arrived(server: RealServer, mail: Mail) -> list[str]:
    return sorted(copy.recipient for copy in server.received(mail.sender))


@pytest.mark.parametrize("refused", [NOBODY, BUSY, ELSEWHERE])
def test_one_of_several_recipients(server: RealServer, mail: Mail, refused: str) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        refusals = smtp.sendmail(mail.sender, [ANNA, refused, BERT], mail.content)
    assert list(refusals) == [refused]
    failure = classify(refusals)[refused]
    assert (failure.code, failure.enhanced_code) == server.refusals[refused]
    assert failure.outcome is (Outcome.TRANSIENT if refused == BUSY else Outcome.PERMANENT)
    assert failure.recipient == refused
    assert arrived(server, mail) == [ANNA, BERT]


def test_all_recipients(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for _ in range(3):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                smtp.sendmail(mail.sender, [NOBODY, BUSY, ELSEWHERE], mail.content)
            failures = classify(caught.value).recipients
            codes = {address: (each.code, each.enhanced_code) for address, each in failures.items()}
            assert codes == {address: server.refusals[address] for address in (NOBODY, BUSY, ELSEWHERE)}
        assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(server, mail) == [CLEO]


def test_the_sender(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                smtp.sendmail(BANNED, [ANNA, BERT], mail.content)
            assert caught.value.sender == BANNED
            failure = classify(caught.value)
            assert (failure.code, failure.enhanced_code) == server.refusals[BANNED]
        assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(server, mail) == [CLEO]
    assert server.received(BANNED) == []


def test_the_sender_where_the_server_says_so_at_each_recipient(postfix: RealServer, mail: Mail) -> None:
    """As Postfix does, if it is not told otherwise (smtpd_delay_reject)."""
    with PipelinedSMTP(postfix.host, postfix.ports["delaying"]) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(BANNED, [ANNA, BERT], mail.content)
        assert [code for code, _ in caught.value.recipients.values()] == [554, 554]
        assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(postfix, mail) == [CLEO]
    assert postfix.received(BANNED) == []


def test_the_content(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPDataError) as caught:
                smtp.sendmail(mail.sender, [ANNA, NOBODY], SPAM + mail.content)
            failure = classify(caught.value)
            assert (failure.code, failure.enhanced_code, failure.outcome) == (550, "5.7.1", Outcome.PERMANENT)
        assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(server, mail) == [CLEO]


def test_a_hundred_recipients_of_whom_each_tenth_is_refused(server: RealServer, mail: Mail) -> None:
    """More than fits into one packet, and replies that come while commands are still sent."""
    everybody = [f"{NOBODY[:6]}{n}@example.org" if n % 10 == 3 else f"from-{n}@example.org" for n in range(100)]
    if server.name == "aiosmtpd":
        everybody = [NOBODY if address.startswith("nobody") else address for address in everybody]
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        refusals = smtp.sendmail(mail.sender, everybody, mail.content)
        assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert {code for code, _ in refusals.values()} == {550}
    assert set(refusals) == {address for address in everybody if address.startswith("nobody")}
    assert arrived(server, mail) == sorted([CLEO, *(address for address in everybody if address.startswith("from-"))])


@pytest.mark.parametrize("refused", [3, 5])
def test_too_many_errors_end_the_session_with_421(postfix: RealServer, mail: Mail, refused: int) -> None:
    """After the third error Postfix says 421 in place of the next reply, and hangs up."""
    with PipelinedSMTP(postfix.host, postfix.ports["strict"]) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(mail.sender, [f"nobody-{n}@example.org" for n in range(refused)], mail.content)
        codes = [code for code, _ in caught.value.recipients.values()]
        assert codes == [550, 550, 550, 421][:refused]
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
            smtp.noop()
        smtp.connect(postfix.host, postfix.port)
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert arrived(postfix, mail) == [BERT]


def test_some_errors_and_a_message_are_no_reason_to_end_the_session(postfix: RealServer, mail: Mail) -> None:
    with PipelinedSMTP(postfix.host, postfix.ports["strict"]) as smtp:
        for _ in range(10):
            assert list(smtp.sendmail(mail.sender, [NOBODY, BERT, BUSY], mail.content)) == [NOBODY, BUSY]
    assert arrived(postfix, mail) == [BERT] * 10


@beyond_smtplib
def test_421_in_the_middle_of_a_message_is_not_taken_for_a_delivery(postfix: RealServer, mail: Mail) -> None:
    """Three are refused, one would be accepted: the 421 comes in place of the reply to the accepted one."""
    with PipelinedSMTP(postfix.host, postfix.ports["strict"]) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(mail.sender, [f"nobody-{n}@example.org" for n in range(3)] + [BERT], mail.content)
        assert caught.value.recipients[BERT][0] == 421
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        assert smtp.sock is None
    assert arrived(postfix, mail) == []
