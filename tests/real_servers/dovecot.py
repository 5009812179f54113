"""Dovecot: LMTP on TCP and on a Unix socket, and the logins of Postfix."""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .server import (
    ANNA,
    BERT,
    CLEO,
    HOST,
    NOBODY,
    PASSWORD,
    RealServer,
    found,
    free_ports,
    need,
    open_folder,
    running,
    shared_folder,
)

FULL = ("full@example.org", "stuffed@example.org")
"""Have mailboxes of one kilobyte: they are refused after the content, if that is longer."""

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = {host}
protocols = lmtp
ssl = no
hostname = mail.example.org
postmaster_address = postmaster@example.org
first_valid_uid = 1

mail_location = maildir:~/Maildir
mail_save_crlf = yes
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_grace = 0
}}
# As Postfix does it: the whole address is the user.
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
auth_mechanisms = plain login cram-md5
# Otherwise, wrong passwords slow down all that come from the same address.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
"""


def missing() -> str:
    """Return why there is no Dovecot to be run; empty if there is."""
    binary = found("dovecot")
    if binary is None or not Path("/usr/lib/dovecot/lmtp").exists():
        return "Dovecot is not installed: apt-get install dovecot-core dovecot-lmtpd"
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("2.3."):
        return f"this configuration is for Dovecot 2.3, and it is {version.strip()}"
    return ""


@contextmanager
def dovecot() -> Iterator[RealServer]:
    """Run Dovecot. Its Unix sockets are ``lmtp`` and ``auth`` in its folder."""
    binary = need(found("dovecot"), missing())
    nobody = pwd.getpwnam("nobody")
    ports = free_ports(["plain"])
    users = {ANNA: "", BERT: "", CLEO: "", **dict.fromkeys(FULL, "userdb_quota_rule=*:storage=1K")}
    with open_folder() as folder:
        homes = shared_folder(folder / "mail")
        (folder / "users").write_text(
            "".join(
                f"{address}:{{PLAIN}}{PASSWORD}:{nobody.pw_uid}:{nobody.pw_gid}::{_home(homes, address)}::{extra}\n"
                for address, extra in users.items()
            )
        )
        (folder / "dovecot.conf").write_text(_CONFIGURATION.format(folder=folder, host=HOST, port=ports["plain"]))
        with running([binary, "-c", folder / "dovecot.conf", "-F"], list(ports.values()), folder / "output"):
            yield RealServer(
                name="Dovecot",
                folder=folder,
                ports=ports,
                refusals={NOBODY: (550, "5.1.1"), **dict.fromkeys(FULL, (552, "5.2.2"))},
                stores=[_home(homes, address) / "Maildir" for address in users],
                log=folder / "log",
            )


def _home(homes: Path, address: str) -> Path:
    return homes / address.partition("@")[0]
