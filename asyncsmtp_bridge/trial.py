"""Trials: what becomes of a call after its first attempt.

Owns the further attempts, on an event loop or in a thread. tenacity makes them; here it is told what came of the first
one, what is to be made again and when it is enough, and what is said of it. It does not know how a call is decorated.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import smtplib
import ssl
import sys
import time
import warnings
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from types import TracebackType
from typing import Any, NoReturn

import tenacity
from tenacity import RetryCallState

from .arguments import Arguments, Hidden
from .cancellation import note
from .classify import judged
from .job import name_of
from .outcome import EARLIER, CancelledCall, DeliveryUnknown, Failure, Outcome, StillOwed, unknown_text
from .policy import Policy, switch
from .record import ATTRIBUTE, Known, Record
from .strategies import exception_of, may_be_sent_again, on_a_loop, wait_transient

logger = logging.getLogger("asyncsmtp_bridge")


@dataclass
class First:
    """What came of the first attempt, until tenacity takes it."""

    record: Record
    result: Any = None
    error: Exception | None = None
    is_left: bool = True

    def take(self) -> Any:
        """Return the result, or raise the error."""
        self.is_left = False
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.result
        finally:
            del error  # its traceback has this frame


class Trial:
    """A call that has been made once.

    Args:
        policy: The policy.
        hidden: What is called.
        arguments: What it is called with.
        began_at: When that began.
        first: What came of it.
    """

    def __init__(self, policy: Policy, hidden: Hidden, arguments: Arguments, began_at: float, first: First) -> None:
        self._policy = policy
        self._hidden = hidden
        self._name = name_of(hidden.func)
        self._arguments = arguments
        self._began_at = began_at
        self._first = first
        # What came of the attempts.
        self._records = [first.record]
        self._error: Exception | None = None  # of the last one, if it had one
        self._failures: list[Failure] = []
        self._failure: Failure | None = None
        self._unknown: Failure | None = None
        self._next_wait: tuple[int, float] = (0, 0.0)
        self._announcement: Awaitable[None] | None = None

    def go_on(self) -> Any:
        """Make the call again as often as it takes, in this thread."""

        def again() -> Any:
            if self._first.is_left:
                return self._first.take()
            with self._new_record():
                return self._arguments.call(self._hidden)

        try:
            return tenacity.Retrying(sleep=self._sleep, **self._strategies())(again)
        except Exception as error:
            self._raise(error)
        finally:
            self._end()

    async def go_on_awaiting(self) -> Any:
        """Make the call again as often as it takes, and await it."""

        async def again() -> Any:
            if self._first.is_left:
                return self._first.take()
            try:
                with self._new_record():
                    return await self._arguments.call(self._hidden)
            except asyncio.CancelledError as cancelled:
                self._tell_of_earlier(cancelled)
                raise

        try:
            return await tenacity.AsyncRetrying(sleep=self._sleep_on_loop, **self._strategies())(again)
        except Exception as error:
            self._raise(error)
        finally:
            self._end()

    def _new_record(self) -> Record:
        self._error = None  # its frames hold the message, and each attempt may make another copy of it
        self._records.append(Record())
        return self._records[-1]

    def _end(self) -> None:
        for each in self._records:
            each.close()
        self._error = self._failure = self._unknown = None  # their tracebacks hold this

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
        # First of all: what is left of the attempt shall not go on beside the next one, or be judged too soon.
        its_record = self._records[-1]
        its_record.give_up()
        is_to_be = self._is_wanted(state, its_record.known())
        its_record.give_up(is_to_be)
        if is_to_be and (self._failure is None or self._failure.outcome is Outcome.TRANSIENT):
            its_record.settle()
        return is_to_be

    def _is_wanted(self, state: RetryCallState, known: Known) -> bool:
        state.start_time = self._began_at  # the first attempt is over when tenacity begins
        error = exception_of(state)
        if error is None:
            # A CancelledError, Ctrl-C: whatever a predicate says of these, they are to end the call.
            return state.outcome is not None and not state.outcome.failed and self._is_failure(state, known)
        failure = self._failure = judged(error, known)
        self._error = error
        is_delivered = isinstance(error, StillOwed) and error.is_delivered
        outcome = Outcome.UNKNOWN if is_delivered else failure.outcome
        self._failures.append(replace(failure, outcome=outcome, exception=None))
        if failure.outcome is Outcome.UNKNOWN and not failure.sent_before:
            self._unknown = failure
        if failure.sent_before:
            if failure.outcome is not None or self._wants_also(state):
                _say_what_was_sent(self._name, error, failure)
            return False
        if may_be_sent_again(failure, self._policy.on_unknown):
            return True
        # Not where threads that nobody knows of may go on sending, or what locks accounts, or never comes right.
        never = known.has_strays or isinstance(
            failure.exception, (smtplib.SMTPAuthenticationError, ssl.SSLCertVerificationError)
        )
        return failure.outcome in (Outcome.PERMANENT, None) and not never and self._wants_also(state)

    def _is_failure(self, state: RetryCallState, known: Known) -> bool:
        """Whether a result is one that says that the call has failed, and the call can be made again."""
        if not self._wants_also(state):
            return False
        self._failure = self._error = None
        begun = [content[0] for content in known.begun or ()]
        if begun:
            self._unknown = Failure(Outcome.UNKNOWN, text="its result means a failure", message_id=begun[-1])
            self._failures.append(self._unknown)
        # Of several, all but the last have most likely been accepted.
        cannot_be_told = known.is_ambiguous or known.has_strays or (known.is_odd and not begun)
        if cannot_be_told or len(begun) > 1 or (begun and self._policy.on_unknown == "raise"):
            logger.warning(
                "%s returned what means a failure, but had begun to send %s, which may have been delivered: "
                "it is not called again",
                self._name,
                _list_of(begun) or "what cannot be told",
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
        if switch.is_enough(made):
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
            seconds = 0.0 if switch.attempts else (self._policy.wait or _WAIT)(state)
            if not isinstance(seconds, (int, float)):
                raise TypeError(f"wait= returns seconds, and {self._policy.wait!r} returned {seconds!r}")
            seconds = max(0.0, seconds)
            self._next_wait = state.attempt_number, seconds
        return seconds

    # What is said.

    def _announce(self, state: RetryCallState) -> None:
        failure = self._failure or Failure(None, text="its result means a failure")
        seconds = self._wait(state)
        logger.info(
            "%s failed for now (%s%s%s), attempt %d; the next one in %.1f s",
            self._name,
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

    def _sleep(self, seconds: float) -> None:
        if inspect.isawaitable(self._announcement):
            raise TypeError(f"before_sleep= returned what is to be awaited, and {self._name} is not awaited")
        if seconds and on_a_loop():
            warnings.warn(
                f"{self._name} was called on the thread of a running event loop, and blocks it between two "
                f"attempts, now for {seconds:.1f} s: await bridge(...)(...) with retry= instead",
                RuntimeWarning,
                stacklevel=2,
            )
        time.sleep(seconds)

    async def _sleep_on_loop(self, seconds: float) -> None:
        announcement, self._announcement = self._announcement, None
        try:
            if inspect.isawaitable(announcement):
                await announcement
            await asyncio.sleep(seconds)
        except asyncio.CancelledError as cancelled:
            # Between two attempts: what is known is that of the last one, if it was an error.
            call = CancelledCall(self._name, began=False)
            if self._error is not None:
                call = replace(call, began=True, returned=True, error=self._error)
            note(cancelled, replace(call, earlier=tuple(self._failures)))
            setattr(cancelled, ATTRIBUTE, self._records[-1])
            raise

    def _tell_of_earlier(self, cancelled: asyncio.CancelledError) -> None:
        call = getattr(cancelled, "call", None)
        if not isinstance(call, CancelledCall):
            call = CancelledCall(self._name, began=True)
        note(cancelled, replace(call, earlier=(*self._failures, *call.earlier)))

    def _raise(self, error: Exception) -> NoReturn:
        """Raise the last error as it came; as a DeliveryUnknown, if the message may have been delivered."""
        try:
            error = error.with_traceback(_without_machinery(error.__traceback__))
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
                    BaseException.__setattr__(error, EARLIER, unknown)
            raise error
        finally:
            del error  # its traceback has this frame


def delivery_unknown(
    failure: Failure, recipients: tuple[str, ...] = (), refused: dict[str, tuple[int, bytes]] | None = None
) -> DeliveryUnknown:
    """Return the error that says so.

    Args:
        failure: What is known.
        recipients: Whom it is about; nobody: all of the message's.
        refused: Who else was refused.
    """
    message_id, phase = failure.message_id, failure.phase
    return DeliveryUnknown(
        unknown_text(message_id, phase, failure.text),
        message_id,
        phase,
        recipients,
        refused,
    )


def _say_what_was_sent(name: str, error: BaseException, failure: Failure) -> None:
    if failure.sent_before == (None,):
        text = (
            "not tried again: it cannot be told whether the same call has sent something before, and would again; "
            "of threads it can, that are used by asyncio.to_thread or bridge()"
        )
    else:
        sent = _list_of(failure.sent_before)
        text = f"not tried again: the same call had begun to send before, and would send again: {sent}"
    logger.warning("%s: %s", name, text)
    _add_note(error, text)


def _list_of(message_ids: Sequence[str | None]) -> str:
    named = [each or "one of unknown Message-ID" for each in message_ids]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


_NAMED = 5
"""Messages that are named in one line."""


def _add_note(error: BaseException, text: str) -> None:
    if sys.version_info >= (3, 11) and text not in getattr(error, "__notes__", ()):
        with contextlib.suppress(Exception):  # a class of exceptions may refuse it
            error.add_note(text)


def _without_machinery(tb: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of tenacity: they tell nobody anything, and hold the exception."""
    entries = []
    while tb is not None:
        if tb.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in ("tenacity", "concurrent"):
            entries.append(tb)
        tb = tb.tb_next
    made = None
    for entry in reversed(entries):
        made = TracebackType(made, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return made


_BUILT_IN = ("builtins", "socket", "ssl")


_WAIT = wait_transient()
