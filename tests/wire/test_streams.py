"""A stream of messages: the next envelope goes with the content before it, and each message has its own answer."""

from __future__ import annotations

import queue
import smtplib
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, DeliveryUnknown, Outcome, PipelinedSMTP, classify
from asyncsmtp_bridge.phase import Phase
from tests.servers import Mailbox, Talk, smtp_server

from .scripts import EXTENSIONS, SENDER, TO, accept, connected, envelope, leave, message, say, serving


def kinds(answers: list[Any]) -> list[Any]:
    return [type(each) if isinstance(each, Exception) else each for each in answers]


def test_the_next_envelope_is_sent_with_the_content() -> None:
    contents = []

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        for _ in range(3):
            contents.append(talk.content())
            envelope(talk)  # before the content has its reply
            say(talk, "250 accepted", "250 sender", "250 recipient", "354 go on")
        contents.append(talk.content())
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        answers = list(smtp.send_stream([message(number) for number in range(4)]))
    assert answers == [{}, {}, {}, {}]
    assert [f"<{number}@example.com>".encode() in content for number, content in enumerate(contents)] == [True] * 4


def test_an_answer_is_given_before_the_next_message_has_its_own() -> None:
    may_answer = threading.Event()

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        talk.say("250 accepted")
        may_answer.wait(20)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        stream = smtp.send_stream([message(1), message(2)])
        assert next(stream) == {}
        may_answer.set()
        assert list(stream) == [{}]


def test_a_message_may_be_a_tuple_of_what_sendmail_takes() -> None:
    mailbox = Mailbox(refused={"no@example.org": "550 5.1.1 unknown"})
    with smtp_server(mailbox) as server, PipelinedSMTP("127.0.0.1", server.port) as smtp:
        answers = list(
            smtp.send_stream(
                [
                    (SENDER, [TO, "no@example.org"], "Subject: 1\n\n"),
                    (SENDER, TO, b"Subject: 2\r\n\r\n", ["BODY=8BITMIME"]),
                    (SENDER, TO, message(3), [], []),
                    message(4),
                ]
            )
        )
    assert answers == [{"no@example.org": (550, b"5.1.1 unknown")}, {}, {}, {}]
    assert [body.partition(b"Subject: ")[2][:9] for body in mailbox.bodies] == [
        b"1\r\n\r\n",
        b"2\r\n\r\n",
        b"message 3",
        b"message 4",
    ]


def test_an_error_in_one_never_spills_into_the_next() -> None:
    mailbox = Mailbox(refused={"no@example.org": "550 5.1.1 unknown"})
    with smtp_server(mailbox, data_size_limit=5000) as server, PipelinedSMTP("127.0.0.1", server.port) as smtp:
        smtp.ehlo()
        smtp.esmtp_features["pipelining"] = ""  # aiosmtpd can do it, and does not say so
        items: list[Any] = [
            message(0),
            (SENDER, "no@example.org", message(1)),
            message(2),
            (SENDER, "a@example.org> SIZE=1", message(3)),
            message(4),
            (SENDER, TO, "ü"),
            (SENDER, TO, message(6, "x" * 10_000)),
            message(7),
            "what",
            (SENDER, TO),
            (SENDER, [], message(10)),
            message(11),
        ]
        answers = list(smtp.send_stream(items))
    assert kinds(answers) == [
        {},
        smtplib.SMTPRecipientsRefused,
        {},
        ValueError,
        {},
        UnicodeEncodeError,
        smtplib.SMTPSenderRefused,
        {},
        TypeError,
        TypeError,
        smtplib.SMTPRecipientsRefused,
        {},
    ]
    assert [body.partition(b"Subject: ")[2][:10].strip() for body in mailbox.bodies] == [
        b"message 0",
        b"message 2",
        b"message 4",
        b"message 7",
        b"message 11",
    ]
    assert {classify(each).outcome for each in answers if isinstance(each, Exception)} == {Outcome.PERMANENT}


@pytest.mark.parametrize("data", ["554 no valid recipients", "354 go on"])
def test_after_a_refusal_what_ends_it_goes_with_the_next_envelope(data: str) -> None:
    contents = []

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "550 no", data)
        talk.expect("." if data.startswith("354") else "RSET")
        envelope(talk)  # before that has its reply
        say(talk, "554 nothing" if data.startswith("354") else "250 reset", "250 sender", "250 recipient", "354 go on")
        contents.append(talk.content())
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        answers = list(smtp.send_stream([message(1), message(2)]))
    assert kinds(answers) == [smtplib.SMTPRecipientsRefused, {}]
    assert b"<2@example.com>" in contents[0]


