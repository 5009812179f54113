"""A call that has begun to send something is not made again for what fails later, and its error says what was sent."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, Outcome, bridge, classify, to_thread
from asyncsmtp_bridge.testing import SMTPTestServer, drop, hold, refuse, silence

from .sending import ANNA, BERT, CLEO, SECOND_GREYLISTED, TWO, Both, Sender, at_once, copies, message
from .test_what_is_retried import WAYS, of_tenacitys


@pytest.mark.parametrize("policy", [at_once, of_tenacitys()], ids=["retry_transient", "tenacity's"])
@pytest.mark.parametrize("way", WAYS)
def test_of_two_messages_of_which_the_second_is_greylisted_the_first_is_sent_once(way: Any, policy: Any) -> None:
    if policy is not at_once and way.__name__ == "as_a_coroutine_function":
        pytest.skip("retry_if_transient() does not know what a coroutine function did before")
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Both(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            way(sender, policy)
        assert copies(server) == {("<1@example.org>", BERT): 1}
        assert sender.calls == 1


def test_the_error_says_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        at_once(Both(server).send)()
    said = "not tried again: the same call had begun to send before, and would send again: <1@example.org>"
    assert said in caplog.text
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == [said]
    failure = classify(caught.value)
    assert (failure.outcome, failure.code, failure.message_id) == (Outcome.UNKNOWN, 450, "<2@example.org>")
    assert failure.sent_before == ("<1@example.org>",)


@pytest.mark.parametrize("way", WAYS)
def test_a_wrapper_that_sends_and_then_fails_at_its_log_service_has_sent_one_copy(way: Any) -> None:
    class Telling(Sender):
        def send(self, *_: Any) -> int:
            super().send(message())
            raise ConnectionRefusedError("the log service is down")

    with SMTPTestServer() as server:
        with pytest.raises(ConnectionRefusedError) as caught:
            way(Telling(server), at_once)
        assert copies(server) == {("<1@example.org>", BERT): 1}
    failure = classify(caught.value)
    assert (failure.foreign, failure.sent_before) == (True, ("<1@example.org>",))


async def test_of_two_messages_that_a_coroutine_function_sends_through_a_mirror_the_first_is_sent_once() -> None:
    @at_once
    async def send_both() -> None:
        async with AsyncSMTP(server.host, server.port) as smtp:
            for each in TWO:
                await smtp.send_message(each)

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await send_both()
        assert copies(server) == {("<1@example.org>", BERT): 1}


async def test_what_is_left_of_an_attempt_sends_nothing_when_the_next_one_is_made() -> None:
    """Of two messages that are sent side by side, one fails while the other is on its way."""

    @at_once
    async def send_both() -> None:
        await asyncio.gather(*(to_thread(sender.send, each) for each in TWO))

    def go_on() -> None:
        server.held("RCPT").wait()
        server.reached("RCPT", 4).wait()  # by the next attempt
        server.faults = []
        server.release("RCPT")

    faults = [hold("RCPT", recipient=BERT, times=1), drop("RCPT", recipient=CLEO, times=1)]
    with SMTPTestServer(faults=faults) as server:
        sender = Sender(server)
        waiting = threading.Thread(target=go_on)
        waiting.start()
        await send_both()
        waiting.join()
        await server.connected(0)
        assert sender.calls == 4
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<2@example.org>", CLEO): 1}


async def test_what_is_left_of_it_has_sent_something_so_that_no_next_one_is_made() -> None:
    @at_once
    async def send_both() -> None:
        await asyncio.gather(*(to_thread(sender.send, each) for each in TWO))

    faults = [hold("RCPT", recipient=CLEO), drop("RCPT", recipient=CLEO)]
    with SMTPTestServer(faults=faults) as server:
        sender = Sender(server)
        call = asyncio.ensure_future(send_both())
        await server.held("RCPT")
        await server.received(1)
        server.release("RCPT")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await call
        assert (sender.calls, copies(server)) == (2, {("<1@example.org>", BERT): 1})


@pytest.mark.parametrize("when", ["in a pool of threads", "on the loop's executor"])
def test_so_it_is_when_they_are_sent_by_threads_that_the_wrapper_has_started(when: str) -> None:
    def send(each: Any) -> None:
        sender.send(each)

    if when == "in a pool of threads":

        def send_both() -> None:
            with ThreadPoolExecutor(1) as pool:
                list(pool.map(send, TWO))

        call = at_once(send_both)
    else:

        async def send_on_executor() -> None:
            loop = asyncio.get_running_loop()
            for each in TWO:
                await loop.run_in_executor(None, send, each)

        def call() -> None:
            asyncio.run(at_once(send_on_executor)())

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            call()
        assert copies(server) == {("<1@example.org>", BERT): 1}


def test_one_message_that_is_sent_by_such_a_thread_is_tried_again() -> None:
    def send() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(sender.send).result()

    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=2)]) as server:
        sender = Sender(server)
        at_once(send)()
        assert copies(server) == {("<1@example.org>", BERT): 1}


def test_what_others_send_meanwhile_is_not_held_against_a_call() -> None:
    def send() -> None:
        others.submit(Sender(server).send, message(3, CLEO)).result()
        sender.send()

    faults = [refuse("RCPT", "450 4.2.1 Busy", recipient=BERT, times=2)]
    with SMTPTestServer(faults=faults) as server, ThreadPoolExecutor(1) as others:
        others.submit(int).result()  # its thread is there before the call
        sender = Sender(server)
        at_once(send)()
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<3@example.org>", CLEO): 3}


def test_a_content_that_was_refused_for_now_is_not_one_that_was_sent() -> None:
    with SMTPTestServer(faults=[refuse("content", "451 4.3.0 Later", times=3)]) as server:
        sender = Sender(server)
        at_once(sender.send)()
        assert sender.calls == 4
        assert copies(server) == {("<1@example.org>", BERT): 1}


def test_a_fallback_that_has_delivered_is_not_undone_by_what_fails_afterwards() -> None:
    @at_once
    def send() -> None:
        try:
            sender.send()
        except smtplib.SMTPException:
            Sender(fallback).send()
            raise

    with SMTPTestServer(faults=[refuse("MAIL", "451 4.3.0 Later")]) as server, SMTPTestServer() as fallback:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPSenderRefused):
            send()
        assert copies(fallback) == {("<1@example.org>", BERT): 1}


def test_a_quit_that_is_refused_after_the_mail_sends_no_second_copy() -> None:
    with SMTPTestServer(faults=[refuse("QUIT", "421 4.3.2 Bye")]) as server:
        with pytest.raises(smtplib.SMTPResponseException):
            at_once(Sender(server).send)()
        assert copies(server) == {("<1@example.org>", BERT): 1}


class SpeakingForItself(smtplib.SMTP):
    """Sends by verbs of its own."""

    def sendmail(self, from_addr: Any, to_addrs: Any, msg: Any, *_: Any, **__: Any) -> Any:
        self.ehlo_or_helo_if_needed()
        for command in (f"MAIL FROM:<{from_addr}>", f"RCPT TO:<{to_addrs}>", "DATA"):
            code, reply = self.docmd(command)
            if code >= 400:
                self.rset()
                raise smtplib.SMTPResponseException(code, reply)
        self.send(msg + b"\r\n.\r\n")
        self.getreply()
        return {}


def test_a_class_that_speaks_smtp_by_itself_is_recorded_too() -> None:
    @at_once
    def send_both() -> None:
        calls.append(1)
        with SpeakingForItself(server.host, server.port) as smtp:
            smtp.sendmail(ANNA, BERT, b"Message-ID: <1@example.org>\r\n\r\nx")
            smtp.sendmail(ANNA, CLEO, b"Message-ID: <2@example.org>\r\n\r\nx")

    calls: list[int] = []
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            send_both()
        assert copies(server) == {("<1@example.org>", BERT): 1}
    assert (len(calls), classify(caught.value).sent_before) == (1, ("<1@example.org>",))


class WithAWireOfItsOwn(smtplib.SMTP):
    """Does not send by smtplib's ``send``, which nobody sees then."""

    def send(self, s: Any) -> None:
        self.sock.sendall(s.encode() if isinstance(s, str) else s)  # type: ignore[union-attr]


