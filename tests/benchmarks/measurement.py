"""How entries measure and show: interleaved samples, medians, ratios run by run, tables, the environment.

The machine is taken to be noisy. So peers take turns within each run, the run's first peer is another one each time,
the first round counts for nothing, and ratios are formed within a run, between samples that are neighbours in time.
It does not know what is measured.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from statistics import median
from string import Formatter
from typing import Any, TypeVar

T = TypeVar("T")
Row = dict[str, Any]

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Plan:
    """What the command line asks of an entry."""

    runs: int
    """Counted rounds."""
    quick: bool = False
    """Seconds, not minutes: enough to see that the entry works, too little to believe its figures."""
    loop: str = "asyncio"
    """The event loop: "asyncio" or "uvloop"."""
    cases: Sequence[str] = ()
    """Of an entry with cases: only those with one of these in their titles; all, if there are none."""

    def selects(self, title: str) -> bool:
        """Whether a case of this title is asked for."""
        return not self.cases or any(text in title for text in self.cases)

    def on_loop(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on an event loop of its own, and end that loop with all threads of its default executor."""
        result: T = import_module(self.loop).run(main)
        return result


def turns(names: Sequence[str], runs: int) -> Iterator[tuple[int, str]]:
    """Yield (run, name): all names in turn in each run, beginning with another one each time. Run 0 is the warm-up.

    Garbage is collected before each turn and the collector left on: what a peer's garbage costs is part of its price,
    what its predecessor's costs is not.
    """
    for run in range(runs + 1):
        shift = run % len(names) if names else 0
        for name in (*names[shift:], *names[:shift]):
            gc.collect()
            yield run, name


class Samples:
    """Microseconds per call, by peer and run."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[int, float]] = {}

    def add(self, run: int, name: str, microseconds: float) -> None:
        """Keep a sample, unless it is one of the warm-up."""
        if run:
            self._runs.setdefault(name, {})[run] = microseconds

    def row(self, name: str, baseline: str) -> Row:
        """Return a peer's figures; a ratio above 1 says: more calls per second than the baseline in the same run."""
        if name not in self._runs:
            return {"peer": name, "note": NOT_INSTALLED}
        own, base = self._runs[name], self._runs[baseline]
        times, ratios = list(own.values()), [base[run] / own[run] for run in own]
        return {
            "peer": name,
            "median_us": median(times),
            "min_us": min(times),
            "max_us": max(times),
            "ratio": median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "samples_us": times,
        }


TIMES = {
    "peer": "{peer}",
    "median us/call": "{median_us:.1f}",
    "min": "{min_us:.1f}",
    "max": "{max_us:.1f}",
    "calls/s, ratio": "{ratio:.2f}",
    "ratio min..max": "{ratio_min:.2f}..{ratio_max:.2f}",
}
"""The columns for `Samples.row`."""


@dataclass(frozen=True)
class Table:
    """One result: what was held fixed, and a row for each peer."""

    title: str
    parameters: dict[str, Any]
    columns: dict[str, str]
    """Heading and format; the format's fields are keys of the row. A cell with a field that is None is a dash."""
    rows: list[Row]

    def markdown(self) -> str:
        """Return the table as GitHub shows it, aligned for those who read it in a terminal."""
        lines = [list(self.columns), *map(self._cells, self.rows)]
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines.insert(1, rule)
        return "\n".join([f"**{self.title}**", "", *(_line(cells, widths) for cells in lines)])

    def _cells(self, row: Row) -> list[str]:
        first, *others = self.columns.values()
        if "note" in row:
            return [first.format_map(row), row["note"], *[""] * (len(others) - 1)]
        return [first.format_map(row), *(_cell(form, row) for form in others)]

    def as_json(self) -> dict[str, Any]:
        """Return title, parameters and rows with all their figures, unrounded."""
        return {"title": self.title, "parameters": self.parameters, "rows": self.rows}


def _cell(form: str, row: Row) -> str:
    fields = [name for _, name, _, _ in Formatter().parse(form) if name]
    return "-" if any(row[name] is None for name in fields) else form.format_map(row)


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return f"| {first[0]:<{first[1]}} | " + " | ".join(f"{cell:>{width}}" for cell, width in others) + " |"


@dataclass(frozen=True)
class Environment:
    """Where it was measured."""

    python: str
    platform: str
    cores: int
    """Cores that this process may use."""
    loop: str
    peers: dict[str, str]
    """Versions of what is compared."""

    def line(self) -> str:
        """Return all of it in one line."""
        peers = ", ".join(f"{name} {version}" for name, version in self.peers.items())
        return f"{self.python}, {self.platform}, {self.cores} cores, {self.loop} event loop; {peers}"

    def as_json(self) -> dict[str, Any]:
        """Return it by field."""
        return asdict(self)


def environment(plan: Plan, peers: Sequence[str]) -> Environment:
    """Look around; `peers` are the distributions of which the versions matter."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()}{'' if gil else ' free-threaded'}",
        platform=f"{platform.system()} {platform.machine()}",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        loop=plan.loop if plan.loop == "asyncio" else f"{plan.loop} {version(plan.loop)}",
        peers={peer: version(peer) for peer in peers},
    )


def version(distribution: str) -> str:
    """Return the installed version of a distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return NOT_INSTALLED
