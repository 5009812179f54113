"""What the tests of the sessions share: a mail server that answers as it is told, and TLS for localhost."""

from __future__ import annotations

import base64
import functools
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asyncsmtp_bridge import PipelinedSMTP, PipelinedSMTP_SSL
from asyncsmtp_bridge.testing.certificates import Certificates, issue
from tests.servers import ScriptedServer, Talk

NAME = "client.example.org"
ANNA, BERT, CLEO, DORA = (f"{name}@example.org" for name in ("anna", "bert", "cleo", "dora"))

Answer = str | Sequence[str] | Callable[[Talk], None]


@functools.cache
def certificates() -> Certificates:
    """Both sides of TLS with localhost, which the system's trust store does not know."""
    return issue(["localhost"])


def encrypt(talk: Talk) -> None:
    talk.connection = certificates().server_context.wrap_socket(talk.connection, server_side=True)
    talk._file = talk.connection.makefile("rb")


class Post(ScriptedServer):
    """A mail server that takes everything, and answers otherwise where it is told so.

    Args:
        *offered: What its EHLO offers.
        answers: What it says to commands, by how they begin; the longest beginning counts. Several replies are said one
            by one, each after another line. A function takes the connection over; it ends when that returns.
        content: The reply to a message.
        verdicts: What it replies to a message as an LMTP server, by recipient; None: it hangs up in place of that.
        is_encrypted: Whether the connection is encrypted from the start.
        listener: Where it listens, if not at a port of 127.0.0.1.

    Attributes:
        contents: The messages, as they came over the wire.
    """

    def __init__(
        self,
        *offered: str,
        answers: Mapping[str, Answer] | None = None,
        content: str = "250 OK",
        verdicts: Mapping[str, str | None] | None = None,
        is_encrypted: bool = False,
        listener: socket.socket | None = None,
    ) -> None:
        super().__init__(self._talk)
        if listener is not None:
            self._listener.close()
            self._listener = listener
            self.port = listener.getsockname()[1] if listener.family == socket.AF_INET6 else 0
        self.offered: Sequence[str] = offered
        self.answers = dict(answers or {})
        self.contents: list[bytes] = []
        self._content = content
        self._verdicts = verdicts
        self._is_encrypted = is_encrypted

    def __enter__(self) -> Post:
        super().__enter__()
        return self

    @property
    def commands(self) -> list[str]:
        """All that clients have said, in UTF-8."""
        return [line.decode() for line in self.received]

    @property
    def verbs(self) -> list[str]:
        return [command.partition(" ")[0].upper() for command in self.commands]

    @property
    def envelopes(self) -> list[str]:
        """What MAIL and RCPT have said."""
        return [command for command in self.commands if command.startswith(("MAIL", "RCPT"))]

    def _talk(self, talk: Talk) -> None:
        if talk.connection.family != socket.AF_UNIX:
            # Else a reply after the handshake waits 40 ms for what the handshake has sent last to be confirmed.
            talk.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_encrypted:
            encrypt(talk)
        recipients: list[str] = []
        talk.say("220 mail.example.org")
        while True:
            command = talk.expect().decode().rstrip("\r\n")
            verb = command.partition(" ")[0].upper()
            answer = self._answer_to(command, verb, recipients)
            if callable(answer):
                answer(talk)
                return
            replies = [answer] if isinstance(answer, str) else answer
            for index, reply in enumerate(replies):
                if index:
                    talk.expect()
                talk.say(reply)
            said = replies[-1]
            if verb in ("MAIL", "RSET", "EHLO", "LHLO"):
                recipients.clear()
            elif verb == "RCPT" and said.startswith("2"):
                recipients.append(command.partition("<")[2].partition(">")[0])
            elif verb == "DATA" and said.startswith("3"):
                self.contents.append(talk.content())
                if not self._judge(talk, recipients):
                    return
                recipients.clear()
            elif verb == "STARTTLS" and said.startswith("2"):
                encrypt(talk)
            if verb == "QUIT" or said.startswith("421"):
                return

    def _answer_to(self, command: str, verb: str, recipients: list[str]) -> Answer:
        known = [each for each in self.answers if command.upper().startswith(each.upper())]
        if known:
            return self.answers[max(known, key=len)]
        if verb in ("EHLO", "LHLO"):
            *others, last = ["mail.example.org", *self.offered]
            return "".join(f"250-{each}\r\n" for each in others) + f"250 {last}"
        if verb == "DATA":
            return "354 go on" if recipients else "503 5.5.1 no recipients"
        return {"QUIT": "221 bye", "STARTTLS": "220 go on"}.get(verb, "250 OK")

    def _judge(self, talk: Talk, recipients: list[str]) -> bool:
        """Reply to a content, and return whether the connection goes on."""
        for reply in (
            [self._content]
            if self._verdicts is None
            else [self._verdicts.get(each, f"250 {each} has it") for each in recipients]
        ):
            if reply is None:
                return False
            talk.say(reply)
        return True


def plain(post: Post, **kwargs: Any) -> PipelinedSMTP:
    return PipelinedSMTP("localhost", post.port, NAME, **kwargs)


def over_tls(post: Post, **kwargs: Any) -> PipelinedSMTP_SSL:
    return PipelinedSMTP_SSL("localhost", post.port, NAME, context=certificates().client_context, **kwargs)


def dripping(octets: bytes, *, then: bytes = b"x") -> Callable[[Talk], None]:
    """Say something, and then now and then a little more, so that a timeout begins anew, until the peer is gone."""

    def drip(talk: Talk) -> None:
        talk.connection.sendall(octets)
        pace = threading.Event()
        while True:
            talk.connection.sendall(then)
            pace.wait(0.01)

    return drip


def hang_up(_: Talk) -> None:
    """Say nothing more: the connection ends when a script returns."""


def stay_silent(talk: Talk) -> None:
    talk.wait_for_the_end()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def shows(text: str, secret: str) -> bool:
    """Whether who reads a text can read a secret in it, also in base64."""
    if secret in text:
        return True
    words = re.findall(r"[A-Za-z0-9+/]{8,}", text)
    return any(
        secret.encode() in base64.b64decode(word + "=" * (-len(word) % 4)) for word in words if len(word) % 4 != 1
    )
