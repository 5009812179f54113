"""Nothing of a call's arguments is seen in the package's frames, which error trackers collect."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import tenacity

from asyncsmtp_bridge import AsyncBridge, BoundedExecutor, ExecutorFull, async_method, blocking, bridge
from tests.hop.gate import Gate, busy, cancelled

from .conftest import Kind

SECRET = "hunter2-0123456789"


def refuse(*args: object, **kwargs: object) -> None:
    """Raises, and does not show what it was given in its own variables."""
    del args, kwargs
    raise OSError("refused")


def generate(*args: object, **kwargs: object) -> Iterator[int]:
    del args, kwargs
    yield 1
    raise OSError("refused")


class Corp:
    def __init__(self, *args: object, **kwargs: object) -> None:
        if args:
            refuse()

    def __call__(self, *args: object, **kwargs: object) -> None:
        del args, kwargs
        refuse()

    def login(self, *args: object, **kwargs: object) -> None:
        del args, kwargs
        refuse()

    def addresses(self, *args: object, **kwargs: object) -> Iterator[int]:
        del args, kwargs
        return (yield from generate())

    @contextmanager
    def session(self, *args: object, **kwargs: object) -> Iterator[None]:
        del args, kwargs
        refuse()
        yield

    @classmethod
    def make(cls, *args: object, **kwargs: object) -> Corp:
        del args, kwargs
        raise OSError("refused")

    def narrow(self) -> None: ...

    def __enter__(self) -> Corp:
        return self

    def __exit__(self, *_: object) -> None: ...


class Face(AsyncBridge[Corp]):
    login = async_method(Corp.login)
    addresses = async_method(Corp.addresses)
    session = async_method(Corp.session)


@contextmanager
def session(*args: object, **kwargs: object) -> Iterator[None]:
    del args, kwargs
    refuse()
    yield


def shown(error: BaseException) -> str:
    """The variables of all of the package's frames, in the whole chain."""
    frames: list[traceback.FrameSummary] = []
    each: BaseException | None = error
    while each is not None:
        frames += traceback.TracebackException.from_exception(each, capture_locals=True).stack
        each = each.__cause__ or each.__context__
    ours = [frame for frame in frames if "/asyncsmtp_bridge/" in frame.filename]
    assert ours
    return "\n".join(f"{frame.filename}:{frame.lineno} {frame.name} {frame.locals}" for frame in ours)


async def walked(iterator: Any) -> None:
    async for _ in iterator:
        pass


async def entered(manager: Any) -> None:
    async with manager:
        pass


async def awaited(it: Any) -> None:
    await it


POLICY = tenacity.retry(stop=tenacity.stop_after_attempt(2), reraise=True)
WAYS: dict[str, Callable[..., Any]] = {
    "function": lambda **o: bridge(refuse, **o)(SECRET, password=SECRET),
    "partial": lambda **o: bridge(functools.partial(refuse, SECRET, password=SECRET), **o)(),
    "bound method": lambda **o: bridge(Corp().login, **o)("anna", SECRET, password=SECRET),
    "object": lambda **o: bridge(Corp(), **o).login("anna", SECRET, password=SECRET),
    "call": lambda **o: bridge(Corp(), **o)("anna", SECRET, password=SECRET),
    "face": lambda **o: Face(Corp(), **o).login("anna", SECRET, password=SECRET),
    "wrong arguments": lambda **o: bridge(Corp(), **o).narrow(SECRET, password=SECRET),
    "not made": lambda **o: bridge(Corp, **o)().login(SECRET),
    "construction": lambda **o: awaited(bridge(Corp, **o)(SECRET, password=SECRET)),
    "entering": lambda **o: entered(bridge(Corp, **o)(SECRET, password=SECRET)),
    "class method": lambda **o: bridge(Corp, **o).make(SECRET, password=SECRET),
    "generator": lambda **o: walked(bridge(generate, **o)(SECRET, password=SECRET)),
    "generator of an object": lambda **o: walked(bridge(Corp(), **o).addresses(SECRET, password=SECRET)),
    "generator of a face": lambda **o: walked(Face(Corp(), **o).addresses(SECRET, password=SECRET)),
    "generator with wrong arguments": lambda **o: walked(bridge(lambda: (yield), **o)(SECRET)),
    "context manager": lambda **o: entered(bridge(session, **o)(SECRET, password=SECRET)),
    "context manager of an object": lambda **o: entered(bridge(Corp(), **o).session(SECRET, password=SECRET)),
    "context manager of a face": lambda **o: entered(Face(Corp(), **o).session(SECRET, password=SECRET)),
    "retried function": lambda **o: bridge(refuse, retry=POLICY, **o)(SECRET, password=SECRET),
    "retried method": lambda **o: bridge(Corp(), retry=POLICY, **o).login(SECRET, password=SECRET),
}


