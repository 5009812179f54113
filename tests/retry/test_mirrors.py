"""A policy on a mirror: only those are sent to again who have not got the message."""

from __future__ import annotations

import asyncio
import email.utils
import inspect
import smtplib
from email.message import EmailMessage
from typing import Any

import pytest
import tenacity
from tenacity import wait_none

from asyncsmtp_bridge import (
    AsyncLMTP,
    AsyncSMTP,
    DeliveryUnknown,
    Outcome,
    bridge,
    classify,
    retry_transient,
)
from asyncsmtp_bridge.testing import SMTPTestServer, drop, hold, refuse, silence

from .sending import ANNA, BERT, CLEO, DORA, at_once, copies, message
from .test_what_is_retried import of_tenacitys

EVERYBODY = f"{BERT}, {CLEO}, {DORA}"
POLICIES = {"retry_transient": at_once, "tenacity's": of_tenacitys()}

CLEO_BUSY_TWICE = refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO, times=2)
DORA_UNKNOWN = refuse("RCPT", "550 5.1.1 Unknown", recipient=DORA)


async def send(server: SMTPTestServer, to: str = EVERYBODY, policy: Any = at_once, **options: Any) -> Any:
    async with AsyncSMTP(server.host, server.port, retry=policy) as smtp:
        return await smtp.send_message(message(to=to), **options)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_who_was_refused_for_now_is_sent_to_again_and_nobody_else(policy: Any) -> None:
    with SMTPTestServer(faults=[CLEO_BUSY_TWICE, DORA_UNKNOWN]) as server:
        assert await send(server, policy=policy) == {DORA: (550, b"5.1.1 Unknown")}
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<1@example.org>", CLEO): 1}
        asked = [line for line in server.commands if line.lower().startswith("rcpt")]
        assert [line.lower() for line in asked if DORA in line] == [f"rcpt to:<{DORA}>"]
        assert server.connections_total == 1


async def test_sendmail_does_the_same() -> None:
    with SMTPTestServer(faults=[CLEO_BUSY_TWICE, DORA_UNKNOWN]) as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            refused = await smtp.sendmail(ANNA, [BERT, CLEO, DORA], "Message-ID: <1@example.org>\r\n\r\nx\r\n")
            assert refused == {DORA: (550, b"5.1.1 Unknown")}
            assert await smtp.sendmail(from_addr=ANNA, to_addrs=BERT, msg="Message-ID: <2@example.org>\r\n\r\nx") == {}
        assert copies(server) == {
            ("<1@example.org>", BERT): 1,
            ("<1@example.org>", CLEO): 1,
            ("<2@example.org>", BERT): 1,
        }


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_final_refusals_of_some_are_returned(policy: Any) -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO)]) as server:
        assert await send(server, policy=policy) == {CLEO: (450, b"4.2.1 Busy")}
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<1@example.org>", DORA): 1}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_final_refusals_of_all_are_raised(policy: Any) -> None:
    faults = [refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO), DORA_UNKNOWN]
    with SMTPTestServer(faults=faults) as server:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            await send(server, f"{CLEO}, {DORA}", policy)
        assert type(caught.value) is smtplib.SMTPRecipientsRefused
        assert caught.value.recipients == {CLEO: (450, b"4.2.1 Busy"), DORA: (550, b"5.1.1 Unknown")}
        assert [line.lower() for line in server.commands if DORA in line] == [f"rcpt to:<{DORA}>"]
        assert not server.messages


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("at", ["MAIL", "DATA", "content"])
async def test_a_message_that_was_refused_for_now_is_sent_again(at: Any, policy: Any) -> None:
    with SMTPTestServer(faults=[refuse(at, "451 4.3.0 Later", times=2)]) as server:
        assert await send(server, BERT, policy) == {}
        assert copies(server) == {("<1@example.org>", BERT): 1}


async def test_what_fails_for_those_still_owed_is_told_of_them_alone() -> None:
    faults = [CLEO_BUSY_TWICE, refuse("content", "554 5.7.1 Spam", nth=2)]
    with SMTPTestServer(faults=faults) as server:
        assert await send(server) == {CLEO: (554, b"5.7.1 Spam")}
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<1@example.org>", DORA): 1}


