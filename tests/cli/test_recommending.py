"""What is made of a check's findings: pure functions, without a server."""

from __future__ import annotations

import smtplib
import ssl
from typing import Any

import pytest

from asyncsmtp_bridge.cli.findings import Encryption, Findings, said
from asyncsmtp_bridge.cli.recommending import candidates, canonical, recommendations
from asyncsmtp_bridge.settings import SMTPSettings

ENCRYPTED = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)


def told(host: str = "mail.example.org", port: int = 587, *, offered: dict[str, str] | None = None, **more: Any) -> str:
    """What is recommended after a check in which all went well."""
    settings = SMTPSettings(host, port, more.pop("tls", "auto"), username=more.pop("username", None))
    found = Findings(settings, offered=offered or {}, works=True, **{"encryption": ENCRYPTED, **more})
    return "\n".join(recommendations(found))


def tried(settings: SMTPSettings, step: Any, error: Exception) -> list[str]:
    return [other.to_url() for other in candidates(settings, step, error, Findings(settings))]


@pytest.mark.parametrize(("host", "size"), [("smtp.office365.com", 3), ("mail.example.org", 8), ("noffice365.com", 8)])
def test_the_executor_is_as_large_as_the_provider_allows(host: str, size: int) -> None:
    assert f"executor_size={size}" in told(host)


def test_speed_follows_from_the_round_trip_and_pipelining() -> None:
    assert "about 10 messages a second" in told(round_trip=0.05, offered={"pipelining": ""})
    assert "about 5 messages a second" in told(round_trip=0.05)


def test_a_connection_that_is_not_encrypted_is_fine_on_this_host_only() -> None:
    assert "Do not send" in told(port=25, encryption=None)
    assert "Use tls='starttls'" in told(port=25, encryption=None, offered={"starttls": ""})
    assert "fine on this host" in told("127.0.0.1", 25, encryption=None)


def test_port_25_is_not_for_submission() -> None:
    assert "25 is for relays" in told(port=25, username="anna")
    assert "25 is for relays" not in told(port=25)


def test_an_address_that_does_not_answer_is_named() -> None:
    assert "2001:db8::1" in told(unreachable=["2001:db8::1"])


def test_a_refused_port_has_the_other_usual_ports_tried() -> None:
    settings = SMTPSettings("mail.example.org", 587)
    assert tried(settings, "TCP", ConnectionRefusedError()) == [
        "smtps://mail.example.org:465",
        "smtp+starttls://mail.example.org:25",
    ]


def test_a_port_of_ones_own_has_no_other_ports_tried() -> None:
    settings = SMTPSettings("mail.example.org", 2525, "implicit")
    assert tried(settings, "TCP", ConnectionRefusedError()) == []
    assert tried(settings, "TLS", ssl.SSLError()) == ["smtp+starttls://mail.example.org:2525"]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("name lookup", OSError()),
        ("TLS", ssl.SSLCertVerificationError()),
        ("greeting", smtplib.SMTPConnectError(421, b"Too many")),
        ("login", smtplib.SMTPAuthenticationError(535, b"No")),
        ("credentials", OSError()),
    ],
)
def test_what_another_mode_cannot_mend_has_none_tried(step: Any, error: Exception) -> None:
    assert tried(SMTPSettings("mail.example.org", 465), step, error) == []


def test_the_url_to_keep_names_the_mode_that_auto_came_to() -> None:
    found = Findings(SMTPSettings("mail.example.org", 25), works=True, encryption=ENCRYPTED)
    kept = canonical(found)
    assert kept is not None
    assert kept.tls == "starttls"
    assert canonical(Findings(SMTPSettings("mail.example.org"))) is None


def test_errors_are_one_line() -> None:
    assert said(smtplib.SMTPResponseException(550, b"5.7.1 No\nand no")) == "550 5.7.1 No / and no"
    assert said(smtplib.SMTPException("two\nlines")) == "two lines"
    assert said(KeyError("x")) == "KeyError: x"
