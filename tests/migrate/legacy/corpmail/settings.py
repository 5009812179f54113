"""Where mail goes: from the environment, at import."""

import os
import ssl
from functools import lru_cache

HOST = os.environ.get("MAIL_HOST", "localhost")
PORT = int(os.environ.get("MAIL_PORT", "25"))
TLS_PORT = int(os.environ.get("MAIL_TLS_PORT", "465"))
STARTTLS_PORT = int(os.environ.get("MAIL_STARTTLS_PORT", "587"))
LMTP_PORT = int(os.environ.get("MAIL_LMTP_PORT", "24"))
LMTP_SOCKET = os.environ.get("MAIL_LMTP_SOCKET", "/var/run/lmtp.sock")
USER = os.environ.get("MAIL_USER", "robot")
PASSWORD = os.environ.get("MAIL_PASSWORD", "")
TIMEOUT = 30.0


@lru_cache(maxsize=None)
def tls_context(port: int) -> ssl.SSLContext:
    """The context that trusts the authority behind the server on a port."""
    return ssl.create_default_context(cafile=os.environ.get(f"MAIL_CA_FILE_{port}"))
