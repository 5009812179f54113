"""LMTP with Dovecot: after the content, each recipient has an answer of its own (RFC 2033, section 4.2)."""

from __future__ import annotations

import smtplib
from collections import Counter
from email.message import EmailMessage

import pytest

from asyncsmtp_bridge import Outcome, classify

from .conftest import Mail
from .dovecot import FULL
from .server import ANNA, BERT, CLEO, NOBODY, UTF8, RealServer
from .sessions import PipelinedLMTP, beyond_smtplib


@pytest.fixture(params=["tcp", "unix"])
def lmtp(dovecot: RealServer, request: pytest.FixtureRequest) -> smtplib.LMTP:
    if request.param == "unix":
        return PipelinedLMTP(str(dovecot.folder / "lmtp"))
    return PipelinedLMTP(dovecot.host, dovecot.port)


def long(mail: Mail) -> bytes:
    return mail.content + b"..A line that a full mailbox has no room for.\r\n" * 50


def arrived(server: RealServer, mail: Mail) -> Counter[tuple[str, bytes]]:
    return Counter((copy.recipient, copy.content) for copy in server.received(mail.sender))


def test_a_message(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    with lmtp:
        assert lmtp.sendmail(mail.sender, [ANNA], long(mail)) == {}
    assert arrived(dovecot, mail) == Counter([(ANNA, long(mail))])


@beyond_smtplib
@pytest.mark.parametrize(
    "recipients",
    [
        [ANNA, NOBODY, BERT],
        [ANNA, FULL[0], BERT],
        [FULL[0], NOBODY, ANNA],
        [*FULL, NOBODY, ANNA, BERT, CLEO],
        [ANNA, BERT],
    ],
    ids=lambda recipients: " ".join(address.partition("@")[0] for address in recipients),
)
def test_each_recipient_has_an_answer(
    dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail, recipients: list[str]
) -> None:
    refused = {address: dovecot.refusals[address] for address in recipients if address in dovecot.refusals}
    with lmtp:
        for _ in range(2):
            failures = classify(lmtp.sendmail(mail.sender, recipients, long(mail)))
            assert {address: (each.code, each.enhanced_code) for address, each in failures.items()} == refused
        assert lmtp.noop()[0] == 250
    accepted = [address for address in recipients if address not in refused]
    assert arrived(dovecot, mail) == Counter((address, long(mail)) for address in accepted * 2)


def test_nobody_gets_it(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    with lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            lmtp.sendmail(mail.sender, [NOBODY], long(mail))
        assert caught.value.recipients[NOBODY][0] == 550
        with pytest.raises(smtplib.SMTPDataError) as data:
            lmtp.sendmail(mail.sender, [FULL[0]], long(mail))
        assert data.value.smtp_code == 552
        assert classify(data.value).outcome is Outcome.PERMANENT
        assert lmtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(dovecot, mail) == Counter([(CLEO, mail.content)])


@beyond_smtplib
def test_all_of_several_are_refused_in_different_places(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    with lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            lmtp.sendmail(mail.sender, [FULL[1], NOBODY, FULL[0]], long(mail))
        assert {address: code for address, (code, _) in caught.value.recipients.items()} == {
            FULL[0]: 552,
            FULL[1]: 552,
            NOBODY: 550,
        }
        assert lmtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(dovecot, mail) == Counter([(CLEO, mail.content)])


@beyond_smtplib
def test_a_recipient_that_is_named_twice(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    """The server counts both."""
    with lmtp:
        assert lmtp.sendmail(mail.sender, [ANNA, ANNA, BERT], mail.content) == {}
        assert lmtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert {recipient for recipient, _ in arrived(dovecot, mail)} == {ANNA, BERT, CLEO}


@beyond_smtplib
def test_a_stream(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    to = [[ANNA], [FULL[0], BERT], [NOBODY], [FULL[1]], [ANNA, BERT, CLEO], [NOBODY, FULL[0], CLEO]]
    items = [(mail.sender, to[n % 6], long(mail) + b"Message %d.\r\n" % n) for n in range(30)]
    with lmtp:
        answers = list(lmtp.send_stream(items))
    expected = [{}, {FULL[0]}, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, {}, {NOBODY, FULL[0]}]
    for answer, kind in zip(answers, expected * 5, strict=True):
        assert isinstance(answer, kind) if isinstance(kind, type) else answer.keys() == set(kind)
    assert arrived(dovecot, mail) == Counter(
        (address, content)
        for _, recipients, content in items
        for address in recipients
        if address in (ANNA, BERT, CLEO)
    )


def test_a_header_that_the_server_cannot_take(dovecot: RealServer, lmtp: smtplib.LMTP, mail: Mail) -> None:
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, UTF8
    message.set_content("Hello")
    with lmtp:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            lmtp.send_message(message)
        assert lmtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    assert arrived(dovecot, mail) == Counter([(CLEO, mail.content)])
