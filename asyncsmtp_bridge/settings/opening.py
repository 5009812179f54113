"""Opening: a session that is connected, encrypted and logged in, as settings say.

Owns the steps, their order, and what is kept from showing: what smtplib's own methods have in their frames. Everything
here blocks and runs in a worker. What an error means is in `asyncsmtp_bridge.settings.advice`.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from time import monotonic
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..connection import Connection
from ..dialogue import Dialogue
from .advice import Step, advise
from .checking import InvalidSettings
from .credentials import SecretText, TokenSource, asked
from .making import made, may_tell
from .trust import context_for_any_name, tls_context

if TYPE_CHECKING:
    from .fields import SMTPSettings

logger = logging.getLogger("asyncsmtp_bridge")

_LOOK_TIMEOUT = 5.0
"""Seconds for a look at the names in a certificate that was refused, at most."""


def open_session(settings: SMTPSettings, smtp_class: Callable[..., smtplib.SMTP] | None = None) -> smtplib.SMTP:
    """Open a session.

    Args:
        settings: How.
        smtp_class: Of an organisation; see `SMTPSettings.connect_sync`.

    Raises:
        Exception: See there.
    """
    secret = _secret_of(settings)
    try:
        return _Opening(settings, smtp_class).open(secret)
    except smtplib.SMTPAuthenticationError as error:
        source = settings.access_token
        if error.smtp_code != 535 or not isinstance(source, TokenSource) or secret is None:
            raise
        fresh = source.token(refused=secret)
        if fresh == secret:
            raise
    # It was good for less long than was said, or was withdrawn.
    return _Opening(settings, smtp_class).open(fresh)


def _secret_of(settings: SMTPSettings) -> SecretText | None:
    """Return what logs in, before there is a connection that would wait for it."""
    if settings.username is None:
        return None
    if isinstance(settings.access_token, TokenSource):
        return settings.access_token.token()
    secret = settings.password or settings.access_token
    if isinstance(secret, SecretText):
        secret.reveal()  # or else it is said before there is a connection
        return secret
    if secret is None:
        raise InvalidSettings(
            f"username: {settings.username!r} is to log in, and there is neither a password nor an access_token; "
            "leave it out if the server wants no login"
        )
    return asked(secret, "password")


@dataclass(frozen=True)
class Opener:
    """Opens sessions, for a mirror that makes its own."""

    settings: SMTPSettings
    smtp_class: Callable[..., smtplib.SMTP] | None
    connects: ClassVar[bool] = True
    """There is nothing to look at before a session is connected."""

    def __call__(self) -> smtplib.SMTP:
        """Open one."""
        return open_session(self.settings, self.smtp_class)


class _Opening:
    """One attempt."""

    def __init__(self, settings: SMTPSettings, smtp_class: Callable[..., smtplib.SMTP] | None) -> None:
        self._settings = settings
        self._smtp_class = smtp_class
        self._step: Step = "connect"
        self._context: ssl.SSLContext | None = None
        self._session: smtplib.SMTP | None = None
        self._ends = None if settings.deadline is None else monotonic() + settings.deadline

    def open(self, secret: SecretText | None) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls_mode != "none":
            self._context = tls_context(settings)
        is_implicit = settings.tls_mode == "implicit"
        session = self._session = made(settings, self._smtp_class, self._context if is_implicit else None)
        try:
            with _within(session, settings.deadline):
                self._open(session, secret)
        except BaseException as error:
            offered = dict(getattr(session, "esmtp_features", {}))
            session.close()
            if isinstance(error, Exception):
                names = _names_in_certificate(settings) if _is_wrong_name(error) else ()
                advise(error, settings, self._step, offered, names, self._limit())
            raise
        return session

    def _open(self, session: smtplib.SMTP, secret: SecretText | None) -> None:
        settings = self._settings
        with _within(session, settings.connect_timeout):
            reply: Any = session.connect(settings.unix_socket or settings.host, settings.port)
        if reply is not None and reply[0] != 220:  # a class of somebody's own may return nothing
            raise smtplib.SMTPConnectError(*reply)
        session.timeout = settings.timeout
        if isinstance(session.sock, socket.socket):
            session.sock.settimeout(settings.timeout)
        self._step = "EHLO"
        _greet(session, settings)
        if self._is_to_be_encrypted(session):
            self._step = "STARTTLS"
            self._encrypt(session)
            self._step = "EHLO"
            _greet(session, settings)
        if secret is not None:
            self._step = "login"
            _log_in(session, settings, secret)

    def _is_to_be_encrypted(self, session: smtplib.SMTP) -> bool:
        settings = self._settings
        if settings.tls_mode == "none" or isinstance(session.sock, ssl.SSLSocket):
            return False
        if settings.tls_mode == "opportunistic" and not session.has_extn("starttls"):
            logger.warning(
                "the connection to %s is not encrypted: the server does not offer STARTTLS, and tls='auto' goes on "
                "without it; tls='starttls' would not, and tls='none' says that it is meant to be so",
                settings.address,
            )
            return False
        return True

    def _encrypt(self, session: smtplib.SMTP) -> None:
        if self._settings.tls_mode != "implicit":
            session.starttls(context=self._context)
        if not isinstance(session.sock, ssl.SSLSocket):  # whatever a class of somebody's own makes of an error
            raise smtplib.SMTPException(
                f"{type(session).__name__} has not encrypted the connection, and raised nothing"
            )

    def _limit(self) -> tuple[str, float]:
        """Return what has limited the time of the step, if it was that."""
        settings = self._settings
        if self._ends is not None and settings.deadline is not None and self._ends <= monotonic():
            return "deadline", settings.deadline
        return (
            ("connect_timeout", settings.connect_timeout) if self._step == "connect" else ("timeout", settings.timeout)
        )


def _within(session: smtplib.SMTP, seconds: float | None) -> AbstractContextManager[object]:
    return session.within(seconds) if isinstance(session, Connection) and seconds is not None else nullcontext()


def _greet(session: smtplib.SMTP, settings: SMTPSettings) -> None:
    if not settings.lmtp:
        session.ehlo_or_helo_if_needed()
        return
    # Not HELO after it, which a server of SMTP would take, and LMTP has not (RFC 2033, section 4.1).
    code, text = session.ehlo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, text)


# Logging in.


def _log_in(session: smtplib.SMTP, settings: SMTPSettings, secret: SecretText) -> None:
    user = settings.username
    assert user is not None  # noqa: S101 - a secret has one
    is_careful = isinstance(session, Dialogue) or may_tell(settings)
    if not is_careful and not isinstance(session.sock, ssl.SSLSocket):
        raise smtplib.SMTPNotSupportedError("the connection is not encrypted, and the login would tell the password")
    is_ascii = True
    before = sys.exc_info()[1]  # what is being handled out there is not ours
    try:
        if settings.access_token is None:
            session.login(user, secret.reveal())
        elif isinstance(session, Dialogue):
            session.login(user, access_token=secret.reveal())
        else:
            _log_in_with_token(session, user, secret)
    except UnicodeEncodeError:  # smtplib's; it has in it all that was to be encoded
        is_ascii = False
    except BaseException as error:
        _clear_frames(error, before)
        if isinstance(error, smtplib.SMTPResponseException) and secret.is_repeated_by(error.smtp_error):
            error.smtp_error = b"(the reply repeats what was sent to log in, and is not shown)"
            error.args = (error.smtp_code, error.smtp_error)
        raise
    if not is_ascii:
        raise InvalidSettings(
            f"username and {'password' if settings.access_token is None else 'access_token'}: the login of "
            f"{type(session).__name__} takes ASCII only, as smtplib's; a subclass of PipelinedSMTP takes any text"
        )


def _log_in_with_token(session: smtplib.SMTP, user: str, secret: SecretText) -> None:
    if "XOAUTH2" not in session.esmtp_features.get("auth", "").upper().split():
        raise smtplib.SMTPNotSupportedError("the server does not offer XOAUTH2, which an access token logs in by")

    def answer(challenge: bytes | None = None) -> str:
        # A challenge is the error, as JSON; an empty answer to it brings the refusal.
        return "" if challenge else f"user={user}\1auth=Bearer {secret.reveal()}\1\1"

    session.auth("XOAUTH2", answer)


def _clear_frames(error: BaseException, before: BaseException | None) -> None:
    """Empty the variables of smtplib's frames: the password is in them, and error trackers collect them."""
    seen = {id(before)}
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        for frame, _ in walk_tb(each.__traceback__):
            with suppress(RuntimeError):  # those that are running, which are the ones out here
                frame.clear()


