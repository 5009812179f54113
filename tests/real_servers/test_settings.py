"""Settings against the real servers: what opens, and what is advised where something is set wrong."""

from __future__ import annotations

import smtplib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from asyncsmtp_bridge import SMTPSettings

from .conftest import Mail
from .server import BERT, PASSWORD, USER, RealServer

SHORT = 0.5


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def port_of(server: RealServer, which: str) -> int:
    if which not in server.ports:
        pytest.skip(f"{server.name} has no logins here: Dovecot, which does them, is missing")
    return server.ports[which]


def advice_of(error: BaseException) -> str:
    advice: str = vars(error)["advice"]
    assert advice.isprintable()
    assert getattr(error, "__notes__", [advice]) == [advice]
    return advice


def refused(settings: SMTPSettings, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        settings.connect_sync()
    return advice_of(caught.value)


@pytest.mark.parametrize(("which", "tls"), [("plain", "starttls"), ("plain", "auto"), ("tls", "implicit")])
async def test_mail_goes_through_what_is_opened(
    server: RealServer, mail: Mail, ca_file: Path, which: str, tls: Any
) -> None:
    smtp = await SMTPSettings(server.host, server.ports[which], tls, ca_file=ca_file).connect()
    assert isinstance(smtp.__wrapped__.sock, ssl.SSLSocket)
    assert await smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    smtp.__wrapped__.close()
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


def test_who_is_logged_in_may_send(server: RealServer, mail: Mail, ca_file: Path) -> None:
    settings = SMTPSettings(server.host, port_of(server, "login"), "starttls", USER, PASSWORD, ca_file=ca_file)
    smtp = settings.connect_sync()
    assert smtp.sendmail(mail.sender, [BERT], mail.content) == {}
    smtp.close()
    assert [copy.recipient for copy in server.received(mail.sender)] == [BERT]


def test_implicit_tls_where_plain_smtp_is_spoken(server: RealServer, ca_file: Path) -> None:
    advice = refused(SMTPSettings(server.host, server.port, "implicit", ca_file=ca_file), ssl.SSLError)
    assert "does not speak TLS from the first byte" in advice
    assert "tls='starttls'" in advice


@pytest.mark.parametrize("tls", ["starttls", "none", "auto"])
def test_plain_smtp_where_tls_is_spoken(server: RealServer, tls: Any) -> None:
    settings = SMTPSettings(server.host, server.ports["tls"], tls, connect_timeout=SHORT)
    advice = refused(settings, smtplib.SMTPServerDisconnected)
    assert "did not greet" in advice
    assert "tls='implicit'" in advice


@pytest.mark.parametrize(("which", "tls"), [("plain", "starttls"), ("tls", "implicit")])
def test_an_authority_that_nobody_knows(server: RealServer, which: str, tls: Any) -> None:
    advice = refused(SMTPSettings(server.host, server.ports[which], tls), ssl.SSLCertVerificationError)
    assert "CA that this system does not know: set ca_file" in advice


@pytest.mark.parametrize(("which", "tls"), [("plain", "starttls"), ("tls", "implicit")])
def test_a_name_that_the_certificate_has_not(server: RealServer, ca_file: Path, which: str, tls: Any) -> None:
    settings = SMTPSettings(server.host, server.ports[which], tls, ca_file=ca_file, server_hostname="mail.example.org")
    advice = refused(settings, ssl.SSLCertVerificationError)
    assert "127.0.0.1" in advice
    assert "localhost" in advice
    assert "not for 'mail.example.org'" in advice


def test_a_wrong_password(server: RealServer, ca_file: Path) -> None:
    settings = SMTPSettings(server.host, port_of(server, "login"), "starttls", USER, "wrong", ca_file=ca_file)
    advice = refused(settings, smtplib.SMTPAuthenticationError)
    assert "user or password is wrong" in advice
    assert "check username and password" in advice


@pytest.mark.parametrize("cleartext_login", [False, True])
def test_a_login_before_the_connection_is_encrypted(server: RealServer, cleartext_login: bool) -> None:
    settings = SMTPSettings(
        server.host, port_of(server, "login"), "none", USER, PASSWORD, cleartext_login=cleartext_login
    )
    advice = refused(settings, smtplib.SMTPNotSupportedError)
    assert "offers STARTTLS, and wants it before a login: use tls='starttls'" in advice


def test_a_token_where_passwords_are_taken(server: RealServer, ca_file: Path) -> None:
    settings = SMTPSettings(
        server.host, port_of(server, "login"), "starttls", USER, access_token="token", ca_file=ca_file
    )
    advice = refused(settings, smtplib.SMTPNotSupportedError)
    assert "no access tokens here" in advice
    assert "PLAIN" in advice


def test_lmtp_with_a_server_of_smtp(server: RealServer) -> None:
    advice = refused(SMTPSettings(server.host, server.port, "none", lmtp=True), smtplib.SMTPHeloError)
    assert "speaks SMTP" in advice


def test_smtp_with_a_server_of_lmtp(dovecot: RealServer) -> None:
    advice = refused(SMTPSettings(dovecot.host, dovecot.port, "none"), smtplib.SMTPHeloError)
    assert "lmtp=True" in advice


async def test_lmtp_over_tcp_and_over_its_socket(dovecot: RealServer, mail: Mail) -> None:
    for settings in (
        SMTPSettings(dovecot.host, dovecot.port, "none", lmtp=True),
        SMTPSettings(unix_socket=dovecot.folder / "lmtp"),
    ):
        async with settings.connect() as smtp:
            assert await smtp.sendmail(mail.sender, [BERT], mail.content) == {}
