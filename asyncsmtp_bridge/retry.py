"""Retrying: calls that failed for now are made again, and no mail is sent twice by it.

Owns `retry_transient` and `retry_testing`: how a function is decorated, and the first attempt, which is made without
tenacity. Only when it has failed is there something to decide (`asyncsmtp_bridge.trial`).

What is sent within an attempt is recorded (`asyncsmtp_bridge.record`), since no exception tells what a call had sent
before it failed. It does not know sessions, bridges or pools.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from types import CoroutineType
from typing import Any, Protocol, TypeVar, overload

from tenacity import RetryCallState

from . import watch
from .arguments import Arguments, Hidden
from .job import name_of
from .kinds import POLICY, is_async, is_generator, makes_context_managers
from .policy import Policy, switch
from .record import Record
from .strategies import OnUnknown, Strategy
from .trial import First, Trial

F = TypeVar("F", bound=Callable[..., Any])


class Decorator(Protocol):
    """`retry_transient` with its options."""

    def __call__(self, func: F, /) -> F:
        """Decorate a function, which keeps its type."""
        ...


@overload
def retry_transient(func: F, /) -> F: ...
@overload
def retry_transient(
    *,
    attempts: int | None = 5,
    max_delay: float | None = 900.0,
    wait: Strategy | None = None,
    stop: Strategy | None = None,
    on_unknown: OnUnknown = "raise",
    also: Strategy | None = None,
    before_sleep: Callable[[RetryCallState], Awaitable[None] | None] | None = None,
) -> Decorator: ...
def retry_transient(
    func: Any = None,
    /,
    *,
    attempts: int | None = 5,
    max_delay: float | None = 900.0,
    wait: Strategy | None = None,
    stop: Strategy | None = None,
    on_unknown: OnUnknown = "raise",
    also: Strategy | None = None,
    before_sleep: Callable[[RetryCallState], Awaitable[None] | None] | None = None,
) -> Any:
    """Make a call again when it has failed for now, and nobody gets a mail twice by it.

    A decorator, with or without arguments, for coroutine functions, plain functions and methods; and a policy for
    ``retry=`` of `bridge`, of faces and of mirrors. Tried again is what `classify` says is transient. What is refused
    for good, wrong credentials and errors that are not SMTP's are raised at once, and so is a message that may have
    been delivered, as `DeliveryUnknown`; a wrapper's own exception stays what it is. In the end the last error is
    raised as it came, never tenacity's RetryError.

    A call that has begun to send a message, and then fails at another one, is not made again: the first one would be
    sent twice. The error says so (a note, from Python 3.11 on), and `classify` names what was sent. For that an audit
    hook is installed at the first call, unless ``configure(audit_hook=False)`` declines it.

    Cancelling ends the wait between two attempts at once; an attempt is cancelled as it would be without a policy.
    Waiting is done on the event loop, in coroutine functions and through bridges: no thread is held, and nobody up in
    the lane. A plain function waits in ``time.sleep``.

    Args:
        func: The function.
        attempts: How often to try, the first time included; None: as often as time allows. 5, since what has not
            passed by then is not likely to in the time that a caller waits.
        max_delay: Seconds from the beginning after which no further attempt begins; one that would, is not waited for.
            None: no limit. 900, since most servers that greylist want to be asked again after five minutes.
        wait: How long to wait: a wait object of tenacity's, or a function of the retry state. Default: exponential with
            full jitter, from 1 to 60 seconds, and five minutes where a server greylists (`wait_transient`).
        stop: When to give up: a stop object of tenacity's, in place of `attempts` and `max_delay`.
        on_unknown: ``"raise"``, or ``"retry"``: what may have been delivered is sent again, so that it is delivered at
            least once; some will get it twice.
        also: What else to try again: a retry object of tenacity's, for a wrapper's own errors or results,
            ``also=retry_if_result(lambda sent: not sent)``. It is asked about exceptions only if they are an
            ``Exception``, and never about wrong credentials, or where mail may have been sent.
        before_sleep: Called before each wait, with tenacity's retry state; on coroutine functions it may be a coroutine
            function.

    Raises:
        TypeError, ValueError: An option that cannot work, or something that cannot be called again.
        DeliveryUnknown: From the calls.
    """
    policy = RetryTransient(attempts, max_delay, wait, stop, on_unknown, also, before_sleep)
    return policy if func is None else policy(func)


class RetryTransient(Policy):
    """A policy that decorates functions."""

    def __call__(self, func: Any, /) -> Any:
        """Decorate a function."""
        if isinstance(func, (staticmethod, classmethod)):
            return type(func)(self(func.__func__))
        if not callable(func):
            raise TypeError(f"retry_transient takes a function, or options by their names, not {func!r}")
        if inspect.isclass(func):
            raise TypeError(f"retry_transient takes a function; decorate the methods of {func.__name__}")
        awaited = inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004
        if is_generator(func) or makes_context_managers(func) or (is_async(func) and not awaited):
            raise TypeError(
                f"{name_of(func)} is a generator or a context manager: a part of it may be done when the rest fails"
            )
        if not awaited and inspect.iscoroutinefunction(self.before_sleep):
            raise TypeError(f"before_sleep= is a coroutine function, and {name_of(func)} is not")
        decorated = _awaited if awaited else _called
        made: Callable[..., Any] = decorated(self, Hidden(func))
        functools.update_wrapper(made, func, updated=("__dict__",) if inspect.isroutine(func) else ())
        setattr(made, POLICY, self)
        return made


def _awaited(policy: Policy, hidden: Hidden) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(args, kwargs)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        watch.keep_record("a retried call")
        return await _await_first(policy, hidden, arguments, monotonic(), None)

    return call


async def _await_first(
    policy: Policy, hidden: Hidden, arguments: Arguments, began_at: float, begun: Awaitable[Any] | None
) -> Any:
    record = Record()
    try:
        with record:
            result = await (arguments.call(hidden) if begun is None else begun)
    except Exception as error:
        first = First(record, error=error)
    else:
        if policy.also is None:
            return result
        first = First(record, result)
    return await Trial(policy, hidden, arguments, began_at, first).go_on_awaiting()


def _called(policy: Policy, hidden: Hidden) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(args, kwargs)
        del args, kwargs
        watch.keep_record("a retried call")
        began_at, record = monotonic(), Record()
        try:
            with record:
                result = arguments.call(hidden)
        except Exception as error:
            first = First(record, error=error)
        else:
            if type(result) is CoroutineType or asyncio.isfuture(result):  # of a lambda, or of a partial
                return _await_first(policy, hidden, arguments, began_at, result)
            if policy.also is None:
                return result
            first = First(record, result)
        return Trial(policy, hidden, arguments, began_at, first).go_on()

    return call


def retry_testing(attempts: int = 3) -> contextlib.AbstractContextManager[None]:
    """Let no retried call wait, and none make many attempts; for tests, in a ``with`` block or a fixture.

    For all calls under `retry_transient` in the process, whichever thread or event loop makes them.

    Args:
        attempts: The most that any call makes; fewer, where its policy has fewer. 1 tries nothing again.

    Raises:
        ValueError: Fewer than one.
    """
    if attempts < 1:
        raise ValueError(f"retry_testing(attempts={attempts!r}): 1 or more")
    return switch(attempts)
