"""What can be decorated, what becomes of it, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import smtplib
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest
import tenacity

from asyncsmtp_bridge import bridge, retry_if_transient, retry_testing, retry_transient

BUSY = smtplib.SMTPConnectError(421, "4.3.2 Busy")


class Flaky:
    """Fails twice."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def _fail(self, *args: Any) -> str:
        self.calls.append(args)
        if len(self.calls) < 3:
            raise smtplib.SMTPConnectError(421, "4.3.2 Busy")
        return f"sent {args}"

    @retry_transient
    def send(self, to: str, *, urgent: bool = False) -> str:
        """Send to somebody."""
        return self._fail(to, urgent)

    @retry_transient(attempts=4)
    async def send_soon(self, to: str) -> str:
        return self._fail(to)

    @retry_transient
    @staticmethod
    def static(flaky: Flaky) -> str:
        return flaky._fail()

    @staticmethod
    @retry_transient
    def static_inside(flaky: Flaky) -> str:
        return flaky._fail()

    @retry_transient
    @classmethod
    def of_class(cls, flaky: Flaky) -> str:
        return flaky._fail(cls)

    def __call__(self, to: str) -> str:
        return self._fail(to)

    async def wait(self, to: str) -> str:
        return self._fail(to)


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with retry_testing():
        yield


def test_methods_are_methods() -> None:
    flaky = Flaky()
    assert flaky.send("bert", urgent=True) == "sent ('bert', True)"
    assert flaky.calls == [("bert", True)] * 3
    assert asyncio.run(Flaky().send_soon("bert")) == "sent ('bert',)"
    assert Flaky.static(Flaky()) == Flaky.static_inside(Flaky()) == "sent ()"
    assert "Flaky" in Flaky.of_class(Flaky())


def test_name_documentation_and_parameters_stay() -> None:
    assert (Flaky.send.__name__, Flaky.send.__doc__) == ("send", "Send to somebody.")
    assert list(inspect.signature(Flaky.send).parameters) == ["self", "to", "urgent"]
    assert inspect.iscoroutinefunction(Flaky.send_soon)
    assert not inspect.iscoroutinefunction(Flaky.send)


def test_what_can_be_called_can_be_decorated() -> None:
    assert retry_transient(Flaky())("bert") == "sent ('bert',)"  # type: ignore[type-var]
    flaky = Flaky()
    assert retry_transient(functools.partial(flaky._fail, 1))(2) == "sent (1, 2)"
    mocked = mock.Mock(side_effect=[smtplib.SMTPConnectError(421, "busy"), "sent"])
    assert retry_transient(mocked)() == "sent"


