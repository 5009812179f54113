"""The server from a URL or the environment, and a password from everywhere but the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.cli import check as check_module
from asyncsmtp_bridge.cli import settings_given
from asyncsmtp_bridge.testing import SMTPTestServer, close_with_421, refuse, silence
from tests.settings.planted import SECRET, pieces, refused

from .conftest import Ended, Run, WriteMail

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def no_settings_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SMTP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def ten(mail: WriteMail, tmp_path: Path) -> Path:
    for number in range(10):
        mail(f"outbox/{number}.eml")
    return tmp_path / "outbox"


@contextmanager
def submission(tmp_path: Path, **options: Any) -> Iterator[tuple[SMTPTestServer, str]]:
    """A server that wants STARTTLS and a login, and the URL for it."""
    options = {"tls": "starttls", "auth": {"anna": SECRET}, "require_auth": True} | options
    with SMTPTestServer(**options) as server:
        yield server, url_of(server, tmp_path, "smtp+starttls" if options["tls"] == "starttls" else "smtps")


def url_of(server: SMTPTestServer, tmp_path: Path, scheme: str) -> str:
    (tmp_path / "ca.pem").write_bytes(server.ca_pem)
    return f"{scheme}://anna@127.0.0.1:{server.port}?ca_file={tmp_path}/ca.pem"


def logins(server: SMTPTestServer) -> int:
    return sum(command.upper().startswith("AUTH") for command in server.commands)


def shows_no_secret(*texts: str) -> bool:
    return not [piece for piece in pieces() for text in texts if piece in text]


# Where the server comes from.


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_all_connections_to_a_url_are_encrypted_and_logged_in(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    with submission(tmp_path, tls=tls) as (server, url):
        ended = run("send", ten, "--url", url, "--executor-size", 4, "--json")
    assert ended.status == 0, ended
    assert ended.json["server"] == {"host": "127.0.0.1", "port": server.port, "tls": tls}
    assert len(server.messages) == 10
    assert logins(server) == server.connections_total == ended.json["connections"]
    assert shows_no_secret(ended.stdout, ended.stderr)


def test_the_file_of_a_mounted_password_is_read_for_each_connection(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    monkeypatch.setenv("SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    with submission(tmp_path, faults=[close_with_421(after_messages=5)]) as (server, url):
        ended = run("send", ten, "--url", url, "--executor-size", 1)
    assert ended.status == 0, ended
    assert logins(server) == server.connections_total == 2


@pytest.mark.parametrize("has_url", [True, False])
def test_without_a_server_on_the_command_line_it_is_that_of_the_environment(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_url: bool
) -> None:
    with submission(tmp_path) as (server, url):
        said = {"SMTP_URL": url}
        if not has_url:
            said = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_TLS": "starttls"}
            said |= {"SMTP_USER": "anna", "SMTP_CA_FILE": f"{tmp_path}/ca.pem"}
        for name, value in (said | {"SMTP_PASSWORD": SECRET}).items():
            monkeypatch.setenv(name, value)
        ended = run("send", ten)
    assert ended.status == 0, ended
    assert len(server.messages) == 10


def test_a_password_may_be_in_the_url_of_the_environment(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with submission(tmp_path) as (server, url):
        monkeypatch.setenv("SMTP_URL", url.replace("anna@", f"anna:{SECRET.replace('&', '%26')}@"))
        ended = run("send", ten, "--json")
    assert ended.status == 0, ended
    assert len(server.messages) == 10
    assert shows_no_secret(ended.stdout, ended.stderr)


@pytest.mark.parametrize("scheme", ["url", "host"])
def test_the_command_line_is_stronger_than_the_environment(
    run: Run, ten: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://nowhere.invalid")
    with SMTPTestServer() as server:
        url = ("--url", f"smtp://127.0.0.1:{server.port}?tls=none")
        ended = run("send", ten, *(url if scheme == "url" else ("--host", "127.0.0.1", "--port", server.port)))
    assert ended.status == 0, ended
    assert len(server.messages) == 10


def test_the_demo_server_is_stronger_than_the_environment(run: Run, ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://nowhere.invalid")
    assert run("send", ten, "--demo-server").status == 0


def test_a_timeout_of_the_command_line_is_stronger_than_that_of_the_environment(
    run: Run, ten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SMTPTestServer(faults=[silence("greeting")]) as server:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{server.port}?tls=none")
        ended = run("send", ten, "--timeout", "0.2")
    assert ended.status == 1
    assert "did not greet within 0.2 s" in ended.stdout


def test_lmtp_over_a_unix_socket(run: Run, ten: Path, tmp_path: Path) -> None:
    with SMTPTestServer(lmtp=True, unix_socket=tmp_path / "lmtp") as server:
        ended = run("send", ten, "--url", f"lmtp+unix://{tmp_path}/lmtp", "--json")
    assert ended.status == 0, ended
    assert ended.json["server"] == {"host": f"{tmp_path}/lmtp", "port": None, "tls": "none"}
    assert len(server.messages) == 10


def test_a_session_over_lmtp_that_was_closed_while_idle_costs_no_message(run: Run, ten: Path) -> None:
    with SMTPTestServer(lmtp=True, faults=[close_with_421(after_messages=3)]) as server:
        ended = run("send", ten, "--url", f"lmtp://127.0.0.1:{server.port}?tls=none", "--executor-size", 1)
    assert ended.status == 0, ended
    assert len(server.messages) == 10


def test_that_connections_stay_plain_is_said_once(spawn: Spawn, ten: Path) -> None:
    with SMTPTestServer() as server:
        process = spawn("send", ten, "--url", f"smtp://127.0.0.1:{server.port}")
        _, err = process.communicate()
    assert process.returncode == 0
    (line,) = err.splitlines()
    assert "is not encrypted" in line


def test_a_deadline_holds_for_each_message(run: Run, mail: WriteMail) -> None:
    with SMTPTestServer(faults=[silence("content")]) as server:
        url = f"smtp://127.0.0.1:{server.port}?tls=none&deadline=0.5"
        ended = run("send", mail("1.eml"), "--url", url, "--json")
    assert ended.status == 1
    assert ended.statuses() == {"1.eml": "unknown"}


def test_a_deadline_holds_for_opening_a_session(run: Run, mail: WriteMail) -> None:
    with SMTPTestServer(faults=[silence("greeting")]) as server:
        ended = run("send", mail("1.eml"), "--url", f"smtp://127.0.0.1:{server.port}?tls=none&deadline=0.3")
    assert ended.status == 1
    assert f"No connection to 127.0.0.1:{server.port}: no answer in time." in ended.stdout


# What cannot be.


@pytest.mark.parametrize(
    "option",
    [("--host", "localhost"), ("--port", "25"), ("--starttls",), ("--timeout", "5")],
    ids=lambda option: option[0],
)
def test_a_url_and_an_option_that_it_says_are_wrong_usage(run: Run, ten: Path, option: tuple[str, ...]) -> None:
    ended = run("send", ten, "--url", "smtp://localhost", *option)
    assert ended.status == 2
    assert "--url" in ended.stderr
    assert option[0] in ended.stderr


@pytest.mark.parametrize("command", [("send", "x.eml", "--url"), ("check",)], ids=["send", "check"])
@pytest.mark.parametrize(
    "url",
    [
        f"smtp://anna:{SECRET}@mail.example.org",
        f"smtp://anna:{SECRET}@mail.example.org:nonsense",
        f"anna:{SECRET}@mail.example.org",
        f"nonsense://anna:{SECRET}@mail.example.org",
        f"smtp://anna:p@ss/{SECRET}@mail.example.org",
        f"smtp://anna@mail.example.org?password={SECRET}",
        f"smtp://anna@mail.example.org?timeout=5&ACCESS_TOKEN={SECRET}",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_shown(
    run: Run, command: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "another")
    ended = run(*command, url)
    assert ended.status == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert "the shell's history" in line
    assert "list of processes" in line
    assert "$SMTP_PASSWORD" in line
    assert shows_no_secret(line)


def test_no_frame_shows_a_password_on_the_command_line() -> None:
    refused(settings_given.from_url, f"smtp://anna:{SECRET}@mail.example.org")


def test_a_url_in_the_wrong_place_is_not_shown(run: Run, ten: Path) -> None:
    url = f"smtp://anna:{SECRET}@mail.example.org"
    for ended in (
        run("send", url),
        run("send", ten, "--host", url),
        run("check", "smtp://mail.example.org", url),
    ):
        assert ended.status == 2
        assert shows_no_secret(ended.stdout, ended.stderr)


@pytest.mark.parametrize("command", [("send", "x.eml"), ("check",)], ids=["send", "check"])
def test_wrong_settings_are_one_line_and_wrong_usage(
    run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://mail.example.org?timeuot=5")
    ended = run(*command)
    assert ended.status == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("asyncsmtp-bridge: SMTP_URL: timeuot")
    assert "did you mean timeout?" in line


def test_check_without_a_server_says_both_ways_to_name_one(run: Run) -> None:
    ended = run("check")
    assert ended.status == 2
    (line,) = ended.stderr.splitlines()
    assert "smtp+starttls://user@mail.example.org:587" in line
    assert "SMTP_URL, or SMTP_HOST" in line


# A login that fails.


@pytest.mark.parametrize("output", [(), ("--json",)], ids=["lines", "json"])
def test_a_wrong_password_is_tried_by_one_connection_and_sends_nothing(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    with submission(tmp_path, auth={"anna": "another"}) as (server, url):
        ended = run("send", ten, "--url", url, *output)
    assert ended.status == 1
    assert server.connections_total == 1
    assert server.messages == []
    assert "it refused the login: 535 " in ended.stdout
    assert "check username and password" in ended.stdout
    assert shows_no_secret(ended.stdout, ended.stderr)


def test_a_login_that_is_refused_for_now_is_left_to_the_next_connection(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    fault = refuse("AUTH", "454 4.7.0 Temporary authentication failure", times=1)
    with submission(tmp_path, faults=[fault]) as (server, url):
        ended = run("send", ten, "--url", url, "--executor-size", 3)
    assert ended.status == 0, ended
    assert len(server.messages) == 10


def test_a_certificate_that_is_not_trusted_ends_it_with_advice(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    with submission(tmp_path, certificate_names=["mx.example.org"]) as (server, url):
        ended = run("send", ten, "--url", url)
    assert ended.status == 1
    assert "its certificate is not trusted" in ended.stdout
    assert "is for mx.example.org, not for '127.0.0.1'" in ended.stdout
    assert logins(server) == 0


def test_a_password_file_that_is_not_there_is_named(
    run: Run, ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD_FILE", f"{tmp_path}/missing")
    with submission(tmp_path) as (server, url):
        ended = run("send", ten, "--url", url)
    assert ended.status == 1
    assert f"{tmp_path}/missing: No such file or directory" in ended.stdout
    assert server.connections_total == 0


# A password that is asked for.


def test_without_a_password_and_a_terminal_the_variables_are_named(spawn: Spawn, ten: Path) -> None:
    process = spawn("send", ten, "--url", "smtp://anna@mail.example.org", stdin=subprocess.DEVNULL)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    (line,) = err.splitlines()
    assert "set SMTP_PASSWORD, or SMTP_PASSWORD_FILE" in line


class Typist:
    """A terminal, and who sits there."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self.screen = ""

    def wait_for(self, text: str) -> None:
        while text not in self.screen:
            self.screen += os.read(self._ours, 1000).decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def leave(self) -> None:
        os.close(self.theirs)
        os.close(self._ours)


