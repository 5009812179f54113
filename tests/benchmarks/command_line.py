"""The command line: which entries, how often, and where the figures go."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .measurement import Plan, environment
from .registry import ENTRIES, Entry

RUNS, QUICK_RUNS = 11, 3
PEERS = ("anyio", "aiosmtplib", "tenacity")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, print it as markdown; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        width = max(map(len, ENTRIES))
        for entry in ENTRIES.values():
            print(f"{entry.name:<{width}}  {entry.summary}")
        return 0
    if find_spec(options.loop) is None:
        parser.error(f"--loop {options.loop}: {options.loop} is not installed")

    entries = [entry for entry in ENTRIES.values() if not options.entries or entry in options.entries]
    titles = [title for entry in entries for title in entry.cases]
    for text in options.case:
        if not any(text in title for title in titles):
            there_are = "; there are:\n  " + "\n  ".join(titles) if titles else ": these entries have none"
            parser.error(f"--case: no case has {text!r} in its title{there_are}")

    plan = Plan(
        runs=options.runs or (QUICK_RUNS if options.quick else RUNS),
        quick=options.quick,
        loop=options.loop,
        cases=options.case,
    )
    where = environment(plan, PEERS)
    print(f"{where.line()}; interleaved runs: {plan.runs}{', quick' if plan.quick else ''}", flush=True)
    results: dict[str, Any] = {}
    for entry in entries:
        print(f"\n## {entry.name}\n{entry.summary}", flush=True)
        tables = entry.measure(plan)
        for table in tables:
            print(f"\n{table.markdown()}", flush=True)
        results[entry.name] = [table.as_json() for table in tables]
    if options.json is not None:
        report = {"environment": where.as_json(), "runs": plan.runs, "quick": plan.quick, "entries": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure the package beside its peers. Nothing passes or fails here: there are figures to read.",
        epilog="Entries:\n\n" + "\n\n".join(_paragraph(entry) for entry in ENTRIES.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "entries", nargs="*", type=_entry, metavar="ENTRY", help=f"{', '.join(ENTRIES)}; all of them without it"
    )
    parser.add_argument("--list", action="store_true", help="list the entries, and measure nothing")
    parser.add_argument(
        "--runs",
        type=_positive,
        metavar="N",
        help=f"counted runs in which the peers take turns, after one that is not counted (default {RUNS}, "
        f"quick {QUICK_RUNS})",
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it works; not for figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures, each sample too, as JSON")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="TEXT",
        help="of throughput: only the cases with this in their titles, as '20 ms'; may be given more than once",
    )
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="event loop (default asyncio)")
    return parser


def _paragraph(entry: Entry) -> str:
    return f"{entry.name}\n" + "\n".join(f"  {line}".rstrip() for line in entry.description.splitlines())


def _entry(name: str) -> Entry:
    if name in ENTRIES:
        return ENTRIES[name]
    close = get_close_matches(name, ENTRIES, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise argparse.ArgumentTypeError(f"no entry {name!r}; there are: {', '.join(ENTRIES)}.{hint}")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs; 1 or more")
    return number
