"""Nothing twice, in odd company: exceptions, sessions, threads and tasks that do what nobody expects."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import pickle
import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tenacity
from tenacity import retry_if_exception_type, wait_none

from asyncsmtp_bridge import Outcome, bridge, classify, retry_if_transient, retry_transient
from asyncsmtp_bridge.testing import SMTPTestServer, drop, hold, refuse

from .sending import BERT, CLEO, SECOND_GREYLISTED, TWO, Both, Sender, at_once, copies, message
from .test_what_is_retried import of_tenacitys

FIRST = {("<1@example.org>", BERT): 1}


# Exceptions.


@dataclasses.dataclass(frozen=True)
class MailError(Exception):
    """Takes no attributes."""

    reason: str


def test_an_exception_that_takes_no_attributes_keeps_its_record() -> None:
    @at_once
    def send() -> None:
        try:
            sender.send()
        except smtplib.SMTPException as error:
            raise MailError("refused") from error

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Both(server)
        with pytest.raises(MailError):
            send()
        assert copies(server) == FIRST


async def test_so_it_does_through_a_bridge_under_a_policy_of_tenacitys() -> None:
    def send() -> None:
        try:
            sender.send()
        except smtplib.SMTPException as error:
            raise MailError("refused") from error

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Both(server)
        with pytest.raises(MailError):
            await bridge(send, retry=of_tenacitys())()
        assert copies(server) == FIRST


def test_an_exception_of_an_earlier_call_accounts_for_nothing_of_this_one() -> None:
    """As a circuit breaker raises it."""
    with SMTPTestServer(faults=[refuse("content", "451 4.3.0 Later", times=1)]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPDataError) as caught:
            sender.send(message(7))

        @at_once
        def send() -> None:
            sender.send(TWO[0])
            raise caught.value

        with pytest.raises(smtplib.SMTPDataError):
            send()
        assert copies(server) == FIRST


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused(["a"]),  # type: ignore[arg-type]
        smtplib.SMTPRecipientsRefused({"a": "no"}),  # type: ignore[dict-item]
        smtplib.SMTPDataError(450, None),  # type: ignore[arg-type]
        type("Incomplete", (smtplib.SMTPResponseException,), {"__init__": lambda _: None})(),
        type("Raising", (smtplib.SMTPException,), {"exceptions": property(lambda _: 1 // 0)})(),
    ],
    ids=repr,
)
def test_a_malformed_exception_is_judged_nevertheless_and_raised_as_it_is(error: Exception) -> None:
    assert classify(error).outcome is not Outcome.ACCEPTED

    @at_once
    def send() -> None:
        raise error

    with pytest.raises(smtplib.SMTPException):
        send()


def test_what_came_through_a_policy_can_go_to_another_process() -> None:
    faults = [refuse("RCPT", "550 5.1.1 Unknown")]
    with SMTPTestServer(faults=faults) as server, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        at_once(Sender(server).send)()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(caught.value, protocol))
        assert again.recipients == caught.value.recipients
        assert classify(again).outcome is Outcome.PERMANENT
    failure = dataclasses.replace(classify(caught.value), exception=None)
    assert pickle.loads(pickle.dumps(failure)) == copy.deepcopy(failure) == failure
    assert hash(failure) == hash(copy.copy(failure))
    assert dataclasses.asdict(failure)["code"] == 550


# Sessions.


class Streaming(smtplib.SMTP):
    """Writes the content to the socket itself."""

    def sendmail(self, from_addr: Any, to_addrs: Any, msg: Any, *_: Any, **__: Any) -> Any:
        self.ehlo_or_helo_if_needed()
        self.mail(from_addr)
        code, reply = self.rcpt(to_addrs[0])
        if code >= 400:
            self.rset()
            raise smtplib.SMTPRecipientsRefused({to_addrs[0]: (code, reply)})
        self.docmd("DATA")
        self.sock.sendall(msg + b"\r\n.\r\n")  # type: ignore[union-attr]
        self.getreply()
        return {}


class StreamingData(smtplib.SMTP):
    """The same, in ``data``."""

    def data(self, msg: Any) -> Any:
        self.docmd("DATA")
        self.sock.sendall(msg + b"\r\n.\r\n")  # type: ignore[union-attr]
        return self.getreply()


class OwnSend(smtplib.SMTP):
    """Writes everything to the socket itself."""

    def send(self, s: Any) -> None:
        self.sock.sendall(s.encode() if isinstance(s, str) else s)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [Streaming, StreamingData, OwnSend])
@pytest.mark.parametrize("kept", [False, True], ids=["a new session", "a kept session"])
def test_of_a_class_that_writes_to_its_socket_nothing_is_sent_twice(kind: type[smtplib.SMTP], kept: bool) -> None:
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server, kind(server.host, server.port) as session:

        @at_once
        def send_both() -> None:
            if kept:
                for each in TWO:
                    session.send_message(each)
            else:
                with kind(server.host, server.port) as own:
                    for each in TWO:
                        own.send_message(each)

        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send_both()
        assert copies(server) == FIRST


@pytest.mark.parametrize("kind", [Streaming, StreamingData, OwnSend])
def test_of_such_a_class_what_may_have_been_delivered_is_not_sent_again(kind: type[smtplib.SMTP]) -> None:
    @at_once
    def send() -> None:
        with kind(server.host, server.port) as session:
            session.send_message(message())

    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        with pytest.raises((smtplib.SMTPServerDisconnected, AttributeError)):  # its QUIT fails, too
            send()
        assert copies(server) == FIRST


class Logging(smtplib.SMTP):
    """Does something of its own, and leaves the rest to smtplib."""

    said = 0

    def send(self, s: Any) -> None:
        self.said += 1
        super().send(s)

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        return super().sendmail(*args, **kwargs)


@pytest.mark.parametrize("at", ["greeting", "MAIL", "DATA", "content"])
def test_a_class_that_leaves_the_sending_to_smtplib_heals(at: Any) -> None:
    @at_once
    def send() -> None:
        with Logging(server.host, server.port) as session:
            session.send_message(message())

    with SMTPTestServer(faults=[refuse(at, "451 4.3.0 Later", times=2)]) as server:
        send()
        assert copies(server) == FIRST


def test_a_session_in_which_smtplib_left_a_transaction_open_heals() -> None:
    with SMTPTestServer(faults=[refuse("DATA", "451 4.3.0 Later", times=1)]) as server:
        with smtplib.SMTP(server.host, server.port) as session:
            at_once(session.send_message)(message())
        assert copies(server) == FIRST


# Policies and predicates.


def test_a_policy_of_tenacitys_around_one_of_ours_sends_nothing_twice() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", recipient=CLEO, times=2)]) as server:
        sender = Sender(server)
        send = retry_transient(attempts=2, wait=wait_none())(sender.send)

        @of_tenacitys()
        def send_both() -> None:
            for each in TWO:
                send(each)

        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send_both()
        assert copies(server) == FIRST


def test_a_predicate_that_is_asked_twice_says_the_same() -> None:
    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        policy = tenacity.retry(
            retry=retry_if_transient() | retry_if_transient(on_unknown="retry"), wait=wait_none(), reraise=True
        )
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            policy(Both(server).send)()
        assert copies(server) == FIRST


def test_what_a_policy_within_has_tried_again_is_not_held_against_the_call() -> None:
    with SMTPTestServer(faults=[refuse("content", "451 4.3.0 Later", times=4)]) as server:
        sender = Sender(server)
        at_once(retry_transient(attempts=3, wait=wait_none())(sender.send))()
        assert copies(server) == FIRST


async def test_it_is_said_which_message_was_sent_before_and_not_which_was_refused() -> None:
    """Of two that are sent side by side, the one that was begun first is refused last."""
    faults = [hold("after content", nth=1), refuse("after content", "451 4.3.0 Later", nth=1)]
    with SMTPTestServer(faults=faults) as server:
        sender = Sender(server)

        @at_once
        async def send_both() -> None:
            first = asyncio.ensure_future(asyncio.to_thread(sender.send, TWO[0]))
            await server.held("after content")
            await asyncio.to_thread(sender.send, TWO[1])
            server.release("after content")
            await first

        with pytest.raises(smtplib.SMTPDataError) as caught:
            await send_both()
        assert copies(server) == {("<2@example.org>", CLEO): 1}
    assert classify(caught.value).sent_before == ("<2@example.org>",)


# Threads and tasks.


def test_what_is_thrown_away_elsewhere_takes_no_record_away() -> None:
    @at_once
    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    holder = [loop.create_task(hang())]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    holder[0]._log_destroy_pending = False  # type: ignore[attr-defined]

    @at_once
    def send_both() -> None:
        with sender.connect() as session:
            holder.clear()
            gc.collect()
            for each in TWO:
                session.send_message(each)

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send_both()
        assert copies(server) == FIRST


async def test_what_is_left_of_an_attempt_in_threads_that_nobody_knows_keeps_it_from_being_made_again() -> None:
    with SMTPTestServer(faults=[hold("RCPT", recipient=BERT), SECOND_GREYLISTED]) as server:
        sender = Sender(server)
        loop = asyncio.get_running_loop()

        @at_once
        async def send_both() -> None:
            await asyncio.gather(*(loop.run_in_executor(None, sender.send, each) for each in TWO))

        call = asyncio.ensure_future(send_both())
        await server.held("RCPT")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await call
        server.release("RCPT")
        await server.received(1)
        await server.connected(0)
        assert copies(server) == FIRST


async def test_a_deadline_of_the_calls_own_around_such_a_thread_is_not_tried_again_whatever_is_asked_for() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        sender = Sender(server)
        loop = asyncio.get_running_loop()

        @retry_transient(wait=wait_none(), also=retry_if_exception_type(asyncio.TimeoutError))
        async def send() -> None:
            running = loop.run_in_executor(None, sender.send)
            await server.held("RCPT")
            await asyncio.wait_for(asyncio.shield(running), 0)

        with pytest.raises(asyncio.TimeoutError):
            await send()
        server.release("RCPT")
        await server.received(1)
        await server.connected(0)
        assert copies(server) == FIRST


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before, Python does not say that a thread is started")
def test_threads_that_the_call_has_started_are_its_own() -> None:
    @at_once
    def send_both() -> None:
        with sender.connect() as session:
            session.noop()
        with ThreadPoolExecutor(1) as pool:
            list(pool.map(sender.send, TWO))

    with SMTPTestServer(faults=[SECOND_GREYLISTED]) as server:
        sender = Sender(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send_both()
        assert copies(server) == FIRST


class Queue:
    """Sends by a task that the first call starts, and that stays."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.task: asyncio.Task[None] | None = None

    async def send(self, each: Any) -> None:
        if self.task is None:
            self._queue: asyncio.Queue[Any] = asyncio.Queue()
            self.task = asyncio.create_task(self._work())
        done = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((each, done))
        await done

    async def _work(self) -> None:
        while True:
            each, done = await self._queue.get()
            try:
                done.set_result(await asyncio.to_thread(self._sender.send, each))
            except Exception as error:
                done.set_exception(error)


