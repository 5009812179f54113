"""What a policy tries again, and what it lets through: on functions, coroutine functions and bridges."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import tenacity
from tenacity import retry_if_exception_type, retry_if_result, wait_none

from asyncsmtp_bridge import DeliveryUnknown, bridge, retry_if_transient, retry_transient
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import Fault, SMTPTestServer, close_with_421, drop, greylist, refuse, silence

from .sending import BERT, Sender, at_once, copies, message

Way = Callable[[Sender, Any], Any]


def as_a_function(sender: Sender, policy: Any) -> Any:
    return policy(sender.send)()


def as_a_coroutine_function(sender: Sender, policy: Any) -> Any:
    async def send() -> Any:
        return await asyncio.to_thread(sender.send)

    return asyncio.run(policy(send)())


def as_a_bridged_function(sender: Sender, policy: Any) -> Any:
    async def main() -> Any:
        return await bridge(partial(type(sender).send, sender), retry=policy)()

    return asyncio.run(main())


def as_a_bridged_object(sender: Sender, policy: Any) -> Any:
    async def main() -> Any:
        return await bridge(sender, retry=policy).send()

    return asyncio.run(main())


def as_a_lambda_of_a_coroutine_function(sender: Sender, policy: Any) -> Any:
    async def main() -> Any:
        return await policy(lambda: asyncio.to_thread(sender.send))()

    return asyncio.run(main())


WAYS: list[Way] = [
    as_a_function,
    as_a_coroutine_function,
    as_a_bridged_function,
    as_a_bridged_object,
]


def of_tenacitys(**options: Any) -> Any:
    """Make a decorator of tenacity's own that asks ours."""
    return tenacity.retry(
        retry=retry_if_transient(**options), stop=tenacity.stop_after_attempt(5), wait=wait_none(), reraise=True
    )


# tenacity's own does not see that a lambda gives a coroutine.
POLICIES = {"retry_transient": at_once, "tenacity's": of_tenacitys()}
COMBINATIONS = [
    *((way, policy) for policy in POLICIES.values() for way in WAYS),
    (as_a_lambda_of_a_coroutine_function, at_once),
]

HEALED: dict[str, Fault] = {
    "greeting": refuse("greeting", "421 4.3.2 Busy", times=2),
    "greeting dropped": drop("greeting", times=2),
    "MAIL 451": refuse("MAIL", "451 4.3.0 Later", times=2),
    "MAIL 421": refuse("MAIL", "421 4.7.0 Too many", times=2),
    "greylisted": greylist(),
    "DATA dropped": drop("DATA", times=2),
    "content 452": refuse("content", "452 4.3.1 Disk full", times=2),
}


@pytest.mark.parametrize(("way", "policy"), COMBINATIONS)
@pytest.mark.parametrize("fault", HEALED.values(), ids=HEALED)
def test_what_fails_for_now_is_tried_again_and_delivered_once(fault: Fault, way: Way, policy: Any) -> None:
    with SMTPTestServer(faults=[fault]) as server:
        sender = Sender(server)
        way(sender, policy)
        assert copies(server) == {("<1@example.org>", BERT): 1}
        assert sender.calls == (2 if fault is HEALED["greylisted"] else 3)


FINAL: dict[str, tuple[Fault, type[Exception]]] = {
    "MAIL 550": (refuse("MAIL", "550 5.7.1 Not you"), smtplib.SMTPSenderRefused),
    "RCPT 550": (refuse("RCPT", "550 5.1.1 Unknown"), smtplib.SMTPRecipientsRefused),
    "content 554": (refuse("content", "554 5.7.1 Spam"), smtplib.SMTPDataError),
}


@pytest.mark.parametrize(("way", "policy"), COMBINATIONS)
@pytest.mark.parametrize("row", FINAL)
def test_what_is_refused_for_good_is_raised_at_once(row: str, way: Way, policy: Any) -> None:
    fault, kind = FINAL[row]
    with SMTPTestServer(faults=[fault]) as server:
        sender = Sender(server)
        with pytest.raises(kind):
            way(sender, policy)
        assert sender.calls == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [drop("after content", keep=True), drop("after content")], ids=["kept", "not kept"])
