"""The table of outcomes: a server for each row, and what `classify` makes of what smtplib raises."""

from __future__ import annotations

import errno
import gc
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import Failure, Outcome, classify
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import Fault, SMTPTestServer, close_with_421, drop, greylist, refuse, silence

TRANSIENT, PERMANENT, UNKNOWN = Outcome.TRANSIENT, Outcome.PERMANENT, Outcome.UNKNOWN
ANNA, BERT, CLEO = "anna@example.org", "bert@example.org", "cleo@example.org"
MESSAGE = "Message-ID: <1@example.org>\r\nSubject: x\r\n\r\nHello\r\n"


def send(server: SMTPTestServer, *, to: Any = (BERT,), message: str = MESSAGE, timeout: float = 10) -> Any:
    with smtplib.SMTP(server.host, server.port, timeout=timeout) as smtp:
        return smtp.sendmail(ANNA, to, message)


def failure_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Failure:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one, is what is asked here
        call(*args, **kwargs)
    return classify(caught.value)


REPLIES: dict[str, tuple[Fault, Outcome, Phase]] = {
    "greeting 421": (refuse("greeting", "421 4.3.2 Busy"), TRANSIENT, Phase.CONNECTING),
    "greeting 554": (refuse("greeting", "554 5.3.2 No mail here"), PERMANENT, Phase.CONNECTING),
    "MAIL 421": (close_with_421(after_messages=0), TRANSIENT, Phase.ENVELOPE),
    "MAIL 451": (refuse("MAIL", "451 4.3.0 Later"), TRANSIENT, Phase.ENVELOPE),
    "MAIL 452": (refuse("MAIL", "452 4.3.1 Disk full"), TRANSIENT, Phase.ENVELOPE),
    "MAIL 432": (refuse("MAIL", "432 4.3.2 Concurrent connections limit exceeded"), TRANSIENT, Phase.ENVELOPE),
    "MAIL 530": (refuse("MAIL", "530 5.7.0 Authentication required"), PERMANENT, Phase.ENVELOPE),
    "MAIL 550": (refuse("MAIL", "550 5.7.1 Not you"), PERMANENT, Phase.ENVELOPE),
    "MAIL 451 that means never": (
        refuse("MAIL", "451 5.7.3 STARTTLS is required to send mail"),
        PERMANENT,
        Phase.ENVELOPE,
    ),
    "RCPT 450": (greylist(), TRANSIENT, Phase.ENVELOPE),
    "RCPT 421": (refuse("RCPT", "421 4.7.0 Slow down"), TRANSIENT, Phase.ENVELOPE),
    "RCPT 452": (refuse("RCPT", "452 4.5.3 Too many recipients"), TRANSIENT, Phase.ENVELOPE),
    "RCPT 552 that means 452": (refuse("RCPT", "552 5.5.3 Too many recipients"), TRANSIENT, Phase.ENVELOPE),
    "RCPT 550": (refuse("RCPT", "550 5.1.1 Unknown"), PERMANENT, Phase.ENVELOPE),
    "DATA 451": (refuse("DATA", "451 4.3.0 Later"), TRANSIENT, Phase.DATA_COMMAND),
    "DATA 554": (refuse("DATA", "554 5.5.1 No"), PERMANENT, Phase.DATA_COMMAND),
    "DATA 421": (refuse("DATA", "421 4.3.2 Bye"), TRANSIENT, Phase.DATA_COMMAND),
    "content 451": (refuse("content", "451 4.3.0 Later"), TRANSIENT, Phase.CONTENT_SENT),
    "content 452": (refuse("content", "452 4.2.2 Full"), TRANSIENT, Phase.CONTENT_SENT),
    "content 552": (refuse("content", "552 5.3.4 Too big"), PERMANENT, Phase.CONTENT_SENT),
    "content 554": (refuse("content", "554 5.7.1 Spam"), PERMANENT, Phase.CONTENT_SENT),
}


@pytest.mark.parametrize("row", REPLIES)
def test_a_reply_is_judged_by_what_it_means(row: str) -> None:
    fault, outcome, phase = REPLIES[row]
    with SMTPTestServer(faults=[fault]) as server:
        failure = failure_of(send, server)
        assert not server.messages
    assert (failure.outcome, failure.phase) == (outcome, phase)
    assert failure.code == int(fault.action.reply[:3])  # type: ignore[union-attr]
    assert failure.enhanced_code == fault.action.reply.split()[1]  # type: ignore[union-attr]
    assert failure.text == fault.action.reply.split(maxsplit=2)[2]  # type: ignore[union-attr]
    assert failure.meaning


@pytest.mark.parametrize(("reply", "outcome"), [("421 4.3.2 Busy", TRANSIENT), ("550 5.7.1 Not you", PERMANENT)])
def test_a_greeting_refused_at_ehlo_and_helo(reply: str, outcome: Outcome) -> None:
    with SMTPTestServer(faults=[refuse("EHLO", reply, close=False), refuse("HELO", reply)]) as server:
        assert failure_of(send, server).outcome is outcome


