"""Scripts for servers that offer PIPELINING, and the messages that are sent to them."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

from asyncsmtp_bridge import PipelinedSMTP
from tests.servers import ScriptedServer, Talk

EXTENSIONS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8")

SENDER = "from@example.com"
TO = "to@example.org"


def hello(talk: Talk, extensions: tuple[str, ...] = EXTENSIONS) -> None:
    """Greet, and take the client's greeting."""
    talk.say("220 here")
    talk.expect("EHLO")
    lines = ["mail.example.org", *extensions]
    for line in lines[:-1]:
        talk.say(f"250-{line}")
    talk.say(f"250 {lines[-1]}")


def envelope(talk: Talk, recipients: int = 1) -> list[bytes]:
    """Take an envelope as a whole, without a word: whoever waits for a reply waits for ever."""
    return [talk.expect("MAIL"), *(talk.expect("RCPT") for _ in range(recipients)), talk.expect("DATA")]


def say(talk: Talk, *replies: str) -> None:
    for reply in replies:
        talk.say(reply)


def accept(talk: Talk, recipients: int = 1) -> bytes:
    """Take a whole message, the envelope at once, and return its content."""
    envelope(talk, recipients)
    say(talk, "250 sender", *["250 recipient"] * recipients, "354 go on")
    content = talk.content()
    talk.say("250 accepted")
    return content


def leave(talk: Talk) -> None:
    talk.expect("QUIT")
    talk.say("221 bye")


def serving(script: Callable[[Talk], None], extensions: tuple[str, ...] = EXTENSIONS) -> ScriptedServer:
    """A server that greets, and goes on as scripted."""

    def whole(talk: Talk) -> None:
        hello(talk, extensions)
        script(talk)

    return ScriptedServer(whole)


def connected(server: ScriptedServer, **kwargs: object) -> PipelinedSMTP:
    return PipelinedSMTP("127.0.0.1", server.port, timeout=20, **kwargs)  # type: ignore[arg-type]


def message(number: int = 0, body: str = "hello\n") -> EmailMessage:
    made = EmailMessage()
    made["From"] = SENDER
    made["To"] = TO
    made["Subject"] = f"message {number}"
    made["Message-ID"] = f"<{number}@example.com>"
    made.set_content(body)
    return made