async def test_a_task_that_a_call_has_started_and_that_stays_serves_the_next_calls() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=1)]) as server:
        queue = Queue(Sender(server))
        with pytest.raises(smtplib.SMTPServerDisconnected, match="would be sent twice"):
            await at_once(queue.send)(message(1))  # of which nobody can tell that it is not left of the first attempt
        await at_once(queue.send)(message(2))
        assert copies(server) == {("<2@example.org>", BERT): 1}
        assert queue.task is not None
        queue.task.cancel()


async def test_a_future_that_a_plain_function_returns_is_awaited() -> None:
    @at_once
    def send() -> Any:
        return asyncio.get_running_loop().run_in_executor(None, sender.send)

    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=1)]) as server:
        sender = Sender(server)
        await send()
        assert copies(server) == FIRST


async def test_a_plain_function_that_would_block_the_loop_as_it_waits_says_so() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=1)]) as server:
        with pytest.warns(RuntimeWarning, match=r"Sender.send was called on the thread of a running event loop"):
            retry_transient(wait=tenacity.wait_fixed(0.01))(Sender(server).send)()
        assert copies(server) == FIRST


async def test_cancelled_in_a_callback_what_is_known_is_told() -> None:
    waits = asyncio.Event()

    async def before_sleep(_: tenacity.RetryCallState) -> None:
        waits.set()
        await asyncio.Event().wait()

    with SMTPTestServer(faults=[drop("after content", keep=True)]) as server:
        policy = retry_transient(on_unknown="retry", before_sleep=before_sleep)
        call = asyncio.ensure_future(bridge(Sender(server), retry=policy).send())
        await waits.wait()
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0)
        assert classify(caught.value).outcome is Outcome.UNKNOWN


