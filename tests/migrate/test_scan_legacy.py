"""`asyncsmtp-bridge scan` on the legacy modules: every call that blocks a loop, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from . import harness
from .marks import LEGACY, Book, Line, marks, sources

MARKS = marks()
MODULES = sorted(sources(LEGACY))


@pytest.fixture(scope="module")
def found() -> Counter[Line]:
    findings = harness.answer("scan", LEGACY)["findings"]
    return Counter((harness.relative(each["path"], LEGACY), each["line"]) for each in findings)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(LEGACY, set(MARKS))


@pytest.mark.parametrize("module", MODULES)
def test_every_call_that_blocks_is_found(module: str, found: Counter[Line], book: Book) -> None:
    missing = {line for line in (MARKS - found) if line[0] == module}
    assert not missing, harness.told(missing, book)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_else_is_found(module: str, found: Counter[Line], book: Book) -> None:
    wrong = {line for line in (found - MARKS) if line[0] == module}
    assert not wrong, harness.told(wrong, book)


def test_nothing_is_unread() -> None:
    assert harness.answer("scan", LEGACY)["unread"] == []
