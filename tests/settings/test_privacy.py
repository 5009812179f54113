"""A secret that is planted in settings is found in nothing that anybody shows, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import smtplib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tenacity

from asyncsmtp_bridge import BoundedExecutor, PipelinedSMTP, SMTPSettings, retry_transient
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.testing.certificates import issue
from tests.hop.gate import PATIENCE
from tests.wire.talking import Post

from .logins import ca_file
from .planted import SECRET, found_in
from .plantings import CLASSES, FAULTS, PLANTED, OwnSMTP, Planting, Witness, failure, impatient, post, tls_fields


@pytest.mark.parametrize("smtp_class", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_settings_that_log_in_do_not_show_it(
    planted: Planting, smtp_class: Any, witness: Witness, tmp_path: Path
) -> None:
    with post() as server:
        settings = planted(server.port, tmp_path / "secret")
        with settings.connect_sync(smtp_class=smtp_class) as session:
            assert session.noop()[0] == 250
        assert any(command.startswith("AUTH") and found_in(command) for command in server.commands)
    witness.sees(settings)
    assert not witness.found()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_no_failure_shows_it(planted: Planting, fault: str, witness: Witness, tmp_path: Path) -> None:
    with post(fault) as server:
        settings = impatient(planted(server.port, tmp_path / "secret"), fault)
        witness.sees(settings, failure(settings))
    assert not witness.found()


@pytest.mark.parametrize("smtp_class", list(CLASSES)[1:])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("planted", ["password", "token with seconds"])
def test_no_failure_of_another_class_shows_it(
    planted: str, fault: str, smtp_class: str, witness: Witness, tmp_path: Path
) -> None:
    with post(fault) as server:
        settings = impatient(PLANTED[planted](server.port, tmp_path / "secret"), fault)
        witness.sees(settings, failure(settings, CLASSES[smtp_class]))
    assert not witness.found()


@pytest.mark.parametrize("fault", ["refused", "hung up", "silent", "refused after the challenge"])
@pytest.mark.parametrize("planted", ["password", "token with seconds"])
async def test_no_failure_that_is_awaited_shows_it(planted: str, fault: str, witness: Witness, tmp_path: Path) -> None:
    @contextmanager
    def around() -> Iterator[None]:
        yield

    with post(fault) as server:
        settings = impatient(PLANTED[planted](server.port, tmp_path / "secret"), fault)
        async with BoundedExecutor(1, around=around) as executor:
            with pytest.raises((smtplib.SMTPException, OSError)) as caught:
                await settings.connect(executor=executor)
    witness.sees(settings, caught.value)
    assert not witness.found()


@pytest.mark.parametrize("planted", ["password", "token with seconds"])
async def test_attempts_that_are_logged_do_not_show_it(planted: str, witness: Witness, tmp_path: Path) -> None:
    policy = retry_transient(
        attempts=3,
        wait=tenacity.wait_none(),
        before_sleep=tenacity.before_sleep_log(logging.getLogger("anybody"), logging.WARNING, exc_info=True),
    )
    with post("refused for now") as server:
        settings = PLANTED[planted](server.port, tmp_path / "secret")
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            await settings.connect(retry=policy)
        assert server.verbs.count("AUTH") == 3
    witness.sees(caught.value)
    assert not witness.found()


@pytest.mark.parametrize("smtp_class", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("planted", ["password", "token with seconds"])
async def test_a_connect_that_is_cancelled_at_the_login_does_not_show_it(
    planted: str, smtp_class: Any, witness: Witness, tmp_path: Path
) -> None:
    with post("silent") as server:
        settings = PLANTED[planted](server.port, tmp_path / "secret")
        async with BoundedExecutor(1) as executor:

            async def connect() -> None:
                await settings.connect(executor=executor, smtp_class=smtp_class)

            task = asyncio.ensure_future(connect())
            for _ in range(int(PATIENCE * 1000)):
                if "AUTH" in server.verbs:
                    break
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    assert "AUTH" in server.verbs
    witness.sees(caught.value)
    assert not witness.found()


@pytest.mark.parametrize("smtp_class", CLASSES.values(), ids=CLASSES)
def test_what_interrupts_a_login_does_not_show_it(smtp_class: Any, witness: Witness) -> None:
    error = KeyboardInterrupt()

    def interrupt(event: str, _: Any) -> None:
        if event == "smtplib.send" and hooked and "AUTH" in repr(_[1]):
            hooked.clear()
            raise error

    hooked = [True]
    with post() as server:
        settings = PLANTED["password"](server.port, Path())
        sys.addaudithook(interrupt)
        assert failure(settings, smtp_class) is error
    assert not hooked
    witness.sees(error)
    assert not witness.found()


@pytest.mark.parametrize("smtp_class", list(CLASSES)[2:])
@pytest.mark.parametrize("field", ["password", "access_token"])
def test_where_smtplib_takes_ascii_only_the_error_does_not_show_it(
    field: str, smtp_class: str, witness: Witness
) -> None:
    fields: dict[str, Any] = {field: f"{SECRET}ö"}
    with post() as server:
        settings = SMTPSettings(**tls_fields(server.port), **fields)
        error = failure(settings, CLASSES[smtp_class])
    assert isinstance(error, InvalidSettings)
    assert "ASCII" in str(error)
    assert error.__context__ is None
    witness.sees(error)
    assert not witness.found()


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_certificate_that_is_refused_does_not_show_it(planted: Planting, witness: Witness, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(issue(["localhost"]).ca_pem)
    with post() as server:
        settings = dataclasses.replace(planted(server.port, tmp_path / "secret"), ca_file=str(other))
        witness.sees(settings, failure(settings))
        settings = dataclasses.replace(settings, ca_file=ca_file(), server_hostname="mail.example.org")
        witness.sees(settings, failure(settings))
        assert server.commands == []
    assert not witness.found()


@pytest.mark.parametrize("cleartext_login", [False, True])
@pytest.mark.parametrize("smtp_class", [None, PipelinedSMTP, smtplib.SMTP])
@pytest.mark.parametrize("planted", ["password", "token with seconds"])
def test_without_tls_nothing_but_the_wire_shows_it(
    planted: str, smtp_class: Any, cleartext_login: bool, witness: Witness, tmp_path: Path
) -> None:
    with Post("AUTH XOAUTH2 PLAIN", answers=FAULTS["refused"]) as server:
        settings = dataclasses.replace(
            PLANTED[planted](server.port, tmp_path / "secret"),
            tls="none",
            ca_file=None,
            cleartext_login=cleartext_login,
        )
        error = failure(settings, smtp_class)
        assert isinstance(error, smtplib.SMTPAuthenticationError if cleartext_login else smtplib.SMTPNotSupportedError)
        assert bool(found_in(" ".join(server.commands))) is cleartext_login
    witness.sees(settings, error)
    assert not witness.found()


@pytest.mark.parametrize("command", ["AUTH PLAIN", "AUTH XOAUTH2"])
@pytest.mark.parametrize("smtp_class", [None, smtplib.SMTP_SSL, OwnSMTP])
def test_what_a_server_repeats_of_a_login_does_not_show_it(command: str, smtp_class: Any, witness: Witness) -> None:
    is_token = command == "AUTH XOAUTH2"
    said = f"user=anna\1auth=Bearer {SECRET}\1\1" if is_token else f"\0anna\0{SECRET}"
    line = f"{command} {base64.b64encode(said.encode()).decode()}"
    fields: dict[str, Any] = {"access_token" if is_token else "password": SECRET}
    with Post(command, answers={line: f"500 5.5.1 unrecognized command: {line}"}, is_encrypted=True) as server:
        settings = SMTPSettings(**tls_fields(server.port), **fields)
        error = failure(settings, smtp_class)
        assert line in server.commands
    assert isinstance(error, smtplib.SMTPAuthenticationError)
    assert error.smtp_code == 500
    witness.sees(error)
    assert not witness.found()
