"""Sessions that are not quite as they were made: subclasses, mixins, methods that were put into an object, sockets."""

from __future__ import annotations

import gc
import smtplib
import socket
import weakref
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncSMTP, DeliveryUnknown, PipelinedLMTP, PipelinedSMTP, retry_testing, retry_transient
from asyncsmtp_bridge.envelope import path_of
from tests.servers import Mailbox, ScriptedServer, Server, Talk, smtp_server

from .scripts import SENDER, TO, accept, connected, envelope, hello, leave, message, say, serving

SANDBOX = "sandbox@example.org"


@pytest.fixture
def server() -> Iterator[Server]:
    with smtp_server(Mailbox()) as server:
        yield server


class SandboxedRecipients:
    """A mixin that lets no mail out."""

    def rcpt(self, recip: str, options: Any = ()) -> Any:
        return super().rcpt(SANDBOX, options)  # type: ignore[misc]


class SandboxedMail:
    def sendmail(self, from_addr: str, to_addrs: Any, msg: Any, *options: Any, **named: Any) -> Any:
        assert isinstance(msg, bytes)
        return super().sendmail(from_addr, [SANDBOX], msg, *options, **named)  # type: ignore[misc]


class RecipientsMixed(SandboxedRecipients, PipelinedSMTP): ...


class MailMixed(SandboxedMail, PipelinedSMTP): ...


class MailOverridden(PipelinedSMTP):
    def sendmail(self, from_addr: str, to_addrs: Any, msg: Any, *options: Any, **named: Any) -> Any:
        return super().sendmail(from_addr, [SANDBOX], msg, *options, **named)


class MessageOverridden(PipelinedSMTP):
    def send_message(self, msg: Any, from_addr: Any = None, to_addrs: Any = None, *options: Any, **named: Any) -> Any:
        return super().send_message(msg, from_addr, [SANDBOX], *options, **named)


@pytest.mark.parametrize("kind", [RecipientsMixed, MailMixed, MailOverridden, MessageOverridden])
@pytest.mark.parametrize("way", ["send_message", "send_stream"])
def test_what_a_subclass_overrides_is_called(kind: type[PipelinedSMTP], way: str, server: Server) -> None:
    with kind("127.0.0.1", server.port) as smtp:
        smtp.ehlo()
        smtp.esmtp_features["pipelining"] = ""
        if way == "send_message":
            smtp.send_message(message())
        else:
            assert list(smtp.send_stream([message(), None, message()])) == [{}, {}]
    assert set(server.mailbox.recipients) == {SANDBOX}


def test_what_is_put_into_an_object_is_called(server: Server) -> None:
    with PipelinedSMTP("127.0.0.1", server.port) as smtp:
        smtp.ehlo()
        smtp.esmtp_features["pipelining"] = ""
        genuine = smtp.rcpt
        with mock.patch.object(smtp, "rcpt", lambda _, options=(): genuine(SANDBOX, options)):
            smtp.send_message(message())
    assert server.mailbox.recipients == [SANDBOX]


def test_data_of_a_subclass_gets_octets(server: Server) -> None:
    class Stamping(PipelinedSMTP):
        def data(self, msg: Any) -> Any:
            return super().data(b"X-Stamp: 1\r\n" + msg)

    with Stamping("127.0.0.1", server.port) as smtp:
        smtp.send_message(message(body="..dots\n"))
    assert server.mailbox.bodies[0].startswith(b"X-Stamp: 1\r\nFrom: ")
    assert server.mailbox.bodies[0].endswith(b"\r\n..dots\r\n")


def test_commands_of_a_subclass_over_lmtp_have_a_reply_for_each_recipient() -> None:
    class Logging(PipelinedLMTP):
        def rcpt(self, recip: str, options: Any = ()) -> Any:
            return super().rcpt(recip, options)

        def data(self, msg: Any) -> Any:
            return super().data(msg)

    def script(talk: Talk) -> None:
        talk.say("220 here")
        talk.expect("LHLO")
        talk.say("250 here")
        for verb, reply in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")):
            talk.expect(verb)
            talk.say(reply)
        talk.content()
        say(talk, "250 ok", "550 5.2.2 full")
        talk.expect("NOOP")
        talk.say("250 in step")

    with ScriptedServer(script) as server, Logging("127.0.0.1", server.port) as lmtp:
        assert lmtp.sendmail(SENDER, [TO, "b@example.org"], "x") == {"b@example.org": (550, b"5.2.2 full")}
        assert lmtp.noop() == (250, b"in step")


