"""URLs: what they mean, how settings are written as one, and what is said of those that cannot be."""

from __future__ import annotations

import dataclasses
import os
import string
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.checking import is_sayable
from asyncsmtp_bridge.settings.credentials import SecretText

from .planted import SECRET, pieces, refused, shown_by

# What a URL means.


@pytest.mark.parametrize(
    ("url", "tls", "port", "lmtp"),
    [
        ("smtp://mail.example.org", "auto", 25, False),
        ("smtp://mail.example.org?tls=none", "none", 25, False),
        ("smtp+starttls://mail.example.org", "starttls", 587, False),
        ("smtps://mail.example.org", "implicit", 465, False),
        ("lmtp://mail.example.org", "auto", 2003, True),
        ("lmtp://mail.example.org?tls=starttls", "starttls", 2003, True),
        ("lmtp://mail.example.org:24?tls=none", "none", 24, True),
        ("SMTPS://mail.example.org:2465/", "implicit", 2465, False),
    ],
)
def test_the_scheme_says_how_a_connection_is_encrypted(url: str, tls: Any, port: int, lmtp: bool) -> None:
    assert SMTPSettings.from_url(url) == SMTPSettings("mail.example.org", port, tls, lmtp=lmtp)


def test_a_unix_socket_is_a_path_after_three_slashes() -> None:
    settings = SMTPSettings.from_url("lmtp+unix:///run/dovecot/l%20m%25tp")
    assert settings == SMTPSettings(unix_socket="/run/dovecot/l m%tp")


def test_a_unix_socket_can_have_a_user_and_parameters() -> None:
    settings = SMTPSettings.from_url("lmtp+unix://user:geheim@/run/lmtp?timeout=5&cleartext_login=yes")
    assert settings == SMTPSettings(
        unix_socket="/run/lmtp", username="user", password="geheim", timeout=5, cleartext_login=True
    )


def test_each_field_is_a_parameter_by_its_name() -> None:
    settings = SMTPSettings.from_url(
        "smtp+starttls://user%40example.com@mail.example.org:587?ca_file=/etc/ca.pem&client_certificate=c.pem"
        "&client_key=k.pem&minimum_tls_version=1.3&server_hostname=smtp.example.org&connect_timeout=5&timeout=2.5"
        "&deadline=1e2&local_hostname=app.example.org&source_address=192.0.2.1:2525&cleartext_login=1&pipelining=off"
    )
    assert settings == SMTPSettings(
        "mail.example.org",
        587,
        "starttls",
        "user@example.com",
        ca_file="/etc/ca.pem",
        client_certificate="c.pem",
        client_key="k.pem",
        minimum_tls_version="1.3",
        server_hostname="smtp.example.org",
        connect_timeout=5,
        timeout=2.5,
        deadline=100,
        local_hostname="app.example.org",
        source_address=("192.0.2.1", 2525),
        cleartext_login=True,
        pipelining=False,
    )


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40ss%2Fw%3Frd%23", "p@ss/w?rd#"),
        ("p@ss", "p@ss"),
        ("a:b:c", "a:b:c"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("%E2%82%AC", "€"),
        ("€", "€"),
        ("100%25", "100%"),
    ],
)
def test_a_password_is_percent_decoded(written: str, password: str) -> None:
    settings = SMTPSettings.from_url(f"smtps://user:{written}@mail.example.org")
    assert settings.username == "user"
    assert settings.host == "mail.example.org"
    assert settings.password == SecretText(password)


def test_a_plus_in_a_parameter_is_a_plus() -> None:
    assert SMTPSettings.from_url("smtps://mail.example.org?ca_file=/etc/a+b.pem").ca_file == "/etc/a+b.pem"


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("[2001:db8::1]", "2001:db8::1"),
        ("[fe80::1%25eth0]", "fe80::1%eth0"),
        ("192.0.2.1", "192.0.2.1"),
        ("b%C3%BCcher.example", "bücher.example"),
        ("bücher.example", "bücher.example"),
        ("Mail.Example.ORG.", "Mail.Example.ORG."),
    ],
)
def test_hosts(written: str, host: str) -> None:
    assert SMTPSettings.from_url(f"smtp://{written}:2525") == SMTPSettings(host, 2525)
    assert SMTPSettings.from_url(f"smtp://{written}").host == host


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:2525", ("192.0.2.1", 2525)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("[2001:db8::1]", ("2001:db8::1", 0)),
        ("[2001:db8::1]:2525", ("2001:db8::1", 2525)),
        ("%5B2001:db8::1%5D:2525", ("2001:db8::1", 2525)),
    ],
)
def test_source_addresses(written: str, address: tuple[str, int]) -> None:
    assert SMTPSettings.from_url(f"smtp://mail.example.org?source_address={written}").source_address == address


