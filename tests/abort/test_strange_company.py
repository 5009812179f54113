"""An abort among other people's objects: it hits what it is meant for, calls nothing of theirs, and never fails."""

from __future__ import annotations

import asyncio
import contextlib
import email.message
import gc
import logging
import smtplib
import socket
import sys
import threading
import time
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncBridge, AsyncSMTP, BoundedExecutor, async_method, watch
from asyncsmtp_bridge.phase import frame_of
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence


class Locked(smtplib.SMTP):
    """The first thing that comes to mind against two threads on one session."""

    def __init__(self, *args: Any) -> None:
        self.lock = threading.Lock()
        self.waiting = threading.Semaphore(0)
        super().__init__(*args)

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        self.waiting.release()
        with self.lock:
            return super().sendmail(*args, **kwargs)


class Sender:
    def __init__(self, session: smtplib.SMTP) -> None:
        self.session = session

    def send(self, to: str) -> Any:
        return self.session.sendmail("anna@example.org", to, "x\n")


class Face(AsyncBridge[Any]):
    send = async_method(Sender.send)


async def test_a_call_that_waits_for_a_lock_does_not_end_the_session_of_the_one_who_has_it() -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        session = Locked("localhost", server.port)
        first = asyncio.ensure_future(Face(Sender(session)).send("bert@example.org"))
        await server.held("RCPT")
        second = asyncio.ensure_future(Face(Sender(session)).send("cleo@example.org"))
        for _ in range(2):
            assert await asyncio.to_thread(session.waiting.acquire, True, 10)
        second.cancel()
        await asyncio.sleep(0.02)  # several attempts to interrupt it
        server.release("RCPT")
        assert await first == {}
        with pytest.raises(asyncio.CancelledError):
            await second
        assert [received.rcpt_tos for received in server.messages] == [("bert@example.org",)]
        session.close()


class Metric:
    """Somebody else's socket, used while mail is sent."""

    def __init__(self) -> None:
        self.sock, self.peer = socket.socketpair()
        self.asked = threading.Event()

    def report(self) -> None:
        sock = self.sock
        self.asked.set()
        sock.recv(1)

    def close(self) -> None:
        self.sock.close()
        self.peer.close()


async def test_a_socket_that_belongs_to_somebody_else_is_left_alone() -> None:
    metric = Metric()

    class Reporting(smtplib.SMTP):
        def noop(self) -> tuple[int, bytes]:
            metric.report()
            return super().noop()

    with SMTPTestServer() as server:
        smtp = await AsyncSMTP("localhost", server.port, smtp_class=Reporting)
        call = asyncio.ensure_future(smtp.noop())
        while not metric.asked.is_set():
            await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.sleep(0.02)
        metric.peer.sendall(b"x")  # it is still connected
        with pytest.raises(asyncio.CancelledError):
            await call
        await smtp.close()
    metric.close()


class Odd(email.message.EmailMessage):
    def __getitem__(self, name: str) -> Any:
        if name == "Message-ID":
            raise IndexError("odd")
        return super().__getitem__(name)


async def test_a_message_that_cannot_be_asked_does_not_get_in_the_way(caplog: pytest.LogCaptureFixture) -> None:
    message = Odd()
    message["From"], message["To"] = "anna@example.org", "bert@example.org"
    with SMTPTestServer(faults=[silence("after content")]) as server:
        async with BoundedExecutor(1) as executor:
            smtp = await AsyncSMTP("localhost", server.port, executor=executor)
            call = asyncio.ensure_future(smtp.send_message(message))
            await server.reached("after content")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert executor.stats().running == 0
    assert "message of unknown Message-ID may have been delivered" in caplog.text


async def test_a_look_that_is_refused_does_not_replace_the_cancellation(caplog: pytest.LogCaptureFixture) -> None:
    with SMTPTestServer(faults=[hold("NOOP")]) as server:
        face = Face(Sender(smtplib.SMTP("localhost", server.port)))
        session = face.__wrapped__.session
        call = asyncio.ensure_future(face._perform(face_job(face, session.noop)))
        await server.held("NOOP")
        with mock.patch.object(watch.sys, "_current_frames", side_effect=PermissionError("no look at other threads")):
            call.cancel()
            await asyncio.sleep(0.02)
        server.release("NOOP")
        with pytest.raises(asyncio.CancelledError):
            await call
        session.close()
    assert "cannot be interrupted" in caplog.text


