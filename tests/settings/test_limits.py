"""How long opening a session may take."""

from __future__ import annotations

import smtplib
import time

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer, delay, drip, hold


def test_a_server_that_drips_its_greeting_has_greeted_in_time_or_not_at_all() -> None:
    with SMTPTestServer(faults=[drip("greeting", interval=0.2)]) as server:
        settings = SMTPSettings("localhost", server.port, "none", connect_timeout=2)
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            settings.connect_sync()
        assert "did not greet within 2 s" in caught.value.advice  # type: ignore[attr-defined]


def test_the_deadline_is_one_for_all_steps() -> None:
    with SMTPTestServer(
        auth={"anna": "wonderland"}, faults=[delay("EHLO", seconds=2), delay("AUTH", seconds=2)]
    ) as server:
        settings = SMTPSettings(
            "localhost", server.port, "none", "anna", "wonderland", cleartext_login=True, deadline=3, timeout=30
        )
        with pytest.raises(smtplib.SMTPServerDisconnected, match="deadline of 3 s") as caught:
            settings.connect_sync()
        assert "the login in time: deadline=3 " in caught.value.advice  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mode", "said"),
    [("starttls", "the TLS handshake in time: deadline=2 "), ("implicit", "did not answer TLS within 2 s")],
)
def test_a_handshake_that_hangs_is_told_from_a_port_that_is_blocked(mode: str, said: str) -> None:
    with SMTPTestServer(tls=mode, faults=[hold("TLS")]) as server:
        settings = SMTPSettings("localhost", server.port, mode, deadline=2)
        with pytest.raises(OSError, match=r"over|handshake") as caught:
            settings.connect_sync()
        assert said in caught.value.advice  # type: ignore[attr-defined]


def test_a_session_has_its_whole_timeout_when_it_is_open() -> None:
    with SMTPTestServer() as server:
        settings = SMTPSettings("localhost", server.port, "none", connect_timeout=5, timeout=20, deadline=10)
        with settings.connect_sync() as session:
            assert session.sock is not None
            assert (session.timeout, session.sock.gettimeout()) == (20, 20)
            began = time.monotonic()
            assert session.noop()[0] == 250
            assert time.monotonic() - began < 10
            assert session.sock.gettimeout() == 20
