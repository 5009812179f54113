"""The settings: what there is to say about how to reach a server.

Owns `SMTPSettings`, its fields, and how they belong together. How they are read from a URL, the environment or a
framework's configuration, and how a session is opened by them, is in modules of their own.
"""

from __future__ import annotations

import inspect
import os
import re
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, cast, overload

from . import checking
from .checking import InvalidSettings
from .credentials import PasswordFunction, SecretFile, SecretText, TokenSource, Unshown

if TYPE_CHECKING:
    from ..call import Retry
    from ..cancellation import OnCancel
    from ..client import AsyncSMTP
    from ..executor import BoundedExecutor
    from ..pipelined import PipelinedSMTP

TLS = Literal["auto", "starttls", "implicit", "none"]
"""How a connection is encrypted."""

TLS_MODES: tuple[TLS, ...] = ("auto", "starttls", "implicit", "none")

TLSVersion = Literal["1.2", "1.3"]

Session = TypeVar("Session", bound=smtplib.SMTP)

Password = str | Callable[[], str] | SecretText
Token = str | Callable[[], str] | Callable[[], tuple[str, float]] | SecretText | TokenSource

RELAY_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT = 25, 587, 465


@dataclass(frozen=True, init=False, repr=False)
class SMTPSettings:
    """How to reach a server: a frozen value, checked when it is made, that shows no secret.

    Two are equal if all of their fields are. `dataclasses.replace` makes one with some fields changed. A pickle has no
    secrets: what is unpickled says so when it is to log in.

    How many threads or sessions there are is not said here: that is the executor's size.

    Args:
        host: The server's name or IP address. Without it there has to be a `unix_socket`.
        port: If left out: 465 for implicit TLS, 587 for STARTTLS, 2003 for LMTP, 25 otherwise.
        tls: ``"starttls"``: the connection is encrypted by STARTTLS (RFC 3207), or not used. ``"implicit"``: it is
            encrypted from the first byte (RFC 8314). ``"none"``: it is not. ``"auto"``, from the port: 465 implicit,
            587 STARTTLS; on any other STARTTLS if the server offers it, and a warning in the log if it does not.
        username: Whom to log in as. With neither a password nor a token it takes a word from somebody before `connect`.
        password: The password, or a function that returns it, called in a worker thread at each connect: of a secrets
            manager, or keyring.
        access_token: In place of a password: a token of OAuth 2.0, for the mechanism XOAUTH2, or a function that
            returns one; with the seconds that it is good for, as a tuple, it is called again when these are nearly
            over, and once only however many sessions are being opened. A server's 535 has it called once more.
        ca_file: A file of certificates, in PEM, that are trusted in place of the system's.
        client_certificate: A file with the client's own certificate, in PEM.
        client_key: The file with its key, if it is another one.
        client_key_password: The password of the key.
        minimum_tls_version: ``"1.2"`` or ``"1.3"``; if left out, that of Python, 1.2.
        server_hostname: The name that the server's certificate must have, if that is not `host`.
        connect_timeout: Seconds until the server has greeted. With classes that are smtplib's own, each of these: each
            of its addresses, TLS, if implicit, and each part of the greeting.
        timeout: Seconds that each single reply may take, and each write. Mind that who gives up earlier than RFC 5321,
            section 4.5.3.2, has it may send a message twice: it gives the reply to a message ten minutes.
        deadline: Seconds that opening a session may take altogether, and each call on it: ``sendmail``, ``noop`` and so
            on, and each message of a stream. Without it there is no limit but the ones above.
        local_hostname: The name that EHLO gives; if left out, that of the host, if it is a full one, else the address.
        source_address: The IP address that connections come from, or a tuple of one and a port.
        cleartext_login: Whether to log in over a connection that is not encrypted, which tells the password to whoever
            listens.
        pipelining: False: wait for the reply to each command, also where the server offers more (RFC 2920).
        lmtp: Whether to speak LMTP (RFC 2033).
        unix_socket: The path of a Unix socket to connect to, in place of a host; LMTP is spoken there.

    Raises:
        InvalidSettings: A ValueError: names the field, the value unless it is a secret, and what is allowed.
    """

    host: str
    port: int
    """0 for a Unix socket."""
    tls: TLS
    username: str | None
    password: SecretText | Callable[[], str] | None
    access_token: SecretText | TokenSource | None
    ca_file: str | None
    client_certificate: str | None
    client_key: str | None
    client_key_password: SecretText | None
    minimum_tls_version: TLSVersion | None
    server_hostname: str | None
    connect_timeout: float
    timeout: float
    deadline: float | None
    local_hostname: str | None
    source_address: tuple[str, int] | None
    cleartext_login: bool
    pipelining: bool
    lmtp: bool
    unix_socket: str | None

    def __init__(
        self,
        host: str = "",
        port: int | None = None,
        tls: TLS = "auto",
        username: str | None = None,
        password: Password | None = None,
        *,
        access_token: Token | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        client_key_password: str | SecretText | None = None,
        minimum_tls_version: TLSVersion | None = None,
        server_hostname: str | None = None,
        connect_timeout: float = 60.0,
        timeout: float = 600.0,
        deadline: float | None = None,
        local_hostname: str | None = None,
        source_address: str | tuple[str, int] | None = None,
        cleartext_login: bool = False,
        pipelining: bool = True,
        lmtp: bool = False,
        unix_socket: str | os.PathLike[str] | None = None,
    ) -> None:
        # First of all, since what follows may raise: a traceback shows the variables of its frames.
        secrets, problem = _Secrets.of(password, access_token, client_key_password)
        del password, access_token, client_key_password
        given = Unshown(host)
        del host  # it may be a URL, with a password
        if isinstance(given.it, str) and ("://" in given.it or "@" in given.it):
            problem = (
                "host: this looks like a URL, for which there is SMTPSettings.from_url(); a host is a name, no more"
            )
        if problem is not None:
            raise InvalidSettings(problem)
        misplaced = _url_with_password(locals())
        if misplaced is not None:
            del port, tls, username, ca_file, client_certificate, client_key, minimum_tls_version
            del server_hostname, local_hostname, source_address, unix_socket
            raise InvalidSettings(f"{misplaced}: this is a URL with a password, for which there is from_url()")
        host = given.it
        values: dict[str, Any] = {
            "host": "" if host == "" else checking.host("host", host),
            "port": 0 if port is None or (port == 0 and not isinstance(port, bool)) else checking.port("port", port),
            "tls": checking.choice("tls", tls, TLS_MODES),
            "username": None if username is None else checking.user_name("username", username),
            "password": secrets.password,
            "access_token": secrets.access_token,
            "client_key_password": secrets.client_key_password,
            "minimum_tls_version": checking.choice("minimum_tls_version", minimum_tls_version, ("1.2", "1.3", None)),
            "server_hostname": None if server_hostname is None else checking.host("server_hostname", server_hostname),
            "connect_timeout": checking.seconds("connect_timeout", connect_timeout),
            "timeout": checking.seconds("timeout", timeout),
            "deadline": None if deadline is None else checking.seconds("deadline", deadline),
            "local_hostname": (
                None if local_hostname is None else checking.greeting_name("local_hostname", local_hostname)
            ),
            "source_address": (
                None if source_address is None else checking.source_address("source_address", source_address)
            ),
            "cleartext_login": checking.flag("cleartext_login", cleartext_login),
            "pipelining": checking.flag("pipelining", pipelining),
            "lmtp": checking.flag("lmtp", lmtp) or unix_socket is not None,
            "unix_socket": None if unix_socket is None else checking.unix_path("unix_socket", unix_socket),
        }
        for name, value in (
            ("ca_file", ca_file),
            ("client_certificate", client_certificate),
            ("client_key", client_key),
        ):
            values[name] = None if value is None else checking.path(name, value)
        _check_together(values)
        if values["unix_socket"] is not None:
            values["tls"] = "none"
        elif not values["port"]:
            values["port"] = _default_port(values["tls"], values["lmtp"])
        for each in fields(self):
            object.__setattr__(self, each.name, values[each.name])

    # Where they come from.

    @classmethod
    def from_url(cls, url: str) -> SMTPSettings:
        """Read settings from a URL.

        ``smtp://``, ``smtp+starttls://`` and ``smtps://`` (implicit TLS), ``lmtp://``, and ``lmtp+unix:///run/lmtp``;
        then user and password, host and port. Everything else is a parameter, by its name here, as in
        ``smtp+starttls://user@mail.example.org:587?timeout=20&ca_file=/etc/ca.pem``. What is special in a URL is
        percent-encoded (RFC 3986, section 2.1), in passwords, too.

        Args:
            url: The URL. With a password it is a secret itself: it belongs into the environment, not into the source.

        Raises:
            InvalidSettings: It is none of these, or a value cannot be; it does not show what may be a secret.
        """
        from .url import settings_from

        given: object = url
        held = SecretText(given) if isinstance(given, str) else None
        kind = type(url).__name__
        del url, given
        if held is None:
            raise InvalidSettings(f"from_url: a URL is a str, not a {kind}")
        return settings_from(held)

    def to_url(self) -> str:
        """Return the settings as a URL, without secrets; `from_url` reads it.

        Functions that are asked for secrets are left out, too.
        """
        from .url import url_of

        return url_of(self)

    @classmethod
    def from_env(cls, prefix: str = "SMTP_", environ: Mapping[str, str] | None = None) -> SMTPSettings:
        """Read settings from environment variables.

        ``SMTP_URL``, as for `from_url`, or one variable for each field: ``SMTP_HOST``, ``SMTP_PORT``, ``SMTP_TLS``,
        ``SMTP_USERNAME`` (or ``SMTP_USER``) and so on. ``SMTP_PASSWORD``, ``SMTP_ACCESS_TOKEN`` and
        ``SMTP_CLIENT_KEY_PASSWORD`` go with either. So do ``SMTP_PASSWORD_FILE`` and ``SMTP_ACCESS_TOKEN_FILE``: files
        that are read at each connect, as secrets are mounted into containers. A variable that is empty is not there.

        Args:
            prefix: What the names begin with.
            environ: Where to look; if left out, the environment.

        Raises:
            InvalidSettings: There are none, or they contradict each other, or a value cannot be.
        """
        from .environment import settings_from

        held = Unshown(os.environ if environ is None else environ)
        del environ
        return settings_from(held, prefix)

    @classmethod
    def from_django(cls, settings: Any) -> SMTPSettings:
        """Read Django's settings: ``EMAIL_HOST``, ``EMAIL_PORT``, ``EMAIL_USE_TLS`` etc., or ``MAILERS["default"]``.

        What is there and cannot be mapped is named in a warning in the log.

        Args:
            settings: ``django.conf.settings``, or another object with these attributes.

        Raises:
            InvalidSettings: They are not about SMTP, contradict each other, or a value cannot be.
        """
        from .frameworks import from_django

        held = Unshown(settings)
        del settings
        return from_django(held)

    @classmethod
    def from_flask(cls, config: Mapping[str, Any]) -> SMTPSettings:
        """Read the configuration of a Flask application that uses Flask-Mail or Flask-Mailman: ``MAIL_SERVER`` etc.

        Args:
            config: ``app.config``, or another mapping with these keys.

        Raises:
            InvalidSettings: They are not about SMTP, contradict each other, or a value cannot be.
        """
        from .frameworks import from_flask

        held = Unshown(config)
        del config
        return from_flask(held)

    # What is opened by them.

    @overload
    def connect_sync(self, *, smtp_class: None = None) -> PipelinedSMTP: ...
    @overload
    def connect_sync(self, *, smtp_class: Callable[..., Session]) -> Session: ...

    def connect_sync(self, *, smtp_class: Callable[..., smtplib.SMTP] | None = None) -> smtplib.SMTP:
        """Open a session: connected, encrypted as these settings say, greeted, and logged in. It blocks.

        Args:
            smtp_class: An organisation's own subclass of `smtplib.SMTP`, or a function that returns such an object,
                not connected; a `PipelinedSMTP` or its kin if left out.

        Returns:
            The session.

        Raises:
            OSError: As smtplib raises it: the attribute ``advice`` says in one line what to do, and from Python 3.11 on
                the traceback does.
            TypeError: The class is not one that these settings can be used with.
            InvalidSettings: A secret that was to be asked for is none; or a file of certificates cannot be read.
            Exception: What a function raised that was asked for a secret.
        """
        from .opening import open_session

        return open_session(self, smtp_class)

    def connect(
        self,
        *,
        smtp_class: Callable[..., smtplib.SMTP] | None = None,
        executor: BoundedExecutor | None = None,
        on_cancel: OnCancel = "abort",
        retry: Retry | None = None,
    ) -> AsyncSMTP:
        """Open a session, to be awaited: ``smtp = await settings.connect()``, or ``async with settings.connect()``.

        Cancelling closes the connection, however far it had come.

        Args:
            smtp_class: As for `connect_sync`.
            executor: As for `AsyncSMTP`.
            on_cancel: As for `AsyncSMTP`.
            retry: As for `AsyncSMTP`.

        Returns:
            The session.

        Raises:
            Exception: As `connect_sync`, when it is awaited.
        """
        from ..client import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL
        from .opening import Opener

        kind = AsyncLMTP if self.lmtp else AsyncSMTP_SSL if self.tls_mode == "implicit" else AsyncSMTP
        return kind(smtp_class=Opener(self, smtp_class), executor=executor, on_cancel=on_cancel, retry=retry)

    # What they show.

    def __repr__(self) -> str:
        told = []
        for name, default in DEFAULTS.items():
            value = getattr(self, name, default)  # a traceback shows it before it has any
            if value != default and not (self.unix_socket is not None and name in ("port", "tls", "lmtp")):
                told.append(f"{name}={value!r}")
        return f"SMTPSettings({', '.join(told)})"

    def __str__(self) -> str:
        return self.to_url()

    @property
    def address(self) -> str:
        """Where the server is, as a person writes it."""
        if self.unix_socket is not None:
            return self.unix_socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def tls_mode(self) -> Literal["starttls", "implicit", "none", "opportunistic"]:
        """How a connection is encrypted, where `tls` is ``"auto"``, too; opportunistic: if the server offers it."""
        if self.unix_socket is not None:
            return "none"
        if self.tls != "auto":
            return self.tls
        if self.lmtp:
            return "opportunistic"
        return _FROM_PORT.get(self.port, "opportunistic")