async def test_so_is_a_session_that_ends_before_they_are_sent_to(caplog: pytest.LogCaptureFixture) -> None:
    faults = [refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO), drop("MAIL", nth=2)]
    with SMTPTestServer(faults=faults) as server:
        assert await send(server) == {CLEO: (450, b"4.2.1 Busy")}
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<1@example.org>", DORA): 1}
    assert "not sent to those who were refused for now: SMTPServerDisconnected" in caplog.text


async def test_a_421_ends_it_and_nothing_is_tried_on_a_session_that_is_gone() -> None:
    with SMTPTestServer(faults=[refuse("MAIL", "421 4.7.0 Bye", nth=1)]) as server:
        with pytest.raises(smtplib.SMTPSenderRefused):
            await send(server)
        assert server.connections_total == 1
        assert len([line for line in server.commands if line.startswith("mail")]) == 1


@pytest.mark.parametrize("on_unknown", ["raise", "retry"])
async def test_what_may_have_been_delivered_is_raised_as_that_and_the_session_is_gone(on_unknown: Any) -> None:
    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        with pytest.raises(DeliveryUnknown) as caught:
            await send(server, policy=retry_transient(wait=wait_none(), on_unknown=on_unknown))
        assert copies(server) == dict.fromkeys([("<1@example.org>", each) for each in (BERT, CLEO, DORA)], 1)
    assert (caught.value.message_id, caught.value.recipients) == ("<1@example.org>", ())


async def test_it_says_for_whom_if_others_have_their_answer() -> None:
    faults = [CLEO_BUSY_TWICE, DORA_UNKNOWN, drop("after content", keep=True, nth=2)]
    with SMTPTestServer(faults=faults) as server, pytest.raises(DeliveryUnknown) as caught:
        await send(server)
    assert caught.value.recipients == (CLEO,)
    assert caught.value.refused == {DORA: (550, b"5.1.1 Unknown")}


@pytest.mark.parametrize("on_unknown", ["raise", "retry"])
async def test_what_is_no_reply_may_have_been_delivered_and_ends_the_session(on_unknown: Any) -> None:
    """What is sent next could become a mail: nobody knows where the server is."""
    with SMTPTestServer(faults=[refuse("content", "what", times=1)]) as server:
        with pytest.raises(DeliveryUnknown):
            await send(server, policy=retry_transient(wait=wait_none(), on_unknown=on_unknown))
        assert len([line for line in server.commands if line.startswith("mail")]) == 1


@pytest.mark.parametrize(("at", "reply"), [("DATA", "250 Yes"), ("RCPT", "354 Go on"), ("MAIL", "what")])
async def test_a_reply_that_does_not_belong_there_ends_the_session(at: Any, reply: str) -> None:
    with SMTPTestServer(faults=[refuse(at, reply, times=1)]) as server:
        with pytest.raises(smtplib.SMTPException):
            await send(server, BERT)
        assert len([line for line in server.commands if line.startswith("mail")]) == 1


async def test_the_next_message_of_another_task_finds_no_open_transaction() -> None:
    with SMTPTestServer(faults=[hold("DATA", times=1), refuse("DATA", "451 4.3.0 Later", times=1)]) as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            first = asyncio.ensure_future(smtp.send_message(message(1)))
            await server.held("DATA")
            second = asyncio.ensure_future(smtp.send_message(message(2)))
            await asyncio.sleep(0)
            server.faults = [refuse("DATA", "451 4.3.0 Later", times=1)]
            server.release("DATA")
            assert await asyncio.gather(first, second) == [{}, {}]
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<2@example.org>", BERT): 1}


async def test_a_recipient_who_is_named_twice_gets_it_once() -> None:
    refusing = refuse("RCPT", "450 4.2.1 Busy", recipient=BERT, times=1)
    for arguments in (
        {"to_addrs": [BERT, CLEO, BERT]},
        {"to_addrs": [BERT, BERT]},
        {"to": f"{BERT}, {CLEO}, {BERT}"},
    ):
        with SMTPTestServer(faults=[refusing]) as server:
            assert await send(server, **arguments) == {}  # type: ignore[arg-type]
            assert set(copies(server).values()) == {1}