def test_what_may_have_been_delivered_is_raised_with_its_message_id_and_phase(fault: Fault, way: Way) -> None:
    with SMTPTestServer(faults=[fault]) as server:
        sender = Sender(server)
        with pytest.raises(DeliveryUnknown, match=r"message <1@example.org> may have been delivered") as caught:
            way(sender, at_once)
        assert sender.calls == 1
    assert (caught.value.message_id, caught.value.phase) == ("<1@example.org>", Phase.CONTENT_SENT)
    assert isinstance(caught.value, smtplib.SMTPServerDisconnected)
    assert isinstance(caught.value.__cause__, smtplib.SMTPServerDisconnected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "policy", [retry_transient(on_unknown="retry", wait=wait_none()), of_tenacitys(on_unknown="retry")]
)
def test_it_is_sent_at_least_once_if_that_is_wanted(way: Way, policy: Any) -> None:
    with SMTPTestServer(faults=[drop("after content", keep=True, times=2)]) as server:
        way(Sender(server), policy)
        assert copies(server) == {("<1@example.org>", BERT): 3}


def test_when_that_fails_in_the_end_the_error_still_says_that_it_may_have_been_delivered() -> None:
    faults = [drop("after content", keep=True, nth=1), refuse("MAIL", "550 5.7.1 Not you", after=1)]
    with SMTPTestServer(faults=faults) as server:
        with pytest.raises(DeliveryUnknown) as caught:
            retry_transient(on_unknown="retry", wait=wait_none())(Sender(server).send)()
        assert isinstance(caught.value.__cause__, smtplib.SMTPSenderRefused)
    assert caught.value.message_id == "<1@example.org>"


@pytest.mark.parametrize("way", WAYS)
def test_the_last_error_is_let_through_as_it_came(way: Way) -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy")]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            way(sender, retry_transient(attempts=3, wait=wait_none()))
        assert sender.calls == 3
    assert caught.value.recipients == {BERT: (450, b"4.2.1 Busy")}
    assert caught.value.__cause__ is None


class CorpError(Exception):
    """What the wrapper raises."""


def test_a_wrappers_own_error_stays_what_it_is() -> None:
    @at_once
    def send() -> None:
        try:
            sender.send()
        except smtplib.SMTPException as error:
            raise CorpError from error

    with SMTPTestServer(faults=[drop("after content")]) as server:
        sender = Sender(server)
        with pytest.raises(CorpError):
            send()
        assert sender.calls == 1
    with SMTPTestServer(faults=[close_with_421(after_messages=0)]) as server:
        sender = Sender(server)
        with pytest.raises(CorpError):
            send()
        assert sender.calls == 5


@pytest.mark.parametrize("error", [ValueError, ConnectionRefusedError, TimeoutError, OSError, RuntimeError])
def test_an_error_that_is_not_smtps_is_raised_at_once(error: type[Exception]) -> None:
    calls = []

    @at_once
    def send() -> None:
        calls.append(1)
        raise error

    with pytest.raises(error):
        send()
    assert len(calls) == 1


def test_wrong_credentials_are_never_tried_again_whatever_is_asked_for_besides() -> None:
    def log_in() -> None:
        with sender.connect() as smtp:
            smtp.login("anna", "wrong")

    policy = retry_transient(wait=wait_none(), also=retry_if_exception_type())
    with SMTPTestServer(auth={"anna": "right"}) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            policy(log_in)()
        assert server.connections_total == 1


def test_a_disconnect_of_which_nothing_else_is_known_is_tried_again_if_nothing_was_begun() -> None:
    """As functions raise it that stand for a wrapper in somebody's tests."""
    calls = []

    @at_once
    def send() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise smtplib.SMTPServerDisconnected("gone")
        return "sent"

    assert send() == "sent"


