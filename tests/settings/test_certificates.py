"""Certificates that are refused, on either side, and versions of TLS that do not fit: what is advised then."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer, drop

from .servers import (
    DAY,
    HOST,
    MODES,
    Attempt,
    Authority,
    TLSMode,
    error_of,
    now,
    says,
    self_signed,
    server_with,
    telling,
)

Disconnected = smtplib.SMTPServerDisconnected

Side = Callable[[Authority], ssl.SSLContext]

EXPIRED: Side = lambda ca: ca.context(not_before=now() - 2 * DAY, not_after=now() - DAY)  # noqa: E731
NOT_YET: Side = lambda ca: ca.context(not_before=now() + DAY, not_after=now() + 2 * DAY)  # noqa: E731
OTHER_NAMES: Side = lambda ca: ca.context("mail.example.org", "*.mx.example.org", "192.0.2.7")  # noqa: E731
MANY_NAMES: Side = lambda ca: ca.context(*(f"mx{number}.example.org" for number in range(7)))  # noqa: E731
SELF_SIGNED: Side = lambda ca: self_signed()  # noqa: E731

FAULTS: list[tuple[str, Side, dict[str, Any], list[str]]] = [
    ("expired", EXPIRED, {}, ["has expired", "renew"]),
    ("not yet valid", NOT_YET, {}, ["is not valid yet", "clock"]),
    (
        "wrong name",
        OTHER_NAMES,
        {"host": "localhost"},
        ["is for mail.example.org, *.mx.example.org and 192.0.2.7, not for 'localhost'", "server_hostname"],
    ),
    (
        "wrong address",
        OTHER_NAMES,
        {},
        ["is for mail.example.org, *.mx.example.org and 192.0.2.7, not for '127.0.0.1'", "server_hostname"],
    ),
    (
        "wrong server_hostname",
        OTHER_NAMES,
        {"server_hostname": "mail.example.net"},
        ["mail.example.org", "not for 'mail.example.net'"],
    ),
    ("many names", MANY_NAMES, {}, ["mx0.example.org", "mx4.example.org and others", "not for '127.0.0.1'"]),
    ("self-signed", SELF_SIGNED, {"host": "localhost"}, ["is self-signed", "ca_file"]),
]


@pytest.mark.parametrize("tls", MODES)
@pytest.mark.parametrize(("side", "fields", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
async def test_a_certificate_that_is_refused(
    attempt: Attempt, authority: Authority, tls: TLSMode, side: Side, fields: dict[str, Any], words: list[str]
) -> None:
    with server_with(side(authority), tls) as server:
        error = await attempt(
            SMTPSettings(**{"host": HOST, "port": server.port, "tls": tls, "ca_file": authority.file, **fields})
        )
        says(error_of(error, ssl.SSLCertVerificationError), words)
        server.connected(0).wait(5)
        assert not [command for command in server.commands if command.upper().startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize("tls", MODES)
async def test_an_authority_that_the_system_does_not_know(attempt: Attempt, tls: TLSMode) -> None:
    with SMTPTestServer(tls=tls) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls))
    says(error_of(error, ssl.SSLCertVerificationError), ["CA that this system does not know", "set ca_file"])
    assert "smtplib would have accepted" not in str(error)


@pytest.mark.parametrize("tls", MODES)
async def test_an_authority_that_is_not_the_one_in_the_file(
    attempt: Attempt, authority: Authority, tls: TLSMode
) -> None:
    with SMTPTestServer(tls=tls) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls, ca_file=authority.file))
    says(error_of(error, ssl.SSLCertVerificationError), ["issued by nobody in ca_file", str(authority.file)])


@pytest.mark.parametrize("tls", MODES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_of_the_client_that_is_missing(
    attempt: Attempt, authority: Authority, tls: TLSMode, version: ssl.TLSVersion
) -> None:
    """With TLS 1.3 the client learns of it from what it reads next, when its own side of the handshake is done."""
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    with telling(context, tls) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls, ca_file=authority.file))
    says(error_of(error, (ssl.SSLError, Disconnected)), ["client_certificate"])


@pytest.mark.parametrize("tls", MODES)
async def test_a_certificate_of_the_client_that_is_somebody_elses(
    attempt: Attempt, authority: Authority, tls: TLSMode, tmp_path: Path
) -> None:
    certificate, key = Authority(tmp_path).client_files(tmp_path)
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    with telling(context, tls) as server:
        error = await attempt(
            SMTPSettings(HOST, server.port, tls, ca_file=authority.file, client_certificate=certificate, client_key=key)
        )
    says(error_of(error, (ssl.SSLError, Disconnected)), ["client_certificate", "who issued it"])


@pytest.mark.parametrize("tls", MODES)
async def test_a_version_of_tls_that_is_too_old(attempt: Attempt, authority: Authority, tls: TLSMode) -> None:
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with telling(context, tls) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls, ca_file=authority.file, minimum_tls_version="1.3"))
    says(error_of(error, ssl.SSLError), ["no version of TLS that both sides allow", "minimum_tls_version (1.3)"])


@pytest.mark.parametrize("tls", MODES)
async def test_a_handshake_that_is_ended_without_a_word(attempt: Attempt, authority: Authority, tls: TLSMode) -> None:
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with server_with(context, tls) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls, ca_file=authority.file, minimum_tls_version="1.3"))
    says(
        error_of(error, (ssl.SSLError, ConnectionError)),
        ["before TLS was agreed", "client_certificate", "minimum_tls_version"],
    )


async def test_a_connection_that_is_ended_when_it_is_encrypted(attempt: Attempt, authority: Authority) -> None:
    with SMTPTestServer(tls="implicit", faults=[drop("greeting")]) as server:
        (file := authority.file.with_name("other.pem")).write_bytes(server.ca_pem)
        error = await attempt(SMTPSettings(HOST, server.port, "implicit", ca_file=file))
    says(error_of(error, Disconnected), ["ended the encrypted connection without a greeting", "client_certificate"])
