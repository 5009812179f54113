"""The table of wrappers: how each is made, and how one message is sent with it once it is bridged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge
from asyncsmtp_bridge.testing import SMTPTestServer

from . import corporate, published


@asynccontextmanager
async def drained(executor: BoundedExecutor) -> AsyncIterator[BoundedExecutor]:
    """Leave an executor when no thread of it runs any more, and do not wait for ever for one that hangs."""
    try:
        yield executor
    finally:
        await executor.aclose(timeout=10)
    assert executor.stats().running == 0


async def _call(function: Any, to: str, body: str) -> None:
    await function(to, body)


async def _send(mailer: Any, to: str, body: str) -> None:
    await mailer.send(to, body)


async def _send_newsletter(newsletter: Any, to: str, body: str) -> None:
    await newsletter.send([to], body)


async def _connect(sender: Any) -> None:
    await sender.connect()


async def _vote(mailer: Any) -> None:
    await mailer.vote(None, None, None)


async def _nothing(_: Any) -> None:
    pass


@dataclass(frozen=True)
class Wrapper:
    """One row.

    Args:
        name: What the test is called.
        make: Makes what is bridged, an object or a function, for a server.
        send: Sends one message with it when it is bridged: to a recipient, with a body.
        around: What callers stand in as they send.
        mend: What its users have to do after a send that failed, with or without the bridge.
        close: Closes what it leaves open.
        thread_local: Whether it keeps things for each thread.
        entered: Whether it is a context manager, and sends within.
    """

    name: str
    make: Callable[[SMTPTestServer], Any]
    send: Callable[[Any, str, str], Awaitable[None]] = _send
    around: Callable[[Any], AbstractContextManager[object]] = nullcontext
    mend: Callable[[Any], Awaitable[None]] = _nothing
    close: Callable[[Any], object] = lambda _: None
    thread_local: bool = False
    entered: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_object(self) -> bool:
        """Whether its calls take turns; those of a function do not."""
        return self.send is not _call

    @asynccontextmanager
    async def bridged(
        self, server: SMTPTestServer, executor: BoundedExecutor | None = None, retry: Any = None
    ) -> AsyncIterator[Any]:
        """Give the wrapper, bridged.

        Args:
            server: Where it sends.
            executor: Where it runs; when this is left, it has no thread any more. Otherwise the default executor.
            retry: A policy.
        """
        made = self.make(server)
        async with AsyncExitStack() as stack:
            stack.callback(self.close, made)
            if executor is not None:
                await stack.enter_async_context(drained(executor))
            stack.callback(server.hang_up)  # so that no thread is left behind in a test that fails
            stack.enter_context(self.around(made))
            face = bridge(made, executor=executor, retry=retry)
            yield await stack.enter_async_context(face) if self.entered else face


def _corporate(wrapper: Callable[[str, int], Any]) -> Callable[[SMTPTestServer], Any]:
    return lambda server: wrapper(server.host, server.port)


def _make_notify(server: SMTPTestServer) -> Callable[[str, str], None]:
    def notify(to: str, body: str) -> None:
        with corporate.CorpSession(server.host, server.port) as session:
            session.send(to, body)

    return notify


WRAPPERS = (
    Wrapper(
        "redmail",
        published.make_redmail,
        published.send_by_redmail,
        mend=_connect,  # closing fails, too, and so it goes on using the connection that is dead
        close=lambda sender: sender.connection and sender.connection.close(),
    ),
    Wrapper(
        "Flask-Mail",
        published.make_flask_mail,
        published.send_by_flask_mail,
        around=lambda mail: mail.app.app_context(),
    ),
    Wrapper(
        "zope.sendmail",
        published.make_zope,
        published.send_by_zope,
        mend=_vote,  # as redmail
        thread_local=True,
    ),
    Wrapper("zope.sendmail in a transaction", published.make_zope_transaction, _call, thread_local=True),
    Wrapper("pyramid_mailer", published.make_pyramid, published.send_by_pyramid),
    Wrapper("pyramid_mailer in a transaction", published.make_pyramid_transaction, _call, thread_local=True),
    Wrapper(
        "SMTPHandler.handle",
        published.make_handler,
        published.handle_by_handler,
        close=lambda handler: handler.close(),
    ),
    Wrapper(
        "SMTPHandler.emit",
        published.make_handler,
        published.emit_by_handler,
        close=lambda handler: handler.close(),
    ),
    Wrapper("a shared connection", _corporate(corporate.SharedConnection), close=corporate.SharedConnection.close),
    Wrapper(
        "a shared connection without a lock",
        _corporate(corporate.UnlockedConnection),
        close=corporate.UnlockedConnection.close,
    ),
    Wrapper(
        "a connection per thread",
        _corporate(corporate.ConnectionPerThread),
        close=corporate.ConnectionPerThread.close,
        thread_local=True,
    ),
    Wrapper("a session that retries", _corporate(corporate.CorpSession), entered=True),
    Wrapper("a session that retries in a function", _make_notify, _call),
    Wrapper("a newsletter", _corporate(corporate.Newsletter), _send_newsletter),
    Wrapper("a report", _corporate(corporate.Report)),
    Wrapper("a bare except", _corporate(corporate.Stubborn)),
)

each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS, ids=str)
