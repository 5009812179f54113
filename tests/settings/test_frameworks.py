"""Frameworks: what Django's and Flask's settings become, and what is said of those that have no place."""

from __future__ import annotations

import dataclasses
import logging
import types
from pathlib import Path
from typing import Any

import flask
import flask_mail
import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings.credentials import SecretText
from asyncsmtp_bridge.testing import SMTPTestServer

from .planted import SECRET, pieces, refused

_SMTP = "django.core.mail.backends.smtp.EmailBackend"


def django(**settings: Any) -> SMTPSettings:
    return SMTPSettings.from_django(types.SimpleNamespace(**settings))


def flask_config(**config: Any) -> SMTPSettings:
    return SMTPSettings.from_flask(config)


def mailer(options: Any, **config: Any) -> SMTPSettings:
    return django(MAILERS={"default": {"OPTIONS": options, **config}})


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "asyncsmtp_bridge")
    return caplog


# Django.


def test_django_without_a_word_is_its_defaults(warned: pytest.LogCaptureFixture) -> None:
    assert django() == SMTPSettings("localhost", 25, "none")
    assert not warned.messages


def test_django_with_its_own_defaults_said(warned: pytest.LogCaptureFixture) -> None:
    settings = django(
        EMAIL_BACKEND=_SMTP,
        EMAIL_HOST="localhost",
        EMAIL_PORT=25,
        EMAIL_HOST_USER="",
        EMAIL_HOST_PASSWORD="",
        EMAIL_USE_TLS=False,
        EMAIL_USE_SSL=False,
        EMAIL_SSL_CERTFILE=None,
        EMAIL_SSL_KEYFILE=None,
        EMAIL_TIMEOUT=None,
    )
    assert settings == SMTPSettings("localhost", 25, "none")
    assert not warned.messages


def test_django_with_all_of_it(warned: pytest.LogCaptureFixture) -> None:
    settings = django(
        EMAIL_BACKEND=_SMTP,
        EMAIL_HOST="mail.example.org",
        EMAIL_PORT=587,
        EMAIL_HOST_USER="user",
        EMAIL_HOST_PASSWORD=SECRET,
        EMAIL_USE_TLS=True,
        EMAIL_SSL_CERTFILE=Path("c.pem"),
        EMAIL_SSL_KEYFILE="k.pem",
        EMAIL_TIMEOUT=20,
    )
    assert settings == SMTPSettings(
        "mail.example.org",
        587,
        "starttls",
        "user",
        SECRET,
        client_certificate="c.pem",
        client_key="k.pem",
        connect_timeout=20,
        timeout=20,
    )
    assert not warned.messages


@pytest.mark.parametrize(
    ("use", "tls"),
    [({}, "none"), ({"EMAIL_USE_TLS": True}, "starttls"), ({"EMAIL_USE_SSL": True}, "implicit")],
)
def test_the_port_of_django_is_25_whatever_the_mode(use: dict[str, bool], tls: Any) -> None:
    assert django(EMAIL_HOST="mail.example.org", **use) == SMTPSettings("mail.example.org", 25, tls)


@pytest.mark.parametrize("unset", [None, 0])
def test_a_port_that_is_unset_is_that_of_smtplib(unset: int | None) -> None:
    assert django(EMAIL_PORT=unset, EMAIL_USE_TLS=True).port == 25
    assert django(EMAIL_PORT=unset, EMAIL_USE_SSL=True).port == 465


def test_numbers_and_switches_may_be_texts_as_they_come_from_the_environment() -> None:
    settings = django(EMAIL_PORT="587", EMAIL_USE_TLS="True", EMAIL_USE_SSL="", EMAIL_TIMEOUT="20")
    assert settings == SMTPSettings("localhost", 587, "starttls", connect_timeout=20, timeout=20)


@pytest.mark.parametrize("text", ["False", "0", "no", "maybe"])
def test_a_text_that_django_takes_for_true_and_does_not_say_so_is_refused(text: str) -> None:
    error = refused(django, EMAIL_USE_TLS=text)
    assert f"EMAIL_USE_TLS: {text!r} is not True or False; a text that is not empty" in str(error)