@pytest.mark.parametrize("way", WAYS)
async def test_when_it_raises(way: str, kind: Kind) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        await WAYS[way](executor=kind(1))
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith(("retried", "generator", "not made"))])
async def test_when_the_executor_is_full(way: str) -> None:
    executor = BoundedExecutor(1, max_pending=0)
    async with busy(executor):
        with pytest.raises((ExecutorFull, TypeError)) as caught:
            await WAYS[way](executor=executor)
    assert SECRET not in shown(caught.value)


@pytest.mark.usefixtures("short_grace")
async def test_when_it_is_cancelled() -> None:
    with Gate() as gate:

        def func(*_: object, **__: object) -> None:
            gate()

        for waiting in (bridge(func)(SECRET, password=SECRET), bridge(Slow(gate)).login(SECRET)):
            before = len(gate.entered)
            task = asyncio.ensure_future(waiting)
            await gate.has_entered(before + 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert SECRET not in shown(caught.value)


class Slow:
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def login(self, *_: object) -> None:
        self.gate()


async def test_what_is_sent_to_a_generator() -> None:
    def echo() -> Any:
        yield
        refuse()

    iterator = bridge(echo)()
    await iterator.asend(None)
    with pytest.raises(OSError, match="refused") as caught:
        await iterator.asend(SECRET)
    assert SECRET not in shown(caught.value)


BLOCKING: dict[str, Callable[..., Any]] = {
    "function": lambda: blocking(bridge(refuse))(SECRET, password=SECRET),
    "partial": blocking(bridge(functools.partial(refuse, SECRET, password=SECRET))),
    "object": lambda: blocking(bridge(Corp())).login(SECRET, password=SECRET),
    "call": lambda: blocking(bridge(Corp()))(SECRET, password=SECRET),
    "face": lambda: blocking(Face(Corp())).login(SECRET, password=SECRET),
    "wrong arguments": lambda: blocking(bridge(Corp())).narrow(SECRET, password=SECRET),
    "generator": lambda: list(blocking(bridge(generate))(SECRET, password=SECRET)),
    "generator of an object": lambda: list(blocking(bridge(Corp())).addresses(SECRET, password=SECRET)),
    "generator with wrong arguments": lambda: list(blocking(bridge(lambda: (yield)))(SECRET)),
    "context manager": lambda: blocking(bridge(session))(SECRET, password=SECRET).__enter__(),
    "context manager of an object": lambda: blocking(bridge(Corp())).session(SECRET, password=SECRET).__enter__(),
}


@pytest.mark.parametrize("way", BLOCKING)
def test_when_it_raises_through_the_synchronous_view(way: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        BLOCKING[way]()
    assert SECRET not in shown(caught.value)


async def test_when_the_synchronous_view_is_called_on_a_loop() -> None:
    for use in (BLOCKING["function"], BLOCKING["object"], BLOCKING["context manager"], BLOCKING["generator"]):
        with pytest.raises(RuntimeError, match="on the thread of a running event loop") as caught:
            use()
        assert SECRET not in shown(caught.value)


def test_no_repr_shows_them() -> None:
    assert SECRET not in repr(bridge(Corp)(SECRET))
    assert SECRET not in repr(blocking(bridge(Corp)(SECRET)))
    assert SECRET not in repr(bridge(session)(SECRET))
    waiting = bridge(Corp()).login(SECRET)
    assert SECRET not in repr(waiting)
    waiting.close()


async def test_no_log_line_shows_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with Gate() as gate:
        task = asyncio.ensure_future(bridge(Slow(gate), on_cancel="abandon").login(SECRET))
        await gate.has_entered()
        await cancelled(task)
    assert SECRET not in caplog.text
    assert "Slow.login" in caplog.text
