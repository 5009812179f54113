"""LMTP (RFC 2033): after the content each recipient that was accepted has a reply of its own."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, DeliveryUnknown, Outcome, PipelinedLMTP, classify
from asyncsmtp_bridge import smtplib as async_smtplib
from tests.servers import ScriptedServer, Talk, lmtp_server
from tests.wire.talking import ANNA, BERT, CLEO, DORA, NAME, Post

FULL = "452 4.2.2 mailbox full"
NOBODY = "550 5.1.1 nobody"
both_ways = pytest.mark.parametrize("way", [(), ("PIPELINING",)], ids=["one by one", "pipelined"])
Way = tuple[str, ...]


def lmtp_to(post: Post) -> PipelinedLMTP:
    return PipelinedLMTP("localhost", post.port, NAME)


def listening_at(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


# The replies to a content.


@both_ways
def test_who_is_refused_after_the_content_is_among_the_refused(way: Way) -> None:
    with Post(*way, verdicts={CLEO: FULL}) as post, lmtp_to(post) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {CLEO: (452, b"4.2.2 mailbox full")}


@both_ways
def test_a_message_that_all_get_has_no_refused(way: Way) -> None:
    with Post(*way, verdicts={}) as post, lmtp_to(post) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {}
        assert post.contents == [b"x\r\n"]


@both_ways
def test_refusals_before_the_content_and_after_it_are_in_one(way: Way) -> None:
    answers = {f"RCPT TO:<{BERT}>": NOBODY}
    with Post(*way, answers=answers, verdicts={DORA: FULL}) as post, lmtp_to(post) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {
            BERT: (550, b"5.1.1 nobody"),
            DORA: (452, b"4.2.2 mailbox full"),
        }


@both_ways
def test_where_all_of_several_are_refused_after_the_content_they_are_named(way: Way) -> None:
    with Post(*way, verdicts={BERT: FULL, CLEO: NOBODY}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO], "x")
        assert caught.value.recipients == {BERT: (452, b"4.2.2 mailbox full"), CLEO: (550, b"5.1.1 nobody")}


@both_ways
def test_where_the_only_one_is_refused_after_the_content_the_content_is(way: Way) -> None:
    with Post(*way, verdicts={BERT: NOBODY}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            lmtp.sendmail(ANNA, BERT, "x")
        assert (caught.value.smtp_code, caught.value.smtp_error) == (550, b"5.1.1 nobody")


@both_ways
def test_where_nobody_gets_it_for_different_reasons_all_of_them_are_told(way: Way) -> None:
    answers = {f"RCPT TO:<{BERT}>": NOBODY}
    with Post(*way, answers=answers, verdicts={CLEO: FULL}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO], "x")
        assert caught.value.recipients == {BERT: (550, b"5.1.1 nobody"), CLEO: (452, b"4.2.2 mailbox full")}


@both_ways
def test_where_nobody_is_accepted_no_content_is_sent(way: Way) -> None:
    with Post(*way, answers={"RCPT": NOBODY}, verdicts={}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO], "x")
        assert set(caught.value.recipients) == {BERT, CLEO}
        assert post.contents == []


@both_ways
def test_where_nobody_is_accepted_the_next_message_is_in_step(way: Way) -> None:
    with Post(*way, answers={f"RCPT TO:<{BERT}>": NOBODY}, verdicts={}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            lmtp.sendmail(ANNA, BERT, "x")
        assert lmtp.sendmail(ANNA, [CLEO, DORA], "x") == {}


@pytest.mark.parametrize(
    "verdicts", [{}, {CLEO: FULL}, {BERT: FULL, CLEO: NOBODY, DORA: FULL}], ids=["all", "some", "none"]
)
@both_ways
def test_the_next_message_is_in_step(way: Way, verdicts: dict[str, str]) -> None:
    with Post(*way, verdicts=verdicts) as post, lmtp_to(post) as lmtp:
        for _ in range(3):
            try:
                refused = lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
            except smtplib.SMTPRecipientsRefused as error:
                refused = error.recipients
            assert {each: code for each, (code, _) in refused.items()} == {
                each: int(verdict[:3]) for each, verdict in verdicts.items()
            }
        assert lmtp.noop() == (250, b"OK")
        assert len(post.contents) == 3


@both_ways
def test_a_message_to_another_number_of_recipients_is_in_step(way: Way) -> None:
    with Post(*way, verdicts={CLEO: FULL}) as post, lmtp_to(post) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {CLEO: (452, b"4.2.2 mailbox full")}
        assert lmtp.sendmail(ANNA, [DORA], "x") == {}
        assert lmtp.sendmail(ANNA, [CLEO, BERT], "x") == {CLEO: (452, b"4.2.2 mailbox full")}


@both_ways
def test_replies_of_several_lines_belong_to_one_recipient_each(way: Way) -> None:
    with Post(*way, verdicts={BERT: "250-one\r\n250 two", CLEO: "550-no\r\n550 never"}) as post, lmtp_to(post) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {CLEO: (550, b"no\nnever")}


def test_a_stream_has_the_replies_of_each_message() -> None:
    with Post("PIPELINING", verdicts={CLEO: FULL}) as post, lmtp_to(post) as lmtp:
        answers = list(
            lmtp.send_stream(
                [(ANNA, [BERT, CLEO], "1"), (ANNA, [BERT, DORA], "2"), (ANNA, [CLEO], "3"), (ANNA, [BERT], "4")]
            )
        )
    assert answers[:2] == [{CLEO: (452, b"4.2.2 mailbox full")}, {}]
    assert isinstance(answers[2], smtplib.SMTPDataError)
    assert answers[3] == {}


@both_ways
def test_a_message_is_sent_to_each_of_its_recipients(way: Way) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = ANNA, f"{BERT}, {CLEO}", DORA
    message.set_content("Hello\n")
    with Post(*way, verdicts={DORA: FULL}) as post, lmtp_to(post) as lmtp:
        assert lmtp.send_message(message) == {DORA: (452, b"4.2.2 mailbox full")}


# Commands, one by one.


def test_commands_given_one_by_one_read_the_replies_of_all() -> None:
    with Post(verdicts={CLEO: FULL}) as post, lmtp_to(post) as lmtp:
        lmtp.ehlo()
        lmtp.mail(ANNA)
        for each in (BERT, CLEO, DORA):
            lmtp.rcpt(each)
        assert lmtp.data("x") == (452, b"4.2.2 mailbox full")
        assert lmtp.noop() == (250, b"OK")


def test_commands_given_one_by_one_read_no_reply_of_whom_was_refused() -> None:
    with Post(answers={f"RCPT TO:<{CLEO}>": NOBODY}, verdicts={}) as post, lmtp_to(post) as lmtp:
        lmtp.ehlo()
        lmtp.mail(ANNA)
        for each in (BERT, CLEO):
            lmtp.rcpt(each)
        assert lmtp.data("x")[0] == 250
        assert lmtp.noop() == (250, b"OK")


@pytest.mark.parametrize("anew", [lambda lmtp: lmtp.rset(), lambda lmtp: lmtp.ehlo()], ids=["RSET", "LHLO"])
def test_commands_given_one_by_one_can_begin_anew(anew: Callable[[PipelinedLMTP], object]) -> None:
    with Post(verdicts={}) as post, lmtp_to(post) as lmtp:
        lmtp.ehlo()
        lmtp.mail(ANNA)
        lmtp.rcpt(BERT)
        lmtp.rcpt(CLEO)
        anew(lmtp)
        lmtp.mail(ANNA)
        lmtp.rcpt(DORA)
        assert lmtp.data("x") == (250, f"{DORA} has it".encode())
        assert lmtp.noop() == (250, b"OK")


# Connections that end.


@both_ways
def test_where_the_connection_ends_between_the_replies_the_others_are_unknown(way: Way) -> None:
    with Post(*way, verdicts={BERT: NOBODY, CLEO: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "Message-ID: <1@example.org>\n\nx")
        assert caught.value.recipients == (CLEO, DORA)
        assert caught.value.refused == {BERT: (550, b"5.1.1 nobody")}
        assert caught.value.message_id == "<1@example.org>"
        assert lmtp.sock is None


@both_ways
def test_who_has_it_is_neither_unknown_nor_refused(way: Way) -> None:
    with Post(*way, verdicts={CLEO: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
        assert (caught.value.recipients, caught.value.refused) == ((CLEO, DORA), {})


@both_ways
def test_who_was_refused_before_the_content_is_not_unknown(way: Way) -> None:
    answers = {f"RCPT TO:<{BERT}>": NOBODY}
    with Post(*way, answers=answers, verdicts={CLEO: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
        assert caught.value.recipients == (CLEO, DORA)
        assert caught.value.refused == {BERT: (550, b"5.1.1 nobody")}


@both_ways
def test_where_the_connection_ends_before_all_replies_all_are_unknown(way: Way) -> None:
    with Post(*way, verdicts={BERT: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO], "x")
        assert caught.value.recipients in ((), (BERT, CLEO))
        assert caught.value.refused == {}


@both_ways
def test_where_a_reply_ends_the_session_the_others_are_unknown(way: Way) -> None:
    with Post(*way, verdicts={BERT: "421 4.3.2 shutting down", CLEO: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
        assert caught.value.recipients == (CLEO, DORA)
        assert caught.value.refused == {BERT: (421, b"4.3.2 shutting down")}


@both_ways
def test_a_delivery_of_which_nothing_is_known_is_classified_so(way: Way) -> None:
    with Post(*way, verdicts={CLEO: None}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO], "x")
        assert classify(caught.value).outcome is Outcome.UNKNOWN


@both_ways
def test_a_reply_that_is_none_ends_the_connection(way: Way) -> None:
    with Post(*way, verdicts={CLEO: "354 go on"}) as post, lmtp_to(post) as lmtp:
        with pytest.raises(DeliveryUnknown) as caught:
            lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
        assert caught.value.recipients == (CLEO, DORA)
        assert lmtp.sock is None


# Where it listens.


@both_ways
def test_a_unix_socket_has_the_same_replies(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with (
        Post(*way, verdicts={CLEO: FULL}, listener=listening_at(path)) as post,
        PipelinedLMTP(str(path), local_hostname=NAME) as lmtp,
    ):
        assert lmtp.sendmail(ANNA, [BERT, CLEO], "x") == {CLEO: (452, b"4.2.2 mailbox full")}
        assert lmtp.sendmail(ANNA, [BERT], "x") == {}
        assert post.verbs[0] == "LHLO"


def test_a_unix_socket_can_be_connected_to_later(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    lmtp = PipelinedLMTP(local_hostname=NAME)
    with Post(verdicts={}, listener=listening_at(path)):
        lmtp.connect(str(path))
        with lmtp:
            assert lmtp.sendmail(ANNA, BERT, "x") == {}


@pytest.mark.parametrize("replies", [("250 yes", "550 no"), ("550 no", "250 yes")])
def test_who_is_named_twice_and_gets_it_once_has_got_it(replies: tuple[str, str]) -> None:
    def script(talk: Talk) -> None:
        talk.say("220 here")
        talk.expect("LHLO")
        talk.say("250 here")
        for verb, reply in (("MAIL", "250"), ("RCPT", "250"), ("RCPT", "250"), ("DATA", "354")):
            talk.expect(verb)
            talk.say(f"{reply} yes")
        talk.content()
        for reply in replies:
            talk.say(reply)

    with ScriptedServer(script) as server, PipelinedLMTP("127.0.0.1", server.port) as lmtp:
        assert lmtp.sendmail(ANNA, [BERT, BERT], "x") == {}


def test_the_path_of_a_unix_socket_may_have_a_colon(tmp_path: Path) -> None:
    path = tmp_path / "lmtp:1"
    lmtp = PipelinedLMTP(local_hostname=NAME)
    with Post(verdicts={}, listener=listening_at(path)):
        lmtp.connect(str(path))
        with lmtp:
            assert lmtp.sendmail(ANNA, BERT, "x") == {}


@pytest.mark.parametrize("deadline", [None, 60])
def test_a_unix_socket_that_is_not_there_leaves_nothing_open(tmp_path: Path, deadline: float | None) -> None:
    lmtp = PipelinedLMTP(local_hostname=NAME, deadline=deadline)
    with pytest.raises(FileNotFoundError):
        lmtp.connect(str(tmp_path / "lmtp"))
    assert lmtp.sock is None


def test_a_deadline_counts_at_a_unix_socket_too(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with Post(answers={"NOOP": lambda talk: talk.wait_for_the_end()}, listener=listening_at(path)):
        lmtp = PipelinedLMTP(str(path), local_hostname=NAME, timeout=60)
        lmtp.deadline = 0.1
        with pytest.raises(smtplib.SMTPServerDisconnected):
            lmtp.noop()
        assert lmtp.sock is None


def test_a_client_at_a_unix_socket_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with Post(verdicts={}, listener=listening_at(path)) as post, PipelinedLMTP(str(path)) as lmtp:
        lmtp.ehlo()
        assert len(post.commands[0].split()) == 2


def test_a_real_server_gets_the_mail() -> None:
    with lmtp_server() as server:
        with PipelinedLMTP("127.0.0.1", server.port, NAME) as lmtp:
            assert lmtp.sendmail(ANNA, [BERT], "Subject: x\n\nHello\n") == {}
        assert server.mailbox.recipients == [BERT]
        assert server.mailbox.bodies == [b"Subject: x\r\n\r\nHello\r\n"]


def test_lhlo_is_said_where_smtp_says_ehlo() -> None:
    with Post(verdicts={}) as post, lmtp_to(post) as lmtp:
        lmtp.sendmail(ANNA, BERT, "x")
        assert post.verbs[0] == "LHLO"
        assert "EHLO" not in post.verbs


def test_arguments_are_in_the_order_of_smtplib() -> None:
    lmtp = PipelinedLMTP("", 2003, NAME, ("127.0.0.1", 0), 42)
    assert (lmtp.local_hostname, lmtp.source_address, lmtp.timeout) == (NAME, ("127.0.0.1", 0), 42)


def test_the_port_is_2003_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def refuse(address: Any, *_: object) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ConnectionRefusedError):
        PipelinedLMTP("mail.example.org")
    with pytest.raises(ConnectionRefusedError):
        PipelinedLMTP().connect("mail.example.org")
    assert called == [("mail.example.org", 2003)] * 2


# The mirror.


@both_ways
async def test_the_mirror_reads_a_reply_for_each_recipient(way: Way) -> None:
    with Post(*way, verdicts={CLEO: FULL}) as post:
        async with AsyncLMTP("localhost", post.port, NAME) as lmtp:
            assert await lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x") == {CLEO: (452, b"4.2.2 mailbox full")}
            assert await lmtp.sendmail(ANNA, [BERT], "x") == {}


@both_ways
async def test_the_mirror_names_those_of_whom_nothing_is_known(way: Way) -> None:
    with Post(*way, verdicts={BERT: NOBODY, CLEO: None}) as post:
        async with AsyncLMTP("localhost", post.port, NAME) as lmtp:
            with pytest.raises(DeliveryUnknown) as caught:
                await lmtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
    assert caught.value.recipients == (CLEO, DORA)
    assert caught.value.refused == {BERT: (550, b"5.1.1 nobody")}


async def test_the_mirror_reads_a_reply_for_each_recipient_at_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with Post(verdicts={CLEO: FULL}, listener=listening_at(path)):
        async with AsyncLMTP(str(path), local_hostname=NAME) as lmtp:
            assert await lmtp.sendmail(ANNA, [BERT, CLEO], "x") == {CLEO: (452, b"4.2.2 mailbox full")}


async def test_a_mirror_that_is_connected_later_does_so_too() -> None:
    lmtp = AsyncLMTP(local_hostname=NAME)
    with Post(verdicts={CLEO: FULL}) as post:
        await lmtp.connect("localhost", post.port)
        assert await lmtp.sendmail(ANNA, [BERT, CLEO], "x") == {CLEO: (452, b"4.2.2 mailbox full")}
        await lmtp.quit()


async def test_the_mirror_by_smtplibs_name_does_so_too() -> None:
    with Post(verdicts={CLEO: FULL}) as post:
        async with async_smtplib.LMTP("localhost", post.port, NAME) as lmtp:
            assert await lmtp.sendmail(ANNA, [BERT, CLEO], "x") == {CLEO: (452, b"4.2.2 mailbox full")}


async def test_the_class_can_be_given_to_the_mirror() -> None:
    with Post("PIPELINING", verdicts={CLEO: FULL}) as post:
        async with AsyncSMTP("localhost", post.port, NAME, smtp_class=PipelinedLMTP) as lmtp:
            assert await lmtp.sendmail(ANNA, [BERT, CLEO], "x") == {CLEO: (452, b"4.2.2 mailbox full")}


async def test_a_class_of_ones_own_is_what_it_is() -> None:
    class Own(smtplib.LMTP):
        pass

    with Post(verdicts={}) as post:
        async with AsyncLMTP("localhost", post.port, NAME, smtp_class=Own) as lmtp:
            assert type(lmtp.__wrapped__) is Own


@pytest.mark.parametrize("autospec", [None, True])
async def test_patching_smtplib_reaches_the_mirror(autospec: bool | None) -> None:
    with mock.patch("smtplib.LMTP", autospec=autospec) as lmtp_class:
        lmtp = await AsyncLMTP("/run/lmtp")
        await lmtp.sendmail(ANNA, [BERT], "x")
    lmtp_class.assert_called_once_with("/run/lmtp")
    lmtp_class.return_value.sendmail.assert_called_once_with(ANNA, [BERT], "x")


async def test_a_class_that_is_patched_in_is_the_one_that_is_made() -> None:
    class Fake(smtplib.LMTP):
        pass

    with Post(verdicts={}) as post, mock.patch("smtplib.LMTP", Fake):
        async with AsyncLMTP("localhost", post.port, NAME) as lmtp:
            assert type(lmtp.__wrapped__) is Fake