def test_starttls_and_implicit_tls_are_not_both() -> None:
    assert "EMAIL_USE_TLS: EMAIL_USE_SSL is on, too" in str(refused(django, EMAIL_USE_TLS=True, EMAIL_USE_SSL=True))


@pytest.mark.parametrize("name", ["console", "filebased", "locmem", "dummy"])
def test_a_backend_of_django_that_is_not_about_smtp_is_refused(name: str) -> None:
    error = refused(django, EMAIL_BACKEND=f"django.core.mail.backends.{name}.EmailBackend", EMAIL_HOST_PASSWORD=SECRET)
    assert f"EMAIL_BACKEND: 'django.core.mail.backends.{name}.EmailBackend' sends nothing to a server" in str(error)


def test_what_an_organisations_own_backend_does_besides_is_said_not_to_be_mapped(
    warned: pytest.LogCaptureFixture,
) -> None:
    settings = django(EMAIL_BACKEND="corp.mail.SigningBackend", EMAIL_HOST="mail.example.org")
    assert settings.host == "mail.example.org"
    [message] = warned.messages
    assert message.startswith("EMAIL_BACKEND: corp.mail.SigningBackend is not the framework's own")


@pytest.mark.parametrize("path", ["corp.smtp.EmailBackend", _SMTP])
def test_a_backend_of_the_name_smtp_is_one(path: str, warned: pytest.LogCaptureFixture) -> None:
    django(EMAIL_BACKEND=path)
    assert not warned.messages


def test_a_login_without_tls_is_said_to_be_refused_and_what_to_do(warned: pytest.LogCaptureFixture) -> None:
    settings = django(EMAIL_HOST_USER="user", EMAIL_HOST_PASSWORD=SECRET)
    assert settings == SMTPSettings("localhost", 25, "none", "user", SECRET)
    assert not settings.cleartext_login
    [message] = warned.messages
    assert message.startswith("EMAIL_HOST_USER: the login will be refused")
    assert "set EMAIL_USE_TLS" in message
    assert "dataclasses.replace(settings, cleartext_login=True)" in message
    assert dataclasses.replace(settings, cleartext_login=True).cleartext_login


@pytest.mark.parametrize("only", [{"EMAIL_HOST_USER": "user"}, {"EMAIL_HOST_PASSWORD": SECRET}])
def test_without_name_and_password_django_logs_nobody_in_and_neither_do_we(
    only: dict[str, str], warned: pytest.LogCaptureFixture
) -> None:
    settings = django(EMAIL_USE_TLS=True, **only)
    assert settings.username is settings.password is None
    [message] = warned.messages
    assert f"{next(iter(only))} (without the other one of name and password nobody is logged in)" in message
    assert not [piece for piece in pieces() if piece in message]


def test_a_certificate_without_tls_is_said_not_to_be_mapped(warned: pytest.LogCaptureFixture) -> None:
    assert django(EMAIL_SSL_CERTFILE="c.pem", EMAIL_SSL_KEYFILE="k.pem") == SMTPSettings("localhost", 25, "none")
    [message] = warned.messages
    assert message.endswith(
        "EMAIL_SSL_CERTFILE (the connection is not encrypted), EMAIL_SSL_KEYFILE (the connection is not encrypted)"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"EMAIL_HOST": ""}, "EMAIL_HOST: it is missing"),
        ({"EMAIL_HOST": "mail example"}, "EMAIL_HOST: 'mail example' is not"),
        ({"EMAIL_PORT": 70000}, "EMAIL_PORT: 70000 is not a port"),
        ({"EMAIL_PORT": "smtp"}, "EMAIL_PORT: 'smtp' is not a port"),
        ({"EMAIL_TIMEOUT": 0}, "EMAIL_TIMEOUT: 0 is not a number of seconds"),
        ({"EMAIL_TIMEOUT": "soon"}, "EMAIL_TIMEOUT: 'soon' is not a number of seconds"),
        (
            {"EMAIL_USE_TLS": True, "EMAIL_SSL_KEYFILE": "k.pem"},
            "EMAIL_SSL_KEYFILE: it belongs to a client_certificate",
        ),
        ({"EMAIL_HOST_USER": 5, "EMAIL_HOST_PASSWORD": SECRET}, "EMAIL_HOST_USER: 5 is not a user name"),
        ({"EMAIL_HOST_USER": "u", "EMAIL_HOST_PASSWORD": [SECRET]}, "EMAIL_HOST_PASSWORD: it is a str"),
        ({"MAILERS": {}}, "MAILERS['default']: it is missing"),
        ({"MAILERS": {"marketing": {}}}, "MAILERS['default']: it is missing"),
        ({"MAILERS": {"default": {"OPTIONS": 5}}}, "MAILERS['default']['OPTIONS']: it is a dict"),
    ],
)
def test_what_cannot_be_in_django_is_refused_with_its_own_name(settings: dict[str, Any], said: str) -> None:
    assert said in str(refused(django, **settings))


