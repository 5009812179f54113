"""Cases: what one is, and how it is registered.

Owns that a case awaits functions of one module, and names the messages that are then delivered. It does not know where
the modules were imported from: a case is given its module, and the servers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .servers import Mail, Servers

BERT, CLEO, DORA = "bert@example.org", "cleo@example.org", "dora@example.org"

Run = Callable[[Any, Servers], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Case:
    """One way through a module.

    Args:
        module: Below the package, with dots.
        run: Awaits the module's functions.
        expected: What is delivered, sorted.
    """

    module: str
    run: Run
    expected: list[Mail]

    @property
    def name(self) -> str:
        return f"{self.module}:{self.run.__name__}"


class Registry(list[Case]):
    """The cases of a file."""

    def case(self, module: str, sender: str, *mails: tuple[str, str] | tuple[str, str, str]) -> Callable[[Run], Run]:
        """Register a function; each mail is recipients and subject, with the sender in front where it is another."""
        expected = [
            (other[0] if other else sender, tuple(sorted(recipients.split())), subject)
            for *other, recipients, subject in mails
        ]

        def register(run: Run) -> Run:
            self.append(Case(module, run, sorted(expected)))
            return run

        return register


def named(subjects: str) -> list[str]:
    """The subjects in a list with commas."""
    return [subject.strip() for subject in subjects.split(",")]
