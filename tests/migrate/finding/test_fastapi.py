"""It names the line of the handler in a FastAPI application under uvicorn."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate import BlockingFinder, find_blocking
from asyncsmtp_bridge.testing import SMTPTestServer

from .programs import environment, line_of

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")

APPLICATION = """
import os, smtplib
from fastapi import Depends, FastAPI
from asyncsmtp_bridge import bridge

app = FastAPI()

def send(order: int) -> None:
    with smtplib.SMTP("localhost", int(os.environ["MAIL_PORT"])) as smtp:
        smtp.sendmail("anna@example.org", "bert@example.org", f"Subject: {order}")

@app.get("/blocking/{order}")
async def blocking(order: int):
    send(order)  # the line
    return "sent"

@app.get("/bridged/{order}")
async def bridged(order: int):
    await bridge(send)(order)
    return "sent"

@app.get("/synchronous/{order}")
def synchronous(order: int):  # FastAPI calls it in a thread
    send(order)
    return "sent"

async def audit(order: int):
    send(order)  # the dependency

@app.get("/dependent/{order}")
async def dependent(audited = Depends(audit)):
    return "sent"
"""


@pytest.fixture
def mail() -> Iterator[SMTPTestServer]:
    with SMTPTestServer() as server:
        yield server


@pytest.fixture
def directory(tmp_path: Path, mail: SMTPTestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MAIL_PORT", str(mail.port))
    (tmp_path / "shop_application.py").write_text(APPLICATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("shop_application", None)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def get(sock: socket.socket, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{sock.getsockname()[1]}{path}", timeout=30) as response:
        return str(json.load(response))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_warning_of_the_whole_server_names_the_line_in_the_handler(
    loop: str, directory: Path, listening: socket.socket, mail: SMTPTestServer
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "shop_application:app", "--loop", loop, "--fd", str(listening.fileno())],
        cwd=directory,
        env=environment(ASYNCSMTP_BRIDGE_FIND_BLOCKING="warn"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        pass_fds=[listening.fileno()],
    )
    try:
        for number in range(2):
            for path in ("blocking", "bridged", "synchronous"):
                assert get(listening, f"/{path}/{number}") == "sent"
    finally:
        server.send_signal(signal.SIGINT)
        errors = server.communicate(timeout=30)[1]
    assert len(mail.messages) == 6
    warnings = [line for line in errors.splitlines() if "BlockingCallWarning" in line]
    assert len(warnings) == 1, errors
    assert warnings[0].startswith(
        f"{directory}/shop_application.py:{line_of(APPLICATION, '# the line')}: BlockingCallWarning: in blocking (task "
    )
    assert "    mend: await bridge(send)(order)" in errors


def found_while_getting(listening: socket.socket, *paths: str) -> BlockingFinder:
    server = uvicorn.Server(uvicorn.Config("shop_application:app", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    with find_blocking("record") as found:
        thread.start()
        try:
            for path in paths:
                assert get(listening, path) == "sent"
        finally:
            server.should_exit = True
            thread.join()
    return found


def test_a_server_in_a_thread_is_seen(directory: Path, listening: socket.socket, mail: SMTPTestServer) -> None:
    found = found_while_getting(listening, "/blocking/1", "/bridged/1", "/blocking/2")
    (call,) = found.calls
    assert (call.filename, call.line) == (str(directory / "shop_application.py"), line_of(APPLICATION, "# the line"))
    assert (call.function, call.count, call.mend) == ("blocking", 2, "await bridge(send)(order)")
    assert len(mail.messages) == 3


def test_a_dependency_is_named_in_place_of_the_handler(
    directory: Path, listening: socket.socket, mail: SMTPTestServer
) -> None:
    (call,) = found_while_getting(listening, "/dependent/1").calls
    assert (call.line, call.function) == (line_of(APPLICATION, "# the dependency"), "audit")
    assert len(mail.messages) == 1
