"""What users write, as type checkers see it: mypy --strict and pyright accept it, and reject what is marked.

Checked, not run. A mark that is no longer needed is an error, too.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

from typing_extensions import assert_type

from asyncsmtp_bridge import (
    AsyncBridge,
    AsyncLMTP,
    AsyncSMTP,
    AsyncSMTP_SSL,
    BoundedExecutor,
    async_method,
    configure,
    default_executor,
    to_thread,
)
from asyncsmtp_bridge import smtplib as async_smtplib

Refused = dict[str, tuple[int, bytes]]


def legacy_send(to: str, text: str, *, urgent: bool = False) -> int:
    raise NotImplementedError


async def the_hop() -> None:
    assert_type(await to_thread(legacy_send, "bert@example.org", "x", urgent=True), int)
    async with BoundedExecutor(4, max_pending=100) as executor:
        assert_type(await executor.run(legacy_send, "bert@example.org", "x"), int)
        await executor.run(legacy_send, "bert@example.org")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        await executor.run(legacy_send, 1, "x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(BoundedExecutor.shared(2), BoundedExecutor)
    assert_type(default_executor().stats().running, int)
    configure(executor_size=4, tls_context=ssl.create_default_context)
    configure(executor_size="4")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def the_mirror(message: EmailMessage) -> None:
    async with AsyncSMTP("mail.example.org", 587, timeout=20) as smtp:
        assert_type(smtp, AsyncSMTP)
        assert_type(await smtp.starttls(context=ssl.create_default_context()), tuple[int, bytes])
        assert_type(await smtp.login("anna", "secret"), tuple[int, bytes])
        assert_type(await smtp.send_message(message, to_addrs=["bert@example.org"]), Refused)
        assert_type(await smtp.sendmail("anna@example.org", "bert@example.org", b"x"), Refused)
        assert_type(smtp.has_extn("size"), bool)
        assert_type(smtp.esmtp_features, dict[str, str])
        assert_type(smtp.__wrapped__, smtplib.SMTP)
        smtp.set_debuglevel(1)
        smtp.timeout = 30
        smtp.timeout = "30"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        smtp.send_message(message)  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
        await smtp.send_message("x", 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        await smtp.login("anna")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        await smtp.send_mail("x")  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
        await smtp.has_extn("size")  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues]
    assert_type(await AsyncSMTP("mail.example.org"), AsyncSMTP)
    assert_type(await AsyncSMTP_SSL("mail.example.org", context=ssl.create_default_context()), AsyncSMTP_SSL)
    assert_type(await AsyncLMTP("/run/lmtp.sock"), AsyncLMTP)
    AsyncSMTP("mail.example.org", username="anna")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    with AsyncSMTP("mail.example.org"):  # type: ignore[attr-defined] # pyright: ignore[reportGeneralTypeIssues]
        pass


async def the_namespace() -> None:
    try:
        async with async_smtplib.SMTP("mail.example.org", async_smtplib.SMTP_PORT) as smtp:
            assert_type(smtp, AsyncSMTP)
    except async_smtplib.SMTPResponseException as error:
        assert_type(error.smtp_code, int)


class CorpSMTP(smtplib.SMTP):
    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings["host"])


async def an_own_class() -> None:
    assert_type(await AsyncSMTP({"host": "mail.example.org"}, smtp_class=CorpSMTP), AsyncSMTP)


class CorpMailer:
    def send(self, to: str, *, subject: str) -> str:
        raise NotImplementedError


class AsyncCorpMailer(AsyncBridge[CorpMailer]):
    send = async_method(CorpMailer.send)


async def a_face() -> None:
    mailer = AsyncCorpMailer(CorpMailer())
    assert_type(await mailer.send("bert@example.org", subject="x"), str)
    assert_type(mailer.__wrapped__, CorpMailer)
    await mailer.send("bert@example.org")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