class InBatches(smtplib.SMTP):
    """Makes a transaction for each recipient."""

    def sendmail(self, from_addr: Any, to_addrs: Any, *args: Any, **kwargs: Any) -> Any:
        refused = {}
        for each in to_addrs:
            refused.update(super().sendmail(from_addr, [each], *args, **kwargs))
        return refused


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_a_class_that_makes_several_transactions_of_one_call_sends_none_of_them_twice(policy: Any) -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO, times=1)]) as server:
        async with AsyncSMTP(server.host, server.port, smtp_class=InBatches, retry=policy) as smtp:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                await smtp.sendmail(ANNA, [BERT, CLEO], "Message-ID: <1@example.org>\r\n\r\nx\r\n")
        assert copies(server) == {("<1@example.org>", BERT): 1}


async def test_connecting_is_tried_again() -> None:
    with SMTPTestServer(faults=[refuse("greeting", "421 4.3.2 Busy", times=2)]) as server:
        assert await send(server) == {}
        server.reset()
        smtp = AsyncSMTP(retry=at_once)
        code, _ = await smtp.connect(server.host, server.port)
        await smtp.quit()
        assert (code, server.connections_total) == (220, 3)
        server.faults = [refuse("greeting", "421 4.3.2 Busy")]
        assert await smtp.connect(server.host, server.port) == (421, b"4.3.2 Busy")
        await smtp.close()


async def test_single_verbs_are_not_tried_again() -> None:
    with SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later")]) as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            await smtp.ehlo()
            assert await smtp.mail(ANNA) == (451, b"4.3.0 Later")
            await smtp.rset()
        assert len([line for line in server.commands if line.startswith("mail")]) == 1


async def test_a_session_that_is_bridged_and_a_class_of_sessions_take_the_policy_too() -> None:
    class CorpSMTP(smtplib.SMTP):
        pass

    with SMTPTestServer(faults=[CLEO_BUSY_TWICE]) as server:
        session = await asyncio.to_thread(smtplib.SMTP, server.host, server.port)
        async with bridge(session, retry=at_once) as smtp:
            assert await smtp.send_message(message(to=EVERYBODY)) == {}
        server.reset()
        async with bridge(CorpSMTP, retry=at_once)(server.host, server.port) as smtp:
            assert await smtp.send_message(message(to=EVERYBODY)) == {}
        server.reset()
        async with AsyncSMTP(server.host, server.port, smtp_class=CorpSMTP, retry=at_once) as smtp:
            assert await smtp.send_message(message(to=EVERYBODY)) == {}
        assert len(copies(server)) == 3


async def test_lmtp_takes_it_too() -> None:
    with SMTPTestServer(lmtp=True, faults=[refuse("RCPT", "450 4.2.1 Busy", times=1)]) as server:
        async with AsyncLMTP(server.host, server.port, retry=at_once) as lmtp:
            assert await lmtp.sendmail(ANNA, [BERT], "Message-ID: <1@example.org>\r\n\r\nx\r\n") == {}
        assert copies(server) == {("<1@example.org>", BERT): 1}


async def test_cancelling_between_two_attempts_says_whether_some_have_got_it() -> None:
    waits = asyncio.Event()

    async def before_sleep(_: tenacity.RetryCallState) -> None:
        waits.set()

    policy = retry_transient(wait=tenacity.wait_fixed(100), before_sleep=before_sleep)
    for to, outcome in ((CLEO, Outcome.TRANSIENT), (EVERYBODY, Outcome.UNKNOWN)):
        waits.clear()
        with SMTPTestServer(faults=[CLEO_BUSY_TWICE]) as server:
            call = asyncio.ensure_future(send(server, to, policy))
            await waits.wait()
            with pytest.raises(asyncio.TimeoutError) as caught:
                await asyncio.wait_for(call, 0)
        assert classify(caught.value).outcome is outcome


async def test_cancelling_the_second_attempt_does_too() -> None:
    with SMTPTestServer(faults=[CLEO_BUSY_TWICE, silence("MAIL", nth=2)]) as server:
        call = asyncio.ensure_future(send(server))
        await server.reached("MAIL", 2)
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0)
    assert classify(caught.value).outcome is Outcome.UNKNOWN


