"""The command ``migrate``: what it shows, what it writes, and how it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run

BLOCKING = """\
import smtplib


async def report(text: str) -> None:
    with smtplib.SMTP("mail.example.org") as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], text)
"""

MIGRATED = """\
from asyncsmtp_bridge import AsyncSMTP


async def report(text: str) -> None:
    async with AsyncSMTP("mail.example.org") as smtp:
        await smtp.sendmail("a@example.org", ["b@example.org"], text)
"""

LEFT = """\
import smtplib


async def later(text: str) -> object:
    with smtplib.SMTP("mail.example.org") as smtp:
        return lambda: smtp.sendmail("a@example.org", ["b@example.org"], text)
"""


def test_nothing_is_written_unless_asked_for(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    ended = migrate(".")
    assert ended.status == 0
    assert (project / "mail.py").read_text() == BLOCKING
    assert b"\n-    with smtplib.SMTP(" in ended.stdout
    assert b"\n+    async with AsyncSMTP(" in ended.stdout
    assert "nothing is written without --write" in ended.stderr


@pytest.mark.skipif(not shutil.which("git"), reason="no git here")
def test_stdout_is_a_diff_that_git_takes(project: Path, migrate: Run):
    (project / "mail.py").write_bytes(BLOCKING.replace("\n", "\r\n").encode())
    (project / "latin.py").write_bytes(b"# coding: latin-1\n# \xe9\n" + BLOCKING.encode())
    (project / "left.py").write_text(LEFT)
    diff = migrate(".").stdout
    subprocess.run(["git", "apply"], input=diff, check=True, cwd=project, capture_output=True)
    assert (project / "mail.py").read_bytes() == MIGRATED.replace("\n", "\r\n").encode()
    assert (project / "latin.py").read_bytes() == b"# coding: latin-1\n# \xe9\n\n" + MIGRATED.encode()


GIT = pytest.mark.skipif(not shutil.which("git"), reason="no git here")
PATCH = pytest.mark.skipif(not shutil.which("patch"), reason="no patch here")
APPLYING = [
    pytest.param(["git", "apply"], marks=GIT, id="git"),
    pytest.param(["patch", "-p1", "--binary"], marks=PATCH, id="patch"),
]


def folder_told_in(stderr: str) -> Path:
    [line] = [line for line in stderr.splitlines() if line.startswith("The diff is to be applied in ")]
    return Path(line.removeprefix("The diff is to be applied in ").removesuffix("."))


@pytest.mark.parametrize("command", APPLYING)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_diff_of_files_outside_of_the_current_folder_is_applied_where_stderr_says(
    absolute: bool, command: list[str], project: Path, migrate: Run, monkeypatch: pytest.MonkeyPatch
):
    for name in ("x", "y", "y/z"):
        (project / name).mkdir()
    (project / "y" / "mail.py").write_text(BLOCKING)
    (project / "y" / "z" / "mail.py").write_text(BLOCKING)
    monkeypatch.chdir(project / "x")
    ended = migrate(project / "x" / ".." / "y" if absolute else "../y")
    folder = folder_told_in(ended.stderr)
    assert folder == project / "y"
    assert b"\n+++ b/z/mail.py\n" in ended.stdout
    subprocess.run(command, input=ended.stdout, check=True, cwd=folder, capture_output=True)
    assert (project / "y" / "mail.py").read_text() == MIGRATED
    assert (project / "y" / "z" / "mail.py").read_text() == MIGRATED


@pytest.mark.parametrize("command", APPLYING)
def test_a_diff_of_files_in_and_outside_of_the_current_folder_is_for_one_that_has_all(
    command: list[str], project: Path, migrate: Run, monkeypatch: pytest.MonkeyPatch
):
    for name in ("x", "y"):
        (project / name).mkdir()
        (project / name / "mail.py").write_text(BLOCKING)
    monkeypatch.chdir(project / "x")
    ended = migrate(".", "../y")
    assert folder_told_in(ended.stderr) == project
    subprocess.run(command, input=ended.stdout, check=True, cwd=project, capture_output=True)
    assert [(project / name / "mail.py").read_text() for name in "xy"] == [MIGRATED, MIGRATED]


@GIT
@pytest.mark.parametrize(("here", "path", "there"), [("src", "../lib", "."), ("lib", ".", "lib"), (".", "lib", ".")])
def test_in_a_repository_a_diff_is_for_the_current_folder_or_the_top_one(
    here: str, path: str, there: str, project: Path, migrate: Run, monkeypatch: pytest.MonkeyPatch
):
    for name in ("src", "lib"):
        (project / name).mkdir()
    (project / "lib" / "mail.py").write_text(BLOCKING)
    subprocess.run(["git", "init", "-q"], check=True, cwd=project)
    monkeypatch.chdir(project / here)
    ended = migrate(path)
    if here == "src":
        assert folder_told_in(ended.stderr) == project
    else:
        assert "The diff is to be applied" not in ended.stderr
    subprocess.run(["git", "apply"], input=ended.stdout, check=True, cwd=project / there, capture_output=True)
    assert (project / "lib" / "mail.py").read_text() == MIGRATED


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("command", APPLYING)
def test_a_diff_with_a_link_names_what_it_leads_to(command: list[str], project: Path, migrate: Run):
    (project / "real").mkdir()
    (project / "real" / "mail.py").write_text(BLOCKING)
    (project / "real" / "left.py").write_text(LEFT)
    (project / "other.py").write_text(BLOCKING)
    (project / "a_link.py").symlink_to("real/mail.py")
    (project / "folder").symlink_to("real")
    (project / "left_link.py").symlink_to("real/left.py")
    ended = migrate("a_link.py", "folder", "left_link.py", ".")
    assert "real/left.py:5:10: in later: left: " in ended.stderr
    assert "The diff is to be applied" not in ended.stderr
    subprocess.run(command, input=ended.stdout, check=True, cwd=project, capture_output=True)
    assert (project / "real" / "mail.py").read_text() == MIGRATED
    assert (project / "other.py").read_text() == MIGRATED
    assert (project / "a_link.py").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_json_names_what_a_link_leads_to(project: Path, migrate: Run):
    (project / "real").mkdir()
    (project / "real" / "mail.py").write_text(BLOCKING)
    (project / "real" / "left.py").write_text(LEFT)
    for name in ("mail.py", "left.py"):
        (project / name).symlink_to(f"real/{name}")
    document = migrate("mail.py", "left.py", "--json").json
    assert [one["path"] for one in document["changed"]] == ["real/mail.py"]
    assert {one["path"] for one in document["left"]} == {"real/left.py"}
    assert document["folder"] == str(project)


def test_files_are_written_and_their_names_are_told(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    (project / "other.py").write_text("x = 1\n")
    ended = migrate(".", "--write")
    assert ended.status == 0
    assert (project / "mail.py").read_text() == MIGRATED
    assert ended.stdout == b"mail.py" + os.linesep.encode()
    assert "2 edits made in 1 of 2 files" in ended.stderr


def test_a_second_run_finds_nothing_to_edit(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    migrate(".", "--write")
    ended = migrate(".", "--write")
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "Nothing to edit in 1 file.\n")
    assert (project / "mail.py").read_text() == MIGRATED


def test_what_is_left_is_listed_with_the_reason(project: Path, migrate: Run):
    (project / "left.py").write_text(LEFT)
    ended = migrate("left.py")
    assert (ended.status, ended.stdout) == (1, b"")
    assert "left.py:5:10: in later: left: " in ended.stderr
    assert '    with smtplib.SMTP("mail.example.org") as smtp:\n' in ended.stderr


def test_a_reason_that_several_calls_of_a_file_have_is_told_once(project: Path, migrate: Run):
    (project / "left.py").write_text(
        "import smtplib\n\n\nasync def order(smtp: smtplib.SMTP) -> None:\n    smtp.noop()\n    smtp.quit()\n"
    )
    stderr = migrate(".").stderr
    told = stderr.splitlines()
    assert told[0].startswith("left.py: 2 places left: ")
    assert told[1:3] == ["    left.py:5:5: in order: smtp.noop()", "    left.py:6:5: in order: smtp.quit()"]
    assert stderr.count(told[0].partition("left: ")[2]) == 1
    assert len(migrate(".", "--json").json["left"]) == 2


STARTTLS = """\
import smtplib


