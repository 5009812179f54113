"""`configure`, the environment, and the executor that is used where none is named."""

import asyncio
import contextlib
import math
import ssl

import pytest

from asyncsmtp_bridge import BoundedExecutor, configure, default_executor, defaults, to_thread
from asyncsmtp_bridge.executor import slots_of

from .conftest import Kind
from .gate import soon

VARIABLE = "ASYNCSMTP_BRIDGE_EXECUTOR_SIZE"


def test_size_is_8_where_nothing_says_otherwise(kind: Kind) -> None:
    assert kind().stats().size == 8


def test_environment_counts_before_8(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " 3 ")
    assert kind().stats().size == 3


def test_configure_counts_before_the_environment(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    configure(executor_size=4)
    assert kind().stats().size == 4


def test_argument_counts_before_configure(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    configure(executor_size=4)
    assert kind(5).stats().size == 5


def test_empty_variable_is_as_none(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert kind().stats().size == 8


@pytest.mark.parametrize("text", ["0", "-1", "eight", "2.5", "1e3"])
def test_variable_that_cannot_work_is_named(kind: Kind, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE}='{text}': a whole number of threads, 1 or more"):
        kind()


async def test_bad_variable_fails_to_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(ValueError, match=VARIABLE):
        await to_thread(int)


def test_bad_variable_does_not_matter_where_a_size_is_given(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "many")
    assert kind(2).stats().size == 2


def test_configure_after_the_first_use_raises_and_names_the_user(kind: Kind) -> None:
    kind(name="mail")
    with pytest.raises(RuntimeError, match="executor 'mail' has already used the defaults"):
        configure(executor_size=4)


def test_first_user_is_named_not_the_last(kind: Kind) -> None:
    kind(name="first")
    kind(name="second")
    with pytest.raises(RuntimeError, match="'first'"):
        configure(exit_grace=1)


def test_configure_after_an_executor_that_was_given_everything_is_allowed(kind: Kind) -> None:
    kind(2, around=contextlib.nullcontext)
    configure(executor_size=4)
    assert kind().stats().size == 4


def test_several_calls_before_the_first_use_add_up() -> None:
    configure(executor_size=4)
    configure(exit_grace=1)
    configure(executor_size=5)
    values = defaults.peek()
    assert (values.executor_size, values.exit_grace) == (5, 1.0)


def test_what_is_left_out_stays_as_it_was() -> None:
    configure(executor_size=4)
    configure()
    assert defaults.peek().executor_size == 4


def test_looking_at_the_values_does_not_settle_them() -> None:
    defaults.peek()
    configure(executor_size=4)


def test_factories_are_kept() -> None:
    configure(tls_context=ssl.create_default_context, around=contextlib.nullcontext)
    values = defaults.in_force("test")
    assert values.tls_context is ssl.create_default_context
    assert values.around is contextlib.nullcontext


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("executor_size", 0, ValueError),
        ("executor_size", -3, ValueError),
        ("executor_size", True, TypeError),
        ("executor_size", "4", TypeError),
        ("executor_size", 4.0, TypeError),
        ("exit_grace", -1, ValueError),
        ("exit_grace", math.nan, ValueError),
        ("exit_grace", "1", TypeError),
        ("tls_context", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), TypeError),
        ("around", contextlib.nullcontext(), TypeError),
    ],
)
def test_value_that_cannot_work_is_refused_and_changes_nothing(
    name: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        configure(**{name: value})  # type: ignore[arg-type]
    assert defaults.peek() == defaults.Defaults()


def test_nothing_is_set_if_one_of_several_values_cannot_work() -> None:
    with pytest.raises(ValueError, match="exit_grace"):
        configure(executor_size=4, exit_grace=-1)
    assert defaults.peek().executor_size is None


def test_message_for_a_context_in_place_of_a_factory_tells_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"not a SSLContext; write tls_context=lambda: \.\.\."):
        configure(tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # type: ignore[arg-type]


def test_default_executor_is_one_and_the_same() -> None:
    assert default_executor() is default_executor()


def test_default_executor_has_the_configured_size() -> None:
    configure(executor_size=3)
    assert default_executor().stats().size == 3


async def test_default_executor_is_made_anew_after_it_was_closed() -> None:
    first = default_executor()
    await first.aclose()
    assert default_executor() is not first
    assert await to_thread(lambda: 1) == 1


async def test_to_thread_runs_on_the_default_executor() -> None:
    assert await to_thread(lambda *args, **kwargs: (args, kwargs), 1, a=2) == ((1,), {"a": 2})
    assert default_executor().stats().done == 1


async def test_to_thread_raises_what_the_function_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await to_thread(divmod, 1, 0)


async def test_slots_of_nothing_are_those_of_the_default_executor() -> None:
    assert slots_of(None) is slots_of(default_executor())
    other = BoundedExecutor(1)
    assert slots_of(other) is not slots_of(None)


async def test_calls_under_way_in_a_default_executor_that_was_closed_come_in() -> None:
    tasks = [asyncio.create_task(to_thread(lambda: 1)) for _ in range(20)]
    await asyncio.sleep(0)
    await default_executor().aclose()
    assert await soon(asyncio.wait_for(_all(tasks), 10)) == [1] * 20


async def _all(tasks: "list[asyncio.Task[int]]") -> list[int]:
    return await asyncio.gather(*tasks)