@pytest.fixture
def typist() -> Iterator[Typist]:
    typist = Typist()
    yield typist
    typist.leave()


def at_terminal(spawn: Spawn, typist: Typist, *arguments: object) -> subprocess.Popen[str]:
    """Start a command, in a session of its own, so that there is no other terminal than the one it is given."""
    process = spawn(*arguments, stdin=typist.theirs, stderr=typist.theirs, start_new_session=True)
    typist.wait_for("Password of anna at ")
    return process


def test_a_password_is_asked_for_once_and_does_not_show(
    spawn: Spawn, typist: Typist, ten: Path, tmp_path: Path
) -> None:
    with submission(tmp_path) as (server, url):
        process = at_terminal(spawn, typist, "send", ten, "--url", url, "--json")
        typist.type(f"{SECRET}\n")
        out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["totals"]["files"]["accepted"] == 10
    assert logins(server) == server.connections_total
    assert typist.screen.count("Password of") == 1
    assert shows_no_secret(out, typist.screen)


@pytest.mark.parametrize("command", ["send", "check"])
def test_ctrl_c_at_the_prompt_ends_it(spawn: Spawn, typist: Typist, ten: Path, command: str) -> None:
    url = "smtp://anna@mail.example.org"
    process = at_terminal(spawn, typist, *(("send", ten, "--url", url) if command == "send" else ("check", url)))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in typist.screen


