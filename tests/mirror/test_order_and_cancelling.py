"""Calls on one connection keep their order; a cancelled one leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import smtplib
import threading
import warnings
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor
from tests.servers import ScriptedServer, Server, Talk


async def test_tasks_that_share_a_connection_each_send_a_whole_message(server: Server) -> None:
    async with AsyncSMTP("127.0.0.1", server.port) as smtp:
        await asyncio.gather(
            *(
                smtp.sendmail("anna@example.org", f"r{number}@example.org", f"Subject: {number}\n\nbody {number}\n")
                for number in range(40)
            )
        )
    assert server.mailbox.recipients == [f"r{number}@example.org" for number in range(40)]
    for number, body in enumerate(server.mailbox.bodies):
        assert body == f"Subject: {number}\r\n\r\nbody {number}\r\n".encode()


async def test_two_mirrors_of_one_session_share_its_lane(server: Server) -> None:
    session = smtplib.SMTP("127.0.0.1", server.port)
    mirrors = [AsyncSMTP.from_sync(session) for _ in range(8)]
    await asyncio.gather(
        *(
            mirrors[number % 8].sendmail("anna@example.org", f"r{number}@example.org", f"body {number}\n")
            for number in range(40)
        )
    )
    await mirrors[0].quit()
    assert server.mailbox.recipients == [f"r{number}@example.org" for number in range(40)]


async def test_a_connection_can_be_shared_by_event_loops_in_several_threads(server: Server) -> None:
    session = smtplib.SMTP("127.0.0.1", server.port)

    def send(number: int) -> None:
        async def main() -> None:
            smtp = AsyncSMTP.from_sync(session)
            for _ in range(5):
                await smtp.sendmail("anna@example.org", f"r{number}@example.org", f"body {number}\n")

        asyncio.run(main())

    await asyncio.gather(*(asyncio.to_thread(send, number) for number in range(4)))
    session.quit()
    assert sorted(server.mailbox.recipients) == [f"r{number}@example.org" for number in range(4) for _ in range(5)]


async def test_one_busy_connection_does_not_occupy_the_executor(server: Server) -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.wait_for_the_end()

    async with BoundedExecutor(2) as executor:
        with ScriptedServer(script) as silent:
            busy = await AsyncSMTP("127.0.0.1", silent.port, executor=executor)
            calls = [asyncio.ensure_future(busy.noop()) for _ in range(10)]
            async with AsyncSMTP("127.0.0.1", server.port, executor=executor) as smtp:
                assert (await smtp.noop())[0] == 250
            assert executor.stats().running == 1
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


async def test_cancelling_a_call_that_waits_leaves_the_connection_as_it_is(server: Server) -> None:
    blocked, release = threading.Event(), threading.Event()

    class Slow(smtplib.SMTP):
        def help(self, args: str = "") -> bytes:
            blocked.set()
            release.wait()
            return super().help(args)

    async with AsyncSMTP("127.0.0.1", server.port, smtp_class=Slow) as smtp:
        running = asyncio.ensure_future(smtp.help())
        while not blocked.is_set():
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(smtp.sendmail("anna@example.org", "bert@example.org", "x"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        assert await running
        assert (await smtp.noop())[0] == 250
    assert server.mailbox.envelopes == []


async def test_cancelling_a_running_call_frees_its_thread_and_ends_the_connection() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("NOOP")
        asked.set()
        talk.wait_for_the_end()

    asked = threading.Event()
    async with BoundedExecutor(1) as executor:
        with ScriptedServer(script) as server:
            smtp = await AsyncSMTP("127.0.0.1", server.port, executor=executor)
            call = asyncio.ensure_future(smtp.noop())
            while not asked.is_set():
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # Behind it, in its lane: this could not run before the thread is back. There is no timeout to bring it.
            with pytest.raises(smtplib.SMTPServerDisconnected):
                await smtp.noop()


async def test_a_deadline_around_async_with_holds_against_a_silent_server() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("EHLO")
        talk.wait_for_the_end()

    async def send(port: int) -> None:
        async with AsyncSMTP("127.0.0.1", port) as smtp:
            connected.set()
            await smtp.sendmail("anna@example.org", "bert@example.org", "x")

    connected = asyncio.Event()
    with ScriptedServer(script) as server:
        task = asyncio.ensure_future(send(server.port))
        await connected.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.1)


async def test_after_a_cancelled_call_connect_begins_anew(server: Server) -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("NOOP")
        asked.set()
        talk.wait_for_the_end()

    asked = threading.Event()
    with ScriptedServer(script) as silent:
        smtp = await AsyncSMTP("127.0.0.1", silent.port)
        call = asyncio.ensure_future(smtp.noop())
        while not asked.is_set():
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await smtp.connect("127.0.0.1", server.port)
        assert await smtp.sendmail("anna@example.org", "bert@example.org", "x") == {}
        await smtp.quit()


async def test_a_connection_made_for_an_awaiter_that_is_gone_is_closed() -> None:
    def script(talk: Talk) -> None:
        greet.wait()
        talk.say("220 ready")
        talk.wait_for_the_end()
        hung_up.set()

    greet, hung_up = threading.Event(), threading.Event()
    with ScriptedServer(script) as server:
        smtp = AsyncSMTP("127.0.0.1", server.port)
        opening = asyncio.ensure_future(_await(smtp))
        while not server.connected.is_set():
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        greet.set()
        assert await asyncio.to_thread(hung_up.wait, 10)
        with pytest.raises(RuntimeError, match="never awaited"):
            await smtp.noop()


async def test_a_mirror_whose_opening_was_cancelled_can_be_awaited_again() -> None:
    def script(talk: Talk) -> None:
        greet.wait()
        talk.say("220 ready")
        talk.wait_for_the_end()

    greet = threading.Event()
    with ScriptedServer(script) as server:
        smtp = AsyncSMTP("127.0.0.1", server.port)
        opening = asyncio.ensure_future(_await(smtp))
        while not server.connected.is_set():
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        again = asyncio.ensure_future(_await(smtp))
        await asyncio.sleep(0)
        greet.set()
        await again
        assert repr(smtp) == "<AsyncSMTP 127.0.0.1, connected>"
        await smtp.close()


async def test_of_two_that_await_one_mirror_the_cancelled_one_takes_nothing_from_the_other() -> None:
    def script(talk: Talk) -> None:
        greet.wait()
        talk.say("220 ready")
        talk.wait_for_the_end()

    greet = threading.Event()
    with ScriptedServer(script) as server:
        smtp = AsyncSMTP("127.0.0.1", server.port)
        first, second = asyncio.ensure_future(_await(smtp)), asyncio.ensure_future(_await(smtp))
        while not server.connected.is_set():
            await asyncio.sleep(0)
        first.cancel()
        greet.set()
        await second
        assert first.cancelled()
        assert repr(smtp) == "<AsyncSMTP 127.0.0.1, connected>"
        await smtp.close()


async def test_leaving_by_cancellation_does_not_wait_for_a_call_that_another_task_made() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("NOOP")
        asked.set()
        talk.wait_for_the_end()

    asked = threading.Event()
    with ScriptedServer(script) as server:
        with pytest.raises(KeyError):
            async with AsyncSMTP("127.0.0.1", server.port) as smtp:
                other = asyncio.ensure_future(smtp.noop())
                while not asked.is_set():
                    await asyncio.sleep(0)
                raise KeyError
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await other


async def test_nothing_is_left_behind(server: Server) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            async with AsyncSMTP("127.0.0.1", server.port) as smtp:
                await smtp.noop()
        del smtp
        gc.collect()


async def _await(smtp: AsyncSMTP) -> AsyncSMTP:
    return await smtp


async def test_a_connect_that_succeeds_for_nobody_is_undone() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.wait_for_the_end()
        hung_up.set()

    class Slow(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> Any:
            connecting.set()
            go_on.wait()
            return super()._get_socket(host, port, timeout)  # type: ignore[misc]

    connecting, go_on, hung_up = threading.Event(), threading.Event(), threading.Event()
    with ScriptedServer(script) as server:
        smtp = AsyncSMTP(smtp_class=Slow)
        call = asyncio.ensure_future(smtp.connect("127.0.0.1", server.port))
        while not connecting.is_set():
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        go_on.set()
        assert await asyncio.to_thread(hung_up.wait, 10)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await smtp.noop()


async def test_cancelled_before_it_is_entered_it_is_closed(server: Server) -> None:
    entering, go_on = threading.Event(), threading.Event()

    class Slow(smtplib.SMTP):
        def __enter__(self) -> Slow:
            entering.set()
            go_on.wait()
            return self

    async def use() -> None:
        async with smtp:
            raise AssertionError

    smtp = AsyncSMTP("127.0.0.1", server.port, smtp_class=Slow)
    task = asyncio.ensure_future(use())
    while not entering.is_set():
        await asyncio.sleep(0)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert smtp.sock is None


async def test_openings_of_one_mirror_do_not_overlap(server: Server) -> None:
    running, peak = 0, 0
    lock, gate = threading.Lock(), threading.Event()
    made: list[smtplib.SMTP] = []

    class Counted(smtplib.SMTP):
        def __init__(self, host: str, port: int) -> None:
            nonlocal running, peak
            with lock:
                running += 1
                peak = max(peak, running)
            try:
                gate.wait()
                super().__init__(host, port)
                made.append(self)
            finally:
                with lock:
                    running -= 1

    smtp = AsyncSMTP("127.0.0.1", server.port, smtp_class=Counted)
    tasks = [asyncio.ensure_future(_await(smtp)) for _ in range(3)]
    while not running:
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    late = asyncio.ensure_future(_await(smtp))
    gate.set()
    await asyncio.gather(*tasks[1:], late)
    assert peak == 1
    assert [session.sock is not None for session in made].count(True) == 1
    await smtp.quit()


async def test_a_mirror_shares_its_lane_with_those_who_adopt_its_session(server: Server) -> None:
    smtp = await AsyncSMTP("127.0.0.1", server.port)
    assert AsyncSMTP.from_sync(smtp.__wrapped__)._lane is smtp._lane
    await smtp.quit()


async def test_an_exit_stack_can_leave_a_mirror_that_was_awaited(server: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        smtp = await AsyncSMTP("127.0.0.1", server.port)
        stack.push_async_exit(smtp)
    assert smtp.sock is None
