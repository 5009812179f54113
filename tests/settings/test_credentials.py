"""Passwords: when one is asked for, by whom, and how often."""

from __future__ import annotations

import dataclasses
import smtplib
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.credentials import SecretFile, SecretText

from .asking import FLAWED, Asked, accounts, opened, with_password
from .planted import SECRET, found_in, shown_by

# Passwords.


def test_a_password_logs_in() -> None:
    with accounts() as server:
        assert opened(with_password(server, SECRET)) == 250
        assert opened(dataclasses.replace(with_password(server, "wrong"), password=SecretText(SECRET))) == 250


@pytest.mark.parametrize("secret", [SECRET, SecretText(SECRET)], ids=["str", "SecretText"])
def test_a_password_may_be_asked_for(secret: Any) -> None:
    with accounts() as server:
        assert opened(with_password(server, lambda: secret)) == 250


def test_a_password_is_asked_for_at_each_connect_and_not_before() -> None:
    ask = Asked("wrong", SECRET, "wrong again")
    with accounts() as server:
        settings = with_password(server, ask)
        assert ask.times == 0
        with pytest.raises(smtplib.SMTPAuthenticationError):
            opened(settings)
        assert opened(settings) == 250
        assert ask.times == 2


async def test_a_password_is_asked_for_in_the_worker() -> None:
    ask = Asked(SECRET)
    with accounts() as server:
        async with BoundedExecutor(1) as executor, with_password(server, ask).connect(executor=executor) as session:
            assert (await session.noop())[0] == 250
            [worker] = ask.threads
            assert worker is await executor.run(threading.current_thread)
            assert worker is not threading.current_thread()


def test_a_password_that_was_asked_for_and_refused_is_not_asked_for_again() -> None:
    ask = Asked("wrong", SECRET)
    with accounts() as server, pytest.raises(smtplib.SMTPAuthenticationError):
        opened(with_password(server, ask))
    assert ask.times == 1


def test_who_needs_no_login_is_asked_for_nothing() -> None:
    with accounts() as server:
        assert opened(SMTPSettings(server.host, server.port, "none")) == 250


class Keyring:
    """As the one of the operating system."""

    def get_password(self, service: str, name: str) -> str | None:
        return {("mail", "anna"): SECRET}.get((service, name))


class SecretsManager:
    """As a client of one: what is returned has more in it than the secret."""

    def get_secret_value(self, **query: str) -> dict[str, Any]:
        return {"Name": query["SecretId"], "SecretString": SECRET}


def test_a_keyring_is_asked() -> None:
    with accounts() as server:
        assert opened(with_password(server, lambda: Keyring().get_password("mail", "anna"))) == 250


def test_what_is_not_in_the_keyring_is_said() -> None:
    with accounts() as server, pytest.raises(InvalidSettings, match=r"password: the function .* returned a NoneType"):
        opened(with_password(server, lambda: Keyring().get_password("mail", "bert")))


def test_a_secrets_manager_is_asked() -> None:
    with accounts() as server:
        ask = lambda: SecretsManager().get_secret_value(SecretId="mail")["SecretString"]  # noqa: E731
        assert opened(with_password(server, ask)) == 250


def test_a_function_that_no_dictionary_can_have_for_a_key_is_asked() -> None:
    @dataclasses.dataclass
    class Vault:
        path: str

        def __call__(self) -> str:
            return SECRET

    with accounts() as server:
        settings = with_password(server, Vault("mail"))
        assert opened(settings) == 250
        assert settings == with_password(server, Vault("mail"))


async def _coroutine() -> str:
    return SECRET


@pytest.mark.parametrize("field", ["password", "access_token"])
@pytest.mark.parametrize(("answer", "said"), FLAWED.values(), ids=FLAWED)
def test_what_is_returned_and_cannot_be_a_secret_is_refused_and_not_shown(field: str, answer: Any, said: str) -> None:
    settings = SMTPSettings("127.0.0.1", 9, "none", "anna", **{field: lambda: answer})
    with pytest.raises(InvalidSettings, match=f"^{field}: the function .*{said}") as caught:
        settings.connect_sync()
    assert not found_in(shown_by(caught.value))


@pytest.mark.parametrize("field", ["password", "access_token"])
def test_a_coroutine_function_is_refused_with_the_reason(field: str) -> None:
    settings: SMTPSettings = SMTPSettings("127.0.0.1", 9, "none", "anna", **{field: _coroutine})  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match=f"^{field}: .* a coroutine: .* has to be a plain function"):
        settings.connect_sync()


@pytest.mark.parametrize("field", ["password", "access_token"])
@pytest.mark.parametrize("kind", [RuntimeError, OSError, smtplib.SMTPException, SystemExit, StopIteration])
def test_what_the_function_raises_is_raised_as_it_is(field: str, kind: type[BaseException]) -> None:
    error = kind("the vault is sealed")
    settings = SMTPSettings("127.0.0.1", 9, "none", "anna", **{field: Asked(error)})
    with pytest.raises(kind) as caught:
        settings.connect_sync()
    assert caught.value is error
    assert (error.args, error.__cause__, error.__context__) == (("the vault is sealed",), None, None)
    assert not hasattr(error, "__notes__")


async def test_what_the_function_raises_is_raised_to_who_awaits() -> None:
    error = LookupError("the vault is sealed")
    with pytest.raises(LookupError) as caught:
        await SMTPSettings("127.0.0.1", 9, "none", "anna", Asked(error)).connect()
    assert caught.value is error


# Files.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "password"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
def test_a_line_end_is_not_part_of_the_secret_in_a_file(file: Path, end: str) -> None:
    file.write_bytes(f"{SECRET}{end}".encode())
    assert SecretFile(str(file))() == SECRET


def test_the_mark_that_editors_begin_a_file_with_is_not_part_of_the_secret(file: Path) -> None:
    file.write_text(SECRET, "utf-8-sig")
    assert SecretFile(str(file))() == SECRET


def test_blanks_are_part_of_the_secret_in_a_file(file: Path) -> None:
    file.write_text(f" {SECRET} ö \n", "utf-8")
    assert SecretFile(str(file))() == f" {SECRET} ö "


def test_a_file_is_read_at_each_connect(file: Path) -> None:
    with accounts() as server:
        settings = with_password(server, SecretFile(str(file)))
        file.write_text("wrong\n")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            opened(settings)
        file.write_text(f"{SECRET}\n")
        assert opened(settings) == 250


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (SECRET.encode() + b"\xff", "this file is not"),
        (SECRET.encode("utf-16"), "this file is not"),
        (f"{SECRET}\n{SECRET}\n".encode(), "perhaps a line end"),
        (f"{SECRET}\n\n".encode(), "perhaps a line end"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(file: Path, octets: bytes, said: str) -> None:
    file.write_bytes(octets)
    settings = SMTPSettings("127.0.0.1", 9, "none", "anna", SecretFile(str(file)))
    with pytest.raises(InvalidSettings, match=said) as caught:
        settings.connect_sync()
    assert str(caught.value).startswith(str(file))
    assert caught.value.__context__ is None
    assert not found_in(shown_by(caught.value))


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(FileNotFoundError, match="password"):
        SMTPSettings("127.0.0.1", 9, "none", "anna", SecretFile(str(file))).connect_sync()
