"""Figures are drawn from what the benchmark command writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed; the extra 'plots' has it")

from . import plots

SENDERS = ("aiosmtplib", "smtplib in asyncio.to_thread", "a peer without a colour")


def case(round_trip: float, **others: Any) -> dict[str, Any]:
    fixed = {"connections": 8, "reused": True, "attachment": 0, "recipients": 1, "round_trip_ms": round_trip}
    ratios = {name: {"ratio": 1.0 + place, "ratio_min": 0.9, "ratio_max": 5.0} for place, name in enumerate(SENDERS)}
    rows = [{"peer": name, **figures} for name, figures in ratios.items()]
    rows.append({"peer": "another", "note": "not installed"})
    return {"parameters": {**fixed, "sink": "smtp-sink", "baseline": "aiosmtplib", **others}, "rows": rows}


def report(**entries: Any) -> dict[str, Any]:
    where = {"python": "CPython 3.11.7", "cores": 2, "loop": "asyncio", "platform": "Linux", "peers": {}}
    return {"environment": where, "runs": 5, "quick": False, "entries": entries}


def lag(p99: float) -> list[dict[str, Any]]:
    fixed = {"at_once": 3, "bytes": 25_000_000, "sink": "smtp-sink"}
    return [{"parameters": fixed, "rows": [{"peer": name, "p99_ms": p99} for name in SENDERS]}]


MEMORY = [
    {
        "parameters": {"bytes": 25_000_000, "sink": "smtp-sink"},
        "rows": [{"peer": name, "multiple": 3.0, "peak_mb": 75.0} for name in SENDERS],
    }
]


def draw(folder: Path, *reports: dict[str, Any]) -> dict[str, str]:
    """Return the figures by the names of their files."""
    files = [folder / f"{number}.json" for number in range(len(reports))]
    for file, each in zip(files, reports, strict=True):
        file.write_text(json.dumps(each), encoding="utf-8")
    assert plots.main([*map(str, files), "--output", str(folder / "figures")]) == 0
    return {path.name: path.read_text(encoding="utf-8") for path in (folder / "figures").iterdir()}


def words(image: str) -> str:
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", image))


def test_each_entry_has_its_figure_and_its_text_is_text(tmp_path: Path) -> None:
    drawn = draw(tmp_path, report(throughput=[case(0), case(20)], lag=lag(20.0), memory=MEMORY))
    assert drawn.keys() == {"throughput.svg", "lag.svg", "memory.svg"}
    for image in drawn.values():
        assert "CPython 3.11.7, 2 cores, asyncio event loop, to smtp-sink, runs: 5" in words(image)
        assert "a peer without a colour" in words(image)
    assert "20 ms" in words(drawn["lag.svg"])
    assert "3.00 (75.0 MB)" in words(drawn["memory.svg"])


def test_round_trips_are_those_of_small_messages_for_one_on_reused_connections(tmp_path: Path) -> None:
    others = [case(40, recipients=50), case(60, attachment=100_000), case(80, reused=False)]
    drawn = words(draw(tmp_path, report(throughput=[case(0), case(20), *others]))["throughput.svg"])
    assert "0 ms (loopback) | 20 ms | round trip" in drawn
    assert "40 ms" not in drawn
    assert "not installed" not in drawn


def test_of_several_reports_the_last_one_with_an_entry_counts(tmp_path: Path) -> None:
    drawn = draw(tmp_path, report(lag=lag(10.0)), report(lag=lag(30.0)), report(memory=MEMORY))
    assert drawn.keys() == {"lag.svg", "memory.svg"}
    assert "30 ms" in words(drawn["lag.svg"])


def test_the_same_figures_make_the_same_bytes(tmp_path: Path) -> None:
    measured = report(throughput=[case(0)], lag=lag(20.0), memory=MEMORY)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (draw(folder, measured) for folder in folders)
    assert first == second
