"""What cannot be bridged is refused, and the error says why."""

from __future__ import annotations

import asyncio
import functools
import inspect
import smtplib
import string
import warnings
from typing import Any

import pytest
import tenacity

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, blocking, bridge


class CorpMailer:
    def send(self) -> str:
        return "sent"


def send() -> str:
    return "sent"


@pytest.mark.parametrize("data", [None, True, 5, 0.5, 1j, "bert", b"x", bytearray(), [], (), {}, set(), frozenset()])
def test_data(data: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(data).__name__} data"):
        bridge(data)


def test_the_result_of_a_call_shows_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"write 'await bridge\(send\)\(message\)', not 'bridge\(send\(message\)\)'"):
        bridge(send())


def test_a_coroutine_is_awaited_as_it_is_and_draws_no_second_warning() -> None:
    coroutine = asyncio.sleep(0)
    with pytest.raises(TypeError, match=r"takes what blocks, and <coroutine object sleep .* is awaited as it is"):
        bridge(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


async def test_a_future_is_awaited_as_it_is_and_stays_so() -> None:
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(TypeError, match="is awaited as it is"):
        bridge(future)
    assert not future.done()


def test_a_module() -> None:
    with pytest.raises(TypeError, match=r"takes a function, class or object, not the module string$"):
        bridge(string)


def test_the_module_smtplib_is_told_of_its_mirror() -> None:
    with pytest.raises(
        TypeError, match=r"not the module smtplib; for smtplib, import asyncsmtp_bridge.smtplib instead"
    ):
        bridge(smtplib)


def test_a_cached_property_has_nothing_to_be_called() -> None:
    with pytest.raises(TypeError, match="cached_property"):
        bridge(functools.cached_property(send))


TARGETS: list[Any] = [send, CorpMailer, CorpMailer()]


@pytest.mark.parametrize("target", TARGETS, ids=["function", "class", "object"])
class TestOptions:
    def test_an_executor_of_another_make(self, target: Any) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as other:
            for wrong in (other, 4):
                with pytest.raises(TypeError, match="executor= takes a BoundedExecutor, not "):
                    bridge(target, executor=wrong)

    @pytest.mark.parametrize("wrong", ["parallel", True, ("serial",), "Serial"])
    def test_an_order_that_there_is_not(self, target: Any, wrong: Any) -> None:
        with pytest.raises(ValueError, match="calls= is 'serial' or 'concurrent', not "):
            bridge(target, calls=wrong)

    @pytest.mark.parametrize("wrong", ["kill", None, True])
    def test_an_answer_to_cancelling_that_there_is_not(self, target: Any, wrong: Any) -> None:
        with pytest.raises(ValueError, match="on_cancel= is one of 'abort', 'wait', 'abandon', not "):
            bridge(target, on_cancel=wrong)

    @pytest.mark.parametrize("option", ["passthrough", "nested", "awaitable"])
    def test_one_name_in_place_of_several(self, target: Any, option: str) -> None:
        with pytest.raises(TypeError, match=rf"{option}= takes several names; for one, write {option}=\('send',\)"):
            bridge(target, **{option: "send"})

    @pytest.mark.parametrize("option", ["passthrough", "nested", "awaitable"])
    @pytest.mark.parametrize("wrong", [1, "transport.connect", "", CorpMailer.send])
    def test_what_is_no_name(self, target: Any, option: str, wrong: Any) -> None:
        with pytest.raises(TypeError, match=f"{option}= takes names of attributes, not "):
            bridge(target, **{option: ("send", wrong)})


@pytest.mark.parametrize("option", ["passthrough", "nested", "awaitable"])
@pytest.mark.parametrize("target", [send, CorpMailer().send, len], ids=["function", "method", "builtin"])
def test_a_function_has_no_members(target: Any, option: str) -> None:
    with pytest.raises(TypeError, match="a function has no members"):
        bridge(target, **{option: ("send",)})


def test_a_generator_or_a_context_manager_is_not_tried_again() -> None:
    from contextlib import contextmanager

    def generate() -> Any:
        yield

    for target in (generate, contextmanager(generate)):
        with pytest.raises(TypeError, match="a part may be done when the rest fails"):
            bridge(target, retry=tenacity.retry())


@pytest.mark.parametrize("target", [smtplib.SMTP, smtplib.SMTP()], ids=["class", "object"])
@pytest.mark.parametrize(
    "options",
    [{"calls": "concurrent"}, {"nested": ("sock",)}, {"passthrough": ("noop",)}],
    ids=["calls", "nested", "passthrough"],
)
def test_a_mirror_takes_three_of_the_options(target: Any, options: Any) -> None:
    with pytest.raises(TypeError, match=r"bridge\(\) makes the mirror of it.*executor=, on_cancel= and retry= apply"):
        bridge(target, **options)


def test_a_mirror_takes_the_order_that_it_has() -> None:
    executor = BoundedExecutor(1)
    bridged: Any = bridge(smtplib.SMTP(), calls="serial", executor=executor, on_cancel="wait")  # type: ignore[call-overload]
    assert isinstance(bridged, AsyncSMTP)
    assert (bridged._terms.executor, bridged._terms.on_cancel) == (executor, "wait")


@pytest.mark.parametrize("wrong", [send, CorpMailer, CorpMailer(), None, asyncio.sleep, bridge(CorpMailer)])
def test_a_synchronous_view_is_of_what_was_bridged(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"blocking\(\) takes what bridge\(\) made of an object or a function"):
        blocking(wrong)


@tenacity.retry
def decorated() -> None:
    """Retried by tenacity already."""


class Decorated:
    """With one method that is."""

    @tenacity.retry
    def send(self) -> None: ...

    @staticmethod
    @tenacity.retry
    def check() -> None: ...

    def close(self) -> None: ...


class TestTenacity:
    """What it decorated sleeps in the worker."""

    @pytest.mark.parametrize(
        ("target", "names"),
        [
            (decorated, ["decorated"]),
            (functools.partial(decorated), ["decorated"]),
            (Decorated().send, ["Decorated.send"]),
            (Decorated, ["Decorated.check", "Decorated.send"]),
            (Decorated(), ["Decorated.check", "Decorated.send"]),
        ],
        ids=["function", "partial", "method", "class", "object"],
    )
    def test_it_draws_a_warning_at_the_line_that_bridges_it(self, target: Any, names: list[str]) -> None:
        line = inspect.currentframe().f_lineno + 2  # type: ignore[union-attr]
        with pytest.warns(RuntimeWarning, match="is decorated by a retry policy") as caught:
            bridge(target)
        assert [str(warning.message).partition(" ")[0] for warning in caught] == names
        assert {(warning.filename, warning.lineno) for warning in caught} == {(__file__, line)}

    def test_the_warning_says_what_to_do(self) -> None:
        with pytest.warns(RuntimeWarning, match=r"holds a thread.*below, with retry=retry_transient"):
            bridge(decorated)

    @pytest.mark.filterwarnings("ignore:.*decorated by a retry policy")
    async def test_it_works_nevertheless(self) -> None:
        assert await bridge(decorated)() is None

    async def test_its_decorator_above_ours_draws_none(self) -> None:
        @tenacity.retry
        @bridge
        def right() -> str:
            return "sent"

        assert bridge(right) is right
        assert await right() == "sent"

    def test_what_waits_on_the_event_loop_draws_none(self) -> None:
        class Migrated:
            @tenacity.retry
            async def send(self) -> None: ...

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bridge(Migrated())

    def test_what_is_not_decorated_draws_none(self) -> None:
        class Retrying:
            retry = 3

            def send(self) -> None: ...

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bridge(Retrying())
            bridge(send)
