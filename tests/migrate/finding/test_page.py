"""What the page on finding shows is what happens."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from asyncsmtp_bridge.migrate import BlockingFinder, find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer

from .programs import ROOT

PAGE = (ROOT / "docs" / "finding.md").read_text(encoding="utf-8")


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The code on the page, as a module."""
    (tmp_path / "shop").mkdir()
    code = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    (tmp_path / "shop" / "orders.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import shop.orders

    yield shop.orders
    del sys.modules["shop.orders"], sys.modules["shop"]


def test_the_report_is_that_of_the_code_above_it(orders: ModuleType) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)\n^```", PAGE, re.MULTILINE | re.DOTALL)
    with SMTPTestServer() as server:
        (told,) = orders.what_blocks(server.port)
    time, task = r"for (\d+\.\d\d s|\d+ ms|less than 1 ms)\n", r"'Task-\d+'"
    assert re.sub(task, "", re.sub(time, "", told)) == re.sub(task, "", re.sub(time, "", shown))


def test_a_test_that_expects_it_has_done_with_it(orders: ModuleType) -> None:
    with SMTPTestServer() as server, find_blocking("record") as found:
        assert isinstance(found, BlockingFinder)
        orders.test_the_old_handler_still_blocks(found, server.port)
    assert not found.calls