def test_django_settings_are_no_mapping() -> None:
    assert "an object with attributes" in str(refused(SMTPSettings.from_django, {"EMAIL_HOST": "mail.example.org"}))


# Django from 6.1 on.


def test_the_default_mailer_of_django_is_read(warned: pytest.LogCaptureFixture) -> None:
    settings = mailer(
        {
            "host": "mail.example.org",
            "port": 2525,
            "username": "user",
            "password": SECRET,
            "use_tls": True,
            "timeout": 20,
            "ssl_certfile": "c.pem",
            "ssl_keyfile": "k.pem",
        },
        BACKEND=_SMTP,
    )
    assert settings == SMTPSettings(
        "mail.example.org",
        2525,
        "starttls",
        "user",
        SECRET,
        connect_timeout=20,
        timeout=20,
        client_certificate="c.pem",
        client_key="k.pem",
    )
    assert not warned.messages


@pytest.mark.parametrize(
    ("use", "port", "tls"),
    [({}, 25, "none"), ({"use_tls": True}, 587, "starttls"), ({"use_ssl": True}, 465, "implicit")],
)
def test_the_port_of_a_mailer_is_that_of_its_mode(use: dict[str, bool], port: int, tls: Any) -> None:
    assert mailer({"host": "mail.example.org", **use}) == SMTPSettings("mail.example.org", port, tls)


def test_a_mailer_needs_a_host() -> None:
    assert "MAILERS['default']['OPTIONS']['host']: it is missing" in str(refused(mailer, {}))


def test_a_mailer_that_is_not_about_smtp_is_refused() -> None:
    error = refused(mailer, {}, BACKEND="django.core.mail.backends.locmem.EmailBackend")
    assert "MAILERS['default']['BACKEND']: 'django.core.mail.backends.locmem.EmailBackend' sends nothing" in str(error)


def test_what_a_mailer_has_besides_is_named(warned: pytest.LogCaptureFixture) -> None:
    options = {"host": "mail.example.org", "fail_silently": True}
    django(MAILERS={"default": {"OPTIONS": options}, "marketing": {"OPTIONS": {"password": SECRET}}})
    [message] = warned.messages
    assert message.endswith("not mapped: MAILERS['default']['OPTIONS']['fail_silently'], MAILERS['marketing']")


# Flask.


def test_flask_without_a_word_is_its_defaults(warned: pytest.LogCaptureFixture) -> None:
    assert flask_config() == SMTPSettings("localhost", 25, "none")
    assert not warned.messages


def test_flask_with_all_of_it(warned: pytest.LogCaptureFixture) -> None:
    settings = flask_config(
        MAIL_BACKEND="smtp",
        MAIL_SERVER="mail.example.org",
        MAIL_PORT=465,
        MAIL_USE_TLS=False,
        MAIL_USE_SSL=True,
        MAIL_USERNAME="user",
        MAIL_PASSWORD=SECRET,
        MAIL_TIMEOUT=20,
        MAIL_SSL_CERTFILE="c.pem",
        MAIL_SSL_KEYFILE="k.pem",
        MAIL_USE_LOCALTIME=True,
        MAIL_SUPPRESS_SEND=False,
    )
    assert settings == SMTPSettings(
        "mail.example.org",
        465,
        "implicit",
        "user",
        SECRET,
        client_certificate="c.pem",
        client_key="k.pem",
        connect_timeout=20,
        timeout=20,
    )
    assert not warned.messages


