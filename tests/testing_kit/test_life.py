"""Starting and stopping: nothing is left, whatever was going on."""

from __future__ import annotations

import gc
import logging
import os
import smtplib
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer, Step, delay, drip, hold, silence

from .clients import ANNA, BERT, RawClient, client_of, send


def open_files() -> set[str]:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        return set()
    return {f"{entry.name} {os.readlink(entry)}" for entry in descriptors.iterdir() if entry.exists()}


@pytest.fixture(autouse=True)
def _nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_hundred_starts_and_stops_leave_nothing() -> None:
    for _ in range(100):
        with SMTPTestServer():
            pass


def test_a_server_starts_again_on_its_port() -> None:
    server = SMTPTestServer()
    with server:
        port = server.port
        send(server)
    with pytest.raises(ConnectionRefusedError):
        send(server)
    with server:
        assert server.port == port
        send(server)
        assert len(server.messages) == 2


def test_starting_twice_is_an_error_and_stopping_twice_is_none() -> None:
    with SMTPTestServer() as server:
        with pytest.raises(RuntimeError, match="running"):
            server.start()
        server.stop()
        server.stop()
        server.hang_up()


def test_an_error_of_starting_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"\w"):
        SMTPTestServer(unix_socket=tmp_path / "no" / "such" / "folder").start()


@pytest.mark.parametrize("tls", [None, "starttls", "implicit"])
@pytest.mark.parametrize("step", ["greeting", "TLS", "EHLO", "MAIL", "content", "after content"])
@pytest.mark.parametrize("fault", [silence, hold])
def test_stopping_ends_every_wait_at_once(fault: Any, step: Step, tls: Any) -> None:
    if step == "TLS" and tls is None:
        pytest.skip("no handshake")
    with SMTPTestServer(faults=[fault(step)], tls=tls) as server:
        errors: list[BaseException] = []

        def use() -> None:
            try:
                kind, options = (smtplib.SMTP, {})
                if tls == "implicit":
                    kind, options = smtplib.SMTP_SSL, {"context": server.client_context}
                with client_of(server, kind, **options) as client:
                    if tls == "starttls":
                        client.starttls(context=server.client_context)
                    client.sendmail(ANNA, [BERT], b"Hello")
            except (smtplib.SMTPServerDisconnected, ConnectionError, OSError) as error:
                errors.append(error)

        user = threading.Thread(target=use)
        user.start()
        server.reached(step).wait()
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1
        user.join()
        assert len(errors) == 1
        assert server.connections == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_stopping_ends_a_handshake_that_the_client_does_not_go_on_with(tls: Any) -> None:
    with SMTPTestServer(tls=tls) as server, RawClient(server) as client:
        if tls == "starttls":
            client.hear()
            client.ask("STARTTLS")
        server.reached("TLS").wait()
        server.stop()
        assert server.connections == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_client_hangs_up_within_the_handshake_or_talks_rubbish(tls: Any) -> None:
    for rubbish in (b"", b"EHLO client.example\r\n"):
        with SMTPTestServer(tls=tls) as server:
            with RawClient(server) as client:
                if tls == "starttls":
                    client.hear()
                    client.ask("STARTTLS")
                client.socket.sendall(rubbish)
                server.reached("TLS").wait()
            server.connected(0).wait()


def test_stopping_ends_delays_drips_and_idle_connections() -> None:
    faults = [delay("NOOP", seconds=3600), drip("HELO", interval=3600)]
    server = SMTPTestServer(faults=faults)
    with server, RawClient(server), RawClient(server) as late, RawClient(server) as dripping:
        late.hear()
        late.say("NOOP")
        dripping.hear()
        dripping.say("HELO client.example")
        server.reached("NOOP").wait()
        server.reached("HELO").wait()
        server.connected(3).wait()
        server.stop()
        assert late.hear() == ""


def test_stopping_while_clients_connect_leaves_nothing() -> None:
    for _ in range(20):
        with SMTPTestServer() as server:
            clients = [RawClient(server) for _ in range(5)]
        for client in clients:
            client.__exit__()


def test_the_extra_is_named_when_aiosmtpd_or_trustme_is_missing() -> None:
    for missing, code in {
        "aiosmtpd": "import asyncsmtp_bridge.testing",
        "trustme": "from asyncsmtp_bridge.testing import SMTPTestServer; SMTPTestServer(tls='implicit')",
    }.items():
        script = f"import sys; sys.modules[{missing!r}] = None\n{code}"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert "asyncsmtp_bridge[testing]" in done.stderr, done.stderr
