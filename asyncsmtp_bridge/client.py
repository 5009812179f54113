"""The mirror: smtplib's classes with awaitable methods.

Owns `AsyncSMTP`, `AsyncSMTP_SSL` and `AsyncLMTP`: the same methods, arguments, results and exceptions, in the order of
smtplib's documentation, and the few places where the mirror must do more than call. It does not know pools, retries or
settings.

What differs from smtplib, and nothing else does:

- Where no context is given, TLS is verified (`asyncsmtp_bridge.tls`).
- ``connect`` tells the object the server's name, without which a verified ``starttls`` fails after ``SMTP()`` and after
  ``"host:port"`` (gh-70039), and forgets what an earlier server had said, which smtplib would use unasked (gh-85642).
- Leaving ``async with`` by an exception closes the connection without a QUIT, which would wait for a server that may
  be what is wrong; and a QUIT waits for ten seconds at most.
"""

from __future__ import annotations

import inspect
import smtplib
import socket
import ssl
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from . import session
from .call import Retry, Terms, conclude, conclude_soon, leave
from .cancellation import OnCancel
from .declare import async_method, attribute, plain_method
from .executor import BoundedExecutor
from .face import UNMADE, AsyncBridge
from .job import ClosingJob, LaneJob
from .owed import PARAMETERS, Attempt, connecting, owing
from .proxy import OwnFace, has_own_face
from .watch import shut_down_socket

Self = TypeVar("Self", bound="AsyncSMTP")


