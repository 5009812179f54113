"""A context manager becomes an async one."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import bridge

from .conftest import Kind
from .watched import Session


class TestObjects:
    async def test_it_is_entered_and_left_in_workers(self, kind: Kind) -> None:
        session = Session().open()
        async with bridge(session, executor=kind(1)) as same:
            assert same.__wrapped__ is session
            assert session.left == []
        assert session.left == [None]
        assert threading.current_thread().name not in session.threads

    async def test_one_that_enters_itself_gives_the_same_proxy(self) -> None:
        proxy = bridge(Session().open())
        async with proxy as same:
            assert same is proxy

    async def test_one_that_enters_something_else_gives_that(self) -> None:
        class Opener(Session):
            def __enter__(self) -> Any:
                return [1]

        async with bridge(Opener().open()) as something:
            assert something == [1]

    async def test_it_can_be_entered_again(self) -> None:
        session = Session().open()
        proxy = bridge(session)
        for _ in range(2):
            async with proxy:
                pass
        async with proxy, proxy:
            pass
        assert session.left == [None] * 4

    async def test_an_exception_of_the_body_is_told_and_goes_on(self) -> None:
        session, error = Session().open(), OSError("odd")
        with pytest.raises(OSError, match="odd") as caught:
            async with bridge(session):
                raise error
        assert caught.value is error
        assert session.left == [OSError]

    async def test_an_exception_of_the_body_can_be_suppressed(self) -> None:
        session = Session(answer=True).open()
        async with bridge(session):
            raise OSError("odd")
        assert session.left == [OSError]

    async def test_an_exception_on_entering_arrives_and_nothing_is_left(self) -> None:
        class Refusing(Session):
            def __enter__(self) -> Any:
                raise OSError("refused")

        session = Refusing().open()
        with pytest.raises(OSError, match="refused"):
            async with bridge(session):
                raise AssertionError
        assert session.left == []

    async def test_an_exception_on_leaving_arrives_with_that_of_the_body(self) -> None:
        class Failing(Session):
            def __exit__(self, *error: object) -> bool | None:
                raise OSError("no QUIT")

        with pytest.raises(OSError, match="no QUIT") as caught:
            async with bridge(Failing().open()):
                raise ValueError("first")
        assert str(caught.value.__context__) == "first"

    async def test_any_context_manager_will_do(self) -> None:
        lock = threading.Lock()
        async with bridge(lock):
            assert lock.locked()
        assert not lock.locked()
        async with bridge(contextlib.nullcontext(5)) as five:
            assert five == 5
        async with bridge(contextlib.suppress(OSError)):
            raise OSError

    async def test_what_is_none_says_so(self) -> None:
        with pytest.raises((TypeError, AttributeError), match=r"__aenter__|asynchronous context manager"):
            async with bridge(threading.Event()):
                pass

    async def test_with_alone_is_refused(self) -> None:
        refused = pytest.raises((TypeError, AttributeError), match=r"__enter__|context manager")
        with refused, bridge(Session()):  # type: ignore[attr-defined]
            pass


class TestFunctions:
    async def test_one_made_of_a_generator_is_entered_and_left(self) -> None:
        session = Session().open()
        async with bridge(session.transaction)("name") as name:
            assert name == "name"
        assert session.left == [None]

    async def test_it_has_name_documentation_and_signature(self) -> None:
        bridged = bridge(Session().transaction)
        assert (bridged.__name__, bridged.__doc__) == ("transaction", "Begin, and end.")
        assert list(inspect.signature(bridged).parameters) == ["name"]

    async def test_an_exception_of_the_body_is_raised_in_it(self) -> None:
        session, error = Session().open(), OSError("odd")
        with pytest.raises(OSError, match="odd") as caught:
            async with bridge(session).transaction():
                raise error
        assert caught.value is error
        assert session.left == [OSError]

    async def test_it_can_suppress_that(self) -> None:
        async with bridge(Session(answer=True).open()).transaction():
            raise OSError("odd")

    async def test_stop_iteration_of_the_body_goes_on(self) -> None:
        with pytest.raises(StopIteration):
            async with bridge(Session().open()).transaction():
                raise StopIteration

    async def test_it_is_entered_once(self) -> None:
        transaction = bridge(Session().open()).transaction()
        async with transaction:
            pass
        with pytest.raises(RuntimeError, match="entered once"):
            async with transaction:
                pass

    async def test_entering_makes_it_in_the_worker(self) -> None:
        made = []

        def transaction() -> Any:
            made.append(threading.current_thread().name)
            return contextlib.nullcontext()

        class Legacy:
            @contextmanager
            def begin(self) -> Iterator[None]:
                yield

        legacy: Any = Legacy()
        proxy = bridge(legacy)
        legacy.begin = transaction
        async with proxy.begin():
            pass
        assert made != [threading.current_thread().name]
