"""What users write with the faces of the table, as type checkers see it.

Checked next to the faces, in a folder of their own (test_types.py), and not run. A mark that is no longer needed is an
error, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from email.message import EmailMessage
from typing import Any

from generic import AsyncArchive
from generic_bound import AsyncTextArchive
from given import AsyncBroker
from keywords import AsyncMailer
from legacy import AsyncLegacyMailer
from lookup import AsyncVerifier
from lookup_generic import AsyncDirectory
from migrated import AsyncHalfMigrated
from odd import AsyncOdd
from odd_inner import AsyncInner
from outbox import AsyncOutbox
from reminders import AsyncReminderMailer
from reminders_queue import AsyncListQueue
from sessions import AsyncSession
from typing_extensions import assert_type

from tests.migrate.facade.corp.base import Failure
from tests.migrate.facade.corp.given import Broker
from tests.migrate.facade.corp.odd import Outer
from tests.migrate.facade.corp.outbox import Outbox


async def legacy() -> None:
    mailer = await AsyncLegacyMailer.create("mail.example.org", port=25)
    assert_type(mailer, AsyncLegacyMailer)
    mailer.send("bert@example.org", "Hi")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    await mailer.send("bert@example.org", "Hi", "carl@example.org", urgent=True)
    await mailer.send()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    async for address in mailer.addresses("staff"):
        print(address)
    async with mailer.transaction() as number:
        print(number)
    assert_type(await AsyncLegacyMailer.from_url("smtp://mail.example.org:25"), AsyncLegacyMailer)
    await AsyncLegacyMailer.version()
    assert_type(mailer.prefix, str)
    mailer.prefix = 1  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
    print(mailer.nothing)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]


async def a_dataclass(message: EmailMessage) -> None:
    outbox = await AsyncOutbox.create("mail.example.org", port=587)
    assert_type(outbox.port, int)
    assert_type(outbox.failed, list[Failure])
    assert_type(outbox.waiting, list[EmailMessage])
    assert_type(await outbox.put(message, urgent=True), int)
    assert_type(outbox.__wrapped__, Outbox)
    await AsyncOutbox.create(port="587")  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]


async def inherited(mailer: AsyncReminderMailer, message: EmailMessage) -> None:
    assert_type(await mailer.remind("bert@example.org", days=2), int)
    assert_type(await mailer.send(message), list[Failure])
    assert_type(await mailer.audit(message), str)
    assert_type(mailer.host, str)
    assert_type(mailer.last, Failure | None)
    assert_type((await AsyncListQueue.create()).size, int)


async def overloads_and_generics(verifier: AsyncVerifier, directory: AsyncDirectory) -> None:
    assert_type(await verifier.verify("bert@example.org"), bool)
    assert_type(await directory.count(), int)
    directory.handlers["x"]("text")


async def sessions() -> None:
    async with await AsyncSession.local(25) as session:
        assert_type(session, AsyncSession)
        assert_type(await session.send("bert@example.org", "x"), dict[str, tuple[int, bytes]])
        assert_type(session.lines("x"), AsyncGenerator[str, Any])
        assert_type(session.numbers(3), AsyncGenerator[int, Any])
        assert_type(session.words("x"), AsyncGenerator[str, Any])
        assert_type(session.transaction("x"), AbstractAsyncContextManager[bytes])
        async with session.paused() as one:
            assert_type(one, int)
        assert_type(list(await session.listed()), list[int])
        status: object = await session.status()
        print(status)
        assert_type(await session.extensions(), dict[str, str])
        assert_type(session.encoding, str)
        session.encoding = "ascii"
        assert_type(session.age, float)


async def half_migrated(mailer: AsyncHalfMigrated) -> None:
    assert_type(await mailer.fetch(1), str)
    async for number in mailer.rows():
        assert_type(number, int)
    assert_type(await mailer.send("bert@example.org"), int)
    async for address in mailer.addresses():
        assert_type(address, str)
    assert_type(await mailer.counted("x"), int)
    await mailer.noted("x")
    assert_type(await AsyncHalfMigrated.find("x"), str)


async def keywords() -> None:
    mailer = await AsyncMailer.create("mail.example.org", anything=1)
    assert_type(await mailer.send("bert@example.org", reply_to="x"), int)
    await mailer.send("bert@example.org", reply_to=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(await mailer.anything(1, x=2), str)
    async with mailer.session(limit=1) as session:
        assert_type(session, str)
    number: int = await mailer.first([1])
    print(number)


async def odd() -> None:
    one = await AsyncOdd.make()
    assert_type(await one.create("x"), int)
    assert_type(await one.list(), list[str])
    assert_type(one.date.year, int)
    assert_type(await one.bridge("x"), str)
    assert_type(await one.staticmethod(1), int)
    inner = await AsyncInner.alone()
    assert_type(inner, AsyncInner)
    assert_type(await inner.send("x"), Outer.Inner.Refused | None)
    try:
        await inner.send("x")
    except AsyncInner.Refused as error:
        print(error)


async def given(broker: AsyncBroker) -> None:
    one: Broker = await broker.itself()
    print(one)
    assert_type(await AsyncBroker(await broker.again()).size(), int)
    async with broker.batch() as batch:
        assert_type(batch, Broker)
    assert_type(await (await AsyncBroker.made()).size(), int)


async def generic(archive: AsyncArchive, texts: AsyncTextArchive) -> None:
    assert_type(await archive.add("x"), int)
    assert_type(await texts.add("x"), int)
    assert_type(await texts.opened("x"), str)


class AsyncOwnMailer(AsyncReminderMailer):
    """A face of one's own."""


async def a_subclass() -> None:
    assert_type(await AsyncOwnMailer.create("mail.example.org", 25), AsyncOwnMailer)