def test_a_health_check_that_finds_the_session_gone_is_tried_again() -> None:
    class Pooled:
        def __init__(self) -> None:
            self.session = sender.connect()

        def send(self) -> None:
            try:
                self.session.noop()
            except smtplib.SMTPServerDisconnected:
                self.session = sender.connect()
                raise
            self.session.send_message(message())

    with SMTPTestServer() as server:
        sender = Sender(server)
        pooled = Pooled()
        server.hang_up()
        at_once(pooled.send)()
        pooled.session.quit()
        assert copies(server) == {("<1@example.org>", BERT): 1}


# also=


def test_a_wrappers_own_errors_can_be_tried_again_too() -> None:
    calls = []

    def send() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise CorpError
        return "sent"

    assert retry_transient(wait=wait_none(), also=retry_if_exception_type(CorpError))(send)() == "sent"
    with pytest.raises(CorpError):
        calls.clear()
        at_once(send)()


def test_not_if_the_call_has_begun_to_send() -> None:
    def send() -> None:
        sender.send()
        raise CorpError("the log service is down")

    with SMTPTestServer() as server:
        sender = Sender(server)
        with pytest.raises(CorpError):
            retry_transient(wait=wait_none(), also=retry_if_exception_type(CorpError))(send)()
        assert copies(server) == {("<1@example.org>", BERT): 1}


class Quiet(Sender):
    """Says by its result whether it has sent."""

    def try_to_send(self) -> bool:
        try:
            self.send()
        except OSError:
            return False
        return True


UNLESS_TRUE = retry_transient(attempts=3, wait=wait_none(), also=retry_if_result(lambda sent: not sent))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_result_can_mean_failure_and_the_last_one_is_returned(times: int) -> None:
    with SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later", times=times)]) as server:
        assert UNLESS_TRUE(Quiet(server).try_to_send)() is (times < 3)
        assert len(server.messages) == (times < 3)


def test_a_result_that_means_failure_is_returned_if_the_mail_may_have_been_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        assert UNLESS_TRUE(Quiet(server).try_to_send)() is False
        assert copies(server) == {("<1@example.org>", BERT): 1}
    assert "had begun to send <1@example.org>, which may have been delivered" in caplog.text


def test_an_explicit_wish_is_heard_about_what_is_refused_for_good() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "550 5.1.1 Unknown", times=1)]) as server:
        retry_transient(wait=wait_none(), also=retry_if_exception_type(smtplib.SMTPRecipientsRefused))(
            Sender(server).send
        )()
        assert len(server.messages) == 1


def test_predicates_and_stops_and_waits_compose_with_those_of_tenacity() -> None:
    policy = tenacity.retry(
        retry=retry_if_transient() | retry_if_exception_type(CorpError),
        stop=tenacity.stop_after_attempt(4) | tenacity.stop_after_delay(60),
        wait=wait_none() + tenacity.wait_fixed(0),
        reraise=True,
    )
    errors: list[Exception] = [CorpError(), smtplib.SMTPConnectError(421, "busy"), ValueError()]

    @policy
    def send() -> None:
        raise errors.pop(0)

    with pytest.raises(ValueError, match=r"^$"):
        send()
    both = retry_if_transient() & retry_if_exception_type(smtplib.SMTPSenderRefused)
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy")]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            tenacity.retry(retry=both, reraise=True)(sender.send)()
        assert sender.calls == 1


def test_a_stop_of_tenacitys_takes_the_place_of_ours() -> None:
    with SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later")]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPSenderRefused):
            retry_transient(stop=tenacity.stop_after_attempt(7), wait=wait_none())(sender.send)()
        assert sender.calls == 7


async def test_a_deadline_for_each_attempt_is_tried_again_as_far_as_nothing_was_sent() -> None:
    attempts = []

    @at_once
    async def send() -> None:
        attempts.append(1)
        if len(attempts) > 1:
            server.faults = []
        await asyncio.wait_for(bridge(sender.send)(), 0.2 if len(attempts) == 1 else None)

    with SMTPTestServer(faults=[silence("MAIL")]) as server:
        sender = Sender(server)
        await send()
        assert len(attempts) == 2
        assert copies(server) == {("<1@example.org>", BERT): 1}
