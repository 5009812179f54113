"""One message over a session that is pipelined: what is written together, and what replies mean (RFC 2920)."""

from __future__ import annotations

import smtplib
import socket
from typing import Any

import pytest

from asyncsmtp_bridge import Outcome, PipelinedSMTP, classify
from asyncsmtp_bridge.transaction import PORTION
from tests.servers import Mailbox, ScriptedServer, Talk, smtp_server

from .scripts import EXTENSIONS, SENDER, TO, accept, connected, envelope, hello, leave, message, say, serving

CONTENT = b"Subject: x\r\n\r\nhello\r\n"


def test_an_envelope_is_sent_without_waiting_for_a_reply() -> None:
    contents = []

    def script(talk: Talk) -> None:
        contents.append(accept(talk, recipients=2))
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        assert smtp.sendmail(SENDER, [TO, "other@example.org"], CONTENT) == {}
    assert contents == [CONTENT]
    assert server.received[1:5] == [
        b"MAIL FROM:<from@example.com> SIZE=%d" % len(CONTENT),
        b"RCPT TO:<to@example.org>",
        b"RCPT TO:<other@example.org>",
        b"DATA",
    ]


def test_it_is_sent_in_one_write() -> None:
    received = []

    def script(talk: Talk) -> None:
        received.append(talk.connection.recv(65536))

    with serving(script) as server, pytest.raises(smtplib.SMTPServerDisconnected), connected(server) as smtp:
        smtp.sendmail(SENDER, TO, CONTENT)
    assert received[0].count(b"\r\n") == 3


def test_refused_recipients_are_returned_and_the_others_get_the_message() -> None:
    def script(talk: Talk) -> None:
        envelope(talk, 3)
        say(talk, "250 sender", "550 5.1.1 unknown", "250 recipient", "452 4.2.2 full", "354 go on")
        talk.content()
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        refused = smtp.sendmail(SENDER, ["a@example.org", "b@example.org", "c@example.org"], CONTENT)
    assert refused == {"a@example.org": (550, b"5.1.1 unknown"), "c@example.org": (452, b"4.2.2 full")}
    assert [each.outcome for each in classify(refused).values()] == [Outcome.PERMANENT, Outcome.TRANSIENT]


def test_when_all_are_refused_and_data_too_the_transaction_is_reset() -> None:
    def script(talk: Talk) -> None:
        envelope(talk, 2)
        say(talk, "250 sender", "550 no", "550 no", "554 no valid recipients")
        talk.expect("RSET")
        talk.say("250 reset")
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(SENDER, ["a@example.org", "b@example.org"], CONTENT)
        assert list(caught.value.recipients) == ["a@example.org", "b@example.org"]
        assert classify(caught.value).outcome is Outcome.PERMANENT
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}


def test_when_all_are_refused_and_the_server_wants_a_content_nevertheless_it_gets_an_empty_one() -> None:
    contents = []

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "550 no", "354 go on")
        contents.append(talk.content())
        talk.say("554 no valid recipients")
        contents.append(accept(talk))
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail(SENDER, TO, CONTENT)
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}
    assert contents == [b"", CONTENT]


@pytest.mark.parametrize("data", ["503 no sender", "354 go on"])
def test_a_refused_sender_leaves_the_session_ready_for_the_next_message(data: str) -> None:
    contents = []

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "451 4.7.1 greylisted", "503 no sender", data)
        if data.startswith("354"):
            contents.append(talk.content())
            talk.say("554 nothing")
        contents.append(accept(talk))
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            smtp.sendmail(SENDER, TO, CONTENT)
        assert (caught.value.smtp_code, caught.value.smtp_error) == (451, b"4.7.1 greylisted")
        assert caught.value.sender == SENDER
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}
    assert contents[-1] == CONTENT
    assert not any(contents[:-1])


def test_refused_data_is_an_error_and_the_transaction_is_reset() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "451 not now")
        talk.expect("RSET")
        talk.say("250 reset")
        leave(talk)

    with serving(script) as server, connected(server) as smtp, pytest.raises(smtplib.SMTPDataError) as caught:
        smtp.sendmail(SENDER, TO, CONTENT)
    failure = classify(caught.value)
    assert (failure.outcome, failure.code) == (Outcome.TRANSIENT, 451)


