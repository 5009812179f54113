"""Retrying: calls that failed for now are made again, and no mail is sent twice by it.

Owns `retry_transient` and `retry_testing`. tenacity does the trying; what may be tried again, and how long to wait, is
in `asyncsmtp_bridge.strategies`. The first attempt is made without tenacity: only when it has failed is there something
to decide.

What is sent within an attempt is recorded (`asyncsmtp_bridge.record`), since no exception tells what a call had sent
before it failed. It does not know sessions, bridges or pools.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import smtplib
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from time import monotonic
from types import CoroutineType
from typing import Any, NoReturn, Protocol, TypeVar, overload

import tenacity
from tenacity import RetryCallState

from . import watch
from .arguments import Arguments
from .classify import judged
from .job import name_of
from .kinds import POLICY, is_async, is_generator, makes_context_managers
from .outcome import EARLIER, CancelledCall, DeliveryUnknown, Failure, Outcome
from .record import Record, begun_by
from .strategies import OnUnknown, Strategy, checked_on_unknown, exception_of, may_be_sent_again, wait_transient

logger = logging.getLogger("asyncsmtp_bridge")

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
    policy = Policy(attempts, max_delay, wait, stop, on_unknown, also, before_sleep)
    return policy if func is None else policy(func)


@dataclass(frozen=True)
class Policy:
    """What `retry_transient` was told; a decorator."""

    attempts: int | None = 5
    max_delay: float | None = 900.0
    wait: Strategy | None = None
    stop: Strategy | None = None
    on_unknown: OnUnknown = "raise"
    also: Strategy | None = None
    before_sleep: Callable[[RetryCallState], Awaitable[None] | None] | None = None

    def __post_init__(self) -> None:
        if self.attempts is not None and (isinstance(self.attempts, bool) or not isinstance(self.attempts, int)):
            raise TypeError(f"attempts= is a number of calls, not {self.attempts!r}")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError(f"attempts= is 1 or more, not {self.attempts}")
        if self.max_delay is not None and not self.max_delay >= 0:
            raise ValueError(f"max_delay= is in seconds, 0 or more, not {self.max_delay!r}")
        checked_on_unknown(self.on_unknown)
        if self.stop is not None and (self.attempts, self.max_delay) != (Policy.attempts, Policy.max_delay):
            raise TypeError("stop= takes the place of attempts= and max_delay=: give the one or the others")
        for name in ("wait", "stop", "also"):
            strategy = getattr(self, name)
            if strategy is None:
                continue
            if not callable(strategy) or inspect.isclass(strategy):
                raise TypeError(
                    f"{name}= takes an object of tenacity's, or a function of the retry state: {strategy!r}"
                )
            if inspect.iscoroutinefunction(strategy) or inspect.iscoroutinefunction(type(strategy).__call__):
                raise TypeError(f"{name}= is asked without awaiting; {strategy!r} is a coroutine function")
        if self.before_sleep is not None and not callable(self.before_sleep):
            raise TypeError(f"before_sleep= takes a function of the retry state, not {self.before_sleep!r}")

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
        made: Callable[..., Any] = _awaited(self, func) if awaited else _called(self, func)
        functools.update_wrapper(made, func, updated=("__dict__",) if inspect.isroutine(func) else ())
        setattr(made, POLICY, self)
        return made


def _awaited(policy: Policy, func: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(args, kwargs)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        watch.keep_record("a retried call")
        return await _Trial(policy, func, arguments).make_awaited()

    return call


def _called(policy: Policy, func: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(args, kwargs)
        del args, kwargs
        watch.keep_record("a retried call")
        return _Trial(policy, func, arguments).make()

    return call


class _Came:
    """What came of the first attempt, until somebody takes it."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.is_left = True

    def take(self) -> Any:
        """Return the result, or raise the error."""
        self.is_left = False
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self.result