def secured(server: SMTPTestServer, context: ssl.SSLContext | None = None) -> None:
    with smtplib.SMTP("localhost", server.port, timeout=10) as smtp:
        smtp.starttls(context=context or server.client_context)
        smtp.sendmail(ANNA, [BERT], MESSAGE)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (refuse("STARTTLS", "454 4.7.0 TLS not available"), TRANSIENT),
        (refuse("STARTTLS", "501 5.5.4 No parameters"), PERMANENT),
        (drop("STARTTLS"), TRANSIENT),
        (drop("TLS"), TRANSIENT),
        (drop("TLS", reset=True), TRANSIENT),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl")  # which ssl leaves behind when a handshake fails
def test_tls_that_cannot_be_had(fault: Fault, outcome: Outcome) -> None:
    with SMTPTestServer(tls="starttls", faults=[fault]) as server:
        failure = failure_of(secured, server)
    assert (failure.outcome, failure.phase) == (outcome, Phase.GREETING)
    del failure
    gc.collect()


def test_a_certificate_that_is_refused_is_permanent() -> None:
    with SMTPTestServer(tls="starttls") as server:
        failure = failure_of(secured, server, ssl.create_default_context())
    assert (failure.outcome, failure.phase) == (PERMANENT, Phase.GREETING)
    assert isinstance(failure.exception, ssl.SSLCertVerificationError)


def test_a_feature_that_the_server_has_not_is_permanent() -> None:
    with SMTPTestServer() as server:
        assert failure_of(secured, server, ssl.create_default_context()).outcome is PERMANENT


def logged_in(server: SMTPTestServer, password: str = "wrong") -> None:
    with smtplib.SMTP(server.host, server.port, timeout=10) as smtp:
        smtp.login("anna", password)


@pytest.mark.parametrize(
    ("faults", "outcome", "code"),
    [
        ([], PERMANENT, 535),
        ([refuse("AUTH", "535 5.7.8 Try again later")], PERMANENT, 535),
        ([refuse("AUTH", "454 4.7.0 Temporary authentication failure")], TRANSIENT, 454),
        ([refuse("AUTH", "432 4.7.12 A password transition is needed")], TRANSIENT, 432),
        ([refuse("AUTH", "250 What")], PERMANENT, None),
        ([drop("AUTH")], TRANSIENT, None),
    ],
)
def test_credentials_that_are_refused_are_permanent_unless_the_server_says_otherwise(
    faults: list[Fault], outcome: Outcome, code: int | None
) -> None:
    with SMTPTestServer(auth={"anna": "right"}, faults=faults) as server:
        failure = failure_of(logged_in, server)
    assert (failure.outcome, failure.code, failure.phase) == (outcome, code, Phase.GREETING)


def test_a_server_without_a_way_to_log_in_is_permanent() -> None:
    with SMTPTestServer() as server:
        assert failure_of(logged_in, server).outcome is PERMANENT


LOST: dict[str, tuple[Fault, Outcome, tuple[Phase, ...]]] = {
    "greeting": (drop("greeting"), TRANSIENT, (Phase.GREETING,)),
    "EHLO": (drop("EHLO"), TRANSIENT, (Phase.GREETING,)),
    "MAIL": (drop("MAIL"), TRANSIENT, (Phase.ENVELOPE,)),
    "RCPT": (drop("RCPT"), TRANSIENT, (Phase.ENVELOPE,)),
    "DATA": (drop("DATA"), TRANSIENT, (Phase.DATA_COMMAND,)),
    "after content": (drop("after content"), UNKNOWN, (Phase.CONTENT_SENT,)),
    "after content, kept": (drop("after content", keep=True), UNKNOWN, (Phase.CONTENT_SENT,)),
    "in the reply to the content": (drop("after content", keep=True, reply="25"), UNKNOWN, (Phase.CONTENT_SENT,)),
    "with a reset": (drop("after content", keep=True, reset=True), UNKNOWN, (Phase.CONTENT_SENT,)),
    "MAIL is not answered": (silence("MAIL"), TRANSIENT, (Phase.ENVELOPE,)),
    "DATA is not answered": (silence("DATA"), TRANSIENT, (Phase.DATA_COMMAND,)),
    "the content is not answered": (silence("after content", keep=True), UNKNOWN, (Phase.CONTENT_SENT,)),
}


@pytest.mark.parametrize("row", LOST)
def test_a_connection_that_is_lost_is_judged_by_how_far_the_message_had_come(row: str) -> None:
    fault, outcome, phases = LOST[row]
    with SMTPTestServer(faults=[fault]) as server:
        failure = failure_of(send, server, timeout=0.2 if row.endswith("not answered") else 10)
        assert failure.outcome is UNKNOWN or not server.messages
    assert failure.outcome is outcome
    assert failure.phase in phases
    assert failure.code is None
    assert failure.message_id == (None if phases == (Phase.GREETING,) and row == "greeting" else "<1@example.org>")