def test_a_path_is_octets() -> None:
    settings = SMTPSettings.from_url("smtps://mail.example.org?ca_file=/etc/%FF")
    assert os.fsencode(settings.ca_file or "") == b"/etc/\xff"


# How settings are written.


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (SMTPSettings("mail.example.org"), "smtp://mail.example.org:25"),
        (SMTPSettings("mail.example.org", tls="none"), "smtp://mail.example.org:25?tls=none"),
        (SMTPSettings("mail.example.org", tls="starttls"), "smtp+starttls://mail.example.org:587"),
        (SMTPSettings("mail.example.org", tls="implicit"), "smtps://mail.example.org:465"),
        (SMTPSettings("mail.example.org", lmtp=True, tls="starttls"), "lmtp://mail.example.org:2003?tls=starttls"),
        (SMTPSettings(unix_socket="/run/l m#tp"), "lmtp+unix:///run/l%20m%23tp"),
        (SMTPSettings(unix_socket="/run/lmtp", username="u"), "lmtp+unix://u@/run/lmtp"),
        (SMTPSettings("fe80::1%eth0"), "smtp://[fe80::1%25eth0]:25"),
        (SMTPSettings("bücher.example"), "smtp://b%C3%BCcher.example:25"),
        (SMTPSettings("mail.example.org", username="a@b:c+d"), "smtp://a%40b%3Ac%2Bd@mail.example.org:25"),
        (
            SMTPSettings("mail.example.org", ca_file="/a&b=c+d", timeout=20, deadline=0.5, pipelining=False),
            "smtp://mail.example.org:25?ca_file=/a%26b%3Dc%2Bd&timeout=20&deadline=0.5&pipelining=false",
        ),
        (
            SMTPSettings("mail.example.org", source_address="2001:db8::1"),
            "smtp://mail.example.org:25?source_address=2001:db8::1",
        ),
        (
            SMTPSettings("mail.example.org", source_address=("2001:db8::1", 2525)),
            "smtp://mail.example.org:25?source_address=%5B2001:db8::1%5D:2525",
        ),
    ],
)
def test_settings_are_written_as_a_url_with_what_is_no_default(settings: SMTPSettings, url: str) -> None:
    assert settings.to_url() == str(settings) == url


def test_no_secret_is_written() -> None:
    settings = SMTPSettings(
        "mail.example.org",
        tls="implicit",
        username="user",
        password=SECRET,
        client_certificate="c.pem",
        client_key_password=SECRET,
    )
    assert settings.to_url() == "smtps://user@mail.example.org:465?client_certificate=c.pem"


def test_no_function_is_written() -> None:
    settings = SMTPSettings("mail.example.org", username="user", access_token=lambda: SECRET)
    assert settings.to_url() == "smtp://user@mail.example.org:25"


# There and back again.

_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?(\.[A-Za-z]{2,8}){0,2}", fullmatch=True)
_SCOPES = st.text(string.ascii_letters + string.digits + "&?#+[;:", min_size=1, max_size=8)
_HOSTS = st.one_of(
    _LABELS,
    st.sampled_from(["bücher.example", "例え.example.org", "mail.example.org.", "_mail.example.com"]),
    st.ip_addresses().map(str),
    _SCOPES.map("fe80::1%".__add__),
)
_PATHS = st.one_of(
    st.binary(min_size=1, max_size=40).filter(lambda octets: 0 not in octets).map(os.fsdecode),
    st.text("%&#+ ?=/@:äß\udce4\udcc3\udca4ab", min_size=1, max_size=20),
)
_SECONDS = st.floats(min_value=0, max_value=864000, exclude_min=True) | st.integers(1, 864000)
_USERS = st.text(min_size=1).filter(is_sayable)


