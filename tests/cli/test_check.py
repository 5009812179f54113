"""`check` takes settings apart step by step: what works, and which other mode would."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from asyncsmtp_bridge.settings import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer, hold, refuse

from .checked import SECRET, run_check, settings_for

# What works.


def test_settings_that_work_are_taken_apart_step_by_step(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}, extensions=["PIPELINING"]) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "starttls", username="anna", password=SECRET))
    assert checked.status == 0
    assert checked.stderr == ""
    names = [step["name"] for step in checked.json["steps"]]
    assert names == ["name lookup", "TCP", "greeting", "EHLO", "STARTTLS", "TLS", "EHLO", "login", "round trip"]
    assert all(step["ok"] and step["seconds"] >= 0 for step in checked.json["steps"])
    assert checked.step("greeting")["detail"].startswith("220 ")
    assert checked.json["addresses"] == ["127.0.0.1"]
    assert checked.json["tls"]["version"] == "TLSv1.3"
    assert checked.json["auth"] == {"mechanisms": ["LOGIN", "PLAIN"], "logged_in": True}


def test_implicit_tls_comes_before_the_greeting(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit") as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit"))
    assert checked.status == 0
    assert [step["name"] for step in checked.json["steps"]][1:5] == ["TCP", "TLS", "greeting", "EHLO"]


def test_each_capability_says_what_it_is_good_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    extensions = ["PIPELINING", "CHUNKING", "LIMITS RCPTMAX=100", "X-OWN with parameters"]
    with SMTPTestServer(extensions=extensions, size_limit=35_000_000) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "none"))
    purposes = {each["name"]: each["purpose"] for each in checked.json["capabilities"]}
    assert "35 MB" in purposes["SIZE"]
    assert "2 round trips" in purposes["PIPELINING"]
    assert "not used here" in purposes["CHUNKING"]
    assert "RCPTMAX=100" in purposes["LIMITS"]
    assert purposes["X-OWN"] == "not used here"


def test_the_url_to_keep_says_the_mode_that_works_and_no_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "auto", username="anna", password=SECRET))
        assert checked.json["url"].startswith(f"smtp+starttls://anna@127.0.0.1:{server.port}?")
        kept = SMTPSettings.from_url(checked.json["url"])
        assert run_check(capsys, replace(kept, password=SECRET)).status == 0
    assert any("Use tls='starttls'" in text for text in checked.json["recommendations"])


def test_a_unix_socket_has_no_addresses_and_no_tls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(lmtp=True, unix_socket=tmp_path / "lmtp") as server:
        checked = run_check(capsys, SMTPSettings(unix_socket=server.host))
    assert checked.status == 0
    assert checked.json["addresses"] == []
    assert checked.step("TCP")["detail"] == server.host


def test_a_server_that_knows_only_helo_works(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(faults=[refuse("EHLO", "502 5.5.1 What?")]) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "none"))
    assert checked.status == 0
    assert "HELO" in checked.step("EHLO")["detail"]


def test_lines_are_for_people_and_plain_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with SMTPTestServer(tls="starttls", extensions=["PIPELINING"]) as server:
        settings = settings_for(tmp_path, server, "starttls")
        checked = run_check(capsys, settings, json=False)
    lines = checked.stdout.splitlines()
    assert lines[0] == f"Checking {settings.to_url()}"
    assert "ok     greeting " in checked.stdout
    assert "PIPELINING  a message takes 2 round trips" in checked.stdout
    assert "These settings work." in lines
    assert lines[-1].strip() == settings.to_url()
    assert "\x1b" not in checked.stdout


# The test mail.


def test_a_test_mail_arrives_with_a_date_and_an_id(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", auth={"anna@example.org": SECRET}) as server:
        settings = settings_for(tmp_path, server, "implicit", username="anna@example.org", password=SECRET)
        checked = run_check(capsys, settings, send_to="bert@example.org")
        (received,) = server.wait_for_message()
    assert checked.status == 0
    assert received.message["From"] == "anna@example.org"
    assert received.message["To"] == "bert@example.org"
    assert received.message["Date"]
    assert received.message["Message-ID"] in checked.step("test mail")["detail"]


def test_a_recipient_that_is_refused_is_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown user")]) as server:
        checked = run_check(
            capsys, settings_for(tmp_path, server, "none"), send_to="bert@example.org", sender="anna@example.org"
        )
    assert checked.status == 1
    assert checked.step("test mail")["error"] == "bert@example.org: 550 5.1.1 Unknown user"
    assert checked.step("test mail")["advice"]


@pytest.mark.parametrize("username", [None, "anna"])
def test_a_test_mail_without_a_sender_is_wrong_usage(username: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.BadParameter, match="--from"):
        run_check(capsys, SMTPSettings("127.0.0.1", username=username), send_to="bert@example.org")


def test_a_test_mail_may_have_no_return_path(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer() as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "none"), send_to="bert@example.org", sender="")
        (received,) = server.wait_for_message()
    assert checked.status == 0
    assert received.message["From"] == "bert@example.org"


def test_a_recipient_that_is_no_address_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("bert", "bert@example.org\r\nRCPT TO:<eve@example.org>", ""):
        with pytest.raises(typer.BadParameter):
            run_check(capsys, SMTPSettings("127.0.0.1"), send_to=address, sender="anna@example.org")


# The wrong mode.


def test_tls_spoken_to_a_plain_port_finds_starttls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls") as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit"))
        (would_work,) = checked.json["would_work"]
        assert would_work.startswith(f"smtp+starttls://127.0.0.1:{server.port}")
    assert checked.status == 1
    assert not checked.step("TLS")["ok"]
    assert "does not speak TLS from the first byte" in checked.advice()
    assert checked.json["url"] == would_work


def test_clear_text_spoken_to_a_tls_port_finds_implicit_tls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit") as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "starttls", connect_timeout=1.0))
        (would_work,) = checked.json["would_work"]
        assert would_work.startswith(f"smtps://127.0.0.1:{server.port}")
    assert checked.status == 1
    assert "tls='implicit'" in checked.advice()


def test_a_server_without_any_tls_is_found_as_the_last_resort(capsys: pytest.CaptureFixture[str]) -> None:
    with SMTPTestServer() as server:
        checked = run_check(capsys, SMTPSettings(server.host, server.port, "implicit", connect_timeout=5.0))
        assert checked.json["would_work"] == [f"smtp://127.0.0.1:{server.port}?tls=none&connect_timeout=5"]
    assert [step["ok"] for step in checked.json["steps"] if step["name"] == "instead"] == [False, True]


def test_other_modes_are_tried_without_a_login(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}) as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit", username="anna", password=SECRET))
        assert not [command for command in server.commands if command.startswith("AUTH")]
    assert checked.json["would_work"]
    assert "the login was not tried" in checked.json["recommendations"][0]


def test_a_mode_in_which_nobody_can_log_in_would_not_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls") as server:
        checked = run_check(capsys, settings_for(tmp_path, server, "implicit", username="anna", password=SECRET))
    assert checked.json["would_work"] == []
    assert "takes no logins" in checked.json["steps"][3]["detail"]


def test_a_login_that_wants_tls_finds_starttls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}) as server:
        trusted = str(settings_for(tmp_path, server, "starttls").ca_file)
        settings = SMTPSettings(server.host, server.port, "none", username="anna", password=SECRET)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", trusted)
            patch.setattr("asyncsmtp_bridge.tls._verified", None)
            checked = run_check(capsys, settings)
        assert checked.json["would_work"] == [f"smtp+starttls://anna@127.0.0.1:{server.port}"]
    assert checked.status == 1


# As a command.


def test_the_command_reads_the_environment_and_writes_one_document(spawn: Any, tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": SECRET}) as server:
        settings = settings_for(tmp_path, server, "starttls", username="anna")
        environment = {**os.environ, "SMTP_URL": settings.to_url(), "SMTP_PASSWORD": SECRET}
        process = spawn("check", "--json", env=environment)
        stdout, stderr = process.communicate(timeout=50)
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["auth"]["logged_in"]
    assert SECRET not in stdout + stderr


def test_ctrl_c_ends_it_with_what_is_known_so_far(spawn: Any) -> None:
    with SMTPTestServer(faults=[hold("EHLO")]) as server:
        process = spawn("check", "--json", f"smtp://127.0.0.1:{server.port}?tls=none")
        server.held("EHLO").wait(30)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=50)
    assert process.returncode == 130
    assert stderr == ""
    document = json.loads(stdout)
    assert document["interrupted"]
    assert document["steps"][-1]["name"] == "greeting"
