from __future__ import annotations

import ssl
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
import trustme

from tests.servers import Server, smtp_server


@pytest.fixture
def server() -> Iterator[Server]:
    with smtp_server() as running:
        yield running


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server needs to prove that it is localhost, to whoever trusts the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def message() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Anna <anna@example.org>"
    message["To"] = "bert@example.org, cleo@example.org"
    message["Subject"] = "Grüße"
    message.set_content("Line\n.dot\n..dots\nlast without end")
    return message
