"""The benchmark runner works; what it measures is for readers, not for tests."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENDERS = ["aiosmtplib", "smtplib in asyncio.to_thread", "AsyncSMTP", "AsyncSMTP(smtp_class=PipelinedSMTP)"]


def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_list_names_every_entry_in_one_line_each() -> None:
    done = runner("--list")
    assert done.returncode == 0, done.stderr
    entries = ["hop", "bridge", "bound", "throughput", "lag", "memory", "retry", "deadline"]
    assert [line.split()[0] for line in done.stdout.splitlines()] == entries


def test_a_mistyped_entry_is_answered_with_the_entries_there_are() -> None:
    done = runner("hopp")
    assert done.returncode == 2
    assert (
        "no entry 'hopp'; there are: hop, bridge, bound, throughput, lag, memory, retry, deadline. Did you mean hop?"
        in done.stderr
    )
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


def test_quick_throughput_measures_the_cases_that_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    cases = ("50 recipients, 8 reused connections, 0 ms", "25 MB", "one connection a message, 20 ms")
    asked_for = [word for case in cases for word in ("--case", case)]
    done = runner("throughput", "--quick", "--runs", "2", *asked_for, "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    tables = json.loads(file.read_text(encoding="utf-8"))["entries"]["throughput"]
    assert [table["title"] for table in tables] == [
        "small, 50 recipients, 8 reused connections, 0 ms",
        "500 KB, 1 recipient, 8 reused connections, 0 ms",
        "small, 1 recipient, one connection a message, 2 ms",
    ]
    for table in tables:
        assert [row["peer"] for row in table["rows"]] == [
            "aiosmtplib",
            "smtplib in asyncio.to_thread",
            "smtplib in threads",
            "AsyncSMTP(smtp_class=PipelinedSMTP)",
            "PipelinedSMTP.send_stream",
        ]
        assert table["rows"][0]["ratio"] == 1
        for row in table["rows"]:
            assert len(row["samples_per_second"]) == len(row["samples_processor_us"]) == 2
            assert row["per_second_min"] <= row["per_second"] <= row["per_second_max"]
            assert row["ratio_min"] <= row["ratio"] <= row["ratio_max"]


def test_throughput_without_a_case_that_is_asked_for_names_those_there_are() -> None:
    done = runner("throughput", "--quick", "--case", "20 minutes")
    assert done.returncode == 2
    assert "no case has '20 minutes' in its title; there are:" in done.stderr
    assert "small, 1 recipient, 8 reused connections, 20 ms" in done.stderr


def test_quick_lag_compares_beats_beside_every_peer(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("lag", "--quick", "--runs", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    [table] = json.loads(file.read_text(encoding="utf-8"))["entries"]["lag"]
    assert [row["peer"] for row in table["rows"]] == ["nothing is sent", *SENDERS]
    for row in table["rows"]:
        [run] = row["samples"]
        assert run["beats"] >= table["parameters"]["beats"]
        assert row["p50_ms"] <= row["p99_ms"] <= row["max_ms"] == row["worst_ms"]
        assert 0 <= row["late_share"] < 1
        assert (row["seconds"] is None) == (row["peer"] == "nothing is sent")


def test_quick_memory_counts_every_peers_peak_in_multiples_of_the_message(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = runner("memory", "--quick", "--runs", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    [table] = json.loads(file.read_text(encoding="utf-8"))["entries"]["memory"]
    assert [row["peer"] for row in table["rows"]] == SENDERS
    for row in table["rows"]:
        assert row["rendered"] >= table["parameters"]["bytes"]
        assert row["multiple"] == pytest.approx(row["peak_mb"] * 1e6 / row["rendered"])


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
