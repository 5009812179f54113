"""Sessions that are opened: in every mode, by every class, cancelled at every step, and tried again."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import (
    AsyncLMTP,
    AsyncSMTP,
    AsyncSMTP_SSL,
    BoundedExecutor,
    PipelinedLMTP,
    PipelinedSMTP,
    PipelinedSMTP_SSL,
    SMTPSettings,
    retry_testing,
    retry_transient,
)
from asyncsmtp_bridge.testing import SMTPTestServer, drop, hold, refuse

from .servers import HOST, PASSWORD, USER, settings_for, smtplibs_class

MODES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "starttls": ({"tls": "starttls"}, {"tls": "starttls"}, True),
    "implicit": ({"tls": "implicit"}, {"tls": "implicit"}, True),
    "none": ({}, {"tls": "none", "cleartext_login": True}, False),
    "none, where TLS is offered": ({"tls": "starttls", "auth": None}, {"tls": "none", "username": None}, False),
    "auto, with TLS offered": ({"tls": "starttls"}, {"tls": "auto"}, True),
    "auto, without": ({}, {"tls": "auto", "cleartext_login": True}, False),
    "LMTP": ({"lmtp": True}, {"lmtp": True, "tls": "none", "cleartext_login": True}, False),
    "LMTP with STARTTLS": ({"lmtp": True, "tls": "starttls"}, {"lmtp": True, "tls": "starttls"}, True),
}

MESSAGE = "Subject: Good morning\r\n\r\nAnna\r\n"


class Plain(smtplib.SMTP):
    """Takes less than smtplib's."""

    def __init__(self) -> None:
        super().__init__(timeout=5)
        self.tag = "own"


