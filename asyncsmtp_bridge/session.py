"""The session behind a mirror, on the worker's side: made, connected, secured, left.

Owns the places where more is done than to call the method of `smtplib.SMTP`. Everything here blocks and runs in a
worker. It does not know asyncio.

A session may be something else than it seems: a test may have put a mock in its place. What smtplib's own classes need
done to them is done to instances of these only.
"""

from __future__ import annotations

import functools
import inspect
import logging
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .pipelined import PipelinedLMTP
from .tls import default_context, is_default, refusal_explained

logger = logging.getLogger("asyncsmtp_bridge")

QUIT_TIMEOUT = 10.0
"""Seconds that the QUIT of a context manager may wait for each reply: by then the mail is delivered, or it is not."""

# As they are when this is imported, for type checks: a test may patch smtplib.SMTP with something that is no class.
SMTP = smtplib.SMTP
SMTP_SSL = smtplib.SMTP_SSL
LMTP = smtplib.LMTP


class Construction:
    """How a session is made: the class and its arguments.

    The arguments may hold a password, so they show in no ``repr`` and are in no variable of a frame while anything can
    be raised.

    Args:
        stdlib_name: The class's name in smtplib. It is looked up when a session is made, so that
            ``mock.patch("smtplib.SMTP")`` reaches it.
        smtp_class: What is used in place of it, if anything.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """

    def __init__(
        self,
        stdlib_name: str,
        smtp_class: Callable[..., smtplib.SMTP] | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._stdlib_name = stdlib_name
        self._smtp_class = smtp_class
        self._args = args
        self._kwargs = kwargs

    @property
    def make(self) -> Callable[..., smtplib.SMTP]:
        """The class, as it is now; not smtplib's LMTP, which reads one reply for all recipients (RFC 2033, 4.2)."""
        make: Callable[..., smtplib.SMTP] = self._smtp_class or getattr(smtplib, self._stdlib_name)
        return PipelinedLMTP if make is LMTP else make

    def check(self) -> None:
        """Refuse a class that makes no session, and arguments that the class does not take.

        Raises:
            TypeError: It makes none, or does not take these.
        """
        own = self._smtp_class
        if own is not None and not (issubclass(own, SMTP) if inspect.isclass(own) else callable(own)):
            raise TypeError(f"smtp_class= takes a subclass of smtplib.SMTP, not {own!r}")
        problem = ""
        try:
            self._bound()
        except TypeError as error:
            problem = str(error)  # its frames hold the arguments; those of what is raised here do not
        if problem:
            name = getattr(self.make, "__name__", repr(self.make))
            raise TypeError(
                f"{name}: {problem}; "
                "the mirror takes what smtplib takes, and executor=, on_cancel=, retry= and smtp_class="
            )

    @property
    def connects(self) -> bool:
        """Whether making the session connects it: smtplib does so if, and only if, it is given a host.

        A function that knows where to says so by an attribute of this name.
        """
        if getattr(self._smtp_class, "connects", False) is True:
            return True
        if "host" in self._signature().parameters:
            return bool(self._bound().arguments.get("host"))
        return bool(self._args or self._kwargs)

    @property
    def host(self) -> str | None:
        """The host, if it can be told."""
        with suppress(TypeError):
            host = self._bound().arguments.get("host")
            return host if isinstance(host, str) and host else None
        return None

    def __call__(self) -> smtplib.SMTP:
        """Make a session."""
        make, arguments = self.make, _Arguments()
        trusted = self._complete(make, arguments)
        with refusal_explained(trusted):
            session = make(*arguments.args, **arguments.kwargs)
        _warn_of_trust(session, trusted)
        return session

    def _complete(self, make: Callable[..., smtplib.SMTP], arguments: _Arguments) -> ssl.SSLContext | None:
        """Find out what the class is to be given; return the TLS context among it, if any."""
        bound = self._bound()
        trusted = None
        if _is_session_class(make):
            parameters = bound.signature.parameters
            if {"host", "port"} <= set(parameters):
                _split_port(bound.arguments)
            if _is_session_class(make, SMTP_SSL):
                # Where it takes further keywords it mostly hands them on.
                extra = next((name for name, it in parameters.items() if it.kind is it.VAR_KEYWORD), None)
                if "context" in parameters:
                    trusted = _trust(bound.arguments)
                elif extra is not None:
                    trusted = _trust(bound.arguments.setdefault(extra, {}))
        arguments.args, arguments.kwargs = bound.args, bound.kwargs
        return trusted

    def unconnected(self) -> smtplib.SMTP | None:
        """Return a session that is not connected, to look at; None where making one could block or do other things.

        smtplib looks the local host's name up, which may take seconds, unless it is given one.
        """
        if self._smtp_class is not None or not _is_session_class(self.make):
            return None
        bound = self._bound()
        bound.arguments["local_hostname"] = bound.arguments.get("local_hostname") or "localhost"
        return self.make(*bound.args, **bound.kwargs)

    def _signature(self) -> inspect.Signature:
        try:
            return inspect.signature(self.make)
        except ValueError:  # a class may hide what it takes; then making it shows
            return inspect.signature(lambda *args, **kwargs: None)

    def _bound(self) -> inspect.BoundArguments:
        return self._signature().bind(*self._args, **self._kwargs)


class _Arguments:
    """Holds arguments, and does not show them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def connect(session: smtplib.SMTP, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
    """Connect, with a clean slate.

    smtplib keeps what the last server said, and sends MAIL to the next one without an EHLO (gh-85642); it leaves an old
    connection open; and it does not note the name that the certificate will have to show (gh-70039).
    """
    if _is_session_class(type(session)):
        if session.sock is not None:
            session.close()
        session.ehlo_resp = session.helo_resp = None
        session.esmtp_features = {}
        session.does_esmtp = False
        host = args[0] if args else kwargs.get("host", "localhost")
        port = args[1] if len(args) > 1 else kwargs.get("port", 0)
        _note_name(session, _split(host, port)[0])
    context = getattr(session, "context", None)  # that of SMTP_SSL
    with refusal_explained(context):
        reply = session.connect(*args, **kwargs)
    _warn_of_trust(session, context if is_default(context) else None)
    return reply


def starttls(session: smtplib.SMTP, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
    """Secure the connection (RFC 3207); where no context is given, with one that verifies.

    Raises:
        ValueError: The certificate is to be verified, and nobody said for which name.
    """
    if _is_session_class(type(session)):
        names = list(inspect.signature(session.starttls).parameters)
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        args = ()
        context = _trust(kwargs)
        name = _split(getattr(session, "_host", ""), 0)[0]
        if not name and context.check_hostname:
            raise ValueError(
                "the server's name is not known, so its certificate cannot be verified: the session was connected "
                "without one; connect it through the mirror, 'await smtp.connect(host, port)'"
            )
        _note_name(session, name)
    with refusal_explained(kwargs.get("context")):
        return session.starttls(*args, **kwargs)


def send(session: smtplib.SMTP, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Send a message, and leave the session as it must be for another one, or closed.

    Where DATA itself is refused, smtplib leaves the transaction open. Where a reply is none of those that can be given
    there, the server and smtplib do not agree on what comes next, and what is sent next may become a mail.

    Args:
        session: The session.
        name: What to send it by, ``sendmail`` or ``send_message``.
        *args: The arguments of that.
        **kwargs: Those given by name.
    """
    try:
        refused = getattr(session, name)(*args, **kwargs)
        _close_if_out_of_step(session, refused)
        return refused
    except smtplib.SMTPRecipientsRefused as error:
        _close_if_out_of_step(session, error.recipients)
        raise
    except smtplib.SMTPResponseException as error:
        if not 400 <= error.smtp_code <= 599:
            session.close()
        elif isinstance(error, smtplib.SMTPDataError) and session.sock is not None:
            with suppress(OSError):
                session.rset()
        raise


def _close_if_out_of_step(session: smtplib.SMTP, refused: Any) -> None:
    if type(refused) is dict and not all(400 <= code <= 599 for code, _ in refused.values()):
        session.close()


def hang_up(session: smtplib.SMTP) -> None:
    """Close a connection that was made, or secured, for an awaiter that is gone."""
    session.close()


def leave(session: smtplib.SMTP) -> None:
    """Leave the object's own context manager, without waiting for ever for the answer to QUIT."""
    sock: Any = getattr(session, "sock", None)
    if issubclass(type(sock), socket.socket):
        timeout = sock.gettimeout()
        with suppress(OSError):  # a refused certificate leaves a closed socket behind
            sock.settimeout(QUIT_TIMEOUT if timeout is None else min(timeout, QUIT_TIMEOUT))
    session.__exit__(None, None, None)


def _is_session_class(make: object, of: type = SMTP) -> bool:
    while isinstance(make, functools.partial):
        make = make.func
    return inspect.isclass(make) and issubclass(make, of)


def _trust(arguments: dict[str, Any]) -> ssl.SSLContext:
    """Put the context that verifies where none is given; load into it what smtplib took separately before 3.12."""
    if arguments.get("context") is None:
        keyfile, certfile = arguments.pop("keyfile", None), arguments.pop("certfile", None)
        context = default_context(fresh=certfile is not None)
        if certfile is not None:
            context.load_cert_chain(certfile, keyfile)
        arguments["context"] = context
    given: ssl.SSLContext = arguments["context"]
    return given


def _warn_of_trust(session: object, trusted: object) -> None:
    """Say so when a connection accepts any certificate, and the mirror had no say in it."""
    context = getattr(getattr(session, "sock", None), "context", None)
    if isinstance(context, ssl.SSLContext) and context is not trusted and context.verify_mode is ssl.CERT_NONE:
        logger.warning(
            "%s connected over TLS without verifying the server's certificate, with a context of its own; "
            "pass context=, or have its __init__ take one",
            type(session).__qualname__,
        )


def _note_name(session: smtplib.SMTP, name: Any) -> None:
    vars(session)["_host"] = name  # there is no public way


def _split_port(arguments: dict[str, Any]) -> None:
    """Split ``"host:port"``, which smtplib connects to as one would expect, and takes for the name to verify."""
    host = arguments.get("host", "")
    name, port = _split(host, arguments.get("port", 0))
    if name != host:
        arguments.update(host=name, port=port)


def _split(host: Any, port: Any) -> tuple[Any, Any]:
    """Read host and port as `smtplib.SMTP.connect` does."""
    if not port and isinstance(host, str) and host.count(":") == 1:
        name, _, number = host.partition(":")
        if number.isdecimal():
            return name, int(number)
    return host, port