def test_a_refused_content_ends_the_transaction_by_itself() -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on")
        talk.content()
        talk.say("554 5.7.1 spam")
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            smtp.sendmail(SENDER, TO, CONTENT)
        assert classify(caught.value).enhanced_code == "5.7.1"
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (["421 closing"], smtplib.SMTPSenderRefused),
        (["250 sender", "421 closing"], smtplib.SMTPRecipientsRefused),
        (["250 sender", "250 recipient", "421 closing"], smtplib.SMTPDataError),
    ],
)
def test_421_closes_the_connection(replies: list[str], kind: type[Exception]) -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, *replies)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(kind) as caught:
            smtp.sendmail(SENDER, TO, CONTENT)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        assert smtp.sock is None
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()


@pytest.mark.parametrize("reply", ["250", "250 ok", "999 what", "what", "", "35x go on"])
def test_a_reply_to_data_that_is_none_closes_the_connection(reply: str) -> None:
    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", reply)
        talk.wait_for_the_end()

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.sendmail(SENDER, TO, CONTENT)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        assert smtp.sock is None
    assert server.received[-1] == b"DATA"


def test_a_reply_to_the_content_that_comes_before_it_is_none() -> None:
    """A server, or something in between, says one too many: the next reply would be taken for another command's."""

    def script(talk: Talk) -> None:
        envelope(talk)
        say(talk, "250 sender", "250 recipient", "354 go on\r\n250 accepted")
        talk.wait_for_the_end()

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.sendmail(SENDER, TO, CONTENT)
        assert classify(caught.value).outcome is Outcome.TRANSIENT
        assert smtp.sock is None


def test_any_reply_of_success_is_a_yes() -> None:
    def script(talk: Talk) -> None:
        envelope(talk, 2)
        say(talk, "251 sender", "251 will forward", "252 will try", "354 go on")
        talk.content()
        talk.say("200 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        assert smtp.sendmail(SENDER, ["a@example.org", "b@example.org"], CONTENT) == {}


def test_many_recipients_go_out_in_portions_that_fit_into_a_window() -> None:
    addresses = [f"recipient-{number}@example.org" for number in range(700)]
    sizes = []

    def script(talk: Talk) -> None:
        named = 0
        lines = [talk.expect("MAIL")]
        while not lines[-1].startswith(b"DATA"):
            # Only what the client has sent without a reply: it waits when this is read.
            while sum(map(len, lines)) <= PORTION and not lines[-1].startswith(b"DATA"):
                lines.append(talk.expect())
            sizes.append(sum(map(len, lines)))
            for line in lines:
                is_data = line.startswith(b"DATA")
                is_refused = line.startswith(b"RCPT") and (named := named + 1) % 100 == 0
                talk.say("354 go on" if is_data else "550 no" if is_refused else "250 ok")
            if not lines[-1].startswith(b"DATA"):
                lines = [talk.expect()]
        talk.content()
        talk.say("250 accepted")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        refused = smtp.sendmail(SENDER, addresses, CONTENT)
    assert list(refused) == addresses[99::100]
    assert len(sizes) > 4
    assert max(sizes) < PORTION + 100
    assert sum(line.startswith(b"RCPT") for line in server.received) == len(addresses)


def test_where_the_sender_is_refused_no_more_recipients_are_named() -> None:
    def script(talk: Talk) -> None:
        size = len(talk.expect("MAIL"))
        talk.say("550 no")
        while size <= PORTION:
            size += len(talk.expect("RCPT"))
            talk.say("503 no sender")
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(SENDER, [f"recipient-{number}@example.org" for number in range(300)], CONTENT)
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}


# Without it.


def in_step(talk: Talk) -> bytes:
    """Take a message, and refuse what comes before its turn."""
    for verb, reply in (("MAIL", "250 sender"), ("RCPT", "250 recipient"), ("DATA", "354 go on")):
        talk.expect(verb)
        talk.connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            talk.connection.recv(1)
        talk.connection.setblocking(True)
        talk.say(reply)
    content = talk.content()
    talk.say("250 accepted")
    return content


