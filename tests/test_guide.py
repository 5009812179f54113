"""The guide to a migration is true: its commands run, print what it shows, and its changes apply."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer

DOCS = Path(__file__).parent.parent / "docs"
GUIDE = (DOCS / "migrating.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)

# What the commands are here, where the package may not be installed, and other plugins are.
PYTHON = {
    "asyncsmtp-bridge": ["-m", "asyncsmtp_bridge"],
    "pytest": ["-m", "pytest", "-p", "asyncsmtp_bridge.migrate.pytest_plugin", "-p", "no:cacheprovider"],
}

EXERCISE = """
import asyncio, json, sys

ORDER = {"to": "bert@example.org", "total": "12.00"}
NEWS = {"addresses": ["bert@example.org", "cleo@example.org"], "subject": "News", "text": "None."}
CALLS = [
    ("POST", "/orders", ORDER), ("POST", "/orders", {"to": "nobody", "total": "1.00"}),
    ("POST", "/orders", {**ORDER, "to": "dora@example.org"}),
    ("POST", "/orders/1/paid", {}), ("POST", "/orders/7/paid", {}), ("POST", "/reminders", {}),
    ("POST", "/newsletter", NEWS), ("GET", "/health", None),
]

import shop

async def ask_fastapi():
    import httpx

    async with shop.lifespan(shop.app):
        transport = httpx.ASGITransport(shop.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for method, path, body in CALLS:
                answer = await client.request(method, path, json=body)
                yield answer.status_code, answer.json()

async def ask_flask():
    client = shop.app.test_client()
    for method, path, body in CALLS:
        answer = client.open(path, method=method, json=body)
        yield answer.status_code, answer.get_json()
    shop.mailer.close()

async def main():
    return [each async for each in (ask_fastapi if hasattr(shop, "lifespan") else ask_flask)()]

print(json.dumps(asyncio.run(main())))
"""


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": str(DOCS.parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "80",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def plain(line: str) -> str:
    """Return a line without what differs from run to run."""
    line = re.sub(r"'Task-\d+'", "'Task-N'", line.rstrip())
    return re.sub(r"\b[\d.]+ ?m?s\b", "N s", line)


def assert_shown(shown: list[str], printed: str) -> None:
    """Assert that what the guide shows was printed, in that order; ``...`` stands for anything."""
    lines = iter(map(plain, printed.splitlines()))
    for line in shown:
        if line != "...":
            assert any(plain(line) in each for each in lines), f"{line!r} is not (or not here) in\n{printed}"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all was done that the guide says."""
    folder = tmp_path_factory.mktemp("guide")
    for file in (DOCS / "migrating").glob("*.py"):
        shutil.copy(file, folder)
    for kind, text in BLOCKS:
        if kind == "console":
            follow(text, folder)
        elif kind == "diff":
            subprocess.run(["git", "apply", "-"], cwd=folder, input=text, text=True, check=True, timeout=60)
        elif text.startswith("# test_shop.py"):
            (folder / "test_shop.py").write_text(text, encoding="utf-8")
    return folder


def follow(session: str, folder: Path) -> None:
    prompts = [match.start() for match in re.finditer(r"^\$ ", session, re.MULTILINE)]
    for start, end in pairwise([*prompts, len(session)]):
        command, *shown = session[start + 2 : end].splitlines()
        program, *arguments = command.split()
        if program == "cp":
            shutil.copy(folder / arguments[0], folder / arguments[1])
            (folder / arguments[0]).unlink()
            (folder / "shop_flask.py").unlink()
        elif program != "pip":
            ended = run(folder, *PYTHON[program], *arguments)
            assert_shown(shown, ended.stdout + ended.stderr)


def test_the_guide_can_be_followed(done: Path) -> None:
    assert {kind for kind, _ in BLOCKS} == {"console", "diff", "python"}
    assert "async_send_reminders" in (done / "shop.py").read_text(encoding="utf-8")


def test_python_that_it_shows_is_there_in_the_end(done: Path) -> None:
    there = "".join(file.read_text(encoding="utf-8") for file in sorted(done.glob("*.py")))
    for kind, text in BLOCKS:
        if kind == "python":
            for line in text.removeprefix("# test_shop.py\n").splitlines():
                assert line.strip().removesuffix(": ...") in there, line


def test_the_application_of_before_is_of_about_200_lines() -> None:
    lines = [
        len((DOCS / "migrating" / name).read_text(encoding="utf-8").splitlines())
        for name in ("shop_flask.py", "corpmail.py")
    ]
    assert 180 <= sum(lines) <= 220


@pytest.mark.parametrize("module", ["shop_fastapi.py", "done"])
def test_it_answers_and_sends_what_the_flask_application_does(done: Path, tmp_path: Path, module: str) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    shutil.copy(DOCS / "migrating" / "shop_flask.py", before / "shop.py")
    shutil.copy(DOCS / "migrating" / "corpmail.py", before)
    if module == "done":
        shutil.copytree(done, after)
    else:
        after.mkdir()
        shutil.copy(DOCS / "migrating" / module, after / "shop.py")
        shutil.copy(DOCS / "migrating" / "corpmail.py", after)
    assert exercised(before) == exercised(after)


def exercised(folder: Path) -> tuple[list[object], list[tuple[str, tuple[str, ...], bytes]]]:
    """Return what an application answers, and the messages that it sends."""
    with SMTPTestServer() as server:
        ended = run(folder, "-c", EXERCISE, SHOP_SMTP_HOST=server.host, SHOP_SMTP_PORT=str(server.port))
        assert ended.returncode == 0, ended.stderr
        sent = [(each.mail_from, each.rcpt_tos, each.content) for each in server.messages]
    assert len(sent) == 9
    answers = json.loads(ended.stdout.replace(str(server.port), "PORT"))
    assert len(answers) == 8
    return answers, sent
