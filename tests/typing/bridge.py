"""What users write with `bridge`, `async_method` and `blocking`, as type checkers see it.

Checked, not run. A mark that is no longer needed is an error, too.
"""

from __future__ import annotations

import functools
import smtplib
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, overload

import tenacity
from typing_extensions import assert_type

from asyncsmtp_bridge import (
    AsyncBridge,
    AsyncLMTP,
    AsyncSMTP,
    AsyncSMTP_SSL,
    BoundedExecutor,
    async_method,
    blocking,
    bridge,
)


class Transport:
    def connect(self) -> int:
        raise NotImplementedError


class CorpMailer:
    prefix: str = ""
    transport: Transport

    def __init__(self, host: str, *, port: int = 25) -> None: ...

    def send(self, to: str, *, subject: str) -> str:
        raise NotImplementedError

    def addresses(self, group: str) -> Iterator[str]:
        raise NotImplementedError

    @contextmanager
    def session(self, user: str) -> Iterator[Transport]:
        raise NotImplementedError

    @property
    def status(self) -> int:
        raise NotImplementedError

    @classmethod
    def from_url(cls, url: str) -> CorpMailer:
        raise NotImplementedError

    @overload
    def verify(self, to: str) -> bool: ...
    @overload
    def verify(self, to: list[str]) -> list[bool]: ...
    def verify(self, to: str | list[str]) -> bool | list[bool]:
        raise NotImplementedError


def send(to: str, text: str, *, urgent: bool = False) -> int:
    raise NotImplementedError


def addresses(group: str) -> Iterator[str]:
    raise NotImplementedError


@contextmanager
def session(user: str) -> Iterator[smtplib.SMTP]:
    raise NotImplementedError


async def migrated(to: str) -> bytes:
    raise NotImplementedError


