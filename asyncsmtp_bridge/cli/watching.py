"""Watched sessions: the same as others, and they tell each step and the time that it took.

Owns which calls of a session are which step, and what is kept of each. Sessions are opened by
`asyncsmtp_bridge.settings.opening`, which is told the class; nothing of what is said to the server is different.
"""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Any, cast

from ..pipelined import PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL
from ..settings import SMTPSettings
from ..settings.credentials import SecretText
from .findings import Certificate, Encryption, Findings, Step, StepName, said

_SHORTEST_SECRET = 4
"""Characters; a shorter one would be taken out of words that it is in by chance."""


class Journal:
    """What happens, one step after the other, told as each ends."""

    def __init__(self, findings: Findings, tell: Callable[[Step], None], begun: Callable[[StepName], None]) -> None:
        self.findings = findings
        self._tell = tell
        self._begun = begun
        self._secrets: list[SecretText] = []
        self._began = 0.0
        self._detail = ""
        self._is_quiet = False
        self.under_way: StepName | None = None
        self.refused: smtplib.SMTPAuthenticationError | None = None

    def begin(self, name: StepName, detail: str = "", *, quiet: bool = False) -> None:
        """Begin a step; the one before it has ended well.

        Args:
            name: Which.
            detail: What is said of it when it ends.
            quiet: Whether it is told only if it fails.
        """
        self.end()
        self.under_way, self._detail, self._is_quiet = name, detail, quiet
        self._begun(name)
        self._began = perf_counter()

    def end(self, detail: str = "") -> float:
        """End a step well, and return the seconds that it took."""
        seconds = perf_counter() - self._began
        name, self.under_way = self.under_way, None
        if name is not None and not self._is_quiet:
            self.add(Step(name, True, seconds, self.hidden(detail or self._detail)))
        self._detail = ""
        return seconds

    def fail(self, error: BaseException, otherwise: StepName = "credentials") -> Step:
        """End a step by an error, and return it.

        Args:
            error: With its line of advice.
            otherwise: The step, if none was under way.
        """
        name, self.under_way = self.under_way, None
        seconds = None if name is None else perf_counter() - self._began
        advice = getattr(error, "advice", "")
        step = Step(name or otherwise, False, seconds, self.hidden(self._detail), self.hidden(said(error)), advice)
        self._detail = ""
        self.add(step)
        return step

    def begin_again(self) -> None:
        """A session is opened; one that was refused its access token was closed, and this one has another."""
        if self.refused is not None and self.under_way == "login":
            self.fail(self.refused)
        self.refused = None

    def add(self, step: Step) -> None:
        """Note a step, and tell it."""
        self.findings.steps.append(step)
        self._tell(step)

    # Secrets.

    def keep(self, user: str, secret: SecretText) -> None:
        """Note what a server is told, since it may say it again: the secret, and what it looks like on the way."""
        text = secret.reveal()
        if len(text) < _SHORTEST_SECRET:
            return
        said_so = (text, f"\0{user}\0{text}", f"user={user}\1auth=Bearer {text}\1\1")
        encoded = [SecretText(base64.b64encode(each.encode()).decode()) for each in said_so]
        self._secrets = [
            *reversed(encoded),
            secret,
            *self._secrets,
        ]  # the long ones first, which have the others in them
        del text, said_so

    def hidden(self, text: str) -> str:
        """Return a text without the secrets that are in it."""
        for secret in self._secrets:
            text = text.replace(secret.reveal(), repr(secret))
        return text


class _Watched(PipelinedSMTP):
    """A session with a journal."""

    journal: Journal

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        self.journal.begin_again()
        self.journal.begin("TCP", quiet=True)  # it was told before, for each address
        code, text = super().connect(host, port, source_address)
        if code == 220:
            self.journal.end(_shown(code, text))
        return code, text

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        self.journal.begin("greeting")
        return sock

    def _wrap(self, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        self.journal.begin("TLS")
        wrapped = super()._wrap(sock, context)
        cipher, _, bits = wrapped.cipher() or ("unknown", "", 0)
        findings = self.journal.findings
        findings.encryption = Encryption(wrapped.version() or "unknown", cipher, bits)
        parsed = wrapped.getpeercert()
        findings.certificate = Certificate.read(parsed) if parsed else None
        self.journal.end(f"{wrapped.version()}, {cipher}")
        return wrapped

    def ehlo(self, name: str = "") -> tuple[int, bytes]:
        self.journal.begin("EHLO")
        code, text = super().ehlo(name)
        self.journal.findings.offered = dict(self.esmtp_features)
        if 200 <= code <= 299:
            number = len(self.esmtp_features)
            encrypted = ", encrypted" if self._is_encrypted() else ""
            self.journal.end(f"{number} extension{'s'[: number != 1]}{encrypted}")
        return code, text

    def helo(self, name: str = "") -> tuple[int, bytes]:
        # EHLO is still under way, and was refused.
        code, text = super().helo(name)
        if 200 <= code <= 299:
            self.journal.end("by HELO: the server does not know EHLO, and has no extensions")
        return code, text

    def starttls(  # type: ignore[override] # as it is from 3.12 on
        self, *, context: ssl.SSLContext | None = None
    ) -> tuple[int, bytes]:
        self.journal.begin("STARTTLS", "accepted")
        return super().starttls(context=context)

    def login(
        self,
        user: str,
        password: str | None = None,
        *,
        initial_response_ok: bool = True,
        access_token: str | None = None,
    ) -> tuple[int, bytes]:
        secret = SecretText(password if access_token is None else access_token)
        by = {"password" if access_token is None else "access_token": secret}
        del password, access_token
        self.journal.begin("login", f"as {user}, with {'a password' if 'password' in by else 'an access token'}")
        self.journal.keep(user, secret)
        told: dict[str, Any] = {name: each.reveal() for name, each in by.items()}
        try:
            reply = super().login(user, initial_response_ok=initial_response_ok, **told)
        except smtplib.SMTPAuthenticationError as error:
            self.journal.refused = error
            raise
        finally:
            told.clear()
        self.journal.findings.logged_in = True
        self.journal.end()
        return reply


def _shown(code: int, text: bytes) -> str:
    return said(smtplib.SMTPResponseException(code, text))


def watched(settings: SMTPSettings, journal: Journal) -> type[smtplib.SMTP]:
    """Return a class of sessions that tell a journal."""
    kind = PipelinedLMTP if settings.lmtp else PipelinedSMTP_SSL if settings.tls_mode == "implicit" else PipelinedSMTP
    return cast("type[smtplib.SMTP]", type(f"Watched{kind.__name__}", (_Watched, kind), {"journal": journal}))
