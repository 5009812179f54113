"""The entry points, and what is said when the extra is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

import pytest
import typer

from asyncsmtp_bridge.cli.app import app

from .conftest import ROOT, Run


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_importing_the_entry_point_imports_nothing_of_the_extra() -> None:
    ended = python(
        "import sys, asyncsmtp_bridge.cli; print([m for m in ('typer', 'rich', 'aiosmtpd') if m in sys.modules])"
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["typer", "rich", "aiosmtpd"])
def test_without_the_extra_one_line_says_how_to_install_it(module: str) -> None:
    ended = python(
        f"import sys; sys.modules['{module}'] = None\n"
        "from asyncsmtp_bridge.cli import main\nraise SystemExit(main(['demo']))"
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert module in line
    assert 'pip install "asyncsmtp_bridge[cli]"' in line


def test_python_dash_m_is_the_command_line(spawn) -> None:
    process = spawn("--version")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("asyncsmtp-bridge ")


def test_the_version_is_that_of_the_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", {"asyncsmtp_bridge": "9.8.7"}.__getitem__)
    ended = run("--version")
    assert ended.status == 0
    assert ended.stdout.startswith("asyncsmtp-bridge 9.8.7, Python 3.")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["demo", "--help"]])
def test_help_is_no_failure(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.status == 0
    assert "Usage: asyncsmtp-bridge" in ended.stdout


def test_the_help_of_send_names_every_option(run: Run) -> None:
    said = run("send", "--help").stdout
    options = [
        "--url",
        "--host",
        "--port",
        "--demo-server",
        "--executor-size",
        "--starttls",
        "--timeout",
        "--from",
        "--to",
        "--json",
    ]
    assert [option for option in options if option not in said] == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["send"],
        ["send", "x.eml", "--nonsense"],
        ["send", "x.eml", "--executor-size", "0"],
        ["send", "x.eml", "--port", "70000"],
        ["send", "x.eml", "--timeout", "0"],
        ["send", "x.eml", "--timeout", "nan"],
        ["send", "x.eml", "--timeout", "inf"],
        ["send", "x.eml", "--host", ""],
        ["send", "x.eml", "--to", "nobody here"],
        ["send", "x.eml", "--to", ""],
        ["send", "x.eml", "--to", "grün@example.org"],
        ["send", "x.eml", "--from", "a@b> SIZE=1"],
        ["send", "x.eml", "--demo-server", "--port", "25"],
        ["send", "x.eml", "--demo-server", "--host", "localhost"],
        ["send", "x.eml", "--demo-server", "--starttls"],
        ["send", "x.eml", "--demo-server", "--url", "smtp://localhost"],
        ["check", "--from", "a@example.org"],
        ["check", "smtp://localhost", "--send-to", "nobody here"],
        ["check", "smtp://localhost", "smtp://localhost"],
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.status == 2
    assert "Traceback" not in ended.stderr


def test_a_size_from_the_environment_that_is_no_number_is_wrong_usage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCSMTP_BRIDGE_EXECUTOR_SIZE", "many")
    ended = run("send", "x.eml")
    assert ended.status == 2
    assert "ASYNCSMTP_BRIDGE_EXECUTOR_SIZE" in ended.stderr


COMMAND = re.compile(r"^(?:\$ |- run: )?(asyncsmtp-bridge \w.*)$", re.MULTILINE)

DOCUMENTED = sorted(
    {
        (file.name, line.split("#")[0].strip())
        for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for line in COMMAND.findall(file.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("page", "line"), DOCUMENTED)
def test_what_the_documentation_calls_is_there(page: str, line: str) -> None:
    _, command, *arguments = line.split()
    known = typer.main.get_command(app).commands[command]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {each.partition("=")[0] for each in arguments if each.startswith("-")} <= options, page
