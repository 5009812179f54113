"""Classes of an organisation that are not quite like smtplib's."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.face import NotMade
from asyncsmtp_bridge.testing import SMTPTestServer


class Swallowing(smtplib.SMTP):
    def starttls(self, **_: Any) -> Any:
        try:
            return super().starttls(**_)
        except smtplib.SMTPException:
            return 454, b""


class Silent(smtplib.SMTP):
    def connect(self, *args: Any, **kwargs: Any) -> Any:
        super().connect(*args, **kwargs)


class NeedsMore(smtplib.SMTP):
    def __init__(self, app: str) -> None:
        super().__init__(local_hostname=app)


class Old(smtplib.SMTP):
    def starttls(self, keyfile: Any = None, certfile: Any = None) -> Any:  # type: ignore[override]
        raise AssertionError


def test_a_class_that_swallows_a_refused_starttls_does_not_go_on_in_clear_text() -> None:
    with SMTPTestServer() as server:
        settings = SMTPSettings("localhost", server.port, "starttls")
        with pytest.raises(smtplib.SMTPException, match="Swallowing has not encrypted the connection"):
            settings.connect_sync(smtp_class=Swallowing)
        server.connected(0).wait()


def test_a_connect_that_returns_nothing_is_one() -> None:
    with SMTPTestServer() as server:
        session = SMTPSettings("localhost", server.port, "none").connect_sync(smtp_class=Silent)
        assert session.quit()[0] == 221


def test_a_class_that_encrypts_by_itself_is_not_encrypted_again(tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls") as server:
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)

        class Eager(smtplib.SMTP):
            def connect(self, *args: Any, **kwargs: Any) -> Any:
                reply = super().connect(*args, **kwargs)
                self._host = "localhost"
                self.starttls(context=server.client_context)
                return reply

        settings = SMTPSettings("localhost", server.port, "starttls", ca_file=tmp_path / "ca.pem")
        with settings.connect_sync(smtp_class=Eager) as session:
            assert session.noop()[0] == 250
        assert server.commands.count("STARTTLS") == 1


@pytest.mark.parametrize(
    ("smtp_class", "said"),
    [(NeedsMore, r"missing a required argument: 'app'.*smtp_class=lambda"), (Old, r"takes no context=")],
)
def test_a_class_that_cannot_be_used_says_why(smtp_class: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        SMTPSettings("localhost", 1, "starttls").connect_sync(smtp_class=smtp_class)


async def test_a_session_that_was_never_awaited_says_so() -> None:
    with SMTPTestServer() as server:
        session = SMTPSettings("localhost", server.port, "none").connect()
        with pytest.raises(NotMade):
            await session.noop()
        assert server.connections_total == 0


def test_nobody_can_listen_at_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with SMTPTestServer(lmtp=True, unix_socket=path, auth={"anna": "wonderland"}):
        settings = SMTPSettings(unix_socket=path, username="anna", password="wonderland")
        with settings.connect_sync() as session:
            assert session.noop()[0] == 250


def test_a_source_address_that_cannot_be_is_told_of() -> None:
    with SMTPTestServer() as server:
        settings = SMTPSettings("127.0.0.1", server.port, "none", source_address="192.0.2.1")
        with pytest.raises(OSError, match="assign requested address") as caught:
            settings.connect_sync()
        assert "check source_address" in caught.value.advice  # type: ignore[attr-defined]


def test_variables_that_were_meant_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    SMTPSettings.from_env(environ={"SMTP_HOST": "mail.example.org", "SMTP_USE_TLS": "1", "SMTP_PASWORD": "secret"})
    assert "SMTP_PASWORD (did you mean SMTP_PASSWORD?), SMTP_USE_TLS (did you mean SMTP_TLS?)" in caplog.text