@pytest.mark.parametrize("is_offered", [False, True])
def test_where_it_is_not_offered_or_not_wanted_each_command_waits_for_its_reply(is_offered: bool) -> None:
    contents = []

    def script(talk: Talk) -> None:
        contents.append(in_step(talk))
        contents.append(in_step(talk))
        leave(talk)

    extensions = EXTENSIONS if is_offered else EXTENSIONS[1:]
    with serving(script, extensions) as server, connected(server, pipelining=not is_offered) as smtp:
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}
        assert list(smtp.send_stream([(SENDER, TO, CONTENT)])) == [{}]
    assert contents == [CONTENT, CONTENT]


def test_a_server_that_knows_no_ehlo_gets_messages_too() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 here")
        talk.expect("EHLO")
        talk.say("500 what")
        talk.expect("HELO")
        talk.say("250 hello")
        in_step(talk)
        leave(talk)

    with ScriptedServer(script) as server, connected(server) as smtp:
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}
    assert b"MAIL FROM:<from@example.com>" in server.received


def test_commands_of_a_subclass_are_called() -> None:
    class Corp(PipelinedSMTP):
        named: list[str]

        def rcpt(self, recip: str, options: Any = ()) -> tuple[int, bytes]:
            self.named.append(recip)
            return super().rcpt(recip, options)

    def script(talk: Talk) -> None:
        in_step(talk)
        leave(talk)

    with serving(script) as server, Corp("127.0.0.1", server.port) as smtp:
        smtp.named = []
        smtp.sendmail(SENDER, TO, CONTENT)
    assert smtp.named == [TO]


def test_commands_can_be_given_one_by_one() -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox) as server, PipelinedSMTP("127.0.0.1", server.port) as smtp:
        smtp.ehlo()
        assert smtp.mail(SENDER)[0] == 250
        assert smtp.rcpt(TO)[0] == 250
        assert smtp.data("Subject: x\n\n.hello\n")[0] == 250
        assert smtp.docmd("NOOP")[0] == 250
    assert mailbox.bodies == [b"Subject: x\r\n\r\n.hello\r\n"]


def test_data_alone_is_refused_as_by_smtplib() -> None:
    def script(talk: Talk) -> None:
        talk.expect("DATA")
        talk.say("503 no sender")
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        smtp.ehlo()
        with pytest.raises(smtplib.SMTPDataError):
            smtp.data(CONTENT)


def test_a_message_that_cannot_be_rendered_leaves_the_session_usable() -> None:
    def script(talk: Talk) -> None:
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        with pytest.raises(UnicodeEncodeError):
            smtp.sendmail(SENDER, TO, "Subject: ü\n\n")
        with pytest.raises(ValueError, match="line"):
            smtp.sendmail(SENDER, TO, b"Subject: x\r\n\r\nhello\n.\r\n")
        with pytest.raises(TypeError):
            smtp.sendmail(SENDER, TO, 7)
        assert smtp.sendmail(SENDER, TO, CONTENT) == {}


def test_debugging_shows_what_smtplib_shows(capsys: pytest.CaptureFixture[str]) -> None:
    def script(talk: Talk) -> None:
        accept(talk)
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        smtp.set_debuglevel(1)
        smtp.send_message(message())
    shown = capsys.readouterr().err
    assert "send: 'ehlo " in shown.lower()
    assert "reply: retcode (250); Msg: b'accepted'" in shown


def test_small_writes_do_not_wait_for_each_other() -> None:
    def script(talk: Talk) -> None:
        leave(talk)

    with serving(script) as server, connected(server) as smtp:
        assert smtp.sock is not None
        assert smtp.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        smtp.ehlo()


def test_a_name_says_what_it_is_connected_to() -> None:
    def script(talk: Talk) -> None:
        hello(talk)
        leave(talk)

    assert repr(PipelinedSMTP()) == "<PipelinedSMTP without host, not connected>"
    with ScriptedServer(script) as server:
        smtp = connected(server)
        smtp.ehlo()
        assert repr(smtp) == "<PipelinedSMTP 127.0.0.1, connected>"
        smtp.quit()
        assert repr(smtp) == "<PipelinedSMTP 127.0.0.1, not connected>"
