"""The ways to begin, the ways to leave, and what is said of a session that was never awaited."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor
from tests.servers import ScriptedServer, Server, Talk


class CorpSMTP(smtplib.SMTP):
    """As an organisation has one: with arguments and methods of its own."""

    made_in: threading.Thread

    def __init__(self, settings: dict[str, Any]) -> None:
        self.made_in = threading.current_thread()
        self.entered = 0
        super().__init__(settings["host"], settings["port"])

    def __enter__(self) -> CorpSMTP:
        self.entered += 1
        return self

    def ping(self, word: str) -> tuple[int, bytes, threading.Thread]:
        return (*self.docmd("NOOP", word), threading.current_thread())


async def test_async_with_connects_and_says_goodbye(server: Server) -> None:
    smtp = AsyncSMTP("127.0.0.1", server.port)
    async with smtp as same:
        assert same is smtp
        assert repr(smtp) == "<AsyncSMTP 127.0.0.1, connected>"
        assert (await smtp.noop())[0] == 250
    assert repr(smtp) == "<AsyncSMTP 127.0.0.1, not connected>"


async def test_awaiting_connects_once(server: Server) -> None:
    smtp = AsyncSMTP("127.0.0.1", server.port)
    assert await smtp is smtp
    session = smtp.__wrapped__
    assert (await smtp).__wrapped__ is session
    async with smtp:
        assert smtp.__wrapped__ is session


async def test_two_tasks_that_await_the_same_mirror_get_one_connection(server: Server) -> None:
    smtp = AsyncSMTP("127.0.0.1", server.port)
    first, second = await asyncio.gather(smtp, smtp)
    assert first.__wrapped__ is second.__wrapped__
    await smtp.quit()


async def test_without_a_host_connect_connects(server: Server) -> None:
    smtp = AsyncSMTP()
    assert repr(smtp) == "<AsyncSMTP without host, not connected>"
    assert (await smtp.connect("127.0.0.1", server.port))[0] == 220
    await smtp.quit()


async def test_what_is_set_before_connecting_is_set_on_the_session(server: Server) -> None:
    smtp = AsyncSMTP()
    smtp.set_debuglevel(0)
    smtp.timeout = 7.0
    smtp.source_address = ("127.0.0.1", 0)
    assert (smtp.debuglevel, smtp.timeout, smtp.default_port) == (0, 7.0, 25)
    await smtp.connect("127.0.0.1", server.port)
    assert smtp.__wrapped__.timeout == 7.0
    assert smtp.sock is not None
    assert smtp.sock.gettimeout() == 7.0
    await smtp.quit()


async def test_what_cannot_be_known_before_connecting_is_asked_for_later() -> None:
    with pytest.raises(RuntimeError, match=r"await smtp\.connect"):
        _ = AsyncSMTP().local_hostname


async def test_before_connect_a_command_fails_as_in_smtplib() -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected, match="please run connect"):
        await AsyncSMTP().noop()


@pytest.mark.parametrize("use", [lambda smtp: smtp.noop(), lambda smtp: smtp.sendmail("a@example.org", [], "")])
async def test_a_call_on_a_session_that_was_never_awaited_says_what_to_write(use: Any) -> None:
    with pytest.raises(RuntimeError, match=r"never awaited.*smtp = await AsyncSMTP"):
        await use(AsyncSMTP("127.0.0.1", 1))


def test_a_look_at_a_session_that_was_never_awaited_says_what_to_write() -> None:
    smtp = AsyncSMTP("mail.example.org")
    with pytest.raises(RuntimeError, match=r"AsyncSMTP\('mail.example.org'\) was never awaited"):
        smtp.has_extn("size")
    with pytest.raises(RuntimeError, match="never awaited"):
        smtp.timeout = 3
    with pytest.raises(RuntimeError, match="never awaited"):
        _ = smtp.__wrapped__
    assert repr(smtp) == "<AsyncSMTP mail.example.org, not connected>"


def test_a_with_that_was_not_migrated_is_told_what_to_write() -> None:
    smtp = AsyncSMTP("mail.example.org")
    with pytest.raises(TypeError, match=r"async with AsyncSMTP\(\.\.\.\) as smtp:"), smtp:  # type: ignore[attr-defined]
        raise AssertionError


def test_arguments_that_smtplib_does_not_take_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="username"):
        AsyncSMTP("mail.example.org", username="anna")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="executor= takes a BoundedExecutor"):
        AsyncSMTP("mail.example.org", executor=8)  # type: ignore[call-overload]


async def test_everything_runs_in_workers_and_nothing_on_the_event_loop(server: Server) -> None:
    settings = {"host": "127.0.0.1", "port": server.port}
    async with AsyncSMTP(settings, smtp_class=CorpSMTP) as smtp:
        session = smtp.__wrapped__
        assert isinstance(session, CorpSMTP)
        assert session.made_in is not threading.current_thread()
        assert session.entered == 1


async def test_methods_of_an_own_class_are_awaitable_too(server: Server) -> None:
    async with AsyncSMTP({"host": "127.0.0.1", "port": server.port}, smtp_class=CorpSMTP) as smtp:
        face: Any = smtp
        code, _, thread = await face.ping("hello")
        assert code == 250
        assert thread is not threading.current_thread()
        assert face.entered == 1
        face.entered = 5
        assert smtp.__wrapped__.entered == 5  # type: ignore[attr-defined]
        assert "ping" in dir(smtp)
        with pytest.raises(AttributeError):
            face.pong  # noqa: B018


@pytest.mark.parametrize("wrong", [str, AsyncSMTP, "smtplib.SMTP"])
def test_smtp_class_must_be_a_session(wrong: Any) -> None:
    with pytest.raises(TypeError, match="smtp_class= takes a subclass"):
        AsyncSMTP(smtp_class=wrong)


async def test_a_connected_session_can_be_adopted(server: Server) -> None:
    existing = smtplib.SMTP("127.0.0.1", server.port)
    smtp = AsyncSMTP.from_sync(existing)
    assert smtp.__wrapped__ is existing
    assert (await smtp.noop())[0] == 250
    async with smtp:
        pass
    assert existing.sock is None


def test_only_a_session_can_be_adopted() -> None:
    with pytest.raises(TypeError, match="from_sync"):
        AsyncSMTP.from_sync("127.0.0.1")  # type: ignore[arg-type]


async def test_a_subclass_with_a_synchronous_method_is_refused_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"sendmail must be 'async def'.*smtp_class="):

        class Legacy(AsyncSMTP):
            def sendmail(self, *args: Any, **kwargs: Any) -> Any:
                raise AssertionError


async def test_a_subclass_with_an_async_method_is_welcome(server: Server) -> None:
    class Tagged(AsyncSMTP):
        async def noop(self) -> tuple[int, bytes]:  # type: ignore[override]
            code, text = await super().noop()
            return code, b"tagged " + text

        def label(self) -> str:
            return "mine"

    async with Tagged("127.0.0.1", server.port) as smtp:
        assert (await smtp.noop())[1].startswith(b"tagged ")
        assert smtp.label() == "mine"


async def test_leaving_by_an_exception_closes_without_quit() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.wait_for_the_end()

    with ScriptedServer(script) as server:
        smtp = AsyncSMTP("127.0.0.1", server.port)
        with pytest.raises(KeyError):
            async with smtp:
                raise KeyError
        assert smtp.sock is None
    assert server.received == []


async def test_a_quit_that_is_refused_is_told_as_smtplib_tells_it() -> None:
    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("QUIT")
        talk.say("421 busy")
        talk.wait_for_the_end()

    with ScriptedServer(script) as server, pytest.raises(smtplib.SMTPResponseException, match="421"):
        async with AsyncSMTP("127.0.0.1", server.port):
            pass


async def test_a_quit_waits_for_ten_seconds_at_most() -> None:
    limits: list[float | None] = []

    class Watched(smtplib.SMTP):
        def docmd(self, cmd: str, args: str = "") -> tuple[int, bytes]:
            assert self.sock is not None
            limits.append(self.sock.gettimeout())
            return super().docmd(cmd, args)

    def script(talk: Talk) -> None:
        talk.say("220 ready")
        talk.expect("QUIT")
        talk.say("221 bye")

    with ScriptedServer(script) as server:
        for timeout in (None, 60, 2):
            async with AsyncSMTP("127.0.0.1", server.port, timeout=timeout, smtp_class=Watched):
                pass
    assert limits == [10, 10, 2]


async def test_connecting_again_forgets_the_last_server_and_closes_its_connection(server: Server) -> None:
    smtp = await AsyncSMTP("127.0.0.1", server.port)
    await smtp.ehlo()
    first = smtp.sock
    await smtp.connect("127.0.0.1", server.port)
    assert first is not None
    assert first.fileno() == -1
    assert (smtp.ehlo_resp, smtp.esmtp_features, smtp.does_esmtp) == (None, {}, False)
    assert await smtp.sendmail("anna@example.org", "bert@example.org", "x") == {}
    await smtp.quit()


async def test_a_closed_executor_does_not_stand_in_the_way_of_an_exception(server: Server) -> None:
    executor = BoundedExecutor(1)
    with pytest.raises(KeyError):
        async with AsyncSMTP("127.0.0.1", server.port, executor=executor) as smtp:
            await executor.aclose()
            raise KeyError
    smtp.__wrapped__.close()
