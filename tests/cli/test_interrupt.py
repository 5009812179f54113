"""Ctrl-C: nothing new is begun, what is under way may finish, and the account is true."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, SMTPSettings
from asyncsmtp_bridge.cli import delivery as delivery_module
from asyncsmtp_bridge.cli.delivery import Delivery
from asyncsmtp_bridge.cli.outcome import Status
from tests.servers import ScriptedServer, Talk

from .conftest import WriteMail
from .test_failures import begin, envelope, finish

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def ten(mail: WriteMail, tmp_path: Path) -> Path:
    for number in range(10):
        mail(f"{number}.eml")
    return tmp_path


class Held:
    """A script that takes the content of each message and holds the answer back."""

    def __init__(self, until: int) -> None:
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        self._until = until

    def __call__(self, talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        self.arrived.release()
        self.release.wait(20)
        talk.say("250 OK")
        finish(talk)

    def wait(self) -> None:
        """Wait until as many messages as there are connections wait for their answers."""
        for _ in range(self._until):
            assert self.arrived.acquire(timeout=20)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, and wait until it is acknowledged."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "Stopping" in process.stderr.readline()


def test_messages_under_way_may_finish_and_the_rest_is_not_sent(spawn: Spawn, ten: Path) -> None:
    held = Held(2)
    with ScriptedServer(held) as server:
        process = spawn("send", ten, "--host", "127.0.0.1", "--port", server.port, "--executor-size", 2)
        held.wait()
        interrupt(process)
        held.release.set()
        out, err = process.communicate()
    assert process.returncode == 130
    assert err == ""
    assert "Interrupted." in out
    assert "2 of 10 accepted" in out
    assert "not sent      8" in out
    assert f"Not sent:\n  {ten / '2.eml'}\n" in out
    assert sum(line.startswith(b"data") for line in server.received) == 2


def test_machines_are_told_what_was_sent_and_what_was_not(spawn: Spawn, ten: Path) -> None:
    held = Held(1)
    with ScriptedServer(held) as server:
        process = spawn("send", ten, "--host", "127.0.0.1", "--port", server.port, "--executor-size", 1, "--json")
        held.wait()
        process.send_signal(signal.SIGINT)
        held.release.set()
        out, err = process.communicate()
    assert process.returncode == 130
    assert err == ""
    document = json.loads(out)
    assert document["interrupted"] is True
    files = document["totals"]["files"]
    # The answer and the signal race: one message is finished for certain, and each has its place.
    assert files["accepted"] >= 1
    assert files["accepted"] + files["not_sent"] == files["all"] == 10


def test_the_second_ctrl_c_ends_at_once(spawn: Spawn, ten: Path) -> None:
    arrived = threading.Event()

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        arrived.set()
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        process = spawn("send", ten, "--host", "127.0.0.1", "--port", server.port, "--executor-size", 1)
        assert arrived.wait(20)
        interrupt(process)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert time.monotonic() - begun < delivery_module.GRACE / 2
    assert process.returncode == 130
    assert err == ""


def test_nobody_waits_for_a_connection_that_does_not_come_about(spawn: Spawn, ten: Path) -> None:
    with ScriptedServer(lambda talk: talk.wait_for_the_end()) as server:
        process = spawn("send", ten, "--host", "127.0.0.1", "--port", server.port)
        assert server.connected.wait(20)
        interrupt(process)
        begun = time.monotonic()
        out, err = process.communicate()
        assert time.monotonic() - begun < delivery_module.GRACE / 2
    assert process.returncode == 130
    assert err == ""
    assert "not sent     10" in out


async def stop_when(ready: threading.Event, ten: Path, port: int) -> dict[str, Any]:
    """Deliver over one connection, stop when the server says so, and return the results by file."""
    async with BoundedExecutor(1) as executor, BoundedExecutor(1) as waiting:
        delivery = Delivery(sorted(ten.iterdir()), SMTPSettings("127.0.0.1", port, "none"), executor)
        results = {}
        iterator = delivery.results()
        first = await anext(iterator)
        assert await waiting.run(ready.wait, 20)
        delivery.stop()
        delivery.stop()
        results = {first.path.name: first} | {result.path.name: result async for result in iterator}
    assert sorted(results) == [f"{number}.eml" for number in range(10)]
    return results


async def test_content_without_an_answer_is_unknown_after_the_grace(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "GRACE", 0.1)
    ready = threading.Event()

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        talk.say("250 OK")
        envelope(talk)
        talk.content()
        ready.set()
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        results = await stop_when(ready, ten, server.port)
    assert results.pop("0.eml").status is Status.ACCEPTED
    assert results.pop("1.eml").status is Status.UNKNOWN
    assert {result.status for result in results.values()} == {Status.NOT_SENT}


async def test_an_envelope_without_content_is_not_sent_after_the_grace(
    ten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "GRACE", 0.1)
    ready = threading.Event()

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        talk.say("250 OK")
        talk.expect("MAIL")
        talk.say("250 OK")
        talk.expect("RCPT")
        ready.set()
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        results = await stop_when(ready, ten, server.port)
    assert results.pop("0.eml").status is Status.ACCEPTED
    assert {result.status for result in results.values()} == {Status.NOT_SENT}


async def test_closing_the_results_early_closes_the_connections(ten: Path) -> None:
    ended = threading.Event()

    def script(talk: Talk) -> None:
        try:
            begin(talk)
            envelope(talk)
            talk.content()
            talk.say("250 OK")
            envelope(talk)
            talk.wait_for_the_end()
        finally:
            ended.set()

    with ScriptedServer(script) as server:
        async with BoundedExecutor(1) as executor, BoundedExecutor(1) as waiting:
            settings = SMTPSettings("127.0.0.1", server.port, "none")
            results = Delivery(sorted(ten.iterdir()), settings, executor).results()
            assert (await anext(results)).status is Status.ACCEPTED
            await results.aclose()
            assert await waiting.run(ended.wait, 20)
