"""A secret in a value that settings refuse, or in what they keep, is not shown."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.credentials import SecretText, TokenSource

from .logins import ca_file
from .planted import SECRET
from .plantings import Witness, failure, post, returned_with_seconds, tls_fields

# The password of the client's key.


@pytest.fixture
def locked_key(tmp_path: Path) -> Path:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )
    from trustme import CA

    issued = CA().issue_cert("anna.example.org")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    path = tmp_path / "client.pem"
    path.write_bytes(locked + issued.cert_chain_pems[0].bytes())
    return path


@pytest.mark.parametrize("password", [SECRET, f"{SECRET}!", f"{SECRET}{'x' * 2000}"], ids=["right", "wrong", "long"])
@pytest.mark.parametrize("has_ca", [False, True])
def test_the_password_of_the_clients_key_shows_nowhere(
    locked_key: Path, password: str, has_ca: bool, witness: Witness
) -> None:
    with post() as server:
        fields = tls_fields(server.port) | {"username": None, "ca_file": ca_file() if has_ca else None}
        settings = SMTPSettings(**fields, client_certificate=locked_key, client_key_password=password)
        if password == SECRET and has_ca:
            settings.connect_sync().close()
        else:
            error = failure(settings)
            assert password == SECRET or isinstance(error, ValueError)
            witness.sees(error)
    witness.sees(settings)
    assert not witness.found()


# Where it does not belong.


URL = f"smtps://anna:{SECRET}@mail.example.org"
MISPLACED: dict[str, dict[str, Any]] = {
    "host": {"host": URL},
    "host, without scheme": {"host": f"anna:{SECRET}@mail.example.org"},
    "username": {"username": URL, "password": "x"},
    "ca_file": {"ca_file": URL},
    "client_certificate": {"client_certificate": URL},
    "client_key": {"client_key": URL, "client_certificate": "c.pem"},
    "unix_socket": {"host": "", "unix_socket": URL},
    "server_hostname": {"server_hostname": URL},
    "local_hostname": {"local_hostname": URL},
    "source_address": {"source_address": URL},
    "port": {"port": URL},
    "tls": {"tls": URL},
    "minimum_tls_version": {"minimum_tls_version": URL},
    "password as bytes": {"username": "anna", "password": SECRET.encode()},
    "password in a list": {"username": "anna", "password": [SECRET]},
    "token as bytes": {"username": "anna", "access_token": SECRET.encode()},
    "token as a tuple": {"username": "anna", "access_token": (SECRET, 3600)},
    "key's password as bytes": {"client_certificate": "c.pem", "client_key_password": SECRET.encode()},
    "password with a line end": {"username": "anna", "password": f"{SECRET}\n"},
    "token with a line end": {"username": "anna", "access_token": f"{SECRET}\n"},
    "two": {"username": "anna", "password": SECRET, "access_token": SECRET},
    "nobody's": {"password": SECRET},
    "no certificate's": {"client_key_password": SECRET},
    "with a wrong port": {"username": "anna", "password": SECRET, "port": 70000},
    "with a wrong time": {"username": "anna", "access_token": SECRET, "timeout": -1},
}


@pytest.mark.parametrize("fields", MISPLACED.values(), ids=MISPLACED)
def test_what_is_refused_does_not_show_it(fields: dict[str, Any], witness: Witness) -> None:
    with pytest.raises(InvalidSettings) as caught:
        SMTPSettings(**{"host": "mail.example.org"} | fields)
    witness.sees(caught.value)
    assert not witness.found()


@pytest.mark.parametrize(
    "name", ["HOST", "USERNAME", "CA_FILE", "CLIENT_CERTIFICATE", "SERVER_HOSTNAME", "LOCAL_HOSTNAME", "PORT", "TLS"]
)
def test_a_url_in_another_variable_is_refused_and_does_not_show_it(name: str, witness: Witness) -> None:
    with pytest.raises(InvalidSettings) as caught:
        SMTPSettings.from_env(environ={"SMTP_HOST": "mail.example.org", "SMTP_PASSWORD": SECRET, f"SMTP_{name}": URL})
    assert name in str(caught.value)
    witness.sees(caught.value)
    assert not witness.found()


@pytest.mark.parametrize("name", ["EMAIL_HOST", "EMAIL_HOST_USER", "EMAIL_SSL_CERTFILE", "EMAIL_PORT"])
def test_a_url_in_a_framework_s_setting_is_refused_and_does_not_show_it(name: str, witness: Witness) -> None:
    values: dict[str, Any] = {
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_USE_SSL": True,
        "EMAIL_HOST_USER": "anna",
        "EMAIL_HOST_PASSWORD": SECRET,
    }
    with pytest.raises(InvalidSettings) as caught:
        SMTPSettings.from_django(SimpleNamespace(**values | {name: URL}))
    assert name in str(caught.value)
    witness.sees(caught.value)
    assert not witness.found()


def test_a_function_that_has_a_secret_is_shown_by_its_name(witness: Witness) -> None:
    class Vault:
        def __init__(self, key: str) -> None:
            self.key = key

        def __repr__(self) -> str:
            return f"Vault({self.key})"

        def read(self) -> str:
            return self.key

        __call__ = read

    vault = Vault(SECRET)
    for ask in (vault, vault.read):
        for field in ("password", "access_token"):
            fields: dict[str, Any] = {field: ask}
            settings = SMTPSettings("mail.example.org", 465, username="anna", **fields)
            print(settings, repr(settings))
    assert not witness.found()


def test_a_source_of_tokens_does_not_show_the_one_that_it_keeps(witness: Witness) -> None:
    source = TokenSource(returned_with_seconds)
    assert source.token() == SecretText(SECRET)
    settings = SMTPSettings("mail.example.org", username="anna", access_token=source)
    print(source, vars(source), file=io.StringIO())
    print(repr(source), vars(source))
    witness.sees(settings)
    assert not witness.found()
