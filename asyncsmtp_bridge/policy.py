"""Policies: how often a call is made, how long is waited in between, and what else is tried again.

Owns what `asyncsmtp_bridge.retry_transient` can be told, and the switch that tests of retries turn. It does not know
how a call is made.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from tenacity import RetryCallState

from .strategies import OnUnknown, Strategy, checked_on_unknown


@dataclass(frozen=True)
class Policy:
    """What a retried call is made by; `asyncsmtp_bridge.retry_transient` documents each."""

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
        if self.max_delay is not None and not isinstance(self.max_delay, (int, float)):
            raise TypeError(f"max_delay= is in seconds, not {self.max_delay!r}")
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


class Switch:
    """Whether retries are being tested. Any thread may ask; what is set, is set for all of them."""

    def __init__(self) -> None:
        self._caps: list[int] = []

    @property
    def attempts(self) -> int | None:
        """The most attempts that any call makes; None if nothing is being tested."""
        caps = self._caps[-1:]  # looked at once: another thread may turn it off
        return caps[0] if caps else None

    def is_enough(self, made: int) -> bool:
        """Whether no further attempt is made."""
        most = self.attempts
        return most is not None and made >= most

    @contextlib.contextmanager
    def __call__(self, attempts: int) -> Iterator[None]:
        """Turn it on, for a ``with`` block."""
        self._caps.append(attempts)
        try:
            yield
        finally:
            self._caps.remove(attempts)


switch = Switch()