def _perhaps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def _settings(draw: st.DrawFn) -> SMTPSettings:
    fields: dict[str, Any] = {
        "username": draw(_perhaps(_USERS)),
        "connect_timeout": draw(_SECONDS),
        "timeout": draw(_SECONDS),
        "deadline": draw(_perhaps(_SECONDS)),
        "local_hostname": draw(_perhaps(_LABELS | st.sampled_from(["[192.0.2.1]", "[IPv6:fe80::1%a&b]"]))),
        "source_address": draw(_perhaps(st.tuples(st.ip_addresses().map(str), st.integers(0, 65535)))),
        "cleartext_login": draw(st.booleans()),
        "pipelining": draw(st.booleans()),
    }
    if fields["username"] is not None:
        fields["password"] = draw(_perhaps(_USERS))
    if draw(st.booleans()):
        path = draw(_PATHS.filter(lambda path: len(os.fsencode(path)) < 100))
        return SMTPSettings(unix_socket=f"/{path}", **fields)
    fields |= {"lmtp": draw(st.booleans()), "port": draw(_perhaps(st.integers(1, 65535)))}
    fields["tls"] = draw(st.sampled_from(["auto", "starttls", "none"] + ["implicit"] * (not fields["lmtp"])))
    if fields["tls"] != "none":
        fields |= {
            "ca_file": draw(_perhaps(_PATHS)),
            "client_certificate": draw(_perhaps(_PATHS)),
            "minimum_tls_version": draw(_perhaps(st.sampled_from(["1.2", "1.3"]))),
            "server_hostname": draw(_perhaps(_HOSTS)),
        }
        if fields["client_certificate"] is not None:
            fields |= {"client_key": draw(_perhaps(_PATHS)), "client_key_password": draw(_perhaps(_USERS))}
    return SMTPSettings(draw(_HOSTS), **fields)


@given(_settings())
def test_what_is_written_is_read_again_less_its_secrets(settings: SMTPSettings) -> None:
    bare = dataclasses.replace(settings, password=None, access_token=None, client_key_password=None)
    url = settings.to_url()
    assert url.isascii()
    assert SMTPSettings.from_url(url) == bare
    assert SMTPSettings.from_url(url).to_url() == url