_FROM_PORT: dict[int, Literal["starttls", "implicit"]] = {SUBMISSIONS_PORT: "implicit", SUBMISSION_PORT: "starttls"}


_URL_WITH_PASSWORD = re.compile(r"\s*(smtp|lmtp)[a-z+]*://.*:.*@", re.IGNORECASE | re.DOTALL)


def _url_with_password(values: Mapping[str, object]) -> str | None:
    """Return the name of a value that is a URL with a password in it, which no error may show."""
    for name, value in values.items():
        if isinstance(value, (str, os.PathLike)) and _URL_WITH_PASSWORD.match(str(value)):
            return name
    return None


class _Secrets:
    """The secrets that settings were given, in what does not show them."""

    password: SecretText | Callable[[], str] | None = None
    access_token: SecretText | TokenSource | None = None
    client_key_password: SecretText | None = None

    @classmethod
    def of(cls, password: Any, access_token: Any, client_key_password: Any) -> tuple[_Secrets, str | None]:
        """Return them, and what is wrong with them; nothing is raised here, where they are in variables."""
        self = cls()
        for name, value, may_be_asked in (
            ("password", password, True),
            ("access_token", access_token, True),
            ("client_key_password", client_key_password, False),
        ):
            if value is None:
                continue
            kept: Any = value
            if isinstance(value, str):
                kept = SecretText(value)
            elif name == "access_token" and callable(value):
                kept = TokenSource(cast("Callable[[], str]", value))
            elif name == "password" and callable(value) and not isinstance(value, SecretFile):
                kept = PasswordFunction(cast("Callable[[], str]", value))
            if isinstance(kept, SecretText):
                flaw = kept.flaw()
                if flaw is not None:
                    return self, f"{name}: {flaw}"
            elif not (may_be_asked and (callable(kept) or isinstance(kept, TokenSource))):
                wanted = "a str, or a function that returns one" if may_be_asked else "a str"
                return self, f"{name}: it is {wanted}, and not of the type {type(value).__name__}"
            setattr(self, name, kept)
        return self, None


