"""What people and machines see."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

from tests.servers import Mailbox, smtp_server

from .conftest import Run, WriteMail


class Terminal:
    """A terminal for a process to write to; remembers what was shown."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self._shown: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # when nobody has the other end open any more
            while True:
                self._shown.append(os.read(self._ours, 65536))

    def close(self) -> str:
        """Return all that was shown; the process has ended."""
        os.close(self.theirs)
        self._reader.join(20)
        os.close(self._ours)
        return b"".join(self._shown).decode()


def test_everything_accepted_is_one_line(send: Run, mail: WriteMail) -> None:
    with smtp_server() as server:
        ended = send(server.port, mail("1.eml"), mail("2.eml"))
    assert ended.status == 0
    (line,) = ended.stdout.splitlines()
    assert line.startswith(f"2 of 2 accepted by 127.0.0.1:{server.port} over ")
    assert ended.stderr == ""


def test_json_is_one_document_with_every_file_in_order(send: Run, mail: WriteMail, tmp_path: Path) -> None:
    paths = [mail(f"{number}.eml", f"{number}@x.org") for number in range(20)]
    (tmp_path / "empty").touch()
    with smtp_server(Mailbox({"3@x.org": "550 no"})) as server:
        ended = send(server.port, *paths, tmp_path / "empty", tmp_path / "missing", "--json")
    assert ended.status == 1
    assert ended.stderr == ""
    document = ended.json
    assert [one["file"] for one in document["results"]] == [
        *map(str, paths),
        f"{tmp_path}/empty",
        f"{tmp_path}/missing",
    ]
    assert document["server"] == {"host": "127.0.0.1", "port": server.port, "tls": "none"}
    assert document["interrupted"] is False
    assert document["error"] is None
    assert document["totals"]["files"] == {
        "all": 22,
        "accepted": 19,
        "partial": 0,
        "refused": 1,
        "unknown": 0,
        "unusable": 2,
        "not_sent": 0,
    }
    assert document["results"][0] == {
        "file": str(paths[0]),
        "status": "accepted",
        "problem": None,
        "sender": "anna@example.org",
        "recipients": [{"recipient": "0@x.org", "outcome": "accepted", "code": None, "text": ""}],
    }
    assert document["results"][20]["problem"] == "no message: the file is empty"


def test_a_file_name_that_is_no_text_is_no_obstacle(send: Run, mail: WriteMail, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.eml")
    mail("x.eml").rename(path)
    with smtp_server(Mailbox({"bert@example.org": "550 no"})) as server:
        lines = send(server.port, path)
        json = send(server.port, path, "--json")
    assert lines.stderr == f"{tmp_path}/caf\\udce9.eml: bert@example.org: permanent: 550 no\n"
    assert json.json["results"][0]["file"] == path


def test_a_refusal_that_is_the_same_for_all_recipients_is_one_line(send: Run, mail: WriteMail) -> None:
    path = mail("x.eml", "a@x.org", "b@x.org")
    with smtp_server(Mailbox({"a@x.org": "550 no", "b@x.org": "550 no"})) as server:
        ended = send(server.port, path)
    assert ended.stderr == f"{path}: all 2 recipients: permanent: 550 no\n"


def test_the_demo_server_needs_nothing(run: Run, mail: WriteMail) -> None:
    ended = run("send", "--demo-server", mail("1.eml"), mail("2.eml"))
    assert ended.status == 0
    assert "2 of 2 accepted" in ended.stdout
    assert "The demo server received 2" in ended.stdout


def test_the_progress_bar_is_on_stderr_and_on_terminals_only(
    spawn: Callable[..., Popen[str]], mail: WriteMail, tmp_path: Path
) -> None:
    for number in range(5):
        mail(f"{number}.eml")
    (tmp_path / "empty.eml").touch()
    terminal = Terminal()
    process = spawn("send", "--demo-server", tmp_path, stderr=terminal.theirs, env=os.environ | {"TERM": "xterm"})
    out, _ = process.communicate()
    screen = terminal.close()
    assert process.returncode == 1
    assert "Sending" in screen
    assert "6/6" in screen
    assert "1 not accepted" in screen
    assert "empty.eml: no message: the file is empty" in screen
    assert "Sending" not in out
    assert "5 of 6 accepted" in out

    process = spawn("send", "--demo-server", tmp_path)
    _, err = process.communicate()
    assert err.splitlines() == [f"{tmp_path / 'empty.eml'}: no message: the file is empty"]
