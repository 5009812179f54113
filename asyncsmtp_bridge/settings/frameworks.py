"""Frameworks: settings read from what a Django or Flask project has already.

Owns the names and the defaults of Django 4.2 to 6.1, Flask-Mail 0.10 and Flask-Mailman 1.1, and what their SMTP
backends do with them. What they do and settings cannot is said in the log, by name. Two things differ on purpose:
certificates are verified, which Flask's extensions do not do for STARTTLS, and no password is told in clear text.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from typing import Any

from .checking import InvalidSettings, refuse
from .credentials import Unshown
from .fields import SMTPSettings
from .reading import made, switch_of, value_of

logger = logging.getLogger("asyncsmtp_bridge")

_DJANGO = {
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",
    "use_tls": "EMAIL_USE_TLS",
    "use_ssl": "EMAIL_USE_SSL",
    "timeout": "EMAIL_TIMEOUT",
    "ssl_certfile": "EMAIL_SSL_CERTFILE",
    "ssl_keyfile": "EMAIL_SSL_KEYFILE",
}
"""The options of Django's SMTP backend, and the settings that they are taken from."""

_FLASK = {
    "host": "MAIL_SERVER",
    "port": "MAIL_PORT",
    "username": "MAIL_USERNAME",
    "password": "MAIL_PASSWORD",
    "use_tls": "MAIL_USE_TLS",
    "use_ssl": "MAIL_USE_SSL",
    "timeout": "MAIL_TIMEOUT",
    "ssl_certfile": "MAIL_SSL_CERTFILE",
    "ssl_keyfile": "MAIL_SSL_KEYFILE",
}

_DEFAULTS = {"host": "localhost", "port": smtplib.SMTP_PORT}

_FLASK_UNMAPPED: dict[str, tuple[Any, ...]] = {
    "MAIL_DEFAULT_SENDER": (None, ""),
    "MAIL_MAX_EMAILS": (None, 0),
    "MAIL_DEBUG": (None, False),
    "MAIL_ASCII_ATTACHMENTS": (None, False),
    "MAIL_DEFAULT_CHARSET": (None, "", "utf-8"),
    "MAIL_SEND_OPTIONS": (None, [], ()),
}
"""What has an effect that settings have no place for, unless it is one of these."""

_NOT_SMTP = {
    "django.core.mail.backends": ("console", "filebased", "locmem", "dummy"),
    "flask_mailman.backends": ("console", "file", "locmem", "dummy"),
}
"""Backends that send nothing to a server."""

_MAILER = "default"


def from_django(held: Unshown) -> SMTPSettings:
    """Read Django's settings: those that begin with EMAIL, or the default one of MAILERS, which Django has from 6.1 on.

    Args:
        held: The settings, which no frame shows.

    Raises:
        InvalidSettings: They are not about SMTP, contradict each other, or a value cannot be.
    """
    if isinstance(held.it, Mapping):
        raise InvalidSettings("from_django: it takes an object with attributes, as django.conf.settings, not a mapping")
    if getattr(held.it, "MAILERS", None) is not None:
        return _from_mailers(Unshown(held.it.MAILERS))
    _check_backend(_path_of(getattr(held.it, "EMAIL_BACKEND", None)), "EMAIL_BACKEND")
    options = Unshown({name: getattr(held.it, place, _DEFAULTS.get(name)) for name, place in _DJANGO.items()})
    return _mapped(options, _DJANGO, [])


def _from_mailers(held: Unshown) -> SMTPSettings:
    place = f"MAILERS[{_MAILER!r}]"
    if not isinstance(held.it, Mapping) or not isinstance(held.it.get(_MAILER), Mapping):
        raise InvalidSettings(f"{place}: it is missing; it is the one that is read, and a dict with OPTIONS")
    options = Unshown(held.it[_MAILER].get("OPTIONS") or {})
    if not isinstance(options.it, Mapping):
        raise InvalidSettings(f"{place}['OPTIONS']: it is a dict")
    _check_backend(_path_of(held.it[_MAILER].get("BACKEND")), f"{place}['BACKEND']")
    places = {name: f"{place}['OPTIONS'][{name!r}]" for name in _DJANGO}
    unmapped = [f"{place}['OPTIONS'][{name!r}]" for name in options.it if name not in _DJANGO]
    unmapped += [f"MAILERS[{name!r}]" for name in held.it if name != _MAILER]
    found = Unshown({name: options.it.get(name) for name in _DJANGO})
    if found.it["port"] is None:
        del found.it["port"]  # which is another one for STARTTLS, as it is here
    return _mapped(found, places, unmapped)


def from_flask(held: Unshown) -> SMTPSettings:
    """Read the configuration of a Flask application.

    Args:
        held: The configuration, which no frame shows.

    Raises:
        InvalidSettings: They are not about SMTP, contradict each other, or a value cannot be.
    """
    if not isinstance(held.it, Mapping):
        raise InvalidSettings(f"from_flask: it takes a mapping, as app.config is, not a {type(held.it).__name__}")
    backend = _path_of(held.it.get("MAIL_BACKEND"))
    if backend is not None and "." not in backend:
        backend = f"flask_mailman.backends.{backend}"
    _check_backend(backend, "MAIL_BACKEND")
    _check_suppressed(held, has_backend=backend is not None)
    unmapped = [name for name, without in _FLASK_UNMAPPED.items() if name in held.it and held.it[name] not in without]
    options = Unshown({name: held.it.get(place, _DEFAULTS.get(name)) for name, place in _FLASK.items()})
    return _mapped(options, _FLASK, unmapped)


