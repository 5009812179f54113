"""What `check` says of certificates and of failures, at the step where they come up."""

from __future__ import annotations

import base64
import datetime
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from asyncsmtp_bridge.settings import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer, drop, refuse, silence
from tests.servers import ScriptedServer, Talk

from .checked import SECRET, run_check, settings_for

# Certificates.


def test_a_certificate_for_another_name_is_shown_and_its_name_is_proposed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(tls="implicit", certificate_names=["mx.example.net", "mx.example.org"]) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit"))
        assert f"smtps://mx.example.net:{server.port}" in checked.json["recommendations"][0]
    assert checked.status == 1
    assert checked.json["certificate"]["names"] == ["mx.example.net", "mx.example.org"]
    assert "is for mx.example.net and mx.example.org" in checked.advice()
    assert checked.json["would_work"] == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_an_unknown_ca_is_shown_although_it_is_refused(
    tls: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(tls=tls, auth={"anna": SECRET}) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, tls, ca_file=None, username="anna", password=SECRET))
        assert not [command for command in server.commands if command.startswith(("AUTH", "MAIL"))]
    assert checked.status == 1
    assert "certificate refused" in checked.step("TLS")["error"]
    assert checked.json["certificate"]["names"] == ["localhost", "127.0.0.1"]
    assert "trustme" in checked.json["certificate"]["issuer"]


@contextmanager
def serving_a_certificate_until(end: datetime.datetime, tmp_path: Path) -> Iterator[SMTPSettings]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=end).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def talk(connection: Talk) -> None:
        with suppress(OSError), context.wrap_socket(connection.connection, server_side=True) as tls:
            tls.sendall(b"220 Here\r\n")
            while tls.recv(1000):
                tls.sendall(b"250 Yes\r\n")

    with ScriptedServer(talk) as server:
        yield SMTPSettings("127.0.0.1", server.port, "implicit", ca_file=tmp_path / "ca.pem", connect_timeout=5.0)


def test_an_expired_certificate_is_shown_with_its_dates(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    end = datetime.datetime(2020, 2, 3, tzinfo=datetime.timezone.utc)
    with serving_a_certificate_until(end, tmp_path) as settings:
        checked, shown = run_check(capsys, settings), run_check(capsys, settings, json=False)
    assert checked.status == 1
    assert checked.json["certificate"]["not_after"] == "2020-02-03T00:00:00Z"
    assert checked.json["certificate"]["days_left"] < 0
    assert "has expired" in checked.advice()
    assert "2020-02-03, EXPIRED" in shown.stdout


def test_a_certificate_with_few_days_left_is_a_warning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9, hours=1)
    with serving_a_certificate_until(end, tmp_path) as settings:
        checked, shown = run_check(capsys, settings), run_check(capsys, settings, json=False)
    assert checked.status == 0
    assert checked.json["certificate"]["days_left"] == 9
    assert any("good for 9 days only" in text for text in checked.json["recommendations"])
    assert "9 days left: RENEW IT" in shown.stdout


# Failures.


def test_a_refused_login_says_what_came_back_and_hides_what_was_sent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    echoed = base64.b64encode(f"\0anna\0{SECRET}".encode()).decode()
    fault = refuse("AUTH", f"535 5.7.8 No: {echoed} or {SECRET}")
    with SMTPTestServer(tls="implicit", auth={"anna": "other"}, faults=[fault]) as server:
        settings = settings_for(tmp_path, server, "implicit", username="anna", password=SECRET)
        checked, shown = run_check(capsys, settings), run_check(capsys, settings, json=False)
    assert checked.status == 1
    assert checked.step("login")["error"].startswith("535 ")
    assert "check username and password" in checked.advice()
    for text in (checked.stdout, shown.stdout):
        assert SECRET not in text
        assert echoed not in text


def test_a_server_that_repeats_the_password_later_does_not_have_it_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(
        tls="implicit", auth={"anna": SECRET}, faults=[refuse("MAIL", f"550 5.7.1 Not with {SECRET}")]
    ) as server:
        settings = settings_for(tmp_path, server, "implicit", username="anna", password=SECRET)
        checked = run_check(capsys, settings, send_to="bert@example.org", sender="anna@example.org")
    assert checked.step("test mail")["error"] == "550 5.7.1 Not with <hidden>"


