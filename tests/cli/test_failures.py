"""What is not accepted is said so, for each file and recipient, and does not stop the rest."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncsmtp_bridge.cli import connection
from tests.servers import Mailbox, ScriptedServer, Talk, smtp_server

from .conftest import Run, WriteMail


def begin(talk: Talk) -> None:
    talk.say("220 ready")
    talk.expect("EHLO")
    talk.say("250 scripted")


def envelope(talk: Talk) -> str:
    """Take MAIL, RCPT and DATA, up to the content; return the recipient."""
    talk.expect("MAIL")
    talk.say("250 OK")
    recipient = talk.expect("RCPT").decode().split("<")[1].split(">")[0]
    talk.say("250 OK")
    talk.expect("DATA")
    talk.say("354 go on")
    return recipient


def finish(talk: Talk, at_quit: Callable[[], object] = lambda: None) -> None:
    """Serve well from here on."""
    while line := talk.expect():
        verb = line[:4].upper()
        if verb == b"DATA":
            talk.say("354 go on")
            talk.content()
        if verb == b"QUIT":
            at_quit()
            talk.say("221 bye")
            return
        talk.say("250 OK")


def test_files_that_cannot_be_sent_are_named_and_do_not_stop_the_rest(
    send: Run, mail: WriteMail, tmp_path: Path
) -> None:
    mail("good1.eml")
    mail("good2.eml")
    (tmp_path / "empty.eml").touch()
    (tmp_path / "binary.eml").write_bytes(os.urandom(500))
    (tmp_path / "text.eml").write_text("no header at all\n")
    (tmp_path / "nobody.eml").write_text("From: a@x.org\n\nfor whom?\n")
    (tmp_path / "gone.eml").symlink_to(tmp_path / "gone")
    (tmp_path / "folder").mkdir()
    with smtp_server() as server:
        ended = send(server.port, tmp_path, tmp_path / "folder", tmp_path / "missing")
    assert ended.status == 1
    assert len(server.mailbox.envelopes) == 2
    lines = {Path(line.split(": ")[0]).name: line.split(": ", 1)[1] for line in ended.stderr.splitlines()}
    assert lines == {
        "empty.eml": "no message: the file is empty",
        "binary.eml": "no message: it does not begin with a header field",
        "text.eml": "no message: it does not begin with a header field",
        "nobody.eml": "no recipient: no address in To, Cc or Bcc; name one with --to",
        "gone.eml": "cannot be read: No such file or directory",
        "folder": "the folder holds no .eml file",
        "missing": "cannot be read: No such file or directory",
    }
    assert "2 of 9 accepted" in ended.stdout
    assert "unusable      7" in ended.stdout


def test_a_partial_refusal_is_a_failure_of_that_recipient_only(send: Run, mail: WriteMail) -> None:
    path = mail("x.eml", "good@x.org", "bad@x.org", "full@x.org")
    mailbox = Mailbox({"bad@x.org": "550 5.1.1 no such user", "full@x.org": "452 4.2.2 mailbox full"})
    with smtp_server(mailbox) as server:
        lines = send(server.port, path)
        json = send(server.port, path, "--json")
    assert lines.status == json.status == 1
    assert lines.stderr.splitlines() == [
        f"{path}: bad@x.org: permanent: 550 5.1.1 no such user",
        f"{path}: full@x.org: transient: 452 4.2.2 mailbox full",
    ]
    assert json.statuses() == {"x.eml": "partial"}
    assert json.result("x.eml")["recipients"] == [
        {"recipient": "good@x.org", "outcome": "accepted", "code": None, "text": ""},
        {"recipient": "bad@x.org", "outcome": "permanent", "code": 550, "text": "5.1.1 no such user"},
        {"recipient": "full@x.org", "outcome": "transient", "code": 452, "text": "4.2.2 mailbox full"},
    ]
    totals = json.json["totals"]["recipients"]
    assert totals == {"all": 3, "accepted": 1, "transient": 1, "permanent": 1, "unknown": 0}


def test_refused_files_leave_the_connection_fit_for_the_next(send: Run, mail: WriteMail) -> None:
    def script(talk: Talk) -> None:
        begin(talk)
        talk.expect("MAIL")
        talk.say("550-5.7.1 not\r\n550 5.7.1 you")
        talk.expect("RSET")  # smtplib's
        talk.say("250 OK")
        talk.expect("RSET")
        talk.say("250 OK")
        talk.expect("MAIL")
        talk.say("250 OK")
        talk.expect("RCPT")
        talk.say("250 OK")
        talk.expect("DATA")
        talk.say("451 not now")
        talk.expect("RSET")  # smtplib sends none here, and the transaction would go on
        talk.say("250 OK")
        envelope(talk)
        talk.content()
        talk.say("552 too big")
        talk.expect("RSET")
        talk.say("250 OK")
        talk.expect("RSET")
        talk.say("250 OK")
        finish(talk)

    paths = [mail(name) for name in ("sender.eml", "data.eml", "content.eml", "good.eml")]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 1, "--json")
    assert ended.status == 1
    said = {name: tuple(ended.recipient(name)[key] for key in ("outcome", "code", "text")) for name in ended.statuses()}
    assert said == {
        "sender.eml": ("permanent", 550, "5.7.1 not you"),
        "data.eml": ("transient", 451, "not now"),
        "content.eml": ("permanent", 552, "too big"),
        "good.eml": ("accepted", None, ""),
    }
    assert ended.json["connections"] == 1


def test_content_sent_and_no_answer_is_unknown_and_never_sent_again(send: Run, mail: WriteMail) -> None:
    seen: Counter[str] = Counter()

    def script(talk: Talk) -> None:
        begin(talk)
        recipient = envelope(talk)
        talk.content()
        seen[recipient] += 1
        if recipient == "drop@x.org":
            return
        if recipient == "silent@x.org":
            talk.wait_for_the_end()
            return
        if recipient in ("garbage@x.org", "strange@x.org"):
            talk.say("what do you mean" if recipient == "garbage@x.org" else "354 once more")
            talk.wait_for_the_end()  # whatever comes over this connection now is not understood
            return
        talk.say("250 OK")
        finish(talk)

    names = ["drop", "silent", "garbage", "strange", "good"]
    paths = [mail(f"{name}.eml", f"{name}@x.org") for name in names]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 1, "--timeout", 0.5, "--json")
    assert ended.status == 1
    assert ended.statuses() == {f"{name}.eml": "accepted" if name == "good" else "unknown" for name in names}
    assert "no answer came" in ended.recipient("drop.eml")["text"]
    assert "timed out" in ended.recipient("silent.eml")["text"]
    assert "do you mean" in ended.recipient("garbage.eml")["text"]
    assert ended.json["totals"]["recipients"]["unknown"] == 4
    assert set(seen.values()) == {1}
    assert len(seen) == 5


def test_a_connection_that_ends_before_the_content_is_a_failure_and_the_next_file_gets_a_new_one(
    send: Run, mail: WriteMail
) -> None:
    connections = []

    def script(talk: Talk) -> None:
        connections.append(talk)
        begin(talk)
        number = len(connections)
        if number == 1:
            talk.expect("MAIL")
        elif number == 2:
            talk.expect("MAIL")
            talk.say("250 OK")
            talk.expect("RCPT")
            talk.say("421 4.3.2 shutting down")
        elif number == 3:
            talk.expect("MAIL")
            talk.say("250 OK")
            talk.expect("RCPT")
            talk.say("250 OK")
            talk.expect("DATA")
        else:
            finish(talk)

    paths = [mail("mail.eml"), mail("rcpt.eml", "a@x.org", "b@x.org"), mail("data.eml"), mail("good.eml")]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 1, "--json")
    assert ended.statuses() == {
        "mail.eml": "refused",
        "rcpt.eml": "refused",
        "data.eml": "refused",
        "good.eml": "accepted",
    }
    assert ended.recipient("mail.eml")["outcome"] == ended.recipient("data.eml")["outcome"] == "transient"
    first, second = ended.result("rcpt.eml")["recipients"]
    assert (first["outcome"], first["code"]) == ("transient", 421)
    assert (second["outcome"], second["code"]) == ("transient", None)
    assert "not tried" in second["text"]
    assert len(connections) == 4


def test_a_reply_that_is_none_ends_the_connection(send: Run, mail: WriteMail) -> None:
    connections = []

    def script(talk: Talk) -> None:
        connections.append(talk)
        begin(talk)
        if len(connections) == 1:
            talk.expect("MAIL")
            talk.say("what do you mean")
            talk.say("250 OK")  # smtplib would take it for the answer to its next command
        finish(talk)

    with ScriptedServer(script) as server:
        ended = send(server.port, mail("1.eml"), mail("2.eml"), "--executor-size", 1, "--json")
    assert ended.statuses() == {"1.eml": "refused", "2.eml": "accepted"}
    answer = ended.recipient("1.eml")
    assert (answer["outcome"], answer["code"]) == ("transient", None)
    assert len(connections) == 2


def test_a_server_that_does_not_answer_quit_is_not_waited_for(
    send: Run, mail: WriteMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "QUIT_TIMEOUT", 0.1)

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        talk.say("250 OK")
        talk.expect("QUIT")
        talk.wait_for_the_end()

    begun = time.monotonic()
    with ScriptedServer(script) as server:
        assert send(server.port, mail("1.eml")).status == 0
    assert time.monotonic() - begun < 10  # and not the 30 seconds of --timeout


def test_a_connection_that_was_closed_while_idle_costs_no_message(send: Run, mail: WriteMail) -> None:
    farewells = iter(["421 4.7.0 enough for one connection", "", "250 OK"])

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        talk.content()
        talk.say("250 OK")
        farewell = next(farewells)
        if farewell == "250 OK":
            finish(talk)
        elif farewell:
            talk.expect("MAIL")
            talk.say(farewell)

    paths = [mail(f"{number}.eml") for number in range(3)]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 1, "--json")
    assert ended.status == 0
    assert sum(line.startswith(b"data") for line in server.received) == 3


def test_there_are_never_more_connections_than_messages(send: Run, mail: WriteMail) -> None:
    paths = [mail("1.eml"), mail("2.eml")]
    mailbox = Mailbox()
    with smtp_server(mailbox) as server:
        assert send(server.port, *paths).status == 0
    assert 1 <= len(mailbox.peers) <= 2


def test_the_executor_size_is_the_number_of_connections(send: Run, mail: WriteMail) -> None:
    together = threading.Barrier(3)

    def script(talk: Talk) -> None:
        begin(talk)
        envelope(talk)
        together.wait(20)  # three messages must be under way at once
        talk.content()
        talk.say("250 OK")
        finish(talk)

    paths = [mail(f"{number}.eml") for number in range(6)]
    with ScriptedServer(script) as server:
        ended = send(server.port, *paths, "--executor-size", 3, "--json")
    assert ended.status == 0
    assert ended.json["connections"] == 3


def test_replies_and_names_cannot_play_tricks_on_the_terminal(send: Run, mail: WriteMail) -> None:
    path = mail("[red]\x1b[2Jü.eml", "bad@x.org")
    with smtp_server(Mailbox({"bad@x.org": "550 \x1b[31m[bold]no"})) as server:
        ended = send(server.port, path)
    (line,) = ended.stderr.splitlines()
    assert line.endswith("[red]\\x1b[2Jü.eml: bad@x.org: permanent: 550 \ufffd[31m[bold]no")
