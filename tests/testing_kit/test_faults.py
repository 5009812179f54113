"""Each fault, as a client of smtplib's sees it."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge.testing import (
    Fault,
    SMTPTestServer,
    Step,
    close_with_421,
    delay,
    drip,
    drop,
    greylist,
    hold,
    refuse,
    silence,
)

from .clients import ANNA, BERT, CLARA, CONTENT, RawClient, client_of, send

IMPATIENT = 0.2
"""Seconds that a client waits for a server that is silent: longer than any step before takes."""


def refused(server: SMTPTestServer, *to: str) -> dict[str, int]:
    """Whom the server refused with which code."""
    try:
        return {address: reply[0] for address, reply in send(server, to).items()}
    except smtplib.SMTPRecipientsRefused as error:
        return {address: reply[0] for address, reply in error.recipients.items()}


# Refusing


def test_the_nth_recipient_is_refused() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown", nth=2)]) as server:
        assert refused(server, BERT, CLARA) == {CLARA: 550}
        assert refused(server, BERT, CLARA) == {}
        assert [received.rcpt_tos for received in server.messages] == [(BERT,), (BERT, CLARA)]


def test_the_nth_recipient_of_every_message_is_refused() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown", nth=2, per="message")]) as server:
        assert refused(server, BERT, CLARA) == refused(server, BERT, CLARA) == {CLARA: 550}


def test_a_recipient_is_refused_some_times() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.0 Later", recipient=BERT, times=1)]) as server:
        assert refused(server, CLARA, BERT) == {BERT: 450}
        assert refused(server, CLARA, BERT) == {}


def test_some_are_let_through_first() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "452 4.5.3 Too many", after=1)]) as server:
        assert refused(server, ANNA, BERT, CLARA) == {BERT: 452, CLARA: 452}


def test_greylisting_refuses_each_pair_once() -> None:
    with SMTPTestServer(faults=[greylist()]) as server:
        assert refused(server, BERT) == {BERT: 450}
        assert refused(server, BERT, CLARA) == {CLARA: 450}
        assert refused(server, BERT, CLARA) == {}


def test_greylisting_for_a_time() -> None:
    with SMTPTestServer(faults=[greylist(seconds=3600)]) as server:
        assert refused(server, BERT) == refused(server, BERT) == {BERT: 450}
    with SMTPTestServer(faults=[greylist(seconds=0)]) as server:
        assert refused(server, BERT) == {BERT: 450}
        assert refused(server, BERT) == {}


def code_of(step: Step, act: Callable[[Any], tuple[int, bytes]], reply: str = "554 5.0.0 No") -> tuple[int, bytes]:
    server = SMTPTestServer(faults=[refuse(step, reply)], auth={"anna": "secret"}, tls="starttls")
    with server, client_of(server) as client:
        return act(client)


@pytest.mark.parametrize(
    ("step", "act"),
    [
        ("EHLO", lambda client: client.ehlo()),
        ("HELO", lambda client: client.helo()),
        ("STARTTLS", lambda client: client.docmd("STARTTLS")),
        ("AUTH", lambda client: client.docmd("AUTH", "PLAIN AGFubmEAc2VjcmV0")),
        ("MAIL", lambda client: client.mail(ANNA)),
        ("RCPT", lambda client: client.rcpt(BERT)),
        ("DATA", lambda client: client.docmd("DATA")),
        ("RSET", lambda client: client.rset()),
        ("NOOP", lambda client: client.noop()),
        ("VRFY", lambda client: client.verify(BERT)),
        ("HELP", lambda client: client.docmd("HELP")),
        ("EXPN", lambda client: client.expn("all")),
        ("QUIT", lambda client: client.quit()),
    ],
)
def test_every_command_can_be_refused(step: Step, act: Callable[[Any], tuple[int, bytes]]) -> None:
    assert code_of(step, act) == (554, b"5.0.0 No")


def test_a_greeting_can_be_a_refusal() -> None:
    with SMTPTestServer(faults=[refuse("greeting", "554 5.3.2 No service", times=1)]) as server:
        with pytest.raises(smtplib.SMTPConnectError), client_of(server):
            pass
        send(server)


def test_a_refused_content_is_not_kept() -> None:
    with SMTPTestServer(faults=[refuse("content", "554 5.6.0 Spam", times=1)]) as server:
        with pytest.raises(smtplib.SMTPDataError):
            send(server)
        send(server)
        assert len(server.messages) == 1


def test_a_reply_may_have_several_lines_or_be_rubbish() -> None:
    assert code_of("MAIL", lambda client: client.mail(ANNA), "550-one\n550 two") == (550, b"one\ntwo")
    assert code_of("MAIL", lambda client: client.mail(ANNA), "Guten Tag") == (-1, b"n Tag")


def test_421_closes() -> None:
    with SMTPTestServer(faults=[refuse("MAIL", "421 4.3.2 Shutting down")]) as server, RawClient(server) as client:
        client.hear()
        client.ask("HELO client.example")
        assert client.ask(f"MAIL FROM:<{ANNA}>") == "421 4.3.2 Shutting down"
        assert client.hear() == ""


def test_closing_is_as_one_says() -> None:
    faults = [refuse("HELO", "421 4.3.2 But I stay", close=False), refuse("NOOP", "550 I go", close=True)]
    with SMTPTestServer(faults=faults) as server, RawClient(server) as client:
        client.hear()
        assert client.ask("HELO client.example") == "421 4.3.2 But I stay"
        assert client.ask("NOOP") == "550 I go"
        assert client.hear() == ""


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_421_after_some_messages_of_a_connection(tls: Any) -> None:
    with SMTPTestServer(faults=[close_with_421(after_messages=2)], tls=tls) as server:
        kind, options = (smtplib.SMTP, {}) if tls is None else (smtplib.SMTP_SSL, {"context": server.client_context})
        for _ in range(2):
            with client_of(server, kind, **options) as client:
                client.sendmail(ANNA, [BERT], CONTENT)
                client.sendmail(ANNA, [BERT], CONTENT)
                with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                    client.sendmail(ANNA, [BERT], CONTENT)
                assert caught.value.smtp_code == 421
        assert len(server.messages) == 4


def test_lmtp_refuses_one_recipient_after_the_content() -> None:
    with SMTPTestServer(lmtp=True, faults=[refuse("content", "552 5.2.2 Full", recipient=BERT)]) as server:
        with client_of(server, smtplib.LMTP) as client:
            client.ehlo()
            client.mail(ANNA)
            client.rcpt(BERT)
            client.rcpt(CLARA)
            assert client.data(CONTENT)[0] == 552
            assert client.getreply()[0] == 250
        assert server.messages[0].rcpt_tos == (CLARA,)


# Dropping


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "after content"])
@pytest.mark.parametrize("reset", [False, True])
def test_the_connection_drops(step: Step, reset: bool) -> None:
    with SMTPTestServer(faults=[drop(step, reset=reset, times=1)]) as server:
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(server)
        server.connected(0).wait()
        assert server.messages == []
        send(server)
        assert len(server.messages) == 1


def test_the_connection_drops_after_exactly_so_many_bytes_of_the_content() -> None:
    with SMTPTestServer(faults=[drop("content", after_bytes=10)]) as server, RawClient(server) as client:
        client.until_data()
        client.socket.sendall(b"123456789")
        assert server.connections == 1
        client.socket.sendall(b"0")
        assert client.hear() == ""
        assert server.messages == []


def test_a_drop_beyond_the_end_of_the_content_does_not_happen() -> None:
    with SMTPTestServer(faults=[drop("content", after_bytes=1000)]) as server:
        send(server)
        assert len(server.messages) == 1


def test_a_message_may_be_kept_and_not_answered() -> None:
    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send(server)
        [received] = server.messages
        assert received.content == CONTENT
        assert not received.acknowledged


def test_the_connection_drops_within_a_reply() -> None:
    with SMTPTestServer(faults=[drop("after content", reply="250 2.")]) as server, RawClient(server) as client:
        client.until_data()
        assert client.ask(".") == "250 2."
        assert client.hear() == ""
        assert server.messages == []


def test_lmtp_drops_between_two_replies() -> None:
    with SMTPTestServer(lmtp=True, faults=[drop("after content", nth=2)]) as server:
        with client_of(server, smtplib.LMTP) as client:
            client.sendmail(ANNA, [BERT, CLARA], CONTENT)
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.getreply()
        assert server.messages[0].rcpt_tos == (BERT,)


# Silence


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "after content", "QUIT"])
def test_silence_lasts_until_the_client_hangs_up(step: Step) -> None:
    with SMTPTestServer(faults=[silence(step)]) as server:
        with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
            send(server, timeout=IMPATIENT)
        assert server.reached(step).is_set()
        server.connected(0).wait()
        assert len(server.messages) == (step == "QUIT")


def test_a_silent_server_may_have_kept_the_message() -> None:
    with SMTPTestServer(faults=[silence("after content", keep=True)]) as server:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send(server, timeout=IMPATIENT)
        assert [received.acknowledged for received in server.messages] == [False]


def test_a_server_that_reads_no_further_blocks_the_client() -> None:
    with SMTPTestServer(faults=[silence("content", after_bytes=1000)]) as server:
        with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
            send(server, content=b"a line\r\n" * 2_000_000, timeout=IMPATIENT)
        assert server.messages == []


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_handshake_that_is_never_answered(tls: Any) -> None:
    with SMTPTestServer(faults=[silence("TLS", times=1)], tls=tls) as server:

        def connect(timeout: float) -> None:
            if tls == "implicit":
                with client_of(server, smtplib.SMTP_SSL, timeout, context=server.client_context) as client:
                    client.noop()
            else:
                with client_of(server, timeout=timeout) as client:
                    client.starttls(context=server.client_context)

        with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
            connect(IMPATIENT)
        assert server.reached("TLS").is_set()
        server.connected(0).wait()
        connect(timeout=5)


# Time


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_late_handshake_succeeds(tls: Any) -> None:
    with SMTPTestServer(faults=[delay("TLS", seconds=0.05)], tls=tls) as server:
        if tls == "implicit":
            with client_of(server, smtplib.SMTP_SSL, context=server.client_context) as client:
                client.sendmail(ANNA, [BERT], CONTENT)
        else:
            with client_of(server) as client:
                client.starttls(context=server.client_context)
                client.sendmail(ANNA, [BERT], CONTENT)
        assert server.messages[0].session.tls == "TLSv1.3"


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "content", "after content", "QUIT"])
def test_a_step_takes_its_time(step: Step) -> None:
    with SMTPTestServer(faults=[delay(step, seconds=0.05)]) as server:
        began = time.monotonic()
        send(server)
        assert time.monotonic() - began >= 0.05
        assert len(server.messages) == 1


@pytest.mark.parametrize("step", ["greeting", "RCPT", "content"])
def test_a_reply_drips(step: Step) -> None:
    with SMTPTestServer(faults=[drip(step, interval=0.005)]) as server:
        began = time.monotonic()
        send(server)
        assert time.monotonic() - began >= 0.005 * len("250 OK")
        assert len(server.messages) == 1


def test_faults_of_a_step_happen_in_their_order() -> None:
    faults = [delay("MAIL", seconds=0.01), drip("MAIL", interval=0.001), refuse("MAIL", "451 4.3.0 No")]
    with SMTPTestServer(faults=faults) as server, pytest.raises(smtplib.SMTPSenderRefused):
        send(server)


# Order forced by the test


@pytest.mark.parametrize("step", ["greeting", "RCPT", "content", "after content"])
def test_a_held_client_goes_on_when_released(step: Step) -> None:
    with SMTPTestServer(faults=[hold(step)]) as server:
        sender = threading.Thread(target=send, args=(server,))
        sender.start()
        server.held(step).wait()
        assert server.messages == []
        server.release(step)
        sender.join()
        assert [received.acknowledged for received in server.messages] == [True]


def test_a_client_is_held_within_the_content() -> None:
    with SMTPTestServer(faults=[hold("content", after_bytes=5)]) as server, RawClient(server) as client:
        client.until_data()
        server.reached("content").wait()
        assert not server.held("content").is_set()
        client.socket.sendall(b"12345")
        server.held("content").wait()
        server.release("content")
        client.say("678", ".")
        assert client.hear().startswith("250")
        assert server.messages[0].content == b"12345678\r\n"


def test_several_are_held_and_released_together() -> None:
    with SMTPTestServer(faults=[hold("MAIL")]) as server:
        senders = [threading.Thread(target=send, args=(server,)) for _ in range(3)]
        for sender in senders:
            sender.start()
        server.held("MAIL", count=3).wait()
        server.release("MAIL")
        for sender in senders:
            sender.join()
        assert len(server.messages) == 3


def test_a_held_client_that_hangs_up_is_gone_and_its_message_too() -> None:
    with SMTPTestServer(faults=[hold("after content", times=1), hold("after content", keep=True)]) as server:
        for kept in (0, 1):
            with RawClient(server) as client:
                client.until_data()
                client.say("Hello", ".")
                server.held("after content").wait()
                server.faults = server.faults[1:]
            server.connected(0).wait()
            assert [received.acknowledged for received in server.messages] == [False] * kept
            assert not server.held("after content").is_set()


def test_releasing_nobody_is_an_error() -> None:
    with SMTPTestServer() as server, pytest.raises(RuntimeError, match="nobody is held"):
        server.release("MAIL")


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_a_server_hangs_up_when_the_test_says(tls: Any) -> None:
    with SMTPTestServer(tls=tls) as server:
        kind, options = (smtplib.SMTP, {}) if tls is None else (smtplib.SMTP_SSL, {"context": server.client_context})
        with client_of(server, kind, **options) as client, client_of(server, kind, **options) as other:
            assert client.noop()[0] == other.noop()[0] == 250
            server.hang_up("421 4.4.2 Idle for too long")
            assert server.connections == 0
            assert client.getreply() == (421, b"4.4.2 Idle for too long")
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.getreply()


def test_faults_change_while_a_server_runs() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown", times=1)]) as server:
        assert refused(server, BERT) == {BERT: 550}
        assert refused(server, BERT) == {}
        server.reset()
        assert refused(server, BERT) == {BERT: 550}
        server.faults = [refuse("RCPT", "450 4.2.0 Later")]
        assert refused(server, BERT) == {BERT: 450}
        server.faults = ()
        assert refused(server, BERT) == {}


# What cannot be


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: drop("CONTENT"), "no step 'CONTENT'"),  # type: ignore[arg-type]
        (lambda: drop("MAIL", after_bytes=3), "after_bytes counts the content"),
        (lambda: drop("MAIL", keep=True), "no message to keep at 'MAIL'"),
        (lambda: refuse("TLS", "454 No"), "handshake has no reply"),
        (lambda: refuse("MAIL", "550 No", recipient=BERT), "no recipient at 'MAIL'"),
        (lambda: refuse("MAIL", "550 No", nth=2, times=3), "nth says both"),
        (lambda: refuse("MAIL", "550 No", per="day"), "cannot count per 'day'"),  # type: ignore[arg-type]
    ],
)
def test_a_fault_that_could_never_happen_is_refused(make: Callable[[], Fault], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()