# What cannot be.


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mail.example.org:587", "scheme: it is missing"),
        ("smtp:mail.example.org", "scheme: it is missing"),
        ("", "scheme: it is missing"),
        ("http://mail.example.org", "scheme: it is unknown; there are smtp://"),
        ("smpt://mail.example.org", "Did you mean smtp://?"),
        ("smtp+tls://mail.example.org", "smtp+starttls://, smtps:// (encrypted from the first octet)"),
        ("smtp://", "host: it is missing"),
        ("smtp://:25", "host: it is missing"),
        ("smtp://user@", "host: it is missing"),
        ("smtp://?timeout=20", "host: it is missing"),
        ("smtp://-mail-.example.org", "host: it is not the name"),
        ("smtp://m%20il.example.org", "host: it is not the name"),
        ("smtp://mail..example.org", "host: it is not the name"),
        ("smtp://2001:db8::1", "IPv6 address is written in brackets"),
        ("smtp://[2001:db8::1", "host: what is in brackets"),
        ("smtp://[mail.example.org]", "host: what is in brackets"),
        ("smtp://[192.0.2.1]", "host: what is in brackets"),
        ("smtp://[fe80::1%25%FF]", "host: what is in brackets"),
        ("smtp://[fe80::1%eth0]", "a percent sign itself is written %25"),
        ("smtp://[2001:db8::1]25", "port: what follows the host"),
        ("smtp://mail.example.org:", "port: what follows the host"),
        ("smtp://mail.example.org:smtp", "port: what follows the host"),
        ("smtp://mail.example.org:0", "port: what follows the host"),
        ("smtp://mail.example.org:70000", "port: what follows the host"),
        ("smtp://mail.example.org:-25", "port: what follows the host"),
        ("smtp://mail.example.org:\uff12\uff15", "port: what follows the host"),
        ("smtp://mail.example.org/inbox", "a path after the host"),
        ("smtp://mail.example.org#top", "there is a #"),
        ("smtp://mail.example.org?timeout=20#top", "there is a #"),
        (" smtp://mail.example.org", "a line end or a control character"),
        ("smtp://mail.example.org\n", "a line end or a control character"),
        ("smtp://mail.\texample.org", "a line end or a control character"),
        ("smtp://mail.example.org\x00", "a line end or a control character"),
        ("smtp://mail.example.org?ca_file=/a b", "a space that belongs there is written %20"),
        ("smtp://mail.example.org?ca_file=\udcff", "a line end or a control character"),
        ("smtp://mail.example.org?ca_file=%", "a % is not followed by two hexadecimal digits"),
        ("smtp://mail.example.org?ca_file=%4", "a % is not followed by two hexadecimal digits"),
        ("smtp://mail.example.org?ca_file=%zz", "a % is not followed by two hexadecimal digits"),
        ("smtp://mail.example.org?server_hostname=%FF", "server_hostname: what is percent-encoded in it is not UTF-8"),
        ("smtp://%FF@mail.example.org", "username: before the @"),
        ("smtp://@mail.example.org", "username: before the @"),
        ("smtp://u%0Aser@mail.example.org", "username: before the @"),
        ("smtp://mail.example.org?timeuot=20", "timeuot: an unknown parameter; did you mean timeout?"),
        ("smtp://mail.example.org?colour=red", "colour: an unknown parameter; there are tls, ca_file"),
        ("smtp://mail.example.org?Timeout=20", "did you mean timeout?"),
        ("smtp://mail.example.org?timeout", "something without ="),
        ("smtp://mail.example.org?timeout=20&", "something without ="),
        ("smtp://mail.example.org?timeout=20&timeout=30", "timeout: it is there twice"),
        ("smtp://mail.example.org?host=mail.example.com", "host: it is no parameter; it comes after the scheme"),
        ("smtp://mail.example.org?port=25", "port: it is no parameter; it follows the host"),
        ("smtp://mail.example.org?username=user", "username: it is no parameter; it comes before the host"),
        ("smtp://mail.example.org?lmtp=1", "lmtp: it is no parameter; the scheme says so"),
        ("smtp://mail.example.org?unix_socket=/run/lmtp", "unix_socket: it is no parameter; the scheme says so"),
        ("smtps://mail.example.org?tls=none", "tls: with smtps:// it can be 'implicit' only"),
        ("smtp+starttls://mail.example.org?tls=none", "tls: with smtp+starttls:// it can be 'starttls' only"),
        ("smtp://mail.example.org?tls=starttls", "tls: with smtp:// it can be 'auto' or 'none' only"),
        ("lmtp://mail.example.org?tls=implicit", "tls: with lmtp:// it can be 'auto' or 'starttls' or 'none' only"),
        ("lmtp+unix:///run/lmtp?tls=starttls", "tls: with lmtp+unix:// it can be 'none' only"),
        ("lmtp+unix://run/lmtp", "unix_socket: there is a host; the path comes after three slashes"),
        ("lmtp+unix://", "unix_socket: there is no path"),
        ("lmtp+unix:///run/%00", "unix_socket: there is no path"),
        ("lmtp+unix:///" + "a" * 200, "unix_socket: there is no path"),
        ("smtp://mail.example.org?timeout=soon", "timeout: 'soon' is not a number of seconds"),
        ("smtp://mail.example.org?timeout=0", "timeout: 0.0 is not a number of seconds"),
        ("smtp://mail.example.org?timeout=inf", "timeout: 'inf' is not a number of seconds"),
        ("smtp://mail.example.org?timeout=1e999", "timeout: inf is not a number of seconds"),
        ("smtp://mail.example.org?pipelining=maybe", "pipelining: 'maybe' is not True or False"),
        ("smtp://mail.example.org?ca_file=", "ca_file: '' is not the path of a file"),
        ("smtp://mail.example.org?minimum_tls_version=1.1", "minimum_tls_version: '1.1' is not"),
        ("smtp://mail.example.org?source_address=192.0.2.1:70000", "source_address: '192.0.2.1:70000' is not"),
        ("smtp://mail.example.org?source_address=[2001:db8::1]x", "source_address: '[2001:db8::1]x' is not"),
        ("smtp://mail.example.org?tls=none&ca_file=/ca", "ca_file: it is for TLS"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_the_reason(url: str, said: str) -> None:
    assert said in str(refused(SMTPSettings.from_url, url))


def test_what_is_no_text_is_refused() -> None:
    assert "a str, not a bytes" in str(refused(SMTPSettings.from_url, b"smtp://mail.example.org"))


@given(st.text())
@example("smtp://[")
@example("smtp://[::1%]")
@example("://")
def test_no_text_is_refused_by_anything_but_invalid_settings(text: str) -> None:
    for url in (text, f"smtp://{text}", f"lmtp+unix://{text}", f"smtps://mail.example.org?{text}"):
        _accepted_or_refused(url)


@given(_settings(), st.data())
def test_no_url_with_a_mistake_is_refused_by_anything_but_invalid_settings(
    settings: SMTPSettings, data: st.DataObject
) -> None:
    url = settings.to_url()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(url)))
        url = (
            url[:at]
            + data.draw(st.text(string.printable + "é\udcff", max_size=3))
            + url[at + data.draw(st.integers(0, 3)) :]
        )
    _accepted_or_refused(url)


