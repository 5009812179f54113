"""The bridge: whatever blocks, made awaitable.

Owns `bridge`: what kind of thing it is given, and what becomes of it. How a function is called, or an object stood for,
is in the modules below.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from email.message import Message
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from .call import Retry, Terms
from .cancellation import OnCancel
from .executor import BoundedExecutor
from .face import AsyncBridge, Calls, checked_calls
from .factory import Factory
from .functions import made_awaitable
from .job import name_of
from .kinds import is_async, is_data, is_function, is_generator, is_mock, is_retried, makes_context_managers
from .proxy import Choices, bridged, face_of, own_face_of
from .turns import turn_of

if TYPE_CHECKING:
    import smtplib
    from contextlib import _GeneratorContextManager

    from .client import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL
    from .proxy import AnyProxy

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")


class Decorator(Protocol):
    """`bridge` with its options, and without what is to be bridged."""

    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload]
        self, func: Callable[P, _GeneratorContextManager[S]], /
    ) -> Callable[P, AbstractAsyncContextManager[S]]: ...
    @overload
    def __call__(self, func: Callable[P, Iterator[S]], /) -> Callable[P, AsyncGenerator[S, Any]]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, Coroutine[Any, Any, R]]: ...


_LEFT_OUT: Any = object()


# The overloads are asked in this order; the first that fits counts.


@overload
def bridge(
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Decorator: ...


@overload
def bridge(  # pyright: ignore[reportOverlappingOverload]
    target: smtplib.SMTP_SSL,
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> AsyncSMTP_SSL: ...
@overload
def bridge(
    target: smtplib.LMTP,
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> AsyncLMTP: ...
@overload
def bridge(
    target: smtplib.SMTP,
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> AsyncSMTP: ...
@overload
def bridge(  # pyright: ignore[reportOverlappingOverload]
    target: type[smtplib.SMTP_SSL],
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Callable[..., AsyncSMTP_SSL]: ...
@overload
def bridge(
    target: type[smtplib.LMTP],
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Callable[..., AsyncLMTP]: ...
@overload
def bridge(
    target: type[smtplib.SMTP],
    *,
    executor: BoundedExecutor | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Callable[..., AsyncSMTP]: ...
@overload
def bridge(
    target: type[T],
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    passthrough: Iterable[str] = (),
    nested: Iterable[str] = (),
    awaitable: Iterable[str] = (),
    retry: Retry | None = None,
) -> Factory[T]: ...
@overload
def bridge(
    target: Callable[P, Coroutine[Any, Any, R]],
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def bridge(
    target: Callable[P, _GeneratorContextManager[S]],
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
) -> Callable[P, AbstractAsyncContextManager[S]]: ...
@overload
def bridge(
    target: Callable[P, Iterator[S]],
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
) -> Callable[P, AsyncGenerator[S, Any]]: ...
@overload
def bridge(target: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]: ...  # mypy keeps overloads without options
@overload
def bridge(
    target: Callable[P, R],
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    retry: Retry | None = None,
) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def bridge(
    target: T,
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    passthrough: Iterable[str] = (),
    nested: Iterable[str] = (),
    awaitable: Iterable[str] = (),
    retry: Retry | None = None,
) -> AnyProxy[T]: ...
def bridge(
    target: Any = _LEFT_OUT,
    *,
    executor: BoundedExecutor | None = None,
    calls: Calls | None = None,
    on_cancel: OnCancel = "abort",
    passthrough: Iterable[str] = (),
    nested: Iterable[str] = (),
    awaitable: Iterable[str] = (),
    retry: Retry | None = None,
) -> Any:
    """Make a blocking function, class or object awaitable; it stays as it is.

    - A function or a bound method gives a coroutine function with the same parameters; a generator function gives an
      async generator function, and one made by ``contextlib.contextmanager`` one that gives async context managers.
      Works as a decorator, on methods, too: ``@bridge``, or ``@bridge(on_cancel="wait")``.
    - A class gives something to make objects with, in a worker: ``mailer = await bridge(CorpMailer)(settings)``, or
      ``async with bridge(CorpMailer)(settings) as mailer:``.
    - Any other object gives a proxy: its methods are awaitable, its attributes are read and written through, at once.
      ``async with`` enters it, ``async for`` iterates over it. Names with an underscore in front are the proxy's own;
      the object itself is ``proxy.__wrapped__``.
    - An `smtplib.SMTP` gives an `AsyncSMTP`. What is awaitable already is returned as it is.

    Calls run on a bounded executor. Those on one object run one at a time, in the order in which they were made,
    whichever task, thread or event loop makes them, and through however many bridges; those of a function run side by
    side. A generator or a context manager keeps one copy of the caller's context variables from its first step to its
    last, and is closed in a worker also when its consumer stops early or is cancelled.

    Cancelling a call that waits for its turn withdraws it. Cancelling one that runs aborts it: whatever it is blocked
    on in smtplib is shut down, and it can begin no further step of SMTP; the awaiter gets its CancelledError when the
    thread is back, at most ``configure(cancel_grace=...)`` seconds later, and a second cancel ends that wait. What
    cannot be interrupted (a name being looked up, code that is not talking SMTP) runs on. What is known of the call is
    the attribute ``call`` of the CancelledError: its phase, and its result or error, if it had returned.

    Args:
        target: What blocks.
        executor: Where the calls run; the default executor if left out. For objects that keep state per thread,
            ``BoundedExecutor(1)``, to be passed when the class is bridged: then they are made on the same thread, too.
        calls: ``"serial"``, one at a time, or ``"concurrent"``, side by side. If left out, serial for objects and their
            methods, concurrent for functions.
        on_cancel: What becomes of a running call when its awaiter is cancelled: ``"abort"``, as above; ``"wait"``: it
            runs to its end, and the CancelledError comes then, however often it is cancelled; ``"abandon"``: the
            CancelledError comes at once, and it runs on, unobserved.
        passthrough: Methods of the object that stay synchronous.
        nested: Attributes whose value is bridged, too, and methods whose result is, in the lane of this object:
            ``await mailer.transport.connect()`` with ``nested=("transport",)``.
        awaitable: Properties that block, and are awaited: ``await mailer.status``.
        retry: A decorator for coroutine functions, such as ``tenacity.retry(...)``, that calls are put through: of a
            function or a method, not what an object or a context manager takes to be made, entered and left. Waiting
            between attempts is done on the event loop: it holds no thread, and nobody up in the lane.

    Raises:
        TypeError: Nothing about the target blocks, or an option does not apply to it.
        ValueError: An option has a value that it cannot have.
    """
    if target is _LEFT_OUT:
        return partial(
            bridge,
            executor=executor,
            calls=calls,
            on_cancel=on_cancel,
            passthrough=passthrough,
            nested=nested,
            awaitable=awaitable,
            retry=retry,
        )
    terms = Terms(executor, on_cancel, retry)
    choices = Choices(_names("passthrough", passthrough), _names("nested", nested), _names("awaitable", awaitable))
    if calls is not None:
        checked_calls(calls)
    if isinstance(target, (AsyncBridge, Factory)):
        if (terms, calls, choices) != (Terms(), None, Choices()):
            raise TypeError(f"{target!r} is bridged already, on the terms that it was given then")
        return target
    if is_async(target):
        return _migrated(target, terms, choices)
    if isinstance(target, (staticmethod, classmethod, property)):
        return _descriptor(target, terms, calls, choices)
    _refuse_what_does_not_block(target)
    if is_function(target) and not is_mock(target):
        return _function(target, terms, calls, choices)
    return _object(target, terms, calls, choices)


def _descriptor(
    target: staticmethod[..., Any] | classmethod[Any, ..., Any] | property,
    terms: Terms,
    calls: Calls | None,
    choices: Choices,
) -> Any:
    if not isinstance(target, property):
        return type(target)(_function(target.__func__, terms, calls, choices))
    return property(_function(target.fget, terms, calls, choices), target.fset, target.fdel, target.__doc__)


def _object(target: Any, terms: Terms, calls: Calls | None, choices: Choices) -> Any:
    kind = target if inspect.isclass(target) else type(target)
    own = own_face_of(target)
    if own is not None:
        if calls == "concurrent" or choices != Choices():
            raise TypeError(
                f"{kind.__name__} is a class of smtplib's: bridge() makes the mirror of it, one conversation with its "
                "methods as they are; of the options, executor=, on_cancel= and retry= apply"
            )
        return own.construct(target, terms) if kind is target else own.adopt(target, terms)
    _warn_of_retries(face_of(kind, choices)._retried_ones)
    if kind is target:
        return Factory(target, terms, calls or "serial", choices)
    return bridged(target, terms, calls or "serial", choices)


def _names(option: str, names: Iterable[Any]) -> frozenset[str]:
    if isinstance(names, str):
        raise TypeError(f"{option}= takes several names; for one, write {option}=({names!r},)")
    found = frozenset(names)
    for name in found:
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(f"{option}= takes names of attributes, not {name!r}")
        if name.startswith("_") and name != "__enter__":
            raise TypeError(f"{option}={name!r}: names with an underscore in front are the proxy's own")
    return found


def _refuse_what_does_not_block(target: object) -> None:
    if inspect.isawaitable(target):
        close = getattr(target, "close", None)
        if inspect.iscoroutine(target) and close is not None:
            close()  # nobody will await it, and nobody needs to be told twice
        raise TypeError(f"bridge() takes what blocks, and {target!r} is awaited as it is")
    if isinstance(target, ModuleType):
        hint = "; for smtplib, import asyncsmtp_bridge.smtplib instead" if target.__name__ == "smtplib" else ""
        raise TypeError(f"bridge() takes a function, class or object, not the module {target.__name__}{hint}")
    if isinstance(target, (BaseException, BoundedExecutor, Message)):
        raise TypeError(f"bridge() takes a function, class or object that blocks; {target!r:.80} does not")
    if not callable(target) and hasattr(type(target), "__get__"):
        raise TypeError(f"bridge() takes a function, class or object; {target!r} is something that makes one")
    if is_data(target):
        raise TypeError(
            f"bridge() takes a function, class or object that blocks, not {type(target).__name__} data; "
            "if it is the result of a call: write 'await bridge(send)(message)', not 'bridge(send(message))'"
        )


def _migrated(func: Any, terms: Terms, choices: Choices) -> Any:
    """Return what is awaited already; of the options, only a policy makes a difference to it."""
    _refuse_choices(choices)
    return terms.retried(func) if inspect.iscoroutinefunction(func) else func


def _refuse_choices(choices: Choices) -> None:
    if choices != Choices():
        raise TypeError("passthrough=, nested= and awaitable= are for objects and classes; a function has no members")


def _function(func: Any, terms: Terms, calls: Calls | None, choices: Choices) -> Any:
    _refuse_choices(choices)
    if terms.retry is not None and (is_generator(func) or makes_context_managers(func)):
        raise TypeError(
            "retry= is for calls; of a generator or a context manager a part may be done when the rest fails"
        )
    if is_retried(func):
        _warn_of_retries([name_of(func)])
    return made_awaitable(func, terms, turn_of(func, calls))


def _warn_of_retries(names: Sequence[str]) -> None:
    for name in names:
        warnings.warn(
            f"{name} is decorated by a retry policy: while it sleeps between attempts it holds a thread and its turn. "
            "Bridge the function below, with retry=retry_transient: then waiting is done on the event loop",
            RuntimeWarning,
            stacklevel=4,
        )
