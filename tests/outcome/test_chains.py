"""Exceptions in exceptions: what `classify` finds in the chain of what a wrapper raises."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import signal
import smtplib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import DeliveryUnknown, Failure, Outcome, classify
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import Fault, SMTPTestServer, drop, greylist, hold, refuse, silence

from .test_table import ANNA, BERT, CLEO, MESSAGE, failure_of, send

TRANSIENT, PERMANENT, UNKNOWN = Outcome.TRANSIENT, Outcome.PERMANENT, Outcome.UNKNOWN


class CorpError(Exception):
    """What an organisation's wrapper raises."""


class CorpSMTPError(smtplib.SMTPException):
    """Another one's."""


def raised_from(call: Callable[[], Any], kind: type[Exception]) -> None:
    try:
        call()
    except OSError as error:
        raise kind("mail failed") from error


def raised_in_the_handler(call: Callable[[], Any], kind: type[Exception]) -> None:
    try:
        call()
    except OSError:
        raise kind("mail failed")  # noqa: B904 - as people write it


def raised_from_none(call: Callable[[], Any], kind: type[Exception]) -> None:
    try:
        call()
    except OSError:
        raise kind("mail failed") from None


def raised_two_levels_up(call: Callable[[], Any], kind: type[Exception]) -> None:
    raised_from(lambda: raised_in_the_handler(call, OSError), kind)


def raised_after_trying_to_tell(call: Callable[[], Any], kind: type[Exception]) -> None:
    try:
        call()
    except OSError:
        try:
            raise ConnectionRefusedError("the log service is down, too")
        except ConnectionRefusedError as error:
            raise kind("mail failed") from error


WRAPPERS = [raised_from, raised_in_the_handler, raised_from_none, raised_two_levels_up, raised_after_trying_to_tell]

FAULTS: list[tuple[Fault, Outcome, Phase]] = [
    (greylist(), TRANSIENT, Phase.ENVELOPE),
    (drop("MAIL"), TRANSIENT, Phase.ENVELOPE),
    (refuse("RCPT", "550 5.1.1 Unknown"), PERMANENT, Phase.ENVELOPE),
    (drop("after content"), UNKNOWN, Phase.CONTENT_SENT),
    (refuse("content", "451 4.3.0 Later"), TRANSIENT, Phase.CONTENT_SENT),
]


@pytest.mark.parametrize("kind", [CorpError, CorpSMTPError, smtplib.SMTPServerDisconnected])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(("fault", "outcome", "phase"), FAULTS, ids=str)
def test_what_a_wrapper_raises_is_judged_by_what_it_caught(
    fault: Fault, outcome: Outcome, phase: Phase, wrapper: Any, kind: type[Exception]
) -> None:
    with SMTPTestServer(faults=[fault]) as server:
        failure = failure_of(wrapper, lambda: send(server), kind)
    assert (failure.outcome, failure.phase, failure.message_id) == (outcome, phase, "<1@example.org>")


class Overriding(smtplib.SMTP):
    """A class of sessions that has errors of its own."""

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().sendmail(*args, **kwargs)
        except OSError as error:
            raise CorpError("mail failed") from error


@pytest.mark.parametrize(("fault", "outcome", "phase"), FAULTS, ids=str)
def test_so_is_what_a_class_of_sessions_raises(fault: Fault, outcome: Outcome, phase: Phase) -> None:
    with SMTPTestServer(faults=[fault]) as server, Overriding(server.host, server.port) as smtp:
        failure = failure_of(smtp.send_message, message(), ANNA, [BERT])
    assert (failure.outcome, failure.phase, failure.message_id) == (outcome, phase, "<1@example.org>")


def message() -> Any:
    import email

    return email.message_from_string(MESSAGE)