class Implicit(smtplib.SMTP_SSL):
    """Hands on what it does not know."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag = "own"


class LMTP(smtplib.LMTP):
    """Has no constructor of its own."""

    tag = "own"


class Pipelined(PipelinedSMTP):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag = "own"


class PipelinedImplicit(PipelinedSMTP_SSL):
    tag = "own"


class PipelinedLocal(PipelinedLMTP):
    tag = "own"


def classes_for(settings: SMTPSettings) -> dict[str, Callable[..., smtplib.SMTP] | None]:
    """Return all kinds of classes, and functions, that may be made sessions of."""
    smtplibs = smtplibs_class(settings)
    own, pipelined = {
        smtplib.SMTP: (Plain, Pipelined),
        smtplib.SMTP_SSL: (Implicit, PipelinedImplicit),
        smtplib.LMTP: (LMTP, PipelinedLocal),
    }[smtplibs]
    return {
        "left out": None,
        "smtplib's": smtplibs,
        "own": own,
        "own, pipelined": pipelined,
        "function": _maker(own),
        "function that hands on": _handing_on(pipelined),
    }


def _maker(kind: type[smtplib.SMTP]) -> Callable[[], smtplib.SMTP]:
    def make() -> smtplib.SMTP:
        return kind()

    return make


def _handing_on(kind: type[smtplib.SMTP]) -> Callable[..., smtplib.SMTP]:
    def make(**kwargs: Any) -> smtplib.SMTP:
        return kind(**kwargs)

    return make


CLASSES = ("left out", "smtplib's", "own", "own, pipelined", "function", "function that hands on")


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("mode", MODES)
async def test_a_session_is_open_and_mail_goes_over_it(tmp_path: Path, mode: str, kind: str, way: str) -> None:
    options, fields, is_encrypted = MODES[mode]
    given: dict[str, Any] = {"auth": {USER: PASSWORD}} | options
    with SMTPTestServer(**given) as server:
        settings = settings_for(server, tmp_path, timeout=20, **fields)
        smtp_class = classes_for(settings)[kind]
        if way == "sync":
            session = settings.connect_sync(smtp_class=smtp_class)
            session.sendmail(USER, "bert@example.org", MESSAGE)
        else:
            proxy = await settings.connect(smtp_class=smtp_class)
            session = proxy.__wrapped__
            await proxy.sendmail(USER, "bert@example.org", MESSAGE)
        [message] = server.wait_for_message()
        assert message.session.user == settings.username
        assert (message.session.tls is not None) is is_encrypted
        assert isinstance(session.sock, ssl.SSLSocket) is is_encrypted
        assert session.sock is not None
        assert session.sock.gettimeout() == 20
        assert getattr(session, "tag", None) == (None if kind in ("left out", "smtplib's") else "own")
        session.close()
        server.connected(0).wait(5)


@pytest.mark.parametrize(
    ("fields", "kind", "proxy"),
    [
        ({"tls": "starttls"}, PipelinedSMTP, AsyncSMTP),
        ({"tls": "implicit"}, PipelinedSMTP_SSL, AsyncSMTP_SSL),
        ({"lmtp": True, "tls": "starttls"}, PipelinedLMTP, AsyncLMTP),
    ],
)
async def test_the_class_follows_from_the_settings(
    tmp_path: Path, fields: dict[str, Any], kind: type, proxy: type
) -> None:
    with SMTPTestServer(tls=fields["tls"], lmtp=fields.get("lmtp", False), auth={USER: PASSWORD}) as server:
        async with settings_for(server, tmp_path, **fields).connect() as smtp:
            assert (type(smtp), type(smtp.__wrapped__)) == (proxy, kind)


@pytest.mark.parametrize("kind", ["left out", "smtplib's", "own"])
async def test_a_unix_socket(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lmtp"
    with SMTPTestServer(lmtp=True, unix_socket=path) as server:
        settings = SMTPSettings(unix_socket=path)
        async with settings.connect(smtp_class=classes_for(settings)[kind]) as smtp:
            await smtp.sendmail(USER, "bert@example.org", MESSAGE)
        assert server.wait_for_message()


async def test_leaving_async_with_says_goodbye(tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={USER: PASSWORD}) as server:
        async with settings_for(server, tmp_path, tls="starttls").connect():
            pass
        assert server.commands[-1].upper() == "QUIT"
        await server.connected(0)


async def test_it_runs_in_the_executor_that_is_given(tmp_path: Path) -> None:
    with SMTPTestServer(auth={USER: PASSWORD}) as server:
        async with BoundedExecutor(1) as executor:
            smtp = await settings_for(server, tmp_path, tls="none", cleartext_login=True).connect(executor=executor)
            await smtp.quit()
            assert executor.stats().done >= 2


# Classes that do not fit.


class Connected(smtplib.SMTP):
    """Has a server of its own."""

    port = 0

    def __init__(self) -> None:
        super().__init__(HOST, self.port)


UNFIT: list[tuple[dict[str, Any], Any, str]] = [
    ({"tls": "implicit"}, smtplib.SMTP, "is for implicit TLS, and <class 'smtplib.SMTP'> is no subclass of"),
    ({"tls": "none"}, smtplib.SMTP_SSL, "is not for implicit TLS, and <class 'smtplib.SMTP_SSL'> is a subclass of"),
    ({"tls": "none", "lmtp": True}, smtplib.SMTP, "is for LMTP, and <class 'smtplib.SMTP'> is no subclass of"),
    ({"tls": "none"}, smtplib.LMTP, "is not for LMTP, and <class 'smtplib.LMTP'> is a subclass of smtplib.LMTP"),
    ({"tls": "none", "deadline": 9}, smtplib.SMTP, "knows no deadline=; a subclass of PipelinedSMTP does"),
    ({}, int, "smtp_class= takes a subclass of smtplib.SMTP, or a function that makes one, not <class 'int'>"),
    ({}, "SMTP", "smtp_class= takes a subclass of smtplib.SMTP, or a function that makes one, not 'SMTP'"),
    ({}, lambda: None, "returned no smtplib.SMTP, but a NoneType"),
    ({"tls": "implicit"}, _maker(smtplib.SMTP), "is no subclass of smtplib.SMTP_SSL"),
]


@pytest.mark.parametrize(("fields", "unfit", "text"), UNFIT)
def test_a_class_that_does_not_fit_is_refused_before_anything_is_connected(
    fields: dict[str, Any], unfit: Any, text: str
) -> None:
    with SMTPTestServer() as server:
        with pytest.raises(TypeError) as caught:
            SMTPSettings(HOST, server.port, **fields).connect_sync(smtp_class=unfit)
        assert text in str(caught.value)
        assert server.connections_total == 0


def test_a_session_that_is_connected_already_is_closed_and_refused() -> None:
    with SMTPTestServer() as server:
        fixed = type("Fixed", (Connected,), {"port": server.port})
        with pytest.raises(TypeError, match="connected already; these settings say where to"):
            SMTPSettings(HOST, server.port).connect_sync(smtp_class=fixed)
        server.connected(0).wait(5)


# Cancelling.


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("step", ["greeting", "TLS", "EHLO", "STARTTLS", "AUTH"])
async def test_cancelling_closes_the_connection_at_every_step(tmp_path: Path, step: Any, tls: Any) -> None:
    if step == "STARTTLS" and tls == "implicit":
        pytest.skip("there is no such step")
    with SMTPTestServer(tls=tls, auth={USER: PASSWORD}, faults=[hold(step)]) as server:

        async def connect() -> None:
            await settings_for(server, tmp_path, tls=tls).connect()

        task = asyncio.ensure_future(connect())
        await server.reached(step)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.connected(0)
        assert server.connections_total == 1


async def test_a_time_limit_of_asyncios_closes_the_connection(tmp_path: Path) -> None:
    with SMTPTestServer(auth={USER: PASSWORD}, faults=[hold("EHLO")]) as server:
        settings = settings_for(server, tmp_path, tls="none", cleartext_login=True)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_awaited(settings), 0.2)
        await server.connected(0)


async def _awaited(settings: SMTPSettings) -> AsyncSMTP:
    return await settings.connect()


# Retry.


async def test_retry_opens_again_when_the_server_was_busy() -> None:
    with SMTPTestServer(faults=[refuse("greeting", "421 4.3.2 Busy", times=2), drop("EHLO", nth=1)]) as server:
        with retry_testing(attempts=4):
            async with SMTPSettings(HOST, server.port, "none").connect(retry=retry_transient) as smtp:
                assert (await smtp.noop())[0] == 250
        assert server.connections_total == 4


async def test_retry_does_not_repeat_a_wrong_password(tmp_path: Path) -> None:
    with SMTPTestServer(tls="starttls", auth={USER: "another"}) as server:
        with retry_testing(), pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            await settings_for(server, tmp_path, tls="starttls").connect(retry=retry_transient)
        assert "check username" in vars(caught.value)["advice"]
        assert server.connections_total == 1
