"""What a finder sees, counts and measures, and what it does about it."""

from __future__ import annotations

import asyncio
import gc
import smtplib
import threading
import warnings
import weakref
from collections.abc import Iterator
from time import monotonic

import pytest

from asyncsmtp_bridge import AsyncSMTP, bridge
from asyncsmtp_bridge.migrate import BlockingCallError, BlockingCallWarning, find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer, delay

from .corp import RECIPIENT, SENDER, TEXT, Mailer


@pytest.fixture
def server() -> Iterator[SMTPTestServer]:
    with SMTPTestServer() as server:
        yield server


@pytest.fixture
def mailer(server: SMTPTestServer) -> Mailer:
    return Mailer(server.port)


async def notify(mailer: Mailer) -> None:
    mailer.send("x")


NOTIFY = notify.__code__.co_firstlineno + 1


# What is none.


async def test_bridges_and_mirrors_block_nothing(mailer: Mailer) -> None:
    with find_blocking("error") as found:
        await bridge(mailer).send("x")
        await bridge(mailer.send)("x")
        async with bridge(mailer.session)() as session:
            await asyncio.to_thread(session.noop)
        async with AsyncSMTP("localhost", mailer.port) as smtp:
            await smtp.sendmail(SENDER, RECIPIENT, TEXT)
    assert not found.calls


def test_synchronous_programs_may_block(mailer: Mailer) -> None:
    with find_blocking("error") as found:
        mailer.send("x")
    assert not found.calls


async def test_after_it_was_left_it_sees_nothing(mailer: Mailer) -> None:
    with find_blocking("error") as found:
        pass
    mailer.send("x")
    assert not found.calls


# How often, and for how long.


async def test_a_line_is_reported_once_with_the_turns_that_it_held_up(mailer: Mailer) -> None:
    with find_blocking("record") as found:
        for _ in range(3):
            await notify(mailer)
            await asyncio.sleep(0)
    (call,) = found.calls
    assert (call.filename, call.line, call.count) == (__file__, NOTIFY, 3)


async def test_calls_within_one_turn_hold_it_up_once(mailer: Mailer) -> None:
    with find_blocking("record") as found:
        for _ in range(3):
            await notify(mailer)
    assert [call.count for call in found.calls] == [1]


async def test_the_time_is_that_of_the_longest_turn() -> None:
    with SMTPTestServer(faults=[delay("greeting", seconds=0.2, nth=2)]) as server, find_blocking("record") as found:
        for _ in range(3):
            began = monotonic()
            await notify(Mailer(server.port))
            await asyncio.sleep(0)
            if found.calls[0].count == 2:
                longest = monotonic() - began
    assert 0.2 <= found.calls[0].seconds <= longest


async def test_the_time_of_a_line_ends_where_that_of_the_next_begins() -> None:
    with (
        SMTPTestServer(faults=[delay("NOOP", seconds=0.1), delay("RSET", seconds=0.1)]) as server,
        find_blocking("record") as found,
    ):
        await asyncio.sleep(0)
        began = monotonic()
        smtp = smtplib.SMTP("localhost", server.port)
        smtp.noop()
        smtp.rset()
        smtp.quit()
        await asyncio.sleep(0)
        stood_still = monotonic() - began
    by_method = {call.does: call.seconds for call in found.calls}
    assert min(by_method["smtplib.SMTP.noop"], by_method["smtplib.SMTP.rset"]) >= 0.1
    assert sum(by_method.values()) <= stood_still


async def test_the_time_is_known_when_it_is_left_before_the_loop_goes_on() -> None:
    with SMTPTestServer(faults=[delay("greeting", seconds=0.1)]) as server:
        with find_blocking("record") as found:
            await notify(Mailer(server.port))
        seconds = found.calls[0].seconds
        assert seconds >= 0.1
        await asyncio.sleep(0)
        assert found.calls[0].seconds == seconds


def test_a_loop_that_ends_in_that_turn_has_stood_still_until_its_last_step() -> None:
    async def main(port: int) -> None:
        await notify(Mailer(port))
        raise SystemExit

    with SMTPTestServer(faults=[delay("greeting", seconds=0.1)]) as server:
        loop = asyncio.new_event_loop()
        with find_blocking("record") as found:
            with pytest.raises(SystemExit):
                loop.run_until_complete(main(server.port))
            loop.close()
    assert found.calls[0].seconds >= 0.1


# Several of them.


async def test_each_of_several_has_the_calls_of_its_own_time(mailer: Mailer) -> None:
    with find_blocking("record") as outer:
        await notify(mailer)
        await asyncio.sleep(0)
        with find_blocking("record") as inner:
            await notify(mailer)
            await asyncio.sleep(0)
    assert [call.count for call in outer.calls] == [2]
    assert [call.count for call in inner.calls] == [1]


def test_the_loops_of_all_threads_are_seen(mailer: Mailer) -> None:
    with find_blocking("record") as found:
        thread = threading.Thread(target=lambda: asyncio.run(notify(mailer)))
        thread.start()
        thread.join()
    assert [call.line for call in found.calls] == [NOTIFY]


