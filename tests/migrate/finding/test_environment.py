"""`ASYNCSMTP_BRIDGE_FIND_BLOCKING` switches it on for a whole process that imports the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer

from .programs import line_of, run

PROGRAM = """
import asyncio, smtplib, sys
import asyncsmtp_bridge

async def notify():
    with smtplib.SMTP("localhost", int(sys.argv[1])) as smtp:  # blocks
        smtp.noop()

async def main():
    for _ in range(2):
        await notify()
        await asyncio.sleep(0)

asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[SMTPTestServer]:
    with SMTPTestServer() as server:
        yield server


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(PROGRAM)
    return path


def test_warn_warns_of_each_line_once(program: Path, server: SMTPTestServer) -> None:
    ended = run(["shop.py", str(server.port)], program.parent, ASYNCSMTP_BRIDGE_FIND_BLOCKING="warn")
    assert ended.returncode == 0
    place = f"{program}:{line_of(PROGRAM, '# blocks')}"
    assert ended.stderr.count(f"{place}: BlockingCallWarning: in notify (task 'Task-1'): blocks the event loop") == 1
    assert 'mend: async with AsyncSMTP("localhost", int(sys.argv[1])) as smtp:' in ended.stderr


def test_error_raises_at_the_call(program: Path, server: SMTPTestServer) -> None:
    ended = run(["shop.py", str(server.port)], program.parent, ASYNCSMTP_BRIDGE_FIND_BLOCKING="error")
    assert ended.returncode == 1
    assert f".BlockingCallError: shop.py:{line_of(PROGRAM, '# blocks')}: in notify" in ended.stderr
    assert server.connections_total == 0


def test_a_filter_that_makes_errors_of_warnings_is_heard_by_the_loop(program: Path, server: SMTPTestServer) -> None:
    ended = run(
        ["-W", "error::RuntimeWarning", "shop.py", str(server.port)],
        program.parent,
        ASYNCSMTP_BRIDGE_FIND_BLOCKING="warn",
    )
    assert "Exception in callback" in ended.stderr
    assert "BlockingCallWarning: in notify" in ended.stderr


def test_what_held_up_a_loop_to_its_end_is_told_when_the_process_ends(tmp_path: Path, server: SMTPTestServer) -> None:
    source = PROGRAM.replace("asyncio.run(main())", "asyncio.new_event_loop().run_until_complete(last())")
    (tmp_path / "shop.py").write_text(
        source.replace("async def main", "async def last():\n    await notify()\n    sys.exit()\n\nasync def main")
    )
    ended = run(["shop.py", str(server.port)], tmp_path, ASYNCSMTP_BRIDGE_FIND_BLOCKING="warn")
    assert ended.stderr.count("BlockingCallWarning: in notify") == 2  # its two lines


@pytest.mark.parametrize("value", ["", None])
def test_nothing_is_installed_otherwise(tmp_path: Path, value: str | None) -> None:
    (tmp_path / "shop.py").write_text(
        "import sys\n"
        "added = []\n"
        "sys.addaudithook = added.append\n"
        "import asyncsmtp_bridge.migrate\n"
        "print(added, 'asyncsmtp_bridge.migrate.finding.finder' in sys.modules)\n"
    )
    variables = {} if value is None else {"ASYNCSMTP_BRIDGE_FIND_BLOCKING": value}
    assert run(["shop.py"], tmp_path, **variables).stdout == "[] True\n"


def test_another_value_is_refused(program: Path) -> None:
    ended = run(["shop.py", "0"], program.parent, ASYNCSMTP_BRIDGE_FIND_BLOCKING="yes")
    assert ended.returncode == 1
    assert ended.stderr.endswith(
        "ValueError: ASYNCSMTP_BRIDGE_FIND_BLOCKING is 'warn' or 'error', or empty for neither, not 'yes'\n"
    )


def test_another_hook_that_refuses_it_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event == 'sys.addaudithook': raise RuntimeError\n"
        "sys.addaudithook(refuse)\n"
        "from asyncsmtp_bridge.migrate import find_blocking\n"
        "with find_blocking(): pass\n"
    )
    ended = run(["shop.py"], tmp_path)
    assert ended.stderr.endswith(
        "RuntimeError: no audit hook could be installed, another one refuses it: what blocks cannot be found\n"
    )


def test_importing_it_imports_no_tool(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import asyncsmtp_bridge.migrate, sys\n"
        "print({'libcst', 'typer', 'rich', 'pytest', 'fastapi'} & set(sys.modules))\n"
    )
    assert run(["shop.py"], tmp_path).stdout == "set()\n"
