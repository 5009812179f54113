"""After its caller has been told that it was cancelled, a job delivers nothing any more."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import threading
import time
from email.message import EmailMessage

import pytest

from asyncsmtp_bridge import AsyncBridge, AsyncSMTP, BoundedExecutor, async_method, configure, watch
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence


class Reconnecting:
    """A singleton as organisations have it: one connection, a lock, and another try when the server has gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._session: smtplib.SMTP | None = None
        self.tries = 0

    def send(self, to: str) -> None:
        with self._lock:
            for _ in range(3):
                self.tries += 1
                try:
                    if self._session is None:
                        self._session = smtplib.SMTP("localhost", self._port, timeout=60)
                    self._session.sendmail("anna@example.org", to, "x\n")
                    return
                except (smtplib.SMTPServerDisconnected, OSError):
                    self._session = None
            raise RuntimeError("gave up")

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


class Stubborn(Reconnecting):
    """One with a bare except."""

    def send(self, to: str) -> None:
        for _ in range(3):
            self.tries += 1
            try:
                smtplib.SMTP("localhost", self._port, timeout=60).sendmail("anna@example.org", to, "x\n")
                return
            except:  # noqa: E722 - that is the point
                pass


class Rendering(Reconnecting):
    """One that is busy with something else when it is cancelled."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.rendering, self.rendered = threading.Event(), threading.Event()

    def send(self, to: str) -> None:
        self.rendering.set()
        self.rendered.wait()
        super().send(to)


class Face(AsyncBridge[Reconnecting]):
    send = async_method(Reconnecting.send)


@pytest.mark.parametrize("wrapper", [Reconnecting, Stubborn])
async def test_a_wrapper_that_tries_again_delivers_nothing(wrapper: type[Reconnecting]) -> None:
    with SMTPTestServer(faults=[silence("MAIL", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(Face(wrapper(server.port), executor=executor).send("bert@example.org"))
            await server.reached("MAIL")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert server.messages == []
        # And what is sent on purpose, on the same thread or another, is not hindered.
        with smtplib.SMTP("localhost", server.port) as session:
            session.sendmail("anna@example.org", "bert@example.org", "y\n")
        assert len(server.messages) == 1


async def test_the_next_call_on_the_same_thread_is_free_to_send() -> None:
    with SMTPTestServer(faults=[silence("MAIL", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            face = Face(Reconnecting(server.port), executor=executor)
            call = asyncio.ensure_future(face.send("bert@example.org"))
            await server.reached("MAIL")
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await face.send("cleo@example.org")
            face.__wrapped__.close()
        assert [received.rcpt_tos for received in server.messages] == [("cleo@example.org",)]


async def test_a_wrapper_that_has_not_begun_to_send_does_not_begin() -> None:
    configure(cancel_grace=0.01)
    with SMTPTestServer() as server:
        wrapper = Rendering(server.port)
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(Face(wrapper, executor=executor).send("bert@example.org"))
            while not wrapper.rendering.is_set():
                await asyncio.sleep(0.001)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert executor.stats().running == 1  # told after the grace, and not before the thread is back
            wrapper.rendered.set()
        assert server.connections_total == 0


async def test_a_second_cancel_ends_the_wait_at_once() -> None:
    configure(cancel_grace=60)
    wrapper = Rendering(1)
    async with BoundedExecutor(1) as executor:
        call = asyncio.ensure_future(Face(wrapper, executor=executor).send("bert@example.org"))
        while not wrapper.rendering.is_set():
            await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not call.done()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        wrapper.rendered.set()


async def test_what_was_being_confirmed_is_said_to_be_unknown(caplog: pytest.LogCaptureFixture) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "anna@example.org", "bert@example.org", "<1@example.org>"
    with SMTPTestServer(faults=[hold("after content", keep=True)]) as server:
        smtp = await AsyncSMTP("localhost", server.port)
        call = asyncio.ensure_future(smtp.send_message(message))
        await server.held("after content")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "<1@example.org> may have been delivered" in record.getMessage()


async def test_an_abort_before_the_content_is_told_without_alarm(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        smtp = await AsyncSMTP("localhost", server.port)
        call = asyncio.ensure_future(smtp.sendmail("anna@example.org", "bert@example.org", "x\n"))
        await server.reached("RCPT")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await smtp.noop()
        await smtp.connect("localhost", server.port)  # begins anew
        await smtp.close()
    assert "SMTP.sendmail was cancelled and is aborted (envelope)" in caplog.text


async def test_the_abort_of_one_call_does_not_reach_another_session_of_the_same_thread() -> None:
    with SMTPTestServer(faults=[silence("NOOP", times=1)]) as server:
        async with BoundedExecutor(1) as executor:
            bystander = await AsyncSMTP("localhost", server.port, executor=executor)
            victim = await AsyncSMTP("localhost", server.port, executor=executor)
            call = asyncio.ensure_future(victim.noop())
            await server.reached("NOOP")
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert (await bystander.noop())[0] == 250
            await bystander.quit()


def test_a_thread_that_is_not_in_smtplib_is_left_alone() -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        begun = threading.Event()
        got: list[bytes] = []

        def read(sock: socket.socket) -> None:
            begun.set()
            got.append(sock.recv(1))

        thread = threading.Thread(target=read, args=(ours,))
        thread.start()
        begun.wait()
        assert thread.ident is not None
        watch.shut_down(thread.ident)
        assert watch.look(thread.ident).phase is None
        theirs.sendall(b"x")
        thread.join()
        assert got == [b"x"]


def test_a_fork_forgets_who_was_forbidden() -> None:
    watch.forbid(1)
    try:
        watch._begin_anew_after_fork()
        assert watch._forbidden == {}
    finally:
        watch.permit(1)


def test_repeating_ends_when_it_is_enough() -> None:
    counted: list[float] = []
    enough = threading.Event()

    def again() -> bool:
        counted.append(time.monotonic())
        if len(counted) == 3:
            enough.set()
        return len(counted) < 3

    watch.repeat(again)
    assert enough.wait(10)
    assert len(counted) == 3
