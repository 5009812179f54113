"""Objects of other people that could make a bridge stumble, and what it keeps for itself."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import BoundedExecutor, blocking, bridge, configure
from asyncsmtp_bridge import lane as lanes
from asyncsmtp_bridge.lane import lane_of


class Application:
    """Can be called, and is much more than that, like those of web frameworks."""

    def __init__(self) -> None:
        self.config = {"MAIL_SERVER": "mx"}

    def __call__(self) -> str:
        return "called"


class Extension:
    def __init__(self) -> None:
        self.app = Application()

    def send(self) -> str:
        return "sent"


def test_an_attribute_that_can_be_called_among_other_things_is_itself() -> None:
    extension = Extension()
    assert bridge(extension).app is extension.app
    assert bridge(extension).app.config["MAIL_SERVER"] == "mx"


async def test_a_mock_with_the_spec_of_a_class_is_awaited() -> None:
    spec = mock.create_autospec(Extension, instance=True)
    spec.send.return_value = "mocked"
    assert await bridge(spec).send() == "mocked"
    spec.send.assert_called_once_with()


def test_an_attribute_of_the_class_that_fails_when_it_is_looked_at_is_not_looked_at() -> None:
    import tenacity

    assert tenacity.retry

    class Unbound:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("working outside of application context")

    class Mailer:
        app = Unbound()

    assert bridge(Mailer())


class Session:
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[int]:
        yield 1

    async def send(self) -> str:
        return "sent"


async def test_an_async_context_manager_is_passed_through() -> None:
    async with bridge(Session()).transaction() as number:
        assert number == 1
    assert bridge(Session.transaction) is Session.transaction


async def test_an_object_that_is_entered_on_the_loop_already_is_passed_through() -> None:
    class Pool:
        async def __aenter__(self) -> Pool:
            return self

        async def __aexit__(self, *_: object) -> None:
            self.left = True

    pool = Pool()
    async with bridge(pool) as entered:
        assert entered.__wrapped__ is pool
    assert pool.left


def test_what_can_only_be_awaited_is_not_called_through_the_blocking_view() -> None:
    with pytest.raises(TypeError, match="can be awaited"):
        blocking(bridge(Session())).send()


@pytest.mark.parametrize(
    "target", [EmailMessage(), ValueError("x"), BoundedExecutor(1)], ids=lambda it: type(it).__name__
)
def test_what_blocks_nowhere_is_refused(target: Any) -> None:
    with pytest.raises(TypeError, match="that blocks"):
        bridge(target)


def test_what_is_bridged_is_not_bridged_on_other_terms() -> None:
    proxy = bridge(Extension())
    assert bridge(proxy) is proxy
    with pytest.raises(TypeError, match="bridged already"):
        bridge(proxy, on_cancel="wait")


@pytest.mark.parametrize("option", ["passthrough", "nested", "awaitable"])
def test_names_of_the_proxys_own_are_refused(option: str) -> None:
    with pytest.raises(TypeError, match="the proxy's own"):
        bridge(Extension(), **{option: ("_lane",)})


def test_a_view_has_no_private_names() -> None:
    view = blocking(bridge(Extension()))
    with pytest.raises(AttributeError, match="underscore"):
        view._lane = None  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="underscore"):
        _ = view._lane  # type: ignore[attr-defined]


def test_an_attribute_of_what_is_not_made_yet_is_not_written_to_nobody() -> None:
    with pytest.raises(RuntimeError, match="is not made yet"):
        bridge(Extension)().debug = True


async def test_an_attribute_that_is_new_is_that_of_the_object() -> None:
    extension = Extension()
    bridge(extension).token = "x"
    assert extension.token == "x"  # type: ignore[attr-defined]
    del bridge(extension).token
    assert not hasattr(extension, "token")


class Reading:
    def __init__(self) -> None:
        self._status = "up"

    @property
    def status(self) -> str:
        return self._status

    @status.setter
    def status(self, value: str) -> None:
        self._status = value


async def test_a_property_that_is_awaited_can_be_set() -> None:
    proxy = bridge(Reading(), awaitable=("status",))
    proxy.status = "down"
    assert await proxy.status == "down"


class Slotted:
    __slots__ = ("__weakref__", "value")


class Unreferenced:
    __slots__ = ()


@pytest.mark.parametrize("inner", [Slotted, Unreferenced])
async def test_what_was_reached_through_an_object_is_not_kept(inner: type) -> None:
    alive = 0

    class Pool:
        def get(self) -> Any:
            return inner()

    proxy = bridge(Pool(), nested=("get",))
    for _ in range(100):
        await proxy.get()
    gc.collect()
    alive = sum(type(each) is inner for each in gc.get_objects())
    assert alive <= 1
    assert len(lanes._lanes) < 100


async def test_the_arguments_of_an_object_are_let_go_when_it_is_made() -> None:
    class Secret:
        pass

    class Mailer:
        def __init__(self, secret: Secret) -> None:
            pass

    secret = Secret()
    gone = weakref.ref(secret)
    mailer = await bridge(Mailer)(secret)
    del secret
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None
    assert mailer


def test_a_lane_that_is_forgotten_as_another_thread_asks_for_one_takes_nothing_with_it() -> None:
    """The last one who had it lets go; before that is noticed, somebody else has got a new one."""
    target = Extension()
    interval = sys.getswitchinterval()
    stop = threading.Event()
    differing: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            first, second = lane_of(target), lane_of(target)
            if first is not second:
                differing.append(1)
            del first, second

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        stop.wait(0.5)
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert differing == []


async def test_awaiting_an_object_from_within_its_own_call_is_refused() -> None:
    class Mailer:
        def send(self) -> Any:
            return asyncio.run(bridge(self, executor=BoundedExecutor(1)).check())

        def check(self) -> str:
            raise AssertionError

    with pytest.raises(RuntimeError, match="from within a call on the same object"):
        await bridge(Mailer()).send()


async def test_a_cancelled_consumer_waits_one_grace_for_the_end() -> None:
    configure(cancel_grace=0.2)
    release = threading.Event()

    class Slow:
        def __enter__(self) -> Slow:
            return self

        def __exit__(self, *_: object) -> None:
            release.wait(20)

    entered = asyncio.Event()

    async def use() -> None:
        async with bridge(Slow()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(use())
    await entered.wait()
    ended: list[None] = []
    wait = asyncio.wait

    async def counting(*args: Any, **kwargs: Any) -> Any:
        try:
            return await wait(*args, **kwargs)
        finally:
            ended.append(None)

    with mock.patch.object(asyncio, "wait", counting):
        task.cancel()
        await wait({task})
        assert len(ended) == 1  # and not a second one, for the abort, which goes on by itself
    assert task.cancelled()
    release.set()


def test_what_is_thrown_away_with_its_loop_is_left_all_the_same() -> None:
    left = threading.Event()

    class Entered:
        def __enter__(self) -> Entered:
            return self

        def __exit__(self, *_: object) -> None:
            left.set()

    executor = BoundedExecutor(1)

    async def use() -> None:
        async with bridge(Entered(), executor=executor):
            await asyncio.Event().wait()

    coroutine = use()
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)

    async def until_entered() -> None:
        while not executor.stats().done:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)

    loop.run_until_complete(until_entered())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    coroutine.close()
    assert left.wait(20)


def test_a_decorator_takes_options() -> None:
    @bridge(calls="serial")
    def send(to: str) -> str:
        return to

    assert asyncio.run(send("bert")) == "bert"


async def test_a_policy_decorates_a_method_once() -> None:
    decorated: list[str] = []

    def policy(call: Any) -> Any:
        decorated.append(call.__name__)
        return call

    proxy = bridge(Extension(), retry=policy)
    for _ in range(3):
        await proxy.send()
    assert decorated.count("send") == 1


async def test_two_tasks_in_one_proxy_leave_each_their_own() -> None:
    import contextvars

    current: contextvars.ContextVar[str] = contextvars.ContextVar("current")

    class Tracing:
        def __init__(self) -> None:
            self.tokens: dict[str, Any] = {}

        def __enter__(self) -> Tracing:
            self.tokens[name.get()] = current.set("x")
            return self

        def __exit__(self, *_: object) -> None:
            current.reset(self.tokens[name.get()])  # ValueError in another context

    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    proxy = bridge(Tracing())
    inside, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        name.set("first")
        async with proxy:
            inside.set()
            await leave.wait()

    async def second() -> None:
        name.set("second")
        await inside.wait()
        async with proxy:
            leave.set()
            await one

    one = asyncio.ensure_future(first())
    await asyncio.gather(one, second())
