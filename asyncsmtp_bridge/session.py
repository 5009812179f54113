"""The session behind a mirror, on the worker's side: made, connected, secured, left.

Owns the places where more is done than to call the method of `smtplib.SMTP`. Everything here blocks and runs in a
worker. It does not know asyncio.

A session may be something else than it seems: a test may have put a mock in its place. What smtplib's own classes need
done to them is done to instances of these only.
"""

from __future__ import annotations

import inspect
import smtplib
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .tls import default_context, refusal_explained

QUIT_TIMEOUT = 10.0
"""Seconds that the QUIT of a context manager may wait for each reply: by then the mail is delivered, or it is not."""

# As they are when this is imported, for type checks: a test may patch smtplib.SMTP with something that is no class.
SMTP = smtplib.SMTP
SMTP_SSL = smtplib.SMTP_SSL


class Construction:
    """How a session is made: the class and its arguments, which may hold a password and so do not show in a ``repr``.

    Args:
        stdlib_name: The class's name in smtplib. It is looked up when a session is made, so that
            ``mock.patch("smtplib.SMTP")`` reaches it.
        smtp_class: What is used in place of it, if anything.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Raises:
        TypeError: The class does not take these arguments.
    """

    def __init__(
        self,
        stdlib_name: str,
        smtp_class: Callable[..., smtplib.SMTP] | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        if smtp_class is not None:
            right = issubclass(smtp_class, SMTP) if inspect.isclass(smtp_class) else callable(smtp_class)
            if not right:
                raise TypeError(f"smtp_class= takes a subclass of smtplib.SMTP, not {smtp_class!r}")
        self._stdlib_name = stdlib_name
        self._smtp_class = smtp_class
        self._args = args
        self._kwargs = kwargs
        with suppress(ValueError):  # a class may hide what it takes; then making it shows
            inspect.signature(self.make_session).bind(*args, **kwargs)

    @property
    def make_session(self) -> Callable[..., smtplib.SMTP]:
        """The class, as it is now."""
        make: Callable[..., smtplib.SMTP] = self._smtp_class or getattr(smtplib, self._stdlib_name)
        return make

    @property
    def connects(self) -> bool:
        """Whether making the session connects it: smtplib does so if, and only if, it is given a host."""
        return bool(self._args[:1] not in ((), ("",)) or self._kwargs.get("host"))

    @property
    def host(self) -> str | None:
        """The host, if it can be told."""
        host = self._args[0] if self._args else self._kwargs.get("host")
        return host if isinstance(host, str) and host else None

    def __call__(self) -> smtplib.SMTP:
        """Make a session."""
        make, args, kwargs = self.make_session, self._args, dict(self._kwargs)
        if inspect.isclass(make) and issubclass(make, SMTP):
            if make.__init__ in (SMTP.__init__, SMTP_SSL.__init__):
                args, kwargs = _with_port(args, kwargs)
            if issubclass(make, SMTP_SSL) and "context" in inspect.signature(make).parameters:
                _trust(kwargs)
        with refusal_explained(kwargs.get("context")):
            return make(*args, **kwargs)


def connect(session: smtplib.SMTP, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
    """Connect, with a clean slate.

    smtplib keeps what the last server said, and sends MAIL to the next one without an EHLO (gh-85642); it leaves an old
    connection open; and it does not note the name that the certificate will have to show (gh-70039).
    """
    if issubclass(type(session), SMTP):
        if session.sock is not None:
            session.close()
        session.ehlo_resp = session.helo_resp = None
        session.esmtp_features = {}
        session.does_esmtp = False
        host = args[0] if args else kwargs.get("host", "localhost")
        port = args[1] if len(args) > 1 else kwargs.get("port", 0)
        vars(session)["_host"] = _split(host, port)[0]  # there is no public way
    with refusal_explained(getattr(session, "context", None)):  # that of SMTP_SSL
        return session.connect(*args, **kwargs)


def starttls(session: smtplib.SMTP, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
    """Secure the connection (RFC 3207); where no context is given, with one that verifies."""
    if issubclass(type(session), SMTP):
        names = list(inspect.signature(session.starttls).parameters)
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        args = ()
        _trust(kwargs)
    with refusal_explained(kwargs.get("context")):
        return session.starttls(*args, **kwargs)


def leave(session: smtplib.SMTP) -> None:
    """Leave the object's own context manager, without waiting for ever for the answer to QUIT."""
    sock = getattr(session, "sock", None)
    if isinstance(sock, socket.socket):
        timeout = sock.gettimeout()
        with suppress(OSError):  # a refused certificate leaves a closed socket behind
            sock.settimeout(QUIT_TIMEOUT if timeout is None else min(timeout, QUIT_TIMEOUT))
    session.__exit__(None, None, None)


def shut_down(session: object) -> None:
    """Make whatever blocks on the session's connection return with an error; from any thread.

    Not by ``close()``, which waits for the reader, and not by ``SSLSocket.shutdown()``, which drops TLS first: what the
    worker writes next could leave in clear text.
    """
    sock = getattr(session, "sock", None)
    if isinstance(sock, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _trust(kwargs: dict[str, Any]) -> None:
    """Put the context that verifies where none is given; what smtplib took before 3.12 for a client certificate too."""
    if kwargs.get("context") is not None:
        return
    keyfile, certfile = kwargs.pop("keyfile", None), kwargs.pop("certfile", None)
    if certfile is None:
        kwargs["context"] = default_context()
    else:
        kwargs["context"] = context = default_context(fresh=True)
        context.load_cert_chain(certfile, keyfile)


def _with_port(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Split ``"host:port"``, which smtplib connects to as one would expect, and takes for the name to verify."""
    host = args[0] if args else kwargs.get("host", "")
    port = args[1] if len(args) > 1 else kwargs.get("port", 0)
    name, number = _split(host, port)
    if name == host:
        return args, kwargs
    if args:
        return (name, number, *args[2:]), kwargs
    return args, {**kwargs, "host": name, "port": number}


def _split(host: Any, port: Any) -> tuple[Any, Any]:
    """Read host and port as `smtplib.SMTP.connect` does."""
    if not port and isinstance(host, str) and host.count(":") == 1:
        name, _, number = host.partition(":")
        if number.isdecimal():
            return name, int(number)
    return host, port
