"""The benchmark runner works; what it measures is for readers, not for tests."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_list_names_every_entry_in_one_line_each() -> None:
    done = runner("--list")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["hop", "bridge", "bound", "retry", "deadline"]


def test_a_mistyped_entry_is_answered_with_the_entries_there_are() -> None:
    done = runner("hopp")
    assert done.returncode == 2
    assert "no entry 'hopp'; there are: hop, bridge, bound, retry, deadline. Did you mean hop?" in done.stderr
    assert done.stdout == ""


def test_runs_must_be_a_positive_number() -> None:
    done = runner("hop", "--runs", "0")
    assert done.returncode == 2
    assert "1 or more" in done.stderr


def test_quick_hop_prints_markdown_and_writes_every_sample_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("hop", "--quick", "--runs", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| peer") == 3
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["environment"].keys() == {"python", "platform", "cores", "loop", "peers"}
    assert (report["runs"], report["quick"]) == (2, True)
    tables = report["entries"]["hop"]
    assert [table["parameters"]["callers"] for table in tables] == [1, 8, 64]
    for table in tables:
        rows = {row["peer"]: row for row in table["rows"]}
        assert len(rows) == 5
        ours = rows["BoundedExecutor(8).run"]
        assert ours["min_us"] <= ours["median_us"] <= ours["max_us"]
        assert ours["ratio_min"] <= ours["ratio"] <= ours["ratio_max"]
        assert len(ours["samples_us"]) == 2
        assert rows["asyncio.to_thread"]["ratio"] == 1


def test_quick_bridge_compares_no_ops_and_a_real_command(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("bridge", "--quick", "--runs", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    *no_ops, noop = json.loads(file.read_text(encoding="utf-8"))["entries"]["bridge"]
    assert [table["parameters"]["callers"] for table in no_ops] == [1, 8, 64]
    assert [len(table["rows"]) for table in no_ops] == [6, 6, 6]
    assert [row["peer"] for row in noop["rows"]] == [
        "AsyncSMTP.noop",
        "smtplib.SMTP.noop in asyncio.to_thread",
        "aiosmtplib.SMTP.noop",
    ]
    for table in (*no_ops, noop):
        assert [row["ratio"] for row in table["rows"] if row["peer"] == table["parameters"]["baseline"]] == [1]
        for row in table["rows"]:
            assert len(row["samples_us"]) == 2
            assert row["ratio_min"] <= row["ratio"] <= row["ratio_max"]


def test_quick_deadline_reports_caller_thread_and_next_call_for_every_server_and_peer(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("deadline", "--quick", "--runs", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "may have been delivered" not in done.stderr
    [table] = json.loads(file.read_text(encoding="utf-8"))["entries"]["deadline"]
    rows = {(row["server"], row["peer"]): row for row in table["rows"]}
    servers = {server for server, _ in rows}
    assert len(servers) == (7 if hasattr(socket, "AF_UNIX") else 6)
    assert rows.keys() == {(server, peer) for server in servers for peer in ("bridge", "asyncio.to_thread")}
    for (_, peer), row in rows.items():
        if "note" in row:  # on a slow machine a call has not come so far in a tenth of a second
            assert row["runs"] == 0
            continue
        assert row["caller_s"] <= row["caller_s_max"]
        assert 0 <= row["still_blocked"] <= row["runs"] == 1
        assert (row["thread_s"] is None) == (row["still_blocked"] == 1)
        assert row["next_works"] == 1 or peer == "asyncio.to_thread"


def test_quick_bound_reports_every_peers_peak_and_ours_is_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("bound", "--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    [table] = json.loads(file.read_text(encoding="utf-8"))["entries"]["bound"]
    peaks = {row["peer"]: row.get("peak") for row in table["rows"]}
    assert len(peaks) == 4
    assert 1 <= peaks["BoundedExecutor(2).run"] <= 2
    assert 1 <= peaks["BoundedExecutor.shared(2).run"] <= 2


def test_quick_retry_compares_first_attempts_backoff_and_deadlines(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("retry", "--quick", "--runs", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    costs, crowds, deadlines = json.loads(file.read_text(encoding="utf-8"))["entries"]["retry"]
    peers = ("the function itself", "retry_transient", "tenacity.retry")
    assert [(row["function"], row["peer"]) for row in costs["rows"]] == [
        (kind, peer) for kind in ("plain", "coroutine") for peer in peers
    ]
    for row in costs["rows"]:
        assert row["us_min"] <= row["us"] <= row["us_max"]
        assert len(row["samples_us"]) == 2
        assert (row["ratio"] is None) == (row["peer"] == "the function itself")
        assert row["ratio"] == 1 or row["peer"] != "retry_transient"
    assert [row["peer"].partition(":")[0] for row in crowds["rows"]] == ["backoff on the loop", "backoff in the thread"]
    for row in crowds["rows"]:
        assert row["healthy_s_max"] <= row["all_s_max"]
        assert row["all_s_min"] >= 2 * crowds["parameters"]["wait"]
    assert len(deadlines["rows"]) == 3
    for row in deadlines["rows"]:
        if "note" in row:  # on a slow machine a call has not come so far in a tenth of a second
            assert row["runs"] == 0
            continue
        assert 1 <= row["runs"] <= 2
        assert row["caller_s"] <= row["caller_s_max"] < deadlines["parameters"]["backoff"]