def test_a_refused_token_is_asked_for_again_and_both_logins_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tokens = iter(["first-token", "second-token"])
    offered = ["AUTH XOAUTH2"]
    fault = refuse("AUTH", "535 5.7.8 Expired")
    with SMTPTestServer(tls="implicit", extensions=offered, faults=[fault]) as server:
        checked = run_check(
            capsys, settings_for(tmp_path, server, "implicit", username="anna", access_token=lambda: next(tokens))
        )
    logins = [step for step in checked.json["steps"] if step["name"] == "login"]
    assert [step["ok"] for step in logins] == [False, False]


def test_a_password_that_cannot_be_read_is_a_step_of_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def ask() -> str:
        raise FileNotFoundError(2, "No such file or directory", "/run/secrets/mail")

    with SMTPTestServer(tls="implicit", auth={"anna": SECRET}) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit", username="anna", password=ask))
    assert checked.status == 1
    assert "No such file" in checked.step("credentials")["error"]


def test_a_ca_file_that_is_missing_is_a_step_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    checked = run_check(capsys, SMTPSettings("127.0.0.1", 465, ca_file=tmp_path / "none.pem"))
    assert checked.status == 1
    assert "ca_file" in checked.step("trust")["error"]


def test_a_port_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        checked = run_check(capsys, SMTPSettings("127.0.0.1", bound.getsockname()[1], "starttls"))
    assert checked.status == 1
    assert checked.step("TCP")["error"] == "Connection refused"
    assert checked.json["unreachable"] == ["127.0.0.1"]
    assert "nothing listens" in checked.advice()
    assert not [step for step in checked.json["steps"] if step["name"] == "instead"]


def test_a_name_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    checked = run_check(capsys, SMTPSettings("no-such-host.invalid", 587))
    assert checked.status == 1
    assert [step["name"] for step in checked.json["steps"]] == ["name lookup"]
    assert "no-such-host.invalid" in checked.advice()


def test_too_many_connections_bring_no_other_mode(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(max_connections=0) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "none"))
    assert checked.status == 1
    assert checked.step("greeting")["error"].startswith("421 4.7.0")
    assert "smaller executor" in checked.advice()
    assert checked.json["would_work"] == []


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        (drop("greeting"), "greeting"),
        (refuse("EHLO", "421 4.3.2 Shutting down"), "EHLO"),
        (drop("EHLO"), "EHLO"),
        (silence("EHLO"), "EHLO"),
        (drop("TLS"), "TLS"),
        (refuse("STARTTLS", "454 4.7.0 Not now"), "STARTTLS"),
        (drop("AUTH"), "login"),
        (drop("NOOP"), "round trip"),
        (drop("MAIL"), "test mail"),
        (refuse("content", "554 5.7.1 Spam"), "test mail"),
    ],
)
def test_whatever_goes_wrong_is_one_line_at_its_step(
    fault: Any, failed: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}, faults=[fault]) as server:
        settings = settings_for(
            tmp_path, server, "starttls", username="anna", password=SECRET, connect_timeout=2.0, timeout=1.0
        )
        checked = run_check(capsys, settings, send_to="bert@example.org", sender="anna@example.org")
    assert checked.status == 1
    assert checked.stderr == ""
    first = next(step for step in checked.json["steps"] if not step["ok"])
    assert first["name"] == failed
    assert first["error"]
    assert "\n" not in first["error"]


def test_what_a_server_says_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    def talk(connection: Talk) -> None:
        connection.connection.sendall(b"554 \x1b[2J\x9b gone \xff\r\n")

    with ScriptedServer(talk) as server:
        checked = run_check(capsys, SMTPSettings("127.0.0.1", server.port, "none"), json=False)
    assert checked.status == 1
    assert "554" in checked.stdout
    assert checked.stdout.replace("\n", "").isprintable()
