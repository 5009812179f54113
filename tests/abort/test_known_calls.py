"""What is known of a cancelled call, and where it is found."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import sys
from email.message import EmailMessage
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure, watch
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.outcome import CancelledCall
from asyncsmtp_bridge.phase import Phase
from asyncsmtp_bridge.testing import Fault, SMTPTestServer, hold, silence

from .targets import SENDER, Sending, Waiting, as_an_object, each_answer, each_bridge
from .told import cancelled, idle, is_set, opened_at_the_end, told, told_at_the_end, until

HUGE = "x" * 70 + "\n"


def has_returned(executor: BoundedExecutor) -> None:
    """Keep the event loop from seeing a result that has come: it is on its way home when the call is cancelled."""
    while not (executor.stats().done or executor.stats().failed):
        pass


async def stands_at(executor: BoundedExecutor, phase: Phase) -> None:
    """Wait until the thread has come as far as the server saw it come."""
    [thread] = slots_of(executor)._running
    await until(lambda: watch.look(thread).phase is phase)


# What had come meanwhile.


@each_answer
@each_bridge
async def test_a_result_that_had_come_is_told(bridged: Any, on_cancel: Any) -> None:
    target = Waiting()
    target.go.set()
    async with BoundedExecutor(1) as executor:
        call = asyncio.ensure_future(bridged(target, executor=executor, on_cancel=on_cancel)("bert@example.org"))
        await asyncio.sleep(0)
        has_returned(executor)
        known = await cancelled(call)
    assert (known.began, known.returned, known.result, known.error) == (True, True, "sent to bert@example.org", None)


@each_answer
@each_bridge
async def test_a_failure_that_had_come_is_told(bridged: Any, on_cancel: Any) -> None:
    failure = smtplib.SMTPRecipientsRefused({})

    class Failing:
        def send(self, to: str) -> None:
            raise failure

    async with BoundedExecutor(1) as executor:
        call = asyncio.ensure_future(bridged(Failing(), executor=executor, on_cancel=on_cancel)("bert@example.org"))
        await asyncio.sleep(0)
        has_returned(executor)
        known = await cancelled(call)
    assert (known.began, known.returned, known.result) == (True, True, None)
    assert known.error is failure


async def test_what_comes_within_the_grace_is_told() -> None:
    configure(cancel_grace=60)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        call = asyncio.ensure_future(as_an_object(target, executor=executor)("bert@example.org"))
        await is_set(target.begun)
        call.cancel()
        await asyncio.sleep(0)
        target.go.set()
        known = await told_at_the_end(call)
    assert (known.returned, known.result) == (True, "sent to bert@example.org")


async def test_how_an_aborted_call_ended_is_told() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        smtp = await AsyncSMTP("localhost", server.port)
        call = asyncio.ensure_future(smtp.sendmail(SENDER, "bert@example.org", "x\n"))
        await server.reached("RCPT")
        known = await cancelled(call)
    assert known.function == "SMTP.sendmail"
    assert isinstance(known.error, smtplib.SMTPServerDisconnected)


async def test_a_result_is_not_shown_in_logs() -> None:
    assert "secret" not in repr(CancelledCall("f", began=True, returned=True, result="secret"))


# The phase.

PHASES: dict[str, tuple[Fault, Phase]] = {
    "greeting": (silence("greeting"), Phase.GREETING),
    "EHLO": (silence("EHLO"), Phase.GREETING),
    "MAIL": (silence("MAIL"), Phase.ENVELOPE),
    "RCPT": (silence("RCPT"), Phase.ENVELOPE),
    "DATA": (silence("DATA"), Phase.DATA_COMMAND),
    "content": (silence("content", after_bytes=1), Phase.CONTENT_BEGUN),
    "after content": (silence("after content"), Phase.CONTENT_SENT),
}


@pytest.mark.parametrize("step", PHASES)
async def test_the_phase_of_an_opaque_wrapper_is_told(step: Any) -> None:
    configure(cancel_grace=60)
    fault, phase = PHASES[step]

    class Corporate:
        def send(self, to: str) -> None:
            with smtplib.SMTP("localhost", server.port, local_hostname="client.example.org", timeout=60) as session:
                session.sendmail(SENDER, to, HUGE * 200_000 if step == "content" else "x\n")

    with SMTPTestServer(faults=[fault], size_limit=None) as server:
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(bridge(Corporate(), executor=executor).send("bert@example.org"))
            await server.reached(step)
            await stands_at(executor, phase)
            known = await cancelled(call)
        assert server.messages == []
    assert (known.began, known.phase, known.returned, known.result) == (True, phase, True, None)


@pytest.mark.parametrize("step", ["NOOP", "RSET", "VRFY", "QUIT"])
async def test_other_commands_are_between_messages(step: Any) -> None:
    with SMTPTestServer(faults=[silence(step)]) as server:
        smtp = await AsyncSMTP("localhost", server.port)
        arguments = ("bert",) if step == "VRFY" else ()
        call = asyncio.ensure_future(getattr(smtp, step.lower())(*arguments))
        await server.reached(step)
        assert (await cancelled(call)).phase is Phase.BETWEEN
        await smtp.close()


@pytest.mark.parametrize("through", ["mirror", "wrapper"])
@pytest.mark.parametrize("again", [False, True])
async def test_a_content_that_is_being_confirmed_is_unknown_and_the_log_names_it(
    through: str, again: bool, caplog: pytest.LogCaptureFixture
) -> None:
    configure(cancel_grace=60)
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = SENDER, "bert@example.org", "<1@example.org>"

    class Corporate:
        def send(self) -> None:
            with smtplib.SMTP("localhost", server.port, timeout=60) as session:
                session.send_message(message)

    with SMTPTestServer(faults=[hold("after content", keep=True)]) as server:
        async with BoundedExecutor(1) as executor:
            if through == "mirror":
                smtp = await AsyncSMTP("localhost", server.port, executor=executor)
                call = asyncio.ensure_future(smtp.send_message(message))
            else:
                call = asyncio.ensure_future(bridge(Corporate(), executor=executor).send())
            await server.held("after content")
            await stands_at(executor, Phase.CONTENT_SENT)
            call.cancel()
            if again:
                await asyncio.sleep(0)
                call.cancel()
            known = await told_at_the_end(call)
            await idle(executor)
        assert len(server.messages) == 1
    assert (known.phase, known.result) == (Phase.CONTENT_SENT, None)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "message <1@example.org> may have been delivered" in record.getMessage()


# Where it is found.


async def test_a_second_cancel_tells_what_was_known_by_then() -> None:
    configure(cancel_grace=60)
    target = Waiting()
    async with BoundedExecutor(1) as executor:
        with opened_at_the_end(target.go):
            call = asyncio.ensure_future(as_an_object(target, executor=executor)("bert@example.org"))
            await is_set(target.begun)
            call.cancel("the first")
            for _ in range(3):
                await asyncio.sleep(0)
            call.cancel("the second")
            with pytest.raises(asyncio.CancelledError) as raised:
                await call
    known = told(raised.value)
    assert (known.began, known.returned, known.phase) == (True, False, None)


async def test_whoever_awaits_the_task_finds_it() -> None:
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        task = asyncio.create_task(as_an_object(Sending(server.port))("bert@example.org"))
        await server.reached("RCPT")
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
    assert told(raised.value).phase is Phase.ENVELOPE
    if sys.version_info >= (3, 11):
        assert raised.value.call.phase is Phase.ENVELOPE  # type: ignore[attr-defined]


async def test_whoever_is_cancelled_as_it_awaits_the_call_finds_it() -> None:
    found: list[Any] = []
    with SMTPTestServer(faults=[silence("RCPT")]) as server:

        async def caller() -> None:
            try:
                await as_an_object(Sending(server.port))("bert@example.org")
            except asyncio.CancelledError as error:
                found.append(error.call)  # type: ignore[attr-defined]
                raise

        task = asyncio.create_task(caller())
        await server.reached("RCPT")
        await cancelled(task)
    assert found[0].phase is Phase.ENVELOPE
