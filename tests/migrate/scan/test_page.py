"""The page on scanning shows what the command says."""

from __future__ import annotations

import re

from tests.cli.conftest import ROOT

from .conftest import Run, Write


def test_the_example_says_what_the_page_shows(scan: Run, write: Write) -> None:
    page = (ROOT / "docs" / "scanning.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        write(block.partition("\n")[0].removeprefix("# "), block)
    (shown,) = re.findall(r"^```\n\$ asyncsmtp-bridge scan \.\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert scan(".").stdout == shown
