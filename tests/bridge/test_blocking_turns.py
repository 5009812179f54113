"""Calls through `blocking()` have their turn among those that are awaited."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, ExecutorFull, blocking, bridge
from asyncsmtp_bridge.testing import SMTPTestServer
from tests.hop.gate import in_thread

from .conftest import Kind
from .legacy import CorpMailer, full


@pytest.fixture
def mailer() -> Any:
    mailer = CorpMailer()
    with mailer.gate:
        yield mailer


@pytest.fixture
def view(kind: Kind, mailer: CorpMailer) -> Any:
    return blocking(bridge(mailer, executor=kind(2)))


class TestTurns:
    def test_threads_have_their_turn_among_the_tasks(self, kind: Kind, mailer: CorpMailer) -> None:
        executor = kind(4)
        proxy: Any = bridge(mailer, executor=executor)
        mailer.gate.open()

        def work() -> None:
            for _ in range(50):
                blocking(bridge(mailer, executor=executor)).wait()

        async def tasks() -> None:
            await asyncio.gather(*(proxy.wait() for _ in range(50)))

        with in_thread(work), in_thread(work), in_thread(lambda: asyncio.run(tasks())):
            work()
        assert len(mailer.gate.entered) == 200
        assert mailer.gate.peak == 1

    def test_a_call_within_a_call_of_the_same_object_runs_at_once(self, mailer: CorpMailer, view: Any) -> None:
        mailer.view = view
        assert view.nest("bert") == "to bert"

    async def test_so_it_does_within_one_that_is_awaited(self, kind: Kind, mailer: CorpMailer) -> None:
        proxy: Any = bridge(mailer, executor=kind(1))
        mailer.view = blocking(proxy)
        assert await asyncio.wait_for(proxy.nest("bert"), 10) == "to bert"

    def test_a_call_of_another_object_within_a_call_would_wait_for_its_own_thread(self, kind: Kind) -> None:
        executor = kind(1)
        one, other = CorpMailer(), CorpMailer()
        one.view = blocking(bridge(other, executor=executor))
        with pytest.raises(RuntimeError, match="from one of its own threads"):
            blocking(bridge(one, executor=executor)).nest("bert")

    def test_on_another_executor_it_does_not(self, kind: Kind) -> None:
        one, other = CorpMailer(), CorpMailer()
        one.view = blocking(bridge(other, executor=kind(1)))
        assert blocking(bridge(one, executor=kind(1))).nest("bert") == "to bert"

    async def test_on_the_thread_of_a_loop_it_is_refused(self, view: Any) -> None:
        for use in (lambda: view.send("bert"), lambda: list(view), view.__enter__, view.session().__enter__):
            with pytest.raises(RuntimeError, match="on the thread of a running event loop, which it would block"):
                use()

    async def test_in_a_thread_beside_the_loop_it_is_not(self, view: Any) -> None:
        assert await asyncio.to_thread(view.send, "bert") == "to bert"

    def test_a_full_executor_refuses(self, mailer: CorpMailer) -> None:
        executor = BoundedExecutor(1, max_pending=0)
        with full(executor), pytest.raises(ExecutorFull):
            blocking(bridge(mailer, executor=executor)).send("bert")


class TestMirrors:
    def test_it_sends(self, kind: Kind) -> None:
        with SMTPTestServer() as server:
            smtp = AsyncSMTP.from_sync(smtplib.SMTP(server.host, server.port), executor=kind(1))
            with blocking(smtp) as session:
                assert session.sendmail("anna@example.org", "bert@example.org", "x") == {}
                assert session.has_extn("size")
                session.timeout = 7
            assert smtp.__wrapped__.timeout == 7
            assert len(server.messages) == 1
            assert server.commands[-1] == "quit".upper() or server.commands[-1].lower() == "quit"

    def test_it_connects_as_the_mirror_does(self, kind: Kind) -> None:
        with SMTPTestServer(tls="starttls") as server:
            session: Any = blocking(bridge(smtplib.SMTP(), executor=kind(1)))
            session.connect("localhost", server.port)
            session.starttls(context=server.client_context)
            assert session.noop()[0] == 250
            session.quit()
