"""Strategies: what tenacity asks, answered by what is known of the message.

Owns `retry_if_transient` and `wait_transient`, which compose with tenacity's own by ``|``, ``&`` and ``+``, and the
judgement of a failed attempt that both rest on. They do not know how a call is retried.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

from tenacity import RetryCallState
from tenacity.retry import retry_base
from tenacity.wait import wait_base

from . import defaults, record, watch
from .classify import judged
from .outcome import Failure, Outcome

OnUnknown = Literal["raise", "retry"]

ON_UNKNOWN: tuple[OnUnknown, ...] = ("raise", "retry")


class wait_transient(wait_base):  # noqa: N801 - as tenacity names its own
    """Waits as long as a mail server should be left alone.

    Exponential backoff with full jitter: a random time up to ``initial`` seconds, then up to twice as much, and so on.
    Full jitter, since what one server refuses to many clients at once would otherwise come back at once. On top of it,
    the time that the server asks for in its reply, or, if it greylists, the time that it most likely wants to see pass.

    Args:
        initial: Seconds, the most to wait before the second attempt.
        max: Seconds, the most that backoff comes to.
        greylisted: Seconds to wait at least where a server greylists and does not say for how long; most want five
            minutes (RFC 6647, section 4.2, has from one minute to a day).

    Raises:
        ValueError: A time that is none.
    """

    def __init__(self, initial: float = 1.0, max: float = 60.0, greylisted: float = 300.0) -> None:  # noqa: A002
        for name, seconds in (("initial", initial), ("max", max), ("greylisted", greylisted)):
            if not seconds >= 0:
                raise ValueError(f"wait_transient({name}={seconds!r}): seconds, 0 or more")
        self._initial = initial
        self._max = max
        self._greylisted = greylisted

    def __call__(self, retry_state: RetryCallState) -> float:
        """Return the seconds to wait before the next attempt."""
        most = min(self._max, self._initial * 2.0 ** min(retry_state.attempt_number - 1, 60))
        backoff = random.uniform(0, most)  # noqa: S311 - nothing is kept secret by it
        error = exception_of(retry_state)
        if error is None:
            return backoff
        failure = judged(error, record.known_by(error))
        floor = self._greylisted if failure.greylisted else 0.0
        return backoff + (floor if failure.retry_after is None else failure.retry_after)


class retry_if_transient(retry_base):  # noqa: N801 - as tenacity names its own
    """Retries what a mail server refused for now, and what did not come as far as to be sent.

    For decorators of tenacity's own: ``@tenacity.retry(retry=retry_if_transient(), ...)``. Never retried: what may have
    been delivered, what was refused for good, wrong credentials, what is not SMTP's, and no exception that is not an
    ``Exception``, such as a CancelledError. Mind tenacity's ``reraise=True``.

    A function that sends one message after the other, and fails at the second, is not called again either, where that
    is known: in what `bridge` has made, and in plain functions, from the thread that they run in. In a coroutine
    function it is not: use `retry_transient` there.

    Args:
        on_unknown: ``"retry"``: what may have been delivered is sent again. Some will get it twice.

    Raises:
        ValueError: An option has a value that it cannot have.
    """

    def __init__(self, *, on_unknown: OnUnknown = "raise") -> None:
        self._on_unknown: OnUnknown = checked_on_unknown(on_unknown)
        # Not when a call has failed: by then it may have sent what would be sent again.
        if defaults.allows_hook("retry_if_transient()"):
            watch.install_hook()

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Return whether to try again."""
        error = exception_of(retry_state)
        if error is None:
            return False
        its_record = record.of(error)
        if its_record is not None:
            # First of all: what is left of the attempt shall not go on beside the next one, or be judged too soon.
            its_record.give_up()
        again = may_be_sent_again(judged(error, _known(retry_state, error)), self._on_unknown)
        if its_record is not None:
            its_record.give_up(again)
        return again


def _known(retry_state: RetryCallState, error: Exception) -> record.Known:
    known = record.known_by(error)
    if on_a_loop():
        return known
    # Asked about one attempt more than once, as in `retry_any`, it is to answer the same.
    attempt, since, judged_at = getattr(retry_state, "_judged", (0, retry_state.start_time, retry_state.start_time))
    if attempt != retry_state.attempt_number:
        since, judged_at = judged_at, monotonic()
        retry_state._judged = retry_state.attempt_number, since, judged_at  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    here = record.known_in_this_thread(since)
    # The exception may have come through a policy further in, which knows of its last attempt only.
    return here if len(here.begun or ()) > len(known.begun or ()) else known


def on_a_loop() -> bool:
    """Whether this is the thread of a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def exception_of(retry_state: RetryCallState) -> Exception | None:
    """Return what an attempt has failed with, if it has failed: no CancelledError, no KeyboardInterrupt."""
    outcome = retry_state.outcome
    error = outcome.exception() if outcome is not None and outcome.failed else None
    return error if isinstance(error, Exception) else None


def may_be_sent_again(failure: Failure, on_unknown: OnUnknown) -> bool:
    """Whether a call may be made again, by what is known of its failure."""
    if failure.sent_before:
        return False
    if failure.outcome is Outcome.UNKNOWN:
        return on_unknown == "retry"
    return failure.outcome is Outcome.TRANSIENT


def checked_on_unknown(on_unknown: OnUnknown) -> OnUnknown:
    """Return what to do with unknown outcomes, if it is one of the two.

    Raises:
        ValueError: It is not.
    """
    if on_unknown not in ON_UNKNOWN:
        raise ValueError(f"on_unknown= is one of {', '.join(map(repr, ON_UNKNOWN))}, not {on_unknown!r}")
    return on_unknown


Strategy = Callable[[RetryCallState], Any]
"""What tenacity calls a retry, stop or wait object."""
