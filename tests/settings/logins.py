"""A server that takes logins by access tokens, and settings for it."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from asyncsmtp_bridge import SMTPSettings
from tests.wire.talking import Answer, Post, certificates


@functools.cache
def ca_file() -> str:
    """A file with the authority of `certificates`."""
    path = Path(mkdtemp()) / "ca.pem"
    path.write_bytes(certificates().ca_pem)
    return str(path)


class TokenPost(Post):
    """Takes logins by XOAUTH2, of those tokens that are good.

    Attributes:
        good: The tokens.
        tokens: What it was shown, in order.
        refusal: What it says to others.
    """

    def __init__(self, *good: str, refusal: str = "535 5.7.8 refused", **traits: Any) -> None:
        super().__init__("AUTH XOAUTH2 PLAIN LOGIN", **traits)
        self.good = set(good)
        self.tokens: list[str] = []
        self.refusal = refusal

    def __enter__(self) -> TokenPost:
        super().__enter__()
        return self

    def _answer_to(self, command: str, verb: str, recipients: list[str]) -> Answer:
        if verb != "AUTH":
            return super()._answer_to(command, verb, recipients)
        answer = base64.b64decode(command.split(" ")[2]).decode()
        self.tokens.append(answer.partition("auth=Bearer ")[2].rstrip("\1"))
        return "235 welcome" if self.tokens[-1] in self.good else self.refusal


def to(post: Post, **fields: Any) -> SMTPSettings:
    """Settings for a server that does not encrypt."""
    fields = {
        "username": "anna",
        "tls": "none",
        "cleartext_login": True,
        "local_hostname": "client.example.org",
    } | fields
    return SMTPSettings("127.0.0.1", post.port, **fields)
