"""The command ``scan``: what it says, and with which status it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

from .conftest import BLOCKING, HELPERS, VIEWS, Run, Write

WRAPPED = "from corp.mail import CorpMailer\nasync def f():\n    CorpMailer().send('Hi')\n"


def test_a_finding_can_be_clicked_and_says_how_it_comes_to_smtplib_and_how_to_mend_it(scan: Run, write: Write) -> None:
    write("helpers.py", HELPERS)
    write("views.py", VIEWS)
    ended = scan(".")
    assert ended.status == 1
    assert ended.stderr == ""
    said = ended.stdout.splitlines()
    assert said[0].startswith("views.py:5:5: in order: ")
    assert said[1:5] == [
        "    send_invoice(address)",
        "  reached through helpers.py:5:10 in send_invoice",
        "  bridge: await bridge(send_invoice)(address)",
        "",
    ]
    assert said[5:] == [
        "1 call blocks the event loop, in 1 of 2 files: mend 1 by bridge.",
        "See the edits: asyncsmtp-bridge migrate .",
        "To edit by hand: from asyncsmtp_bridge import bridge",
    ]


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("def g():\n    smtplib.SMTP('x')\nasync def f():\n    g()\n    smtplib.SMTP('x')\n", "AsyncSMTP, bridge"),
        ("async def f():\n    smtplib.SMTP_SSL('x')\n    smtplib.LMTP('x')\n", "AsyncLMTP, AsyncSMTP_SSL"),
    ],
)
def test_what_the_mends_use_is_imported_by_the_last_line(scan: Run, write: Write, source: str, imported: str) -> None:
    write("a.py", f"import smtplib\n{source}")
    assert scan(".").stdout.splitlines()[-1] == f"To edit by hand: from asyncsmtp_bridge import {imported}"


def test_mends_that_use_nothing_of_the_package_need_no_import(scan: Run, write: Write) -> None:
    write("a.py", "import smtplib\nasync def f(smtp: smtplib.SMTP):\n    smtp.noop()\n")
    assert scan(".").stdout.splitlines()[-1] == "See the edits: asyncsmtp-bridge migrate ."


def test_a_long_way_to_smtplib_is_shown_by_its_ends(scan: Run, write: Write) -> None:
    steps = "".join(f"def f{number}():\n    f{number - 1}()\n" for number in range(1, 20))
    write("m.py", f"import smtplib\ndef f0():\n    smtplib.SMTP('x')\n{steps}async def g():\n    f19()\n")
    way = [line for line in scan(".").stdout.splitlines() if "through" in line or "more" in line]
    assert way[0] == "  reached through m.py:41:5 in f19"
    assert way[5:] == ["  and 14 more calls (--json names them all)", "  reached through m.py:3:5 in f0"]
    assert len(scan(".", "--json").json["findings"][0]["trace"]) == 20


def test_when_nothing_blocks_it_says_so_and_how_many_files_it_has_looked_into(scan: Run, write: Write) -> None:
    write("a.py")
    write("b.py")
    ended = scan(".")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "No call that blocks the event loop in 2 files.\n", "")


def test_a_file_that_cannot_be_read_is_said_on_stderr_and_does_not_pass(scan: Run, write: Write) -> None:
    write("a.py")
    write("b.py", "def f(:\n")
    ended = scan(".")
    assert ended.status == 1
    assert ended.stderr.startswith("Not scanned: b.py:1: syntax error")
    assert "1 path could not be scanned, and may hide more" in ended.stdout
    assert scan(".", "--exclude", "b.py").status == 0


def test_json_is_one_document_and_nothing_else(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    write("b.py", "def f(:\n")
    ended = scan(".", "--json")
    assert ended.status == 1
    assert ended.stderr == ""
    assert {each["path"] for each in ended.json["findings"]} == {"a.py"}
    assert [each["path"] for each in ended.json["unread"]] == ["b.py"]
    assert scan(".", "--format", "json").stdout == ended.stdout


def test_sarif_is_one_document_and_nothing_else(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    ended = scan(".", "--format", "sarif")
    assert ended.status == 1
    assert ended.stderr == ""
    (run,) = ended.json["runs"]
    assert {result["ruleId"] for result in run["results"]} == {"smtplib-in-async"}
    assert run["invocations"][0]["exitCode"] == 1
    assert "baselineState" not in run["results"][0]


def test_github_is_given_a_command_for_each_finding(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    ended = scan(".", "--format", "github")
    commands = [line for line in ended.stdout.splitlines() if line.startswith("::")]
    assert ended.status == 1
    assert len(commands) == len(scan(".", "--json").json["findings"]) > 0
    assert all(command.startswith("::error file=a.py,line=5,") for command in commands)


def test_in_a_workflow_files_are_named_from_the_checkout(
    scan: Run, write: Write, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project))
    monkeypatch.chdir(write("backend/a.py", BLOCKING).parent)
    assert scan("a.py", "--format", "github").stdout.startswith("::error file=backend/a.py,")


def test_a_wrapper_that_is_not_in_the_source_is_known_by_its_name(scan: Run, write: Write) -> None:
    write("a.py", WRAPPED)
    assert scan(".").status == 0
    assert scan(".", "--wrapper", "corp.mail:CorpMailer").status == 1


@pytest.mark.parametrize("wrapper", ["corp.mail:CorpMailr", "nope:Nope"])
def test_a_wrapper_whose_name_is_nowhere_is_wrong_usage(scan: Run, write: Write, wrapper: str) -> None:
    write("a.py", WRAPPED)
    ended = scan(".", "--wrapper", "corp.mail:CorpMailer", "--wrapper", wrapper)
    assert ended.status == 2
    assert f"'--wrapper': {wrapper}: nothing in these files has this name" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "source",
    [
        "from corp import CorpMailer\n",
        "import corp.mail\ncorp.mail.CorpMailer()\n",
        "from corp.mail import CorpMailer as Mailer\n",
        "class CorpMailer: ...\n",
        "def CorpMailer(): ...\n",
        "async def CorpMailer(): ...\n",
        "def f(mailer: 'CorpMailer | None'): ...\n",
    ],
)
def test_a_wrapper_that_could_be_meant_is_not_refused(scan: Run, write: Write, source: str) -> None:
    write("a.py", source)
    assert scan(".", "--wrapper", "corp.mail:CorpMailer").stderr == ""


def test_a_wrapper_that_only_prose_tells_of_is_wrong_usage(scan: Run, write: Write) -> None:
    write("a.py", '"""This was done by CorpMailer once."""\nPATTERN = "\\d("  # CorpMailer\n')
    assert scan(".", "--wrapper", "corp.mail:CorpMailer").status == 2


def test_a_wrapper_may_be_used_in_a_file_that_cannot_be_read(scan: Run, write: Write) -> None:
    write("a.py")
    write("b.py", "CorpMailer(\n")
    ended = scan(".", "--wrapper", "corp.mail:CorpMailer")
    assert ended.status == 1
    assert ended.stderr.startswith("Not scanned: b.py:1: ")
    assert ended.stderr.count("\n") == 1


# Wrong usage.


def test_a_path_that_does_not_exist_is_wrong_usage(scan: Run, write: Write) -> None:
    write("a.py", BLOCKING)
    ended = scan("a.py", "missing", "gone")
    assert ended.status == 2
    assert "does not exist: missing, gone" in ended.stderr
    assert ended.stdout == ""


def test_no_python_file_at_all_is_wrong_usage(scan: Run, write: Write) -> None:
    write("docs/a.txt")
    ended = scan("docs")
    assert ended.status == 2
    assert "no Python file: docs" in ended.stderr
    write("docs/a.py")
    assert "no Python file that --exclude leaves: docs" in scan("docs", "--exclude", "a.*").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        ([".", "--format", "xml"], "one of text, json, sarif, github"),
        ([".", "--json", "--format", "sarif"], "choose one"),
        ([".", "--update-baseline"], "needs --baseline FILE"),
        ([".", "--baseline", "missing.json"], "--update-baseline makes it"),
        ([".", "--baseline", "a.py"], "a.py is not a baseline"),
        ([".", "--baseline", "missing/b.json", "--update-baseline"], "cannot be written"),
        ([".", "--wrapper", "CorpMailer"], "corp.mail:CorpMailer"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(scan: Run, write: Write, arguments: list[str], said: str) -> None:
    write("a.py")
    ended = scan(*arguments)
    assert ended.status == 2
    assert said in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


def test_the_help_names_every_option_and_status(scan: Run) -> None:
    said = scan("--help").stdout
    options = ["--wrapper", "--exclude", "--format", "--json", "--baseline", "--update-baseline", "Exit status"]
    assert [option for option in options if option not in said] == []


# Odd surroundings.


def test_names_of_any_bytes_are_shown_without_control_characters(scan: Run, write: Write) -> None:
    for name in ("esc\x1b[31m.py", "new\nline.py", os.fsdecode(b"caf\xe9.py")):
        write(name, BLOCKING)
    said = scan(".").stdout
    assert "\x1b" not in said
    assert {line.partition(":5:")[0] for line in said.splitlines() if ":5:" in line} == {
        r"esc\x1b[31m.py",
        r"new\nline.py",
        r"caf\udce9.py",
    }
    assert {each["path"] for each in scan(".", "--json").json["findings"]} == {
        "esc\x1b[31m.py",
        "new\nline.py",
        "caf\udce9.py",
    }
    assert scan(".", "--baseline", "b.json", "--update-baseline").status == 0
    assert scan(".", "--baseline", "b.json").status == 0


def test_a_reader_that_has_gone_breaks_nothing(write: Write, project: Path) -> None:
    for number in range(100):
        write(f"a{number}.py", BLOCKING)
    command = [sys.executable, "-W", "error", "-m", "asyncsmtp_bridge", "scan", "."]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert ended.returncode == 1
    assert ended.stderr == ""
