"""Which certificates are trusted stays as it was said, whatever happens to the contexts."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path

import pytest

from asyncsmtp_bridge import SMTPSettings, configure
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.testing import SMTPTestServer

OTHER = ["other.example.org"]


@dataclasses.dataclass
class Vault:
    """Not hashable, as classes of data are."""

    password: str

    def __call__(self) -> str:
        return self.password


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_a_look_at_a_wrong_name_does_not_weaken_the_context_of_the_process(mode: str) -> None:
    with SMTPTestServer(tls=mode, certificate_names=OTHER) as server:
        shared = ssl.create_default_context(cadata=server.ca_pem.decode())
        configure(tls_context=lambda: shared)
        settings = SMTPSettings("localhost", server.port, mode)
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                settings.connect_sync()
            assert "is for other.example.org" in caught.value.advice  # type: ignore[attr-defined]
        assert shared.check_hostname


@pytest.mark.parametrize("field", ["minimum_tls_version", "client_certificate"])
def test_the_context_of_the_process_is_not_changed_for_one_connection(field: str, tmp_path: Path) -> None:
    shared = ssl.create_default_context()
    configure(tls_context=lambda: shared)
    value = "1.3" if field == "minimum_tls_version" else str(tmp_path / "client.pem")
    settings = dataclasses.replace(SMTPSettings("localhost", tls="starttls"), **{field: value})
    with pytest.raises(InvalidSettings, match=rf"^{field}: configure\(tls_context=\.\.\.\) makes the context"):
        settings.connect_sync()
    assert shared.minimum_version is not ssl.TLSVersion.TLSv1_3


def test_a_context_that_somebody_weakened_is_not_used_again(tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit") as server:
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        settings = SMTPSettings("localhost", server.port, "implicit", ca_file=tmp_path / "ca.pem")
        with settings.connect_sync() as session:
            context = session.sock.context  # type: ignore[union-attr]
            context.check_hostname = False
        with settings.connect_sync() as session:
            assert session.sock.context is not context  # type: ignore[union-attr]
            assert session.sock.context.check_hostname  # type: ignore[union-attr]


def test_sessions_share_a_context_whoever_logs_in(tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": "wonderland"}) as server:
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        contexts = []
        for _ in range(2):
            settings = SMTPSettings(
                "localhost", server.port, "starttls", "anna", Vault("wonderland"), ca_file=tmp_path / "ca.pem"
            )
            with settings.connect_sync() as session:
                contexts.append(session.sock.context)  # type: ignore[union-attr]
        assert contexts[0] is contexts[1]


def test_a_file_that_is_missing_is_said_before_there_is_a_connection(tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls") as server:
        settings = SMTPSettings("localhost", server.port, "starttls", ca_file=tmp_path / "ca.pem")
        with pytest.raises(InvalidSettings, match=r"^ca_file: .* No such file"):
            settings.connect_sync()
        assert server.connections_total == 0
