"""Making: the object that a session is opened with, of our class or of an organisation's own.

Owns what is passed to a class, and what is said of one that cannot do what the settings say. It connects nothing.
"""

from __future__ import annotations

import inspect
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..connection import Connection
from ..pipelined import PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL

if TYPE_CHECKING:
    from .fields import SMTPSettings

# As they are when this is imported: a test may patch smtplib.SMTP with something that is no class.
SMTP, SMTP_SSL, LMTP = smtplib.SMTP, smtplib.SMTP_SSL, smtplib.LMTP


def made(
    settings: SMTPSettings, smtp_class: Callable[..., smtplib.SMTP] | None, context: ssl.SSLContext | None
) -> smtplib.SMTP:
    """Make a session that is not connected yet."""
    wanted: dict[str, Any] = {
        "local_hostname": settings.local_hostname,
        "timeout": settings.connect_timeout,
        "source_address": settings.source_address,
    }
    if context is not None:
        wanted["context"] = context
    own: dict[str, Any] = {
        "deadline": settings.deadline,
        "cleartext_login": may_tell(settings),
        "pipelining": settings.pipelining,
    }
    # smtplib's LMTP reads one reply for all recipients (RFC 2033, section 4.2).
    if smtp_class is None or (smtp_class is LMTP and settings.lmtp):
        kind = PipelinedLMTP if settings.lmtp else PipelinedSMTP if context is None else PipelinedSMTP_SSL
        session: smtplib.SMTP = kind(**{**wanted, **own})
    else:
        _check_class(settings, smtp_class)
        taken = _taken_by(smtp_class, {**wanted, **own})
        _check_arguments(smtp_class, taken)
        session = smtp_class(**taken)
        _check_object(settings, session, smtp_class)
        # A constructor need not take them.
        for name, value in (wanted | own).items():
            if value is not None and (hasattr(session, name) or name in wanted):
                setattr(session, name, value)
    if isinstance(session, Connection):
        session.server_hostname = settings.server_hostname
    else:
        vars(session)["_host"] = settings.server_hostname or settings.host  # smtplib's connect() does not (gh-70039)
    return session


def _check_class(settings: SMTPSettings, smtp_class: Callable[..., smtplib.SMTP]) -> None:
    given: object = smtp_class
    if inspect.isclass(given) and issubclass(given, SMTP):
        _check_kind(settings, given, given)
    elif inspect.isclass(given) or not callable(given):
        raise TypeError(f"smtp_class= takes a subclass of smtplib.SMTP, or a function that makes one, not {given!r}")


def _check_arguments(smtp_class: Callable[..., smtplib.SMTP], taken: dict[str, Any]) -> None:
    with suppress(ValueError):  # it hides what it takes; then making it shows
        try:
            inspect.signature(smtp_class).bind(**taken)
        except TypeError as error:
            raise TypeError(
                f"smtp_class: {smtp_class!r} wants arguments that settings have not ({error}); give a function that "
                "makes it: smtp_class=lambda: CorpSMTP(...)"
            ) from None


def _check_object(settings: SMTPSettings, session: smtplib.SMTP, smtp_class: object) -> None:
    kind: Any = type(session)
    if not issubclass(kind, SMTP):
        raise TypeError(f"smtp_class: {smtp_class!r} returned no smtplib.SMTP, but a {kind.__name__}")
    if session.sock is not None:
        session.close()
        raise TypeError(
            f"smtp_class: {smtp_class!r} returned a session that is connected already; these settings say where to, "
            "so it is to be made without a host"
        )
    _check_kind(settings, kind, smtp_class)


def _check_kind(settings: SMTPSettings, kind: type[smtplib.SMTP], shown: object) -> None:
    """Refuse a class of sessions that cannot do what the settings say."""
    for is_wanted, base, what in (
        (settings.tls_mode == "implicit", SMTP_SSL, "implicit TLS"),
        (settings.lmtp, LMTP, "LMTP"),
    ):
        if is_wanted != issubclass(kind, base):
            verb = "is for" if is_wanted else "is not for"
            raise TypeError(
                f"smtp_class: {settings.address} {verb} {what}, and {shown!r} "
                f"{'is no subclass' if is_wanted else 'is a subclass'} of smtplib.{base.__name__}"
            )
    if settings.tls_mode in ("starttls", "opportunistic") and not _takes_context(kind):
        raise TypeError(f"smtp_class: {shown!r} has a starttls() that takes no context=, and would trust anybody")
    if settings.deadline is not None and not issubclass(kind, Connection):
        raise TypeError(f"smtp_class: {shown!r} knows no deadline=; a subclass of PipelinedSMTP does")


def _takes_context(kind: type[smtplib.SMTP]) -> bool:
    parameters = inspect.signature(kind.starttls).parameters
    return "context" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _taken_by(smtp_class: Callable[..., object], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that a class, or a function, takes by name."""
    try:
        parameters = inspect.signature(smtp_class).parameters.values()
    except ValueError:  # it hides them
        return {}
    names = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        # Handed on, mostly, to the class that it is derived from.
        bases = [base for base in getattr(smtp_class, "__mro__", ())[1:] if "__init__" in vars(base)]
        names |= set(_taken_by(bases[0], wanted)) if bases and bases[0] is not object else set()
    return {name: value for name, value in wanted.items() if name in names}


def may_tell(settings: SMTPSettings) -> bool:
    """Whether the password may be sent over a connection that is not encrypted."""
    return settings.cleartext_login or settings.unix_socket is not None  # where nobody can listen
