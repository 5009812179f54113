"""The legacy modules themselves: they deliver what they should, and their marks are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import harness
from .cases import CASES
from .drive import Seen
from .harness import lines_of, told
from .marks import LEGACY, Book, marks

MARKS = marks()


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    return harness.drive(LEGACY)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(LEGACY, set(MARKS))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_module_delivers_its_messages(case, seen: dict[str, Seen]) -> None:
    assert seen[case.name].error is None, seen[case.name].error
    assert [(sender, tuple(to), subject) for sender, to, subject in seen[case.name].delivered] == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_line_that_blocks_is_marked(case, seen: dict[str, Seen], book: Book) -> None:
    _, unknown = lines_of(seen[case.name], book)
    assert not unknown


def test_a_marked_line_blocks(seen: dict[str, Seen], book: Book) -> None:
    blocked: set[tuple[str, int]] = set()
    for one in seen.values():
        blocked |= lines_of(one, book)[0]
    assert not set(MARKS) - blocked, told(set(MARKS) - blocked, book)


def test_most_modules_block() -> None:
    blocking = {path for path, _ in MARKS}
    assert len(blocking) >= 20
    assert sum(MARKS.values()) >= 200


def test_the_modules_pass_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is of the extra dev")
    assert harness.mypy(LEGACY, tmp_path).startswith("Success: no issues found")