def test_a_refused_content_is_an_answer_and_the_next_message_goes_on() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        say(talk, "554 5.7.1 spam", "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        assert kinds(list(smtp.send_stream([message(1), message(2)]))) == [smtplib.SMTPDataError, {}]


def test_after_two_refused_messages_commands_go_out_one_by_one_until_one_is_accepted() -> None:
    """Servers count errors, and of a pipelined envelope whose sender is refused each command is one."""

    def script(talk: Talk) -> None:
        for number in range(2):
            envelope(talk)
            if number:
                talk.connection.setblocking(False)
                with pytest.raises(BlockingIOError):
                    talk.connection.recv(1)
                talk.connection.setblocking(True)
            say(talk, "550 no", "503 no sender", "503 no sender")
        for reply in ("550 no", "250 sender"):
            talk.expect("MAIL")
            talk.say(reply)
        talk.expect("RCPT")
        talk.say("250 recipient")
        talk.expect("DATA")
        talk.say("354 go on")
        talk.content()
        talk.say("250 accepted")
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        answers = list(smtp.send_stream([message(number) for number in range(5)]))
    assert kinds(answers) == [smtplib.SMTPSenderRefused] * 3 + [{}] * 2


def test_nobody_waits_for_a_message_that_is_not_at_hand() -> None:
    """The source says None while the first message is under way, and is asked again when that has its answer."""
    was_asked = []
    accepted = threading.Event()

    def source() -> Iterator[Any]:
        yield message(1)
        was_asked.append(accepted.is_set())
        yield None
        was_asked.append(accepted.is_set())
        yield None  # it may say so as often as it likes
        yield message(2)

    def script(talk: Talk) -> None:
        accept(talk)
        accepted.set()
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        stream = smtp.send_stream(source())
        assert next(stream) == {}
        assert accepted.wait(20)
        assert list(stream) == [{}]
    assert was_asked == [False, True]


def test_several_sessions_take_their_messages_from_one_queue() -> None:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for number in range(60):
        waiting.put(message(number))

    def source() -> Iterator[Any]:
        with suppress(queue.Empty):
            while True:
                yield waiting.get_nowait()

    answers: list[Any] = []

    def send(port: int) -> None:
        with PipelinedSMTP("127.0.0.1", port) as smtp:
            smtp.ehlo()
            smtp.esmtp_features["pipelining"] = ""
            answers.extend(smtp.send_stream(source()))

    mailbox = Mailbox()
    with smtp_server(mailbox) as server:
        threads = [threading.Thread(target=send, args=(server.port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [{}] * 60
    assert len(mailbox.bodies) == 60
    assert len({body.partition(b"Message-ID: ")[2].split()[0] for body in mailbox.bodies}) == 60


def test_what_a_source_raises_comes_after_the_answers() -> None:
    def source() -> Iterator[Any]:
        yield message(1)
        raise LookupError("the database is gone")

    def script(talk: Talk) -> None:
        accept(talk)
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        stream = smtp.send_stream(source())
        assert next(stream) == {}
        with pytest.raises(LookupError, match="database"):
            next(stream)
        assert smtp.send_message(message(2)) == {}


def test_when_the_connection_ends_each_message_that_is_left_has_an_answer() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        # and not a word of the content

    with serving(script) as server, connected(server) as smtp:
        answers: list[Any] = list(smtp.send_stream([message(number) for number in range(4)]))
    assert kinds(answers) == [DeliveryUnknown, *[smtplib.SMTPServerDisconnected] * 3]
    assert [classify(each).outcome for each in answers] == [Outcome.UNKNOWN, *[Outcome.TRANSIENT] * 3]
    assert classify(answers[0]).phase is Phase.CONTENT_SENT
    assert classify(answers[1]).phase is Phase.ENVELOPE
    assert answers[0].message_id == "<0@example.com>"


def test_a_source_can_end_with_the_connection() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "421 closing")

    with serving(script) as server, connected(server) as smtp:

        def source() -> Iterator[Any]:
            yield message(0)
            while smtp.sock is not None:
                yield message(1)

        assert kinds(list(smtp.send_stream(source()))) == [smtplib.SMTPSenderRefused]


def test_a_source_can_connect_again_when_the_connection_has_ended() -> None:
    """What was sent of the message before is nothing to the new connection, and that message was not delivered."""
    contents = []
    connections = iter((0, 1))

    def script(talk: Talk) -> None:
        if next(connections):
            contents.append(accept(talk))
            leave(talk)
        else:
            envelope(talk)
            say(talk, "250 sender", "250 recipient", "354 go on")
            talk.content()
            envelope(talk)

    with serving(script) as server, connected(server) as smtp:
        answers = []
        for answer in smtp.send_stream([message(number) for number in range(3)]):
            answers.append(answer)
            if smtp.sock is None:
                smtp.connect("127.0.0.1", server.port)
                smtp.ehlo()
    assert kinds(answers) == [DeliveryUnknown, smtplib.SMTPServerDisconnected, {}]
    assert [b"<2@example.com>" in content for content in contents] == [True]


def test_a_source_can_give_no_commands_in_the_middle_of_a_message() -> None:
    def script(talk: Talk) -> None:
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:

        def source() -> Iterator[Any]:
            yield message(0)
            smtp.noop()
            yield message(1)

        stream = smtp.send_stream(source())
        assert next(stream) == {}
        with pytest.raises(RuntimeError, match="stream"):
            next(stream)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_a_source_is_interrupted_by_closes_the_connection(kind: type[BaseException]) -> None:
    """The server waits for a content: whatever was said next would be one."""

    def source() -> Iterator[Any]:
        yield message(0)
        raise kind

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.wait_for_the_end()

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(kind):
            list(smtp.send_stream(source()))
        assert smtp.sock is None


@pytest.mark.parametrize("one", [message(), "Subject: x\n\n", b"Subject: x\r\n\r\n"])
def test_one_message_is_no_stream(one: Any) -> None:
    with pytest.raises(TypeError, match="send_message"):
        next(PipelinedSMTP().send_stream(one))


def test_a_deadline_does_not_count_what_the_source_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("asyncsmtp_bridge.connection.monotonic", lambda: now[0])

    def source() -> Iterator[Any]:
        for number in range(3):
            now[0] += 100
            yield message(number)

    with smtp_server(Mailbox()) as server, PipelinedSMTP("127.0.0.1", server.port, deadline=60) as smtp:
        smtp.ehlo()
        smtp.esmtp_features["pipelining"] = ""
        assert list(smtp.send_stream(source())) == [{}] * 3


def test_a_session_that_was_never_connected_takes_no_message() -> None:
    taken = []

    def source() -> Iterator[Any]:
        taken.append(1)
        yield message()

    with pytest.raises(smtplib.SMTPServerDisconnected, match=r"connect\(\) first"):
        next(PipelinedSMTP().send_stream(source()))
    assert not taken


def test_leaving_a_stream_in_the_middle_closes_the_connection() -> None:
    has_ended = threading.Event()

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        try:
            say(talk, "250 accepted", "250 sender", "250 recipient", "354 go on")
            talk.wait_for_the_end()
        finally:  # it may have gone before all is said
            has_ended.set()

    with serving(script) as server, connected(server) as smtp:
        for answer in smtp.send_stream([message(1), message(2)]):
            assert answer == {}
            break
        assert smtp.sock is None
        assert has_ended.wait(20)


def test_leaving_it_where_nothing_is_under_way_leaves_the_session_usable() -> None:
    def script(talk: Talk) -> None:
        accept(talk)
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        for _ in smtp.send_stream(iter([message(1), None, message(2)])):
            break
        assert smtp.send_message(message(3)) == {}


def test_between_two_answers_no_other_command_can_be_given() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        say(talk, "250 accepted", "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        stream = smtp.send_stream([message(1), message(2)])
        assert next(stream) == {}
        for command in (smtp.noop, lambda: smtp.send_message(message(3))):
            with pytest.raises(RuntimeError, match="stream"):
                command()
        assert list(stream) == [{}]


def test_quitting_in_the_middle_of_a_stream_ends_it() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        envelope(talk)
        say(talk, "250 accepted", "250 sender", "250 recipient", "354 go on")
        talk.wait_for_the_end()

    with serving(script) as server, connected(server) as smtp:
        stream = smtp.send_stream([message(1), message(2)])
        assert next(stream) == {}
        smtp.quit()
        assert kinds(list(stream)) == [smtplib.SMTPServerDisconnected]


@pytest.mark.parametrize("is_offered", [True, False])
def test_where_it_is_not_offered_messages_follow_one_another(is_offered: bool) -> None:
    def script(talk: Talk) -> None:
        accept_in_step(talk, "550 no")
        talk.expect("RSET")
        talk.say("250 reset")
        accept_in_step(talk)
        leave(talk)

    def accept_in_step(talk: Talk, reply: str = "250 recipient") -> None:
        for verb, said in (("MAIL", "250 sender"), ("RCPT", reply)):
            talk.expect(verb)
            talk.say(said)
        if reply.startswith("250"):
            talk.expect("DATA")
            talk.say("354 go on")
            talk.content()
            talk.say("250 accepted")

    extensions = EXTENSIONS if is_offered else EXTENSIONS[1:]
    with serving(script, extensions) as server, connected(server, pipelining=not is_offered) as smtp:
        answers = list(smtp.send_stream([message(1), message(2)]))
    assert kinds(answers) == [smtplib.SMTPRecipientsRefused, {}]


async def test_a_mirror_gives_the_answers_one_by_one() -> None:
    mailbox = Mailbox(refused={"no@example.org": "550 5.1.1 unknown"})
    with smtp_server(mailbox) as server:
        async with AsyncSMTP("127.0.0.1", server.port, smtp_class=PipelinedSMTP) as smtp:
            stream: Any = getattr(smtp, "send_stream")  # noqa: B009 - of the class that is passed
            items = [message(1), (SENDER, "no@example.org", message(2)), message(3)]
            assert kinds([answer async for answer in stream(items)]) == [{}, smtplib.SMTPRecipientsRefused, {}]
    assert len(mailbox.bodies) == 2
