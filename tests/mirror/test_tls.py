"""Where no context is given, the server must prove its name; the error for one that does not says what to do."""

from __future__ import annotations

import asyncio
import functools
import smtplib
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from asyncsmtp_bridge import AsyncSMTP, AsyncSMTP_SSL, configure
from asyncsmtp_bridge.watch import shut_down_socket
from tests.servers import ScriptedServer, Server, Talk, smtp_server


@pytest.fixture
def implicit(server_tls: ssl.SSLContext) -> Iterator[Server]:
    with smtp_server(tls=server_tls) as server:
        yield server


@pytest.fixture
def offering(server_tls: ssl.SSLContext) -> Iterator[Server]:
    with smtp_server(tls_context=server_tls) as server:
        yield server


def advice(error: BaseException) -> bool:
    text = str(error)
    return "smtplib would have accepted" in text and "context=" in text and "configure(tls_context=" in text


async def test_implicit_tls_verifies_and_says_how_to_trust(implicit: Server) -> None:
    smtplib.SMTP_SSL("localhost", implicit.port).quit()  # takes anything
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await AsyncSMTP_SSL("localhost", implicit.port)
    assert advice(caught.value)
    assert caught.value.verify_code == 20


async def test_starttls_verifies_and_says_how_to_trust(offering: Server) -> None:
    async with AsyncSMTP("localhost", offering.port) as smtp:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await smtp.starttls()
    assert advice(caught.value)


@pytest.mark.parametrize("use", ["at once", "deferred", "host:port", "deferred host:port"])
async def test_implicit_tls_works_with_a_context_however_one_connects(
    implicit: Server, trusting: ssl.SSLContext, use: str
) -> None:
    port = implicit.port
    if use == "at once":
        smtp = await AsyncSMTP_SSL("localhost", port, context=trusting)
    elif use == "host:port":
        smtp = await AsyncSMTP_SSL(f"localhost:{port}", context=trusting)
    else:
        smtp = AsyncSMTP_SSL(context=trusting)
        await (smtp.connect("localhost", port) if use == "deferred" else smtp.connect(f"localhost:{port}"))
    assert await smtp.sendmail("anna@example.org", "bert@example.org", "x") == {}
    assert isinstance(smtp.sock, ssl.SSLSocket)
    assert smtp.sock.context is trusting is smtp.context
    await smtp.quit()


@pytest.mark.parametrize(
    "connect",
    [
        lambda smtp, port: smtp.connect("localhost", port),
        lambda smtp, port: smtp.connect(f"localhost:{port}"),
        lambda smtp, port: smtp.connect(host="localhost", port=port),
    ],
)
async def test_starttls_works_after_a_deferred_connect(
    offering: Server, trusting: ssl.SSLContext, connect: Callable[[AsyncSMTP, int], Any]
) -> None:
    smtp = AsyncSMTP()
    await connect(smtp, offering.port)
    assert (await smtp.starttls(context=trusting))[0] == 220
    assert await smtp.sendmail("anna@example.org", "bert@example.org", "x") == {}
    await smtp.quit()


async def test_starttls_works_after_host_and_port_in_one(offering: Server, trusting: ssl.SSLContext) -> None:
    async with AsyncSMTP(f"localhost:{offering.port}") as smtp:
        assert (await smtp.starttls(context=trusting))[0] == 220
        assert smtp.ehlo_resp is None


async def test_a_name_that_the_certificate_has_not_is_refused(offering: Server, trusting: ssl.SSLContext) -> None:
    async with AsyncSMTP("127.0.0.1", offering.port) as smtp:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await smtp.starttls(context=trusting)
    assert not advice(caught.value)  # who brings a context knows about contexts


async def test_configure_serves_the_whole_process(implicit: Server, offering: Server, authority: trustme.CA) -> None:
    made: list[ssl.SSLContext] = []

    def corporate() -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        made.append(context)
        return context

    configure(tls_context=corporate)
    async with AsyncSMTP_SSL("localhost", implicit.port) as smtp:
        assert smtp.context is made[0]
    async with AsyncSMTP("localhost", offering.port) as smtp:
        await smtp.starttls()
    smtp = AsyncSMTP_SSL()
    await smtp.connect("localhost", implicit.port)
    await smtp.quit()


async def test_a_factory_that_makes_no_context_is_named(implicit: Server) -> None:
    configure(tls_context=lambda: "ca.pem")  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"configure\(tls_context=.*create_default_context"):
        await AsyncSMTP_SSL("localhost", implicit.port)


async def test_a_context_that_accepts_anything_can_be_passed_on_purpose(implicit: Server) -> None:
    anything = ssl._create_unverified_context()
    async with AsyncSMTP_SSL("localhost", implicit.port, context=anything) as smtp:
        assert (await smtp.noop())[0] == 250


async def test_a_deferred_connection_without_a_context_verifies_too(implicit: Server) -> None:
    smtp = AsyncSMTP_SSL()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await smtp.connect("localhost", implicit.port)
    assert advice(caught.value)


async def test_an_own_subclass_gets_the_verifying_context_where_it_takes_one(implicit: Server) -> None:
    class CorpSSL(smtplib.SMTP_SSL):
        pass

    with pytest.raises(ssl.SSLCertVerificationError):
        await AsyncSMTP("localhost", implicit.port, smtp_class=CorpSSL)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="smtplib takes no certfile any more")
