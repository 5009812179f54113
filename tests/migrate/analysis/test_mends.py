"""What is written in place of a call that blocks, as the scan suggests it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.scanning.scan import scan
from asyncsmtp_bridge.migrate.sources import read

HEAD = """\
import contextlib
import smtplib
import sys
from smtplib import SMTP_SSL as Secure
if sys.argv:
    from smtplib import SMTP_SSL as Session
else:
    from smtplib import SMTP as Session

class CorpSMTP(smtplib.SMTP):
    pass

class Mailer:
    def send(self, to): smtplib.SMTP("h").sendmail("a@example.org", to, "x")
    def close(self): smtplib.SMTP("h").quit()
    @property
    def status(self): return smtplib.SMTP("h").noop()

def send(to, text=""): Mailer().send(to)
def each(to):
    yield send(to)

async def main(mailer: Mailer):
"""

MENDS = [
    ('send("x")', ['await bridge(send)("x")']),
    ('return send("x").y', ['return (await bridge(send)("x")).y']),
    ('mailer.send("x")  # now', ['await bridge(mailer.send)("x")']),
    ("x = mailer.status", ['x = await bridge(mailer, awaitable=("status",)).status']),
    ('for x in each("x"): pass', ['async for x in bridge(each)("x"): pass']),
    ('with Secure("h") as s: pass', ['async with AsyncSMTP_SSL("h") as s: pass']),
    ('s = CorpSMTP("h")', ['s = await bridge(CorpSMTP)("h")']),
    ('with Session("h") as s: pass', ['async with bridge(Session)("h") as s: pass']),
    ('smtplib.SMTP("h").quit()', ['await (await AsyncSMTP("h")).quit()'] * 2),
    ("with contextlib.closing(Mailer()): pass", ["async with bridge(contextlib.closing(Mailer())): pass"]),
    ('send(\n        "x",  # why\n        """a\n\n        b""",\n    )', ["await bridge(send)(...)"]),
]


@pytest.mark.parametrize(("line", "mends"), MENDS, ids=[line for line, _ in MENDS])
def test_the_line_that_would_mend_it(tmp_path: Path, line: str, mends: list[str]) -> None:
    (tmp_path / "main.py").write_text(f"{HEAD}    {line}\n", encoding="utf-8")
    assert [each.mend for each in scan(read([tmp_path]).sources)] == mends
