"""What is bridged in these tests: code that blocks on an event of the test's, and code that blocks on a server."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, async_method, bridge
from asyncsmtp_bridge.stats import JobEvent

from .told import PATIENCE

SENDER = "anna@example.org"


class Waiting:
    """Blocks outside smtplib, until it is let go; sends when it is given a port."""

    def __init__(self, port: int | None = None) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.began: list[str] = []
        self.ended: list[str] = []
        self._port = port

    def send(self, to: str) -> str:
        self.began.append(to)
        self.begun.set()
        assert self.go.wait(PATIENCE)
        if self._port is not None:
            Sending(self._port).send(to)
        self.ended.append(to)
        return f"sent to {to}"


class Sending:
    """Opaque, with a session for each message; its own timeout is long."""

    def __init__(self, port: int, host: str = "localhost") -> None:
        self._port = port
        self._host = host

    def send(self, to: str) -> str:
        with smtplib.SMTP(self._host, self._port, local_hostname="client.example.org", timeout=60) as session:
            session.sendmail(SENDER, to, "Subject: x\n\nx\n")
        return f"sent to {to}"


class Face(AsyncBridge[Any]):
    send = async_method(Sending.send)


def as_a_function(target: Any, **options: Any) -> Callable[..., Any]:
    def send(to: str) -> str:
        sent: str = target.send(to)
        return sent

    return bridge(send, **options)


def as_a_bound_method(target: Any, **options: Any) -> Callable[..., Any]:
    return bridge(target.send, **options)


def as_an_object(target: Any, **options: Any) -> Callable[..., Any]:
    send: Callable[..., Any] = bridge(target, **options).send
    return send


def as_a_face(target: Any, **options: Any) -> Callable[..., Any]:
    return Face(target, **options).send


SERIAL = (as_a_bound_method, as_an_object, as_a_face)

each_bridge = pytest.mark.parametrize("bridged", [as_a_function, *SERIAL])
each_serial_bridge = pytest.mark.parametrize("bridged", SERIAL)
each_answer = pytest.mark.parametrize("on_cancel", ["abort", "wait", "abandon"])


@dataclass
class Observer:
    """Keeps the names of what it is told."""

    events: list[str] = field(default_factory=list)

    def job_started(self, _: JobEvent) -> None:
        self.events.append("started")

    def job_ended(self, _: JobEvent) -> None:
        self.events.append("ended")

    def job_abandoned(self, _: JobEvent) -> None:
        self.events.append("abandoned")

    def job_aborted(self, _: JobEvent) -> None:
        self.events.append("aborted")
