"""STARTTLS and TLS from the beginning: the server must prove its name, and then mail goes through."""

from __future__ import annotations

import ssl
from contextlib import closing

import pytest

from .conftest import Mail
from .server import BERT, RealServer
from .sessions import PipelinedSMTP, PipelinedSMTP_SSL


def large(mail: Mail) -> bytes:
    return mail.content + b"A line that is sent many times over.\r\n" * 20_000


def test_starttls(server: RealServer, mail: Mail, trusting: ssl.SSLContext) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        assert smtp.starttls(context=trusting)[0] == 220
        assert smtp.esmtp_features == {}  # what was said in clear text does not count
        for content in (mail.content, large(mail)):
            assert smtp.sendmail(mail.sender, [BERT], content) == {}
        assert not smtp.has_extn("starttls")
        assert isinstance(smtp.sock, ssl.SSLSocket)
    assert sorted(copy.content for copy in server.received(mail.sender)) == sorted([mail.content, large(mail)])


def test_starttls_with_a_server_that_nobody_vouches_for(server: RealServer) -> None:
    smtp = PipelinedSMTP(server.host, server.port)
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            smtp.starttls(context=ssl.create_default_context())
    finally:
        smtp.close()


def test_implicit_tls(server: RealServer, mail: Mail, trusting: ssl.SSLContext) -> None:
    with closing(PipelinedSMTP_SSL(server.host, server.ports["tls"], context=trusting)) as smtp:
        for content in (mail.content, large(mail)):
            assert smtp.sendmail(mail.sender, [BERT], content) == {}
    assert sorted(copy.content for copy in server.received(mail.sender)) == sorted([mail.content, large(mail)])


def test_implicit_tls_with_a_server_that_nobody_vouches_for(server: RealServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        PipelinedSMTP_SSL(server.host, server.ports["tls"], context=ssl.create_default_context())
