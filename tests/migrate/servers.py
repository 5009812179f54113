"""The servers that the legacy modules talk to, and the environment that tells them where.

Owns one server for each way in which they connect. It does not know the modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from asyncsmtp_bridge.testing import SMTPTestServer

Mail = tuple[str, tuple[str, ...], str]
"""The reverse-path, the recipients and the subject of a message."""

ACCOUNT = {"robot": "secret"}


@dataclass(frozen=True)
class Servers:
    """One for each way to connect."""

    plain: SMTPTestServer
    tls: SMTPTestServer
    starttls: SMTPTestServer
    lmtp: SMTPTestServer
    store: SMTPTestServer
    """LMTP on a Unix socket."""

    def all(self) -> tuple[SMTPTestServer, ...]:
        return self.plain, self.tls, self.starttls, self.lmtp, self.store

    def reset(self) -> None:
        for server in self.all():
            server.faults = ()
            server.reset()

    def mails(self) -> list[Mail]:
        """What has come, sorted: calls that were made one by one may be made side by side one day."""
        return sorted(
            (each.mail_from, tuple(sorted(each.rcpt_tos)), str(each.message["Subject"]))
            for server in self.all()
            for each in server.messages
        )

    def environment(self, folder: Path) -> dict[str, str]:
        """What the modules' settings read; the CA files are written into a folder."""
        variables = {
            "MAIL_HOST": self.plain.host,
            "MAIL_PORT": str(self.plain.port),
            "MAIL_TLS_PORT": str(self.tls.port),
            "MAIL_STARTTLS_PORT": str(self.starttls.port),
            "MAIL_LMTP_PORT": str(self.lmtp.port),
            "MAIL_LMTP_SOCKET": self.store.host,
        }
        for user, password in ACCOUNT.items():
            variables |= {"MAIL_USER": user, "MAIL_PASSWORD": password}
        for server in (self.tls, self.starttls):
            path = folder / f"{server.port}.pem"
            path.write_bytes(server.ca_pem)
            variables[f"MAIL_CA_FILE_{server.port}"] = str(path)
        return variables


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    """Run all of them; a folder with a short path is needed for the Unix socket."""
    with ExitStack() as stack:
        yield Servers(
            plain=stack.enter_context(SMTPTestServer()),
            tls=stack.enter_context(SMTPTestServer(tls="implicit", auth=ACCOUNT, require_auth=True)),
            starttls=stack.enter_context(SMTPTestServer(tls="starttls", auth=ACCOUNT, require_auth=True)),
            lmtp=stack.enter_context(SMTPTestServer(lmtp=True)),
            store=stack.enter_context(SMTPTestServer(lmtp=True, unix_socket=folder / "lmtp.sock")),
        )
