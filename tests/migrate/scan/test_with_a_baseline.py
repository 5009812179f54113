"""The command ``scan`` with a baseline: what passes, what is told, and what an update writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import BLOCKING, HELPERS, VIEWS, Run, Write


def test_what_is_in_the_baseline_passes_and_only_what_is_new_is_shown(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    made = scan(".", "--baseline", "b.json", "--update-baseline")
    assert made.status == 0
    assert "b.json has " in made.stdout
    passed = scan(".", "--baseline", "b.json")
    assert passed.status == 0
    assert passed.stdout.startswith("No new call that blocks the event loop in 1 file.\n")

    write("c.py", BLOCKING)
    ended = scan(".", "--baseline", "b.json")
    assert ended.status == 1
    assert "c.py:5:" in ended.stdout
    assert "a.py:5:" not in ended.stdout
    known = {each["path"]: each["known"] for each in scan(".", "--baseline", "b.json", "--json").json["findings"]}
    assert known == {"a.py": True, "c.py": False}
    (run,) = scan(".", "--baseline", "b.json", "--format", "sarif").json["runs"]
    assert {result["baselineState"] for result in run["results"]} == {"unchanged", "new"}


def test_a_baseline_holds_when_lines_move_and_paths_are_absolute(scan: Run, write: Write, project: Path) -> None:
    write("app/a.py", BLOCKING)
    scan("app", "--baseline", "b.json", "--update-baseline")
    before = Path("b.json").read_bytes()
    write("app/a.py", f'"""A module."""\n\n\n{BLOCKING}')
    assert scan(project / "app", "--baseline", project / "b.json").status == 0
    assert scan(".", "--baseline", "b.json", "--update-baseline").status == 0
    assert Path("b.json").read_bytes() == before


def test_a_baseline_holds_in_another_checkout(
    scan: Run, write: Write, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    write("one/app/a.py", BLOCKING)
    write("two/app/a.py", BLOCKING)
    monkeypatch.chdir(project / "one")
    scan(".", "--baseline", "../b.json", "--update-baseline")
    monkeypatch.chdir(project / "two")
    assert scan("app", "--baseline", "../b.json").status == 0


def test_a_baseline_that_was_made_in_another_folder_is_told_from_new_findings(
    scan: Run, write: Write, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    write("app/a.py", BLOCKING)
    scan(".", "--baseline", "b.json", "--update-baseline")
    monkeypatch.chdir(project / "app")
    ended = scan(".", "--baseline", "../b.json")
    assert ended.status == 1
    assert "under another path, such as app/a.py: run this in the folder in which it was made" in ended.stdout


def test_entries_that_are_mended_are_told_and_taken_out_by_an_update(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    scan(".", "--baseline", "b.json", "--update-baseline")
    write("a.py")
    ended = scan(".", "--baseline", "b.json")
    assert ended.status == 0
    assert "of the baseline are mended: --update-baseline takes them out." in ended.stdout
    scan(".", "--baseline", "b.json", "--update-baseline")
    assert json.loads(Path("b.json").read_text())["findings"] == []


def test_what_is_written_into_a_baseline_is_told(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    write("b.py")
    assert scan(".", "--baseline", "b.json", "--update-baseline").stdout.splitlines() == [
        "2 calls block the event loop, in 1 of 2 files: in the baseline now.",
        "b.json has 2 entries: 2 added, 0 taken out.",
    ]
    write("a.py")
    assert scan(".", "--baseline", "b.json", "--update-baseline").stdout.splitlines() == [
        "No call that blocks the event loop in 2 files.",
        "b.json has 0 entries: 0 added, 2 taken out.",
    ]


@pytest.mark.parametrize(
    ("arguments", "helpers"),
    [(["views.py"], HELPERS), ([".", "--exclude", "helpers.py"], HELPERS), (["."], HELPERS + "def f(:\n")],
    ids=["a part of the project", "excluded", "broken"],
)
def test_entries_that_lead_through_a_file_that_was_not_read_are_not_lost(
    scan: Run, write: Write, arguments: list[str], helpers: str
) -> None:
    write("helpers.py", HELPERS)
    write("views.py", VIEWS)
    scan(".", "--baseline", "b.json", "--update-baseline")
    write("helpers.py", helpers)
    assert "mended" not in scan(*arguments, "--baseline", "b.json").stdout
    assert (
        "b.json has 1 entry: 0 added, 0 taken out."
        in scan(*arguments, "--baseline", "b.json", "--update-baseline").stdout
    )
    write("helpers.py", HELPERS)
    assert scan(".", "--baseline", "b.json").status == 0


def test_an_entry_whose_helper_is_deleted_is_taken_out(scan: Run, write: Write) -> None:
    helpers = write("helpers.py", HELPERS)
    write("views.py", VIEWS)
    scan(".", "--baseline", "b.json", "--update-baseline")
    helpers.unlink()
    assert "1 entry of the baseline is mended" in scan(".", "--baseline", "b.json").stdout
    assert "0 added, 1 taken out" in scan(".", "--baseline", "b.json", "--update-baseline").stdout
