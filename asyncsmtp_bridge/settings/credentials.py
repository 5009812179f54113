"""Credentials: secrets that show nowhere, and where they come from.

Owns how a secret is kept, where one is read or asked for, and how often: a password at each connect, an access token
when the last one has expired or was refused, once however many sessions want it. It does not know SMTP.
"""

from __future__ import annotations

import base64
import hmac
import inspect
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from .checking import InvalidSettings, is_sayable

EARLY = 60.0
"""Seconds before its expiry from which on a token is not used any more; for short-lived ones a tenth of their life."""


_LONGEST = 10 * 365 * 24 * 60 * 60.0
"""Seconds; what is said to be good for longer is good for this."""


_BASE64 = re.compile(rb"[A-Za-z0-9+/]{4,}={0,2}")


def _decoded(word: bytes) -> bytes:
    try:
        return base64.b64decode(word + b"=" * (-len(word) % 4))
    except ValueError:
        return b""


_SHORTEST = 6


def _is_unmistakable(secret: bytes) -> bool:
    """Whether a text that has it cannot have it as a word of its own, as "wrong" or "password"."""
    return len(secret) >= (2 * _SHORTEST if secret.isalpha() else _SHORTEST)


class SecretText:
    """A text that shows in no ``repr``, in no JSON, in no variable of a frame, and is left out of a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text.

        Raises:
            InvalidSettings: It was left out when the settings were pickled.
        """
        if self._text is None:
            raise InvalidSettings(
                "a secret was left out when these settings were pickled; put it back with "
                "dataclasses.replace(settings, password=...), or have it asked for: password=a_function"
            )
        return self._text

    def flaw(self) -> str | None:
        """Say why no server can be told it, if so."""
        if self._text is None:
            return None
        if not self._text:
            return "it is empty; leave it out if there is none"
        if not is_sayable(self._text):
            return "it has a control character, perhaps a line end, or half a surrogate pair"
        return None

    def is_repeated_by(self, reply: bytes | str) -> bool:
        """Whether a server's reply has it, as it is or in base64, as it was sent: some repeat what they do not know."""
        octets = reply if isinstance(reply, bytes) else reply.encode("utf-8", "replace")
        secret = self.reveal().encode("utf-8", "replace")
        if _is_unmistakable(secret) and secret in octets:
            return True
        return len(secret) > _SHORTEST // 2 and any(secret in _decoded(word) for word in _BASE64.findall(octets))

    def __repr__(self) -> str:
        return "<hidden>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretText):
            return NotImplemented
        if self._text is None or other._text is None:
            return self is other
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __copy__(self) -> SecretText:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SecretText:
        return self

    def __reduce__(self) -> tuple[type[SecretText], tuple[None]]:
        return SecretText, (None,)


class Unshown:
    """Holds an object that has secrets in it, and does not show it in the variables of a frame."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it


@dataclass(frozen=True)
class SecretFile:
    """A file that holds a secret, as they are mounted into containers; read at each connect, for it may change.

    A line end at its end is not part of it.
    """

    path: str

    def __call__(self) -> str:
        """Read it.

        Raises:
            OSError: It cannot be read.
            InvalidSettings: It is empty, or not UTF-8, or cannot be a secret.
        """
        secret = None
        with open(self.path, "rb") as file, suppress(UnicodeDecodeError):  # which would show it
            # Some editors begin UTF-8 with a byte order mark.
            secret = SecretText(file.read().decode("utf-8-sig").removesuffix("\n").removesuffix("\r"))
        if secret is None:
            raise InvalidSettings(f"{self.path}: a secret is a text in UTF-8, and this file is not")
        if not secret.reveal():
            raise InvalidSettings(f"{self.path}: the file is empty, and should hold a secret")
        flaw = secret.flaw()
        if flaw is not None:
            raise InvalidSettings(f"{self.path}: what is in the file cannot be a secret: {flaw}")
        return secret.reveal()


def asked(ask: Callable[[], Any], field: str) -> SecretText:
    """Ask for a password.

    Raises:
        InvalidSettings: What was returned is no text.
        Exception: What `ask` raises.
    """
    return _checked(ask(), field)


def _checked(answer: Any, field: str) -> SecretText:
    if isinstance(answer, SecretText):
        return answer
    if isinstance(answer, str):
        secret = SecretText(answer)
        flaw = secret.flaw()
        if flaw is None:
            return secret
        kind = f"a text that cannot be one: {flaw}"
    else:
        kind = f"a {type(answer).__name__}"
    if inspect.iscoroutine(answer):
        answer.close()
        kind = "a coroutine: it is called in a worker thread, and may block, so it has to be a plain function"
    del answer
    raise InvalidSettings(f"{field}: the function that was to return it returned {kind}")


_lock = threading.Lock()
"""Of all sources, since it is held for moments only: it is one that a child of a fork can begin anew."""


def _forget_lock_after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock_after_fork)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN


def name_of(ask: Callable[[], Any]) -> str:
    """Return how a function is shown: by its name, since its own ``repr`` may show what it has."""
    return f"<{getattr(ask, '__qualname__', type(ask).__name__)}>"


class PasswordFunction:
    """A function that returns a password; it does not show what it has, as a `functools.partial` does."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], str] | PasswordFunction) -> None:
        self._ask: Callable[[], str] = ask._ask if isinstance(ask, PasswordFunction) else ask

    def __call__(self) -> str:
        """Ask."""
        return self._ask()

    def __repr__(self) -> str:
        return name_of(self._ask)

    def __eq__(self, other: object) -> bool:
        return self._ask == other._ask if isinstance(other, PasswordFunction) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ask)


