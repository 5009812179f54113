"""What happens to classes that derive from a mirror, and to a mirror that is only looked at."""

from __future__ import annotations

import functools
import inspect
import smtplib
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import AsyncBridge, AsyncSMTP, async_method
from tests.servers import Server


class Mailer:
    """A blocking class."""

    def __init__(self) -> None:
        self.prefix = "to "

    def send(self, to: str) -> str:
        return self.prefix + to


class AsyncMailer(AsyncBridge[Mailer]):
    """Its face."""

    send = async_method(Mailer.send)


async def test_a_face_calls_reads_and_writes_through() -> None:
    mailer: Any = AsyncMailer(Mailer())
    mailer.prefix = "for "
    mailer.log = ["mine"]
    assert await mailer.send("bert@example.org") == "for bert@example.org"
    assert mailer.__wrapped__.prefix == "for "
    assert not hasattr(mailer.__wrapped__, "log")
    assert repr(mailer).startswith("<AsyncMailer of <tests.mirror")


def test_a_declaration_needs_a_function() -> None:
    with pytest.raises(TypeError, match=r"async_method\(CorpMailer.send\)"):
        async_method("send")  # type: ignore[arg-type]


def test_an_executor_must_be_one_of_ours() -> None:
    with pytest.raises(TypeError, match="BoundedExecutor"):
        AsyncMailer(Mailer(), executor=4)  # type: ignore[arg-type]


async def test_a_subclass_may_have_attributes_and_parameters_of_its_own(server: Server) -> None:
    class Tenant(AsyncSMTP):
        def __init__(self, tenant: str, port: int) -> None:
            self.tenant = tenant
            super().__init__("127.0.0.1", port)
            self.sent = 0

    async with Tenant("acme", server.port) as smtp:
        smtp.sent += 1
        assert (smtp.tenant, smtp.sent) == ("acme", 1)
        assert not hasattr(smtp.__wrapped__, "tenant")
    assert list(inspect.signature(Tenant).parameters) == ["tenant", "port"]
    adopted = Tenant.from_sync(smtplib.SMTP(local_hostname="client.example.org"))
    assert isinstance(adopted, Tenant)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"sendmail": lambda self: None}, "sendmail must be 'async def'"),
        ({"default_port": 1587}, "default_port would hide"),
        ({"debuglevel": 1}, "debuglevel would hide"),
        ({"_get_socket": lambda self, host, port, timeout: None}, "_get_socket would never be called"),
    ],
)
def test_what_would_silently_do_nothing_is_refused(body: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=f"Legacy.{named}.*smtp_class="):
        type("Legacy", (AsyncSMTP,), body)


def test_a_synchronous_method_that_is_mixed_in_is_refused_too() -> None:
    class Logging:
        def sendmail(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match="sendmail must be 'async def'"):
        type("Legacy", (Logging, AsyncSMTP), {})


async def test_an_async_method_may_be_decorated(server: Server) -> None:
    def logged(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return call

    class Logged(AsyncSMTP):
        @logged
        async def noop(self) -> tuple[int, bytes]:
            return await super().noop()

    async with Logged("127.0.0.1", server.port) as smtp:
        assert (await smtp.noop())[0] == 250


def test_a_class_can_be_looked_at() -> None:
    assert "send" in inspect.getsource(AsyncMailer)
    assert list(inspect.signature(AsyncMailer).parameters) == [
        "target",
        "executor",
        "calls",
        "on_cancel",
        "retry",
    ]
    assert inspect.getsource(AsyncSMTP).startswith("class AsyncSMTP")
    assert not hasattr(AsyncSMTP, "__wrapped__")


def test_a_mirror_that_is_not_made_can_be_looked_at() -> None:
    smtp: Any = AsyncSMTP("mail.example.org")
    assert not hasattr(smtp, "__wrapped__")
    assert getattr(smtp, "timeout", 5) == 5
    assert getattr(smtp, "unheard_of", None) is None
    assert "sendmail" in dict(inspect.getmembers(smtp))
    assert repr(AsyncSMTP.__new__(AsyncSMTP)) == "<AsyncSMTP without host, not connected>"


def test_before_it_connects_it_looks_as_in_smtplib() -> None:
    smtp, original = AsyncSMTP(), smtplib.SMTP(local_hostname="client.example.org")
    for name in ("sock", "file", "helo_resp", "ehlo_resp", "ehlo_msg", "does_esmtp", "esmtp_features", "timeout"):
        assert getattr(smtp, name) == getattr(original, name), name
    assert smtp.has_extn("size") is False
    assert AsyncSMTP(timeout=7).timeout == 7
    smtp.set_debuglevel(2)
    assert smtp.debuglevel == 2


@pytest.mark.parametrize("none", [{"host": None}, {"host": ""}, {}])
async def test_no_host_is_no_host_however_it_is_said(none: dict[str, Any], server: Server) -> None:
    smtp = AsyncSMTP(**none)
    await smtp.connect("127.0.0.1", server.port)
    await smtp.quit()


SECRET = "pa55w0rd-0123"


class Corp(smtplib.SMTP):
    def __init__(self, host: str, user: str, password: str) -> None:
        del password
        super().__init__(host, 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda: AsyncSMTP("mail.example.org").login("anna", SECRET),
        lambda: AsyncSMTP("127.0.0.1", "anna", SECRET, smtp_class=Corp),  # type: ignore[call-overload]
        lambda: AsyncSMTP("127.0.0.1", username="anna", password=SECRET),  # type: ignore[call-overload]
        lambda: AsyncSMTP(SECRET, smtp_class="Corp"),  # type: ignore[call-overload]
    ],
)
async def test_no_mistake_shows_a_password_in_our_frames(use: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        await use()
    frames: list[traceback.FrameSummary] = []
    error: BaseException | None = caught.value
    while error is not None:
        frames += traceback.TracebackException.from_exception(error, capture_locals=True).stack
        error = error.__context__
    ours = [frame for frame in frames if "asyncsmtp_bridge" in frame.filename]
    assert ours
    assert SECRET not in str([frame.locals for frame in ours])