def test_a_message_that_may_have_been_delivered_stays_so_whatever_is_tried_afterwards() -> None:
    def send_again() -> None:
        try:
            send(server)
        except smtplib.SMTPServerDisconnected:
            send(server)

    with SMTPTestServer(faults=[drop("after content", nth=1), refuse("RCPT", "450 4.2.0 Later", nth=2)]) as server:
        failure = failure_of(send_again)
    assert (failure.outcome, failure.message_id) == (UNKNOWN, "<1@example.org>")


def test_wrong_credentials_stay_permanent_whatever_is_tried_afterwards() -> None:
    def use_another_server() -> None:
        try:
            with smtplib.SMTP(server.host, server.port) as smtp:
                smtp.login("anna", "wrong")
        except smtplib.SMTPAuthenticationError:
            send(server)

    with SMTPTestServer(auth={"anna": "right"}, require_auth=True) as server:
        server.faults = [refuse("MAIL", "451 4.3.0 Later")]
        assert failure_of(use_another_server).outcome is PERMANENT


# What is foreign.


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError(), OSError("disk"), ConnectionRefusedError(), TimeoutError()]
)
def test_an_error_with_no_smtp_in_it_is_foreign(error: Exception) -> None:
    failure = classify(error)
    assert failure.outcome is None
    assert failure.foreign
    assert failure.exception is error


def test_a_log_service_that_fails_after_the_mail_is_foreign() -> None:
    def send_and_tell() -> None:
        send(server)
        raise ConnectionRefusedError("the log service is down")

    with SMTPTestServer() as server:
        assert failure_of(send_and_tell).foreign


def test_an_error_that_forgot_where_it_came_from_is_not_said_to_be_transient() -> None:
    def forget() -> None:
        problem = ""
        try:
            send(server)
        except OSError as error:
            problem = str(error)
        raise smtplib.SMTPServerDisconnected(problem)

    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        assert failure_of(forget).outcome is UNKNOWN


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    assert classify(first).foreign


# Groups.

groups = pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup")


def caught(call: Callable[..., Any], *args: Any) -> Exception:
    with pytest.raises(Exception) as info:  # noqa: PT011
        call(*args)
    return info.value


@groups
@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ([greylist(), drop("MAIL")], TRANSIENT),
        ([greylist(), refuse("RCPT", "550 5.1.1 Unknown")], PERMANENT),
        ([refuse("RCPT", "550 5.1.1 Unknown"), drop("after content")], UNKNOWN),
    ],
    ids=["all may be tried again", "one may not", "one may have been delivered"],
)
def test_a_group_is_as_serious_as_its_most_serious_member(faults: list[Fault], outcome: Outcome) -> None:
    errors = []
    for fault in faults:
        with SMTPTestServer(faults=[fault]) as server:
            errors.append(caught(send, server))
    group: Exception = ExceptionGroup("several", errors)  # noqa: F821
    assert classify(group).outcome is outcome
    assert classify(ExceptionGroup("nested", [group])).outcome is outcome  # noqa: F821


@groups
def test_a_group_with_a_foreign_member_is_not_transient() -> None:
    with SMTPTestServer(faults=[greylist()]) as server:
        error = caught(send, server)
    assert classify(ExceptionGroup("several", [error, ValueError()])).foreign  # noqa: F821


# What else may be raised in the midst of smtplib.


class Interrupted(BaseException):
    """What a handler of signals raises."""


@contextlib.contextmanager
def interrupted_when(milestone: Any, kind: type[BaseException]) -> Iterator[None]:
    """Have an exception raised in the main thread when the milestone is reached, by a handler of signals."""

    def raise_it(*_: object) -> None:
        raise kind("interrupted")

    def kill() -> None:
        milestone.wait()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)  # type: ignore[arg-type]

    previous = signal.signal(signal.SIGUSR1, raise_it)
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, previous)


def send_without_goodbye(server: SMTPTestServer, message: str = MESSAGE) -> None:
    smtp = smtplib.SMTP(server.host, server.port, timeout=10)
    try:
        smtp.sendmail(ANNA, [BERT], message)
    finally:
        smtp.close()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
