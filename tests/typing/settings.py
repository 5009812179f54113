"""What users write with `SMTPSettings`, as type checkers see it.

Checked, not run. A mark that is no longer needed is an error, too.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import smtplib
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from typing_extensions import assert_type

from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, PipelinedSMTP, SMTPSettings, retry_transient
from asyncsmtp_bridge.settings import InvalidSettings


def secret(path: str) -> str:
    raise NotImplementedError


def token() -> tuple[str, float]:
    raise NotImplementedError


async def awaited_secret() -> str:
    raise NotImplementedError


class CorpSMTP(smtplib.SMTP):
    pass


class CorpPipelined(PipelinedSMTP):
    pass


def written_down() -> None:
    settings = SMTPSettings("mail.example.org", 587, "starttls", "anna", "x")
    assert_type(settings.host, str)
    assert_type(settings.port, int)
    assert_type(settings.deadline, "float | None")
    assert_type(settings.source_address, "tuple[str, int] | None")
    SMTPSettings(host="mail.example.org", tls="implicit", ca_file=Path("ca.pem"), minimum_tls_version="1.3", timeout=20)
    SMTPSettings("mail.example.org", source_address=("192.0.2.1", 0), deadline=60, pipelining=False)
    SMTPSettings(unix_socket=Path("/run/lmtp"))
    SMTPSettings("mail.example.org", tls="ssl")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", "587")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", pasword="x")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    SMTPSettings("mail.example.org", minimum_tls_version="1.0")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    settings.host = "mail.example.com"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def asked_for() -> None:
    SMTPSettings("mail.example.org", username="anna", password=lambda: "x")
    SMTPSettings("mail.example.org", username="anna", password=functools.partial(secret, "mail"))
    SMTPSettings("mail.example.org", username="anna", access_token="x")
    SMTPSettings("mail.example.org", username="anna", access_token=lambda: "x")
    SMTPSettings("mail.example.org", username="anna", access_token=token)
    SMTPSettings("mail.example.org", username="anna", password=secret)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", username="anna", password=b"x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", username="anna", password=token)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", username="anna", password=awaited_secret)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings("mail.example.org", username="anna", access_token=("x", 60))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def read(config: dict[str, Any]) -> SMTPSettings:
    assert_type(SMTPSettings.from_url("smtp+starttls://anna@mail.example.org:587"), SMTPSettings)
    assert_type(SMTPSettings.from_env(), SMTPSettings)
    assert_type(SMTPSettings.from_env("MAIL_", environ=os.environ), SMTPSettings)
    assert_type(SMTPSettings.from_django(SimpleNamespace(EMAIL_HOST="mail.example.org")), SMTPSettings)
    assert_type(SMTPSettings.from_flask(config), SMTPSettings)
    SMTPSettings.from_url(b"smtp://mail.example.org")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SMTPSettings.from_env(environ={"SMTP_PORT": 25})  # type: ignore[dict-item] # pyright: ignore[reportArgumentType]
    try:
        settings = SMTPSettings.from_env()
    except InvalidSettings as error:
        refused: ValueError = error
        raise refused from None
    assert_type(settings.to_url(), str)
    return dataclasses.replace(settings, timeout=20, password=lambda: "x")


def connected(settings: SMTPSettings, message: EmailMessage) -> None:
    with settings.connect_sync() as session:
        assert_type(session.send_message(message), dict[str, tuple[int, bytes]])
    settings.connect_sync(smtp_class=CorpSMTP).noop()
    settings.connect_sync(smtp_class=functools.partial(CorpPipelined, deadline=20))
    assert_type(settings.connect_sync(), PipelinedSMTP)
    assert_type(settings.connect_sync(smtp_class=CorpSMTP), CorpSMTP)
    settings.connect_sync(smtp_class=dict)  # type: ignore[type-var] # pyright: ignore[reportCallIssue, reportArgumentType]
    settings.connect_sync(CorpSMTP)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


async def awaited(settings: SMTPSettings, message: EmailMessage) -> None:
    async with settings.connect() as session:
        assert_type(session, AsyncSMTP)
        assert_type(await session.send_message(message), dict[str, tuple[int, bytes]])
    session = await settings.connect(executor=BoundedExecutor(2), on_cancel="wait", retry=retry_transient(attempts=3))
    assert_type(session, AsyncSMTP)
    await settings.connect(smtp_class=CorpPipelined)
    await settings.connect(on_cancel="stop")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with settings.connect():  # type: ignore[attr-defined] # pyright: ignore[reportGeneralTypeIssues]
        pass