def test_a_subclass_that_connects_by_itself_sends_messages_as_they_are() -> None:
    class Own(PipelinedSMTP):
        def connect(self, host: str = "", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
            self.sock = socket.create_connection((host, port))
            return self.getreply()

    contents = []

    def script(talk: Talk) -> None:
        contents.append(accept(talk))
        leave(talk)

    with serving(script) as server, Own("127.0.0.1", server.port) as smtp:
        assert smtp.send_message(message()) == {}
    assert contents[0].startswith(b"From: ")


def test_a_subclass_that_sends_by_itself_is_told_what_is_certain() -> None:
    """How much of it has left, nobody knows."""

    class Own(PipelinedSMTP):
        def send(self, s: Any) -> None:
            assert self.sock is not None
            self.sock.sendall(s if isinstance(s, bytes) else s.encode())
            if s.endswith(b"\r\n.\r\n" if isinstance(s, bytes) else "\n.\n"):
                self.close()
                raise smtplib.SMTPServerDisconnected("lost")

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.wait_for_the_end()

    with serving(script) as server, Own("127.0.0.1", server.port) as smtp, pytest.raises(DeliveryUnknown):
        smtp.send_message(message())


def test_a_socket_may_be_only_like_one(server: Server) -> None:
    class Like:
        def __init__(self, sock: socket.socket) -> None:
            self.send, self.recv, self.close = sock.send, sock.recv, sock.close
            self.settimeout, self.gettimeout = sock.settimeout, sock.gettimeout

    class Proxied(PipelinedSMTP):
        def _get_socket(self, host: str, port: int, timeout: Any) -> Any:
            return Like(super()._get_socket(host, port, timeout))

    with Proxied("127.0.0.1", server.port) as smtp:
        assert smtp.send_message(message()) == {}


def test_a_name_that_is_given_after_the_object_is_made_is_taken() -> None:
    def script(talk: Talk) -> None:
        hello(talk)
        leave(talk)

    with ScriptedServer(script) as server, PipelinedSMTP() as smtp:
        smtp.local_hostname = "mail.example.org"
        smtp.connect("127.0.0.1", server.port)
        smtp.ehlo()
    assert server.received[0] == b"ehlo mail.example.org"


def test_a_patched_smtplib_is_nothing_to_it(server: Server) -> None:
    with mock.patch("smtplib.SMTP"), PipelinedSMTP("127.0.0.1", server.port) as smtp:
        assert smtp.send_message(message()) == {}


def test_another_connection_in_the_middle_of_a_message_does_not_get_it() -> None:
    """A source that begins a new connection every few messages, in the middle of one: its content is no command."""
    heard = []

    def first(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.wait_for_the_end()

    def second(talk: Talk) -> None:
        hello(talk)
        heard.extend(envelope(talk))
        say(talk, "250 sender", "250 recipient", "354 go on")
        heard.append(talk.content())
        talk.say("250 accepted")
        leave(talk)

    with serving(first) as one, ScriptedServer(second) as other, connected(one) as smtp:

        def source() -> Iterator[Any]:
            yield message(1, "MAIL FROM:<forged@example.org>\n")
            smtp.close()
            smtp.connect("127.0.0.1", other.port)
            yield message(2)

        answers = list(smtp.send_stream(source()))
    assert [type(each) for each in answers] == [smtplib.SMTPServerDisconnected, dict]
    assert heard[0].startswith(b"MAIL FROM:<from@example.com>")
    assert b"<2@example.com>" in heard[-1]


# What is left behind.


class Tracked(EmailMessage):
    """One that can be seen to go."""


def tracked(number: int = 0) -> Tracked:
    made = Tracked()
    for name, value in message(number).items():
        made[name] = value
    return made


@pytest.mark.parametrize("replies", [["550 no"], ["250 ok", "550 no", "554 no"], ["250 ok", "250 ok", "554 no"], []])
def test_a_failed_message_is_let_go(replies: list[str]) -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, *replies)

    made = tracked()
    known = weakref.ref(made)
    gc.disable()
    try:
        with serving(script) as server, connected(server) as smtp:
            try:
                smtp.send_message(made)
            except smtplib.SMTPException:
                del made
            assert known() is None
    finally:
        gc.enable()


def test_a_stream_keeps_no_message_longer_than_it_is_under_way() -> None:
    known: list[weakref.ref[Tracked]] = []
    alive = []

    def source() -> Iterator[Any]:
        for number in range(4):
            alive.append(sum(each() is not None for each in known))
            made = tracked(number)
            known.append(weakref.ref(made))
            yield made
            del made

    with smtp_server(Mailbox()) as server, PipelinedSMTP("127.0.0.1", server.port) as smtp:
        smtp.ehlo()
        smtp.esmtp_features["pipelining"] = ""
        assert list(smtp.send_stream(source())) == [{}] * 4
    assert max(alive) <= 2


# With policies.


async def test_a_policy_sends_to_all_of_several_fields(server: Server) -> None:
    made = message()
    made._headers.append(("To", "to@example.org"))  # as only the older API lets one do
    made._headers.append(("To", "second@example.org"))
    async with AsyncSMTP("127.0.0.1", server.port, smtp_class=PipelinedSMTP, retry=retry_transient) as smtp:
        await smtp.send_message(made)
    assert set(server.mailbox.recipients) == {TO, "second@example.org"}


def test_an_empty_content_for_nobody_is_not_taken_for_a_message() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "450 4.2.0 greylisted", "354 go on")
        talk.content()
        talk.say("554 nobody")
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp, retry_testing():

        @retry_transient
        def send() -> Any:
            return smtp.send_message(message())

        assert send() == {}


def test_what_is_much_too_long_for_an_address_is_not_read() -> None:
    for odd in ("a" + " " * 3_000_000 + "b", "(" * 3_000_000, '"' * 3_000_000):  # which would take hours
        with pytest.raises(ValueError, match="address"):
            path_of(odd)
