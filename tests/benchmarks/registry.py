"""Which entries there are.

An entry is a module of this package: its docstring says what is measured and how, its `measure` does it. A new one
joins by being named in `_MODULES`; it imports its peers where it uses them, since any of them may not be installed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from . import bound, bridge, deadline, hop, lag, memory, retry, throughput
from .measurement import Plan, Table

# In the order in which they are measured: from the first retried call of `retry` on, an audit hook slows the process a
# bit. `deadline` would install it, too, at its first abort.
_MODULES: tuple[ModuleType, ...] = (hop, bridge, bound, throughput, lag, memory, retry, deadline)


@dataclass(frozen=True)
class Entry:
    """Something that can be measured."""

    name: str
    description: str
    measure: Callable[[Plan], list[Table]]
    cases: tuple[str, ...] = ()
    """Titles of those that can be asked for one by one."""

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.description.partition("\n")[0]


def _entry(module: ModuleType) -> Entry:
    name = module.__name__.rpartition(".")[2]
    cases = tuple(case.title for case in getattr(module, "CASES", ()))
    return Entry(name, inspect.getdoc(module) or "", module.measure, cases)


ENTRIES: dict[str, Entry] = {entry.name: entry for entry in map(_entry, _MODULES)}
