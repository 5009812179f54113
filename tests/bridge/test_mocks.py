"""What users' tests replace by mocks stays awaitable, wherever they put it."""

from __future__ import annotations

import inspect
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from asyncsmtp_bridge import bridge


class CorpMailer:
    def __init__(self) -> None:
        self.timeout = 30
        self.transport: Any = "transport"

    def send(self, to: str) -> str:
        return "to " + to

    def addresses(self) -> Iterator[str]:
        yield "anna"

    @contextmanager
    def session(self) -> Iterator[str]:
        yield "session"


@pytest.fixture
def mailer() -> CorpMailer:
    return CorpMailer()


@pytest.fixture
def proxy(mailer: CorpMailer) -> Any:
    return bridge(mailer)


class TestOnTheObject:
    @pytest.mark.parametrize("double", [mock.Mock, mock.MagicMock, mock.AsyncMock])
    async def test_a_method_replaced_is_awaited(self, double: Any, mailer: CorpMailer, proxy: Any) -> None:
        replaced = mailer.send = double(return_value="mocked")  # type: ignore[method-assign]
        assert await proxy.send("bert") == "mocked"
        replaced.assert_called_once_with("bert")

    async def test_patched_it_is_awaited_and_afterwards_the_real_one(self, mailer: CorpMailer, proxy: Any) -> None:
        gone = smtplib.SMTPServerDisconnected("mocked")
        with mock.patch.object(mailer, "send", side_effect=gone), pytest.raises(type(gone), match="mocked"):
            await proxy.send("bert")
        assert await proxy.send("bert") == "to bert"

    @pytest.mark.parametrize("double", [mock.Mock, mock.MagicMock, mock.AsyncMock])
    async def test_what_was_no_method_is_awaited(self, double: Any, mailer: CorpMailer, proxy: Any) -> None:
        mailer.deliver = double(return_value="mocked")  # type: ignore[attr-defined]
        assert await proxy.deliver("bert") == "mocked"

    def test_an_attribute_replaced_by_a_mock_has_its_attributes(self, mailer: CorpMailer, proxy: Any) -> None:
        mailer.transport = mock.Mock(host="mx")
        assert proxy.transport.host == "mx"

    async def test_a_nested_object_replaced_by_a_mock_is_bridged(self, mailer: CorpMailer) -> None:
        mailer.transport = mock.Mock()
        mailer.transport.connect.return_value = "mocked"
        assert await bridge(mailer, nested=("transport",)).transport.connect() == "mocked"

    @pytest.mark.parametrize("items", [["anna"], ("anna",), iter(["anna"])], ids=["list", "tuple", "iterator"])
    async def test_a_generator_replaced_is_iterated(self, items: Any, mailer: CorpMailer, proxy: Any) -> None:
        mailer.addresses = mock.Mock(return_value=items)  # type: ignore[method-assign]
        assert [to async for to in proxy.addresses()] == ["anna"]

    async def test_a_context_manager_replaced_is_entered(self, mailer: CorpMailer, proxy: Any) -> None:
        mailer.session = mock.MagicMock()  # type: ignore[method-assign]
        mailer.session.return_value.__enter__.return_value = "mocked"
        async with proxy.session() as session:
            assert session == "mocked"
        mailer.session.return_value.__exit__.assert_called_once()


class TestOnTheClass:
    @pytest.mark.parametrize("options", [{}, {"autospec": True}, {"new_callable": mock.AsyncMock}])
    async def test_a_method_patched_is_awaited(self, options: Any, proxy: Any) -> None:
        with mock.patch.object(CorpMailer, "send", **options) as replaced:
            replaced.return_value = "mocked"
            assert await proxy.send("bert") == "mocked"
            assert await bridge(CorpMailer()).send("bert") == "mocked"
        assert await proxy.send("bert") == "to bert"
        assert await bridge(CorpMailer()).send("bert") == "to bert"

    @pytest.mark.parametrize("options", [{}, {"autospec": True}, {"new": lambda self: ["mocked"]}])
    async def test_the_first_bridge_in_a_patch_does_not_decide_for_later_ones(self, options: Any) -> None:
        class Fresh(CorpMailer):
            def addresses(self) -> Iterator[str]:
                yield "bert"

        with mock.patch.object(Fresh, "addresses", **options):
            bridge(Fresh())
        proxy: Any = bridge(Fresh())
        assert inspect.isasyncgenfunction(proxy.addresses)
        assert [to async for to in proxy.addresses()] == ["bert"]


class TestOnTheProxy:
    async def test_a_method_patched_is_awaited(self, proxy: Any) -> None:
        with mock.patch.object(proxy, "send", return_value="mocked") as replaced:
            assert await proxy.send("bert") == "mocked"
            replaced.assert_awaited_once_with("bert")
        assert await proxy.send("bert") == "to bert"

    async def test_a_method_patched_on_its_class_is_awaited(self, proxy: Any) -> None:
        with mock.patch.object(type(proxy), "send", return_value="mocked"):
            assert await proxy.send("bert") == "mocked"
        assert await proxy.send("bert") == "to bert"

    async def test_a_method_replaced_by_an_async_mock_is_awaited(self, proxy: Any) -> None:
        proxy.send = mock.AsyncMock(return_value="mocked")
        assert await proxy.send("bert") == "mocked"
        del proxy.send
        assert await proxy.send("bert") == "to bert"

    async def test_a_method_replaced_by_a_mock_is_awaited(self, proxy: Any) -> None:
        proxy.send = mock.Mock(return_value="mocked")
        assert await proxy.send("bert") == "mocked"

    def test_an_attribute_patched_is_afterwards_as_before(self, mailer: CorpMailer, proxy: Any) -> None:
        with mock.patch.object(proxy, "timeout", 5):
            assert mailer.timeout == 5
        assert mailer.timeout == 30
        assert proxy.timeout == 30


class TestMocksBridged:
    async def test_its_methods_are_awaited(self) -> None:
        double = mock.Mock(spec=CorpMailer)
        double.send.return_value = "mocked"
        assert await bridge(double).send("bert") == "mocked"
        double.send.assert_called_once_with("bert")
        with pytest.raises(AttributeError, match="no_such"):
            _ = bridge(double).no_such

    async def test_it_is_called(self) -> None:
        double = mock.Mock(return_value="mocked")
        assert await bridge(double)("bert") == "mocked"

    async def test_it_is_entered_and_iterated(self) -> None:
        double = mock.MagicMock()
        double.__enter__.return_value = "mocked"
        double.__iter__.return_value = iter([1])
        async with bridge(double) as entered:
            assert entered == "mocked"
        assert [number async for number in bridge(double)] == [1]

    async def test_an_autospec_of_a_class_is_awaited(self) -> None:
        double = mock.create_autospec(CorpMailer, instance=True)
        double.send.return_value = "mocked"
        proxy: Any = bridge(double)
        assert await proxy.send("bert") == "mocked"
        with pytest.raises(TypeError, match="unexpected"):
            await proxy.send("bert", odd=1)

    async def test_the_proxy_itself_can_be_specified(self) -> None:
        double = mock.create_autospec(bridge(CorpMailer()), instance=True)
        double.send.return_value = "mocked"
        assert await double.send("bert") == "mocked"
        with pytest.raises(TypeError):
            double.send()
