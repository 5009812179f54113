"""The first step of a notification."""

from __future__ import annotations

from . import routing, wire


def notify(to: str, subject: str) -> int:
    wire.transmit(to, subject)
    return len(wire.encode(subject))


def escalate(to: str, subject: str, level: int) -> int:
    """Notify, and whoever is above, up to a level. Calls `routing.next_step`, which calls this."""
    notify(to, f"{subject} ({level})")
    return 1 + routing.next_step(to, subject, level - 1)


class Channels:
    """By name."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def notify(self, name: str) -> bool:
        """Tell whether there is such a channel: the name is all that this has in common with the function."""
        return name in self.names
