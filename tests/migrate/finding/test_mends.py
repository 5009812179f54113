"""Each line that blocks is found, no other is, and it is said how it would be written."""

from __future__ import annotations

import asyncio
import inspect
import os
import smtplib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from asyncsmtp_bridge.migrate import find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer

from . import blocking

COROUTINES = [each for each in vars(blocking).values() if inspect.iscoroutinefunction(each)]


def mends_in(function: Callable[..., object]) -> dict[int, str]:
    found = {}
    lines, first = inspect.getsourcelines(function)
    for number, line in enumerate(lines, first):
        code, comment, mend = line.partition("# mend: ")
        if comment:
            found[number if code.strip() else number + 1] = mend.strip()
    return found


@pytest.mark.parametrize("coroutine", COROUTINES, ids=lambda each: each.__name__)
def test_the_lines_that_block_are_told_with_what_would_mend_them(
    coroutine: Callable[[int], Coroutine[Any, Any, None]],
) -> None:
    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(coroutine(server.port))
    assert {call.line: call.mend for call in found.calls} == mends_in(coroutine)
    assert {call.filename for call in found.calls} == {blocking.__file__}
    assert {call.function for call in found.calls} == {coroutine.__name__}


def test_a_generator_expression_gets_no_line_that_python_would_refuse() -> None:
    async def main(port: int) -> None:
        mailer = blocking.Mailer(port)
        any(mailer.send(order) for order in "xy")

    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(main(server.port))
    assert found.calls[0].mend in (
        'await bridge(any)((mailer.send(order) for order in "xy"))',
        "an await cannot stand there: make a function of the whole, and await bridge(function)(...)",  # Python 3.10
    )


def test_of_several_that_a_statement_enters_the_one_that_blocks_is_mended() -> None:
    async def main(port: int) -> None:
        with (
            open(os.devnull) as nowhere_to_write_anything_that_was_sent_by_this_function,
            smtplib.SMTP("localhost", port) as smtp,
        ):
            assert smtp is not nowhere_to_write_anything_that_was_sent_by_this_function

    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(main(server.port))
    # Up to Python 3.12 it is left in the statement's first line.
    assert {call.mend for call in found.calls} == {
        'async with AsyncSMTP("localhost", port) as smtp:  # in a statement of its own'
    }


def test_a_method_of_a_session_bridges_its_own() -> None:
    async def main(port: int) -> None:
        with blocking.CorpSMTP("localhost", port) as smtp:
            await smtp.send_order_soon("x")

    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(main(server.port))
    assert found.calls[1].mend == "await bridge(self.sendmail)(SENDER, RECIPIENT, order)"


def test_without_the_source_there_is_a_sentence() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("async def main(mailer):\n    mailer.send('x')\n", names)
    with SMTPTestServer() as server, find_blocking("record") as found:
        asyncio.run(names["main"](blocking.Mailer(server.port)))
    assert (found.calls[0].filename, found.calls[0].line, found.calls[0].call) == ("<string>", 2, None)
    assert found.calls[0].mend == "run what blocks in a worker: await bridge(function)(...)"