def test_many_loops_at_the_same_line_are_one_report(mailer: Mailer) -> None:
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        asyncio.run(notify(mailer))

    with find_blocking("record") as found:
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [(call.line, call.count) for call in found.calls] == [(NOTIFY, 8)]


# Warnings.


async def test_a_warning_names_the_line_when_the_loop_goes_on(mailer: Mailer) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with find_blocking() as found:
            await notify(mailer)
            assert not caught
            await asyncio.sleep(0)
            assert len(caught) == 1
            await notify(mailer)
    (warning,) = caught
    assert warning.category is BlockingCallWarning
    assert (warning.filename, warning.lineno) == (__file__, NOTIFY)
    assert str(warning.message).startswith("in notify (task ")
    assert found.calls[0].count == 2


async def test_a_filter_goes_by_the_users_module(mailer: Mailer) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        with find_blocking():
            await notify(mailer)
    assert not caught


async def test_a_filter_that_makes_an_error_of_it_is_heard_when_it_is_left(mailer: Mailer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BlockingCallWarning, match="in notify"), find_blocking():
            await notify(mailer)
            await asyncio.sleep(0)


async def test_an_error_of_the_programs_comes_before_that(mailer: Mailer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ZeroDivisionError), find_blocking():
            await notify(mailer)
            raise ZeroDivisionError


# Errors.


async def test_an_error_is_raised_before_anything_is_sent(mailer: Mailer, server: SMTPTestServer) -> None:
    with pytest.raises(BlockingCallError) as raised, find_blocking("error"):
        await notify(mailer)
    assert (raised.value.call.filename, raised.value.call.line) == (__file__, NOTIFY)
    assert server.connections_total == 0


async def test_an_error_is_raised_at_a_session_that_is_connected(server: SMTPTestServer) -> None:
    with smtplib.SMTP("localhost", server.port) as smtp:
        with pytest.raises(BlockingCallError, match=r"smtplib\.SMTP\.sendmail"), find_blocking("error"):
            smtp.sendmail(SENDER, RECIPIENT, TEXT)
        assert not server.messages


async def test_an_error_that_was_caught_is_raised_when_it_is_left(mailer: Mailer) -> None:
    with pytest.raises(BlockingCallError, match="send_safely"), find_blocking("error") as found:
        assert not mailer.send_safely("x")
    assert found.calls[0].through[0].function.endswith("send_safely")


async def test_each_error_tells_of_its_own_time_alone(mailer: Mailer) -> None:
    with find_blocking("error") as found:
        for name in ("first", "second"):
            with pytest.raises(BlockingCallError) as raised:
                await asyncio.create_task(notify(mailer), name=name)
            assert f"in notify (task '{name}'): blocks the event loop\n" in str(raised.value)
            assert (raised.value.call.task, raised.value.call.count) == (name, 1)
        assert [call.count for call in found.calls] == [2]
        found.calls.clear()


async def test_calls_that_were_cleared_are_done_with(mailer: Mailer) -> None:
    with find_blocking("error") as found:
        with pytest.raises(BlockingCallError):
            await notify(mailer)
        found.calls.clear()


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 'warn', 'error' or 'record', not 'raise'"):
        find_blocking("raise")  # type: ignore[arg-type]


def test_a_finder_is_entered_once_at_a_time() -> None:
    with find_blocking("record") as found, pytest.raises(RuntimeError, match="listens already"), found:
        pass


# Nothing is kept.


def test_no_frame_is_kept_alive(mailer: Mailer) -> None:
    class Order:
        pass

    orders: list[weakref.ref[Order]] = []

    async def main() -> None:
        order = Order()
        orders.append(weakref.ref(order))
        mailer.send("x")

    gc.disable()
    try:
        with find_blocking("record") as found:
            asyncio.run(main())
            assert orders[0]() is None
    finally:
        gc.enable()
    assert found.calls


# Other people's code in the hook.


def run_in_task(kind: type[asyncio.Task[None]], mailer: Mailer) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(lambda loop, coroutine, **_: kind(coroutine, loop=loop))
        await asyncio.create_task(notify(mailer))

    asyncio.run(main())


def test_what_sends_while_it_is_looked_at_is_let_through(mailer: Mailer, server: SMTPTestServer) -> None:
    class SendingTask(asyncio.Task):  # type: ignore[type-arg]
        def get_name(self) -> str:
            mailer.send("from within the hook")
            return "sending"

    with find_blocking("record") as found:
        run_in_task(SendingTask, mailer)
    assert [(call.line, call.task) for call in found.calls] == [(NOTIFY, "sending")]
    assert len(server.messages) > 1


def test_a_task_that_cannot_say_its_name_has_none(mailer: Mailer) -> None:
    class NamelessTask(asyncio.Task):  # type: ignore[type-arg]
        def get_name(self) -> str:
            raise ZeroDivisionError

    with find_blocking("record") as found:
        run_in_task(NamelessTask, mailer)
    assert [(call.line, call.task) for call in found.calls] == [(NOTIFY, None)]
