"""Classes that make their objects in other ways, and those of smtplib."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any, ClassVar

from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL, bridge
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.hop.gate import Gate


class TestUnusualClasses:
    async def test_one_object_for_all_has_one_lane(self) -> None:
        class Singleton:
            it: ClassVar[Any] = None

            def __new__(cls) -> Singleton:
                if cls.it is None:
                    cls.it = super().__new__(cls)
                return cls.it  # type: ignore[no-any-return]

            def send(self, gate: Gate) -> None:
                gate()

        one, other = await bridge(Singleton)(), await bridge(Singleton)()
        assert one.__wrapped__ is other.__wrapped__
        with Gate() as used:
            calls = [asyncio.ensure_future(it.send(used)) for it in (one, other, bridge(one.__wrapped__))]
            await used.has_entered()
            used.open()
            await asyncio.gather(*calls)
        assert used.peak == 1

    async def test_a_metaclass_that_makes_the_object_is_asked(self) -> None:
        class Registry(type):
            def __call__(cls, *args: Any) -> Any:
                made = super().__call__(*args)
                made.registered = True
                return made

        class Mailer(metaclass=Registry):
            def send(self) -> str:
                return "sent"

        mailer = await bridge(Mailer)()
        assert mailer.registered
        assert await mailer.send() == "sent"

    async def test_a_metaclass_that_lists_names_that_are_not_there_does_no_harm(self) -> None:
        class Listing(type):
            def __dir__(cls) -> list[str]:
                return [*super().__dir__(), "ghost"]

        class Mailer(metaclass=Listing):
            def send(self) -> str:
                return "sent"

        assert await bridge(Mailer()).send() == "sent"

    async def test_what_new_returns_counts(self) -> None:
        class Backend:
            def send(self) -> str:
                return "sent"

            def __enter__(self) -> Backend:
                return self

            def __exit__(self, *_: object) -> None: ...

        class Mailer:
            def __new__(cls) -> Any:
                return Backend()

        assert await (await bridge(Mailer)()).send() == "sent"


class TestSMTPlib:
    async def test_its_classes_give_the_mirrors(self) -> None:
        assert isinstance(bridge(smtplib.SMTP)(), AsyncSMTP)
        assert isinstance(bridge(smtplib.SMTP_SSL)("localhost"), AsyncSMTP_SSL)
        assert isinstance(bridge(smtplib.LMTP)("localhost"), AsyncLMTP)

    async def test_a_subclass_is_made_by_the_mirror(self) -> None:
        class Corp(smtplib.SMTP):
            def __init__(self, settings: dict[str, Any]) -> None:
                super().__init__(settings["host"], settings["port"])

        with SMTPTestServer() as server:
            async with bridge(Corp)({"host": server.host, "port": server.port}) as smtp:
                assert isinstance(smtp, AsyncSMTP)
                assert isinstance(smtp.__wrapped__, Corp)
                await smtp.sendmail("anna@example.org", "bert@example.org", "x")
            assert len(server.messages) == 1

    async def test_a_session_gives_the_mirror_of_it(self) -> None:
        with SMTPTestServer() as server:
            session = smtplib.SMTP(server.host, server.port)
            smtp = bridge(session)
            assert isinstance(smtp, AsyncSMTP)
            assert smtp.__wrapped__ is session
            assert (await smtp.noop())[0] == 250
            await smtp.quit()
