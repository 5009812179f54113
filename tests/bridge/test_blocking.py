"""`blocking()`: the synchronous view of what was bridged, in the same lane."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncBridge, BoundedExecutor, ExecutorFull, async_method, blocking, bridge
from tests.hop.gate import in_thread, wait_until

from .conftest import Kind
from .legacy import CorpMailer, full


@pytest.fixture
def mailer() -> Any:
    mailer = CorpMailer()
    with mailer.gate:
        yield mailer


@pytest.fixture
def view(kind: Kind, mailer: CorpMailer) -> Any:
    return blocking(bridge(mailer, executor=kind(2)))


class TestObjects:
    def test_methods_block_and_return(self, view: Any) -> None:
        assert view.send("bert") == "to bert"
        assert view.send.__doc__ == "Send it."

    def test_exceptions_arrive(self, view: Any) -> None:
        with pytest.raises(smtplib.SMTPServerDisconnected, match="gone"):
            view.fail()

    def test_attributes_are_read_written_and_deleted(self, mailer: CorpMailer, view: Any) -> None:
        view.prefix = "for "
        assert (view.prefix, mailer.prefix) == ("for ", "for ")
        del view.prefix
        assert view.send("bert") == "to bert"
        assert not hasattr(view, "no_such")

    def test_it_is_called_measured_searched_and_iterated(self, view: Any) -> None:
        assert view("bert") == "called bert"
        assert len(view) == 3
        assert view
        assert "bert" in view
        assert list(view) == [0, 1]

    def test_it_says_what_it_is(self, view: Any) -> None:
        assert repr(view) == "<blocking view of <AsyncCorpMailer of <CorpMailer>>>"
        assert {"send", "prefix", "transport"} <= set(dir(view))

    def test_a_method_that_returns_its_object_returns_the_view(self, view: Any) -> None:
        assert view.again() is view

    def test_options_of_the_bridge_hold(self, kind: Kind, mailer: CorpMailer) -> None:
        view: Any = blocking(
            bridge(mailer, executor=kind(1), passthrough=("is_open",), awaitable=("status",), nested=("transport",))
        )
        assert view.is_open() is True
        assert view.status.startswith("open in ")
        assert view.transport.connect() == "connected"
        assert repr(view.transport).startswith("<blocking view of <AsyncTransport")

    def test_a_mock_is_called(self, mailer: CorpMailer, view: Any) -> None:
        mailer.send = mock.Mock(return_value="mocked")  # type: ignore[method-assign]
        assert view.send("bert") == "mocked"

    def test_what_is_not_made_yet_says_so(self) -> None:
        view: Any = blocking(bridge(CorpMailer)())
        with pytest.raises(RuntimeError, match="not made yet"):
            view.send("bert")

    def test_what_was_made_by_a_loop_is_seen_afterwards(self, kind: Kind) -> None:
        async def make() -> Any:
            return await bridge(CorpMailer, executor=kind(1))()

        view: Any = blocking(asyncio.run(make()))
        assert view.send("bert") == "to bert"

    def test_a_face_is_seen(self, mailer: CorpMailer) -> None:
        class Face(AsyncBridge[CorpMailer]):
            send = async_method(CorpMailer.send)
            addresses = async_method(CorpMailer.addresses)
            status = async_method(CorpMailer.status)

        view: Any = blocking(Face(mailer))
        assert view.send("bert") == "to bert"
        assert list(view.addresses()) == [0, 1]

    def test_calls_on_dedicated_threads_run_there(self, mailer: CorpMailer) -> None:
        view: Any = blocking(bridge(mailer, executor=BoundedExecutor(1, name="mail")))
        assert view.where() == "mail-1"


class TestFunctions:
    def test_a_function_blocks_and_returns(self, kind: Kind) -> None:
        call = blocking(bridge(divmod, executor=kind(1)))
        assert call(7, 2) == (3, 1)
        assert call.__name__ == "divmod"

    def test_a_bound_method_has_the_lane_of_its_object(self, mailer: CorpMailer, view: Any) -> None:
        wait = blocking(bridge(mailer.wait))
        with in_thread(lambda: view.wait(1)):
            mailer.gate.wait(lambda: len(mailer.gate.entered) == 1)
            with in_thread(lambda: wait(2)):
                wait_until(lambda: view._bridge._lane._waiting)
                mailer.gate.open()
        assert mailer.gate.peak == 1

    def test_a_policy_is_not_applied(self) -> None:
        import tenacity

        tries = []

        def fail() -> None:
            tries.append(1)
            raise OSError("no")

        with pytest.raises(OSError, match="no"):
            blocking(bridge(fail, retry=tenacity.retry))()
        assert len(tries) == 1


class TestGenerators:
    def test_they_are_iterated(self, view: Any) -> None:
        assert list(view.addresses(3)) == [0, 1, 2]

    def test_stopped_early_they_are_ended(self, mailer: CorpMailer) -> None:
        view: Any = blocking(bridge(mailer, executor=BoundedExecutor(1, name="mail")))
        for _ in view.addresses():
            break
        for _ in blocking(bridge(mailer.addresses, executor=BoundedExecutor(1, name="mail")))():
            break
        assert mailer.log == [("ended", "mail-1")] * 2

    def test_an_iteration_over_the_object_that_is_stopped_early_is_ended_in_a_worker(self, mailer: CorpMailer) -> None:
        for _ in blocking(bridge(mailer, executor=BoundedExecutor(1, name="mail"))):  # type: ignore[attr-defined]
            break
        assert mailer.log == [("ended", "mail-1")]

    def test_closing_is_not_refused_by_a_full_executor(self, mailer: CorpMailer) -> None:
        executor = BoundedExecutor(1, max_pending=0)
        iterator = iter(blocking(bridge(mailer.addresses, executor=executor))())
        assert next(iterator) == 0
        with full(executor), pytest.raises(ExecutorFull):
            next(iterator)
        wait_until(lambda: mailer.log)


class TestContextManagers:
    def test_an_object_is_entered_and_left(self, mailer: CorpMailer, view: Any) -> None:
        with view as same:
            assert same is view
        assert mailer.log == ["entered", ("left", None)]

    def test_an_exception_is_told_and_may_be_suppressed(self, mailer: CorpMailer, view: Any) -> None:
        with view:
            raise ValueError
        with pytest.raises(OSError, match="odd"), view:
            raise OSError("odd")
        assert mailer.log == ["entered", ("left", ValueError), "entered", ("left", OSError)]

    def test_one_made_of_a_generator_is_entered_and_left(self, mailer: CorpMailer, view: Any) -> None:
        with view.session() as session:
            assert session == "session"
            assert mailer.log == ["begun"]
        with blocking(bridge(mailer.session))():  # type: ignore[attr-defined]
            pass
        assert mailer.log == ["begun", "done"] * 2

    def test_leaving_is_not_refused_by_a_full_executor(self, mailer: CorpMailer) -> None:
        executor = BoundedExecutor(1, max_pending=0)
        view: Any = blocking(bridge(mailer, executor=executor))
        view.__enter__()
        tried = threading.Event()

        def leave() -> None:
            try:
                view.__exit__(None, None, None)
            finally:
                tried.set()

        with full(executor) as gate, in_thread(leave):
            wait_until(lambda: executor.stats().pending or tried.is_set())
            gate.open()
        assert mailer.log == ["entered", ("left", None)]