@pytest.mark.parametrize("make", [lambda flaky: flaky.wait, lambda flaky: functools.partial(flaky.wait)])
async def test_coroutine_functions_of_all_kinds_are_awaited(make: Any) -> None:
    assert await retry_transient(make(Flaky()))("bert") == "sent ('bert',)"
    flaky = Flaky()
    assert await retry_transient(lambda to: flaky.wait(to, *()))("bert") == "sent ('bert',)"
    mocked = mock.AsyncMock(side_effect=[smtplib.SMTPConnectError(421, "busy"), "sent"])
    assert await retry_transient(mocked)() == "sent"

    class Callable:
        async def __call__(self) -> str:
            return await flaky.wait("bert")

    flaky.calls.clear()
    assert await retry_transient(Callable())() == "sent ('bert',)"  # type: ignore[type-var]


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "func",
    [generator, async_generator, contextlib.contextmanager(generator), contextlib.asynccontextmanager(async_generator)],
)
def test_what_is_done_in_parts_is_refused(func: Any) -> None:
    with pytest.raises(TypeError, match="is a generator or a context manager: a part of it may be done"):
        retry_transient(func)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"attempts": 0}, ValueError, "attempts= is 1 or more, not 0"),
        ({"attempts": 1.5}, TypeError, "attempts= is a number of calls, not 1.5"),
        ({"attempts": True}, TypeError, "attempts= is a number"),
        ({"max_delay": -1}, ValueError, "max_delay= is in seconds, 0 or more, not -1"),
        ({"on_unknown": "ignore"}, ValueError, "on_unknown= is one of 'raise', 'retry', not 'ignore'"),
        ({"wait": 5}, TypeError, "wait= takes an object of tenacity's, or a function of the retry state: 5"),
        ({"wait": tenacity.wait_none}, TypeError, "wait= takes an object"),
        ({"also": smtplib.SMTPException}, TypeError, "also= takes an object of tenacity's"),
        ({"stop": tenacity.stop_never, "attempts": 3}, TypeError, "stop= takes the place of attempts= and max_delay="),
        ({"before_sleep": "log"}, TypeError, "before_sleep= takes a function of the retry state, not 'log'"),
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused_where_they_are_given(options: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        retry_transient(**options)


def test_predicates_that_would_have_to_be_awaited_are_refused() -> None:
    async def later(_: Any) -> bool:
        return True

    with pytest.raises(TypeError, match="also= is asked without awaiting"):
        retry_transient(also=later)
    with pytest.raises(TypeError, match=r"before_sleep= is a coroutine function, and test_.* is not"):
        retry_transient(before_sleep=later)(test_predicates_that_would_have_to_be_awaited_are_refused)
    waiting = asyncio.Future[None](loop=asyncio.new_event_loop())
    with pytest.raises(TypeError, match=r"before_sleep= returned what is to be awaited, and .*_fail is not awaited"):
        retry_transient(before_sleep=lambda _: waiting)(Flaky()._fail)()
    waiting.get_loop().close()


@pytest.mark.parametrize(
    ("func", "text"), [(5, "takes a function, or options by their names, not 5"), (Flaky, "methods of")]
)
def test_what_cannot_be_called_again_is_refused(func: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        retry_transient(func)
    with pytest.raises(ValueError, match="on_unknown= is one of"):
        retry_if_transient(on_unknown="no")  # type: ignore[arg-type]


def test_a_blocking_function_that_is_retried_is_better_bridged_without() -> None:
    with pytest.warns(RuntimeWarning, match="decorated by a retry policy: while it sleeps between attempts it holds"):
        bridge(retry_transient(Flaky()._fail))

    class Mailer:
        @retry_transient
        def send(self) -> None:
            """Send."""

    with pytest.warns(RuntimeWarning, match=r"Mailer.send is decorated by a retry policy"):
        bridge(Mailer())


def test_arguments_do_not_show_in_the_frames_of_a_traceback() -> None:
    @retry_transient
    def log_in(password: str) -> None:
        raise smtplib.SMTPConnectError(421, "busy")

    @retry_transient
    async def log_in_soon(password: str) -> None:
        raise smtplib.SMTPConnectError(421, "busy")

    async def through_a_bridge(password: str) -> None:
        await bridge(log_in.__wrapped__, retry=retry_transient)(password)

    for call in (log_in, lambda each: asyncio.run(log_in_soon(each)), lambda each: asyncio.run(through_a_bridge(each))):
        with pytest.raises(smtplib.SMTPConnectError) as caught:
            call("hunter2")
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        others = [frame for frame in frames if frame.f_globals["__name__"] != __name__]
        assert others
        for frame in others:
            assert "hunter2" not in repr(frame.f_locals)


class TestTenacitysTraps:
    """Those of the library that it is built on, closed."""

    @pytest.mark.parametrize(
        "also",
        [
            tenacity.retry_if_not_exception_type(ValueError),
            tenacity.retry_if_exception(lambda _: True),
            tenacity.retry_always,
        ],
    )
    async def test_cancelling_and_ctrl_c_end_a_call_whatever_a_predicate_says(self, also: Any) -> None:
        for kind in (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            calls = []

            async def call(kind: Any = kind, calls: Any = calls) -> None:
                calls.append(1)
                raise kind if len(calls) == 2 else smtplib.SMTPConnectError(421, "busy")

            with pytest.raises(kind):
                retried = retry_transient(also=also)(call)()
                with contextlib.suppress(StopIteration):
                    while True:
                        retried.send(None)
            assert len(calls) == 2

    def test_ctrl_c_ends_a_plain_function(self) -> None:
        calls = []

        @retry_transient(also=tenacity.retry_always)
        def call() -> None:
            calls.append(1)
            raise KeyboardInterrupt if len(calls) == 2 else smtplib.SMTPConnectError(421, "busy")

        with pytest.raises(KeyboardInterrupt):
            call()
        assert len(calls) == 2

    async def test_calls_that_share_a_policy_have_their_own_errors(self) -> None:
        @retry_transient
        async def call(number: int) -> int:
            await asyncio.sleep(0)
            if number % 2:
                raise smtplib.SMTPConnectError(421, str(number))
            return number

        results = await asyncio.gather(*(call(number) for number in range(50)), return_exceptions=True)
        assert [getattr(each, "smtp_error", each) for each in results] == [
            str(number) if number % 2 else number for number in range(50)
        ]

    def test_there_is_no_retry_error(self) -> None:
        @retry_transient
        def call() -> None:
            raise smtplib.SMTPConnectError(421, "busy")

        with pytest.raises(smtplib.SMTPConnectError):
            call()
        never = retry_transient(also=tenacity.retry_if_result(lambda _: True))
        assert never(lambda: "failed")() == "failed"
