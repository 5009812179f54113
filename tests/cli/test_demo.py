"""The demonstration: it ends in time, everything arrives, and what it measures is so."""

from __future__ import annotations

import asyncio
import re
import smtplib
import time
from collections.abc import Callable
from email.message import EmailMessage
from subprocess import Popen

import pytest

from asyncsmtp_bridge.cli import demo
from asyncsmtp_bridge.cli.heartbeat import FREEZE, Heartbeat
from asyncsmtp_bridge.cli.server import HOST, EmbeddedServer

from .conftest import Run


def test_the_demo_as_people_run_it(spawn: Callable[..., Popen[str]]) -> None:
    begun = time.monotonic()
    process = spawn("demo")
    out, err = process.communicate()
    assert time.monotonic() - begun < 15
    assert (process.returncode, err) == (0, "")
    (arrived,) = [line for line in out.splitlines() if "messages arrived" in line]
    counts = re.findall(r"(\d+) of (\d+)", arrived)
    assert len(counts) == 3
    assert len({number for pair in counts for number in pair}) == 1
    assert "throughput" in out
    assert "event loop frozen" in out
    assert "+ await asyncsmtp_bridge.to_thread(send_mail, message)" in out
    assert "How it was measured" in out


def test_bridged_is_faster_and_blocks_less(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "MESSAGES", 40)
    shown: list[dict[str, demo.Measured]] = []
    monkeypatch.setattr(demo, "_show", lambda console, measured: shown.append(measured))
    assert run("demo").status == 0
    blocking, bridged, mirrored = shown[0].values()
    assert blocking.messages == bridged.messages == mirrored.messages == 40
    assert blocking.arrived == bridged.arrived == mirrored.arrived == 40
    assert blocking.rate < bridged.rate
    assert blocking.rate < mirrored.rate
    assert blocking.frozen_share > 0.5
    assert bridged.heartbeat.frozen < blocking.heartbeat.frozen
    assert blocking.heartbeat.longest >= demo.SERVER_DELAY


def test_a_slow_machine_sends_fewer_messages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "LEGACY_BUDGET", 0.001)
    assert f"Sending {demo.FEWEST} messages" in run("demo").stdout


def test_a_message_that_did_not_arrive_is_no_success(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(port: int, messages: object, executor: object) -> None:
        """Send nothing."""

    monkeypatch.setattr(demo, "MESSAGES", 20)
    monkeypatch.setattr(demo, "mirrored", forgetful)
    ended = run("demo")
    assert ended.status == 1
    assert "Not every message arrived" in ended.stdout


async def test_the_heartbeat_sees_a_freeze_and_no_other() -> None:
    async with Heartbeat() as idle:
        await asyncio.sleep(0.05)
    async with Heartbeat() as frozen:
        time.sleep(20 * FREEZE)
    assert idle.frozen < frozen.frozen
    assert frozen.longest >= 20 * FREEZE
    assert frozen.frozen >= 19 * FREEZE
    assert idle.seconds >= 0.05


def test_the_embedded_server_counts_what_it_accepts_and_ends_with_open_connections() -> None:
    message = EmailMessage()
    message["From"] = message["To"] = "a@x.org"
    message["Message-ID"] = "<1@x.org>"
    with EmbeddedServer() as server:
        smtp = smtplib.SMTP(HOST, server.port, local_hostname="localhost")
        smtp.send_message(message)
        smtp.send_message(message)
    smtp.close()
    assert server.received == 2
    assert server.message_ids == {"<1@x.org>": 2}
