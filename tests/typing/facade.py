"""What users write with faces that are made and entered, as type checkers see it.

Checked, not run. A mark that is no longer needed is an error, too.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

from typing_extensions import Self, assert_type

from asyncsmtp_bridge import AsyncBridge, async_method, bridge


class CorpMailer:
    def __init__(self, host: str, *, port: int = 25) -> None: ...

    @classmethod
    def from_url(cls, url: str) -> CorpMailer:
        raise NotImplementedError

    @classmethod
    def local(cls) -> Self:
        raise NotImplementedError

    @classmethod
    def limit(cls, user: str) -> int:
        raise NotImplementedError

    @staticmethod
    def version() -> str:
        raise NotImplementedError

    def send(self, to: str) -> int:
        raise NotImplementedError

    def legacy(self, to, copies=1):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def rows(self) -> Generator[int, None, None]:
        raise NotImplementedError

    async def fetch(self, to: str) -> bytes:
        raise NotImplementedError

    @functools.cached_property
    def banner(self) -> str:
        raise NotImplementedError


class AsyncCorpMailer(AsyncBridge[CorpMailer]):
    host: str
    fetch: Callable[..., Coroutine[Any, Any, bytes]]

    create = async_method.factory(CorpMailer)
    from_url = async_method.factory(CorpMailer.from_url)
    local = async_method.factory(CorpMailer.local)
    limit = staticmethod(bridge(CorpMailer.limit))
    version = staticmethod(bridge(CorpMailer.version))
    send = async_method(CorpMailer.send)
    legacy = async_method(CorpMailer.legacy)
    rows = async_method(CorpMailer.rows)
    banner = async_method(CorpMailer.banner)


class OwnMailer(AsyncCorpMailer):
    """One's own."""


class Entering(AsyncCorpMailer):
    async def __aenter__(self) -> Any:
        return await super().__aenter__()


async def made_together_with_the_object() -> None:
    mailer = await AsyncCorpMailer.create("mail.example.org", port=587)
    assert_type(mailer, AsyncCorpMailer)
    assert_type(await AsyncCorpMailer.from_url("smtp://mail.example.org"), AsyncCorpMailer)
    assert_type(await mailer.local(), AsyncCorpMailer)
    assert_type(await OwnMailer.create("mail.example.org"), OwnMailer)
    AsyncCorpMailer.create("mail")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    await AsyncCorpMailer.create()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await AsyncCorpMailer.create(25)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    async_method.factory(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def entered(mailer: OwnMailer) -> int:
    async with mailer as same:
        assert_type(same, OwnMailer)
        return await same.send("bert@example.org")  # nothing is swallowed, so nothing is missing below


async def methods_of_the_class(mailer: AsyncCorpMailer) -> None:
    assert_type(await AsyncCorpMailer.version(), str)
    assert_type(await mailer.limit("anna"), int)
    await mailer.limit(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def members_of_other_kinds(mailer: AsyncCorpMailer) -> None:
    await mailer.legacy("bert@example.org")
    mailer.legacy("bert@example.org")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    async for row in mailer.rows():
        assert_type(row, int)
    assert_type(mailer.rows(), AsyncGenerator[int, Any])
    assert_type(await mailer.banner(), str)
    assert_type(await mailer.fetch("bert@example.org"), bytes)
    assert_type(mailer.host, str)
    mailer.host = 25  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
