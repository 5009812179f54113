"""A server that answers as a random script says, quickly, and the scripts.

Owns what a server may answer, and what is true of it: who got which message, in which attempt, and whether the client
was told. It knows nothing of outcomes. The server listens on the loopback interface, in one thread; mail is small.
"""

from __future__ import annotations

import random
import re
import selectors
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

End = Literal["", "FIN", "RST"]

_POSITIVE = re.compile(rb"(2\d\d-[^\r]*\r\n)*2\d\d [^\r]{0,500}\r\n")


@dataclass(frozen=True)
class Answer:
    """How a step is answered."""

    reply: bytes
    """As it is sent, complete or not."""
    obeyed: bool = True
    """Whether the step is done; after the content: whether the server takes responsibility for the message."""
    end: End = ""
    """How the connection is closed afterwards, if it is."""

    @property
    def is_told(self) -> bool:
        """Whether who reads it knows that the step is done."""
        return self.obeyed and _POSITIVE.fullmatch(self.reply) is not None


@dataclass
class Script:
    """What goes wrong; what is not in it goes well."""

    connections: list[dict[str, Answer]] = field(default_factory=list)
    """By greeting, EHLO, HELO, QUIT, for one connection after the other."""
    transactions: list[dict[str, Answer]] = field(default_factory=list)
    """By MAIL, RCPT and the address, DATA, content, for one MAIL after the other."""

    def __str__(self) -> str:
        def lines(steps: dict[str, Answer]) -> str:
            return ", ".join(
                f"{step}: {answer.reply[:20]!r}{' obeyed' * answer.obeyed} {answer.end}"
                for step, answer in steps.items()
            )

        connections = [f"connection {number}: {lines(each)}" for number, each in enumerate(self.connections, 1)]
        return "\n".join(
            connections + [f"MAIL {number}: {lines(each)}" for number, each in enumerate(self.transactions, 1)]
        )


# Random scripts.

GOOD = {"DATA": b"354 go on\r\n", "greeting": b"220 hello\r\n", "QUIT": b"221 bye\r\n"}
GARBAGE = [b"\xff\xfe\x00\r\n", b"hello there\r\n", b"25O OK\r\n", b"\r\n", b"2\r\n", b" 25 OK\r\n", b"999 what\r\n"]
GARBAGE += [b"250 " + b"x" * 9000 + b"\r\n", b"-25 OK\r\n"]
LATER = [b"451 4.3.0 later\r\n", b"450-4.2.0 busy\r\n450 4.2.0 later\r\n", b"452 full\r\n", b"454 4.7.0 later\r\n"]
NEVER = [b"550 5.1.1 unknown\r\n", b"554-5.7.1 no\r\n554 5.7.1 never\r\n", b"501 syntax\r\n"]
ACCEPTED = [b"250 2.0.0 OK\r\n", b"250-2.0.0 OK\r\n250 2.0.0 kept\r\n"]


def good(step: str) -> bytes:
    return GOOD.get(step.partition(" ")[0], b"250 OK\r\n")


def trouble(chance: random.Random, step: str) -> Answer:
    """Draw something that goes wrong at a step."""
    end: End = chance.choice(["FIN", "RST"])
    kept = step == "content" and chance.random() < 0.5
    match chance.randrange(8):
        case 0 | 1:
            return Answer(chance.choice(LATER), obeyed=False)
        case 2:
            return Answer(chance.choice(NEVER), obeyed=False)
        case 3:
            return Answer(b"421 4.3.2 closing\r\n", obeyed=False, end="FIN")
        case 4:
            return Answer(b"", kept, end)
        case 5:
            return Answer(chance.choice(GARBAGE), kept, chance.choice(["", end]))
        case _:
            return _cut_reply(chance, step, end)


def _cut_reply(chance: random.Random, step: str, end: End) -> Answer:
    if step != "content":
        reply = chance.choice([good(step), *LATER, *NEVER])
        return Answer(reply[: chance.randrange(1, len(reply))], obeyed=False, end=end)
    # Of three digits and the end of the stream smtplib makes a reply: then it is a true one.
    reply, kept = chance.choice([(each, True) for each in ACCEPTED] + [(each, False) for each in LATER + NEVER])
    if not kept and chance.random() < 0.3:
        return Answer(ACCEPTED[0][: chance.randrange(1, 3)], obeyed=False, end=end)
    return Answer(reply[: chance.randrange(1, len(reply))], kept, end)


def draw_script(chance: random.Random, recipients: list[str], attempts: int) -> Script:
    """Draw what happens to so many attempts to send to these recipients."""
    script = Script()
    for _ in range(attempts):
        connection = _draw(chance, {"greeting": 0.06, "EHLO": 0.06, "QUIT": 0.2})
        if "EHLO" in connection:  # then smtplib falls back
            connection |= _draw(chance, {"HELO": 0.4})
        script.connections.append(connection)
        envelope = {"MAIL": 0.1} | {f"RCPT {address}": 0.2 for address in recipients}
        steps = _draw(chance, envelope | {"DATA": 0.12, "content": 0.55})
        if "content" not in steps:
            steps["content"] = Answer(chance.choice(ACCEPTED * 5 + [b"251 will forward\r\n"]))
        script.transactions.append(steps)
    return script