@pytest.mark.parametrize(
    ("at", "outcome"), [("MAIL", TRANSIENT), ("RCPT", TRANSIENT), ("DATA", TRANSIENT), ("content", UNKNOWN)]
)
def test_what_is_no_reply_is_judged_like_none(at: Any, outcome: Outcome) -> None:
    with SMTPTestServer(faults=[refuse(at, "hello there")]) as server:
        assert failure_of(send, server).outcome is outcome


def test_a_large_content_that_did_not_leave_as_a_whole_was_not_delivered() -> None:
    with SMTPTestServer(faults=[drop("content", after_bytes=1000, reset=True)]) as server:
        failure = failure_of(send, server, message=MESSAGE + "x" * 16_000_000)
        assert not server.messages
    assert failure.outcome in (TRANSIENT, UNKNOWN)
    assert (failure.outcome is TRANSIENT) == (failure.phase is Phase.CONTENT_BEGUN)


def test_a_server_that_is_not_there_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = failure_of(smtplib.SMTP, "127.0.0.1", port)
    assert (failure.outcome, failure.phase) == (TRANSIENT, Phase.CONNECTING)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.ENETUNREACH, "unreachable"), TRANSIENT),
        (OSError(errno.EHOSTUNREACH, "no route"), TRANSIENT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), TRANSIENT),
        (TimeoutError("timed out"), TRANSIENT),
        (socket.gaierror(socket.EAI_AGAIN, "later"), TRANSIENT),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), PERMANENT),
        (PermissionError(errno.EACCES, "a firewall's rule"), PERMANENT),
    ],
    ids=repr,
)
def test_a_connection_that_cannot_be_made(error: OSError, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    failure = failure_of(smtplib.SMTP, "mail.example.org", 25)
    assert (failure.outcome, failure.phase) == (outcome, Phase.CONNECTING)


@pytest.mark.parametrize(
    "arguments",
    [
        (ANNA, [BERT], "Grüße"),
        (ANNA, [BERT], MESSAGE, ["SIZE=1\r\nRCPT TO:<cleo@example.org>"]),
        (ANNA, iter([BERT]), MESSAGE),
        (ANNA, [], MESSAGE),
    ],
    ids=["text that is not ASCII", "an option of two lines", "recipients that are no list", "no recipients"],
)
def test_a_malformed_message_is_permanent(arguments: Any) -> None:
    with SMTPTestServer() as server, smtplib.SMTP(server.host, server.port) as smtp:
        assert failure_of(smtp.sendmail, *arguments).outcome is PERMANENT
        assert not server.messages


def test_recipients_have_each_their_own_outcome_and_the_whole_may_be_tried_again_if_one_may() -> None:
    faults = [refuse("RCPT", "550 5.1.1 Unknown", recipient=BERT), greylist()]
    with SMTPTestServer(faults=faults) as server:
        failure = failure_of(send, server, to=[BERT, CLEO])
    assert {address: each.outcome for address, each in failure.recipients.items()} == {BERT: PERMANENT, CLEO: TRANSIENT}
    assert failure.recipients[BERT].recipient == BERT
    assert (failure.outcome, failure.code, failure.recipient, failure.greylisted) == (TRANSIENT, 450, None, True)


def test_the_only_recipient_is_named() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown")]) as server:
        assert failure_of(send, server).recipient == BERT


def test_partial_refusals_are_classified_for_each_recipient() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO)]) as server:
        refused = send(server, to=[BERT, CLEO])
    failures = classify(refused)
    assert list(failures) == [CLEO]
    assert failures[CLEO] == Failure(
        TRANSIENT, 450, "4.2.1", "Busy", failures[CLEO].meaning, phase=Phase.ENVELOPE, recipient=CLEO
    )
    assert classify({}) == {}


@pytest.mark.parametrize("reset", [False, True])
def test_a_quit_that_fails_says_nothing_of_the_mail_before_it(reset: bool) -> None:
    def deliver_and_quit() -> None:
        smtp = smtplib.SMTP(server.host, server.port)
        smtp.sendmail(ANNA, [BERT], MESSAGE)
        smtp.quit()

    with SMTPTestServer(faults=[drop("QUIT", reset=reset)]) as server:
        failure = failure_of(deliver_and_quit)
        assert len(server.messages) == 1
    assert failure.outcome is None
    assert failure.foreign
    assert failure.phase is Phase.BETWEEN


def test_a_context_manager_whose_quit_is_refused_hides_no_refusal_before_it() -> None:
    with SMTPTestServer(faults=[greylist(), refuse("QUIT", "421 4.3.2 Bye")]) as server:
        assert failure_of(send, server).outcome is TRANSIENT
    with SMTPTestServer(faults=[refuse("QUIT", "421 4.3.2 Bye")]) as server:
        failure = failure_of(send, server)
        assert (failure.outcome, failure.code, failure.phase) == (None, 421, Phase.BETWEEN)


@pytest.mark.parametrize("nothing", [None, 1, "550 no", (450, b"later")])
def test_what_is_neither_is_refused(nothing: Any) -> None:
    with pytest.raises(TypeError, match="takes an exception, or the refusals"):
        classify(nothing)
