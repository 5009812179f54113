"""A secret in the environment of `check` and `send` is in nothing that they write, as text or as JSON."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncsmtp_bridge.testing.certificates import issue
from tests.hop.process import ROOT
from tests.wire.talking import Answer, Post, hang_up

from .logins import ca_file
from .planted import SECRET, found_in

QUOTED = urllib.parse.quote(SECRET, safe="")
ANSWERS: dict[str, dict[str, Answer]] = {
    "good": {"AUTH": "235 welcome"},
    "refused": {"AUTH": "535 5.7.8 no"},
    "hung up": {"AUTH": hang_up},
    "no login": {"EHLO": "250 mail.example.org"},
    "repeated": dict.fromkeys(
        ("AUTH", "AUTH PLAIN"),
        f"500 5.5.1 what is AUTH PLAIN {base64.b64encode(f'{chr(0)}anna{chr(0)}{SECRET}'.encode()).decode()}",
    ),
    "a message is refused": {"AUTH": "235 welcome", "MAIL": "550 5.7.1 no"},
}

Environment = Callable[[int, Path, str], dict[str, str]]


def _by_variables(port: int, _: Path, ca: str) -> dict[str, str]:
    return _without_secret(port, ca) | {"SMTP_PASSWORD": SECRET}


def _by_token(port: int, _: Path, ca: str) -> dict[str, str]:
    return _without_secret(port, ca) | {"SMTP_ACCESS_TOKEN": SECRET}


def _by_file(port: int, folder: Path, ca: str) -> dict[str, str]:
    (folder / "password").write_text(f"{SECRET}\n")
    return _without_secret(port, ca) | {"SMTP_PASSWORD_FILE": str(folder / "password")}


def _by_url(port: int, _: Path, ca: str) -> dict[str, str]:
    return {"SMTP_URL": f"smtps://anna:{QUOTED}@localhost:{port}?ca_file={ca}&timeout=10"}


def _without_secret(port: int, ca: str) -> dict[str, str]:
    return {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(port),
        "SMTP_TLS": "implicit",
        "SMTP_USERNAME": "anna",
        "SMTP_CA_FILE": ca,
        "SMTP_TIMEOUT": "10",
    }


WAYS: dict[str, Environment] = {
    "password": _by_variables,
    "token": _by_token,
    "file": _by_file,
    "URL": _by_url,
}


def ended(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command, in an environment that has nothing else about mail."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SMTP_")}
    return subprocess.run(
        [sys.executable, "-X", "dev", "-m", "asyncsmtp_bridge", *arguments],
        env=others | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
        check=False,
    )


def must_show_nothing(process: subprocess.CompletedProcess[str], *statuses: int) -> None:
    shown = process.stdout + process.stderr
    assert process.returncode in statuses, shown
    assert "Traceback" not in shown
    assert not found_in(shown)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "JSON"])
@pytest.mark.parametrize(
    ("way", "answers"),
    [*((way, "refused") for way in WAYS), *(("password", answers) for answers in ANSWERS if answers != "refused")],
)
def test_check_does_not_show_it(way: str, answers: str, options: tuple[str, ...], tmp_path: Path) -> None:
    with Post("AUTH XOAUTH2 PLAIN LOGIN", answers=ANSWERS[answers], is_encrypted=True) as server:
        process = ended(
            WAYS[way](server.port, tmp_path, ca_file()),
            "check",
            *("--send-to", "bert@example.org", "--from", "anna@example.org", *options),
        )
        logins = [command for command in server.commands if command.startswith("AUTH")]
    assert bool(found_in(" ".join(logins))) is (answers != "no login")
    must_show_nothing(process, 0 if answers == "good" else 1)
    if options:
        assert json.loads(process.stdout)["works"] is (answers == "good")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "JSON"])
@pytest.mark.parametrize("answers", ANSWERS)
def test_send_does_not_show_it(answers: str, options: tuple[str, ...], tmp_path: Path) -> None:
    message = tmp_path / "message.eml"
    message.write_text("From: anna@example.org\nTo: bert@example.org\nSubject: x\n\nx\n")
    with Post("AUTH XOAUTH2 PLAIN LOGIN", answers=ANSWERS[answers], is_encrypted=True) as server:
        process = ended(WAYS["URL"](server.port, tmp_path, ca_file()), "send", str(message), *options)
    must_show_nothing(process, 0 if answers == "good" else 1)


@pytest.mark.parametrize("command", ["check", "send"])
def test_a_certificate_that_is_refused_does_not_show_it(command: str, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(issue(["localhost"]).ca_pem)
    message = tmp_path / "message.eml"
    message.write_text("From: anna@example.org\nTo: bert@example.org\n\nx\n")
    with Post("AUTH PLAIN", is_encrypted=True) as server:
        environment = _by_variables(server.port, tmp_path, str(other))
        must_show_nothing(ended(environment, command, *([str(message)] if command == "send" else [])), 1)


@pytest.mark.parametrize(
    "environment",
    [
        {"SMTP_URL": f"smtp://anna:{SECRET}/@mail.example.org"},
        {"SMTP_URL": f"smtpx://anna:{SECRET}@mail.example.org"},
        {"SMTP_HOST": f"smtp://anna:{SECRET}@mail.example.org"},
        {"SMTP_HOST": "mail.example.org", "SMTP_USERNAME": f"smtp://anna:{SECRET}@mail.example.org"},
        {"SMTP_HOST": "mail.example.org", "SMTP_USERNAME": "anna", "SMTP_PASSWORD": f"{SECRET}\n"},
        {"SMTP_HOST": "mail.example.org", "SMTP_PASSWORD": SECRET},
    ],
)
def test_what_is_refused_does_not_show_it(environment: dict[str, str]) -> None:
    must_show_nothing(ended(environment, "check"), 2)


@pytest.mark.parametrize("arguments", [("check",), ("check", "--json"), ("send", "message.eml", "--url")])
def test_a_url_with_a_password_on_the_command_line_is_refused_and_not_shown(arguments: tuple[str, ...]) -> None:
    must_show_nothing(ended({}, *arguments, f"smtps://anna:{QUOTED}@mail.example.org"), 2)