def _accepted_or_refused(url: str) -> None:
    with suppress(InvalidSettings):
        settings = SMTPSettings.from_url(url)
        assert SMTPSettings.from_url(settings.to_url()).host == settings.host


# What must not be shown.


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("password", "user:password@ before the host"),
        ("access_token", "SMTP_ACCESS_TOKEN_FILE"),
        ("client_key_password", "SMTP_CLIENT_KEY_PASSWORD"),
        ("pasword", "did you mean password? But a parameter is no place for a secret"),
    ],
)
def test_a_secret_is_no_parameter(name: str, instead: str) -> None:
    error = refused(SMTPSettings.from_url, f"smtp://mail.example.org?{name}={SECRET.replace('&', '%26')}")
    assert instead in str(error)
    assert "SMTP_PASSWORD_FILE" in str(error) or name not in ("password", "pasword")


@pytest.mark.parametrize("special", ["/", "?", "#"])
def test_what_is_special_in_a_password_has_to_be_encoded_and_the_error_says_how(special: str) -> None:
    password = f"{SECRET[:9]}{special}{SECRET[9:]}"
    error = refused(SMTPSettings.from_url, f"smtps://user:{password}@mail.example.org:465?timeout=20")
    for encoded in ("%2F", "%3F", "%23", "%40", "%3A", "%25"):
        assert encoded in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "smtps://user:{}@",
        "smtps://user:{}@mail..example.org",
        "smtps://user:{}@mail.example.org:x",
        "smtps://user:{}@mail.example.org/path",
        "smtps://user:{}@mail.example.org#",
        "smtps://user:{}%@mail.example.org",
        "smtps://user:{}%FF@mail.example.org",
        "smtps://user:{}%00@mail.example.org",
        "smtps://user:{} @mail.example.org",
        "smtps://user:{}\n@mail.example.org",
        "smtps://:{}@mail.example.org",
        "smtpx://user:{}@mail.example.org",
        "user:{}@mail.example.org",
        "user:{}://x@mail.example.org",
        "smtps://user:{}@mail.example.org?timeout=0",
        "smtps://user:{}@mail.example.org?timeuot=20",
        "smtps://user:{}@mail.example.org?tls=none",
        "smtps://user:{}@mail.example.org?client_key=k.pem",
        "smtps://user:a@{}^",
        "smtps://user:a@b?{}=1",
        "smtps://user:{}",
        "smtps://user:{}/",
        "smtps://user:{}?timeout=20",
        "smtps://mail.example.org?x={}",
        "smtps://user@mail.example.org?{}",
        "lmtp+unix://user:{}@host/run/lmtp",
    ],
)
def test_an_error_shows_nothing_of_a_password(url: str) -> None:
    refused(SMTPSettings.from_url, url.format(SECRET))


def test_an_empty_password_is_refused() -> None:
    assert "password: it is empty" in str(refused(SMTPSettings.from_url, "smtps://user:@mail.example.org"))


@given(st.lists(st.tuples(st.integers(0, len(SECRET)), st.sampled_from("/?#@:%&= \n[]\\äü\udcff")), max_size=4))
def test_no_password_shows_however_it_is_written(insertions: list[tuple[int, str]]) -> None:
    password = SECRET
    for at, special in insertions:
        password = password[:at] + special + password[at:]
    try:
        settings = SMTPSettings.from_url(f"smtps://user:{password}@mail.example.org:465?timeout=20")
    except InvalidSettings as error:
        shown = shown_by(error)
    else:
        shown = f"{settings!r} {settings} {settings.to_url()} {dataclasses.asdict(settings)}"
        assert settings.host == "mail.example.org"
    assert not [piece for piece in pieces() if piece in shown]
