"""The environment: settings read from its variables.

Owns the variables' names, and which of them go together. It does not know how a URL or a value is written.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import Any

from .checking import InvalidSettings
from .credentials import SecretFile, SecretText, Unshown
from .fields import DEFAULTS, SMTPSettings
from .reading import made, nearest, value_of
from .url import settings_from as settings_from_url

logger = logging.getLogger("asyncsmtp_bridge")

_SECRETS = ("password", "access_token", "client_key_password")
"""Fields that go with a URL, too."""

_FROM_FILES = ("password", "access_token")

_NAMES = {name.upper(): name for name in DEFAULTS} | {"USER": "username"}
"""What follows the prefix, and the field."""

_FILES = {f"{name.upper()}_FILE": name for name in _FROM_FILES}


def settings_from(held: Unshown, prefix: str) -> SMTPSettings:
    """Read settings from variables.

    Args:
        held: A mapping of them, which no frame shows.
        prefix: What their names begin with.

    Raises:
        InvalidSettings: There are none, or they contradict each other, or a value cannot be.
    """
    _warn_of_ignored(held, prefix)
    names = [name for name in _NAMES | _FILES | {"URL": ""} if _is_there(held, prefix + name)]
    _check_kinds(held, prefix, names)
    _check_together(prefix, names)
    has_url = "URL" in names
    if not has_url and "HOST" not in names and "UNIX_SOCKET" not in names:
        raise InvalidSettings(_missing(held, prefix, names))
    if "HOST" in names and "://" in held.it[f"{prefix}HOST"]:
        raise InvalidSettings(f"{prefix}HOST: this looks like a URL, which goes into {prefix}URL; a host is a name")
    read = Unshown({})
    places = {}
    for name in names:
        if name == "URL":
            continue
        field = _FILES[name] if name in _FILES else _NAMES[name]
        places[field] = prefix + name
        read.it[field] = _value(held, prefix, name, field)
    if not has_url:
        return made(read, places)
    return _with_secrets(_from_url(held, prefix), read, prefix, places)


def _is_there(held: Unshown, name: str) -> bool:
    return held.it.get(name) not in (None, "")


def _value(held: Unshown, prefix: str, name: str, field: str) -> Any:
    if name in _FILES:
        return SecretFile(held.it[prefix + name])
    if field in _SECRETS:
        return SecretText(held.it[prefix + name])
    return value_of(field, held.it[prefix + name])


def _check_kinds(held: Unshown, prefix: str, names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(held.it[prefix + name], str):
            kind = type(held.it[prefix + name]).__name__
            raise InvalidSettings(f"{prefix}{name}: an environment variable is a str, and this is of the type {kind}")
        if name in _FILES and "\0" in held.it[prefix + name]:
            raise InvalidSettings(f"{prefix}{name}: it is not the path of a file")


def _check_together(prefix: str, names: Iterable[str]) -> None:
    for one, other in (("USER", "USERNAME"), ("PASSWORD", "PASSWORD_FILE"), ("ACCESS_TOKEN", "ACCESS_TOKEN_FILE")):
        if one in names and other in names:
            raise InvalidSettings(f"{prefix}{one}: there is {prefix}{other}, too; leave one of them out")
    if "URL" not in names:
        return
    for name in names:
        if name in _NAMES and _NAMES[name] not in _SECRETS:
            raise InvalidSettings(
                f"{prefix}{name}: there is {prefix}URL, too, which says it all but for secrets; leave one of them out"
            )


def _from_url(held: Unshown, prefix: str) -> SMTPSettings:
    try:
        return settings_from_url(SecretText(held.it[f"{prefix}URL"]))
    except InvalidSettings as error:
        problem = str(error)
    raise InvalidSettings(f"{prefix}URL: {problem}")


def _with_secrets(settings: SMTPSettings, read: Unshown, prefix: str, places: dict[str, str]) -> SMTPSettings:
    if not read.it:
        return settings
    if settings.password is not None and "password" in places:
        raise InvalidSettings(f"{places['password']}: there is a password in {prefix}URL, too; leave one of them out")
    kept = {each.name: getattr(settings, each.name) for each in dataclasses.fields(settings)}
    return made(Unshown(kept | read.it), places)


def _missing(held: Unshown, prefix: str, names: list[str]) -> str:
    wanted = f"{prefix}URL, or {prefix}HOST (or {prefix}UNIX_SOCKET) and one variable for each other field"
    found = f"; there is {', '.join(prefix + name for name in names)}, but no server" if names else ""
    guesses = "".join(f"; {name}: did you mean {meant}?" for name, meant in _near_matches(held, prefix))
    return f"no settings in the environment: wanted is {wanted}{found}{guesses}"


_ELSEWHERE = {
    **dict.fromkeys(("SERVER", "HOSTNAME", "ADDRESS"), "HOST"),
    **dict.fromkeys(("LOGIN", "USER_NAME"), "USERNAME"),
    **dict.fromkeys(("PASS", "PASSWD"), "PASSWORD"),
    **dict.fromkeys(("SSL", "USE_SSL", "USE_TLS", "STARTTLS", "SECURE", "ENCRYPTION"), "TLS"),
}
"""What other software calls some of them."""


def _warn_of_ignored(held: Unshown, prefix: str) -> None:
    """Say which variables were probably meant for these settings, and were not read."""
    ignored = [f"{name} (did you mean {meant}?)" for name, meant in _near_matches(held, prefix, likeness=0.8)]
    if ignored:
        logger.warning("environment variables that are no settings, and are not read: %s", ", ".join(ignored))


def _near_matches(held: Unshown, prefix: str, likeness: float = 0.6) -> list[tuple[str, str]]:
    """Return variables that are almost one of ours, by their names, with what they were probably meant to be."""
    ours = [prefix + name for name in (*_NAMES, *_FILES, "URL")]
    matches = []
    for name in sorted(each for each in held.it if isinstance(each, str) and each not in ours):
        if not name.upper().startswith(prefix.upper()):
            continue
        said = name[len(prefix) :].upper()
        meant = _ELSEWHERE.get(said) or nearest(said, ("URL", *_NAMES, *_FILES), likeness)
        if meant is not None:
            matches.append((name, prefix + meant))
    return matches[:5]