def _default_port(tls: TLS, lmtp: bool) -> int:
    if lmtp:
        return smtplib.LMTP_PORT
    return {"implicit": SUBMISSIONS_PORT, "starttls": SUBMISSION_PORT}.get(tls, RELAY_PORT)


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse what contradicts itself."""

    def refuse(text: str) -> NoReturn:
        raise InvalidSettings(text)

    if values["unix_socket"] is not None:
        if values["host"] or values["port"]:
            refuse("unix_socket: there is a host or a port, too; a session has one of them")
        if values["tls"] in ("starttls", "implicit"):
            refuse(f"tls: {values['tls']!r} is not for a Unix socket, which nobody can listen to; leave it out")
    elif not values["host"]:
        refuse("host: it is missing; the name or the IP address of the server, or else unix_socket=")
    if values["lmtp"] and values["tls"] == "implicit":
        refuse("tls: 'implicit' is not for LMTP (RFC 2033), which is encrypted by 'starttls' if at all")
    if values["tls"] == "none" or values["unix_socket"] is not None:
        for name in ("ca_file", "client_certificate", "minimum_tls_version", "server_hostname"):
            if values[name] is not None:
                refuse(f"{name}: it is for TLS, and the connection is not encrypted")
    if values["client_certificate"] is None:
        for name in ("client_key", "client_key_password"):
            if values[name] is not None:
                refuse(f"{name}: it belongs to a client_certificate, and there is none")
    if values["password"] is not None and values["access_token"] is not None:
        refuse("access_token: there is a password, too; one of them logs in")
    for name in ("password", "access_token"):
        if values[name] is not None and values["username"] is None:
            refuse(f"{name}: there is no username that it belongs to")


DEFAULTS: dict[str, Any] = {
    name: parameter.default for name, parameter in inspect.signature(SMTPSettings).parameters.items()
}
