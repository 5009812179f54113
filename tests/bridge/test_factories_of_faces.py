"""A face that is made together with its object, and one that is entered."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncBridge, async_method, default_executor
from tests.hop.gate import Gate, cancelled, settled

from .watched import Session


class CorpMailer:
    """The mailer of the corporation."""

    made: ClassVar[list[CorpMailer]] = []
    shut = Gate()

    def __init__(self, host: str, *, port: int = 25) -> None:
        self.host, self.port = host, port
        self.thread = threading.current_thread()
        self.closed = threading.Event()
        self.shut()
        self.made.append(self)

    @classmethod
    def from_url(cls, url: str) -> CorpMailer:
        """Make one of a URL."""
        return cls(url.removeprefix("smtp://"))

    @classmethod
    def version(cls) -> str:
        return "1.0"

    @classmethod
    async def found(cls) -> CorpMailer:
        return cls("found")

    def send(self, to: str) -> str:
        return f"{to} via {self.host}"

    @functools.cached_property
    def banner(self) -> str:
        """What it says."""
        return "220 " + threading.current_thread().name

    def close(self) -> None:
        self.closed.set()


class AsyncCorpMailer(AsyncBridge[CorpMailer]):
    host: str

    create = async_method.factory(CorpMailer)
    from_url = async_method.factory(CorpMailer.from_url)
    found = async_method.factory(CorpMailer.found)
    wrong = async_method.factory(CorpMailer.version)
    local = async_method.factory(functools.partial(CorpMailer, "localhost"))
    send = async_method(CorpMailer.send)
    banner = async_method(CorpMailer.banner)


class OwnMailer(AsyncCorpMailer):
    pass


@pytest.fixture(autouse=True)
def shut() -> Iterator[Gate]:
    """Held: making one. Opened at first use by tests that do not hold it."""
    CorpMailer.shut = Gate()
    CorpMailer.made.clear()
    CorpMailer.shut.open()
    yield CorpMailer.shut
    CorpMailer.shut.open()


class TestFactories:
    async def test_the_object_is_made_in_a_worker_with_the_arguments(self) -> None:
        mailer = await AsyncCorpMailer.create("mail", port=587)
        assert type(mailer) is AsyncCorpMailer
        assert (mailer.host, mailer.__wrapped__.port) == ("mail", 587)
        assert mailer.__wrapped__.thread is not threading.current_thread()
        assert await mailer.send("bert") == "bert via mail"

    async def test_a_class_method_makes_it_as_well(self) -> None:
        assert (await AsyncCorpMailer.from_url("smtp://mx")).host == "mx"

    async def test_any_function_that_makes_one_does(self) -> None:
        assert (await AsyncCorpMailer.local(port=1)).host == "localhost"

    async def test_one_that_is_awaited_already_does(self) -> None:
        assert (await AsyncCorpMailer.found()).host == "found"

    async def test_it_gives_a_face_of_the_class_that_it_is_called_on(self) -> None:
        own = await OwnMailer.create("mail")
        assert type(own) is OwnMailer
        assert type(await own.from_url("smtp://mx")) is OwnMailer

    async def test_a_method_that_a_test_replaces_is_called(self) -> None:
        other = CorpMailer("other")
        with mock.patch.object(CorpMailer, "from_url", return_value=other):
            assert (await AsyncCorpMailer.from_url("smtp://mx")).__wrapped__ is other

    async def test_a_mock_of_an_object_passes_for_one(self) -> None:
        with mock.patch.object(CorpMailer, "from_url", return_value=mock.MagicMock()) as replaced:
            assert (await AsyncCorpMailer.from_url("smtp://mx")).__wrapped__ is replaced.return_value

    async def test_an_exception_arrives_as_it_is(self) -> None:
        with pytest.raises(TypeError, match="hst"):
            await AsyncCorpMailer.create(hst="mail")

    async def test_what_returns_no_object_of_the_class_is_a_type_error_that_says_what_to_write(self) -> None:
        said = (
            r"AsyncCorpMailer\.wrong: CorpMailer\.version\(\) returned '1\.0', and not a CorpMailer.*staticmethod\(br"
        )
        with pytest.raises(TypeError, match=said):
            await AsyncCorpMailer.wrong()

    async def test_neither_is_plain_data_an_object(self) -> None:
        class Face(AsyncBridge[Any]):
            create = async_method.factory(lambda: [1])

        with pytest.raises(TypeError, match=r"returned \[1\], and not an object to await the methods of"):
            await Face.create()

    def test_what_cannot_be_called_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"takes a class, .* as in async_method\.factory\(CorpMailer\), not 'mail'"):
            async_method.factory("mail")  # type: ignore[arg-type]

    def test_it_has_name_documentation_and_parameters(self) -> None:
        create, from_url = AsyncCorpMailer.create, AsyncCorpMailer.from_url
        assert (create.__name__, from_url.__qualname__) == ("create", "AsyncCorpMailer.from_url")
        assert (create.__doc__, from_url.__doc__) == (CorpMailer.__doc__, "Make one of a URL.")
        assert [*inspect.signature(create).parameters] == ["host", "port"]
        assert inspect.signature(create).return_annotation is AsyncCorpMailer
        assert [*inspect.signature(from_url).parameters] == ["url"]
        assert inspect.iscoroutinefunction(create)

    @pytest.mark.usefixtures("short_grace")
    async def test_what_was_made_for_an_awaiter_that_is_gone_is_closed(self) -> None:
        CorpMailer.shut = gate = Gate()
        with gate:
            task = asyncio.ensure_future(AsyncCorpMailer.create("mail"))
            await gate.has_entered()
            await cancelled(task)
            gate.open()
            await settled(default_executor())
        (made,) = CorpMailer.made
        assert made.closed.is_set()

    async def test_a_cached_property_can_be_awaited(self) -> None:
        mailer = await AsyncCorpMailer.create("mail")
        assert await mailer.banner() != f"220 {threading.current_thread().name}"
        assert mailer.banner.__doc__ == "What it says."


class Opener(Session):
    def __enter__(self) -> Any:
        return SimpleNamespace(opened=True)


class AsyncSession(AsyncBridge[Session]):
    work = async_method(Session.work)


class TestEntering:
    async def test_it_is_entered_and_left_in_workers(self) -> None:
        session = Session().open()
        face = AsyncSession(session)
        async with face as same:
            assert same is face
            assert session.left == []
        assert session.left == [None]
        assert threading.current_thread().name not in session.threads

    async def test_one_that_enters_something_else_gives_that(self) -> None:
        async with AsyncSession(Opener().open()) as opened:
            assert opened.opened

    async def test_a_face_of_ones_own_may_do_something_with_it(self) -> None:
        class Face(AsyncSession):
            async def __aenter__(self) -> Any:
                return "own", await super().__aenter__()

        session = Session().open()
        async with Face(session) as (word, face):
            assert (word, face.__wrapped__) == ("own", session)
        assert session.left == [None]

    async def test_an_exception_of_the_body_is_told_and_can_be_suppressed(self) -> None:
        session = Session(answer=True).open()
        async with AsyncSession(session):
            raise OSError("odd")
        assert session.left == [OSError]

    @pytest.mark.usefixtures("short_grace")
    async def test_cancelled_on_entering_it_is_left_by_the_worker(self) -> None:
        session = Session().open(entering=False)
        with session.entering as gate:
            task = asyncio.ensure_future(AsyncSession(session).__aenter__())
            await gate.has_entered()
            await cancelled(task)
            gate.open()
            await settled(default_executor())
        assert session.left == [asyncio.CancelledError]

    async def test_tasks_that_share_it_leave_what_each_has_entered(self) -> None:
        face = AsyncSession(Session().open())
        async with face, face:
            pass
        assert face.__wrapped__.left == [None, None]

    async def test_leaving_what_was_not_entered_says_so(self) -> None:
        with pytest.raises(RuntimeError, match="was not entered"):
            await AsyncSession(Session().open()).__aexit__(None, None, None)

    async def test_what_is_no_context_manager_is_a_type_error_that_says_what_to_do(self) -> None:
        said = (
            r"'AsyncCorpMailer' object does not support the asynchronous context manager protocol, since CorpMailer has"
        )
        with pytest.raises(TypeError, match=said):
            async with AsyncCorpMailer(CorpMailer("mail")):
                raise AssertionError

    async def test_what_is_entered_on_the_loop_already_says_where_to_enter_it(self) -> None:
        class Migrated:
            async def __aenter__(self) -> Migrated:
                return self

            async def __aexit__(self, *_: object) -> None: ...

        class Face(AsyncBridge[Migrated]):
            pass

        with pytest.raises(TypeError, match=r"'async with face\.__wrapped__:'"):
            async with Face(Migrated()):
                raise AssertionError

    def test_a_synchronous_enter_is_refused(self) -> None:
        with pytest.raises(TypeError, match="must be 'async def'"):

            class Face(AsyncSession):
                def __aenter__(self) -> Any:
                    return self
