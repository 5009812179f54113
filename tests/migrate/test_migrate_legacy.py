"""`asyncsmtp-bridge migrate --write` on the legacy modules: they go on delivering, and it says what still blocks."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import harness
from .cases import CASES
from .drive import Seen
from .marks import LEGACY, MARK, Book, Line, marks, sources

MODULES = sorted(sources(LEGACY))
HARMLESS = sorted(set(MODULES) - {path for path, _ in marks()})


@dataclass
class Migrated:
    """A copy of the modules that was migrated, and what was said of it.

    Args:
        folder: Where it is.
        first: The sources, after `--write`.
        said: The document of the run that wrote.
        again: The document of a dry run afterwards, with the lines as they are now.
    """

    folder: Path
    first: dict[str, bytes]
    said: Any
    again: Any

    def left(self) -> set[Line]:
        return {(harness.relative(each["path"], self.folder), each["line"]) for each in self.again["left"]}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    folder = tmp_path_factory.mktemp("migrated")
    shutil.copytree(LEGACY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    said = harness.answer("migrate", folder, "--write")
    return Migrated(folder, contents(folder), said, harness.answer("migrate", folder))


@pytest.fixture(scope="module")
def seen(migrated: Migrated) -> dict[str, Seen]:
    return harness.drive(migrated.folder)


@pytest.fixture(scope="module")
def book(migrated: Migrated) -> Book:
    return Book(migrated.folder, migrated.left())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_migrated_module_delivers_the_same_messages(case, seen: dict[str, Seen]) -> None:
    assert seen[case.name].error is None, seen[case.name].error
    assert [(sender, tuple(to), subject) for sender, to, subject in seen[case.name].delivered] == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_still_blocks_is_listed(case, seen: dict[str, Seen], book: Book) -> None:
    _, unknown = harness.lines_of(seen[case.name], book)
    assert not unknown


def test_the_migrated_modules_pass_mypy(migrated: Migrated, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is of the extra dev")
    said = harness.mypy(migrated.folder, tmp_path)
    assert said.startswith("Success: no issues found"), said


def test_a_second_run_changes_nothing(migrated: Migrated) -> None:
    assert migrated.again["changed"] == []
    assert harness.answer("migrate", migrated.folder, "--write")["changed"] == []
    assert contents(migrated.folder) == migrated.first


def test_what_is_left_has_a_reason(migrated: Migrated) -> None:
    assert migrated.said["left"]
    assert all(each["reason"].strip() for each in migrated.said["left"])
    assert len(migrated.again["left"]) == len(migrated.said["left"])


def test_everything_was_read(migrated: Migrated) -> None:
    assert migrated.said["unread"] == []


def test_no_mark_is_lost_on_the_way(migrated: Migrated) -> None:
    """Comments stay, and so the marks of the original can be counted in the copy."""
    found = {path: len(MARK.findall(source)) for path, source in sources(migrated.folder).items()}
    assert found == {path: len(MARK.findall(source)) for path, source in sources(LEGACY).items()}


def test_most_calls_are_edited(migrated: Migrated) -> None:
    total = sum(marks().values())
    assert len(migrated.said["left"]) <= total // 2


@pytest.mark.parametrize("module", HARMLESS)
def test_a_module_that_blocks_nothing_is_not_touched(module: str, migrated: Migrated) -> None:
    assert migrated.first[module] == (LEGACY / module).read_bytes()


@pytest.mark.parametrize("module", MODULES)
def test_coroutine_functions_stay_what_they_are(module: str, migrated: Migrated) -> None:
    before, after = ((folder / module).read_text("utf-8") for folder in (LEGACY, migrated.folder))
    assert not _coroutine_functions(before) - _coroutine_functions(after)


def _coroutine_functions(source: str) -> Counter[str]:
    return Counter(node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef))