async def report(text: str) -> None:
    with smtplib.SMTP("mail.example.org") as smtp:
        smtp.starttls()
        smtp.sendmail("a@example.org", ["b@example.org"], text)
"""


def test_a_session_that_verifies_certificates_from_now_on_is_named_once(project: Path, migrate: Run):
    (project / "mail.py").write_text(STARTTLS)
    (project / "other.py").write_text(STARTTLS)
    [note] = [line for line in migrate(".").stderr.splitlines() if line.startswith("Note: ")]
    assert "mail.py:6:9" in note
    assert "other.py:6:9" in note
    assert "Note: " + migrate(".", "--json").json["notes"][0] + "." == note


def test_nothing_is_noted_where_nothing_else_changes(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    assert "Note: " not in migrate(".").stderr
    assert migrate(".", "--json").json["notes"] == []


def test_imports_and_bridges_stay_out_of_the_midst_of_the_imports(project: Path, migrate: Run):
    (project / "util.py").write_text(BLOCKING.replace("async def", "def"))
    (project / "app.py").write_text(
        'import sys\nsys.path.insert(0, "lib")\nimport asyncio\nfrom util import report\nimport json\n\n\n'
        'async def main():\n    report(json.dumps("x"))\n\n\nif __name__ == "__main__":\n    asyncio.run(main())\n'
    )
    migrate("app.py", "util.py", "--write")
    assert (project / "app.py").read_text() == (
        'import sys\nsys.path.insert(0, "lib")\nimport asyncio\nfrom util import report\nimport json\n\n'
        "from asyncsmtp_bridge import bridge\n\nasync_report = bridge(report)\n\n\n"
        'async def main():\n    await async_report(json.dumps("x"))\n\n\n'
        'if __name__ == "__main__":\n    asyncio.run(main())\n'
    )
    assert migrate(".", "--write").stderr == "Nothing to edit in 2 files.\n"


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(project: Path, migrate: Run):
    (project / "broken.py").write_text("def f(:\n")
    (project / "mail.py").write_text(BLOCKING)
    ended = migrate(".", "--write")
    assert ended.status == 1
    assert "Not read: broken.py:1: syntax error" in ended.stderr
    assert (project / "mail.py").read_text() == MIGRATED


@pytest.mark.skipif(sys.platform == "win32", reason="names may be as long there")
def test_a_file_that_cannot_be_written_is_named_and_the_rest_goes_on(project: Path, migrate: Run):
    name = "m" * 252 + ".py"  # the longest that there is; a temporary file's name would be longer
    (project / name).write_text(BLOCKING)
    (project / "mail.py").write_text(BLOCKING)
    ended = migrate(".", "--write")
    assert ended.status == 1
    assert f"Not written: {name}: cannot be written: " in ended.stderr
    assert "2 edits made in 1 of 2 files" in ended.stderr
    assert (project / name).read_text() == BLOCKING
    assert (project / "mail.py").read_text() == MIGRATED


def test_json_tells_the_same(project: Path, migrate: Run):
    (project / "broken.py").write_text("def f(:\n")
    (project / "left.py").write_text(LEFT)
    (project / "mail.py").write_text(BLOCKING)
    ended = migrate(".", "--json")
    document = ended.json
    assert (ended.status, ended.stderr) == (1, "")
    [changed] = document["changed"]
    assert (changed["path"], changed["edits"]) == ("mail.py", 2)
    assert changed["diff"].startswith("--- a/mail.py\n+++ b/mail.py\n@@ ")
    assert {"path": "left.py", "line": 5, "column": 10, "function": "later"}.items() <= document["left"][0].items()
    assert document["left"][0]["reason"]
    assert [(one["path"], one["line"]) for one in document["unread"]] == [("broken.py", 1)]
    assert (document["unwritten"], document["written"]) == ([], False)


def test_json_of_a_run_that_writes(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    assert migrate(".", "--json", "--write").json["written"] is True
    assert (project / "mail.py").read_text() == MIGRATED


def test_files_can_be_left_out(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    (project / "test_mail.py").write_text(BLOCKING)
    migrate(".", "--write", "--exclude", "test_*")
    assert (project / "test_mail.py").read_text() == BLOCKING
    assert (project / "mail.py").read_text() == MIGRATED


def test_a_wrapper_from_elsewhere_can_be_named(project: Path, migrate: Run):
    (project / "mail.py").write_text("from corp.mail import send\n\n\nasync def f():\n    send()\n")
    assert migrate(".").stdout == b""
    assert b"+    await async_send()" in migrate(".", "--wrapper", "corp.mail:send").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["nowhere"], "does not exist: nowhere"),
        (["empty"], "no Python file: empty"),
        (["mail.py", "--wrapper", "corp"], "--wrapper"),
        (["mail.py", "--exclude", "mail.py"], "no Python file that --exclude leaves: mail.py"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], words: str, project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    (project / "empty").mkdir()
    ended = migrate(*arguments)
    assert ended.status == 2
    assert words in " ".join(ended.stderr.replace("│", " ").split())


def test_in_a_terminal_the_diff_has_colours_and_no_control_characters(
    project: Path, migrate: Run, monkeypatch: pytest.MonkeyPatch
):
    (project / "mail.py").write_bytes(("# \x1b]0;x\x07\n" + BLOCKING).encode())
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = migrate(".").stdout
    assert b"\x1b[32m+    async with AsyncSMTP(" in shown
    assert b"\\x1b]0;x\\x07" in shown
    assert b"\x1b]" not in shown


def test_without_libcst_it_says_what_to_install(project: Path):
    (project / "mail.py").write_text(BLOCKING)
    code = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'libcst' else found(name, *a)\n"
        "from asyncsmtp_bridge.cli import main\n"
        "sys.exit(main(['migrate', 'mail.py']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert 'pip install "asyncsmtp_bridge[cli,migrate]"' in ended.stderr


def test_the_editor_imported_without_libcst_says_what_to_install():
    code = "import sys; sys.modules['libcst'] = None; import asyncsmtp_bridge.migrate.editing.editor"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    assert (
        'asyncsmtp_bridge.migrate.editing.editor needs libcst: pip install "asyncsmtp_bridge[migrate]"' in ended.stderr
    )


def test_a_wrapper_that_nothing_names_is_wrong_usage(project: Path, migrate: Run):
    (project / "mail.py").write_text(BLOCKING)
    ended = migrate(".", "--wrapper", "corp.mail:CorpMailr")
    assert ended.status == 2
    assert "corp.mail:CorpMailr" in ended.stderr
