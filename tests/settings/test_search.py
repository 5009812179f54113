"""The search for a planted secret finds one that shows: without that, tests that find none would show nothing."""

from __future__ import annotations

import base64
import dataclasses
import logging
import smtplib
from typing import Any

import pytest

from asyncsmtp_bridge import SMTPSettings

from .planted import SECRET, found_in, told_by
from .plantings import QUOTED, Witness, post, tls_fields


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"'{SECRET}'",
        QUOTED,
        *(
            base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()
            for before in ("", "x", "xy", "\0anna\0")
            for after in ("", "\1", "\1\1")
        ),
    ],
)
def test_the_search_finds_the_secret_however_it_is_written(text: str) -> None:
    assert found_in(f"before {text} after")
    assert found_in(repr(text.encode()))
    assert not found_in(text[: len(text) // 2])


@dataclasses.dataclass(repr=False)
class _Open:
    it: Any


@pytest.mark.parametrize("value", [{"a": [(_Open(SECRET),)]}, _Open({SECRET: 1}), SMTPSettings("h", username=SECRET)])
def test_the_search_finds_the_secret_in_containers(value: Any) -> None:
    assert found_in(told_by(KeyError(value)))
    error = KeyError()
    error.more = value  # type: ignore[attr-defined]
    assert found_in(told_by(error))


def test_the_search_finds_the_secret_in_the_frames_of_smtplib() -> None:
    with post("refused") as server, pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        settings = SMTPSettings(**tls_fields(server.port))
        session = settings_without_login(settings)
        try:
            session.login("anna", SECRET)
        finally:
            session.close()
    assert found_in(told_by(caught.value))
    outer = RuntimeError()
    outer.__context__ = caught.value
    assert found_in(told_by(outer))


def settings_without_login(settings: SMTPSettings) -> smtplib.SMTP:
    return dataclasses.replace(settings, username=None).connect_sync(smtp_class=smtplib.SMTP_SSL)


def test_the_search_finds_the_secret_in_what_is_printed_and_logged(witness: Witness) -> None:
    print(SECRET)
    assert witness.found()
    assert not witness.found()
    logging.getLogger("anybody").debug("%s", [SECRET])
    assert witness.found()
