"""Exim, whose package conflicts with Postfix's: its binary may also be unpacked beside it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .server import (
    BANNED,
    BUSY,
    ELSEWHERE,
    HOST,
    MECHANISMS,
    NOBODY,
    PASSWORD,
    SIZE_LIMIT,
    USER,
    RealServer,
    found,
    free_ports,
    listens,
    need,
    open_folder,
    running,
    shared_folder,
    wait_until,
)

VARIABLE = "ASYNCSMTP_BRIDGE_EXIM"
_ACCOUNT = "Debian-exim"

_CONFIGURATION = """
exim_path = {exim}
primary_hostname = mail.example.org
keep_environment =
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
log_selector = +smtp_connection +smtp_no_mail
local_interfaces = {host}
daemon_smtp_ports = {all_ports}
tls_on_connect_ports = {tls}
tls_certificate = {certificate}
tls_privatekey = {certificate}
tls_advertise_hosts = *
host_lookup =
rfc1413_hosts =
dsn_advertise_hosts = *
prdr_enable = true
message_size_limit = {size_limit}
# Exim delivers at once only the first ten messages of a session, if it is not told otherwise.
smtp_accept_queue_per_connection = 0
# Everything is delivered as the daemon's own user.
deliver_drop_privilege = true
bounce_return_body = false
queue_only = {queue_only}
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
acl_smtp_vrfy = acl_vrfy

begin acl

acl_mail:
  deny    message = 5.7.1 Not from you
          senders = {banned}
  accept

acl_rcpt:
  deny    condition = ${{if inlist{{$received_port}}{{{login_ports}}}}}
          message = Log in first
          !authenticated = *
  defer   message = 4.2.1 Mailbox busy
          recipients = {busy}
  accept  domains = example.org
          verify = recipient
  deny    message = Relay not permitted
          !domains = example.org
  deny    message = Unknown user

acl_data:
  deny    message = 5.7.1 Spam
          condition = ${{if def:h_X-Spam:}}
  accept

acl_vrfy:
  accept

begin routers

known:
  driver = accept
  domains = example.org
  local_parts = anna : bert : cleo : grüße : ^from-
  transport = store

begin transports

store:
  driver = appendfile
  maildir_format
  directory = {folder}/mail/all
  return_path_add
  envelope_to_add
  delivery_date_add
  message_size_limit = 0

begin retry

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{ {{eq{{$auth2}}{{{user}}}}} {{eq{{$auth3}}{{{password}}}}} }} }}
  server_set_id = $auth2
  server_advertise_condition = ${{if and {{ {{def:tls_in_cipher}} {{inlist{{$received_port}}{{{plain_ports}}}}} }} }}

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and {{ {{eq{{$auth1}}{{{user}}}}} {{eq{{$auth2}}{{{password}}}}} }} }}
  server_set_id = $auth1
  server_advertise_condition = ${{if and {{ {{def:tls_in_cipher}} {{inlist{{$received_port}}{{{login_only}}}}} }} }}

cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
  server_advertise_condition = ${{if and {{ {{def:tls_in_cipher}} {{inlist{{$received_port}}{{{cram_ports}}}}} }} }}
"""


@dataclass(kw_only=True)
class Exim(RealServer):
    """Exim.

    Attributes:
        kill: Ends it at once, with all that it is doing.
        deliver: Delivers what it has accepted.
    """

    kill: Callable[[], None]
    deliver: Callable[[], None]


@contextmanager
def exim(certificate: Path, *, delivers: bool = True) -> Iterator[Exim]:
    """Run Exim.

    Args:
        certificate: The server's key and certificate.
        delivers: False: it delivers when it is told to.
    """
    installed = need(os.environ.get(VARIABLE) or found("exim4") or found("exim"), _missing())
    account = pwd.getpwnam(_ACCOUNT)
    ports = free_ports(["plain", "tls", "login", *MECHANISMS])
    with open_folder() as folder:
        for name in ("mail", "log", "spool"):
            shared_folder(folder / name)
        # It starts itself as its own user, who can reach this copy, and it is not setuid root.
        binary = Path(shutil.copyfile(installed, folder / "exim"))
        binary.chmod(0o755)
        configuration = folder / "exim.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                exim=binary,
                folder=folder,
                host=HOST,
                all_ports=_listed(ports.values()),
                tls=ports["tls"],
                certificate=certificate,
                size_limit=SIZE_LIMIT,
                queue_only=str(not delivers).lower(),
                banned=BANNED,
                busy=BUSY,
                user=USER,
                password=PASSWORD,
                login_ports=_listed([ports["login"], *(ports[name] for name in MECHANISMS)]),
                plain_ports=_listed([ports["login"], ports["PLAIN"]]),
                login_only=_listed([ports["login"], ports["LOGIN"]]),
                cram_ports=_listed([ports["login"], ports["CRAM-MD5"]]),
            )
        )
        os.chown(folder / "spool", account.pw_uid, account.pw_gid)
        spooled = folder / "spool" / "input"
        with running([binary, "-C", configuration, "-bdf"], list(ports.values()), folder / "output") as process:

            def kill() -> None:
                os.killpg(process.pid, signal.SIGKILL)
                wait_until(lambda: not listens(ports["plain"]), "Exim to be gone")

            def deliver() -> None:
                subprocess.run([binary, "-C", configuration, "-q"], check=True, stderr=subprocess.DEVNULL)

            yield Exim(
                kill=kill,
                deliver=deliver,
                name="Exim",
                folder=folder,
                ports=ports,
                # It has no ENHANCEDSTATUSCODES: its own words have none, and ours, in the configuration, do.
                refusals={NOBODY: (550, None), BUSY: (451, "4.2.1"), ELSEWHERE: (550, None), BANNED: (550, "5.7.1")},
                stores=[folder / "mail" / "all"],
                log=folder / "log" / "mainlog",
                login_failed=r"\S+ authenticator failed",
                farewell="closed by QUIT",
                is_idle=lambda: not any(spooled.rglob("*-[DHJ]")),
            )


def _missing() -> str:
    if not (os.environ.get(VARIABLE) or found("exim4") or found("exim")):
        return f"Exim is not installed: apt-get install exim4-daemon-light, or unpack that package and set {VARIABLE}"
    with suppress(KeyError):
        pwd.getpwnam(_ACCOUNT)
        return ""
    return f"Exim runs as the user {_ACCOUNT}, and there is none: useradd --system --user-group {_ACCOUNT}"


def _listed(ports: Iterable[int]) -> str:
    return " : ".join(map(str, ports))