async def test_a_call_that_waits_leaves_the_session_to_others() -> None:
    waits, go_on = asyncio.Event(), asyncio.Event()

    async def before_sleep(_: tenacity.RetryCallState) -> None:
        waits.set()
        await go_on.wait()

    with SMTPTestServer(faults=[CLEO_BUSY_TWICE]) as server:
        policy = retry_transient(wait=wait_none(), before_sleep=before_sleep)
        async with AsyncSMTP(server.host, server.port, retry=policy) as smtp:
            first = asyncio.ensure_future(smtp.send_message(message(1, CLEO)))
            await waits.wait()
            await smtp.send_message(message(2, BERT))
            assert copies(server) == {("<2@example.org>", BERT): 1}
            go_on.set()
            await first
        assert copies(server) == {("<2@example.org>", BERT): 1, ("<1@example.org>", CLEO): 1}


# What tells copies from other messages.


def anonymous() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Anna <anna@mail.example.org>", BERT
    made.set_content("Hello")
    return made


async def test_message_id_and_date_are_set_before_the_first_attempt_and_stay() -> None:
    seen: set[str | None] = set()

    def before_sleep(state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None
        seen.add(classify(state.outcome.exception()).message_id)

    policy = retry_transient(wait=wait_none(), before_sleep=before_sleep)
    with SMTPTestServer(faults=[refuse("content", "451 4.3.0 Later", times=2)]) as server:
        async with AsyncSMTP(server.host, server.port, retry=policy) as smtp:
            await smtp.send_message(anonymous())
        (kept,) = server.messages
        assert seen == {str(kept.message["Message-ID"])}
        assert str(kept.message["Message-ID"]).endswith("@mail.example.org>")
        assert email.utils.parsedate_to_datetime(str(kept.message["Date"])).tzinfo is not None


async def test_what_may_have_been_delivered_can_be_found_by_the_message_id_that_was_set() -> None:
    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            with pytest.raises(DeliveryUnknown) as caught:
                await smtp.send_message(anonymous())
        assert caught.value.message_id == str(server.messages[0].message["Message-ID"])


async def test_the_message_itself_stays_as_it_is() -> None:
    message, other = anonymous(), message_with_both()
    before = message.as_bytes(), other.as_bytes()
    with SMTPTestServer() as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            await smtp.send_message(message)
            await smtp.send_message(msg=other)
        first, second = server.messages
    assert (message.as_bytes(), other.as_bytes()) == before
    assert "Message-ID" in first.message
    assert second.content.replace(b"\r\n", b"\n") == before[1]


def message_with_both() -> EmailMessage:
    made = anonymous()
    made["Message-ID"], made["Date"] = "<mine@example.org>", "Mon, 23 Nov 2026 10:00:00 +0000"
    return made


async def test_without_a_policy_nothing_is_set() -> None:
    with SMTPTestServer() as server:
        async with AsyncSMTP(server.host, server.port) as smtp:
            await smtp.send_message(anonymous())
        assert "Message-ID" not in server.messages[0].message


# Ways of use.


async def test_methods_look_as_they_do_without() -> None:
    smtp = AsyncSMTP(retry=at_once)
    assert inspect.iscoroutinefunction(smtp.send_message)
    assert list(inspect.signature(smtp.sendmail).parameters)[:3] == ["from_addr", "to_addrs", "msg"]


async def test_wrong_arguments_are_raised_as_smtplib_raises_them() -> None:
    with SMTPTestServer() as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            with pytest.raises(TypeError, match="missing"):
                await smtp.sendmail(ANNA)  # type: ignore[call-arg]
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                await smtp.sendmail(ANNA, [], "x")
            assert await smtp.sendmail(ANNA, (BERT, BERT), "x") == {}


async def test_a_policy_that_is_none_is_refused_when_the_mirror_is_made() -> None:
    with pytest.raises(TypeError, match="retry= takes a decorator"):
        AsyncSMTP(retry=5)  # type: ignore[call-overload]


async def test_a_session_that_was_closed_is_not_waited_for() -> None:
    with SMTPTestServer(faults=[hold("MAIL")]) as server:
        smtp = AsyncSMTP(server.host, server.port, retry=retry_transient(wait=tenacity.wait_fixed(100)))
        await smtp
        call = asyncio.ensure_future(smtp.send_message(message()))
        await server.held("MAIL")
        server.hang_up()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await call
        with pytest.raises(smtplib.SMTPServerDisconnected, match="connect"):
            await smtp.send_message(message())