# Certificates that were refused.

_WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def _is_wrong_name(error: Exception) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _WRONG_NAME


def _names_in_certificate(settings: SMTPSettings) -> tuple[str, ...]:
    """Connect once more, to see whom the server's certificate is for."""
    with suppress(Exception):
        return names_in(look(settings, context_for_any_name(settings), lambda sock: sock.getpeercert()) or {})
    return ()


_Seen = TypeVar("_Seen")


def look(settings: SMTPSettings, context: ssl.SSLContext, see: Callable[[ssl.SSLSocket], _Seen]) -> _Seen:
    """Connect once more, encrypted by another context, and see what is there; nothing is sent.

    Args:
        settings: Whereto; what they say of trust does not count.
        context: What takes the certificate that was refused.
        see: Called with the socket; the connection is closed when it returns.

    Raises:
        OSError: It was in vain.
    """
    is_implicit = settings.tls_mode == "implicit"
    session = made(settings, None, context if is_implicit else None)
    try:
        with _within(session, min(settings.connect_timeout, _LOOK_TIMEOUT)):
            session.connect(settings.host, settings.port)
            if not is_implicit:
                session.starttls(context=context)
            if not isinstance(session.sock, ssl.SSLSocket):
                raise smtplib.SMTPServerDisconnected("the connection is closed")
            return see(session.sock)
    finally:
        session.close()


def names_in(certificate: Any) -> tuple[str, ...]:
    """Return the names that a certificate is for, as ``getpeercert`` returns it."""
    return tuple(value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
