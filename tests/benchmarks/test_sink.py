"""The servers that keep nothing take what pipelining clients send, however it is cut."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator

import pytest

from .processes import HOST
from .sink import SMTP_SINK, own_sink, sink, smtp_sink

PATIENCE = 30.0  # seconds, for what must come


@pytest.fixture(params=["own", "smtp-sink"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Have either server."""
    if request.param == "smtp-sink":
        if SMTP_SINK is None:
            pytest.skip("Postfix's smtp-sink is not installed")
        with smtp_sink(SMTP_SINK) as port:
            yield port
    else:
        with own_sink() as port:
            yield port


def test_it_offers_pipelining_and_8bitmime(port: int) -> None:
    with smtplib.SMTP(HOST, port, "localhost", PATIENCE) as session:
        session.ehlo()
        assert session.has_extn("pipelining")
        assert session.has_extn("8bitmime")


def test_it_takes_messages_one_after_the_other(port: int) -> None:
    with smtplib.SMTP(HOST, port, "localhost", PATIENCE) as session:
        for content in ("Subject: x\n\nx\n", "", ".\n", "x" * 500_000):
            assert session.sendmail("anna@example.org", ["bert@example.org", "cleo@example.org"], content) == {}


def test_two_pipelined_messages_are_answered_in_order(port: int) -> None:
    envelope = b"MAIL FROM:<anna@example.org>\r\nRCPT TO:<bert@example.org>\r\nDATA\r\n"
    with socket.create_connection((HOST, port), PATIENCE) as client, client.makefile("rb") as replies:
        assert replies.readline()[:3] == b"220"
        client.sendall(b"HELO localhost\r\n" + envelope)
        assert [replies.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
        client.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n" + envelope)
        assert [replies.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
        for cut in (b"x", b"\r", b"\n", b".", b"\r", b"\nQU", b"IT\r\n"):
            client.sendall(cut)
        assert [replies.readline()[:3] for _ in range(2)] == [b"250", b"221"]
        assert replies.read() == b""


def test_without_smtp_sink_there_is_one_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.sink.SMTP_SINK", None)
    with sink() as port, smtplib.SMTP(HOST, port, "localhost", PATIENCE) as session:
        assert session.ehlo()[1].startswith(b"sink\n")
