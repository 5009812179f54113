"""Logging in by each mechanism; a wrong password is tried once."""

from __future__ import annotations

import smtplib
import ssl

import pytest

from .conftest import Mail
from .server import BERT, MECHANISMS, PASSWORD, USER, RealServer
from .sessions import PipelinedSMTP, beyond_smtplib


def secured(server: RealServer, which: str, trusting: ssl.SSLContext) -> smtplib.SMTP:
    if which not in server.ports:
        why = "aiosmtpd has no CRAM-MD5" if server.name == "aiosmtpd" else "Dovecot, which its logins need, is missing"
        pytest.skip(f"{server.name} does not offer this login: {why}")
    smtp = PipelinedSMTP(server.host, server.ports[which])
    smtp.starttls(context=trusting)
    return smtp


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_one_mechanism(server: RealServer, mail: Mail, trusting: ssl.SSLContext, mechanism: str) -> None:
    with secured(server, mechanism, trusting) as smtp:
        smtp.ehlo()
        assert set(smtp.esmtp_features["auth"].split()) == {mechanism}
        with pytest.raises(smtplib.SMTPException):
            smtp.sendmail(mail.sender, [BERT], mail.content)
        assert smtp.login(USER, PASSWORD)[0] == 235
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_choice_of_several(server: RealServer, mail: Mail, trusting: ssl.SSLContext, at_once: bool) -> None:
    with secured(server, "login", trusting) as smtp:
        assert smtp.login(USER, PASSWORD, initial_response_ok=at_once)[0] == 235
        assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_and_then_the_right_one(server: RealServer, trusting: ssl.SSLContext, mechanism: str) -> None:
    with secured(server, mechanism, trusting) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login(USER, "wrong")
        assert caught.value.smtp_code == 535
        assert smtp.login(USER, PASSWORD)[0] == 235


@beyond_smtplib
def test_a_wrong_password_is_tried_once(server: RealServer, trusting: ssl.SSLContext) -> None:
    """Each try counts: servers lock accounts."""
    begin = server.log.stat().st_size
    with secured(server, "login", trusting) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(USER, "wrong")
    server.wait_for_farewell(begin)
    assert len(server.logged(server.login_failed, since=begin)) == 1


@beyond_smtplib
@pytest.mark.parametrize("password", ["Grüße", "x" * 400])
def test_a_password_of_any_kind_is_only_refused(server: RealServer, trusting: ssl.SSLContext, password: str) -> None:
    """Not an error of encoding, and not a session that is out of step: long ones do not fit into the command."""
    with secured(server, "login", trusting) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login(USER, password)
        assert caught.value.smtp_code == 535
        assert smtp.login(USER, PASSWORD)[0] == 235


def test_no_login_is_offered_before_the_connection_is_encrypted(server: RealServer) -> None:
    with PipelinedSMTP(server.host, server.port) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            smtp.login(USER, PASSWORD)
        assert smtp.noop()[0] == 250
