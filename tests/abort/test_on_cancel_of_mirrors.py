"""The three answers to a cancellation, of the mirror: what becomes of its session."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer, hold, silence

from .targets import SENDER, Observer, each_answer
from .told import cancelled, told_at_the_end, until


def send(smtp: AsyncSMTP, to: str) -> asyncio.Future[Any]:
    return asyncio.ensure_future(smtp.sendmail(SENDER, to, "x\n"))


def recipients(server: SMTPTestServer) -> list[str]:
    return [to for received in server.messages for to in received.rcpt_tos]


def made_by_the_class(server: SMTPTestServer, **options: Any) -> AsyncSMTP:
    return AsyncSMTP("localhost", server.port, **options)


def adopted(server: SMTPTestServer, **options: Any) -> AsyncSMTP:
    return AsyncSMTP.from_sync(smtplib.SMTP("localhost", server.port), **options)


def bridged(server: SMTPTestServer, **options: Any) -> AsyncSMTP:
    return bridge(smtplib.SMTP("localhost", server.port), **options)


def bridged_as_a_class(server: SMTPTestServer, **options: Any) -> AsyncSMTP:
    return bridge(smtplib.SMTP, **options)("localhost", server.port)


each_mirror = pytest.mark.parametrize("mirror", [made_by_the_class, adopted, bridged, bridged_as_a_class])


@each_answer
@each_mirror
async def test_a_call_that_waits_for_its_turn_leaves_the_session_as_it_is(mirror: Any, on_cancel: str) -> None:
    with SMTPTestServer(faults=[hold("NOOP", times=1)]) as server:
        executor = BoundedExecutor(2)
        smtp = await mirror(server, on_cancel=on_cancel, executor=executor)
        first = asyncio.ensure_future(smtp.noop())
        await server.held("NOOP")
        second = send(smtp, "bert@example.org")
        await until(lambda: executor.stats().pending == 1)
        assert (await cancelled(second)).began is False
        server.release("NOOP")
        assert (await first)[0] == 250
        assert await send(smtp, "cleo@example.org") == {}
        await smtp.quit()
        assert recipients(server) == ["cleo@example.org"]
        assert server.connections_total == 1


@each_mirror
async def test_after_an_abort_it_is_not_connected_and_connect_begins_anew(mirror: Any) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        smtp = await mirror(server)
        call = send(smtp, "bert@example.org")
        await server.reached("RCPT")
        known = await cancelled(call)
        assert (known.began, known.returned) == (True, True)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await smtp.noop()
        assert (await smtp.connect("localhost", server.port))[0] == 220
        assert await send(smtp, "cleo@example.org") == {}
        await smtp.quit()
        assert recipients(server) == ["cleo@example.org"]


async def test_a_call_that_waits_behind_an_aborted_one_finds_that_the_session_has_ended() -> None:
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        smtp = await made_by_the_class(server)
        first, second = send(smtp, "bert@example.org"), send(smtp, "cleo@example.org")
        await server.reached("RCPT")
        await cancelled(first)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await second
        assert recipients(server) == []


@each_mirror
async def test_with_wait_the_message_is_delivered_and_the_session_usable(mirror: Any) -> None:
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        smtp = await mirror(server, on_cancel="wait")
        call = send(smtp, "bert@example.org")
        await server.held("RCPT")
        for _ in range(3):
            call.cancel()
            for _ in range(3):
                await asyncio.sleep(0)
        assert not call.done()
        server.release("RCPT")
        known = await told_at_the_end(call)
        assert (known.returned, known.result, known.error) == (True, {}, None)
        assert await send(smtp, "cleo@example.org") == {}
        await smtp.quit()
        assert recipients(server) == ["bert@example.org", "cleo@example.org"]
        assert server.connections_total == 1


@each_mirror
async def test_with_abandon_the_session_is_busy_until_the_thread_returns(mirror: Any) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[hold("RCPT", times=1)]) as server:
        async with BoundedExecutor(2) as executor:
            smtp = await mirror(server, on_cancel="abandon", executor=executor)
            call = send(smtp, "bert@example.org")
            await server.held("RCPT")
            known = await cancelled(call)
            assert (known.began, known.returned) == (True, False)
            assert (executor.stats().running, executor.stats().abandoned) == (1, 1)
            following = send(smtp, "cleo@example.org")
            await until(lambda: executor.stats().pending == 1)
            assert executor.stats().running == 1
            server.release("RCPT")
            assert await following == {}
            assert executor.stats().abandoned == 0
            await smtp.quit()
        assert recipients(server) == ["bert@example.org", "cleo@example.org"]


@pytest.mark.parametrize(
    ("on_cancel", "events"),
    [
        ("abort", ["abandoned", "aborted", "ended", "started"]),
        ("wait", ["abandoned", "ended", "started"]),
        ("abandon", ["abandoned", "ended", "started"]),
    ],
)
async def test_what_the_observer_is_told(on_cancel: str, events: list[str]) -> None:
    observer = Observer()
    with SMTPTestServer(faults=[hold("NOOP")]) as server:
        async with BoundedExecutor(1, observer=observer) as executor:
            smtp = await made_by_the_class(server, on_cancel=on_cancel, executor=executor)
            await until(lambda: "ended" in observer.events)
            observer.events.clear()
            call = asyncio.ensure_future(smtp.noop())
            await server.held("NOOP")
            call.cancel()
            await until(lambda: "abandoned" in observer.events)
            if on_cancel != "abort":
                server.release("NOOP")
            await told_at_the_end(call)
        smtp.__wrapped__.close()
    assert sorted(observer.events) == events


@pytest.mark.parametrize("step", ["greeting", "EHLO"])
async def test_a_session_that_was_being_made_is_closed(step: Any) -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence(step, times=1)]) as server:

        async def enter() -> None:
            async with AsyncSMTP("localhost", server.port) as smtp:
                await smtp.ehlo()

        call = asyncio.ensure_future(enter())
        await server.reached(step)
        assert (await cancelled(call)).returned
        await server.connected(0)


async def test_a_body_that_is_cancelled_leaves_without_a_quit() -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:

        async def use() -> None:
            async with made_by_the_class(server) as smtp:
                await smtp.sendmail(SENDER, "bert@example.org", "x\n")

        call = asyncio.ensure_future(use())
        await server.reached("RCPT")
        await cancelled(call)
        await server.connected(0)
        assert "QUIT" not in [command.upper() for command in server.commands]


async def test_with_wait_a_connection_that_was_made_is_usable() -> None:
    with SMTPTestServer(faults=[hold("greeting", times=1)]) as server:
        smtp = AsyncSMTP(on_cancel="wait", local_hostname="client.example.org")
        call = asyncio.ensure_future(smtp.connect("localhost", server.port))
        await server.held("greeting")
        call.cancel()
        await asyncio.sleep(0)
        server.release("greeting")
        assert (await told_at_the_end(call)).returned
        assert (await smtp.noop())[0] == 250
        await smtp.quit()


async def test_with_wait_a_connection_that_was_secured_is_usable() -> None:
    with SMTPTestServer(tls="starttls", faults=[hold("STARTTLS")]) as server:
        smtp = await made_by_the_class(server, on_cancel="wait")
        call = asyncio.ensure_future(smtp.starttls(context=server.client_context))
        await server.held("STARTTLS")
        call.cancel()
        await asyncio.sleep(0)
        server.release("STARTTLS")
        assert (await told_at_the_end(call)).returned
        assert (await smtp.noop())[0] == 250
        await smtp.quit()
