"""Logins that fail: what the server offered and said, and what there is to do about it."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings.advice import advice_on
from asyncsmtp_bridge.testing import SMTPTestServer, drop, refuse

from .servers import HOST, MODES, PASSWORD, USER, Attempt, TLSMode, error_of, says, settings_for

Refused = smtplib.SMTPAuthenticationError
Missing = smtplib.SMTPNotSupportedError

LIMIT = ("timeout", 600.0)


@pytest.mark.parametrize("tls", MODES)
async def test_a_wrong_password(attempt: Attempt, tmp_path: Path, tls: TLSMode) -> None:
    with SMTPTestServer(tls=tls, auth={USER: "another"}) as server:
        error = await attempt(settings_for(server, tmp_path, tls=tls))
        server.connected(0).wait(5)
    says(error_of(error, Refused), ["user or password is wrong", "check username and password"], never=["OAuth"])


@pytest.mark.parametrize("tls", MODES)
async def test_a_server_that_takes_no_logins(attempt: Attempt, tmp_path: Path, tls: TLSMode) -> None:
    with SMTPTestServer(tls=tls) as server:
        error = await attempt(settings_for(server, tmp_path, tls=tls))
    says(error_of(error, Missing), ["takes no logins at port", "leave username out"])


@pytest.mark.parametrize("tls", ["none", "auto"])
async def test_a_login_that_would_not_be_encrypted(attempt: Attempt, tls: Any) -> None:
    with SMTPTestServer(auth={USER: PASSWORD}) as server:
        error = await attempt(SMTPSettings(HOST, server.port, tls, USER, PASSWORD))
        says(error_of(error, Missing), ["log in over TLS", "tls='starttls'", "tls='implicit'", "cleartext_login=True"])
        assert not any("AUTH" in command.upper() for command in server.commands)


@pytest.mark.parametrize("cleartext_login", [False, True])
async def test_a_login_that_the_server_takes_over_tls_only(attempt: Attempt, cleartext_login: bool) -> None:
    with SMTPTestServer(tls="starttls", auth={USER: PASSWORD}) as server:
        error = await attempt(SMTPSettings(HOST, server.port, "none", USER, PASSWORD, cleartext_login=cleartext_login))
    says(error_of(error, Missing), ["offers STARTTLS", "before a login", "tls='starttls'"])


async def test_a_password_where_tokens_only_are_taken(attempt: Attempt, tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", extensions=["AUTH XOAUTH2"]) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit"))
    says(error_of(error, smtplib.SMTPException), ["takes no passwords", "access_token"])


async def test_a_token_where_passwords_only_are_taken(attempt: Attempt, tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit", access_token="token"))
    says(error_of(error, Missing), ["no access tokens here", "XOAUTH2", "PLAIN", "set password"])


async def test_a_mechanism_that_nothing_here_knows(attempt: Attempt, tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", extensions=["AUTH GSSAPI SCRAM-SHA-256"]) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit"))
    says(error_of(error, smtplib.SMTPException), ["GSSAPI, SCRAM-SHA-256 only"])


REPLIES: list[tuple[str, list[str], list[str]]] = [
    ("535 5.7.8 Authentication failed", ["user or password is wrong", "password"], ["OAuth"]),
    ("534 5.7.9 Please log in with your web browser", ["stronger way of logging in"], []),
    ("538 5.7.11 Encryption required", ["over TLS only", "tls='implicit'"], []),
    ("530 5.7.0 Must issue a STARTTLS command first", ["wants STARTTLS first", "tls='starttls'"], []),
    ("454 4.7.0 Temporary authentication failure", ["cannot check logins now"], ["check username"]),
    ("432 4.7.12 A password transition is needed", ["password must be renewed"], ["check username"]),
    ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled", ["Microsoft 365", "disabled"], []),
    ("500 5.5.1 Command unrecognized", ["does not know the command"], []),
]


@pytest.mark.parametrize(("reply", "words", "never"), REPLIES, ids=[row[0][:9] for row in REPLIES])
async def test_what_a_server_says_to_a_login(
    attempt: Attempt, tmp_path: Path, reply: str, words: list[str], never: list[str]
) -> None:
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}, faults=[refuse("AUTH", reply)]) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit"))
    says(error_of(error, Refused), words, never)


@pytest.mark.parametrize("refused", ["wrong mechanism offered too", "token"])
async def test_535_where_the_server_takes_oauth_too(attempt: Attempt, tmp_path: Path, refused: str) -> None:
    """If a password is refused there is another way; if a token is, that is what is to be checked."""
    faults = [refuse("AUTH", "535 5.7.8 Username and Password not accepted")]
    fields = {"access_token": "token"} if refused == "token" else {}
    with SMTPTestServer(tls="implicit", extensions=["AUTH PLAIN LOGIN XOAUTH2"], faults=faults) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit", **fields))
    if fields:
        says(
            error_of(error, Refused), ["check username and access_token"], never=["OAuth 2.0 only", "password is wrong"]
        )
    else:
        says(error_of(error, Refused), ["check username and password", "OAuth 2.0", "access_token"])


async def test_421_in_the_login(attempt: Attempt, tmp_path: Path) -> None:
    """smtplib may raise either: its getreply() closes the connection, or its next command finds it closed."""
    faults = [refuse("AUTH", "421 4.7.0 Too many errors")]
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}, faults=faults) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit"))
    says(error_of(error, (Refused, smtplib.SMTPServerDisconnected)), ["the server"], never=["check username"])


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_ended_in_the_login(attempt: Attempt, tmp_path: Path, reset: bool) -> None:
    faults = [drop("AUTH", reset=reset)]
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}, faults=faults) as server:
        error = await attempt(settings_for(server, tmp_path, tls="implicit"))
    says(error_of(error, smtplib.SMTPServerDisconnected), ["closed the connection in place of an answer to the login"])


async def test_a_server_that_wants_a_login_refuses_mail_and_not_the_opening(tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit", auth={USER: PASSWORD}, require_auth=True) as server:
        settings = settings_for(server, tmp_path, tls="implicit", username=None)
        async with settings.connect() as smtp:
            assert (await smtp.mail(USER))[0] == 530


PROVIDERS: list[tuple[str, list[str]]] = [
    ("smtp.office365.com", ["Microsoft", "OAuth 2.0", "access_token"]),
    ("smtp-mail.outlook.com", ["Microsoft", "access_token"]),
    ("smtp.gmail.com", ["Google", "app password"]),
    ("SMTP.Gmail.com", ["Google", "app password"]),
    ("smtp.mail.yahoo.com", ["Yahoo", "app password"]),
    ("smtp.mail.me.com", ["Apple", "app password"]),
    ("email-smtp.eu-west-1.amazonaws.com", ["Amazon SES", "of its own"]),
    ("smtp.sendgrid.net", ["'apikey'"]),
]


@pytest.mark.parametrize(("host", "words"), PROVIDERS)
def test_what_is_known_of_a_provider_is_said_at_535(tmp_path: Path, host: str, words: list[str]) -> None:
    advice = advice_on(refusal(tmp_path), SMTPSettings(host, 587, "auto", USER, PASSWORD), "login", {}, (), LIMIT)
    says(advice, ["check username and password", *words])
    assert advice.isprintable()


@pytest.mark.parametrize("host", ["smtp.office365.com", "smtp.gmail.com", "smtp.mail.yahoo.com"])
def test_who_has_a_token_is_not_told_to_get_one(tmp_path: Path, host: str) -> None:
    settings = SMTPSettings(host, 587, "auto", USER, access_token="token")
    advice = advice_on(refusal(tmp_path), settings, "login", {}, (), LIMIT)
    says(advice, ["check username and access_token"], never=["set access_token", "app password"])


def test_a_name_that_only_ends_alike_is_no_providers(tmp_path: Path) -> None:
    advice = advice_on(
        refusal(tmp_path), SMTPSettings("notgmail.com", 587, "auto", USER, PASSWORD), "login", {}, (), LIMIT
    )
    says(advice, ["check username and password"], never=["Google"])


def refusal(folder: Path) -> smtplib.SMTPAuthenticationError:
    """Return a 535 that a server has said."""
    with SMTPTestServer(tls="implicit", auth={USER: "another"}) as server, pytest.raises(Refused) as caught:
        settings_for(server, folder, tls="implicit").connect_sync()
    return caught.value
