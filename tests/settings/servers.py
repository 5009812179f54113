"""Servers to be opened, also with certificates that are bad in every way; ways to try it, and to read the error."""

from __future__ import annotations

import datetime
import smtplib
import socket
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer

from ..servers import ScriptedServer, Talk

HOST = "127.0.0.1"
USER, PASSWORD = "anna@example.org", "right"

TLSMode = Literal["implicit", "starttls"]
MODES: tuple[TLSMode, ...] = ("implicit", "starttls")

DAY = datetime.timedelta(days=1)

Attempt = Callable[[SMTPSettings], Awaitable[Any]]
"""Tries to open a session, and returns the error."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class Authority:
    """A certificate authority, and a file that says so."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def context(self, *names: str, **validity: Any) -> ssl.SSLContext:
        """Return a server's side of TLS."""
        context = server_side()
        self.ca.issue_cert(*(names or (HOST, "localhost")), **validity).configure_cert(context)
        return context

    def client_files(self, folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
        """Write a client's certificate, and its key."""
        issued = self.ca.issue_cert("client@example.org")
        certificate, key = folder / "client.pem", folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        read = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        key.write_bytes(
            read.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password),
            )
        )
        return certificate, key


def server_side() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def self_signed() -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate that has itself for an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = server_side()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(file)
    return context


def server_with(context: ssl.SSLContext, tls: TLSMode, **options: Any) -> SMTPTestServer:
    """Return a server whose side of TLS is another than its own."""
    server = SMTPTestServer(tls=tls, **options)
    server._rules = replace(server._rules, tls_context=context)
    return server


def telling(context: ssl.SSLContext, tls: TLSMode) -> ScriptedServer:
    """Return a server that ends its handshake by saying what is wrong, which asyncio's do not, and no more."""

    def talk_tls(talk: Talk) -> None:
        if tls == "starttls":
            talk.say("220 mail.example.org ESMTP")
            talk.expect("EHLO")
            talk.say("250-mail.example.org")
            talk.say("250 STARTTLS")
            talk.expect("STARTTLS")
            talk.say("220 Ready")
        with context.wrap_socket(talk.connection, server_side=True, do_handshake_on_connect=False) as secured:
            with suppress(ssl.SSLError):
                secured.do_handshake()
            # Not close(), by which what was said may be lost.
            while socket.socket.recv(secured, 1024):
                pass

    return ScriptedServer(talk_tls)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that completes no TCP handshake: nobody accepts, and the queue of those who wait is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((HOST, 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def closed_port() -> int:
    """A port of which nothing listens now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


# Ways to open a session.


def settings_for(server: SMTPTestServer, folder: Path, **fields: Any) -> SMTPSettings:
    """Return settings with a login, and the server's authority if it has TLS and it is used."""
    if server._certificates is not None and fields.get("tls") != "none":
        (folder / "ca.pem").write_bytes(server.ca_pem)
        fields["ca_file"] = folder / "ca.pem"
    given: dict[str, Any] = {"username": USER} | fields
    if given["username"] is not None and "access_token" not in given:
        given.setdefault("password", PASSWORD)
    return SMTPSettings(HOST, server.port, **given)


def smtplibs_class(settings: SMTPSettings) -> type[smtplib.SMTP]:
    """Return smtplib's own class for such settings."""
    if settings.lmtp:
        return smtplib.LMTP
    return smtplib.SMTP_SSL if settings.tls_mode == "implicit" else smtplib.SMTP


async def opened(settings: SMTPSettings, way: str) -> smtplib.SMTP:
    """Open a session in one of `WAYS`."""
    if way == "sync":
        return settings.connect_sync()
    if way == "smtplib":
        # LMTP in place of which a class of the package's is taken is meant by its subclasses.
        kind = smtplibs_class(settings)
        return settings.connect_sync(smtp_class=type(f"Own{kind.__name__}", (kind,), {}))
    return (await settings.connect()).__wrapped__


WAYS = ("sync", "async", "smtplib")
"""By `connect_sync`, by `connect`, and by `connect_sync` with what is smtplib's own code."""


def error_of(caught: BaseException | None, kinds: type[Exception] | tuple[type[Exception], ...]) -> str:
    """Check an error's type, and how its advice is shown; return the advice."""
    assert isinstance(caught, kinds), repr(caught)
    # It is what smtplib, ssl and socket raise, and no class of the package's.
    assert type(caught).__module__ in ("smtplib", "ssl", "socket", "builtins")
    advice: str = getattr(caught, "advice", "")
    assert advice.isprintable()  # and so one line
    if sys.version_info >= (3, 11):
        assert getattr(caught, "__notes__", []) == ([advice] if advice else [])
    return advice


def says(advice: str, words: Sequence[str], never: Sequence[str] = ()) -> None:
    """Check that an advice has all these words, and none of those."""
    assert advice
    for word in words:
        assert word in advice, advice
    for word in never:
        assert word not in advice, advice
