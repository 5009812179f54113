"""Which certificates are trusted where nobody said so.

Owns the TLS context that is used when a connection is secured without one, and what an error says when that context
refuses a certificate. It does not know SMTP.

smtplib accepts any certificate when no context is given (gh-91826). Here the server must prove its name, as RFC 8314,
section 4.4, and RFC 7817 want it of a client that submits mail.
"""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from . import defaults

ADVICE = (
    "smtplib would have accepted this certificate without looking at it; asyncsmtp_bridge verifies it where no context "
    "is given. To trust a CA of your own, pass context=ssl.create_default_context(cafile='ca.pem'), or for the whole "
    "process call asyncsmtp_bridge.configure(tls_context=lambda: ssl.create_default_context(cafile='ca.pem'))"
)

_verified: ssl.SSLContext | None = None
_ours: weakref.WeakSet[ssl.SSLContext] = weakref.WeakSet()


def default_context(*, fresh: bool = False) -> ssl.SSLContext:
    """Return the context of ``configure(tls_context=...)``, else one that verifies against the system's trust store.

    Called in a worker: reading the trust store takes some ten milliseconds. That is done once per process.

    Args:
        fresh: One that the caller may change, so not the one that all share.

    Raises:
        TypeError: The factory returned something else.
    """
    factory = defaults.in_force("a TLS connection").tls_context
    if factory is None:
        context = ssl.create_default_context() if fresh else _verified_context()
    else:
        context = factory()
        if not isinstance(context, ssl.SSLContext):
            raise TypeError(
                f"configure(tls_context=...) takes a function that returns an ssl.SSLContext, not {context!r}; "
                "ssl.create_default_context is one"
            )
    _ours.add(context)
    return context


def is_default(context: object) -> bool:
    """Return whether a context is one that was put where none was given."""
    return isinstance(context, ssl.SSLContext) and context in _ours


def _verified_context() -> ssl.SSLContext:
    """Return the one context that all connections share, as long as nobody weakened it."""
    global _verified
    context = _verified
    if context is None or not context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
        context = _verified = ssl.create_default_context()
    return context


@contextmanager
def refusal_explained(context: object) -> Iterator[None]:
    """Add to the error for a refused certificate what a user of smtplib needs to know; its type stays.

    Args:
        context: What decides about the certificate; nothing is added if somebody chose it for this connection.
    """
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        if is_default(context) and ADVICE not in (error.strerror or ""):
            error.strerror = f"{error.strerror}. {ADVICE}"
        raise
