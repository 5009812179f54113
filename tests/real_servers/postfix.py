"""Postfix: an instance of its own, started by its master process, so that no other one on the machine is touched."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .server import (
    BANNED,
    BUSY,
    ELSEWHERE,
    HOST,
    MECHANISMS,
    NOBODY,
    SIZE_LIMIT,
    RealServer,
    found,
    free_ports,
    need,
    open_folder,
    running,
    shared_folder,
)

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = mail.example.org
inet_interfaces = {host}
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
notify_classes =
mynetworks =

# Everything goes into one Maildir, byte for byte: nothing is added or completed, as it would be for a local client.
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/conf/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = {size_limit}

smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sender_restrictions = check_sender_access inline:{{ {{ {banned} = 554 5.7.1 Not from you }} }}
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ {busy} = 450 4.2.1 Mailbox busy }} }}
smtpd_delay_reject = no
header_checks = regexp:{folder}/conf/headers
# Otherwise, from the eleventh error on each reply takes a second.
smtpd_error_sleep_time = 0
smtpd_forbid_unauth_pipelining = yes

smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificate}
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sasl_auth_enable = {has_auth}
"""

# Postfix folds the case before it looks an address up, and that makes two letters of this one: grüsse.
_MAILBOXES = r"/^(anna|bert|cleo|grü(ß|ss)e|from-[^@]*)@example\.org$/ all/" + "\n"

_SERVICE = "{host}:{port} inet n - n - - smtpd{options}\n"

_MASTER = """
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
proxymap  unix  -       -       n       -       -       proxymap
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
postlog   unix-dgram n  -       n       -       1       postlogd
"""

_WANTS_LOGIN = " -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"

_OPTIONS = {
    "plain": "",
    "tls": " -o smtpd_tls_wrappermode=yes",
    "login": _WANTS_LOGIN,
    **{name: f"{_WANTS_LOGIN} -o smtpd_sasl_mechanism_filter={name.lower()}" for name in MECHANISMS},
    # Postfix's own default: senders are refused at RCPT.
    "delaying": " -o smtpd_delay_reject=yes",
    "strict": " -o smtpd_hard_error_limit=3 -o smtpd_soft_error_limit=3",
    "impatient": " -o smtpd_timeout=1s",
}

_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace")


@contextmanager
def postfix(certificate: Path, auth: Path | None) -> Iterator[RealServer]:
    """Run Postfix.

    Args:
        certificate: The server's key and certificate.
        auth: The socket of Dovecot's authentication, where there is Dovecot; nobody can log in without it.
    """
    program = found("postconf")
    postconf = need(program, "" if program else "Postfix is not installed: apt-get install postfix")
    daemons = subprocess.run([postconf, "-dh", "daemon_directory"], capture_output=True, text=True, check=True)
    ports = free_ports([name for name in _OPTIONS if auth or (name != "login" and name not in MECHANISMS)])
    with open_folder() as folder:
        _lay_out(folder, ports, certificate, auth)
        queue = folder / "queue"
        with running(
            [Path(daemons.stdout.strip()) / "master", "-c", folder / "conf"], [ports["plain"]], folder / "output"
        ):
            yield RealServer(
                name="Postfix",
                folder=folder,
                ports=ports,
                refusals={
                    NOBODY: (550, "5.1.1"),
                    BUSY: (450, "4.2.1"),
                    ELSEWHERE: (554, "5.7.1"),
                    BANNED: (554, "5.7.1"),
                },
                stores=[folder / "mail" / "all"],
                log=folder / "log" / "mail.log",
                login_failed=r"SASL \S+ authentication failed",
                farewell=r"disconnect from .* quit=1 .*",
                # In the order in which a message goes through them, so that none is overlooked.
                is_idle=lambda: (
                    not any(
                        path.is_file()
                        for name in ("incoming", "active", "deferred")
                        for path in (queue / name).rglob("*")
                    )
                ),
            )


def _lay_out(folder: Path, ports: dict[str, int], certificate: Path, auth: Path | None) -> None:
    owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    shared_folder(folder / "mail")
    shared_folder(folder / "log")
    (folder / "queue").mkdir()
    (folder / "queue" / "pid").mkdir()
    for name in (*_QUEUES, "private", "public", "maildrop"):
        _own(folder / "queue" / name, owner)
    _own(folder / "data", owner)
    conf = folder / "conf"
    conf.mkdir()
    (conf / "mailboxes").write_text(_MAILBOXES)
    (conf / "headers").write_text("/^X-Spam:/ REJECT Spam\n")
    (conf / "main.cf").write_text(
        _MAIN.format(
            folder=folder,
            host=HOST,
            uid=nobody.pw_uid,
            gid=nobody.pw_gid,
            size_limit=SIZE_LIMIT,
            banned=BANNED,
            busy=BUSY,
            certificate=certificate,
            auth=auth,
            has_auth="yes" if auth else "no",
        )
    )
    services = [_SERVICE.format(host=HOST, port=port, options=_OPTIONS[name]) for name, port in ports.items()]
    (conf / "master.cf").write_text("".join(services) + _MASTER)
    an_hour_ago = time.time() - 3600
    for path in conf.iterdir():
        os.utime(path, (an_hour_ago, an_hour_ago))  # Postfix waits for a file that seems to be written just now


def _own(path: Path, owner: pwd.struct_passwd) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, owner.pw_uid, owner.pw_gid)