def test_no_answer_at_the_prompt_is_no_password(spawn: Spawn, typist: Typist, ten: Path) -> None:
    process = at_terminal(spawn, typist, "send", ten, "--url", "smtp://anna@mail.example.org")
    typist.type("\x04")
    process.communicate()
    typist.wait_for("set SMTP_PASSWORD")
    assert process.returncode == 2


# What the command `check` is given.


@pytest.fixture
def checked(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Ended, Any]]:
    """Run `check`, and return what it was called with."""

    def run_check(*arguments: str) -> tuple[Ended, Any]:
        calls = []

        def take(settings: SMTPSettings, **options: Any) -> int:
            calls.append((settings, options))
            return 1

        monkeypatch.setattr(check_module, "check", take)
        ended = run("check", *arguments)
        (call,) = calls
        return ended, call

    return run_check


def test_check_has_the_url_and_the_password_of_the_environment(
    checked: Callable[..., tuple[Ended, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    monkeypatch.setenv("SMTP_HOST", "another.example.org")
    ended, (settings, options) = checked("smtps://anna@mail.example.org", "--send-to", "Bert <bert@example.org>")
    assert ended.status == 1
    assert settings == SMTPSettings("mail.example.org", tls="implicit", username="anna", password=SECRET)
    assert options == {"send_to": "bert@example.org", "from_addr": None, "json": False}


def test_check_without_a_url_has_the_environment(
    checked: Callable[..., tuple[Ended, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "mail.example.org")
    _, (settings, options) = checked("--json", "--send-to", "b@example.org", "--from", "<>")
    assert settings == SMTPSettings("mail.example.org")
    assert options == {"send_to": "b@example.org", "from_addr": "", "json": True}


def test_a_password_without_a_user_in_the_url_is_not_for_it(
    checked: Callable[..., tuple[Ended, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    _, (settings, _) = checked("smtp://mail.example.org")
    assert settings == SMTPSettings("mail.example.org")