class _Trial:
    """A call, made as often as it takes.

    Args:
        policy: The policy.
        func: What is called.
        arguments: What it is called with.
    """

    def __init__(self, policy: Policy, func: Callable[..., Any], arguments: Arguments) -> None:
        self._policy = policy
        self._func = func
        self._arguments = arguments
        self._began_at = monotonic()
        # What came of the attempts.
        self._record: Record
        self._errors: list[Exception] = []
        self._failure: Failure | None = None
        self._unknown: Failure | None = None
        self._next_wait: tuple[int, float] = (0, 0.0)
        self._announcement: Awaitable[None] | None = None

    # The two ways of making it. The first attempt is bare; only if it was no success, tenacity is told what came of it.

    def make(self) -> Any:
        """Make the call, in this thread."""
        first = _Came()
        try:
            with Record() as self._record:
                first.result = self._arguments(self._func)
        except Exception as error:
            first.error = error
        if type(first.result) is CoroutineType:
            return self.make_awaited(first.result)  # a lambda or a partial of a coroutine function
        if first.error is None and self._policy.also is None:
            return first.result

        def again() -> Any:
            if first.is_left:
                return first.take()
            with Record() as self._record:
                return self._arguments(self._func)

        try:
            return tenacity.Retrying(sleep=time.sleep, **self._strategies())(again)
        except Exception as error:
            self._raise(error)

    async def make_awaited(self, begun: Awaitable[Any] | None = None) -> Any:
        """Make the call, and await it; or go on with one that was begun."""
        first = _Came()
        try:
            with Record() as self._record:
                first.result = await (self._arguments(self._func) if begun is None else begun)
        except Exception as error:
            first.error = error
        if first.error is None and self._policy.also is None:
            return first.result

        async def again() -> Any:
            if first.is_left:
                return first.take()
            try:
                with Record() as self._record:
                    return await self._arguments(self._func)
            except asyncio.CancelledError as cancelled:
                self._tell_of_earlier(cancelled)
                raise

        try:
            return await tenacity.AsyncRetrying(sleep=self._sleep_on_loop, **self._strategies())(again)
        except Exception as error:
            self._raise(error)

    def _strategies(self) -> dict[str, Any]:
        return {
            "retry": self._is_to_be_made_again,
            "stop": self._is_enough,
            "wait": self._wait,
            "before_sleep": self._announce,
            # Neither a RetryError, nor an error where there is a result.
            "retry_error_callback": lambda state: state.outcome.result(),
        }

    # What tenacity asks.

    def _is_to_be_made_again(self, state: RetryCallState) -> bool:
        state.start_time = self._began_at  # the first attempt is over when tenacity begins
        error = exception_of(state)
        if error is None:
            # A CancelledError, Ctrl-C: whatever a predicate says of these, they are to end the call.
            return not state.outcome.failed and self._is_failure(state)  # type: ignore[union-attr]
        self._errors.append(error)
        failure = self._failure = judged(error, begun_by(error))
        if failure.outcome is Outcome.UNKNOWN and not failure.sent_before:
            self._unknown = failure
        if failure.sent_before:
            if failure.outcome is not None or self._wants_also(state):
                _say_what_was_sent(error, failure)
            return False
        return may_be_sent_again(failure, self._policy.on_unknown) or (
            failure.outcome in (Outcome.PERMANENT, None) and _may_be_asked_about(failure) and self._wants_also(state)
        )

    def _is_failure(self, state: RetryCallState) -> bool:
        """Whether a result is one that says that the call has failed, and the call can be made again."""
        if not self._wants_also(state):
            return False
        self._failure = None
        begun = self._record.begun()
        if begun and self._policy.on_unknown == "raise":
            logger.warning(
                "%s returned what means a failure, but had begun to send message %s, which may have been delivered: "
                "it is not called again",
                name_of(self._func),
                ", ".join(each or "of unknown Message-ID" for each in begun),
            )
            return False
        return True

    def _wants_also(self, state: RetryCallState) -> bool:
        if self._policy.also is None:
            return False
        wanted = self._policy.also(state)
        if inspect.isawaitable(wanted):
            raise TypeError(f"also= is asked without awaiting; {self._policy.also!r} returned {wanted!r}")
        return bool(wanted)

    def _is_enough(self, state: RetryCallState) -> bool:
        policy, made = self._policy, state.attempt_number
        if _testing.is_enough(made):
            return True
        if policy.stop is not None:
            return bool(policy.stop(state))
        if policy.attempts is not None and made >= policy.attempts:
            return True
        return policy.max_delay is not None and monotonic() - self._began_at + self._wait(state) > policy.max_delay

    def _wait(self, state: RetryCallState) -> float:
        # tenacity asks once for each attempt, but before or after it asks whether it is enough.
        made, seconds = self._next_wait
        if made != state.attempt_number:
            seconds = 0.0 if _testing.attempts else float((self._policy.wait or _WAIT)(state))
            self._next_wait = state.attempt_number, seconds
        return seconds

    # What is said.

    def _announce(self, state: RetryCallState) -> None:
        failure = self._failure or Failure(None, text="its result means a failure")
        seconds = self._wait(state)
        logger.info(
            "%s failed for now (%s%s%s), attempt %d; the next one in %.1f s",
            name_of(self._func),
            "no reply" if failure.code is None else failure.code,
            f" {failure.enhanced_code}" if failure.enhanced_code else "",
            f", {failure.phase.value}" if failure.phase else "",
            state.attempt_number,
            seconds,
            extra={
                "message_id": failure.message_id,
                "attempt": state.attempt_number,
                "code": failure.code,
                "enhanced_code": failure.enhanced_code,
                "next_wait": seconds,
            },
        )
        if self._policy.before_sleep is not None:
            self._announcement = self._policy.before_sleep(state)

    async def _sleep_on_loop(self, seconds: float) -> None:
        announcement, self._announcement = self._announcement, None
        if inspect.isawaitable(announcement):
            await announcement
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError as cancelled:
            # Between two attempts: what is known is that of the last one.
            call = CancelledCall(name_of(self._func), began=True, returned=True, error=self._errors[-1])
            cancelled.call = replace(call, earlier=tuple(self._errors[:-1]))  # type: ignore[attr-defined] # pyright: ignore
            raise

    def _tell_of_earlier(self, cancelled: asyncio.CancelledError) -> None:
        call = getattr(cancelled, "call", None)
        if isinstance(call, CancelledCall):
            cancelled.call = replace(call, earlier=(*self._errors, *call.earlier))  # type: ignore[attr-defined] # pyright: ignore

    def _raise(self, error: Exception) -> NoReturn:
        """Raise the last error as it came; as a DeliveryUnknown, if the message may have been delivered."""
        self._errors.clear()  # its traceback holds this
        unknown = self._unknown
        if unknown is None or isinstance(error, DeliveryUnknown):
            raise error
        kind, is_of_now = type(error), unknown is self._failure
        # A wrapper's own exceptions stay what they are, and so does a deadline's.
        if kind.__module__ == "smtplib" or (
            issubclass(kind, OSError) and kind.__module__ in _BUILT_IN and not is_of_now
        ):
            raise delivery_unknown(unknown) from error
        if not is_of_now:
            _add_note(error, str(delivery_unknown(unknown)))
            with contextlib.suppress(Exception):  # a class of exceptions may have no room for it
                setattr(error, EARLIER, unknown)
        raise error


