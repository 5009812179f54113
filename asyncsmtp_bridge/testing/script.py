"""The script: which of a server's faults happen now.

Owns the counts. It does not know what a fault does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from .faults import Fault, Step


@dataclass(frozen=True)
class Occasion:
    """Who has arrived at a step."""

    connection: int
    message: int
    """The connection's how manyth transaction."""
    mail_from: str | None = None
    recipient: str | None = None

    def key(self, fault: Fault) -> Hashable:
        """What a fault counts this occasion under."""
        keys: dict[str, Hashable] = {
            "server": None,
            "connection": self.connection,
            "message": (self.connection, self.message),
            "recipient": (self.mail_from, self.recipient),
        }
        return keys[fault.per]


@dataclass
class _Count:
    first: float
    occurrences: int = 0


class Script:
    """A list of faults and how often each could have happened. Safe to use from any thread."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._lock = threading.Lock()
        self.replace(faults)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, in the order in which they act."""
        return self._faults

    def replace(self, faults: Iterable[Fault]) -> None:
        """Take other faults, and count from the beginning."""
        faults = tuple(faults)
        with self._lock:
            self._faults = faults
            self._counts: dict[tuple[int, Hashable], _Count] = {}

    def restart(self) -> None:
        """Count from the beginning."""
        self.replace(self._faults)

    def firing(self, step: Step, occasion: Occasion) -> list[Fault]:
        """Count an occasion for every fault that it concerns; return those that happen, in their order."""
        with self._lock:
            return [
                fault
                for index, fault in enumerate(self._faults)
                if fault.at == step and _concerns(fault, occasion) and self._fires(index, fault, occasion)
            ]

    def _fires(self, index: int, fault: Fault, occasion: Occasion) -> bool:
        now = time.monotonic()
        count = self._counts.setdefault((index, occasion.key(fault)), _Count(now))
        count.occurrences += 1
        if fault.within is not None and now - count.first > fault.within:
            return False
        return count.occurrences > fault.after and (
            fault.times is None or count.occurrences <= fault.after + fault.times
        )


def _concerns(fault: Fault, occasion: Occasion) -> bool:
    if fault.recipient is None:
        return True
    return occasion.recipient is not None and fault.recipient.lower() == occasion.recipient.lower()
