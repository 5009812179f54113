"""The command: ``asyncsmtp-bridge facade``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .table import ROOT

WRAPPER = '''"""A wrapper."""
import os


class CorpMailer:
    """Sends mail."""

    def send(self, to: str) -> int:
        """Send it."""
        return len(to)
'''


@dataclass
class Ended:
    status: int
    stdout: str
    stderr: str


Facade = Callable[..., Ended]


@pytest.fixture
def facade(tmp_path: Path) -> Facade:
    """Run the command in the folder of a project, in a process of its own."""
    (tmp_path / "corp").mkdir()
    (tmp_path / "corp" / "mail.py").write_text(WRAPPER)

    def run(*arguments: object, cwd: Path = tmp_path) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "asyncsmtp_bridge", "facade", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


def test_it_is_written_to_a_file(facade: Facade, tmp_path: Path) -> None:
    ended = facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    assert (ended.status, ended.stdout) == (0, "")
    assert "send = async_method(CorpMailer.send)" in (tmp_path / "async_mail.py").read_text()


def test_it_goes_to_stdout_without_one(facade: Facade, tmp_path: Path) -> None:
    facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    assert facade("corp.mail:CorpMailer").stdout == (tmp_path / "async_mail.py").read_text()


def test_what_the_wrapper_prints_when_it_is_imported_does_not(facade: Facade, tmp_path: Path) -> None:
    path = tmp_path / "corp" / "mail.py"
    path.write_text(path.read_text() + "print('configured')\n")
    ended = facade("corp.mail:CorpMailer")
    assert "configured" not in ended.stdout
    assert "configured" in ended.stderr


def test_check_is_content_with_what_was_written(facade: Facade) -> None:
    facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    assert facade("corp.mail:CorpMailer", "-o", "async_mail.py", "--check") == Ended(0, "", "")


@pytest.mark.parametrize("how", [(), ("--static",)])
def test_check_shows_what_has_changed_and_writes_nothing(facade: Facade, tmp_path: Path, how: tuple[str, ...]) -> None:
    facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    before = (tmp_path / "async_mail.py").read_text()
    path = tmp_path / "corp" / "mail.py"
    path.write_text(path.read_text() + "\n    def close(self) -> None: ...\n")
    ended = facade("corp.mail:CorpMailer", "-o", "async_mail.py", "--check", *how)
    assert ended.status == 1
    assert "\n+    close = async_method(CorpMailer.close)\n" in ended.stdout
    assert (tmp_path / "async_mail.py").read_text() == before


def test_check_of_a_file_that_is_not_there_shows_all_of_it(facade: Facade, tmp_path: Path) -> None:
    ended = facade("corp.mail:CorpMailer", "-o", "async_mail.py", "--check")
    assert (ended.status, ended.stdout[:14]) == (1, "--- /dev/null\n")
    assert not (tmp_path / "async_mail.py").exists()


def test_what_it_has_written_is_written_again(facade: Facade, tmp_path: Path) -> None:
    facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    path = tmp_path / "corp" / "mail.py"
    path.write_text(path.read_text() + "\n    def close(self) -> None: ...\n")
    assert facade("corp.mail:CorpMailer", "-o", "async_mail.py").status == 0
    assert "close = " in (tmp_path / "async_mail.py").read_text()


def test_what_it_has_not_written_is_left_alone(facade: Facade, tmp_path: Path) -> None:
    (tmp_path / "async_mail.py").write_text("precious = 1\n")
    ended = facade("corp.mail:CorpMailer", "-o", "async_mail.py")
    assert ended.status == 2
    assert "async_mail.py is there already, and was not written by this command" in ended.stderr
    assert (tmp_path / "async_mail.py").read_text() == "precious = 1\n"


def test_modules_are_found_in_folders_that_are_named(facade: Facade, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for how in ((), ("--static",)):
        ended = facade("corp.mail:CorpMailer", "--search-path", tmp_path, *how, cwd=elsewhere)
        assert ended.status == 0, ended.stderr


@pytest.mark.parametrize(
    ("target", "source", "said"),
    [
        ("corp.mial:CorpMailer", "", "there is no module 'corp.mial'; looked in "),
        ("corp.mail:CorpMialer", WRAPPER, "the module corp.mail has no class 'CorpMialer'; its classes are CorpMailer"),
        ("corp.mail:os", WRAPPER, "the module corp.mail has no class 'os'"),
        ("corp.mail:send", "def send(): ...", "corp.mail.send is a function, and needs no face: bridge(send)"),
        ("corp.mail:CorpMailer", "import os\nos.environ['NO_SUCH_NAME']", "mail.py:2: KeyError: "),
        ("corp.mail:CorpMailer", "import no_such_module", "mail.py:1: ModuleNotFoundError: "),
        ("corp.mail:CorpMailer", "raise SystemExit(3)", "mail.py:1: SystemExit: 3"),
        ("corp.mail:CorpMailer", "class CorpMailer(", "mail.py:1: SyntaxError: '(' was never closed\n"),
        ("corp.mail", WRAPPER, "'corp.mail': a module and a class, as in corp.mail:CorpMailer"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    facade: Facade, tmp_path: Path, target: str, source: str, said: str
) -> None:
    (tmp_path / "corp" / "mail.py").write_text(source)
    ended = facade(target)
    assert (ended.status, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("target", "source", "said"),
    [
        ("corp.mial:CorpMailer", "", "no source of a module 'corp.mial' was found; looked in "),
        ("corp.mail:CorpMialer", WRAPPER, "the module corp.mail has no class 'CorpMialer'; its classes are CorpMailer"),
        ("corp.mail:send", "def send(): ...", "corp.mail.send is a function, and needs no face"),
        ("corp.mail:CorpMailer", "class CorpMailer(", "mail.py:1: '(' was never closed"),
        ("corp.mail:CorpMailer", "from gone import CorpMailer", "corp.mail imports CorpMailer from elsewhere"),
        ("corp.mail:A", "class A(B): ...\nclass B(A): ...", "corp.mail.A is a base of itself"),
    ],
)
def test_neither_what_cannot_be_read_from_the_source(
    facade: Facade, tmp_path: Path, target: str, source: str, said: str
) -> None:
    (tmp_path / "corp" / "mail.py").write_text(source)
    ended = facade(target, "--static")
    assert (ended.status, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_that_fails_is_answered_by_reading_the_source(facade: Facade, tmp_path: Path) -> None:
    path = tmp_path / "corp" / "mail.py"
    path.write_text("import no_such_module\n" + path.read_text())
    assert "with --static it is read without being imported" in facade("corp.mail:CorpMailer").stderr
    assert facade("corp.mail:CorpMailer", "--static").status == 0


def test_what_importing_fails_with_is_said_with_its_lines(facade: Facade, tmp_path: Path) -> None:
    path = tmp_path / "corp" / "mail.py"
    path.write_text("import os\nraise RuntimeError('no settings\\nset SETTINGS')\n")
    assert facade("corp.mail:CorpMailer").stderr == (
        f"asyncsmtp-bridge facade: importing corp.mail failed at {path}:2: RuntimeError: no settings\n"
        "    set SETTINGS\n"
        "with --static it is read without being imported\n"
    )


def test_reading_is_offered_where_what_is_imported_is_no_python(facade: Facade, tmp_path: Path) -> None:
    path = tmp_path / "corp" / "mail.py"
    path.write_text("import corp.orders\n" + path.read_text())
    (tmp_path / "corp" / "orders.py").write_text("def (")
    said = facade("corp.mail:CorpMailer").stderr
    assert f"importing corp.mail failed at {tmp_path / 'corp' / 'orders.py'}:1: SyntaxError: " in said
    assert "with --static it is read without being imported" in said
    assert facade("corp.mail:CorpMailer", "--static").status == 0


def test_the_folder_of_the_command_is_none_to_look_into(tmp_path: Path) -> None:
    bin_, project = tmp_path / "bin", tmp_path / "project"
    for folder in (bin_, project):
        folder.mkdir()
    script = bin_ / "asyncsmtp-bridge"
    script.write_text("from asyncsmtp_bridge.cli.app import app\napp()\n")
    ended = subprocess.run(
        [sys.executable, str(script), "facade", "nope:CorpMailer"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"looked in {project}, {ROOT}, " in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--check",), "--check needs -o FILE"),
        (("--name", "Async Mailer"), "no name for a class"),
        (("--name", "class"), "no name for a class"),
        (("--awaitable", "status"), "no property 'status' to be awaited; it has none"),
        (("-o", "."), "cannot be read"),
    ],
)
def test_wrong_usage_is_said(facade: Facade, arguments: tuple[str, ...], said: str) -> None:
    ended = facade("corp.mail:CorpMailer", *arguments)
    assert ended.status == 2
    assert said in ended.stderr
