"""A server that cannot be reached is said once, with what to check."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest
import trustme

from tests.servers import ScriptedServer, Talk, smtp_server

from .conftest import Run, WriteMail
from .test_failures import begin, envelope, finish


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and which nobody else gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def fifty(mail: WriteMail, tmp_path: Path) -> Path:
    for number in range(50):
        mail(f"{number:02}.eml")
    return tmp_path


def test_a_refused_connection_is_said_once_and_fast(send: Run, closed_port: int, fifty: Path) -> None:
    begun = time.monotonic()
    ended = send(closed_port, fifty)
    assert time.monotonic() - begun < 5
    assert ended.status == 1
    assert ended.stderr == ""
    assert ended.stdout.count(f"No connection to 127.0.0.1:{closed_port}: connection refused") == 1
    assert "check host and port" in ended.stdout
    assert "not sent     50" in ended.stdout
    assert len(ended.stdout.splitlines()) == 4


def test_machines_are_told_too(send: Run, closed_port: int, fifty: Path) -> None:
    ended = send(closed_port, fifty, "--json")
    assert ended.status == 1
    assert ended.json["error"]["reason"].startswith("connection refused")
    assert ended.json["totals"]["files"]["not_sent"] == 50
    assert set(ended.statuses().values()) == {"not_sent"}


def test_a_name_that_does_not_exist(run: Run, mail: WriteMail) -> None:
    ended = run("send", "--host", "no-such-host.invalid", mail("x.eml"))
    assert ended.status == 1
    assert "the name 'no-such-host.invalid' cannot be resolved" in ended.stdout
    assert "check host" in ended.stdout


def test_a_name_that_cannot_be_one(run: Run, mail: WriteMail) -> None:
    ended = run("send", "--host", "a..b", mail("x.eml"))
    assert ended.status == 2
    assert ended.stderr == "asyncsmtp-bridge: host: 'a..b' is not the name or the IP address of a host\n"


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        ("554 5.7.1 not for you", "it refused the session: 554 5.7.1 not for you"),
        ("HTTP/1.1 400 Bad Request", "it does not speak SMTP"),
        ("", "it closed the connection before the session began"),
        (None, "did not greet within 0.3 s"),
    ],
)
def test_a_server_that_does_not_begin_a_session(send: Run, mail: WriteMail, greeting: str | None, reason: str) -> None:
    def script(talk: Talk) -> None:
        if greeting is None:
            talk.wait_for_the_end()
        elif greeting:
            talk.say(greeting)

    with ScriptedServer(script) as server:
        ended = send(server.port, mail("1.eml"), mail("2.eml"), "--timeout", 0.3)
    assert ended.status == 1
    assert reason in ended.stdout
    assert "not sent      2" in ended.stdout


def test_a_refused_ehlo_is_no_failure_of_each_file(send: Run, mail: WriteMail) -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("EHLO")
        talk.say("550 no")
        talk.expect("HELO")
        talk.say("550 still no")
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        ended = send(server.port, mail("1.eml"), mail("2.eml"))
    assert "it refused the session: 550 still no" in ended.stdout
    assert "not sent      2" in ended.stdout


def test_a_server_that_takes_fewer_connections_gets_everything_over_those(send: Run, mail: WriteMail) -> None:
    free = threading.Lock()
    turned_away = threading.Semaphore(0)

    def script(talk: Talk) -> None:
        if not free.acquire(blocking=False):
            talk.say("421 4.7.0 too many connections")
            turned_away.release()
            return
        begin(talk)
        assert turned_away.acquire(timeout=20)  # so that there is one at least
        finish(talk, at_quit=free.release)

    paths = [mail(f"{number}.eml") for number in range(10)]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 4)
    assert ended.status == 0
    assert "10 of 10 accepted" in ended.stdout
    assert "Only 1 of 4 connections were taken (it refused the session: 421 4.7.0 too many" in ended.stdout
    assert sum(line.startswith(b"data") for line in server.received) == 10


def test_a_server_that_goes_away_in_the_middle(send: Run, mail: WriteMail) -> None:
    connections = []

    def script(talk: Talk) -> None:
        connections.append(talk)
        if len(connections) == 1:
            begin(talk)
            envelope(talk)
            talk.content()
            talk.say("250 OK")

    paths = [mail(f"{number:02}.eml") for number in range(13)]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 1)
    assert ended.status == 1
    assert "1 of 13 accepted" in ended.stdout
    assert "not sent     12" in ended.stdout
    assert f"  {paths[1]}\n" in ended.stdout
    assert f"  {paths[10]}\n  and 2 more (--json names them all)" in ended.stdout


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_starttls_encrypts(
    spawn: Callable[..., Popen[str]], mail: WriteMail, tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environment = os.environ | {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}  # which is read once in a process
    paths = (mail("1.eml"), mail("2.eml"))
    with smtp_server(tls_context=tls, require_starttls=True) as server:
        process = spawn("send", "--host", "localhost", "--port", server.port, "--starttls", *paths, env=environment)
        said = process.communicate()
    assert process.returncode == 0, said
    assert len(server.mailbox.envelopes) == 2


def test_starttls_sends_nothing_to_a_server_that_cannot_prove_its_name(
    run: Run, mail: WriteMail, tls: ssl.SSLContext
) -> None:
    with smtp_server(tls_context=tls) as server:
        ended = run("send", "--host", "localhost", "--port", server.port, "--starttls", mail("1.eml"), mail("2.eml"))
    assert ended.status == 1
    assert "its certificate is not trusted: " in ended.stdout
    assert "set ca_file" in ended.stdout
    assert "not sent      2" in ended.stdout
    assert server.mailbox.envelopes == []


def test_starttls_sends_nothing_to_a_server_without_it(run: Run, mail: WriteMail) -> None:
    with smtp_server() as server:
        ended = run("send", "--host", "localhost", "--port", server.port, "--starttls", mail("1.eml"))
    assert ended.status == 1
    assert "The server does not offer STARTTLS" in ended.stdout
    assert server.mailbox.envelopes == []
