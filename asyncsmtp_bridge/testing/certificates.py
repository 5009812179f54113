"""Certificates: a certificate authority of its own for each server, made by trustme.

Owns the two TLS contexts. trustme is imported only when a server wants TLS.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Certificates:
    """Both sides of a server's TLS."""

    server_context: ssl.SSLContext
    client_context: ssl.SSLContext
    """Verifies, and trusts this server alone."""
    ca_pem: bytes
    """The authority's certificate, for settings that want a file."""


def issue(names: Sequence[str]) -> Certificates:
    """Make an authority and a server's certificate.

    Args:
        names: The host names and IP addresses that the certificate is for.

    Raises:
        ImportError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise ImportError(
            'TLS in SMTPTestServer needs trustme: pip install "asyncsmtp_bridge[testing]"', name="trustme"
        ) from error
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(server_context)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_context)
    return Certificates(server_context, client_context, authority.cert_pem.bytes())
