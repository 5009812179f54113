"""Figures of what was measured: `python -m tests.benchmarks.plots figures.json ... --output docs/figures`.

Draws from the JSON that `python -m tests.benchmarks --json` writes; where several files have the same entry, the last
one counts, and entries that none of them has are left out. The same figures make the same bytes. Needs matplotlib, of
the extra `docs`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = dict[str, Any]

# Okabe and Ito's colours, which those tell apart who see fewer; by name, so that a peer has the same in every figure.
COLOURS = {
    "nothing is sent": "#bbbbbb",
    "aiosmtplib": "#56b4e9",
    "smtplib in asyncio.to_thread": "#e69f00",
    "smtplib in threads": "#999999",
    "AsyncSMTP": "#cc79a7",
    "AsyncSMTP(smtp_class=PipelinedSMTP)": "#0072b2",
    "PipelinedSMTP.send_stream": "#009e73",
}
OTHER = "#000000"
INK, FAINT = "#222222", "#d8d8d8"

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "asyncsmtp_bridge",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.facecolor": "white",  # on GitHub's dark pages as well
    "axes.facecolor": "white",
    "grid.color": FAINT,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what there is; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plots", description=__doc__.partition("\n")[0])
    parser.add_argument("reports", nargs="+", type=Path, metavar="JSON", help="written by python -m tests.benchmarks")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the SVG files go")
    options = parser.parse_args(arguments)
    try:
        import matplotlib as mpl
    except ImportError:
        parser.error("matplotlib is not installed; the extra 'docs' has it")
    mpl.use("Agg")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in options.reports]
    options.output.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for entry, draw in FIGURES.items():
            having = [report for report in reports if entry in report["entries"]]
            if not having:
                continue
            figure = draw(having[-1]["entries"][entry], having[-1])
            path = options.output / f"{entry}.svg"
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
            print(path)
    return 0


def _throughput(tables: list[dict[str, Any]], report: Report) -> Figure:
    """Messages a second by round trip, as ratios to the baseline."""
    cases = [table for table in tables if _is_plain(table["parameters"])]
    baseline = cases[0]["parameters"]["baseline"]
    peers = [row["peer"] for row in cases[0]["rows"] if row["peer"] != baseline and "note" not in row]
    figure, axes = _canvas(3.4)
    width = 0.8 / len(peers)
    for place, peer in enumerate(peers):
        rows = [next(row for row in case["rows"] if row["peer"] == peer) for case in cases]
        ratios = [row["ratio"] for row in rows]
        spread = [
            [row["ratio"] - row["ratio_min"] for row in rows],
            [row["ratio_max"] - row["ratio"] for row in rows],
        ]
        where = [group + (place - (len(peers) - 1) / 2) * width for group in range(len(cases))]
        axes.bar(where, ratios, width * 0.92, color=COLOURS.get(peer, OTHER), label=peer)
        axes.errorbar(where, ratios, spread, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5)
        for x, row in zip(where, rows, strict=True):
            axes.annotate(
                f"{row['ratio']:.1f}", (x, row["ratio_max"]), (0, 3), textcoords="offset points", ha="center", size=8
            )
    axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
    axes.annotate(f"{baseline} = 1", (len(cases) - 0.5, 1), (3, 0), textcoords="offset points", va="center", size=8)
    axes.set_xticks(range(len(cases)), [_round_trip(case["parameters"]["round_trip_ms"]) for case in cases])
    axes.set_xlim(-0.5, len(cases) - 0.5)
    axes.set_ylim(0, 1.12 * max(row["ratio_max"] for case in cases for row in case["rows"] if "note" not in row))
    axes.set_xlabel("round trip to the server")
    axes.set_ylabel("messages a second, ratio")
    axes.grid(axis="y")
    parameters = cases[0]["parameters"]
    axes.set_title(f"Small messages on {parameters['connections']} reused connections", pad=38)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8, borderaxespad=0.2)
    return _signed(figure, report, parameters["sink"])


def _is_plain(parameters: dict[str, Any]) -> bool:
    return parameters["reused"] and not parameters["attachment"] and parameters["recipients"] == 1


def _round_trip(milliseconds: float) -> str:
    return f"{milliseconds:g} ms" if milliseconds else "0 ms (loopback)"


def _lag(tables: list[dict[str, Any]], report: Report) -> Figure:
    """The 99th percentile of how late the event loop was."""
    [table] = tables
    parameters = table["parameters"]
    figure, axes = _canvas(2.4)
    rows = [row for row in table["rows"] if "note" not in row]
    _lie(axes, rows, "p99_ms", lambda row: f"{row['p99_ms']:,.{0 if row['p99_ms'] >= 10 else 1}f} ms")
    axes.set_xscale("log")
    axes.set_xlim(left=min(1.0, *(row["p99_ms"] for row in rows)))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("how late the event loop was, 99th percentile, ms (logarithmic)")
    axes.set_title(f"{parameters['at_once']} messages of {parameters['bytes'] / 1e6:g} MB at once")
    return _signed(figure, report, parameters["sink"])


def _memory(tables: list[dict[str, Any]], report: Report) -> Figure:
    """The peak of what was allocated, in multiples of the message."""
    [table] = tables
    parameters = table["parameters"]
    figure, axes = _canvas(2.1)
    rows = [row for row in table["rows"] if "note" not in row]
    _lie(axes, rows, "multiple", lambda row: f"{row['multiple']:.2f} ({row['peak_mb']:.1f} MB)")
    axes.set_xlabel("peak of what is allocated while it is sent, in multiples of the message's size")
    axes.set_title(f"One message of {parameters['bytes'] / 1e6:g} MB")
    return _signed(figure, report, parameters["sink"])


FIGURES = {"throughput": _throughput, "lag": _lag, "memory": _memory}


def _canvas(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes: Axes = figure.subplots()
    return figure, axes


def _lie(axes: Axes, rows: list[dict[str, Any]], value: str, label: Any) -> None:
    """Draw a horizontal bar for each row, the first one on top."""
    names = [row["peer"] for row in rows]
    bars = axes.barh(names, [row[value] for row in rows], 0.7, color=[COLOURS.get(name, OTHER) for name in names])
    axes.bar_label(bars, [label(row) for row in rows], padding=3, size=8)
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _signed(figure: Figure, report: Report, sink: str) -> Figure:
    """Say where it was measured."""
    where = report["environment"]
    line = f"{where['python']}, {where['cores']} cores, {where['loop']} event loop, to {sink}, runs: {report['runs']}"
    figure.supxlabel(line, x=0.995, ha="right", size=7, color="#666666")
    return figure


if __name__ == "__main__":
    raise SystemExit(main())
