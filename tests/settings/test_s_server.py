"""TLS of kinds that Python's own servers are seldom set to: OpenSSL's ``s_server`` says what is wrong as C code does.

It speaks TLS only, and what it is fed goes to the client when that has shaken hands: so a greeting is fed to it.
"""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings

from .servers import HOST, Authority, error_of, says

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="there is no openssl here")

Disconnected = smtplib.SMTPServerDisconnected
SHORT = 2


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    path = authority.file.with_name("server.pem")
    authority.ca.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@contextmanager
def s_server(certificate: Path, *options: str) -> Iterator[int]:
    """Run it; it prints where it listens, and then greets whoever has shaken hands."""
    assert OPENSSL is not None
    command = [OPENSSL, "s_server", "-accept", f"{HOST}:0", "-cert", str(certificate), "-key", str(certificate)]
    process = subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    reading: threading.Thread | None = None
    try:
        port = _port_of(process.stdout)
        process.stdin.write(b"220 mail.example.org ESMTP\r\n")
        # It blocks when nobody takes what it prints.
        reading = threading.Thread(target=process.stdout.read, daemon=True)
        reading.start()
        yield port
    finally:
        process.kill()
        process.wait()
        if reading is not None:
            reading.join()
        process.stdin.close()
        process.stdout.close()


def _port_of(output: Any) -> int:
    said = b""
    for line in iter(output.readline, b""):
        said += line
        if line.startswith(b"ACCEPT"):
            port = line.split()[-1].rpartition(b":")[2]
            if port.isdigit():
                return int(port)
    pytest.skip(f"this openssl does not say where it listens: {said!r}")


def failure(port: int, authority: Authority, **fields: Any) -> BaseException:
    settings = SMTPSettings(
        **{"host": HOST, "port": port, "tls": "implicit", "ca_file": authority.file, "timeout": SHORT} | fields
    )
    with pytest.raises((OSError, smtplib.SMTPException)) as caught:
        settings.connect_sync()
    return caught.value


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_handshake_and_the_greeting_are_done_and_ehlo_is_not_answered(
    certificate: Path, authority: Authority, version: str
) -> None:
    with s_server(certificate, version) as port:
        error = failure(port, authority)
    says(error_of(error, Disconnected), ["did not answer EHLO in time", "timeout=2"])


def test_a_server_of_tls_1_2_alone(certificate: Path, authority: Authority) -> None:
    with s_server(certificate, "-tls1_2") as port:
        error = failure(port, authority, minimum_tls_version="1.3")
    says(error_of(error, ssl.SSLError), ["no version of TLS that both sides allow", "minimum_tls_version (1.3)"])


def test_a_server_of_tls_1_0_alone(certificate: Path, authority: Authority) -> None:
    with s_server(certificate, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0") as port:
        error = failure(port, authority)
    says(error_of(error, ssl.SSLError), ["no version of TLS that both sides allow", "minimum_tls_version"])


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_server_that_wants_the_clients_certificate(certificate: Path, authority: Authority, version: str) -> None:
    with s_server(certificate, version, "-Verify", "1", "-CAfile", str(authority.file)) as port:
        error = failure(port, authority)
    says(error_of(error, (ssl.SSLError, Disconnected)), ["client_certificate"])


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_server_that_does_not_know_who_issued_the_clients_certificate(
    certificate: Path, authority: Authority, tmp_path: Path, version: str
) -> None:
    shown, key = Authority(tmp_path).client_files(tmp_path)
    demands = ("-Verify", "1", "-verify_return_error", "-CAfile", str(authority.file))
    with s_server(certificate, version, *demands) as port:
        error = failure(port, authority, client_certificate=shown, client_key=key)
    says(error_of(error, (ssl.SSLError, Disconnected)), ["client_certificate", "who issued it"])


def test_a_server_without_a_cipher_in_common(certificate: Path, authority: Authority) -> None:
    with s_server(certificate, "-tls1_2", "-cipher", "NULL:@SECLEVEL=0") as port:
        error = failure(port, authority)
    says(error_of(error, ssl.SSLError), ["no cipher that both sides allow"])


def test_what_waits_for_tls_is_told_by_its_silence(certificate: Path) -> None:
    with s_server(certificate) as port, pytest.raises(Disconnected) as caught:
        SMTPSettings(HOST, port, "starttls", connect_timeout=SHORT).connect_sync()
    says(error_of(caught.value, Disconnected), ["waits for TLS", "tls='implicit'"])


def test_a_server_that_does_not_speak_tls_in_its_reply_to_it() -> None:
    """As a firewall in between does: it ends what it does not know."""
    with socket.create_server((HOST, 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28")  # an alert: handshake_failure

        refusing = threading.Thread(target=refuse)
        refusing.start()
        with pytest.raises(ssl.SSLError) as caught:
            SMTPSettings(HOST, listener.getsockname()[1], "implicit").connect_sync()
        refusing.join()
    says(error_of(caught.value, ssl.SSLError), ["refused the TLS handshake", "client_certificate"])
