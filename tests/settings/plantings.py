"""Where a secret is planted, what goes wrong then, and a witness of all that is shown."""

from __future__ import annotations

import base64
import dataclasses
import logging
import smtplib
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asyncsmtp_bridge import PipelinedSMTP_SSL, SMTPSettings
from asyncsmtp_bridge.settings.credentials import SecretFile, SecretText
from tests.servers import Talk
from tests.wire.talking import Answer, Post, hang_up

from .logins import ca_file
from .planted import SECRET, found_in, told_by, told_by_value

# Where it is planted.

Planting = Callable[[int, Path], SMTPSettings]
QUOTED = urllib.parse.quote(SECRET, safe="")


def _returned() -> str:
    return SECRET


def returned_with_seconds() -> tuple[str, float]:
    return SECRET, 3600


def tls_fields(port: int) -> dict[str, Any]:
    return {"host": "localhost", "port": port, "tls": "implicit", "username": "anna", "ca_file": ca_file()}


def _file(path: Path) -> SecretFile:
    path.write_text(f"{SECRET}\n")
    return SecretFile(str(path))


def _environ(port: int, **more: str) -> SMTPSettings:
    fields = {f"SMTP_{name.upper()}": str(value) for name, value in tls_fields(port).items()}
    return SMTPSettings.from_env(environ=fields | more)


def _django(port: int) -> SMTPSettings:
    found = SMTPSettings.from_django(
        SimpleNamespace(
            EMAIL_HOST="localhost",
            EMAIL_PORT=port,
            EMAIL_USE_SSL=True,
            EMAIL_HOST_USER="anna",
            EMAIL_HOST_PASSWORD=SECRET,
        )
    )
    return dataclasses.replace(found, ca_file=ca_file())


def _flask(port: int) -> SMTPSettings:
    config = {
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": port,
        "MAIL_USE_SSL": True,
        "MAIL_USERNAME": "anna",
        "MAIL_PASSWORD": SECRET,
    }
    return dataclasses.replace(SMTPSettings.from_flask(config), ca_file=ca_file())


PLANTED: dict[str, Planting] = {
    "password": lambda port, _: SMTPSettings(**tls_fields(port), password=SECRET),
    "password asked for": lambda port, _: SMTPSettings(**tls_fields(port), password=_returned),
    "password in a file": lambda port, path: SMTPSettings(**tls_fields(port), password=_file(path)),
    "token": lambda port, _: SMTPSettings(**tls_fields(port), access_token=SECRET),
    "token asked for": lambda port, _: SMTPSettings(**tls_fields(port), access_token=_returned),
    "token with seconds": lambda port, _: SMTPSettings(**tls_fields(port), access_token=returned_with_seconds),
    "replaced": lambda port, _: dataclasses.replace(
        SMTPSettings(**tls_fields(port), password="x"), password=SecretText(SECRET)
    ),
    "URL": lambda port, _: SMTPSettings.from_url(f"smtps://anna:{QUOTED}@localhost:{port}?ca_file={ca_file()}"),
    "environment": lambda port, _: _environ(port, SMTP_PASSWORD=SECRET),
    "environment, token": lambda port, _: _environ(port, SMTP_ACCESS_TOKEN=SECRET),
    "environment, file": lambda port, path: _environ(port, SMTP_PASSWORD_FILE=_file(path).path),
    "environment, URL": lambda port, _: SMTPSettings.from_env(
        environ={"SMTP_URL": f"smtps://anna:{QUOTED}@localhost:{port}?ca_file={ca_file()}"}
    ),
    "Django": lambda port, _: _django(port),
    "Flask": lambda port, _: _flask(port),
}

# What goes wrong.


def _silent(talk: Talk) -> None:
    talk.wait_for_the_end()


def _reset(talk: Talk) -> None:
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    talk.connection.close()


def _endless(talk: Talk) -> None:
    while True:
        talk.say("334 " + base64.b64encode(b"and?").decode())
        talk.expect()


FAULTS: dict[str, dict[str, Answer]] = {
    "refused": {"AUTH": "535 5.7.8 no"},
    "refused after the challenge": {"AUTH": ("334 ", "334 e30=", "535 5.7.8 no")},
    "refused for now": {"AUTH": "454 4.7.0 later"},
    "too many": {"AUTH": "421 4.7.0 too many"},
    "unknown": {"AUTH": "502 5.5.2 what?"},
    "hung up": {"AUTH": hang_up},
    "hung up after the challenge": {"AUTH": ("334 ", "421 bye")},
    "reset": {"AUTH": _reset},
    "silent": {"AUTH": _silent},
    "endless": {"AUTH": _endless},
    "no reply": {"AUTH": "what?"},
    "no base64": {"AUTH": "334 $$$"},
    "no EHLO": {"EHLO": "554 no", "HELO": "554 no"},
    "no AUTH": {"EHLO": "250 mail.example.org"},
    "silent at EHLO": {"EHLO": _silent},
}


class OwnPipelined(PipelinedSMTP_SSL):
    debuglevel = 2


class OwnSMTP(smtplib.SMTP_SSL):
    """As an organisation's."""

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        return super().login(user, password, initial_response_ok=initial_response_ok)


CLASSES: dict[str, Any] = {
    "ours": None,
    "ours, debugged": OwnPipelined,
    "smtplib's": smtplib.SMTP_SSL,
    "an own one": OwnSMTP,
}


class Witness:
    """Sees what is shown: logs, output, errors, values."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        self._caplog, self._capfd = caplog, capfd
        self.shown: list[str] = []

    def sees(self, *what: Any) -> None:
        for each in what:
            self.shown.append(told_by(each) if isinstance(each, BaseException) else told_by_value(each))

    def found(self) -> list[str]:
        out, err = self._capfd.readouterr()
        formatter = logging.Formatter()
        records = [f"{formatter.format(each)} {vars(each)}" for each in self._caplog.records]
        return found_in("\n".join([*self.shown, out, err, *records]))


@contextmanager
def post(fault: str = "", offered: str = "AUTH XOAUTH2 PLAIN LOGIN") -> Iterator[Post]:
    answers: dict[str, Answer] = {"AUTH": "235 welcome"} | FAULTS.get(fault, {})
    with Post(offered, answers=answers, is_encrypted=True) as server:
        yield server


def failure(settings: SMTPSettings, smtp_class: Any = None) -> BaseException:
    try:
        settings.connect_sync(smtp_class=smtp_class).close()
    except BaseException as error:
        return error
    pytest.fail("it did not fail")


def impatient(settings: SMTPSettings, fault: str) -> SMTPSettings:
    return dataclasses.replace(settings, timeout=0.1 if "silent" in fault else 10)
