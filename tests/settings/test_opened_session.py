"""What a session that was opened has of the settings: times, names, addresses, certificates; and what is warned of."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

import asyncsmtp_bridge
from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.testing import SMTPTestServer

from .servers import HOST, PASSWORD, USER, Authority, opened, server_with, settings_for


@pytest.mark.parametrize("way", ["sync", "async", "smtplib"])
async def test_connect_timeout_gives_way_to_timeout(way: str) -> None:
    with SMTPTestServer() as server:
        session = await opened(SMTPSettings(HOST, server.port, "none", connect_timeout=7, timeout=9), way)
        assert session.sock is not None
        assert (session.timeout, session.sock.gettimeout()) == (9, 9)
        session.close()


async def test_the_deadline_and_pipelining_are_the_sessions() -> None:
    with SMTPTestServer() as server:
        session: Any = SMTPSettings(HOST, server.port, "none", deadline=9, pipelining=False).connect_sync()
        assert (session.deadline, session.pipelining) == (9, False)
        session.close()


@pytest.mark.parametrize("way", ["sync", "async", "smtplib"])
async def test_ehlo_gives_the_name_that_was_set(way: str) -> None:
    with SMTPTestServer(tls="starttls", auth={USER: PASSWORD}) as server:
        settings = SMTPSettings(HOST, server.port, "none", local_hostname="client.example.org")
        (await opened(settings, way)).close()
        assert server.commands == ["ehlo client.example.org"]


@pytest.mark.parametrize("way", ["sync", "async", "smtplib"])
async def test_connections_come_from_the_address_that_was_set(way: str) -> None:
    with SMTPTestServer() as server:
        session = await opened(SMTPSettings(HOST, server.port, "none", source_address="127.0.0.1"), way)
        assert session.sock is not None
        assert session.sock.getsockname()[0] == "127.0.0.1"
        assert session.source_address == ("127.0.0.1", 0)
        session.close()


@pytest.mark.parametrize("way", ["sync", "async", "smtplib"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_server_hostname_is_what_the_certificate_must_have(tmp_path: Path, tls: Any, way: str) -> None:
    with SMTPTestServer(tls=tls, auth={USER: PASSWORD}, certificate_names=["mail.example.org"]) as server:
        session = await opened(settings_for(server, tmp_path, tls=tls, server_hostname="mail.example.org"), way)
        assert isinstance(session.sock, ssl.SSLSocket)
        assert session.sock.server_hostname == "mail.example.org"
        session.close()


@pytest.mark.parametrize("way", ["sync", "async", "smtplib"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("password", [None, "of the key"])
async def test_the_client_shows_its_certificate(tmp_path: Path, tls: Any, way: str, password: str | None) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.client_files(tmp_path, password.encode() if password else None)
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    with server_with(context, tls) as server:
        settings = SMTPSettings(
            HOST,
            server.port,
            tls,
            ca_file=authority.file,
            client_certificate=certificate,
            client_key=key,
            client_key_password=password,
        )
        session = await opened(settings, way)
        assert session.noop()[0] == 250
        session.close()


@pytest.mark.parametrize("password", [None, "another"])
def test_a_key_that_cannot_be_decrypted_is_said_and_not_asked_for(tmp_path: Path, password: str | None) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.client_files(tmp_path, b"of the key")
    with SMTPTestServer(tls="implicit") as server:
        settings = SMTPSettings(
            HOST,
            server.port,
            "implicit",
            client_certificate=certificate,
            client_key=key,
            client_key_password=password,
        )
        with pytest.raises(InvalidSettings, match=r"client_certificate: .*client\.pem.*client_key_password"):
            settings.connect_sync()
        assert server.connections_total == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_file_of_authorities_that_is_none_is_said(tmp_path: Path, tls: Any) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind\n")
    with SMTPTestServer(tls=tls) as server:
        for name, text in (("ca.pem", "no certificate"), ("missing.pem", "No such file")):
            with pytest.raises(InvalidSettings, match=f"ca_file: .*{name}.*{text}"):
                SMTPSettings(HOST, server.port, tls, ca_file=tmp_path / name).connect_sync()
        server.connected(0).wait(5)


def test_the_minimum_version_of_tls_is_agreed(tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}) as server:
        session = settings_for(server, tmp_path, tls="implicit", minimum_tls_version="1.3").connect_sync()
        assert isinstance(session.sock, ssl.SSLSocket)
        assert session.sock.version() == "TLSv1.3"
        assert session.sock.context.minimum_version is ssl.TLSVersion.TLSv1_3
        session.close()


async def test_the_context_of_configure_is_used() -> None:
    with SMTPTestServer(tls="starttls") as server:

        def own() -> ssl.SSLContext:
            context = ssl.create_default_context()
            context.load_verify_locations(cadata=server.ca_pem.decode())
            return context

        asyncsmtp_bridge.configure(tls_context=own)
        async with SMTPSettings(HOST, server.port, "starttls").connect() as smtp:
            assert (await smtp.noop())[0] == 250


def test_the_context_of_configure_is_not_changed_by_settings() -> None:
    asyncsmtp_bridge.configure(tls_context=ssl.create_default_context)
    with SMTPTestServer(tls="implicit") as server:
        settings = SMTPSettings(HOST, server.port, "implicit", minimum_tls_version="1.3")
        with pytest.raises(InvalidSettings, match="minimum_tls_version: configure"):
            settings.connect_sync()
        assert server.connections_total == 0


def test_a_file_of_authorities_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with SMTPTestServer(tls="implicit") as first, SMTPTestServer(tls="implicit") as second:
        file.write_bytes(first.ca_pem)
        settings = SMTPSettings(HOST, second.port, "implicit", ca_file=file)
        with pytest.raises(ssl.SSLCertVerificationError):
            settings.connect_sync()
        (tmp_path / "new.pem").write_bytes(second.ca_pem)
        os.replace(tmp_path / "new.pem", file)
        settings.connect_sync().close()


# What is said when it stays plain.


@pytest.mark.parametrize("lmtp", [False, True])
def test_a_warning_when_auto_stays_plain(caplog: pytest.LogCaptureFixture, lmtp: bool) -> None:
    with SMTPTestServer(lmtp=lmtp) as server:
        SMTPSettings(HOST, server.port, lmtp=lmtp).connect_sync().close()
    [record] = [each for each in caplog.records if each.name == "asyncsmtp_bridge"]
    assert record.levelno == logging.WARNING
    assert f"{HOST}:{server.port} is not encrypted" in record.getMessage()


@pytest.mark.parametrize(
    ("options", "tls"), [({}, "none"), ({"tls": "starttls"}, "auto"), ({"tls": "starttls"}, "none")]
)
def test_no_warning_when_it_is_encrypted_or_meant_to_be_plain(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, options: dict[str, Any], tls: Any
) -> None:
    with SMTPTestServer(**options) as server:
        settings_for(server, tmp_path, tls=tls, username=None).connect_sync().close()
    assert not [each for each in caplog.records if each.name == "asyncsmtp_bridge"]
