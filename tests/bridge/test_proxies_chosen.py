"""What is chosen for single members of an object, by their names."""

from __future__ import annotations

import inspect
import smtplib
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, bridge
from asyncsmtp_bridge.testing import SMTPTestServer

from .conftest import Kind
from .corp import CorpMailer, Transport


@pytest.fixture
def mailer() -> CorpMailer:
    return CorpMailer()


@pytest.fixture
def proxy(mailer: CorpMailer) -> Any:
    return bridge(mailer)


class TestAwaitable:
    async def test_a_property_is_read_in_a_worker(self, mailer: CorpMailer) -> None:
        proxy: Any = bridge(mailer, awaitable=("status", "banner"))
        assert await proxy.status == "open"
        assert mailer.asked != [threading.current_thread().name]
        assert threading.current_thread().name not in await proxy.banner
        assert inspect.getdoc(inspect.getattr_static(type(proxy), "status")) == "What the server says."

    async def test_one_that_raises_raises_when_it_is_awaited(self, mailer: CorpMailer) -> None:
        waiting = bridge(mailer, awaitable=("broken",)).broken
        with pytest.raises(smtplib.SMTPServerDisconnected, match="gone"):
            await waiting

    async def test_it_is_read_through_a_class_too(self) -> None:
        assert await (await bridge(CorpMailer, awaitable=("status",))()).status == "open"


class TestPassthrough:
    def test_a_method_stays_synchronous(self, mailer: CorpMailer) -> None:
        proxy: Any = bridge(mailer, passthrough=("is_open", "static"))
        assert proxy.is_open() is True
        assert proxy.static("bert") == "static bert"

    async def test_the_others_do_not(self, mailer: CorpMailer) -> None:
        assert await bridge(mailer, passthrough=["is_open"]).send("bert") == "to bert"

    async def test_two_bridges_of_one_object_may_differ(self, mailer: CorpMailer) -> None:
        assert bridge(mailer, passthrough=("is_open",)).is_open() is True
        assert await bridge(mailer).is_open() is True


class TestNested:
    async def test_an_inner_object_is_bridged(self, kind: Kind, mailer: CorpMailer) -> None:
        proxy: Any = bridge(mailer, nested=("transport",), executor=kind(1))
        assert await proxy.transport.connect() == "connected to mx"
        proxy.transport.host = "mx2"
        assert mailer.transport.host == "mx2"
        assert await proxy.transport.where() != threading.current_thread().name

    async def test_what_a_method_returns_is_bridged(self, mailer: CorpMailer) -> None:
        transport = await bridge(mailer, nested=("get_transport",)).get_transport()
        assert await transport.connect() == "connected to mx"

    async def test_a_method_that_returns_its_object_gives_the_proxy(self, mailer: CorpMailer) -> None:
        proxy: Any = bridge(mailer, nested=("again",))
        assert await (await proxy.again()).send("bert") == "to bert"

    async def test_data_stays_data(self, mailer: CorpMailer) -> None:
        mailer.transport = None  # type: ignore[assignment]
        proxy: Any = bridge(mailer, nested=("transport", "sent", "get_transport"))
        assert proxy.transport is None
        assert proxy.sent is mailer.sent
        assert await proxy.get_transport() is None

    async def test_a_session_of_smtplib_gives_a_mirror(self, mailer: CorpMailer) -> None:
        with SMTPTestServer() as server:
            mailer.transport = smtplib.SMTP(server.host, server.port)  # type: ignore[assignment]
            smtp = bridge(mailer, nested=("transport",)).transport
            assert isinstance(smtp, AsyncSMTP)
            assert (await smtp.noop())[0] == 250
            await smtp.quit()

    def test_an_inner_object_that_is_bridged_by_itself_is_refused(self, mailer: CorpMailer) -> None:
        itself = bridge(mailer.transport)
        proxy: Any = bridge(mailer, nested=("transport",))
        with pytest.raises(RuntimeError, match="bridge it through one of the two only"):
            _ = proxy.transport
        assert itself

    async def test_one_that_is_read_in_a_worker_is_bridged(self) -> None:
        class Lazy:
            @property
            def transport(self) -> Transport:
                return Transport()

        proxy: Any = bridge(Lazy(), nested=("transport",), awaitable=("transport",))
        assert await (await proxy.transport).connect() == "connected to mx"
