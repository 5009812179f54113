"""What Python itself does with a proxy: call, measure, iterate, show, copy."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import pydoc
import smtplib
import weakref
from enum import Enum
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, bridge

from .corp import CorpMailer, Transport


@pytest.fixture
def mailer() -> CorpMailer:
    return CorpMailer()


@pytest.fixture
def proxy(mailer: CorpMailer) -> Any:
    return bridge(mailer)


class TestPythonsOwn:
    async def test_it_is_called(self, proxy: Any) -> None:
        assert await proxy("bert") == "called bert"

    async def test_it_is_measured_searched_and_iterated(self, mailer: CorpMailer, proxy: Any) -> None:
        assert len(proxy) == 0
        assert not proxy
        mailer.sent.append("bert")
        assert proxy
        assert "bert" in proxy
        assert [to async for to in proxy] == ["bert"]

    def test_what_the_object_cannot_do_it_cannot(self) -> None:
        proxy: Any = bridge(Transport())
        assert not callable(proxy)
        assert proxy
        for use in (len, iter, lambda it: "x" in it, lambda it: it["x"]):
            with pytest.raises(TypeError):
                use(proxy)

    def test_it_says_what_it_is(self, proxy: Any) -> None:
        assert repr(proxy) == "<AsyncCorpMailer of <CorpMailer>>"
        assert isinstance(proxy, AsyncBridge)
        assert proxy.__wrapped__.__class__ is CorpMailer

    async def test_awaiting_it_gives_it(self, proxy: Any) -> None:
        assert await proxy is proxy

    def test_dir_lists_what_the_object_has(self, mailer: CorpMailer, proxy: Any) -> None:
        mailer.late = 1  # type: ignore[attr-defined]
        assert {"send", "transport", "late", "limit", "Refused"} <= set(dir(proxy))
        assert "_secret" not in dir(proxy)

    def test_help_shows_methods_with_their_parameters(self, proxy: Any) -> None:
        text = pydoc.render_doc(proxy, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
        assert "The mailer of the corporation." in text
        assert "async send(self, to: 'str', *, copies: 'int' = 1) -> 'str'" in text
        assert "Send it." in text
        assert "How many." in text

    def test_help_shows_a_single_method(self, proxy: Any) -> None:
        assert "Whom to." in pydoc.render_doc(proxy.send, renderer=pydoc.plaintext)  # type: ignore[attr-defined]

    def test_its_members_can_be_looked_through(self, proxy: Any) -> None:
        with pytest.raises(smtplib.SMTPServerDisconnected):  # as those of the object
            inspect.getmembers(proxy)
        assert {"connect", "where"} <= dict(inspect.getmembers(bridge(Transport()))).keys()

    def test_it_can_be_a_key_and_is_equal_to_itself_alone(self, mailer: CorpMailer) -> None:
        class Equal(CorpMailer):
            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                raise AssertionError("never asked")

        proxy = bridge(Equal())
        assert {proxy: 1}[proxy] == 1
        assert proxy == proxy  # noqa: PLR0124
        assert proxy != bridge(mailer)

    async def test_a_copy_is_a_bridge_of_the_same_object(self, mailer: CorpMailer, proxy: Any) -> None:
        assert copy.copy(proxy).__wrapped__ is mailer
        assert await copy.copy(proxy).send("bert") == "to bert"

    def test_it_is_not_pickled(self, proxy: Any) -> None:
        with pytest.raises((pickle.PicklingError, TypeError, AttributeError), match="pickle"):
            pickle.dumps(proxy)
        with pytest.raises(TypeError, match="pickle"):
            copy.deepcopy(proxy)

    async def test_a_copied_class_makes_objects(self) -> None:
        assert await (await copy.copy(bridge(CorpMailer))()).send("bert") == "to bert"


class TestUnusualObjects:
    async def test_one_with_slots(self) -> None:
        class Slotted:
            __slots__ = ("name",)

            def greet(self) -> str:
                return "hello " + self.name

        proxy: Any = bridge(Slotted())
        assert not hasattr(proxy, "name")
        proxy.__wrapped__.name = "anna"
        proxy.name = "bert"
        assert await proxy.greet() == "hello bert"

    async def test_a_member_of_an_enum(self) -> None:
        class Server(Enum):
            MAIN = "mx"

            def ping(self) -> str:
                return "ping " + str(self.value)

        proxy: Any = bridge(Server.MAIN)
        assert proxy.value == "mx"
        assert await proxy.ping() == "ping mx"

    async def test_a_generator(self) -> None:
        assert [number async for number in bridge(number for number in range(2))] == [0, 1]

    async def test_a_class_that_got_a_method_later(self) -> None:
        class Late: ...

        bridge(Late())
        Late.send = lambda self, to: "to " + to  # type: ignore[attr-defined]
        late: Any = bridge(Late())
        assert await late.send("bert") == "to bert"

    def test_a_class_is_not_kept_alive(self) -> None:
        class Short:
            def send(self) -> object:
                return self

            @property
            def limit(self) -> int:
                return 1

        gone = weakref.ref(Short)
        bridge(Short, passthrough=("send",))
        bridge(Short())
        del Short
        gc.collect()
        assert gone() is None
