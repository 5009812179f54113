"""An object becomes a proxy: what is called is awaited, what is looked at is looked at."""

from __future__ import annotations

import functools
import inspect
import smtplib
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import bridge

from .corp import CorpMailer, Transport


@pytest.fixture
def mailer() -> CorpMailer:
    return CorpMailer()


@pytest.fixture
def proxy(mailer: CorpMailer) -> Any:
    return bridge(mailer)


class TestMethods:
    async def test_they_are_awaited(self, mailer: CorpMailer, proxy: Any) -> None:
        assert await proxy.send("bert", copies=2) == "to bert"
        assert mailer.sent == ["bert", "bert"]

    async def test_those_without_self_are_awaited_too(self, proxy: Any) -> None:
        assert await proxy.static("bert") == "static bert"
        assert await proxy.klass("bert") == "CorpMailerbert"

    async def test_what_is_awaited_already_stays_so(self, proxy: Any) -> None:
        assert await proxy.migrated() == "awaited"

    async def test_unusual_ones_are_awaited(self) -> None:
        class Odd:
            def send(self, to: str, text: str) -> str:
                return to + text

            hello = functools.partialmethod(send, text=" hello")

            @functools.lru_cache  # noqa: B019 - people do
            def cached(self, x: int) -> int:
                return x

            @functools.singledispatchmethod
            def by_type(self, x: int) -> str:
                return type(x).__name__

        odd: Any = bridge(Odd())
        assert await odd.hello("bert") == "bert hello"
        assert await odd.cached(1) == 1
        assert await odd.by_type(1) == "int"

    async def test_those_that_are_set_on_the_object_alone_are_awaited(self, mailer: CorpMailer, proxy: Any) -> None:
        mailer.hook = lambda to: "hook " + to  # type: ignore[attr-defined]
        assert await proxy.hook("bert") == "hook bert"

    async def test_those_of_an_object_that_answers_to_any_name_are_awaited(self) -> None:
        class Remote:
            def __getattr__(self, name: str) -> Any:
                return lambda *args: (name, *args)

        remote: Any = bridge(Remote())
        assert await remote.deliver("bert") == ("deliver", "bert")

    async def test_those_that_a_subclass_overrides_run(self) -> None:
        class Loud(CorpMailer):
            def send(self, to: str, *, copies: int = 1) -> str:
                return super().send(to, copies=copies).upper()

        assert await bridge(Loud()).send("bert") == "TO BERT"

    def test_they_have_signature_and_documentation(self, proxy: Any) -> None:
        assert str(inspect.signature(proxy.send)) == "(to: 'str', *, copies: 'int' = 1) -> 'str'"
        assert str(inspect.signature(proxy.static)) == "(to: 'str') -> 'str'"
        assert str(inspect.signature(proxy.klass)) == "(to: 'str') -> 'str'"
        assert proxy.send.__doc__ == CorpMailer.send.__doc__
        assert (proxy.send.__name__, proxy.send.__qualname__) == ("send", "AsyncCorpMailer.send")
        assert inspect.iscoroutinefunction(proxy.send)


class TestAttributes:
    def test_they_are_read(self, proxy: Any) -> None:
        assert (proxy.prefix, proxy.debug, proxy.limit) == ("to ", False, 7)
        assert proxy.Refused is CorpMailer.Refused
        assert isinstance(proxy.transport, Transport)

    async def test_they_are_written(self, mailer: CorpMailer, proxy: Any) -> None:
        proxy.prefix = "for "
        proxy.debug = True
        assert vars(mailer)["prefix"] == "for "
        assert mailer.debug is True
        assert await proxy.send("bert") == "for bert"

    def test_they_are_changed_in_place(self, mailer: CorpMailer, proxy: Any) -> None:
        proxy.prefix += "Mr "
        proxy.sent.append("anna")
        assert (mailer.prefix, mailer.sent) == ("to Mr ", ["anna"])

    def test_they_are_deleted(self, mailer: CorpMailer, proxy: Any) -> None:
        del proxy.debug
        assert not hasattr(mailer, "debug")
        with pytest.raises(AttributeError):
            del proxy.debug

    def test_those_that_are_not_there_say_so(self, proxy: Any) -> None:
        assert not hasattr(proxy, "no_such")
        assert getattr(proxy, "no_such", 5) == 5
        with pytest.raises(AttributeError, match="'CorpMailer' object has no attribute 'no_such'"):
            _ = proxy.no_such

    def test_private_ones_are_not_the_objects(self, proxy: Any) -> None:
        assert not hasattr(proxy, "_secret")
        assert proxy.__wrapped__._secret == "own"

    def test_a_property_that_raises_raises(self, proxy: Any) -> None:
        with pytest.raises(smtplib.SMTPServerDisconnected, match="gone"):
            _ = proxy.broken

    def test_a_property_that_cannot_be_set_says_so(self, proxy: Any) -> None:
        with pytest.raises(AttributeError):
            proxy.limit = 8

    def test_a_cached_property_is_read(self, mailer: CorpMailer, proxy: Any) -> None:
        assert proxy.banner == "220 " + threading.current_thread().name
        assert proxy.banner is mailer.banner

    def test_one_that_can_be_called_and_more_keeps_the_rest(self, mailer: CorpMailer, proxy: Any) -> None:
        class Formatter:
            style = "plain"

            def __call__(self, text: str) -> str:
                return text

        mailer.formatter = Formatter()  # type: ignore[attr-defined]
        assert proxy.formatter.style == "plain"
