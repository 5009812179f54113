"""The fixture `find_blocking` fails a test that blocks an event loop, and names the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .programs import line_of, run

TESTS = """
import asyncio, smtplib
import pytest
from asyncsmtp_bridge import bridge
from asyncsmtp_bridge.testing import SMTPTestServer

@pytest.fixture
def port():
    with SMTPTestServer() as server:
        yield server.port

def send(port):
    smtplib.SMTP("localhost", port).quit()

async def notify(port):
    send(port)  # blocks

@pytest.mark.asyncio
async def test_of_pytest_asyncio(find_blocking, port):
    await notify(port)

@pytest.mark.anyio
async def test_of_anyio(find_blocking, port):
    await notify(port)

def test_synchronous(find_blocking, port):
    asyncio.run(notify(port))

@pytest.mark.usefixtures("find_blocking")
class TestClass:
    def test_in_a_class(self, port):
        asyncio.run(notify(port))

@pytest.fixture
def farewell(find_blocking, port):
    yield
    asyncio.run(notify(port))

def test_torn_down(farewell):
    pass

def test_failing_itself(find_blocking, port):
    asyncio.run(notify(port))
    raise ZeroDivisionError

@pytest.mark.asyncio
async def test_bridged(find_blocking, port):
    await bridge(send)(port)

def test_expecting_it(find_blocking, port):
    asyncio.run(notify(port))
    assert [call.function for call in find_blocking.calls] == ["notify"]
    find_blocking.calls.clear()

def test_not_asking(port):
    asyncio.run(notify(port))

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

BLOCKS = f"test_shop.py:{line_of(TESTS, '# blocks')}: "


def run_pytest(project: Path, *arguments: str, **variables: str) -> str:
    (project / "test_shop.py").write_text(TESTS)
    (project / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    # By name, whether the package is installed or not.
    plugins = ("pytest_asyncio.plugin", "anyio.pytest_plugin", "asyncsmtp_bridge.migrate.pytest_plugin")
    chosen = [option for plugin in plugins for option in ("-p", plugin)]
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return run(["-m", "pytest", *chosen, "-p", "no:cacheprovider", *arguments], project, **variables).stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of all of them."""
    return run_pytest(tmp_path_factory.mktemp("project"), "-v")


def told_of(printed: str, name: str) -> str:
    found = re.search(
        rf"^_+ ((?:ERROR at teardown of )?{re.escape(name)} _+\n.*?)^[_=]{{3}}", printed, re.DOTALL | re.M
    )
    return found[1] if found else ""


@pytest.mark.parametrize(
    "name", ["test_of_pytest_asyncio", "test_of_anyio", "test_synchronous", "TestClass.test_in_a_class"]
)
def test_a_test_that_blocks_fails_and_says_where(printed: str, name: str) -> None:
    first, *others = told_of(printed, name).splitlines()[1:]
    assert re.fullmatch(rf"{re.escape(BLOCKS)}in notify \(task '.*'\): blocks the event loop for .*s", first)
    assert others == [
        "    send(port) -> smtplib.SMTP at test_shop.py:13, to localhost",
        "    mend: await bridge(send)(port)",
    ]
    assert re.search(rf"{name.rpartition('.')[2]} FAILED", printed)


def test_the_summary_names_the_line(printed: str) -> None:
    assert f"FAILED test_shop.py::test_of_anyio - Failed: {BLOCKS}" in printed


def test_what_a_fixture_does_when_it_is_torn_down_is_an_error_of_that(printed: str) -> None:
    assert re.search(r"test_torn_down PASSED.*\n.*test_torn_down ERROR", printed)
    assert f"{BLOCKS}in notify" in told_of(printed, "test_torn_down")


def test_a_test_that_fails_by_itself_fails_with_that_and_says_it_besides(printed: str) -> None:
    told = told_of(printed, "test_failing_itself")
    assert re.search(r"^E +ZeroDivisionError$.*^-+ Captured find_blocking call -+$", told, re.DOTALL | re.M)
    assert told.count(f"{BLOCKS}in notify") == 1
    assert "test_failing_itself ERROR" not in printed


@pytest.mark.parametrize("name", ["test_bridged", "test_expecting_it", "test_not_asking"])
def test_others_pass(printed: str, name: str) -> None:
    assert f"{name} PASSED" in printed
    assert not told_of(printed, name)


def test_a_warning_of_the_whole_run_is_in_its_summary(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, "-k", "not_asking", ASYNCSMTP_BRIDGE_FIND_BLOCKING="warn")
    place = re.escape(f"{tmp_path}/{BLOCKS}")
    assert re.search(rf"^ +{place}BlockingCallWarning: in notify \(task '.*'\): blocks the event loop", printed, re.M)
    assert "= 1 passed, " in printed


def test_an_error_of_the_whole_run_fails_the_test_at_the_line(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, "-k", "not_asking", "--tb=short", ASYNCSMTP_BRIDGE_FIND_BLOCKING="error")
    assert re.search(rf"^{re.escape(BLOCKS)}in notify\n +send\(port\)  # blocks$", printed, re.MULTILINE)
    assert f"BlockingCallError: {BLOCKS}in notify" in printed
    assert "finder.py" not in printed
    assert "= 1 failed, " in printed
