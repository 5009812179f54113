"""The environment: which variables are read, which go together, and what is said of those that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.credentials import SecretFile, SecretText, TokenSource

from .planted import SECRET, pieces, refused, shown_by

HOST = {"SMTP_HOST": "mail.example.org"}


def read(environ: Mapping[str, str], prefix: str = "SMTP_") -> SMTPSettings:
    return SMTPSettings.from_env(prefix, environ)


# What is read.


def test_a_url() -> None:
    assert read({"SMTP_URL": f"smtps://user:{SECRET.replace('&', '%26')}@mail.example.org?timeout=20"}) == SMTPSettings(
        "mail.example.org", 465, "implicit", "user", SECRET, timeout=20
    )


def test_one_variable_for_each_field() -> None:
    settings = read(
        {
            "SMTP_HOST": "mail.example.org",
            "SMTP_PORT": "587",
            "SMTP_TLS": "starttls",
            "SMTP_USERNAME": "user",
            "SMTP_PASSWORD": SECRET,
            "SMTP_CA_FILE": "/etc/ca.pem",
            "SMTP_CLIENT_CERTIFICATE": "c.pem",
            "SMTP_CLIENT_KEY": "k.pem",
            "SMTP_CLIENT_KEY_PASSWORD": SECRET,
            "SMTP_MINIMUM_TLS_VERSION": "1.3",
            "SMTP_SERVER_HOSTNAME": "smtp.example.org",
            "SMTP_CONNECT_TIMEOUT": "5",
            "SMTP_TIMEOUT": "2.5",
            "SMTP_DEADLINE": "60",
            "SMTP_LOCAL_HOSTNAME": "app.example.org",
            "SMTP_SOURCE_ADDRESS": "[2001:db8::1]:2525",
            "SMTP_CLEARTEXT_LOGIN": "1",
            "SMTP_PIPELINING": "0",
            "SMTP_LMTP": "on",
        }
    )
    assert settings == SMTPSettings(
        "mail.example.org",
        587,
        "starttls",
        "user",
        SECRET,
        ca_file="/etc/ca.pem",
        client_certificate="c.pem",
        client_key="k.pem",
        client_key_password=SECRET,
        minimum_tls_version="1.3",
        server_hostname="smtp.example.org",
        connect_timeout=5,
        timeout=2.5,
        deadline=60,
        local_hostname="app.example.org",
        source_address=("2001:db8::1", 2525),
        cleartext_login=True,
        pipelining=False,
        lmtp=True,
    )


def test_a_unix_socket() -> None:
    assert read({"SMTP_UNIX_SOCKET": "/run/lmtp"}) == SMTPSettings(unix_socket="/run/lmtp")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (text, value)
        for value in (True, False)
        for text in (("0", "false", "No", "OFF"), ("1", "true", "Yes", "ON"))[value]
    ],
)
def test_switches_in_any_case(text: str, value: bool) -> None:
    assert read({**HOST, "SMTP_PIPELINING": text}).pipelining is value


def test_the_environment_is_read_where_no_mapping_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORP_MAIL_HOST", "mail.example.org")
    assert SMTPSettings.from_env("CORP_MAIL_").host == "mail.example.org"


def test_the_prefix_is_what_the_names_begin_with() -> None:
    assert read({"HOST": "mail.example.org", "SMTP_HOST": "mail.example.com"}, "").host == "mail.example.org"


def test_a_variable_that_is_empty_is_not_there() -> None:
    assert read({**HOST, "SMTP_URL": "", "SMTP_PORT": "", "SMTP_PASSWORD": "", "SMTP_USER": ""}) == SMTPSettings(
        "mail.example.org"
    )


def test_user_is_another_name_of_username() -> None:
    assert read({**HOST, "SMTP_USER": "user"}).username == "user"


def test_other_variables_with_the_prefix_are_left_to_other_software() -> None:
    assert read({**HOST, "SMTP_FROM": "a@example.org", "SMTP_COLOUR": "red"}) == SMTPSettings("mail.example.org")


@pytest.mark.parametrize("where", [{**HOST, "SMTP_USERNAME": "user"}, {"SMTP_URL": "smtp://user@mail.example.org"}])
def test_secrets_go_with_variables_and_with_a_url(where: dict[str, str]) -> None:
    assert read({**where, "SMTP_PASSWORD": SECRET}).password == SecretText(SECRET)
    assert read({**where, "SMTP_ACCESS_TOKEN": SECRET}).access_token == SecretText(SECRET)
    assert read({**where, "SMTP_PASSWORD_FILE": "run/secret"}).password == SecretFile("run/secret")
    assert read({**where, "SMTP_ACCESS_TOKEN_FILE": "/run/token"}).access_token == TokenSource(SecretFile("/run/token"))


def test_the_password_of_a_key_goes_with_a_url() -> None:
    settings = read(
        {"SMTP_URL": "smtps://mail.example.org?client_certificate=c.pem", "SMTP_CLIENT_KEY_PASSWORD": SECRET}
    )
    assert settings.client_key_password == SecretText(SECRET)


def test_a_password_goes_with_the_url_of_a_unix_socket() -> None:
    settings = read({"SMTP_URL": "lmtp+unix://user@/run/lmtp", "SMTP_PASSWORD": SECRET})
    assert settings == SMTPSettings(unix_socket="/run/lmtp", username="user", password=SECRET)


def test_a_secret_in_a_file_is_read_when_it_is_asked_for_and_each_time(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    password = read({**HOST, "SMTP_USER": "user", "SMTP_PASSWORD_FILE": str(path)}).password
    assert callable(password)
    path.write_text(f"{SECRET}\n")
    assert password() == SECRET
    path.write_text("another")
    assert password() == "another"


# What is refused.


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "wanted is SMTP_URL, or SMTP_HOST (or SMTP_UNIX_SOCKET)"),
        ({"SMTP_HOTS": "x"}, "SMTP_HOTS: did you mean SMTP_HOST?"),
        ({"smtp_host": "x"}, "smtp_host: did you mean SMTP_HOST?"),
        ({"SMTP_PASSWORD": SECRET}, "there is SMTP_PASSWORD, but no server"),
        (
            {"SMTP_HOTS": "x", "SMTP_PORT": "25"},
            "there is SMTP_PORT, but no server; SMTP_HOTS: did you mean SMTP_HOST?",
        ),
        ({**HOST, "SMTP_PORT": "0"}, "SMTP_PORT: '0' is not a port"),
        ({**HOST, "SMTP_PORT": "587\n"}, "SMTP_PORT: '587\\n' is not a port"),
        ({**HOST, "SMTP_TIMEOUT": "soon"}, "SMTP_TIMEOUT: 'soon' is not a number of seconds"),
        ({**HOST, "SMTP_PIPELINING": "maybe"}, "SMTP_PIPELINING: 'maybe' is not True or False"),
        ({**HOST, "SMTP_TLS": "ssl"}, "SMTP_TLS: 'ssl' is not"),
        ({"SMTP_HOST": "mail example"}, "SMTP_HOST: 'mail example' is not"),
        ({"SMTP_HOST": "smtp://mail.example.org"}, "SMTP_HOST: this looks like a URL, which goes into SMTP_URL"),
        ({"SMTP_URL": "smtp://mail.example.org:x"}, "SMTP_URL: port: what follows the host"),
        ({"SMTP_URL": "smtp://mail.example.org?timeuot=1"}, "SMTP_URL: timeuot: an unknown parameter; did you mean"),
        ({"SMTP_URL": "smtp://mail.example.org", "SMTP_HOST": "a"}, "SMTP_HOST: there is SMTP_URL, too"),
        ({"SMTP_URL": "smtp://mail.example.org", "SMTP_TIMEOUT": "5"}, "SMTP_TIMEOUT: there is SMTP_URL, too"),
        ({"SMTP_URL": "smtp://u@mail.example.org", "SMTP_USERNAME": "u"}, "SMTP_USERNAME: there is SMTP_URL, too"),
        ({"SMTP_URL": "smtp://mail.example.org", "SMTP_USER": "u"}, "SMTP_USER: there is SMTP_URL, too"),
        ({**HOST, "SMTP_USER": "u", "SMTP_USERNAME": "u"}, "SMTP_USER: there is SMTP_USERNAME, too"),
        ({**HOST, "SMTP_PASSWORD": SECRET}, "SMTP_PASSWORD: there is no username"),
        ({**HOST, "SMTP_PASSWORD_FILE": "/x"}, "SMTP_PASSWORD_FILE: there is no username"),
        ({**HOST, "SMTP_PASSWORD_FILE": "/x\0"}, "SMTP_PASSWORD_FILE: it is not the path of a file"),
        ({**HOST, "SMTP_CLIENT_KEY": "k"}, "SMTP_CLIENT_KEY: it belongs to a client_certificate"),
    ],
)
def test_what_cannot_be_is_refused_with_the_variable_and_the_reason(environ: dict[str, str], said: str) -> None:
    assert said in str(refused(read, environ))


def test_what_is_no_text_is_refused() -> None:
    environ: Any = {**HOST, "SMTP_PORT": 25}
    assert "SMTP_PORT: an environment variable is a str" in str(refused(read, environ))


@pytest.mark.parametrize("where", [{**HOST, "SMTP_USERNAME": "u"}, {"SMTP_URL": "smtp://u@mail.example.org"}])
@pytest.mark.parametrize("name", ["PASSWORD", "ACCESS_TOKEN"])
def test_a_secret_and_a_file_of_it_are_not_both(where: dict[str, str], name: str) -> None:
    error = refused(read, {**where, f"SMTP_{name}": SECRET, f"SMTP_{name}_FILE": "/run/secret"})
    assert f"SMTP_{name}: there is SMTP_{name}_FILE, too" in str(error)


@pytest.mark.parametrize("name", ["SMTP_PASSWORD", "SMTP_PASSWORD_FILE"])
def test_a_url_with_a_password_and_another_one_are_not_both(name: str) -> None:
    error = refused(read, {"SMTP_URL": "smtp://user:geheim@mail.example.org", name: SECRET})
    assert f"{name}: there is a password in SMTP_URL, too" in str(error)


def test_a_password_and_a_token_are_not_both() -> None:
    environ = {**HOST, "SMTP_USER": "u", "SMTP_PASSWORD": SECRET, "SMTP_ACCESS_TOKEN": SECRET}
    assert "SMTP_ACCESS_TOKEN: there is a password, too" in str(refused(read, environ))
    assert "SMTP_ACCESS_TOKEN: there is a password, too" in str(
        refused(read, {"SMTP_URL": f"smtp://u:{SECRET[:9]}@mail.example.org", "SMTP_ACCESS_TOKEN": SECRET})
    )


def test_near_matches_are_named_without_their_values() -> None:
    error = refused(read, {"SMTP_HOTS": SECRET, "SMTP_PASWORD": SECRET, "OTHER": SECRET})
    assert "SMTP_PASWORD: did you mean SMTP_PASSWORD?" in str(error)
    assert "OTHER" not in str(error)


# What must not be shown.


@pytest.mark.parametrize(
    "environ",
    [
        {"SMTP_HOST": f"smtp://user:{SECRET}@mail.example.org"},
        {"SMTP_HOST": f"user:{SECRET}@mail.example.org"},
        {"SMTP_URL": f"smtp://user:{SECRET}/@mail.example.org"},
        {"SMTP_URL": f"user:{SECRET}@mail.example.org"},
        {"SMTP_URL": f"smtps://user:{SECRET}@mail.example.org", "SMTP_PORT": "25"},
        {"SMTP_URL": "smtps://user@mail.example.org", "SMTP_PASSWORD": f"{SECRET}\n"},
        {"SMTP_URL": f"smtps://user:{SECRET}@mail.example.org", "SMTP_PASSWORD": SECRET},
        {**HOST, "SMTP_USER": "user", "SMTP_PASSWORD": f"{SECRET}\n"},
        {**HOST, "SMTP_USER": "user", "SMTP_PASSWORD": SECRET, "SMTP_PORT": "x"},
        {**HOST, "SMTP_USER": "user", "SMTP_ACCESS_TOKEN": SECRET, "SMTP_TLS": "x"},
        {**HOST, "SMTP_CLIENT_KEY_PASSWORD": SECRET},
        {**HOST, "SMTP_PASSWORD_FILE": f"{SECRET}\0"},
        {**HOST, "SMTP_PORT": "x", "AWS_SECRET": SECRET},
        {"DATABASE_URL": SECRET},
    ],
)
def test_no_error_shows_a_secret_nor_the_environment(environ: dict[str, str]) -> None:
    refused(read, environ)


def _values() -> st.SearchStrategy[str]:
    return st.text(max_size=8) | st.sampled_from(
        ["25", "none", "user", "mail.example.org", "smtps://u@mail.example.org"]
    )


_OTHERS = ["TIMEOUT", "DEADLINE", "SOURCE_ADDRESS", "PIPELINING", "LMTP", "UNIX_SOCKET", "LOCAL_HOSTNAME", "HOTS"]
_NAMES = [
    "URL",
    "HOST",
    "PORT",
    "TLS",
    "USER",
    "USERNAME",
    "PASSWORD",
    "PASSWORD_FILE",
    "ACCESS_TOKEN",
    "CA_FILE",
    *_OTHERS,
]
_VARIABLES = st.dictionaries(st.sampled_from(_NAMES).map("SMTP_".__add__), _values())


@given(_VARIABLES)
def test_whatever_there_is_nothing_but_invalid_settings_is_raised(environ: dict[str, str]) -> None:
    planted = {name: SECRET + value if name == "SMTP_PASSWORD" else value for name, value in environ.items()}
    try:
        shown = repr(read(planted))
    except InvalidSettings as error:
        shown = shown_by(error)
    assert not [piece for piece in pieces() if piece in shown]


def test_a_mapping_that_is_no_dict_will_do() -> None:
    class Mine(Mapping[str, str]):
        def __getitem__(self, name: str) -> str:
            return HOST[name]

        def __iter__(self) -> Iterator[str]:
            return iter(HOST)

        def __len__(self) -> int:
            return len(HOST)

    assert read(Mine()).host == "mail.example.org"