async def a_function() -> None:
    bridged = bridge(send, executor=BoundedExecutor(4), calls="serial", on_cancel="wait", retry=tenacity.retry)
    assert_type(await bridged("bert@example.org", "x", urgent=True), int)
    bridged("bert@example.org", "x")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    await bridged("bert@example.org")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await bridged(1, "x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await bridged("bert@example.org", "x", prio=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    text: str = await bridged("bert@example.org", "x")  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    assert text
    assert_type(await bridge(functools.partial(send, "bert@example.org"))("x"), int)
    assert_type(await bridge(len)("x"), int)
    assert_type(await bridge(lambda: 1)(), int)


async def a_bound_method(mailer: CorpMailer) -> None:
    assert_type(await bridge(mailer.send)("bert@example.org", subject="x"), str)
    await bridge(mailer.send)("bert@example.org")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    assert_type(await bridge(CorpMailer.from_url)("smtp://mail"), CorpMailer)
    verify = bridge(mailer.verify)
    assert_type(await verify("bert@example.org"), bool)
    assert_type(await verify(["bert@example.org"]), list[bool])
    await verify(1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


async def a_coroutine_function() -> None:
    assert_type(await bridge(migrated)("bert@example.org"), bytes)


async def a_generator(mailer: CorpMailer) -> None:
    assert_type(bridge(addresses)("staff"), AsyncGenerator[str, Any])
    async for address in bridge(mailer.addresses)("staff"):
        assert_type(address, str)
    async for _ in bridge(addresses)():  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        pass


async def a_context_manager(mailer: CorpMailer) -> None:
    assert_type(bridge(session)("anna"), AbstractAsyncContextManager[smtplib.SMTP])
    async with bridge(mailer.session)("anna") as transport:
        assert_type(transport, Transport)
    with bridge(session)("anna"):  # type: ignore[attr-defined] # pyright: ignore[reportGeneralTypeIssues]
        pass


async def a_class() -> None:
    mailer = await bridge(CorpMailer, nested=("transport",), passthrough=("close",), awaitable=["status"])("mail")
    assert_type(mailer.__wrapped__, CorpMailer)
    async with bridge(CorpMailer)("mail", port=587) as entered:
        await entered.send("bert@example.org", subject="x")
    await (await bridge(CorpMailer).from_url("smtp://mail")).send("x", subject="x")


async def an_object(mailer: CorpMailer) -> None:
    proxy = bridge(mailer, calls="concurrent", on_cancel="abandon")
    assert_type(proxy.__wrapped__, CorpMailer)
    await proxy.send("bert@example.org", subject="x")
    proxy.prefix = "x"
    async for _ in proxy:
        pass
    with proxy:  # type: ignore[attr-defined] # pyright: ignore[reportGeneralTypeIssues]
        pass


async def sessions(smtp: smtplib.SMTP, ssl: smtplib.SMTP_SSL, lmtp: smtplib.LMTP) -> None:
    assert_type(bridge(smtp), AsyncSMTP)
    assert_type(bridge(ssl), AsyncSMTP_SSL)
    assert_type(bridge(lmtp), AsyncLMTP)
    assert_type(await bridge(smtplib.SMTP)("mail.example.org", 587), AsyncSMTP)
    assert_type(await bridge(smtplib.SMTP_SSL)("mail.example.org"), AsyncSMTP_SSL)
    assert_type(await bridge(smtplib.LMTP)("/run/lmtp.sock"), AsyncLMTP)


async def wrong_options(mailer: CorpMailer) -> None:
    bridge(mailer, calls="parallel")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    bridge(mailer, on_cancel="kill")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    bridge(mailer, executor=4)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    bridge(mailer, nested=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    bridge(mailer, retries=3)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


class HalfMigrated:
    @bridge
    def send(self, to: str, *, subject: str = "") -> str:
        raise NotImplementedError

    @bridge
    def addresses(self, group: str) -> Iterator[str]:
        raise NotImplementedError

    @bridge
    @contextmanager
    def session(self, user: str) -> Iterator[Transport]:
        raise NotImplementedError

    @property
    @bridge
    def status(self) -> int:
        raise NotImplementedError

    @classmethod
    @bridge
    def from_url(cls, url: str) -> HalfMigrated:
        raise NotImplementedError

    @staticmethod
    @bridge
    def version(of: str) -> str:
        raise NotImplementedError


async def a_decorator(mailer: HalfMigrated) -> None:
    assert_type(await mailer.send("bert@example.org", subject="x"), str)
    await mailer.send()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    mailer.send("bert@example.org")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    async for address in mailer.addresses("staff"):
        assert_type(address, str)
    async with mailer.session("anna") as transport:
        assert_type(transport, Transport)
    assert_type(await mailer.status, int)
    assert_type(await HalfMigrated.from_url("smtp://mail"), HalfMigrated)
    assert_type(await HalfMigrated.version("mail"), str)


class AsyncCorpMailer(AsyncBridge[CorpMailer]):
    send = async_method(CorpMailer.send)
    addresses = async_method(CorpMailer.addresses)
    session = async_method(CorpMailer.session)
    status = async_method(CorpMailer.status)


async def a_face(legacy: CorpMailer) -> None:
    mailer = AsyncCorpMailer(legacy, calls="serial", on_cancel="abort", retry=tenacity.retry)
    assert_type(await mailer.send("bert@example.org", subject="x"), str)
    mailer.send("bert@example.org", subject="x")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    await mailer.send(1, subject="x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    number: int = await mailer.send("x", subject="x")  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    assert number
    async for address in mailer.addresses("staff"):
        assert_type(address, str)
    await mailer.addresses("staff")  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues]
    async with mailer.session("anna") as transport:
        assert_type(transport, Transport)
    async with mailer.session():  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        pass
    await mailer.no_such()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    AsyncCorpMailer(smtplib.SMTP())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def synchronous_views(mailer: AsyncCorpMailer, smtp: AsyncSMTP, legacy: CorpMailer) -> None:
    assert_type(blocking(mailer), CorpMailer)
    assert_type(blocking(mailer).send("bert@example.org", subject="x"), str)
    assert_type(blocking(bridge(legacy)), CorpMailer)
    assert_type(blocking(smtp), smtplib.SMTP)
    assert_type(blocking(bridge(send))("bert@example.org", "x"), int)
    with blocking(bridge(session))("anna") as entered:
        assert_type(entered, smtplib.SMTP)
    for address in blocking(bridge(addresses))("staff"):
        assert_type(address, str)
    blocking(bridge(send))("bert@example.org")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    blocking(legacy)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
