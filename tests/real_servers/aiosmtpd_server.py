"""aiosmtpd with the policy of the others: the one that is always there, and that knows no PIPELINING."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers import Mailbox, smtp_server

from .server import (
    BANNED,
    BUSY,
    ELSEWHERE,
    NOBODY,
    PASSWORD,
    SIZE_LIMIT,
    SPAM,
    USER,
    RealServer,
    Received,
    open_folder,
)


@dataclass
class Policy(Mailbox):
    """A mailbox that also refuses a sender, and logs."""

    log: Path = Path()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == BANNED:
            return "554 5.7.1 Not from you"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if SPAM in bytes(envelope.content or b""):
            return "550 5.7.1 Spam"
        return await super().handle_DATA(server, session, envelope)

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._write("quit")
        return "221 2.0.0 Bye"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        known = LoginPassword(USER.encode(), PASSWORD.encode())
        if data == known:
            return AuthResult(success=True)
        self._write(f"{mechanism} login failed")
        return AuthResult(success=False, handled=False)

    def _write(self, line: str) -> None:
        with self.log.open("a") as log:
            log.write(f"{line}\n")


@dataclass(kw_only=True)
class InMemory(RealServer):
    """Keeps what arrives in memory."""

    mailbox: Mailbox

    def messages(self) -> list[Received]:
        return [
            Received(envelope.mail_from or "", recipient, bytes(envelope.content or b""))
            for envelope in self.mailbox.envelopes
            for recipient in envelope.rcpt_tos
        ]


@contextmanager
def aiosmtpd_server(tls: ssl.SSLContext) -> Iterator[RealServer]:
    """Run aiosmtpd.

    Args:
        tls: Proves that it is the server.
    """
    with open_folder() as folder, ExitStack() as stack:
        policy = Policy(
            {
                NOBODY: "550 5.1.1 Unknown user",
                BUSY: "451 4.2.1 Mailbox busy",
                ELSEWHERE: "550 5.7.1 Relay not permitted",
            },
            log=folder / "log",
        )
        policy.log.touch()
        common: dict[str, Any] = {
            "data_size_limit": SIZE_LIMIT,
            "enable_SMTPUTF8": True,
            "server_hostname": "mail.example.org",
            "authenticator": policy.authenticate,
        }

        def listen(**kwargs: Any) -> int:
            return stack.enter_context(smtp_server(policy, **common, **kwargs)).port

        ports = {
            "plain": listen(tls_context=tls),
            "tls": listen(tls=tls),
            "login": listen(tls_context=tls, auth_required=True),
            "PLAIN": listen(tls_context=tls, auth_required=True, auth_exclude_mechanism=["LOGIN"]),
            "LOGIN": listen(tls_context=tls, auth_required=True, auth_exclude_mechanism=["PLAIN"]),
        }
        yield InMemory(
            name="aiosmtpd",
            folder=folder,
            ports=ports,
            refusals={
                NOBODY: (550, "5.1.1"),
                BUSY: (451, "4.2.1"),
                ELSEWHERE: (550, "5.7.1"),
                BANNED: (554, "5.7.1"),
            },
            stores=[],
            log=policy.log,
            login_failed="login failed",
            farewell="quit",
            mailbox=policy,
        )
