"""What is known of a message when something goes wrong: here it is exact, since the session itself says so."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import (
    AsyncSMTP,
    DeliveryUnknown,
    Outcome,
    PipelinedSMTP,
    bridge,
    classify,
    retry_testing,
    retry_transient,
)
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.render import Content
from tests.servers import ScriptedServer, Talk

from .scripts import SENDER, TO, accept, connected, envelope, hello, leave, message, say, serving

LARGE = b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 400_000
"""More than any buffer between here and a server holds."""


def sent(server: ScriptedServer, content: bytes = b"Subject: x\r\n\r\n") -> Exception:
    with connected(server) as smtp, pytest.raises(OSError) as caught:  # noqa: PT011 - which, is what the tests look at
        smtp.sendmail(SENDER, TO, content)
    return caught.value


def told(error: BaseException) -> tuple[Outcome | None, Phase | None]:
    failure = classify(error)
    return failure.outcome, failure.phase


@pytest.mark.parametrize("replies", [[], ["250 sender"], ["250 sender", "250 recipient"]])
def test_a_connection_that_ends_before_the_content_leaves_nothing_behind(replies: list[str]) -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, *replies)

    with serving(script) as server:
        error = sent(server)
    assert type(error) is smtplib.SMTPServerDisconnected
    assert classify(error).outcome is Outcome.TRANSIENT


def test_a_content_that_was_not_sent_whole_is_not_delivered() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.connection.recv(1)
        # All that is left is thrown away, and the client gets to know of it.
        talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(script) as server:
        error = sent(server, LARGE)
    assert type(error) is smtplib.SMTPServerDisconnected
    assert told(error) == (Outcome.TRANSIENT, Phase.CONTENT_BEGUN)


@pytest.mark.parametrize("reply", [None, "2", "25", "999 what", "what", "354 go on", "100 wait"])
def test_a_content_without_a_proper_reply_may_have_been_delivered(reply: str | None) -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        if reply is not None:
            talk.say(reply)

    with serving(script) as server:
        error = sent(server, b"Message-ID: <1@example.com>\r\n\r\n")
    assert isinstance(error, DeliveryUnknown)
    assert (error.message_id, error.phase, error.recipients) == ("<1@example.com>", Phase.CONTENT_SENT, ())
    assert told(error) == (Outcome.UNKNOWN, Phase.CONTENT_SENT)
    assert isinstance(error, smtplib.SMTPServerDisconnected)
    assert "<1@example.com>" in str(error)


def test_who_was_refused_before_is_not_unknown() -> None:
    def script(talk: Talk) -> None:
        envelope(talk, 2)
        say(talk, "250 sender", "550 no", "250 recipient", "354 go on")
        talk.content()

    with serving(script) as server, connected(server) as smtp, pytest.raises(DeliveryUnknown) as caught:
        smtp.sendmail(SENDER, ["no@example.org", TO], b"Subject: x\r\n\r\n")
    assert caught.value.recipients == (TO,)
    assert caught.value.refused == {"no@example.org": (550, b"no")}


def test_a_reply_without_its_end_is_a_reply() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.connection.sendall(b"250")

    with serving(script) as server, connected(server) as smtp:
        assert smtp.sendmail(SENDER, TO, b"Subject: x\r\n\r\n") == {}


class Stopped(Exception):
    """Raised by a handler of a signal."""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signals")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Stopped, TimeoutError])
@pytest.mark.parametrize("is_large", [True, False], ids=["in the content", "after it"])
def test_what_a_handler_of_a_signal_raises_is_told_too(kind: type[BaseException], is_large: bool) -> None:
    def stop(*_: object) -> None:
        raise kind

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        if is_large:
            talk.connection.recv(1)
        else:
            talk.content()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        talk.wait_for_the_end()

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with serving(script) as server, connected(server) as smtp:
            with pytest.raises((kind, smtplib.SMTPServerDisconnected)) as caught:
                smtp.sendmail(SENDER, TO, LARGE if is_large else b"Subject: x\r\n\r\n")
            assert smtp.sock is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    failure = classify(caught.value)
    if is_large:
        assert failure.outcome in (Outcome.TRANSIENT, Outcome.PERMANENT)
        assert failure.phase is Phase.CONTENT_BEGUN
    else:
        assert failure.outcome is Outcome.UNKNOWN


def test_a_content_that_fails_while_it_is_made_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its end it is no message, and nothing else can be said in the middle of one."""

    def failing(_: Content) -> Any:
        yield b"Subject: x\r\n"
        raise LookupError("gone")

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.wait_for_the_end()

    monkeypatch.setattr(Content, "__iter__", failing)
    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(LookupError) as caught:
            smtp.send_message(message())
        assert smtp.sock is None
    assert told(caught.value) == (Outcome.PERMANENT, Phase.CONTENT_BEGUN)


def test_what_ended_before_is_not_said_to_have_ended_here() -> None:
    """Where one session has lost a message, another may be used: of the first transaction it knows nothing."""

    def lost_after_the_content(talk: Talk) -> None:
        talk.say("220 here")
        for verb, reply in (("EHLO", "250"), ("MAIL", "250"), ("RCPT", "250"), ("DATA", "354")):
            talk.expect(verb)
            talk.say(f"{reply} ok")
        talk.content()

    def lost_before(talk: Talk) -> None:
        envelope(talk)

    with ScriptedServer(lost_after_the_content) as primary, serving(lost_before) as fallback:
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            try:
                with smtplib.SMTP("127.0.0.1", primary.port, local_hostname="x") as smtp:
                    smtp.send_message(message())
            except smtplib.SMTPServerDisconnected:
                with connected(fallback) as other:
                    other.send_message(message())
        assert classify(caught.value).outcome is Outcome.UNKNOWN


