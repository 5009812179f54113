"""The fields: what they may be, how they belong together, and what settings show of themselves."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.credentials import SecretFile, SecretText

from .planted import SECRET, pieces, refused

HOST = "mail.example.org"


@pytest.mark.parametrize(
    ("fields", "port", "mode"),
    [
        ({}, 25, "opportunistic"),
        ({"port": 25}, 25, "opportunistic"),
        ({"port": 465}, 465, "implicit"),
        ({"port": 587}, 587, "starttls"),
        ({"port": 2525}, 2525, "opportunistic"),
        ({"tls": "starttls"}, 587, "starttls"),
        ({"tls": "implicit"}, 465, "implicit"),
        ({"tls": "none"}, 25, "none"),
        ({"tls": "none", "port": 465}, 465, "none"),
        ({"lmtp": True}, 2003, "opportunistic"),
        ({"lmtp": True, "port": 465}, 465, "opportunistic"),
    ],
)
def test_port_and_mode_follow_from_each_other(fields: dict[str, Any], port: int, mode: str) -> None:
    settings = SMTPSettings(HOST, **fields)
    assert (settings.port, settings.tls_mode) == (port, mode)


def test_a_unix_socket_speaks_lmtp_without_tls() -> None:
    settings = SMTPSettings(unix_socket="/run/lmtp")
    assert (settings.lmtp, settings.tls_mode, settings.port, settings.host) == (True, "none", 0, "")


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (SMTPSettings(HOST, 587), "mail.example.org:587"),
        (SMTPSettings("2001:db8::1"), "[2001:db8::1]:25"),
        (SMTPSettings(unix_socket="/run/lmtp"), "/run/lmtp"),
    ],
)
def test_the_address_is_as_a_person_writes_it(settings: SMTPSettings, address: str) -> None:
    assert settings.address == address


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("host", "", "host: it is missing"),
        ("host", 25, "host: 25 is not the name or the IP address of a host"),
        ("host", "mail example", "host: 'mail example' is not"),
        ("host", "mail..example.org", "host: 'mail..example.org' is not"),
        ("host", "a" * 300, "a…"),
        ("host", "[2001:db8::1]", "has no brackets here"),
        ("host", "mail.example.org:587", "a port goes into port="),
        ("port", 70000, "port: 70000 is not a port, a whole number from 1 to 65535"),
        ("port", -1, "port: -1 is not"),
        ("port", "587", "port: '587' is not"),
        ("port", True, "port: True is not"),
        ("tls", "ssl", "tls: 'ssl' is not 'auto', 'starttls', 'implicit' or 'none'"),
        ("tls", True, "tls: True is not"),
        ("username", "", "username: '' is not a user name"),
        ("username", "a\nb", "username: 'a\\nb' is not"),
        ("username", b"user", "username: b'user' is not"),
        ("ca_file", "", "ca_file: '' is not the path of a file"),
        ("ca_file", "a\0b", "ca_file: 'a\\x00b' is not"),
        ("ca_file", b"/etc/ca.pem", "ca_file: b'/etc/ca.pem' is not"),
        ("client_certificate", 5, "client_certificate: 5 is not"),
        ("minimum_tls_version", "1.1", "minimum_tls_version: '1.1' is not '1.2', '1.3' or None"),
        ("server_hostname", "a b", "server_hostname: 'a b' is not"),
        ("connect_timeout", 0, "connect_timeout: 0 is not a number of seconds, more than 0 and ten days at most"),
        ("timeout", -1, "timeout: -1 is not"),
        ("timeout", float("nan"), "timeout: nan is not"),
        ("timeout", float("inf"), "timeout: inf is not"),
        ("timeout", "20", "timeout: '20' is not"),
        ("timeout", None, "timeout: None is not"),
        ("deadline", 1e7, "deadline: 10000000.0 is not"),
        ("deadline", True, "deadline: True is not"),
        ("local_hostname", "a b", "local_hostname: 'a b' is not a host name, or an IP address in brackets"),
        ("local_hostname", "bücher.example", "local_hostname: 'bücher.example' is not"),
        ("local_hostname", "[mail]", "local_hostname: '[mail]' is not"),
        ("source_address", "mail.example.org", "source_address: 'mail.example.org' is not an IP address"),
        ("source_address", ("192.0.2.1", 70000), "source_address: ('192.0.2.1', 70000) is not"),
        ("cleartext_login", 1, "cleartext_login: 1 is not True or False"),
        ("pipelining", "yes", "pipelining: 'yes' is not True or False"),
        ("lmtp", None, "lmtp: None is not True or False"),
        ("password", "", "password: it is empty"),
        ("password", 5, "password: it is a str, or a function that returns one, and not of the type int"),
        ("access_token", "", "access_token: it is empty"),
        ("client_key_password", len, "client_key_password: it is a str, and not of the type builtin_function"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_field_and_what_is_allowed(name: str, value: Any, said: str) -> None:
    assert said in str(refused(SMTPSettings, **{"host": HOST, name: value}))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("run/lmtp", "unix_socket: 'run/lmtp' is not the absolute path"),
        ("/" + "a" * 107, "of 107 octets at most"),
        ("/run/\0", "unix_socket: '/run/\\x00' is not the path of a file"),
    ],
)
def test_a_unix_socket_is_an_absolute_path_that_is_not_too_long(path: str, said: str) -> None:
    assert said in str(refused(SMTPSettings, unix_socket=path))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "host: it is missing; the name or the IP address of the server, or else unix_socket="),
        ({"unix_socket": "/run/lmtp", "host": HOST}, "unix_socket: there is a host or a port, too"),
        ({"unix_socket": "/run/lmtp", "port": 24}, "unix_socket: there is a host or a port, too"),
        ({"unix_socket": "/run/lmtp", "tls": "starttls"}, "tls: 'starttls' is not for a Unix socket"),
        ({"unix_socket": "/run/lmtp", "ca_file": "ca.pem"}, "ca_file: it is for TLS"),
        ({"host": HOST, "lmtp": True, "tls": "implicit"}, "tls: 'implicit' is not for LMTP"),
        ({"host": HOST, "tls": "none", "ca_file": "ca.pem"}, "ca_file: it is for TLS"),
        ({"host": HOST, "tls": "none", "minimum_tls_version": "1.3"}, "minimum_tls_version: it is for TLS"),
        ({"host": HOST, "tls": "none", "server_hostname": HOST}, "server_hostname: it is for TLS"),
        ({"host": HOST, "client_key": "k.pem"}, "client_key: it belongs to a client_certificate"),
        ({"host": HOST, "client_key_password": SECRET}, "client_key_password: it belongs to a client_certificate"),
        ({"host": HOST, "password": SECRET}, "password: there is no username"),
        ({"host": HOST, "access_token": SECRET}, "access_token: there is no username"),
        ({"host": HOST, "username": "u", "password": SECRET, "access_token": SECRET}, "there is a password, too"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], said: str) -> None:
    assert said in str(refused(SMTPSettings, **fields))


@pytest.mark.parametrize("url", [f"smtps://user:{SECRET}@mail.example.org", f"user:{SECRET}@mail.example.org"])
def test_a_url_in_place_of_a_host_is_pointed_to_from_url_and_not_shown(url: str) -> None:
    assert "SMTPSettings.from_url()" in str(refused(SMTPSettings, url))


@pytest.mark.parametrize(
    "fields",
    [
        {"password": f"{SECRET}\n"},
        {"password": f"{SECRET}\ud800"},
        {"access_token": f"{SECRET}\r"},
        {"client_key_password": f"{SECRET}\0", "client_certificate": "c.pem"},
        {"password": SECRET.encode()},
        {"password": [SECRET]},
        {"password": SECRET, "port": 70000},
        {"password": SECRET, "tls": "ssl"},
        {"access_token": SECRET, "timeout": 0},
        {"password": SECRET, "host": f"x:{SECRET}@mail.example.org"},
    ],
)
def test_no_error_shows_a_secret(fields: dict[str, Any]) -> None:
    refused(SMTPSettings, **{"host": HOST, "username": "user"} | fields)


def _with_all_secrets(**changed: Any) -> SMTPSettings:
    fields: dict[str, Any] = {
        "username": "user",
        "password": SECRET,
        "client_certificate": "c.pem",
        "client_key_password": SECRET,
    }
    return SMTPSettings(HOST, 587, **fields | changed)


@pytest.mark.parametrize("settings", [_with_all_secrets(), _with_all_secrets(password=None, access_token=SECRET)])
def test_settings_show_no_secret(settings: SMTPSettings) -> None:
    shown = [
        repr(settings),
        str(settings),
        f"{settings}",
        repr(dataclasses.asdict(settings)),
        repr(dataclasses.astuple(settings)),
        repr(vars(settings)),
        json.dumps(vars(settings), default=str),
        repr(pickle.dumps(settings)),
        repr(pickle.dumps(copy.deepcopy(settings), 0)),
        repr(hash(settings)),
    ]
    assert not [piece for piece in pieces() for text in shown if piece in text]


def test_what_is_shown_is_what_was_said() -> None:
    assert repr(SMTPSettings(HOST)) == "SMTPSettings(host='mail.example.org', port=25)"
    assert repr(SMTPSettings(unix_socket="/run/lmtp")) == "SMTPSettings(unix_socket='/run/lmtp')"
    assert repr(_with_all_secrets()) == (
        "SMTPSettings(host='mail.example.org', port=587, username='user', password=<hidden>, "
        "client_certificate='c.pem', client_key_password=<hidden>)"
    )
    assert "password=SecretFile(path='/run/secrets/smtp')" in repr(
        SMTPSettings(HOST, username="user", password=SecretFile("/run/secrets/smtp"))
    )


def test_settings_are_values() -> None:
    assert _with_all_secrets() == _with_all_secrets()
    assert len({_with_all_secrets(), _with_all_secrets()}) == 1
    assert _with_all_secrets() != _with_all_secrets(password="another")
    assert _with_all_secrets() != _with_all_secrets(timeout=20)
    assert copy.deepcopy(_with_all_secrets()) == copy.copy(_with_all_secrets()) == _with_all_secrets()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(_with_all_secrets(), "port", 25)  # noqa: B010


def test_replace_changes_some_fields_and_keeps_the_secrets() -> None:
    changed = dataclasses.replace(_with_all_secrets(), timeout=20)
    assert changed == _with_all_secrets(timeout=20)
    assert changed.password == SecretText(SECRET)


def test_replace_checks() -> None:
    with pytest.raises(InvalidSettings, match="timeout: 0 is not"):
        dataclasses.replace(_with_all_secrets(), timeout=0)


def test_a_unix_socket_can_be_replaced_in() -> None:
    assert dataclasses.replace(SMTPSettings(unix_socket="/run/lmtp"), timeout=5).timeout == 5


def test_a_pickle_has_no_secrets_and_what_is_unpickled_says_so_when_it_is_asked() -> None:
    unpickled = pickle.loads(pickle.dumps(_with_all_secrets()))
    assert unpickled.username == "user"
    assert isinstance(unpickled.password, SecretText)
    with pytest.raises(InvalidSettings, match=r"left out when these settings were pickled.*dataclasses\.replace"):
        unpickled.password.reveal()


def test_a_pickle_of_settings_without_secrets_is_equal() -> None:
    settings = SMTPSettings(HOST, username="user", password=SecretFile("/run/secrets/smtp"), timeout=20)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_that_could_not_be_made_can_be_shown() -> None:
    """A traceback has them among the variables of its frames."""
    assert repr(SMTPSettings.__new__(SMTPSettings)) == "SMTPSettings()"


def test_paths_can_be_path_objects() -> None:
    settings = SMTPSettings(HOST, ca_file=Path("ca.pem"))
    assert settings.ca_file == "ca.pem"
    assert SMTPSettings(unix_socket=Path("/run/lmtp")).unix_socket == "/run/lmtp"


def test_one_file_has_one_path_however_its_octets_came() -> None:
    assert SMTPSettings(HOST, ca_file=os.fsdecode(b"/\xc3") + os.fsdecode(b"\xa4")).ca_file == os.fsdecode(b"/\xc3\xa4")


_ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.tuples(st.text(), st.integers())
)


@given(st.dictionaries(st.sampled_from([each.name for each in dataclasses.fields(SMTPSettings)]), _ANYTHING))
def test_whatever_is_given_nothing_but_invalid_settings_is_raised(fields: dict[str, Any]) -> None:
    with suppress(InvalidSettings):
        settings = SMTPSettings(**fields)
        assert dataclasses.replace(settings) == settings
