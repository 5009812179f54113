"""What the tests talk to a server with: plain smtplib, and a bare socket."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from asyncsmtp_bridge.testing import SMTPTestServer

ANNA = "anna@example.org"
BERT = "bert@example.org"
CLARA = "clara@example.org"
CONTENT = b"Subject: Hello\r\n\r\nHow are you?\r\n"


def make_message(subject: str = "Hello", to: Sequence[str] = (BERT,)) -> EmailMessage:
    message = EmailMessage()
    message["From"] = ANNA
    message["To"] = ", ".join(to)
    message["Subject"] = subject
    message.set_content("How are you?\n")
    return message


@contextmanager
def client_of(server: SMTPTestServer, kind: Any = smtplib.SMTP, timeout: float = 5, **options: Any) -> Iterator[Any]:
    """A session of smtplib's that is closed without QUIT."""
    client = kind(server.host, server.port, timeout=timeout, local_hostname="client.example", **options)
    try:
        yield client
    finally:
        client.close()


def send(
    server: SMTPTestServer, to: Sequence[str] = (BERT,), content: bytes = CONTENT, timeout: float = 5
) -> dict[str, Any]:
    """Send one message with smtplib; return whom the server refused."""
    with client_of(server, timeout=timeout) as client:
        refused: dict[str, Any] = client.sendmail(ANNA, list(to), content)
        client.quit()
        return refused


class RawClient:
    """A bare connection."""

    def __init__(self, server: SMTPTestServer) -> None:
        if server.port:
            self.socket = socket.create_connection((server.host, server.port), timeout=5)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(5)
            self.socket.connect(server.host)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        """One reply line; empty at the end of the stream."""
        return self._file.readline().decode().rstrip("\r\n")

    def ask(self, line: str) -> str:
        self.say(line)
        return self.hear()

    def until_data(self) -> None:
        """All that comes before a content."""
        self.hear()
        for line in ("HELO client.example", f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{BERT}>", "DATA"):
            self.ask(line)