def _check_suppressed(held: Unshown, *, has_backend: bool) -> None:
    if _is_on(held.it.get("MAIL_SUPPRESS_SEND"), "MAIL_SUPPRESS_SEND"):
        raise InvalidSettings("MAIL_SUPPRESS_SEND: it is on, so that nothing is to be sent")
    if held.it.get("TESTING") and "MAIL_SUPPRESS_SEND" not in held.it and not has_backend:
        raise InvalidSettings(
            "TESTING: it is on, so that nothing is to be sent; to send all the same, set MAIL_SUPPRESS_SEND to False, "
            "or MAIL_BACKEND to 'smtp'"
        )


def _path_of(backend: Any) -> str | None:
    """Return where a backend is imported from; it may be given as a class."""
    if not backend:
        return None
    if isinstance(backend, str):
        return backend
    kind = backend if isinstance(backend, type) else type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def _check_backend(backend: str | None, place: str) -> None:
    if backend is None:
        return
    package, _, name = backend.removesuffix(".EmailBackend").rpartition(".")
    if name in _NOT_SMTP.get(package, ()):
        raise InvalidSettings(f"{place}: {backend!r} sends nothing to a server, and these settings are about a server")
    if name != "smtp":
        logger.warning(
            "%s: %s is not the framework's own backend for SMTP; the server's settings are read, and what it does "
            "besides, or in place of it, is not mapped",
            place,
            backend,
        )


def _is_on(value: Any, place: str) -> bool:
    """Return a switch. Frameworks take each text that is not empty for on, ``"False"`` too: those are refused."""
    if value is None or isinstance(value, int):
        return bool(value)
    if value == "":
        return False
    if not isinstance(value, str) or switch_of(value) is not True:
        refuse(place, value, "True or False; a text that is not empty, whatever it says, is taken for True")
    return True


def _mapped(options: Unshown, places: Mapping[str, str], unmapped: list[str]) -> SMTPSettings:
    """Make settings of the options of Django's SMTP backend, and log what is lost.

    Args:
        options: The values, by the names of `_DJANGO`.
        places: Where each was read.
        unmapped: What was found besides, by its name.
    """
    is_starttls = _is_on(options.it["use_tls"], places["use_tls"])
    is_implicit = _is_on(options.it["use_ssl"], places["use_ssl"])
    if is_starttls and is_implicit:
        raise InvalidSettings(
            f"{places['use_tls']}: {places['use_ssl']} is on, too; a connection is encrypted by STARTTLS "
            f"({places['use_tls']}, usual on port 587) or from the first octet ({places['use_ssl']}, on 465)"
        )
    read = Unshown({"host": options.it["host"] or "", "tls": "starttls" if is_starttls else "none"})
    if is_implicit:
        read.it["tls"] = "implicit"
    if "port" in options.it:
        read.it["port"] = _value(options, "port") or (smtplib.SMTP_SSL_PORT if is_implicit else smtplib.SMTP_PORT)
    if options.it["timeout"] not in (None, ""):
        read.it["timeout"] = read.it["connect_timeout"] = _value(options, "timeout")
    lost = [
        *_with_certificate(options, read, places, is_encrypted=is_starttls or is_implicit),
        *_with_login(options, read, places),
        *unmapped,
    ]
    settings = made(read, _places_of_fields(places))
    if lost:
        logger.warning("settings have no place for these, which are not mapped: %s", ", ".join(lost))
    if settings.password is not None and settings.tls == "none":
        logger.warning(
            "%s: the login will be refused, for the connection is not encrypted, and whoever listens would learn the "
            "password; set %s, or, if it has to be, dataclasses.replace(settings, cleartext_login=True)",
            places["username"],
            places["use_tls"],
        )
    return settings


def _value(options: Unshown, name: str) -> Any:
    return value_of(name, options.it[name]) if isinstance(options.it[name], str) else options.it[name]


def _with_certificate(options: Unshown, read: Unshown, places: Mapping[str, str], *, is_encrypted: bool) -> list[str]:
    """Read the client's certificate, and return the names of what is lost."""
    there = [name for name in ("ssl_certfile", "ssl_keyfile") if options.it[name] not in (None, "")]
    if not is_encrypted:
        return [f"{places[name]} (the connection is not encrypted)" for name in there]
    for name in there:
        read.it[_FIELDS[name]] = options.it[name]
    return []


def _with_login(options: Unshown, read: Unshown, places: Mapping[str, str]) -> list[str]:
    """Read who logs in, as all of them do it: with a name and a password, or not at all."""
    there = [name for name in ("username", "password") if options.it[name]]
    if len(there) == 1:
        return [f"{places[there[0]]} (without the other one of name and password nobody is logged in)"]
    for name in there:
        read.it[name] = options.it[name]
    return []


_FIELDS = {"ssl_certfile": "client_certificate", "ssl_keyfile": "client_key", "use_tls": "tls"}
"""Fields that are not named as the option."""


def _places_of_fields(places: Mapping[str, str]) -> dict[str, str]:
    fields = {_FIELDS.get(name, name): place for name, place in places.items()}
    return fields | {"connect_timeout": places["timeout"]}