def _draw(chance: random.Random, steps: dict[str, float]) -> dict[str, Answer]:
    return {step: trouble(chance, step) for step, likely in steps.items() if chance.random() < likely}


# The server.


@dataclass(frozen=True)
class Copy:
    """A message that was kept for a recipient."""

    message_id: str
    recipient: str
    attempt: int
    told: bool
    """Whether the client could know."""


@dataclass
class Play:
    """A script that is being played, and what came of it."""

    script: Script
    attempt: int = 0
    """Set by the client."""
    copies: list[Copy] = field(default_factory=list)
    contents: int = 0
    """How often a content was asked for."""
    connections: int = 0
    transactions: int = 0

    def next_connection(self) -> dict[str, Answer]:
        self.connections += 1
        return self._of(self.script.connections, self.connections)

    def next_transaction(self) -> dict[str, Answer]:
        self.transactions += 1
        return self._of(self.script.transactions, self.transactions)

    @staticmethod
    def _of(steps: list[dict[str, Answer]], number: int) -> dict[str, Answer]:
        return steps[number - 1] if number <= len(steps) else {}


class PlayingServer:
    """Plays one script after the other: for all connections that are made from `play` on."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._bound = socket.socket()  # and does not listen
        self._bound.bind(("127.0.0.1", 0))
        self.closed_port: int = self._bound.getsockname()[1]
        self._play = Play(Script())
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._talks: dict[socket.socket, _Talk] = {}
        self._thread = threading.Thread(target=self._serve, name="playing server", daemon=True)

    def __enter__(self) -> PlayingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join(10)
        for each in (self._listener, self._bound, self._wake, self._woken, *self._talks, self._selector):
            each.close()
        assert not self._thread.is_alive()

    def play(self, script: Script) -> Play:
        """Play a script from its beginning."""
        self._play = Play(script)
        return self._play

    # In the thread

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    with suppress(BlockingIOError, ConnectionError):
                        self._greet(self._listener.accept()[0])
                else:
                    self._hear(key.fileobj)  # type: ignore[arg-type]

    def _greet(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = _Talk(self._play)
        if self._say(sock, talk.step("greeting", talk.connection)):
            self._talks[sock] = talk
            self._selector.register(sock, selectors.EVENT_READ)
        else:
            sock.close()

    def _hear(self, sock: socket.socket) -> None:
        talk = self._talks[sock]
        try:
            received = sock.recv(65_536)
        except ConnectionError:
            received = b""
        answers = talk.hear(received) if received else None
        if answers is None or not all(self._say(sock, answer) for answer in answers):
            self._selector.unregister(sock)
            del self._talks[sock]
            sock.close()

    @staticmethod
    def _say(sock: socket.socket, answer: Answer) -> bool:
        """Answer; False if that was the last word."""
        with suppress(ConnectionError):
            if answer.reply:
                sock.sendall(answer.reply)
            if answer.end == "RST":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not answer.end


_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<.*?>)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"<(.*?)>")


class _Talk:
    """One connection."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.connection = play.next_connection()
        self._transaction: dict[str, Answer] = {}
        self._recipients: list[str] = []
        self._received = b""
        self._in_content = False

    def step(self, step: str, steps: dict[str, Answer]) -> Answer:
        return steps.get(step) or Answer(good(step))

    def hear(self, received: bytes) -> list[Answer] | None:
        """Return the answers to what came; None if that is the end."""
        self._received += received
        answers = []
        while end := self._end():
            said, self._received = self._received[:end], self._received[end:]
            answers.append(self._content(said) if self._in_content else self._command(said.decode().strip()))
            if answers[-1].end:
                break
        return answers

    def _end(self) -> int:
        mark = b"\r\n.\r\n" if self._in_content else b"\r\n"
        return self._received.find(mark) + len(mark) if mark in self._received else 0

    def _command(self, line: str) -> Answer:
        verb = line.partition(" ")[0].upper()
        if verb in ("EHLO", "HELO"):
            return self.step(verb, self.connection)
        if verb == "QUIT":
            answer = self.step("QUIT", self.connection)
            return answer if answer.end else Answer(answer.reply, end="FIN")
        if verb == "MAIL":
            self._transaction, self._recipients = self._play.next_transaction(), []
            return self.step("MAIL", self._transaction)
        if verb == "RCPT":
            address = _ADDRESS.findall(line)[0]
            answer = self.step(f"RCPT {address}", self._transaction)
            if answer.obeyed:
                self._recipients.append(address)
            return answer
        if verb == "DATA":
            answer = self.step("DATA", self._transaction) if self._recipients else Answer(b"503 no\r\n", obeyed=False)
            self._in_content = answer.obeyed
            self._play.contents += answer.reply.startswith(b"354")
            return answer
        return Answer(b"250 OK\r\n")

    def _content(self, content: bytes) -> Answer:
        self._in_content = False
        answer = self.step("content", self._transaction)
        if answer.obeyed:
            [message_id] = _MESSAGE_ID.findall(content)
            self._play.copies += [
                Copy(message_id.decode(), recipient, self._play.attempt, answer.is_told)
                for recipient in self._recipients
            ]
        return answer