class _NotAnswered(Exception):
    """Who asked for a token was stopped: somebody else shall ask."""


class TokenSource:
    """Access tokens of OAuth 2.0, asked for once however many sessions want one at the same time.

    Args:
        ask: Returns a token, or a tuple of a token and the seconds that it is good for; without them it is asked for
            at each connect. Called in a worker.
    """

    def __init__(self, ask: Callable[[], str | tuple[str, float]]) -> None:
        self._ask: Callable[[], Any] = ask  # who wrote it may have been mistaken
        # All under the lock.
        self._token: SecretText | None = None
        self._good_until: float | None = None
        self._flight: Future[SecretText] | None = None
        self._process = os.getpid()
        self._thread = 0  # that asks

    def token(self, refused: SecretText | None = None) -> SecretText:
        """Return a token that has not expired.

        Args:
            refused: One that a server did not take; it is not returned unless it is what is got anew. If another one
                has come since then, for somebody else, it is that.

        Raises:
            InvalidSettings: What was asked for one returned something else.
            Exception: What it raised, to everybody who waited for it.
        """
        with _lock:
            if self._token is not None and self._token != refused and self._is_good(refused is not None):
                return self._token
            if self._process != os.getpid():  # in a child nobody will bring what the parent has asked for
                self._flight, self._process = None, os.getpid()
            flight, is_mine = self._flight, self._flight is None
            if flight is None:
                flight = self._flight = Future()
                self._thread = threading.get_ident()
            elif self._thread == threading.get_ident():
                raise RuntimeError(
                    "access_token: the function that is to return it has opened a session by the same settings, which "
                    "needs the token itself"
                )
        try:
            return self._fetched(flight) if is_mine else flight.result()
        except _NotAnswered:
            return self.token(refused)
        finally:
            del flight  # which has the error, whose traceback has this frame

    def _is_good(self, was_refused: bool) -> bool:
        if self._good_until is None:  # it is asked for at each connect; but who was refused has asked already
            return was_refused
        return monotonic() < self._good_until

    def _fetched(self, flight: Future[SecretText]) -> SecretText:
        try:
            token, good_until = self._asked()
        except BaseException as error:
            with _lock:
                self._flight = None
            # Ctrl-C or an abort is for this thread alone.
            flight.set_exception(error if isinstance(error, Exception) else _NotAnswered())
            del flight
            raise
        with _lock:
            self._token, self._good_until, self._flight = token, good_until, None
        flight.set_result(token)
        return token

    def _asked(self) -> tuple[SecretText, float | None]:
        began = monotonic()
        answer = Unshown(self._ask())
        if not isinstance(answer.it, tuple):
            return _checked(answer.it, "access_token"), None
        if not (len(answer.it) == 2 and _is_time(answer.it[1])):
            raise InvalidSettings(
                "access_token: the function that was to return it returned a tuple that is not a token and the "
                "seconds that it is good for"
            )
        seconds = max(0.0, min(answer.it[1], _LONGEST))
        return _checked(answer.it[0], "access_token"), began + seconds - min(EARLY, seconds / 10)

    def __repr__(self) -> str:
        return name_of(self._ask)

    def __eq__(self, other: object) -> bool:
        return self._ask == other._ask if isinstance(other, TokenSource) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ask)

    def __copy__(self) -> TokenSource:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenSource:
        return self

    def __reduce__(self) -> tuple[type[TokenSource], tuple[Any]]:
        return TokenSource, (self._ask,)
