from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.cli import main

ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def statuses(self) -> dict[str, str]:
        return {Path(one["file"]).name: one["status"] for one in self.json["results"]}

    def result(self, name: str) -> Any:
        (found,) = [one for one in self.json["results"] if Path(one["file"]).name == name]
        return found

    def recipient(self, name: str) -> Any:
        """The answer for the one recipient of a file."""
        (found,) = self.result(name)["recipients"]
        return found


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process."""
    monkeypatch.setenv("COLUMNS", "200")

    def run_main(*arguments: object) -> Ended:
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run_main


@pytest.fixture
def send(run: Run) -> Run:
    """Send to a port of this machine."""

    def run_send(port: int, *arguments: object) -> Ended:
        return run("send", "--host", "127.0.0.1", "--port", port, *arguments)

    return run_send


@pytest.fixture
def spawn() -> Any:
    """Start the command line in a process of its own."""
    started: list[subprocess.Popen[str]] = []
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in a shell's background job, whose children would inherit that they cannot be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*arguments: object, **kwargs: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-m", "asyncsmtp_bridge", *map(str, arguments)]
        kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | kwargs
        process = subprocess.Popen(command, cwd=ROOT, text=True, **kwargs)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


WriteMail = Callable[..., Path]


@pytest.fixture
def mail(tmp_path: Path) -> WriteMail:
    """Write a message file."""

    def write(name: str, *to: str, header: str = "", body: str = "Hello\n") -> Path:
        recipients = ", ".join(to or ("bert@example.org",))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"From: anna@example.org\nTo: {recipients}\nSubject: {name}\n{header}\n{body}")
        return path

    return write
