"""What counts as the site: the line that its reader can change."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asyncsmtp_bridge.migrate import BlockingCall, find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer

from . import corp
from .corp import Mailer

LIBRARY = """
import smtplib

async def call(function, *args):
    return function(*args)

async def check(port):
    smtplib.SMTP("localhost", port).quit()

async def check_soon(port):
    await check(port)
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that was installed."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "shop_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    import shop_library

    yield shop_library
    del sys.modules["shop_library"]


@pytest.fixture
def mailer() -> Iterator[Mailer]:
    with SMTPTestServer() as server:
        yield Mailer(server.port)


Run = Callable[[Coroutine[Any, Any, object]], object]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a coroutine, on each kind of loop."""
    if request.param == "asyncio":
        return asyncio.run
    run: Run = pytest.importorskip("uvloop").run
    return run


def the_call(run: Run, coroutine: Coroutine[Any, Any, object]) -> BlockingCall:
    with find_blocking("record") as found:
        run(coroutine)
    (call,) = found.calls
    return call


def line_of(function: Callable[..., object], text: str) -> tuple[str, int]:
    lines, first = inspect.getsourcelines(function)
    return __file__, next(first + at for at, line in enumerate(lines) if text in line)


def test_it_is_the_innermost_coroutine(run: Run, mailer: Mailer) -> None:
    async def inner() -> None:
        mailer.send("x")

    async def outer() -> None:
        await inner()

    call = the_call(run, outer())
    assert (call.filename, call.line) == line_of(inner, "mailer.send")
    assert call.function == "inner"


def test_the_way_from_there_to_smtplib_is_told(run: Run, mailer: Mailer) -> None:
    def helper() -> None:
        mailer.send("x")

    async def main() -> None:
        helper()

    call = the_call(run, main())
    assert (call.through[0].filename, call.through[0].line) == line_of(helper, "mailer.send")
    assert [each.function.rpartition(".")[2] for each in call.through] == ["helper", "send"]
    assert call.through[-1].filename == corp.__file__
    assert call.does == "smtplib.SMTP"


def test_it_may_be_an_asynchronous_generator(run: Run, mailer: Mailer) -> None:
    async def sending() -> Any:
        yield mailer.send("x")

    async def main() -> None:
        async for _ in sending():
            pass

    call = the_call(run, main())
    assert (call.filename, call.line) == line_of(sending, "mailer.send")


def test_of_what_a_library_calls_on_the_loop_it_is_the_outermost_function(
    run: Run, mailer: Mailer, library: ModuleType
) -> None:
    def inner() -> None:
        mailer.send("x")

    def callback() -> None:
        inner()

    async def main() -> None:
        await library.call(callback)

    call = the_call(run, main())
    assert (call.filename, call.line) == line_of(callback, "inner()")
    assert call.mend == (
        f"{call.function} runs on the event loop and is no coroutine function: make it 'async def' and await there, "
        "or have it called through bridge()"
    )


def test_of_what_the_loop_calls_it_is_the_outermost_function(run: Run, mailer: Mailer) -> None:
    def inner() -> None:
        mailer.send("x")

    def callback(done: asyncio.Future[None]) -> None:
        inner()
        done.set_result(None)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_soon(callback, done)
        await done

    call = the_call(run, main())
    assert (call.filename, call.line) == line_of(callback, "inner()")
    assert call.task is None


def test_a_loop_that_the_user_runs_is_not_mistaken_for_one_of_its_callbacks(mailer: Mailer) -> None:
    uvloop = pytest.importorskip("uvloop")

    def callback() -> None:
        mailer.send("x")
        loop.stop()

    with find_blocking("record") as found:
        loop = uvloop.new_event_loop()
        loop.call_soon(callback)
        loop.run_forever()
        loop.close()
    assert (found.calls[0].filename, found.calls[0].line) == line_of(callback, "mailer.send")


def test_where_a_library_blocks_by_itself_it_is_the_line_that_awaits_it(
    run: Run, mailer: Mailer, library: ModuleType
) -> None:
    async def main() -> None:
        await library.check_soon(mailer.port)

    call = the_call(run, main())
    assert (call.filename, call.line) == line_of(main, "check_soon")
    assert "blocks though it is awaited: that is the library's to mend" in call.mend


def test_where_everything_is_installed_it_is_the_innermost_coroutine(
    run: Run, mailer: Mailer, library: ModuleType
) -> None:
    call = the_call(run, library.check_soon(mailer.port))
    assert (call.filename, call.line, call.function) == (library.__file__, 8, "check")
    assert call.mend == 'await (await AsyncSMTP("localhost", port)).quit()'


def test_the_task_is_named(run: Run, mailer: Mailer) -> None:
    async def main() -> None:
        await asyncio.create_task(send(), name="orders")

    async def send() -> None:
        mailer.send("x")

    assert the_call(run, main()).task == "orders"
