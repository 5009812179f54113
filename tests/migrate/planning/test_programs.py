"""Programs of the tables: what becomes of them, that it does the same, and that a second plan has nothing to add."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import smtplib
import subprocess
import sys
import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.migrate import find_blocking
from asyncsmtp_bridge.migrate.editing.edits import Left
from asyncsmtp_bridge.migrate.scanning.scan import scan
from asyncsmtp_bridge.testing import SMTPTestServer

from . import calls, sessions
from .programs import HEAD, MARK, Program, migrated, planned, said, told

PROGRAMS = [*sessions.PROGRAMS, *calls.PROGRAMS]
ROOT = Path(__file__).parents[3]
each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name.replace(" ", "-"))


@pytest.fixture(scope="module")
def server():
    with SMTPTestServer() as server:
        yield server


@pytest.fixture
def path(program: Program, tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(program.source)
    return path


def differences(left: tuple[Left, ...], source: str) -> list[object]:
    """Compare what is left with what a source says; a reason there that ends in dots is the beginning of one."""
    found, wanted = told(left), said(source)
    pairs = zip_longest(found, wanted, fillvalue=(0, ""))
    return [(one, other) for one, other in pairs if one[0] != other[0] or not is_reason(one[1], other[1])]


def is_reason(reason: str, said: str) -> bool:
    return reason == said or (said.endswith("...") and reason.startswith(said[:-3]))


@each_program
def test_what_becomes_of_it(program: Program, path: Path) -> None:
    migrated(path)
    assert path.read_text().split(MARK)[1] == program.after
    compile(path.read_text(), "after", "exec", dont_inherit=True)


@each_program
def test_what_is_left_is_named_with_the_reason(program: Program, path: Path) -> None:
    assert not differences(migrated(path).left, program.source)


@each_program
def test_a_second_plan_edits_nothing_and_leaves_the_same(program: Program, path: Path) -> None:
    first = migrated(path)
    sources, second = planned(path)
    assert not second.edits
    assert len(second.left) == len(first.left)
    assert not differences(second.left, path.read_text())
    findings = scan(sources.sources)
    assert [each.place for each in findings] == [each.place for each in second.left]


def perform(path: Path, server: SMTPTestServer) -> tuple[object, list[Any], list[Any]]:
    """Run a program's main(); return what it gives, the messages that came, and what has blocked the loop."""
    server.reset()
    path.write_text(path.read_text().replace('"127.0.0.1", 25', f'"{server.host}", {server.port}'))
    spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings(), find_blocking("record") as found:
        warnings.simplefilter("ignore", ResourceWarning)  # of sessions that the programs leave open
        spec.loader.exec_module(module)
        result = asyncio.run(module.main())
        for each in gc.get_objects():  # a worker may still hold what it was given last
            if issubclass(type(each), smtplib.SMTP):
                each.close()
        del module
        gc.collect()
    delivered = sorted((each.mail_from, str(each.message["Subject"])) for each in server.messages)
    return result, delivered, list(found.calls)


@pytest.mark.parametrize("program", [each for each in PROGRAMS if each.runs], ids=lambda program: program.name)
def test_it_delivers_the_same(program: Program, path: Path, server: SMTPTestServer) -> None:
    result, delivered, _ = perform(path, server)
    path.write_text(program.source)
    migrated(path)
    result_after, delivered_after, blocking = perform(path, server)
    assert (result_after, delivered_after) == (result, delivered)
    assert not blocking or program.blocks


def test_what_became_of_them_passes_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is of the extra dev")
    for number, each in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(each.source)
        migrated(tmp_path / f"program_{number}.py")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ["--config-file=", "--check-untyped-defs", "--follow-imports=silent", "--python-version", version]
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", tmp_path / "cache", tmp_path],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.stdout.startswith("Success: no issues found"), ended.stdout


def test_the_head_of_the_programs_is_nothing_to_edit(tmp_path: Path) -> None:
    (tmp_path / "head.py").write_text(HEAD)
    made = migrated(tmp_path / "head.py")
    assert not made.edits
    assert not made.left
