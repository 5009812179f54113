"""Logging in: which mechanism of SASL is taken, and what it answers to the server's challenges.

Owns PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195) and XOAUTH2. It knows neither sockets nor replies.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple


class Credentials:
    """Who logs in. It shows no secret; it is neither a tuple nor a dataclass, whose members error trackers show."""

    __slots__ = ("access_token", "password", "user")

    def __init__(self, user: str, password: str | None = None, access_token: str | None = None) -> None:
        self.user = user
        self.password = password
        self.access_token = access_token

    def __repr__(self) -> str:
        return f"Credentials({self.user!r})"


class Secret:
    """What is sent to log in. It shows nothing in the variables of frames, which error trackers collect."""

    __slots__ = ("_encoded",)

    def __init__(self, answer: str) -> None:
        octets = None
        with suppress(UnicodeEncodeError):  # which would show it
            octets = answer.encode()
        del answer
        if octets is None:
            raise ValueError("what is sent to log in must be text that UTF-8 can encode")
        self._encoded = base64.b64encode(octets)

    def __len__(self) -> int:
        return len(self._encoded)

    def line(self, before: str = "") -> bytes:
        """Return it as a line, after what comes before it."""
        # After a command nothing at all would mean that there is no answer yet (RFC 4954, section 4).
        return before.encode() + (self._encoded or (b"=" if before else b"")) + b"\r\n"


class Mechanism(NamedTuple):
    """One way to log in."""

    name: str
    is_clear: bool
    """Whether who listens has the secret."""
    needs: str
    """Which of the credentials."""
    answers: Callable[[Credentials, int, bytes], str]
    """To a challenge; with how many came before it."""
    begins: bool = False
    """Whether the first answer needs no challenge, and may go with the command."""


def _plain(who: Credentials, _count: int, _challenge: bytes) -> str:
    return f"\0{who.user}\0{who.password}"


def _login(who: Credentials, count: int, _challenge: bytes) -> str:
    return who.user if count == 0 else who.password or ""


def _cram_md5(who: Credentials, _count: int, challenge: bytes) -> str:
    digest = hmac.new((who.password or "").encode(), challenge, "md5").hexdigest()
    return f"{who.user} {digest}"


def _xoauth2(who: Credentials, count: int, _challenge: bytes) -> str:
    # A second challenge is the error, as JSON; an empty answer to it brings the refusal.
    return "" if count else f"user={who.user}\1auth=Bearer {who.access_token}\1\1"


_PLAIN = Mechanism("PLAIN", True, "password", _plain, begins=True)
_LOGIN = Mechanism("LOGIN", True, "password", _login)
_CRAM_MD5 = Mechanism("CRAM-MD5", False, "password", _cram_md5)
_XOAUTH2 = Mechanism("XOAUTH2", True, "access_token", _xoauth2, begins=True)

# The best first. On an encrypted connection what is simplest: CRAM-MD5 has servers keep passwords readable, and many
# that offer it cannot do it. Without, what does not tell the password.
_ENCRYPTED = (_XOAUTH2, _PLAIN, _LOGIN, _CRAM_MD5)
_UNENCRYPTED = (_CRAM_MD5, _XOAUTH2, _PLAIN, _LOGIN)

CLEAR = frozenset(mechanism.name for mechanism in _ENCRYPTED if mechanism.is_clear)
"""The names of mechanisms by which who listens has the secret."""


def suitable(offered: Iterable[str], who: Credentials, *, is_encrypted: bool) -> list[Mechanism]:
    """Return the mechanisms that can be used, the best first.

    Args:
        offered: The names that the server offers.
        who: Who logs in.
        is_encrypted: Whether nobody can listen.
    """
    names = {name.upper() for name in offered}
    known = _ENCRYPTED if is_encrypted else _UNENCRYPTED
    needed = "password" if who.access_token is None else "access_token"
    return [each for each in known if each.name in names and each.needs == needed and _is_possible(each)]


def _is_possible(mechanism: Mechanism) -> bool:
    if mechanism is not _CRAM_MD5:
        return True
    try:
        hmac.new(b"", b"", "md5")
    except ValueError:  # where the system forbids MD5
        return False
    return True


def check(who: Credentials) -> None:
    """Refuse credentials that no mechanism can carry.

    Raises:
        ValueError: There is neither a password nor a token, or both, or a NUL, which ends a field in PLAIN, or a
            control character in what goes with a token.
    """
    if (who.password is None) == (who.access_token is None):
        raise ValueError("login() takes a password, or an access_token=, and not both")
    if "\0" in who.user or "\0" in (who.password or ""):
        raise ValueError("user name and password cannot have a NUL (RFC 4616)")
    if any(0xD800 <= ord(each) <= 0xDFFF for each in who.user + (who.password or "") + (who.access_token or "")):
        raise ValueError("user name, password and access token must be text that UTF-8 can encode (RFC 4616)")
    if who.access_token is not None and any(ord(each) < 32 for each in who.user + who.access_token):
        raise ValueError("the user name and the access token cannot have control characters")
