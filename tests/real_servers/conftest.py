"""The servers, each started once, when the first test wants it, and stopped when the tests of this folder are done.

Exim answers QUIT after 0.2 s. So the tests that all servers run close() their sessions, if they are not about leaving.
"""

from __future__ import annotations

import itertools
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from . import aiosmtpd_server as aiosmtpd_
from . import dovecot as dovecot_
from . import exim as exim_
from . import postfix as postfix_
from .server import HOST, RealServer, open_folder

SMTP_SERVERS = ["postfix", "exim", "aiosmtpd"]


@pytest.fixture(scope="package")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="package")
def certificate(authority: trustme.CA) -> Iterator[Path]:
    """The servers' key and certificate, where they can read it."""
    with open_folder() as folder:
        path = folder / "server.pem"
        authority.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
        path.chmod(0o644)
        yield path


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Trusts the servers' authority, and verifies."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="package")
def dovecot() -> Iterator[RealServer]:
    with dovecot_.dovecot() as server:
        yield server


@pytest.fixture(scope="package")
def postfix(certificate: Path, request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Postfix; its logins are Dovecot's, where that is installed."""
    has_logins = os.geteuid() == 0 and not dovecot_.missing()
    logins = request.getfixturevalue("dovecot").folder / "auth" if has_logins else None
    with postfix_.postfix(certificate, logins) as server:
        yield server


@pytest.fixture(scope="package")
def exim(certificate: Path) -> Iterator[RealServer]:
    with exim_.exim(certificate) as server:
        yield server


@pytest.fixture(scope="package")
def aiosmtpd(certificate: Path) -> Iterator[RealServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with aiosmtpd_.aiosmtpd_server(context) as server:
        yield server


@pytest.fixture(params=SMTP_SERVERS)
def server(request: pytest.FixtureRequest) -> RealServer:
    """Every SMTP server, one after the other."""
    return request.getfixturevalue(request.param)


@dataclass(frozen=True)
class Mail:
    """A message that no other test sends."""

    sender: str
    content: bytes


_numbers = itertools.count(1)


@pytest.fixture
def mail() -> Mail:
    number = next(_numbers)
    return Mail(
        f"from-{number}@example.org",
        f"From: from-{number}@example.org\r\n"
        f"Subject: Number {number}\r\n"
        f"Message-ID: <{number}@client.example.org>\r\n\r\nGood morning.\r\n".encode(),
    )