class AsyncSMTP(AsyncBridge[smtplib.SMTP]):
    """An `smtplib.SMTP` with awaitable methods.

    Three ways to begin::

        async with AsyncSMTP("mail.example.org", 587) as smtp: ...
        smtp = await AsyncSMTP("mail.example.org", 587)
        smtp = AsyncSMTP(); await smtp.connect("mail.example.org", 587)

    The object is made, the name looked up and the connection opened in a worker thread, never on the event loop. Calls
    on one connection keep their order, and each is one unit: tasks can share a connection.

    Cancelling a call that waits for its turn leaves the connection as it is. Cancelling one that runs, or one that
    connects or shakes hands, shuts the connection down, since nobody can know how much of the command the server has
    seen; the awaiter gets its CancelledError when the thread is back, mostly within milliseconds, and at most
    ``configure(cancel_grace=...)`` seconds later. The next call raises `smtplib.SMTPServerDisconnected`, and `connect`
    begins anew. Only a name that is being looked up cannot be interrupted; what comes of it is closed.

    Args:
        host: As for `smtplib.SMTP`, like all arguments up to `source_address`; ``timeout`` is in seconds for each
            single network operation, and without limit if left out.
        port: See there.
        local_hostname: See there.
        timeout: See there.
        source_address: See there.
        executor: Where the methods run; the default executor if left out.
        on_cancel: What becomes of a running call when its awaiter is cancelled: ``"abort"``, as above; ``"wait"``: it
            runs to its end, and the CancelledError comes then; ``"abandon"``: the CancelledError comes at once, and it
            runs on.
        retry: A policy, such as `retry_transient`, or a decorator of tenacity's, that connecting and sending are put
            through. ``sendmail`` and ``send_message`` send again to those only who were refused for now, as long as
            there is a session, and return or raise the final refusals; ``send_message`` sets Message-ID and Date, on a
            copy, where the message has none. A message that may have been delivered raises `DeliveryUnknown`.
        smtp_class: An organisation's own subclass of `smtplib.SMTP`, made in place of it; the arguments are then its
            own. It is looked up, like `smtplib.SMTP` itself, when the connection is made.

    Raises:
        TypeError: Arguments that the class does not take.
    """

    _stdlib_name: ClassVar[str] = "SMTP"
    __signature__: ClassVar[inspect.Signature]

    if TYPE_CHECKING:

        @overload
        def __init__(
            self,
            host: str = "",
            port: int = 0,
            local_hostname: str | None = None,
            timeout: float | None = ...,
            source_address: tuple[bytearray | bytes | str, int] | None = None,
            *,
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self,
            *args: Any,
            smtp_class: Callable[..., smtplib.SMTP],
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
            **kwargs: Any,
        ) -> None: ...

    def __init__(
        self,
        *args: Any,
        executor: BoundedExecutor | None = None,
        on_cancel: OnCancel = "abort",
        retry: Retry | None = None,
        smtp_class: Callable[..., smtplib.SMTP] | None = None,
        **kwargs: Any,
    ) -> None:
        self._construction = session.Construction(self._stdlib_name, smtp_class, args, kwargs)
        del args, kwargs
        self._construction.check()
        self._begin(Terms(executor, on_cancel, retry))

    # How the session is made; what was written to it before; what `async with` was entered with, where the target is
    # what its __enter__ returned, mostly the same object.
    _construction: session.Construction | None = None
    _early: dict[str, Any] | None = None
    _manager: smtplib.SMTP | None = None

    @classmethod
    def from_sync(
        cls: type[Self],
        existing: smtplib.SMTP,
        *,
        executor: BoundedExecutor | None = None,
        on_cancel: OnCancel = "abort",
        retry: Retry | None = None,
    ) -> Self:
        """Adopt a synchronous session, connected or not.

        Mirrors of one session share its lane. The synchronous object stays usable through `__wrapped__`, but nothing
        orders calls on it with those of the mirror.

        Args:
            existing: The session.
            executor: Where its methods run; the default executor if left out.
            on_cancel: As for the class.
            retry: As for the class.

        Raises:
            TypeError: It is no `smtplib.SMTP`.
        """
        if not isinstance(existing, session.SMTP):
            raise TypeError(
                f"from_sync() adopts an smtplib.SMTP, not {existing!r}; "
                "in a test, MagicMock(spec=smtplib.SMTP) passes for one"
            )
        self = cls.__new__(cls)  # not __init__, which may have other parameters in a subclass
        self._begin(Terms(executor, on_cancel, retry), existing)
        return self

    # The methods, in the order of smtplib's documentation.

    set_debuglevel = plain_method(smtplib.SMTP.set_debuglevel)
    docmd = async_method(smtplib.SMTP.docmd)
    connect = async_method(smtplib.SMTP.connect, via=session.connect, undo=session.hang_up)
    helo = async_method(smtplib.SMTP.helo)
    ehlo = async_method(smtplib.SMTP.ehlo)
    ehlo_or_helo_if_needed = async_method(smtplib.SMTP.ehlo_or_helo_if_needed)
    has_extn = plain_method(smtplib.SMTP.has_extn)
    verify = async_method(smtplib.SMTP.verify)
    vrfy = async_method(smtplib.SMTP.vrfy)
    login = async_method(smtplib.SMTP.login)
    auth = async_method(smtplib.SMTP.auth)
    auth_cram_md5 = plain_method(smtplib.SMTP.auth_cram_md5)
    auth_plain = plain_method(smtplib.SMTP.auth_plain)
    auth_login = plain_method(smtplib.SMTP.auth_login)
    starttls = async_method(smtplib.SMTP.starttls, via=session.starttls, undo=session.hang_up)
    sendmail = async_method(smtplib.SMTP.sendmail)
    send_message = async_method(smtplib.SMTP.send_message)
    quit = async_method(smtplib.SMTP.quit)
    close = async_method(smtplib.SMTP.close)

    # Not in the documentation, but public.

    send = async_method(smtplib.SMTP.send)
    putcmd = async_method(smtplib.SMTP.putcmd)
    getreply = async_method(smtplib.SMTP.getreply)
    help = async_method(smtplib.SMTP.help)
    rset = async_method(smtplib.SMTP.rset)
    noop = async_method(smtplib.SMTP.noop)
    mail = async_method(smtplib.SMTP.mail)
    rcpt = async_method(smtplib.SMTP.rcpt)
    data = async_method(smtplib.SMTP.data)
    expn = async_method(smtplib.SMTP.expn)

    debuglevel = attribute[int]("How much is printed to stderr; see `set_debuglevel`.")
    timeout = attribute[float | None]("Seconds that each network operation may take.")
    local_hostname = attribute[str]("The name that EHLO gives to the server.")
    source_address = attribute[tuple[bytearray | bytes | str, int] | None]("Where connections come from.")
    default_port = attribute[int]("The port if none is given.")
    command_encoding = attribute[str]("How commands are encoded: ascii, or utf-8 for SMTPUTF8.")
    sock = attribute[socket.socket | None]("The connection's socket, None when not connected.")
    file = attribute[Any]("What replies are read from, None when not connected.")
    helo_resp = attribute[bytes | None]("The server's reply to HELO.")
    ehlo_msg = attribute[str]("The verb that EHLO is sent with: ehlo, or lhlo.")
    ehlo_resp = attribute[bytes | None]("The server's reply to EHLO.")
    does_esmtp = attribute[bool]("Whether the server speaks ESMTP.")
    esmtp_features = attribute[dict[str, str]]("The extensions that the server offers, in lower case.")
    user = attribute[str]("The user name of the last `login`.")
    password = attribute[str]("The password of the last `login`.")

    # The context manager.

    async def __aenter__(self: Self) -> Self:
        manager = await self._open()
        # The object's own: a subclass may do something there, and a test's mock acts through what it returns.
        try:
            label = f"{type(self).__name__}.__aenter__"
            entered = await self._perform(LaneJob(manager.__enter__, (), {}, self._lane, label=label))
        except BaseException:
            await self._close_soon()  # there will be no __aexit__
            raise
        self._manager, self._target = manager, entered
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc_type is None:
            left = self._manager or self._target
            await conclude(lambda: self._job("__aexit__", session.leave, left), self._terms, self._interrupt)
        elif isinstance(exc, GeneratorExit):  # a coroutine that is thrown away cannot wait
            self._interrupt()
            leave(lambda: self._job("close", self._target.close), self._terms)
        else:
            await self._close_soon()

    def _job(self, name: str, func: Callable[..., Any], *args: Any) -> ClosingJob:
        return ClosingJob(func, args, {}, self._lane, label=f"{type(self).__name__}.{name}")

    if not TYPE_CHECKING:  # a type checker sees for itself that there is no __enter__

        def __enter__(self) -> None:
            name = type(self).__name__
            raise TypeError(f"{name} is entered by 'async with {name}(...) as smtp:', not by 'with'")

        def __exit__(self, *_: object) -> None:
            raise AssertionError  # never entered

    async def _close_soon(self) -> None:
        """End the connection, with whatever runs on it; wait for that, but not for long."""
        self._interrupt()
        await conclude_soon(lambda: self._job("close", self._target.close), self._terms, self._interrupt)

    # How a session is made, and what it is before it is made.

    def _make(self) -> smtplib.SMTP:
        assert self._construction is not None  # noqa: S101 - or else there is a target
        made = self._construction()
        for name, value in (self._early or {}).items():
            setattr(made, name, value)
        return made

    def _dispose_of(self, target: smtplib.SMTP) -> None:
        target.close()

    @property
    def _connects(self) -> bool:
        """Whether there is nothing to call or look at before the mirror was awaited."""
        return self._construction is None or self._construction.connects

    async def _ready(self) -> smtplib.SMTP:
        if not self._kept and not self._connects:
            return await self._open()
        return self.__wrapped__

    # Policies. Each method sends one message at most, so nothing needs to be recorded for them.

    async def _open(self) -> smtplib.SMTP:
        if self._kept or self._terms.retry is None:
            return await super()._open()
        opening = super()._open

        async def connect() -> smtplib.SMTP:
            return await opening()

        connect.__qualname__ = f"{self._stdlib_name}.connect"  # as logs have it
        opened: smtplib.SMTP = await self._terms.decorated(connect)()
        return opened

    def _retried(self, attempt: Attempt) -> Attempt:
        if self._terms.retry is None or attempt.__name__ not in ("connect", *PARAMETERS):
            return attempt
        known: dict[Attempt, Attempt] = vars(self).setdefault("_policies", {})
        if attempt not in known:
            if attempt.__name__ == "connect":
                known[attempt] = connecting(attempt, self._terms.decorated)
            else:
                known[attempt] = owing(attempt.__name__, self._stdlib_name, self._terms.decorated)
        return known[attempt]

    async def _send(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        target = await self._ready()
        label = f"{type(self).__name__}.{name}"
        job = LaneJob(session.send, (target, name, *args), kwargs, self._lane, label=label)
        return self._present(name, await self._perform(job))

    def _is_connected(self) -> bool:
        return getattr(self._target, "sock", None) is not None

    def _get(self, name: str) -> Any:
        if self._target is not UNMADE or self._connects:
            return super()._get(name)
        if name == "set_debuglevel":
            return partial(self._set, "debuglevel")
        if self._early and name in self._early:
            return self._early[name]
        assert self._construction is not None  # noqa: S101 - or else it would have connected
        unconnected = None if name == "local_hostname" else self._construction.unconnected()
        return super()._get(name) if unconnected is None else getattr(unconnected, name)

    @classmethod
    def _class_attribute(cls, name: str, declared: object) -> Any:
        return getattr(getattr(smtplib, cls._stdlib_name), name, declared)

    def _set(self, name: str, value: Any) -> None:
        if self._target is UNMADE and not self._connects:
            self._early = {**(self._early or {}), name: value}
        else:
            super()._set(name, value)

    def _why_unmade(self) -> str:
        name = type(self).__name__
        if self._construction is None:
            return f"{name}.__init__() was not called"
        if not self._construction.connects:
            return f"{name}() is made when it is first awaited: 'await smtp.connect(host, port)' before you look at it"
        return (
            f"{name}({self._construction.host or '...'!r}) was never awaited, so it is not connected: "
            f"write 'smtp = await {name}(...)' or 'async with {name}(...) as smtp:'"
        )

    def __repr__(self) -> str:
        name = type(self).__name__
        host = getattr(self._target, "_host", None) or (self._construction and self._construction.host)
        connected = self._target is not UNMADE and getattr(self._target, "sock", None) is not None
        where = host if isinstance(host, str) else "without host"
        return f"<{name} {where}, {'connected' if connected else 'not connected'}>"

    def _interrupt(self) -> None:
        # From its own dictionary: a subclass may have made it a property, which could do anything.
        shut_down_socket(getattr(self._target, "__dict__", {}).get("sock"))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("_get_socket", "_print_debug", "_rset"):
            if name in vars(cls):
                raise TypeError(
                    f"{cls.__qualname__}.{name} would never be called; {cls._where_synchronous_methods_go()}"
                )

    @classmethod
    def _where_synchronous_methods_go(cls) -> str:
        return "put it into a subclass of smtplib.SMTP, and pass that as smtp_class= to the mirror"


class AsyncSMTP_SSL(AsyncSMTP):  # noqa: N801 - smtplib's name
    """An `smtplib.SMTP_SSL` with awaitable methods: TLS from the first byte, mostly on port 465 (RFC 8314).

    Without a context the server's certificate is verified, unlike in smtplib; the error for one that is refused says
    how to trust it.

    Args:
        host: As for `AsyncSMTP`.
        port: 465 if left out.
        local_hostname: As for `AsyncSMTP`.
        timeout: As for `AsyncSMTP`.
        source_address: As for `AsyncSMTP`.
        context: The TLS context; ``configure(tls_context=...)`` or the system's trust store if left out.
        executor: As for `AsyncSMTP`.
        on_cancel: As for `AsyncSMTP`.
        retry: As for `AsyncSMTP`.
        smtp_class: As for `AsyncSMTP`.
    """

    _stdlib_name = "SMTP_SSL"

    context = attribute[ssl.SSLContext]("The TLS context.")

    if TYPE_CHECKING:

        @overload
        def __init__(
            self,
            host: str = "",
            port: int = 0,
            local_hostname: str | None = None,
            *,
            timeout: float | None = ...,
            source_address: tuple[bytearray | bytes | str, int] | None = None,
            context: ssl.SSLContext | None = None,
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self,
            *args: Any,
            smtp_class: Callable[..., smtplib.SMTP],
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
            **kwargs: Any,
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...


class AsyncLMTP(AsyncSMTP):
    """An `smtplib.LMTP` with awaitable methods (RFC 2033), for TCP and, with a path as the host, Unix sockets.

    It is made of `PipelinedLMTP`: smtplib's own class reads one reply for all recipients, where each has one.

    Args:
        host: The host, or the absolute path of a Unix socket.
        port: 2003 if left out.
        local_hostname: As for `AsyncSMTP`.
        source_address: As for `AsyncSMTP`.
        timeout: Seconds for each single network operation, 600 if left out; mind that smtplib has the last two in
            another order here.
        deadline: As for `PipelinedLMTP`.
        cleartext_login: As for `PipelinedLMTP`.
        pipelining: As for `PipelinedLMTP`.
        executor: As for `AsyncSMTP`.
        on_cancel: As for `AsyncSMTP`.
        retry: As for `AsyncSMTP`.
        smtp_class: As for `AsyncSMTP`.
    """

    _stdlib_name = "LMTP"

    connect = async_method(smtplib.LMTP.connect, via=session.connect, undo=session.hang_up)

    if TYPE_CHECKING:

        @overload
        def __init__(
            self,
            host: str = "",
            port: int = 2003,
            local_hostname: str | None = None,
            source_address: tuple[bytearray | bytes | str, int] | None = None,
            timeout: float | None = ...,
            *,
            deadline: float | None = None,
            cleartext_login: bool = False,
            pipelining: bool = True,
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self,
            *args: Any,
            smtp_class: Callable[..., smtplib.SMTP],
            executor: BoundedExecutor | None = None,
            on_cancel: OnCancel = "abort",
            retry: Retry | None = None,
            **kwargs: Any,
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def _add_signature(mirror: type[AsyncSMTP], original: type) -> None:
    """Let ``inspect.signature`` and ``help`` show what smtplib of this interpreter takes, and those that join it."""
    signature = inspect.signature(original)
    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, default, annotation in (
            ("executor", None, "BoundedExecutor | None"),
            ("on_cancel", "abort", "OnCancel"),
            ("retry", None, "Retry | None"),
            ("smtp_class", None, "Callable[..., smtplib.SMTP] | None"),
        )
    ]
    mirror.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])


_add_signature(AsyncSMTP, smtplib.SMTP)
_add_signature(AsyncSMTP_SSL, smtplib.SMTP_SSL)
_add_signature(AsyncLMTP, smtplib.LMTP)


def _mirror_of(kind: type) -> type[AsyncSMTP]:
    """Return the mirror for a class of sessions."""
    if issubclass(kind, session.SMTP_SSL):
        return AsyncSMTP_SSL
    return AsyncLMTP if issubclass(kind, session.LMTP) else AsyncSMTP


def _adopt(existing: smtplib.SMTP, terms: Terms) -> AsyncSMTP:
    return _mirror_of(type(existing)).from_sync(
        existing, executor=terms.executor, on_cancel=terms.on_cancel, retry=terms.retry
    )


def _construct(kind: type[smtplib.SMTP], terms: Terms) -> Callable[..., AsyncSMTP]:
    smtp_class = None if kind in (session.SMTP, session.SMTP_SSL, session.LMTP) else kind
    make = cast("Callable[..., AsyncSMTP]", _mirror_of(kind))
    return partial(make, executor=terms.executor, on_cancel=terms.on_cancel, retry=terms.retry, smtp_class=smtp_class)


has_own_face(session.SMTP, OwnFace(_adopt, _construct))
