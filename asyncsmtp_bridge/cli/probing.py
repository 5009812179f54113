"""Probing: a server is asked what it can, step by step, as settings say.

Owns the steps, their order, and what is tried when one fails. Everything here blocks. Sessions are opened by
`asyncsmtp_bridge.settings.opening`; what is made of the findings is in `asyncsmtp_bridge.cli.recommending`.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from time import perf_counter
from typing import Any

from ..replies import Command, meaning_of
from ..settings import SMTPSettings
from ..settings.advice import advise
from ..settings.opening import look, open_session
from ..settings.trust import tls_context
from .findings import Certificate, Findings, Step, StepName
from .recommending import candidates, milliseconds, without_encryption
from .watching import Journal, watched

PATIENCE = 15.0
"""Seconds for a connection, at most: settings may wait a minute, a person at a terminal should not have to."""

PATIENCE_FOR_REPLIES = 60.0
PATIENCE_FOR_OTHERS = 10.0
"""Seconds for a connection in another mode, or to another port."""

ROUND_TRIPS = 3
"""How many are measured; the one in the middle counts."""


@dataclass(frozen=True)
class TestMail:
    """Whom to send a message to, and from whom: nobody, if that is empty."""

    __test__ = False  # what pytest looks for

    from_addr: str
    to_addr: str


class Probe:
    """One check of one server.

    Args:
        settings: How to reach it.
        tell: Called with each step when it has ended.
        begun: Called with the name of each step when it begins.
    """

    def __init__(self, settings: SMTPSettings, tell: Callable[[Step], None], begun: Callable[[StepName], None]) -> None:
        self._asked = settings
        self._settings = _impatient(settings, PATIENCE)
        self.findings = Findings(settings)
        self.findings.patience = self._settings.connect_timeout
        self._journal = Journal(self.findings, tell, begun)

    def run(self, mail: TestMail | None = None) -> Findings:
        """Take the steps, until one fails.

        Args:
            mail: Sent at the end, over the session that was opened.
        """
        with _warnings_hidden():
            try:
                if self._is_trust_there() and self._is_found() and self._is_reached():
                    self._open(mail)
            except Exception as error:  # no server may bring a traceback about
                self.findings.works = False
                self._journal.fail(error)
        return self.findings

    # Before there is a session.

    def _is_trust_there(self) -> bool:
        if self._settings.tls_mode == "none":
            return True
        try:
            tls_context(self._settings)
        except Exception as error:
            self._journal.fail(error, "trust")
            return False
        return True

    def _is_found(self) -> bool:
        if self._settings.unix_socket is not None:
            return True
        self._journal.begin("name lookup")
        try:
            found = socket.getaddrinfo(self._settings.host, self._settings.port, 0, socket.SOCK_STREAM)
        except Exception as error:
            if isinstance(error, socket.gaierror):
                advise(error, self._settings, "connect")
            self._journal.fail(error)
            return False
        self.findings.addresses = list(dict.fromkeys(str(each[-1][0]) for each in found))
        self._journal.end(", ".join(self.findings.addresses))
        return True

    def _is_reached(self) -> bool:
        """Connect to each address, and close at once; whether one could be reached."""
        places = self.findings.addresses or [self._settings.unix_socket or ""]
        last: Exception | None = None
        for place in places:
            self._journal.begin("TCP", place)
            try:
                _touch(self._settings, place)
            except Exception as error:
                advise(error, self._settings, "connect")
                self.findings.unreachable.append(place)
                self._journal.fail(error)
                last = error
            else:
                self._journal.end()
        if last is None or len(self.findings.unreachable) < len(places):
            return True
        self._try_others("TCP", last)
        return False

    # The session.

    def _open(self, mail: TestMail | None) -> None:
        try:
            session = open_session(self._settings, watched(self._settings, self._journal))
        except Exception as error:
            failed = self._journal.fail(error)
            if isinstance(error, ssl.SSLCertVerificationError):
                self._look_at_certificate()
            self._try_others(failed.name, error)
            return
        try:
            is_open = self._measure(session)
            self.findings.works = is_open and (mail is None or self._send(session, mail))
        finally:
            _leave(session)

    def _measure(self, session: smtplib.SMTP) -> bool:
        """Measure a round trip; whether the session is open after it."""
        self._journal.begin("round trip")
        try:
            times = []
            for _ in range(ROUND_TRIPS):
                began = perf_counter()
                code, text = session.noop()
                times.append(perf_counter() - began)
                if code != 250:
                    raise smtplib.SMTPResponseException(code, text)
        except Exception as error:
            self._journal.fail(error)
            return session.sock is not None
        self.findings.round_trip = statistics.median(times)
        self._journal.end(f"{milliseconds(self.findings.round_trip)} for NOOP, the middle one of {ROUND_TRIPS}")
        return True

    def _send(self, session: smtplib.SMTP, mail: TestMail) -> bool:
        self._journal.begin("test mail", f"to {mail.to_addr}")
        try:
            message = _message(mail)
            session.send_message(message, mail.from_addr, [mail.to_addr])
        except Exception as error:
            _advise_on_mail(error)
            self._journal.fail(error)
            return False
        self._journal.end(
            f"accepted for {mail.to_addr}, from {mail.from_addr or '<>'}, Message-ID {message['Message-ID']}"
        )
        return True

    # When it fails.

    def _look_at_certificate(self) -> None:
        """See what is in a certificate that was refused."""
        with suppress(Exception):
            self.findings.certificate = Certificate.read(_seen(self._settings))

    def _try_others(self, step: StepName, error: Exception) -> None:
        others = candidates(self._asked, step, error, self.findings)
        for other in others:
            self._try(other)
            if self.findings.would_work and other.port == self._asked.port:
                return
        plain = without_encryption(self._asked, step) if others and not self.findings.would_work else None
        if plain is not None:
            self._try(plain)

    def _try(self, other: SMTPSettings) -> None:
        """Open a session without a login, and close it."""
        self._journal.begin("instead", other.to_url())
        quick = _impatient(other, PATIENCE_FOR_OTHERS, PATIENCE_FOR_OTHERS)
        try:
            session = open_session(replace(quick, username=None, password=None, access_token=None))
        except Exception as error:
            self._journal.fail(error)
            return
        takes_logins = session.has_extn("auth")
        _leave(session)
        if other.username is not None and not takes_logins:
            self._journal.end(f"{other.to_url()}: answers, but takes no logins")
            return
        self.findings.would_work.append(other)
        self._journal.end(f"{other.to_url()}: works{'' if other.tls_mode != 'none' else ', not encrypted'}")


def _leave(session: smtplib.SMTP) -> None:
    with suppress(Exception):
        session.quit()
    session.close()


def _impatient(settings: SMTPSettings, connect: float, replies: float = PATIENCE_FOR_REPLIES) -> SMTPSettings:
    return replace(
        settings,
        connect_timeout=min(settings.connect_timeout, connect),
        timeout=min(settings.timeout, replies),
    )


@contextmanager
def _warnings_hidden() -> Iterator[None]:
    """Keep from the terminal what is shown as a step already."""

    def is_shown(record: logging.LogRecord) -> bool:
        return False

    logger = logging.getLogger("asyncsmtp_bridge")
    logger.addFilter(is_shown)
    try:
        yield
    finally:
        logger.removeFilter(is_shown)


def _touch(settings: SMTPSettings, address: str) -> None:
    """Connect, and close."""
    if settings.unix_socket is None:
        place = (address, settings.port)
        socket.create_connection(place, settings.connect_timeout, settings.source_address).close()
        return
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(settings.connect_timeout)
        sock.connect(settings.unix_socket)


_PARTIAL_CHAIN = 0x80000
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_PARTIAL_CHAIN and X509_V_FLAG_NO_CHECK_TIME; not all versions of `ssl` have names for them."""