def test_of_a_class_that_cannot_be_watched_it_is_not_claimed_that_nothing_was_sent() -> None:
    @at_once
    def send() -> None:
        calls.append(1)
        with WithAWireOfItsOwn(server.host, server.port) as smtp:
            smtp.send_message(message())
        raise smtplib.SMTPServerDisconnected("which says nothing of where")

    calls: list[int] = []
    with SMTPTestServer() as server:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send()
        assert copies(server) == {("<1@example.org>", BERT): 1}


def test_policies_within_policies_send_nothing_twice() -> None:
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Sender(server)

        @at_once
        def send_both() -> None:
            for each in TWO:
                at_once(sender.send)(each)

        send_both()
        assert copies(server) == {("<1@example.org>", BERT): 1, ("<2@example.org>", CLEO): 1}
        server.faults = [refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO)]
        server.reset()
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send_both()
        assert copies(server) == {("<1@example.org>", BERT): 1}


async def test_a_cancelled_call_that_had_sent_something_before_is_not_said_to_have_sent_nothing() -> None:

    with SMTPTestServer(faults=[silence("RCPT", recipient=CLEO)]) as server:
        call = asyncio.ensure_future(bridge(Both(server), retry=at_once).send())
        await server.reached("RCPT", 2)
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0)
    assert classify(caught.value).outcome is Outcome.UNKNOWN


def test_without_the_hook_only_the_exception_is_known() -> None:
    """What is lost by ``configure(audit_hook=False)``, as the documentation says."""

    code = """
import smtplib
import subprocess
from asyncsmtp_bridge import configure
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.retry.sending import SECOND_GREYLISTED, Both, at_once, copies
configure(audit_hook=False)
with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
    at_once(Both(server).send)()
    print(sorted(copies(server).items()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == (
        "[(('<1@example.org>', 'bert@example.org'), 2), (('<2@example.org>', 'cleo@example.org'), 1)]"
    )


def test_decorating_installs_nothing_and_leaves_the_defaults_open() -> None:

    code = """
import sys
events = []
from asyncsmtp_bridge import configure, record, retry_transient
@retry_transient
def send(): pass
assert not record.kept
configure(executor_size=2)
send()
assert record.kept
"""
    subprocess.run([sys.executable, "-c", code], timeout=20, check=True)


def test_our_predicate_installs_it_when_it_is_made_unless_that_was_declined() -> None:

    code = """
from asyncsmtp_bridge import configure, record, retry_if_transient
configure(audit_hook={})
retry_if_transient()
print(record.kept)
"""
    for allowed in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", code.format(allowed)], capture_output=True, text=True, timeout=20, check=True
        )
        assert done.stdout.strip() == str(allowed)
