"""Settings as a command is given them: by options, a URL, the environment, and somebody who is asked for the password.

Owns where each comes from, and that no secret comes from the command line. It does not know options' names, or what the
settings are for.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
import warnings
from dataclasses import replace
from typing import TextIO

from ..settings import InvalidSettings, SMTPSettings
from ..settings.credentials import SecretText

_SERVERS = ("SMTP_URL", "SMTP_HOST", "SMTP_UNIX_SOCKET")

_LOGINS = ("SMTP_PASSWORD", "SMTP_PASSWORD_FILE", "SMTP_ACCESS_TOKEN", "SMTP_ACCESS_TOKEN_FILE")

_KEYS = ("SMTP_CLIENT_KEY_PASSWORD",)

_EXAMPLE = "smtp+starttls://user@mail.example.org:587"

_EXPOSED = (
    "there is a password in the URL, and what is on a command line is kept in the shell's history and shown in the "
    "list of processes: leave it out, and it is asked for, or it comes from $SMTP_PASSWORD, or from the file that "
    "$SMTP_PASSWORD_FILE names; this one is better changed"
)


def is_in_environment() -> bool:
    """Whether the environment names a server."""
    return any(os.environ.get(name) for name in _SERVERS)


def from_options(host: str, port: int, timeout: float, *, starttls: bool) -> SMTPSettings:
    """Return settings without a login.

    Raises:
        InvalidSettings: The host cannot be one.
    """
    return SMTPSettings(host, port, "starttls" if starttls else "none", connect_timeout=timeout, timeout=timeout)


def from_environment(timeout: float | None = None) -> SMTPSettings:
    """Return the settings in the environment, with a password if there is a user.

    Args:
        timeout: Seconds for connecting and for each reply, in place of what is there.

    Raises:
        InvalidSettings: There are none, or they cannot be.
        KeyboardInterrupt: That was the answer to being asked for the password.
    """
    try:
        settings = SMTPSettings.from_env()
    except InvalidSettings as error:
        if is_in_environment():
            raise
        problem = f"no server: there is no URL, as {_EXAMPLE}, and {error}"
        raise InvalidSettings(problem) from None
    if timeout is not None:
        settings = replace(settings, connect_timeout=timeout, timeout=timeout)
    return _with_secret(settings)


def from_url(url: str) -> SMTPSettings:
    """Return the settings in a URL of the command line, with a password, also of the environment, if there is a user.

    Raises:
        InvalidSettings: It is none, or there is a password in it.
        KeyboardInterrupt: That was the answer to being asked for the password.
    """
    held = SecretText(url)
    is_exposed = _is_exposed(url)
    del url
    if is_exposed:
        raise InvalidSettings(_EXPOSED)
    settings = SMTPSettings.from_url(held.reveal())
    wanted = (*(_LOGINS if settings.username else ()), *(_KEYS if settings.client_certificate else ()))
    found = [name for name in wanted if os.environ.get(name)]
    if found:
        settings = SMTPSettings.from_env(
            environ={"SMTP_URL": held.reveal(), **{name: os.environ[name] for name in found}}
        )
    return _with_secret(settings)


_SECRET_PARAMETER = re.compile(r"[?&](?:password|access_token|client_key_password)=", re.IGNORECASE)


def _is_exposed(url: str) -> bool:
    """Whether there is a secret in it, also if it is not a URL as it should be."""
    scheme, slashes, rest = url.partition("://")
    login, _, _ = (rest if slashes else scheme).rpartition("@")
    return bool(login.partition(":")[2]) or _SECRET_PARAMETER.search(url) is not None


def _with_secret(settings: SMTPSettings) -> SMTPSettings:
    has_one = settings.password is not None or settings.access_token is not None
    if settings.username is None or has_one:
        return settings
    return replace(settings, password=_asked(f"Password of {settings.username} at {settings.address}: "))


def _asked(prompt: str) -> SecretText:
    """Ask somebody for a password, if there is a terminal on which it will not show."""
    if _is_terminal(sys.stdin) and _is_terminal(sys.stderr):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)  # it would show
                return SecretText(getpass.getpass(prompt, sys.stderr))
        except (EOFError, getpass.GetPassWarning):
            pass
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            raise
    raise InvalidSettings(
        "there is a user name and no password, and no terminal to ask for it: set SMTP_PASSWORD, or SMTP_PASSWORD_FILE "
        "to the name of a file that holds it (for OAuth 2.0, SMTP_ACCESS_TOKEN or SMTP_ACCESS_TOKEN_FILE)"
    )


def _is_terminal(stream: TextIO | None) -> bool:  # which is None where it was closed before the process began
    return stream is not None and stream.isatty()