async def test_a_client_certificate_in_the_old_way_does_not_switch_verification_off(
    implicit: Server, offering: Server, authority: trustme.CA, tmp_path: Path
) -> None:
    certificate = tmp_path / "client.pem"
    authority.issue_cert("client.example.org").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    kwargs: dict[str, Any] = {"certfile": str(certificate), "keyfile": str(certificate)}
    with pytest.raises(ssl.SSLCertVerificationError):
        await AsyncSMTP_SSL("localhost", implicit.port, **kwargs)
    async with AsyncSMTP("localhost", offering.port) as smtp:
        with pytest.raises(ssl.SSLCertVerificationError):
            await smtp.starttls(*kwargs.values())


class Keywords(smtplib.SMTP_SSL):
    """The most common way to write a subclass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class Fixed(smtplib.SMTP_SSL):
    """Takes no context, and so trusts anybody, as smtplib does."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)


@pytest.mark.parametrize("make", [Keywords, functools.partial(smtplib.SMTP_SSL, timeout=5)])
async def test_what_hands_a_context_on_is_given_one(implicit: Server, make: Any) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await AsyncSMTP("localhost", implicit.port, smtp_class=make)
    assert advice(caught.value)


def factory(host: str, port: int) -> smtplib.SMTP_SSL:
    return smtplib.SMTP_SSL(host, port)


@pytest.mark.parametrize("make", [Fixed, factory])
async def test_what_trusts_anybody_by_itself_is_named_in_the_log(
    implicit: Server, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncSMTP("localhost", implicit.port, smtp_class=make):
        pass
    assert "without verifying the server's certificate" in caplog.text


async def test_an_adopted_session_that_trusts_anybody_is_named_in_the_log(
    implicit: Server, caplog: pytest.LogCaptureFixture
) -> None:
    smtp = AsyncSMTP_SSL.from_sync(smtplib.SMTP_SSL(local_hostname="client.example.org"))
    await smtp.connect("localhost", implicit.port)
    await smtp.quit()
    assert "SMTP_SSL connected over TLS without verifying" in caplog.text


async def test_a_verified_connection_is_not_worth_a_warning(
    implicit: Server, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncSMTP_SSL("localhost", implicit.port, context=trusting):
        pass
    anything = ssl._create_unverified_context()
    async with AsyncSMTP_SSL("localhost", implicit.port, context=anything):
        pass
    assert caplog.text == ""


async def test_who_weakens_the_context_of_one_connection_weakens_no_other(implicit: Server) -> None:
    careless = AsyncSMTP_SSL()
    await asyncio.gather(careless.connect("localhost", implicit.port), return_exceptions=True)
    careless.context.check_hostname = False
    careless.context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLCertVerificationError):
        await AsyncSMTP_SSL("localhost", implicit.port)


async def test_the_trust_store_is_read_once(implicit: Server) -> None:
    first, second = AsyncSMTP_SSL(), AsyncSMTP_SSL()
    for smtp in (first, second):
        await asyncio.gather(smtp.connect("localhost", implicit.port), return_exceptions=True)
    assert first.context is second.context


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="smtplib takes no positional context any more")
async def test_positional_arguments_of_the_old_way_work(implicit: Server, trusting: ssl.SSLContext) -> None:
    args: tuple[Any, ...] = ("localhost", implicit.port, None, None, None, 5, None, trusting)
    async with AsyncSMTP_SSL(*args) as smtp:
        assert smtp.timeout == 5


@pytest.mark.parametrize("in_one", [True, False])
async def test_an_adopted_session_is_secured_for_the_name_that_it_was_connected_to(
    offering: Server, trusting: ssl.SSLContext, in_one: bool
) -> None:
    plain = smtplib.SMTP(f"localhost:{offering.port}") if in_one else smtplib.SMTP("localhost", offering.port)
    async with AsyncSMTP.from_sync(plain) as smtp:
        assert (await smtp.starttls(context=trusting))[0] == 220


async def test_an_adopted_session_of_which_the_name_is_not_known_says_so(offering: Server) -> None:
    plain = smtplib.SMTP(local_hostname="client.example.org")
    plain.connect("localhost", offering.port)
    async with AsyncSMTP.from_sync(plain) as smtp:
        with pytest.raises(ValueError, match="server's name is not known"):
            await smtp.starttls()


async def test_ending_a_connection_does_not_drop_its_encryption(implicit: Server, trusting: ssl.SSLContext) -> None:
    smtp = await AsyncSMTP_SSL("localhost", implicit.port, context=trusting)
    assert isinstance(smtp.sock, ssl.SSLSocket)
    shut_down_socket(smtp.sock)
    assert smtp.sock.version() is not None  # what is written now still goes out encrypted, or not at all
    await smtp.close()


async def test_cancelling_over_tls_frees_the_thread(server_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    def script(talk: Talk) -> None:
        talk.connection = server_tls.wrap_socket(talk.connection, server_side=True)
        talk._file = talk.connection.makefile("rb")
        talk.say("220 ready")
        talk.expect("NOOP")
        asked.set()
        talk.wait_for_the_end()

    asked = threading.Event()
    with ScriptedServer(script) as server:
        smtp = await AsyncSMTP_SSL("localhost", server.port, context=trusting)
        call = asyncio.ensure_future(smtp.noop())
        while not asked.is_set():
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await smtp.noop()