@pytest.mark.parametrize("kind", [Interrupted, KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize(("at", "outcome"), [("MAIL", TRANSIENT), ("DATA", TRANSIENT), ("after content", UNKNOWN)])
def test_what_a_handler_of_signals_raises_is_judged_by_how_far_the_message_had_come(
    at: Any, outcome: Outcome, kind: type[BaseException]
) -> None:
    with (
        SMTPTestServer(faults=[silence(at)]) as server,
        pytest.raises((OSError, kind)) as info,
        interrupted_when(server.reached(at), kind),
    ):
        send_without_goodbye(server)
    assert classify(info.value).outcome is outcome


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
def test_what_interrupts_the_sending_of_the_content_cannot_tell_how_much_has_left() -> None:
    with (
        SMTPTestServer(faults=[hold("content", after_bytes=1000)]) as server,
        pytest.raises(smtplib.SMTPServerDisconnected) as info,
        interrupted_when(server.held("content"), TimeoutError),
    ):
        send_without_goodbye(server, MESSAGE + "x" * 16_000_000)
    assert classify(info.value).outcome is UNKNOWN


class OwnData(smtplib.SMTP):
    """Sends the content in a way of its own."""

    def data(self, msg: Any) -> Any:
        self.docmd("DATA")
        self.send(msg.replace("\r\n", "\r\n") if isinstance(msg, str) else msg)
        self.send(b"\r\n.\r\n")
        return self.getreply()


@pytest.mark.parametrize("at", ["DATA", "after content"])
def test_a_class_with_a_data_of_its_own_is_not_trusted_with_more_than_can_be_seen(at: Any) -> None:
    with SMTPTestServer(faults=[drop(at)]) as server, OwnData(server.host, server.port) as smtp:
        assert failure_of(smtp.sendmail, ANNA, [BERT], MESSAGE).outcome is UNKNOWN


def test_a_reply_that_a_wrapper_raises_by_itself_counts() -> None:
    def speak_for_itself() -> None:
        smtp = smtplib.SMTP(server.host, server.port)
        try:
            smtp.ehlo()
            smtp.mail(ANNA)
            smtp.rcpt(BERT)
            code, reply = smtp.data(MESSAGE)
            raise smtplib.SMTPDataError(code, reply)
        finally:
            smtp.close()

    with SMTPTestServer(
        faults=[refuse("content", "451 4.3.0 Later", nth=1), refuse("content", "554 5.6.0 No")]
    ) as server:
        assert failure_of(speak_for_itself).outcome is TRANSIENT
        assert failure_of(speak_for_itself).outcome is PERMANENT


def test_delivery_unknown_tells_its_message_even_when_it_has_come_from_another_process() -> None:
    error = DeliveryUnknown("lost", "<1@example.org>", Phase.CONTENT_SENT, (BERT, CLEO))
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.message_id, copy.phase, copy.recipients) == ("<1@example.org>", Phase.CONTENT_SENT, (BERT, CLEO))
    failure = classify(copy)
    assert (failure.outcome, failure.phase, failure.message_id) == (UNKNOWN, Phase.CONTENT_SENT, "<1@example.org>")
    assert isinstance(copy, smtplib.SMTPServerDisconnected)


def test_a_failure_shows_what_it_has_and_no_more() -> None:
    assert repr(classify(ValueError("x"))) == "Failure(foreign, text='x', exception=ValueError('x'))"
    assert repr(Failure(TRANSIENT, 450, phase=Phase.ENVELOPE)) == "Failure(TRANSIENT, code=450, phase=ENVELOPE)"


def test_a_long_chain_is_no_trouble() -> None:
    error: BaseException = ValueError()
    for _ in range(20_000):
        outer = ValueError()
        outer.__context__, error = error, outer
    assert classify(error).foreign


def test_a_cancelled_error_that_nothing_is_known_of_is_foreign() -> None:
    assert classify(asyncio.CancelledError()).foreign