def test_what_has_an_effect_in_flask_and_no_place_here_is_named_in_one_line(warned: pytest.LogCaptureFixture) -> None:
    flask_config(
        MAIL_DEFAULT_SENDER=SECRET,
        MAIL_MAX_EMAILS=5,
        MAIL_DEBUG=True,
        MAIL_ASCII_ATTACHMENTS=True,
        MAIL_DEFAULT_CHARSET="latin-1",
        MAIL_SEND_OPTIONS=["SMTPUTF8"],
        MAIL_SSL_CERTFILE="c.pem",
    )
    [message] = warned.messages
    assert message == (
        "settings have no place for these, which are not mapped: MAIL_SSL_CERTFILE (the connection is not encrypted), "
        "MAIL_DEFAULT_SENDER, MAIL_MAX_EMAILS, MAIL_DEBUG, MAIL_ASCII_ATTACHMENTS, MAIL_DEFAULT_CHARSET, "
        "MAIL_SEND_OPTIONS"
    )


def test_what_flask_is_told_and_has_no_effect_is_not_named(warned: pytest.LogCaptureFixture) -> None:
    flask_config(
        MAIL_DEFAULT_SENDER=None,
        MAIL_MAX_EMAILS=None,
        MAIL_DEBUG=False,
        MAIL_ASCII_ATTACHMENTS=False,
        MAIL_DEFAULT_CHARSET="utf-8",
        MAIL_SEND_OPTIONS=[],
        MAIL_FILE_PATH="/tmp/outbox",
    )
    assert not warned.messages


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"MAIL_SUPPRESS_SEND": True}, "MAIL_SUPPRESS_SEND: it is on, so that nothing is to be sent"),
        ({"MAIL_SUPPRESS_SEND": True, "MAIL_BACKEND": "smtp"}, "MAIL_SUPPRESS_SEND: it is on"),
        ({"MAIL_SUPPRESS_SEND": "False"}, "MAIL_SUPPRESS_SEND: 'False' is not True or False"),
        ({"TESTING": True}, "TESTING: it is on, so that nothing is to be sent"),
        ({"TESTING": True, "MAIL_BACKEND": ""}, "TESTING: it is on"),
        ({"MAIL_BACKEND": "console"}, "MAIL_BACKEND: 'flask_mailman.backends.console' sends nothing"),
        ({"MAIL_BACKEND": "file"}, "MAIL_BACKEND: 'flask_mailman.backends.file' sends nothing"),
        ({"MAIL_BACKEND": "flask_mailman.backends.locmem"}, "sends nothing"),
        ({"MAIL_BACKEND": "flask_mailman.backends.dummy.EmailBackend"}, "sends nothing"),
        ({"MAIL_USE_TLS": True, "MAIL_USE_SSL": True}, "MAIL_USE_TLS: MAIL_USE_SSL is on, too"),
        ({"MAIL_SERVER": None}, "MAIL_SERVER: it is missing"),
        ({"MAIL_PORT": "x"}, "MAIL_PORT: 'x' is not a port"),
        ({"MAIL_TIMEOUT": -1}, "MAIL_TIMEOUT: -1 is not"),
    ],
)
def test_what_cannot_be_in_flask_is_refused_with_its_own_name(config: dict[str, Any], said: str) -> None:
    assert said in str(refused(flask_config, MAIL_USERNAME="user", MAIL_PASSWORD=SECRET, **config))


@pytest.mark.parametrize("config", [{"MAIL_SUPPRESS_SEND": False}, {"MAIL_BACKEND": "smtp"}, {"MAIL_BACKEND": _SMTP}])
def test_what_is_sent_all_the_same_while_testing_is_read(config: dict[str, Any]) -> None:
    assert flask_config(TESTING=True, **config) == SMTPSettings("localhost", 25, "none")


def test_a_backend_can_be_a_class(warned: pytest.LogCaptureFixture) -> None:
    class Signing: ...

    flask_config(MAIL_BACKEND=Signing)
    [message] = warned.messages
    assert "Signing is not the framework's own backend" in message


def test_flask_is_read_from_its_configuration_not_from_the_application() -> None:
    assert "a mapping, as app.config is, not a Flask" in str(refused(SMTPSettings.from_flask, flask.Flask("corp")))