# Where it is aborted.

Script = Callable[[Talk, threading.Event, threading.Event], None]


def silent_after_the_content(talk: Talk, here: threading.Event, _: threading.Event) -> None:
    envelope(talk)
    say(talk, "250 sender", "250 recipient", "354 go on")
    talk.content()
    here.set()
    talk.wait_for_the_end()


def silent_after_the_envelope(talk: Talk, here: threading.Event, _: threading.Event) -> None:
    envelope(talk)
    here.set()
    talk.wait_for_the_end()


def silent_in_the_content(talk: Talk, here: threading.Event, over: threading.Event) -> None:
    envelope(talk)
    say(talk, "250 sender", "250 recipient", "354 go on")
    talk.connection.recv(1)
    here.set()
    over.wait(20)  # nothing is read, so that the client stays in the middle of it


@pytest.mark.parametrize(
    ("script", "content", "expected"),
    [
        (silent_after_the_envelope, b"Subject: x\r\n\r\n", Outcome.TRANSIENT),
        (silent_in_the_content, LARGE, Outcome.TRANSIENT),
        (silent_after_the_content, b"Subject: x\r\n\r\n", Outcome.UNKNOWN),
    ],
    ids=["envelope", "content", "reply"],
)
@pytest.mark.parametrize("way", ["mirror", "bridge", "stream"])
async def test_an_aborted_call_says_how_far_it_had_come(
    script: Script, content: bytes, expected: Outcome, way: str
) -> None:
    here, over = threading.Event(), threading.Event()
    with serving(lambda talk: script(talk, here, over)) as server:
        with connected(server) as existing:
            existing.ehlo()
            smtp: Any = AsyncSMTP.from_sync(existing) if way == "mirror" else bridge(Corp(existing))

            async def send() -> Any:
                if way == "stream":
                    return await smtp.stream(content)
                return await smtp.sendmail(SENDER, TO, content)

            call = asyncio.ensure_future(send())
            assert await asyncio.to_thread(here.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            over.set()
        assert classify(caught.value).outcome is expected
        assert existing.sock is None


class Corp:
    """An organisation's own wrapper."""

    def __init__(self, smtp: PipelinedSMTP) -> None:
        self._smtp = smtp

    def sendmail(self, *args: Any) -> Any:
        return self._smtp.sendmail(*args)

    def stream(self, content: bytes) -> Any:
        return list(self._smtp.send_stream([(SENDER, TO, content)]))


# Where it is tried again.


def several(*scripts: Callable[[Talk], None]) -> ScriptedServer:
    """A server that does with each connection what is scripted for it."""
    left = list(scripts)

    def script(talk: Talk) -> None:
        hello(talk)
        left.pop(0)(talk)

    return ScriptedServer(script)


def ending_after_data(talk: Talk) -> None:
    envelope(talk)


def ending_after_the_content(talk: Talk) -> None:
    envelope(talk)
    say(talk, "250 sender", "250 recipient", "354 go on")
    talk.content()


def accepting(talk: Talk) -> None:
    accept(talk)
    leave(talk)


def one_and_then_the_end(talk: Talk) -> None:
    accept(talk)
    envelope(talk)


def test_a_call_that_has_sent_nothing_is_tried_again() -> None:
    @retry_transient
    def send(port: int) -> Any:
        with PipelinedSMTP("127.0.0.1", port) as smtp:
            return smtp.send_message(message())

    with retry_testing(), several(ending_after_data, ending_after_data, accepting) as server:
        assert send(server.port) == {}
    assert sum(line == b"DATA" for line in server.received) == 3


def test_one_that_may_have_delivered_is_not() -> None:
    @retry_transient
    def send(port: int) -> Any:
        with PipelinedSMTP("127.0.0.1", port) as smtp:
            return smtp.send_message(message(7))

    with retry_testing(), several(ending_after_the_content) as server, pytest.raises(DeliveryUnknown) as caught:
        send(server.port)
    assert caught.value.message_id == "<7@example.com>"


@pytest.mark.parametrize("how", ["one by one", "stream"])
def test_one_that_has_sent_another_message_before_is_not(how: str) -> None:
    @retry_transient
    def send(port: int) -> None:
        with PipelinedSMTP("127.0.0.1", port) as smtp:
            if how == "stream":
                for answer in smtp.send_stream([message(1), None, message(2)]):
                    if isinstance(answer, Exception):
                        raise answer
            else:
                smtp.send_message(message(1))
                smtp.send_message(message(2))

    with retry_testing(), several(one_and_then_the_end) as server, pytest.raises(smtplib.SMTPException) as caught:
        send(server.port)
    failure = classify(caught.value)
    assert failure.outcome is Outcome.UNKNOWN
    assert failure.sent_before == ("<1@example.com>",)
    assert not isinstance(caught.value, smtplib.SMTPResponseException)


async def test_a_mirror_with_a_policy_sends_to_those_who_were_refused_for_now() -> None:
    def script(talk: Talk) -> None:
        envelope(talk, 2)
        say(talk, "250 sender", "250 recipient", "451 later", "354 go on")
        talk.content()
        talk.say("250 accepted")
        accept(talk)
        leave(talk)

    with retry_testing(), serving(script) as server:
        async with AsyncSMTP("127.0.0.1", server.port, smtp_class=PipelinedSMTP, retry=retry_transient) as smtp:
            assert await smtp.sendmail(SENDER, ["a@example.org", "b@example.org"], b"Subject: x\r\n\r\n") == {}
    assert [line for line in server.received if line.startswith(b"RCPT")] == [
        b"RCPT TO:<a@example.org>",
        b"RCPT TO:<b@example.org>",
        b"RCPT TO:<b@example.org>",
    ]