def delivery_unknown(failure: Failure, recipients: tuple[str, ...] = ()) -> DeliveryUnknown:
    """Return the error that says so.

    Args:
        failure: What is known.
        recipients: Whom it is about; nobody: all of the message's.
    """
    message_id, phase = failure.message_id, failure.phase
    return DeliveryUnknown(
        f"message {message_id or 'of unknown Message-ID'} may have been delivered, nobody can know "
        f"({phase.value + ': ' if phase else ''}{failure.text}); send it again only if a second copy does no harm",
        message_id,
        phase,
        recipients,
    )


def _may_be_asked_about(failure: Failure) -> bool:
    """Whether somebody's own predicate may have it tried again: not what locks accounts, or never comes right."""
    return not isinstance(failure.exception, (smtplib.SMTPAuthenticationError, ssl.SSLCertVerificationError))


def _say_what_was_sent(error: BaseException, failure: Failure) -> None:
    sent = ", ".join(each or "one of unknown Message-ID" for each in failure.sent_before)
    text = f"not tried again: the same call had begun to send before, and would send again: {sent}"
    logger.warning("%s: %s", type(error).__name__, text)
    _add_note(error, text)


def _add_note(error: BaseException, text: str) -> None:
    if sys.version_info >= (3, 11):
        error.add_note(text)


_BUILT_IN = ("builtins", "socket", "ssl")


_WAIT = wait_transient()


# Testing.


class _Testing:
    """Whether retries are being tested. Any thread may ask; what is set, is set for all of them."""

    def __init__(self) -> None:
        self._caps: list[int] = []

    @property
    def attempts(self) -> int | None:
        """The most attempts that any call makes; None if nothing is being tested."""
        return self._caps[-1] if self._caps else None

    def is_enough(self, made: int) -> bool:
        """Whether no further attempt is made."""
        return self.attempts is not None and made >= self.attempts

    @contextlib.contextmanager
    def __call__(self, attempts: int) -> Iterator[None]:
        self._caps.append(attempts)
        try:
            yield
        finally:
            self._caps.remove(attempts)


_testing = _Testing()


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
    return _testing(attempts)