def _seen(settings: SMTPSettings) -> dict[str, Any]:
    """Return the fields of a certificate that was refused; for that it is trusted by itself, and nothing is sent."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    octets = look(settings, blind, lambda sock: sock.getpeercert(binary_form=True))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= _PARTIAL_CHAIN | _NO_CHECK_TIME
    trusting.load_verify_locations(cadata=octets or b"")
    return look(settings, trusting, lambda sock: sock.getpeercert()) or {}


def _message(mail: TestMail) -> EmailMessage:
    message = EmailMessage()
    author = mail.from_addr or mail.to_addr
    message["From"], message["To"] = author, mail.to_addr
    message["Subject"] = "Test of the mail settings"
    message["Date"] = format_datetime(localtime())
    domain = author.rpartition("@")[2].rstrip(">")
    message["Message-ID"] = make_msgid(domain=domain if domain.isascii() else "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("This message was sent by asyncsmtp-bridge check, to see whether mail arrives.\n")
    return message


def _advise_on_mail(error: Exception) -> None:
    """Put a line of advice on a refusal."""
    command: Command
    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        (code, text), *_ = error.recipients.values()
        command = "RCPT"
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
        command = "MAIL" if isinstance(error, smtplib.SMTPSenderRefused) else "CONTENT"
    else:
        return
    noted: Any = error
    noted.advice = meaning_of(code, text, command).meaning
