"""What goes wrong: every error keeps its type, and says in one line what to do."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer, drop, refuse, silence

from ..servers import ScriptedServer, Talk
from .servers import (
    HOST,
    PASSWORD,
    USER,
    Attempt,
    closed_port,
    error_of,
    full_backlog,
    opened,
    says,
)

SHORT = 2
"""Seconds to wait for what does not come."""

LONG = 30.0

Disconnected = smtplib.SMTPServerDisconnected
IMPLICIT, STARTTLS = "tls='implicit'", "tls='starttls'"


# The mode of TLS.


def answers_http(talk: Talk) -> None:
    talk.say("HTTP/1.1 400 Bad Request")
    talk.say("Connection: close")
    talk.say("")
    talk.wait_for_the_end()


def garbage_after_starttls(talk: Talk) -> None:
    talk.say("220 mail.example.org ESMTP")
    talk.expect("EHLO")
    talk.say("250-mail.example.org")
    talk.say("250 STARTTLS")
    talk.expect("STARTTLS")
    talk.say("220 Ready")
    talk.say("250 this is not TLS")
    talk.wait_for_the_end()


SERVERS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "plain": SMTPTestServer,
    "plain, with logins": lambda: SMTPTestServer(auth={USER: PASSWORD}),
    "starttls": lambda: SMTPTestServer(tls="starttls", auth={USER: PASSWORD}),
    "implicit": lambda: SMTPTestServer(tls="implicit", auth={USER: PASSWORD}),
    "silent": lambda: SMTPTestServer(faults=[silence("greeting")]),
    "closes at once": lambda: SMTPTestServer(faults=[drop("greeting")]),
    "resets": lambda: SMTPTestServer(faults=[drop("greeting", reset=True)]),
    "answers HTTP": lambda: ScriptedServer(answers_http),
    "greets with 421": lambda: SMTPTestServer(faults=[refuse("greeting", "421 4.3.2 Shutting down")]),
    "greets with 421 of many": lambda: SMTPTestServer(max_connections=0),
    "greets with 432 of many": lambda: SMTPTestServer(
        faults=[refuse("greeting", "432 4.3.2 Concurrent connections limit exceeded")]
    ),
    "greets with 554": lambda: SMTPTestServer(faults=[refuse("greeting", "554 5.7.1 Not for you")]),
    "refuses EHLO": lambda: SMTPTestServer(
        faults=[
            refuse("EHLO", "550 5.7.1 EHLO argument does not match"),
            refuse("HELO", "550 5.7.1 Invalid domain name"),
        ]
    ),
    "421 at EHLO": lambda: SMTPTestServer(faults=[refuse("EHLO", "421 4.3.2 Busy"), refuse("HELO", "421 4.3.2 Busy")]),
    "drops at EHLO": lambda: SMTPTestServer(faults=[drop("EHLO")]),
    "refuses STARTTLS": lambda: SMTPTestServer(
        tls="starttls", faults=[refuse("STARTTLS", "454 4.7.0 TLS not available due to temporary reason")]
    ),
    "drops at STARTTLS": lambda: SMTPTestServer(tls="starttls", faults=[drop("STARTTLS")]),
    "drops in the handshake": lambda: SMTPTestServer(tls="starttls", faults=[drop("TLS")]),
    "drops in the handshake of implicit TLS": lambda: SMTPTestServer(tls="implicit", faults=[drop("TLS")]),
    "no TLS after STARTTLS": lambda: ScriptedServer(garbage_after_starttls),
}

Row = tuple[str, str, Any, list[str]]

WRONG_MODES: list[Row] = [
    ("implicit", "plain", ssl.SSLError, ["does not speak TLS from the first byte", STARTTLS]),
    ("implicit", "starttls", ssl.SSLError, ["does not speak TLS from the first byte", STARTTLS]),
    ("starttls", "plain", smtplib.SMTPNotSupportedError, ["does not offer STARTTLS", IMPLICIT, "465"]),
    ("starttls", "implicit", Disconnected, ["did not greet", "waits for TLS", IMPLICIT]),
    ("none", "implicit", Disconnected, ["did not greet", "waits for TLS", IMPLICIT]),
    ("auto", "implicit", Disconnected, ["did not greet", "waits for TLS", IMPLICIT]),
    ("implicit", "silent", TimeoutError, ["did not answer TLS", STARTTLS]),
    ("starttls", "silent", Disconnected, ["did not greet", "connect_timeout"]),
    ("implicit", "closes at once", OSError, ["ended the connection before TLS was agreed", STARTTLS]),
    ("starttls", "closes at once", Disconnected, ["ended the connection without a greeting", IMPLICIT]),
    ("none", "closes at once", Disconnected, ["ended the connection without a greeting", IMPLICIT]),
    ("auto", "resets", (Disconnected, ConnectionError), ["ended the connection without a greeting", IMPLICIT]),
    ("implicit", "resets", OSError, ["ended the connection before TLS was agreed", STARTTLS]),
    ("implicit", "answers HTTP", ssl.SSLError, ["does not speak TLS from the first byte"]),
    ("starttls", "answers HTTP", smtplib.SMTPConnectError, ["does not speak SMTP there", "host and port"]),
    ("none", "answers HTTP", smtplib.SMTPConnectError, ["does not speak SMTP there", "host and port"]),
    ("auto", "greets with 421", smtplib.SMTPConnectError, ["busy or shutting down", "later"]),
    ("auto", "greets with 421 of many", smtplib.SMTPConnectError, ["too many connections", "executor_size"]),
    ("auto", "greets with 432 of many", smtplib.SMTPConnectError, ["too many connections", "executor_size"]),
    ("auto", "greets with 554", smtplib.SMTPConnectError, ["takes no mail, or none from your IP address"]),
    ("auto", "refuses EHLO", smtplib.SMTPHeloError, ["refuses the client's host name", "local_hostname"]),
    ("auto", "421 at EHLO", (smtplib.SMTPHeloError, Disconnected), ["the server"]),
    ("auto", "drops at EHLO", Disconnected, ["closed the connection", "EHLO"]),
    ("starttls", "refuses STARTTLS", smtplib.SMTPResponseException, ["TLS is not available at the server now"]),
    ("auto", "refuses STARTTLS", smtplib.SMTPResponseException, ["TLS is not available at the server now"]),
    ("starttls", "drops at STARTTLS", Disconnected, ["closed the connection", "STARTTLS"]),
    ("starttls", "drops in the handshake", OSError, ["took STARTTLS", "before TLS was agreed", "client_certificate"]),
    ("implicit", "drops in the handshake of implicit TLS", OSError, ["before TLS was agreed"]),
    ("starttls", "no TLS after STARTTLS", ssl.SSLError, ["took STARTTLS", "did not speak TLS"]),
]


@pytest.mark.parametrize(
    ("tls", "server", "kinds", "words"), WRONG_MODES, ids=[f"{r[0]} - {r[1]}" for r in WRONG_MODES]
)
async def test_a_wrong_mode_of_tls(attempt: Attempt, tls: Any, server: str, kinds: Any, words: list[str]) -> None:
    waits = "silent" in server or ("implicit" in server and tls != "implicit")
    with SERVERS[server]() as running:
        error = await attempt(
            SMTPSettings(HOST, running.port, tls, connect_timeout=SHORT if waits else LONG, timeout=LONG)
        )
    says(error_of(error, kinds), words, never=[] if "many" in server else ["executor"])


# Names, ports and time.


async def test_a_name_that_is_not_found(attempt: Attempt) -> None:
    error = await attempt(SMTPSettings("nowhere.invalid"))
    says(error_of(error, socket.gaierror), ["'nowhere.invalid'"])


async def test_a_port_where_nothing_listens(attempt: Attempt) -> None:
    port = closed_port()
    error = await attempt(SMTPSettings(HOST, port))
    says(error_of(error, ConnectionRefusedError), [f"nothing listens at 127.0.0.1:{port}", "587", "465", "25"])


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
async def test_a_host_that_does_not_answer(attempt: Attempt, tls: Any) -> None:
    with full_backlog() as port:
        error = await attempt(SMTPSettings(HOST, port, tls, connect_timeout=SHORT))
    says(error_of(error, TimeoutError), [f"nothing answered at 127.0.0.1:{port} within 2 s", "block port 25"])


STEPS: list[tuple[str, dict[str, Any], Any, list[str]]] = [
    ("EHLO", {"faults": [silence("EHLO")]}, Disconnected, ["did not answer EHLO in time", "timeout=2"]),
    (
        "EHLO after STARTTLS",
        {"faults": [silence("EHLO", nth=2)]},
        Disconnected,
        ["did not answer EHLO in time", "timeout=2"],
    ),
    ("STARTTLS", {"faults": [silence("STARTTLS")]}, Disconnected, ["did not answer STARTTLS in time", "timeout=2"]),
    (
        "handshake",
        {"faults": [silence("TLS")]},
        TimeoutError,
        ["did not answer the TLS handshake in time", "timeout=2"],
    ),
    ("login", {"faults": [silence("AUTH")]}, Disconnected, ["did not answer the login in time", "timeout=2"]),
]


@pytest.mark.parametrize(("options", "kinds", "words"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
async def test_a_time_out_says_at_which_step(
    attempt: Attempt, tmp_path: Path, options: dict[str, Any], kinds: Any, words: list[str]
) -> None:
    with SMTPTestServer(tls="starttls", auth={USER: PASSWORD}, **options) as server:
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        settings = SMTPSettings(
            HOST, server.port, "starttls", USER, PASSWORD, ca_file=tmp_path / "ca.pem", timeout=SHORT
        )
        error = await attempt(settings)
    says(error_of(error, kinds), words)


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_deadline_is_told_from_a_timeout(way: str) -> None:
    with SMTPTestServer(faults=[silence("EHLO")]) as server, pytest.raises(Disconnected) as caught:
        await opened(SMTPSettings(HOST, server.port, deadline=SHORT), way)
    says(error_of(caught.value, Disconnected), ["EHLO", "deadline=2"], never=["timeout=600"])


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_deadline_that_is_over_before_there_is_a_greeting(way: str) -> None:
    with SMTPTestServer(faults=[silence("greeting")]) as server, pytest.raises(Disconnected) as caught:
        await opened(SMTPSettings(HOST, server.port, deadline=SHORT), way)
    says(error_of(caught.value, Disconnected), ["did not greet within 2 s", "raise deadline"], never=["60 s"])


# LMTP and Unix sockets.


async def test_a_socket_that_is_not_there(attempt: Attempt, tmp_path: Path) -> None:
    error = await attempt(SMTPSettings(unix_socket=tmp_path / "lmtp"))
    says(error_of(error, FileNotFoundError), [f"there is no socket at {tmp_path}/lmtp", "unix_socket"])


async def test_a_socket_where_nothing_listens(attempt: Attempt, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "lmtp"))
    error = await attempt(SMTPSettings(unix_socket=tmp_path / "lmtp"))
    says(error_of(error, ConnectionRefusedError), [f"nothing listens at {tmp_path}/lmtp", "unix_socket"])


async def test_a_socket_that_is_a_file(attempt: Attempt, tmp_path: Path) -> None:
    (tmp_path / "lmtp").touch()
    error = await attempt(SMTPSettings(unix_socket=tmp_path / "lmtp"))
    says(error_of(error, ConnectionRefusedError), [f"nothing listens at {tmp_path}/lmtp", "unix_socket"])


async def test_lmtp_with_a_server_that_speaks_smtp(attempt: Attempt) -> None:
    with SMTPTestServer() as server:
        error = await attempt(SMTPSettings(HOST, server.port, lmtp=True))
    says(error_of(error, smtplib.SMTPHeloError), ["speaks SMTP", "leave lmtp=True out"])


async def test_smtp_with_a_server_that_speaks_lmtp(attempt: Attempt) -> None:
    with SMTPTestServer(lmtp=True) as server:
        error = await attempt(SMTPSettings(HOST, server.port))
    says(error_of(error, smtplib.SMTPHeloError), ["lmtp=True"])