async def test_a_call_that_is_cancelled_after_it_has_sent_something_says_so() -> None:
    with SMTPTestServer() as server:
        sender = Sender(server)

        @at_once
        async def send_and_wait() -> None:
            await asyncio.to_thread(sender.send)
            await asyncio.Event().wait()

        call = asyncio.ensure_future(send_and_wait())
        await server.received(1)
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0.05)
        assert classify(caught.value).sent_before == ("<1@example.org>",)


# After the call.


async def sent_side_by_side(server: SMTPTestServer, attempts: int) -> None:
    """Send two messages, of which the first is refused while the second is on its way, and stays there."""
    sender = Sender(server)
    seconds: list[asyncio.Future[int]] = []

    @retry_transient(attempts=attempts, wait=wait_none())
    async def send_both() -> None:
        seconds.append(asyncio.ensure_future(asyncio.to_thread(sender.send, TWO[1])))
        await server.reached("RCPT")
        await asyncio.to_thread(sender.send, TWO[0])
        await seconds[-1]

    try:
        await send_both()
    finally:
        server.release("RCPT")
        await asyncio.gather(*seconds, return_exceptions=True)


@pytest.mark.parametrize("attempts", [1, 2])
async def test_what_is_left_of_an_attempt_sends_nothing_after_the_call_either(attempts: int) -> None:
    faults = [hold("RCPT", recipient=CLEO, times=1), refuse("MAIL", "451 4.3.0 Later", nth=2)]
    with SMTPTestServer(faults=faults) as server:
        if attempts == 1:
            with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                await sent_side_by_side(server, attempts)
            assert classify(caught.value).outcome is Outcome.TRANSIENT
        else:
            await sent_side_by_side(server, attempts)
        await server.connected(0)
        assert copies(server) == ({} if attempts == 1 else {**FIRST, ("<2@example.org>", CLEO): 1})


class RemoteTraceback(Exception):
    """What stands for the traceback of another process."""


@pytest.mark.parametrize(
    "error",
    [smtplib.SMTPServerDisconnected("gone"), smtplib.SMTPDataError(451, b"later")],
    ids=repr,
)
def test_what_another_process_has_sent_is_not_known_here(error: Exception) -> None:
    calls = []

    @at_once
    def send() -> None:
        calls.append(1)
        raise error from RemoteTraceback()

    with pytest.raises(smtplib.SMTPException):
        send()
    assert calls == [1]


def test_a_result_of_a_call_whose_sending_cannot_be_watched_is_returned() -> None:
    @retry_transient(wait=wait_none(), also=tenacity.retry_if_result(lambda sent: not sent))
    def send() -> bool:
        with OwnSend(server.host, server.port) as session:
            session.send_message(message())
        return False

    with SMTPTestServer() as server:
        assert send() is False
        assert copies(server) == FIRST
