"""The dialogue: what is said on a connection before and after the messages.

Owns how one greets, encrypts the connection, logs in and leaves. Every method is one of smtplib's, with its arguments,
results and exceptions. It does not know messages.

What is different, and why:

- Certificates are verified (`asyncsmtp_bridge.tls`). What came in clear text does not count after STARTTLS.
- No password goes out in clear text, and a refused one is not tried again by another mechanism.
- ``quit`` waits ten seconds at most, and does not raise where the server has gone: the mail is delivered by then.
"""

from __future__ import annotations

import base64
import binascii
import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, cast

from . import sasl
from .connection import Connection
from .tls import default_context

QUIT_TIMEOUT = 10.0
"""Seconds that the reply to QUIT is waited for."""

_CHALLENGES_LIMIT = 5


class Dialogue(Connection):
    """A `Connection` on which one can greet, encrypt, log in and leave."""

    def docmd(self, cmd: str, args: str = "") -> tuple[int, bytes]:
        """Send a command, and return its reply."""
        with self._in_time():
            return super().docmd(cmd, args)

    def helo(self, name: str = "") -> tuple[int, bytes]:
        """Greet as RFC 821 has it; the server's extensions are not known then."""
        with self._in_time():
            return super().helo(name)

    def ehlo(self, name: str = "") -> tuple[int, bytes]:
        """Greet, and learn what the server offers."""
        with self._in_time():
            self.does_esmtp = False
            return super().ehlo(name)

    def ehlo_or_helo_if_needed(self) -> None:
        """Greet, if that was not done yet: with EHLO, and if the server does not know that, with HELO.

        Raises:
            smtplib.SMTPHeloError: The server takes neither.
        """
        if self.helo_resp is None and self.ehlo_resp is None:
            code, text = self.ehlo()
            if not 200 <= code <= 299 and self.sock is not None:
                code, text = self.helo()
            if not 200 <= code <= 299:
                self._forget()  # what was said is no greeting
                raise smtplib.SMTPHeloError(code, text)

    def rset(self) -> tuple[int, bytes]:
        """End the transaction without sending anything."""
        self.command_encoding = "ascii"
        return self.docmd("RSET")

    def help(self, args: str = "") -> bytes:
        """Ask for help."""
        return self.docmd("HELP", args)[1]

    def verify(self, address: str) -> tuple[int, bytes]:
        """Ask whether there is such an address."""
        with self._in_time():
            return super().verify(address)

    vrfy = verify

    def expn(self, address: str) -> tuple[int, bytes]:
        """Ask who is on a mailing list."""
        with self._in_time():
            return super().expn(address)

    def quit(self) -> tuple[int, bytes]:
        """Leave, and close the connection.

        Returns:
            The reply; with the code -1, what came in place of one.

        Raises:
            smtplib.SMTPServerDisconnected: There never was a connection.
        """
        if self.sock is None and self._was_connected:
            return -1, b"not connected any more"
        try:
            if self.sock is not None:
                timeout = self.sock.gettimeout()
                with suppress(OSError):
                    self.sock.settimeout(QUIT_TIMEOUT if timeout is None else min(timeout, QUIT_TIMEOUT))
                self._begin_time(min(QUIT_TIMEOUT, self.deadline or QUIT_TIMEOUT))
            return self.docmd("QUIT")
        except OSError as error:
            if not self._was_connected:
                raise
            return -1, str(error).encode(errors="replace")
        finally:
            self._ends = None
            self.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None and self.sock is not None:
            self.quit()
        else:
            self.close()  # without QUIT, which would wait for a server that may be what is wrong

    # TLS and login.

    def starttls(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] - as from 3.12 on
        self, *, context: ssl.SSLContext | None = None
    ) -> tuple[int, bytes]:
        """Encrypt the connection (RFC 3207).

        Args:
            context: How; if left out, one that verifies the server's certificate.

        Raises:
            smtplib.SMTPNotSupportedError: The server does not offer it.
            smtplib.SMTPResponseException: It refuses.
            smtplib.SMTPException: It sent more than its reply before the connection was encrypted.
            ssl.SSLError: The certificate is refused, or there is no agreement; the connection is closed then.
        """
        with self._in_time():
            self.ehlo_or_helo_if_needed()
            if not self.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server.")
            context = context or default_context()
            code, text = self.docmd("STARTTLS")
            if code != 220:
                raise smtplib.SMTPResponseException(code, text)
            sock = self.sock
            if self._received_at < len(self._unread) or sock is None:
                self.close()
                raise smtplib.SMTPException(
                    "the server sent more than its reply to STARTTLS: somebody may have put it there, to be taken for "
                    "something that was encrypted (RFC 3207, section 6)"
                )
            try:
                timeout = sock.gettimeout()
                self.sock = self._wrap(sock, context)
                self.sock.settimeout(timeout if self._ends is None else self.timeout)
            except BaseException:
                self.close()
                raise
            self._forget()
            self._authenticated = None
            return code, text

    def login(
        self,
        user: str,
        password: str | None = None,
        *,
        initial_response_ok: bool = True,
        access_token: str | None = None,
    ) -> tuple[int, bytes]:
        """Log in (RFC 4954), by the best mechanism that the server offers and that suits what is given.

        Over an encrypted connection that is the first of PLAIN, LOGIN and CRAM-MD5, over another one CRAM-MD5 alone,
        unless ``cleartext_login`` allows the others. A refusal is final: to try a refused password by another
        mechanism counts as another attempt, and servers lock accounts. Only where the server turns out not to support
        a mechanism that it offers, the next one is tried.

        Args:
            user: The user name.
            password: The password.
            initial_response_ok: Whether the first answer may go with the command.
            access_token: A token of OAuth 2.0 in place of a password, by the mechanism XOAUTH2.

        Raises:
            smtplib.SMTPAuthenticationError: The server refuses.
            smtplib.SMTPNotSupportedError: The server offers nothing that suits.
            smtplib.SMTPHeloError: The server did not take the greeting.
        """
        who = sasl.Credentials(user, password, access_token)
        del password, access_token  # frames are collected by error trackers
        sasl.check(who)
        with self._in_time():
            self.ehlo_or_helo_if_needed()
            found = self._mechanisms(who)
            self.user = who.user
            if who.password is not None:
                self.password = who.password
            *others, last = found
            for mechanism in others:
                reply = self._authenticate_if_supported(mechanism, who, initial_response_ok)
                if reply is not None:
                    return reply
            return self._authenticate(last, who, initial_response_ok)

    def _mechanisms(self, who: sasl.Credentials) -> list[sasl.Mechanism]:
        if not self.has_extn("auth"):
            hint = "; it offers STARTTLS, call starttls() before" if self.has_extn("starttls") else ""
            raise smtplib.SMTPNotSupportedError(f"SMTP AUTH extension not supported by server{hint}.")
        offered = self.esmtp_features["auth"].split()
        found = sasl.suitable(offered, who, is_encrypted=self._is_encrypted())
        if not found:
            given = "a password" if who.access_token is None else "an access token"
            raise smtplib.SMTPNotSupportedError(
                f"No suitable authentication method found: the server offers {' '.join(offered)}, and {given} was given"
            )
        silent = [each for each in found if not each.is_clear or self._may_tell()]
        if not silent:
            raise smtplib.SMTPNotSupportedError(_CLEAR_TEXT)
        return silent

    def _may_tell(self) -> bool:
        return self.cleartext_login or self._is_encrypted()

    def _authenticate_if_supported(
        self, mechanism: sasl.Mechanism, who: sasl.Credentials, at_once: bool
    ) -> tuple[int, bytes] | None:
        """Return None where the server offers a mechanism, and does not support it after all."""
        try:
            return self._authenticate(mechanism, who, at_once)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code in _OF_THE_MECHANISM and self.sock is not None:
                return None
            raise

    def _authenticate(self, mechanism: sasl.Mechanism, who: sasl.Credentials, at_once: bool) -> tuple[int, bytes]:
        count = -1

        def answer(challenge: bytes | None = None) -> str | None:
            nonlocal count
            if challenge is None and not mechanism.begins:
                return None
            count += 1
            return mechanism.answers(who, count, challenge or b"")

        return self.auth(mechanism.name, cast("Any", answer), initial_response_ok=at_once)

    def auth(
        self, mechanism: str, authobject: Callable[..., str], *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        """Log in by one mechanism.

        Args:
            mechanism: Its name.
            authobject: Called with each challenge, returns the answer; called without one for the first answer, may
                return None if that needs a challenge.
            initial_response_ok: Whether the first answer may go with the command.

        Raises:
            smtplib.SMTPAuthenticationError: The server refuses.
            smtplib.SMTPNotSupportedError: It would tell the password to whoever listens.
            ValueError: The mechanism's name is none.
        """
        self._check_for_stream()
        mechanism = mechanism.upper()
        if not _MECHANISM.fullmatch(mechanism):
            raise ValueError(f"{mechanism!r:.100} is not the name of a mechanism (RFC 4422, section 3.1)")
        if mechanism in sasl.CLEAR and not self._may_tell():
            raise smtplib.SMTPNotSupportedError(_CLEAR_TEXT)
        first = _answered(authobject) if initial_response_ok else None
        self._auth_challenge_count = 0 if first is None else 1  # which smtplib's own authobjects look at
        with self._in_time():
            # Held back where the command's line would be longer than 512 octets (RFC 4954, section 4).
            if first is not None and len(mechanism) + len(first) <= 512 - len("AUTH  \r\n"):
                code, text = self._exchange_secretly(first, f"AUTH {mechanism} ")
                first = None
            else:
                code, text = self.docmd("AUTH", mechanism)
            for _ in range(_CHALLENGES_LIMIT):
                if code != 334:
                    break
                if first is None:
                    self._auth_challenge_count += 1
                    try:
                        first = _answered(authobject, text)
                    except Exception:
                        with suppress(smtplib.SMTPServerDisconnected):
                            self.docmd("*")  # the server waits for an answer (RFC 4954, section 4)
                        raise
                    except BaseException:
                        self.close()
                        raise
                code, text = self._exchange_secretly(first or sasl.Secret(""))
                first = None
        if code == 334:
            self.close()
            raise smtplib.SMTPException(f"Server AUTH mechanism infinite loop. Last response: {(code, text)!r}")
        if code == 235:
            self._authenticated = getattr(self, "user", None)
        elif code != 503 or self._authenticated is None or self._authenticated != getattr(self, "user", None):
            # With 503 it says, too, that one is logged in already.
            raise smtplib.SMTPAuthenticationError(code, text)
        return code, text

    def _exchange_secretly(self, secret: sasl.Secret, before: str = "") -> tuple[int, bytes]:
        self._is_secret = True
        try:
            self.send(secret.line(before))
        finally:
            self._is_secret = False
        return self.getreply()


_MECHANISM = re.compile("[A-Z0-9_-]{1,20}")

_OF_THE_MECHANISM = (500, 502, 504, 538)
"""Replies to AUTH that are about the mechanism (RFC 4954, section 6). Not 534, which some servers say of an account."""

_CLEAR_TEXT = (
    "the connection is not encrypted, and this login would tell the password to whoever listens: call starttls() "
    "before, or, if nobody can listen, pass cleartext_login=True to the session"
)


def _answered(authobject: Callable[..., str | None], challenge: bytes | None = None) -> sasl.Secret | None:
    """Return what is answered to a challenge, or before there is one."""
    if challenge is None:
        answer = authobject()
    else:
        try:
            decoded = base64.b64decode(challenge)
        except binascii.Error:
            raise smtplib.SMTPException(f"the server's challenge is not base64: {challenge!r:.100}") from None
        answer = authobject(decoded)
    return None if answer is None else sasl.Secret(answer)
