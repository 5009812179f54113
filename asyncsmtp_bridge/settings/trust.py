"""Trust: the TLS context that settings ask for.

Owns which certificates are trusted, and which one is shown. Contexts are kept, since reading the trust store takes tens
of milliseconds, until one of their files has changed.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .. import defaults
from ..tls import default_context
from .checking import InvalidSettings
from .credentials import SecretText

if TYPE_CHECKING:
    from .fields import SMTPSettings

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(settings: SMTPSettings) -> ssl.SSLContext:
    """Return the context that a connection is encrypted with; nobody may change it.

    Args:
        settings: With nothing about TLS in them it is that of ``configure(tls_context=...)``, else Python's.

    Raises:
        InvalidSettings: A file cannot be read, or is no such thing; or somebody else makes the context.
    """
    own = [name for name in _OWN if getattr(settings, name) is not None]
    if not own:
        return default_context()
    if settings.ca_file is None and defaults.in_force("a TLS connection").tls_context is not None:
        raise InvalidSettings(
            f"{own[0]}: configure(tls_context=...) makes the context of this process's connections: put it there, or "
            "set ca_file besides, for a context of these settings' own"
        )
    wanted = _Wanted(
        settings.ca_file,
        settings.client_certificate,
        settings.client_key,
        settings.client_key_password,
        settings.minimum_tls_version,
        tuple(_stamp(name, getattr(settings, name)) for name in _FILES),
    )
    context = _kept(wanted)
    if not context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
        # A session has it as an attribute, where somebody may have weakened it.
        _kept.cache_clear()
        context = _kept(wanted)
    return context


def context_for_any_name(settings: SMTPSettings) -> ssl.SSLContext:
    """Return one that takes a trusted certificate whatever name is in it, to see the name; not to send over.

    It has no certificate of the client's, since nobody knows who is there.

    Raises:
        InvalidSettings: As above.
    """
    if settings.ca_file is not None:
        context = _load("ca_file", settings.ca_file, lambda: ssl.create_default_context(cafile=settings.ca_file))
    elif defaults.in_force("a TLS connection").tls_context is None:
        context = ssl.create_default_context()
    else:
        # What somebody else has made is not changed: all connections may share it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for certificate in default_context().get_ca_certs(binary_form=True):
            context.load_verify_locations(cadata=certificate)
    context.check_hostname = False
    return context


_FILES = ("ca_file", "client_certificate", "client_key")
_OWN = ("client_certificate", "minimum_tls_version", "ca_file")


class _Wanted(NamedTuple):
    """What makes a context another one."""

    ca_file: str | None
    client_certificate: str | None
    client_key: str | None
    client_key_password: SecretText | None
    minimum_tls_version: str | None
    stamps: tuple[object, ...]


def _stamp(field: str, path: str | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError as error:
        raise InvalidSettings(f"{field}: {path!r}: {error.strerror}") from None
    return found.st_mtime_ns, found.st_ino


@functools.lru_cache(maxsize=16)
def _kept(wanted: _Wanted) -> ssl.SSLContext:
    path = wanted.ca_file
    if path is None:
        context = ssl.create_default_context()
    else:
        context = _load("ca_file", path, lambda: ssl.create_default_context(cafile=path))
    if wanted.minimum_tls_version is not None:
        context.minimum_version = _VERSIONS[wanted.minimum_tls_version]
    if wanted.client_certificate is not None:
        _load_client_certificate(context, wanted)
    return context


def _load_client_certificate(context: ssl.SSLContext, wanted: _Wanted) -> None:
    certificate, key, password = wanted.client_certificate, wanted.client_key, wanted.client_key_password
    assert certificate is not None  # noqa: S101 - or else there is nothing to load

    def ask() -> str:
        # Without one OpenSSL would ask on the terminal, and wait for ever.
        return "" if password is None else password.reveal()

    _load("client_certificate", certificate, lambda: context.load_cert_chain(certificate, key, ask))


_Loaded = TypeVar("_Loaded")


def _load(field: str, path: str, load: Callable[[], _Loaded]) -> _Loaded:
    """Load a file, and say in an error which one it was: OpenSSL does not."""
    try:
        return load()
    except ssl.SSLError as error:
        wanted = "no certificate in PEM"
        if field == "client_certificate":
            wanted = (
                "no certificate and key that belong together, in PEM; or, if the key is encrypted, client_key_password "
                "is missing or wrong"
            )
        why = f"{wanted} ({error.strerror or error})"
    except OSError as error:
        why = f"{error.strerror}"
    except ValueError as error:  # a password that is too long
        why = str(error)
    raise InvalidSettings(f"{field}: {path!r}: {why}")
