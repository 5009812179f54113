"""The pytest plugin: a test that asks for `find_blocking` fails if smtplib was used on an event loop's thread.

Owns the fixture and the failure. For synchronous tests and those of any plugin that runs coroutines.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .finding.finder import BlockingFinder


@pytest.fixture(name="find_blocking")
def finding_blocking() -> Iterator[BlockingFinder]:
    """Fail the test if it, or what it calls, uses smtplib on an event loop's thread.

    Its ``calls`` are what was found so far; a test that expects them looks at them and clears that list.
    """
    from .finding.finder import find_blocking

    with find_blocking("record") as finder:
        yield finder
    _fail_for(finder)  # what fixtures did when they were torn down


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that has passed otherwise; the report of one that has not gets a section."""
    finder = _finder_of(item)
    try:
        yield
    except BaseException:
        if finder is not None and finder.calls:
            item.add_report_section("call", "find_blocking", _told(finder))
        raise
    if finder is not None:
        _fail_for(finder)


def _finder_of(item: pytest.Item) -> BlockingFinder | None:
    finder = getattr(item, "funcargs", {}).get("find_blocking")
    if finder is None:
        return None
    from .finding.finder import BlockingFinder

    return finder if isinstance(finder, BlockingFinder) else None  # but a fixture of somebody else's


def _fail_for(finder: BlockingFinder) -> None:
    if finder.calls:
        pytest.fail(_told(finder), pytrace=False)


def _told(finder: BlockingFinder) -> str:
    """Return the reports, once."""
    reports = "\n".join(map(str, finder.calls))
    finder.calls.clear()
    return reports