def test_a_login_without_tls_is_said_to_be_refused_in_the_names_of_flask(warned: pytest.LogCaptureFixture) -> None:
    flask_config(MAIL_USERNAME="user", MAIL_PASSWORD=SECRET)
    [message] = warned.messages
    assert message.startswith("MAIL_USERNAME: the login will be refused")
    assert "set MAIL_USE_TLS" in message


def _flask_mail(**config: Any) -> tuple[flask.Flask, flask_mail.Mail]:
    app = flask.Flask("corp")
    app.config.update(MAIL_SERVER="127.0.0.1", **config)
    return app, flask_mail.Mail(app)


@pytest.mark.parametrize(
    ("server", "use"),
    [(None, {}), ("starttls", {"MAIL_USE_TLS": True}), ("implicit", {"MAIL_USE_SSL": True})],
)
def test_flask_mail_connects_as_the_settings_say(server: Any, use: dict[str, bool]) -> None:
    with SMTPTestServer(tls=server, auth={"user": SECRET}) as relay:
        login = {"MAIL_USERNAME": "user", "MAIL_PASSWORD": SECRET} if server else {}
        app, mail = _flask_mail(MAIL_PORT=relay.port, **use, **login)
        with app.app_context():
            mail.send_message("Hello", ["bert@example.org"], "Hi", sender="anna@example.org")
        [received] = relay.messages
    settings = SMTPSettings.from_flask(app.config)
    assert (settings.host, settings.port) == ("127.0.0.1", relay.port)
    assert settings.tls_mode == (server or "none")
    assert (received.session.tls is not None) == (server is not None)
    assert received.session.user == settings.username
    assert settings.password == (SecretText(SECRET) if server else None)


# What must not be shown.


@pytest.mark.parametrize(
    "changed",
    [
        {"MAIL_PORT": "x"},
        {"MAIL_SERVER": f"smtp://user:{SECRET}@mail.example.org"},
        {"MAIL_SERVER": f"user:{SECRET}@mail.example.org"},
        {"MAIL_PASSWORD": f"{SECRET}\n"},
        {"MAIL_PASSWORD": SECRET.encode()},
        {"MAIL_USERNAME": "\n"},
        {"MAIL_USE_TLS": "False"},
        {"MAIL_USE_TLS": True, "MAIL_USE_SSL": True},
        {"MAIL_SUPPRESS_SEND": True},
        {"MAIL_BACKEND": "dummy"},
    ],
)
def test_no_error_shows_a_secret_nor_the_settings(changed: dict[str, Any], warned: pytest.LogCaptureFixture) -> None:
    config = {"MAIL_USERNAME": "user", "MAIL_PASSWORD": SECRET, "SECRET_KEY": SECRET, **changed}
    refused(SMTPSettings.from_flask, config)
    if "MAIL_SUPPRESS_SEND" in changed or "MAIL_BACKEND" in changed:
        return
    names = {"MAIL_SERVER": "EMAIL_HOST", "MAIL_USERNAME": "EMAIL_HOST_USER", "MAIL_PASSWORD": "EMAIL_HOST_PASSWORD"}
    renamed = {names.get(name, name.replace("MAIL_", "EMAIL_")): value for name, value in config.items()}
    refused(SMTPSettings.from_django, types.SimpleNamespace(**renamed))
    options = {"MAIL_SERVER": "host", "MAIL_USERNAME": "username", "MAIL_PASSWORD": "password"}
    lowered = {options.get(name, name.removeprefix("MAIL_").lower()): value for name, value in config.items()}
    refused(mailer, {"host": "mail.example.org", **lowered})
    assert not [piece for piece in pieces() if piece in repr([vars(record) for record in warned.records])]


def test_no_log_record_shows_a_secret(warned: pytest.LogCaptureFixture) -> None:
    flask_config(MAIL_USERNAME="user", MAIL_PASSWORD=SECRET, MAIL_BACKEND="corp.Backend", MAIL_DEFAULT_SENDER="a")
    flask_config(MAIL_PASSWORD=SECRET)
    assert len(warned.records) == 4
    assert not [piece for piece in pieces() if piece in repr([vars(record) for record in warned.records])]
