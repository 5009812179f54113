"""Sessions that the server ends: nothing counts as sent that was not, and one can connect again."""

from __future__ import annotations

import select
import smtplib
from pathlib import Path

import pytest

from asyncsmtp_bridge import Outcome, classify

from .conftest import Mail
from .exim import exim
from .server import BERT, DEADLINE, RealServer
from .sessions import PipelinedSMTP, beyond_smtplib


def wait_until_it_speaks(smtp: smtplib.SMTP) -> None:
    assert smtp.sock is not None
    assert select.select([smtp.sock], [], [], DEADLINE)[0]


def test_a_server_that_has_waited_too_long(postfix: RealServer, mail: Mail) -> None:
    """It says 421 unasked, and closes the connection."""
    with PipelinedSMTP(postfix.host, postfix.ports["impatient"]) as smtp:
        smtp.ehlo()
        wait_until_it_speaks(smtp)
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPServerDisconnected)) as caught:
            smtp.sendmail(mail.sender, [BERT], mail.content)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        smtp.connect(postfix.host, postfix.port)
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in postfix.received(mail.sender)] == [BERT]


@beyond_smtplib  # which does not greet the server that it connects to next
def test_a_server_that_does_not_want_to_be_kept_awake(exim: RealServer, mail: Mail) -> None:
    """Exim ends a session after ten commands that are not mail."""
    with PipelinedSMTP(exim.host, exim.port) as smtp:
        smtp.ehlo()
        assert [smtp.noop()[0] for _ in range(11)] == [250] * 10 + [554]
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.sendmail(mail.sender, [BERT], mail.content)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        smtp.connect(exim.host, exim.port)
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in exim.received(mail.sender)] == [BERT]


def test_a_server_that_ends(certificate: Path, mail: Mail) -> None:
    with exim(certificate, delivers=False) as server:
        smtp = PipelinedSMTP(server.host, server.port)
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
        server.kill()
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.sendmail(mail.sender, [BERT], mail.content)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        with pytest.raises(ConnectionRefusedError):
            smtp.connect(server.host, server.port)
        smtp.close()
        server.deliver()
        assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]
