"""An abort ends the session that the call had, also where the thread was not in smtplib at that moment."""

from __future__ import annotations

import asyncio
import smtplib
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure, watch
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import SMTPTestServer, hold

from .targets import SENDER
from .told import PATIENCE, cancelled, idle, is_set, opened_at_the_end

UNKNOWN = (Phase.CONTENT_BEGUN, Phase.CONTENT_SENT)


class VerbByVerb:
    """A wrapper that speaks SMTP itself on a session that it keeps, and does something else in between."""

    def __init__(self, port: int) -> None:
        self.session = smtplib.SMTP("localhost", port, local_hostname="client.example.org", timeout=5)
        self.session.ehlo()
        self.rendering, self.rendered = threading.Event(), threading.Event()

    def send(self, to: str, text: str) -> None:
        self.session.mail(SENDER)
        self.session.rcpt(to)
        self.render()
        self.session.data(text)

    def stream(self, to: str, text: str) -> tuple[int, bytes]:
        self.session.mail(SENDER)
        self.session.rcpt(to)
        self.session.docmd("DATA")
        self.render()
        self.session.send(f"{text}\r\n.\r\n")
        return self.session.getreply()

    def close(self) -> None:
        self.session.close()

    def render(self) -> None:
        self.rendering.set()
        assert self.rendered.wait(PATIENCE)


async def test_a_transaction_that_an_abort_cut_short_does_not_become_part_of_the_next() -> None:
    configure(cancel_grace=0)
    with SMTPTestServer() as server:
        async with closed(VerbByVerb(server.port)) as wrapper, BoundedExecutor(1) as executor:
            send = bridge(wrapper, executor=executor).send
            with opened_at_the_end(wrapper.rendered):
                call = asyncio.ensure_future(send("bert@example.org", "for Bert alone\n"))
                await is_set(wrapper.rendering)
                await cancelled(call)
            with suppress(smtplib.SMTPServerDisconnected):
                await send("cleo@example.org", "for Cleo alone\n")
        assert [received.rcpt_tos for received in server.messages] in ([], [("cleo@example.org",)])


@pytest.mark.parametrize("method", ["send", "stream"])
async def test_an_abort_outside_smtplib_leaves_no_session_open_that_the_call_would_have_used(method: str) -> None:
    configure(cancel_grace=0)
    with SMTPTestServer() as server:
        async with closed(VerbByVerb(server.port)) as wrapper, BoundedExecutor(1) as executor:
            with opened_at_the_end(wrapper.rendered):
                call = asyncio.ensure_future(
                    getattr(bridge(wrapper, executor=executor), method)("bert@example.org", "x")
                )
                await is_set(wrapper.rendering)
                await cancelled(call)
            await idle(executor)
            await server.connected(0)


class Keeping:
    """One connection, and another try when the server has gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.session: smtplib.SMTP | None = None
        self.left = threading.Event()

    def send(self, to: str) -> None:
        for _ in range(2):
            if self.session is None:
                self.session = smtplib.SMTP("localhost", self._port, local_hostname="client.example.org", timeout=5)
            try:
                self.session.sendmail(SENDER, to, "x\n")
                return
            except (smtplib.SMTPServerDisconnected, OSError):
                self.session = None
            finally:
                self.left.set()

    def close(self) -> None:
        if self.session is not None:
            self.session.close()


@asynccontextmanager
async def closed(wrapper: Any) -> AsyncIterator[Any]:
    """Close what a wrapper keeps, also when the test fails, so that no other test hears of it."""
    try:
        yield wrapper
    finally:
        wrapper.close()


async def test_a_thread_that_leaves_smtplib_as_it_is_looked_at_leaves_no_open_session() -> None:
    """It is forbidden to go on, and has been stopped at the content, before its stack is read."""
    current_frames = sys._current_frames
    looks: list[Any] = []
    with SMTPTestServer(faults=[hold("DATA", times=1)]) as server:
        async with closed(Keeping(server.port)) as wrapper, BoundedExecutor(1) as executor:

            def late() -> Any:
                if watch._forbidden and not looks:
                    looks.append(None)
                    server.release("DATA")
                    assert wrapper.left.wait(PATIENCE)
                return current_frames()

            call = asyncio.ensure_future(bridge(wrapper, executor=executor).send("bert@example.org"))
            await server.held("DATA")
            with mock.patch.object(watch.sys, "_current_frames", late):
                await cancelled(call)
            # The server waits for a content. What the wrapper says next on this session would be taken for it.
            await server.connected(0)
            assert server.messages == []


class Telling(smtplib.SMTP):
    """Does something after each delivery, such as writing to a log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.delivered, self.told = threading.Event(), threading.Event()
        super().__init__(*args, **kwargs)

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        refused = super().sendmail(*args, **kwargs)
        self.delivered.set()
        assert self.told.wait(PATIENCE)
        return refused


async def test_what_was_delivered_is_not_told_to_be_in_the_envelope() -> None:
    configure(cancel_grace=0)
    message = EmailMessage()
    message["From"], message["To"] = SENDER, "bert@example.org"
    with SMTPTestServer() as server:
        async with BoundedExecutor(1) as executor:
            smtp = await AsyncSMTP("localhost", server.port, smtp_class=Telling, executor=executor)
            session: Any = smtp.__wrapped__
            with opened_at_the_end(session.told):
                call = asyncio.ensure_future(smtp.send_message(message))
                await is_set(session.delivered)
                known = await cancelled(call)
            await smtp.close()
        assert len(server.messages) == 1
    assert known.phase is None or known.phase in UNKNOWN


async def test_a_content_that_a_wrapper_sent_verb_by_verb_is_not_told_to_be_between_messages(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with SMTPTestServer(faults=[hold("after content", keep=True)]) as server:
        async with closed(VerbByVerb(server.port)) as wrapper, BoundedExecutor(1) as executor:
            wrapper.rendered.set()
            call = asyncio.ensure_future(bridge(wrapper, executor=executor).stream("bert@example.org", "x"))
            await server.held("after content")
            known = await cancelled(call)
        assert len(server.messages) == 1
    assert known.phase is None or known.phase in UNKNOWN
    assert "between messages" not in caplog.text