def face_job(face: Any, func: Any) -> Any:
    from asyncsmtp_bridge.job import LaneJob

    return LaneJob(func, (), {}, face._lane)


def test_one_abort_that_fails_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    counted, enough = [], threading.Event()

    def fails() -> bool:
        raise ValueError("odd")

    def counts() -> bool:
        counted.append(time.monotonic())
        if len(counted) == 3:
            enough.set()
        return len(counted) < 3

    watch.repeat(fails)
    watch.repeat(counts)
    assert enough.wait(10)
    assert "an abort is given up" in caplog.text


class OwnData(smtplib.SMTP):
    """With its own way of sending the content, as implementers of BDAT have it."""

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.putcmd("data")
        self.getreply()
        self.send(msg.encode() + b"\r\n.\r\n" if isinstance(msg, str) else msg + b"\r\n.\r\n")
        return self.getreply()


class OwnReplies(smtplib.SMTP):
    """That reads replies without smtplib."""

    def getreply(self) -> tuple[int, bytes]:
        assert self.sock is not None
        if self.file is None:
            self.file = self.sock.makefile("rb")
        while True:
            line = self.file.readline()
            if not line:
                raise smtplib.SMTPServerDisconnected("gone")
            if line[3:4] != b"-":
                return int(line[:3]), line[4:].strip()


@pytest.mark.parametrize("smtp_class", [smtplib.SMTP, OwnData, OwnReplies])
async def test_a_content_that_may_have_arrived_is_never_told_to_be_safe(
    smtp_class: type[smtplib.SMTP], caplog: pytest.LogCaptureFixture
) -> None:
    with SMTPTestServer(faults=[hold("after content", keep=True)]) as server:
        smtp = await AsyncSMTP("localhost", server.port, smtp_class=smtp_class)
        call = asyncio.ensure_future(smtp.sendmail("anna@example.org", "bert@example.org", "x"))
        await server.held("after content")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await smtp.close()
        assert len(server.messages) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_first_call_that_is_cancelled_takes_the_session_from_nobody() -> None:
    with SMTPTestServer() as server:
        smtp = AsyncSMTP()
        first, second = (asyncio.ensure_future(smtp.connect("localhost", server.port)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)[0] == 220
        assert (await smtp.noop())[0] == 250
        await smtp.quit()


async def test_a_call_that_returned_as_it_was_cancelled_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    class Quick:
        def send(self, to: str) -> None:
            pass

    executor = BoundedExecutor(1)
    call = asyncio.ensure_future(Face(Quick(), executor=executor).send("bert@example.org"))
    await asyncio.sleep(0)
    while not executor.stats().done:
        pass  # the loop stands still, so the result cannot come in before the cancellation
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call
    assert call.cancelled()
    await executor.aclose()
    assert "had returned when its caller was cancelled" in caplog.text


def test_a_declaration_outside_a_class_says_so() -> None:
    class Late(AsyncBridge[Sender]):
        pass

    Late.send = async_method(Sender.send)  # type: ignore[attr-defined]
    late: Any = Late(Sender(smtplib.SMTP(local_hostname="client.example.org")))
    with pytest.raises(TypeError, match="in the body of a class"):
        late.send("bert@example.org")


def test_no_garbage_is_collected_while_threads_are_looked_at() -> None:
    seen = []
    current_frames = sys._current_frames

    def looked_at() -> Any:
        seen.append(gc.isenabled())
        return current_frames()

    with mock.patch.object(sys, "_current_frames", looked_at):
        assert frame_of(threading.get_ident()) is not None
        gc.disable()
        try:
            assert frame_of(0) is None
            assert not gc.isenabled()
        finally:
            gc.enable()
    assert seen == [False, False]
    assert gc.isenabled()
