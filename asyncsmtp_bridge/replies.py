"""Replies: what a server's reply means.

Owns a table of SMTP replies, each row with its source, and the reading of a reply by it. It does not know exceptions,
connections or retries: whether a message may be sent again is for those to say who know how far it had come.

The first digit decides (RFC 5321, sections 4.2.1 and 4.3.2). Rows that say otherwise are about texts of which it is
known that the digit is not meant so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .outcome import Outcome

Command = Literal["CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT"]
"""What was replied to. CONNECT is answered by the greeting; CONTENT is the end of the message, after DATA."""

LOOKED_AT = 4096
"""How much of a reply's text is read: bytes, or characters of a str. RFC 5321 allows a line 512 (4.5.3.1.5)."""

LONGEST_WAIT = 24 * 60 * 60.0
"""Seconds: a server's wish for a longer wait is taken for a misreading."""

_TRANSIENT, _PERMANENT = Outcome.TRANSIENT, Outcome.PERMANENT


@dataclass(frozen=True)
class Row:
    """One kind of reply, known from a standard or from a server."""

    code: int
    """Its three digits; or the first one alone: all that begin with it."""
    outcome: Outcome
    meaning: str
    """What it means for the user, and what to do."""
    source: str
    """Where that is known from: a section, or a page."""
    enhanced: str | None = None
    """Only with this enhanced status code: ``"4.7.0"``, or ``"4.7"`` for all that begin with it."""
    text: str | None = None
    """Only with a text in which this regular expression is found, in any case of letters."""
    commands: frozenset[Command] | tuple[Command, ...] = ()
    """Only as the reply to these; empty: to any.

    Where the command is not known, such a row does not fit. What is left follows the digit that the server chose.
    """
    greylisted: bool = False
    """Whether the server wants to see the same message again, minutes later (RFC 6647)."""


@dataclass(frozen=True)
class Meaning:
    """What is known of one reply."""

    outcome: Outcome
    """TRANSIENT or PERMANENT."""
    code: int | None
    """None if it cannot be a code: smtplib's -1 for a line that is no reply."""
    enhanced_code: str | None
    """As ``"4.7.1"``, where the text has one (RFC 2034, RFC 3463)."""
    text: str
    """The text in one printable line, without the enhanced status codes at the beginnings of its lines."""
    meaning: str
    """What it means for the user, and what to do; lower case, no full stop."""
    greylisted: bool
    """Whether the server wants to see the same message again, minutes later."""
    retry_after: float | None
    """Seconds after which the server asks to try again; None where it does not say, and for what is permanent."""


_EXCHANGE = (
    "https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online"
)
_GMAIL = "https://support.google.com/a/answer/3726730"
_MAILGUN = "https://help.mailgun.com/hc/en-us/articles/217531258"
_SENDGRID = "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/smtp-errors-and-troubleshooting"
_SES = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html"
_SES_QUOTA = "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html"
_SES_ERRORS = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html"
_YAHOO = "https://senders.yahooinc.com/error-codes/"

# Where the word is said, as by postgrey, sqlgrey, milter-greylist, Stalwart; not in the name of a host or page.
_GREYLIST = r"(?<![\w/.=-])gr[ea]y[ -]?list(?:ed|ing)?\b"
# The last is what Exim says with greylistd, as Debian configures it.
_GREYLIST_4YZ = r"gr[ea]y[ -]?list|postgrey|not yet authorized to deliver mail from"

# Asked in this order: what is for one text, then for one enhanced status code or command, then for any such code.
REPLIES: tuple[Row, ...] = (
    # Greylisting.
    Row(4, _TRANSIENT, "greylisted: the server takes the message when it comes again some minutes later",
        "RFC 6647", text=_GREYLIST_4YZ, greylisted=True),
    Row(451, _TRANSIENT, "greylisted, as OpenBSD's spamd words it: send the message again some minutes later",
        "https://man.openbsd.org/spamd", text=r"^temporary failure, please try again later\.?$", greylisted=True),
    Row(5, _TRANSIENT, "greylisted, though under a code for refusals: send the message again some minutes later",
        "https://github.com/viridIT/vSMTP/pull/571", text=_GREYLIST, greylisted=True),

    # For now: texts.
    Row(421, _PERMANENT, "Yahoo takes no mail from this IP address any more; see its rules for senders",
        "https://help.yahoo.com/kb/index?page=content&id=SLN3436", text=r"permanently deferred"),
    Row(421, _PERMANENT, "Mailgun does not let this domain send: activate the account, or authorize the recipient",
        _MAILGUN, text=r"not allowed to send: (?:sandbox|free accounts|please activate|account)"),
    Row(421, _TRANSIENT, "too many connections at once; use fewer, and send more messages on each",
        _SES, text=r"too many (?:\w+ ){0,2}connections"),
    Row(421, _TRANSIENT, "the server takes no more messages on this connection; send the rest on a new one",
        "https://smtp.codes/yahoo", text=r"(?:max|too many) messages? (?:per|in this|on this) connection"),
    Row(451, _TRANSIENT, "SendGrid's credits are used up; raise the account's limit, or wait until it begins anew",
        _SENDGRID, text=r"maximum credits exceeded"),
    Row(452, _TRANSIENT, "SendGrid's limit of recipients for this hour is reached; send more slowly",
        _SENDGRID, text=r"recipients received this hour"),
    Row(452, _TRANSIENT, "too many recipients in one transaction; send to the others in another one",
        "RFC 5321, 4.5.3.1.10", text=r"too many recipients"),
    Row(454, _TRANSIENT, "Amazon SES's limit of messages a second is reached, this one was dropped; send more slowly",
        _SES_QUOTA, text=r"throttling failure: maximum sending rate"),
    Row(454, _TRANSIENT, "Amazon SES's limit of messages a day is reached, this one was dropped; raise the quota",
        _SES_QUOTA, text=r"throttling failure: daily"),
    Row(454, _TRANSIENT, "too many logins; send more messages on each connection, and log in again later",
        _GMAIL, text=r"too many login attempts"),

    # For now: enhanced status codes and commands, and codes that mean one thing only.
    Row(421, _TRANSIENT, "the server limits mail from you for now: too fast, complaints, poor reputation, or no TLS",
        f"{_GMAIL}, {_YAHOO}", "4.7"),
    Row(432, _TRANSIENT, "too many connections at once for this mailbox; Exchange Online allows three",
        "https://aka.ms/concurrent_sending", "4.3.2"),
    Row(450, _TRANSIENT, "the recipient, or your relay, gets mail too fast at present; send more slowly",
        _GMAIL, "4.2.1"),
    Row(451, _PERMANENT, "the server wants STARTTLS, or a login, before it takes mail; it would refuse it again",
        "https://github.com/apache/hertzbeat/issues/2365", "5.7.3"),
    Row(503, _TRANSIENT, "an earlier transaction was still open in this session, and is closed now",
        "RFC 5321, 4.1.4", text=r"nested mail|sender already", commands=("MAIL",)),
    Row(452, _TRANSIENT, "too much for one transaction; send to this recipient in another one", _GMAIL, "4.5.3"),
    Row(454, _TRANSIENT, "TLS is not available at the server now", "RFC 3207, 4", commands=("STARTTLS",)),
    Row(432, _TRANSIENT, "the password must be renewed for this way of logging in; log in once with PLAIN over TLS",
        "RFC 4954, 6"),
    Row(454, _TRANSIENT, "the server cannot check logins now; try again later", "RFC 4954, 6"),
    Row(455, _TRANSIENT, "the server cannot do what a parameter of the command asks for now", "RFC 5321, 4.2.3"),
    Row(4, _TRANSIENT, "the recipient's mailbox is full; it may have room later", "RFC 3463, 3.3", "4.2.2"),
    Row(4, _TRANSIENT, "a domain or address cannot be verified now; check its spelling, and its DNS",
        "https://www.postfix.org/postconf.5.html#unknown_address_reject_code", "4.1"),
    Row(4, _TRANSIENT, "refused for now by a rule of the server, often on rate or reputation; send less, and later",
        "RFC 3463, 3.8", "4.7"),

    # For now: codes.
    Row(421, _TRANSIENT, "the server is busy or shutting down, and closes the connection; connect again later",
        "RFC 5321, 4.2.3"),
    Row(450, _TRANSIENT, "the mailbox is busy, or blocked for now by a rule of the server; try again later",
        "RFC 5321, 4.2.3"),
    Row(451, _TRANSIENT, "the server had an error of its own; try again later", "RFC 5321, 4.2.3"),
    Row(452, _TRANSIENT, "the server has no room for the message now; try again later",
        "RFC 5321, 4.2.3; RFC 1870, 6.1"),
    Row(4, _TRANSIENT, "refused for now; try again later", "RFC 5321, 4.2.1"),

    # For good: texts.
    Row(5, _PERMANENT, "the server refuses the client's host name; pass a full one, as local_hostname",
        "https://www.postfix.org/postconf.5.html#reject_non_fqdn_helo_hostname",
        text=r"helo command rejected|ehlo argument|invalid domain name"),
    Row(5, _PERMANENT, "the server does not relay for you: log in first, or send through the server of your provider",
        "https://www.postfix.org/postconf.5.html#reject_unauth_destination",
        text=r"relay(?:ing)? (?:access |not )?(?:denied|permitted|allowed)|unable to relay"),
    Row(5, _PERMANENT, "your IP address is on a blocklist that the server uses; ask the list to take it off",
        _YAHOO, text=r"spamhaus|spamcop|barracudacentral|\[BL\d"),
    Row(534, _PERMANENT, "Gmail wants an app password here, not that of the account", _GMAIL,
        text=r"application-specific password"),
    Row(535, _PERMANENT, "Gmail knows no such user and password; it wants an app password, not that of the account",
        _GMAIL, text=r"gsmtp|badcredentials"),
    Row(535, _PERMANENT, "user or password is wrong; of Amazon SES they are those of its SMTP settings, not of AWS",
        _SES, text=r"^authentication credentials invalid"),
    Row(550, _PERMANENT, "the account may not send as this sender; use its own address, or let it be given the right",
        _EXCHANGE, text=r"permissions? to send (?:as|on behalf)"),
    Row(550, _PERMANENT, "the From address is not verified with SendGrid; verify it, or its domain, there",
        _SENDGRID, text=r"verified sender identity"),
    Row(550, _PERMANENT, "SendGrid takes no mail without a login; the user is apikey, the password the key",
        "https://github.com/sendgrid/docs/issues/6473", text=r"unauthenticated senders not allowed"),
    Row(552, _TRANSIENT, "too many recipients, under an old standard's code; send to the others in another transaction",
        "RFC 5321, 4.5.3.1.10", text=r"too many recipients", commands=("RCPT",)),
    Row(553, _PERMANENT, "Yahoo takes no mail from this IP address any more; see its rules for senders",
        _YAHOO, text=r"permanently deferred"),
    Row(554, _PERMANENT, "an address is not verified with Amazon SES in this region; in its sandbox, recipients' too",
        _SES_ERRORS, text=r"address is not verified"),

    # For good: enhanced status codes and commands, and codes that mean one thing only.
    Row(530, _PERMANENT, "Exchange takes no mail without a login; log in, and see whether SMTP AUTH is enabled",
        _EXCHANGE, "5.7.57"),
    Row(535, _PERMANENT, "Microsoft 365 does not allow this login: the administrator disabled SMTP AUTH or passwords",
        _EXCHANGE, "5.7.139"),
    Row(535, _PERMANENT, "Exchange refused user and password, or the mailbox may not use SMTP AUTH",
        "[MS-SMTPNTLM], 2.2.1.4", "5.7.3"),
    Row(550, _PERMANENT, "the account's limit of mail for one day is reached; Gmail takes more within 24 hours",
        _GMAIL, "5.4.5"),
    Row(5, _PERMANENT, "the recipient's mailbox does not exist; check the address", "RFC 3463, 3.2", "5.1.1"),
    Row(5, _PERMANENT, "the recipient's domain does not exist, or takes no mail; check the address",
        "RFC 3463, 3.2", "5.1.2"),
    Row(5, _PERMANENT, "the recipient's mailbox is full, or your own quota of mail used up", "RFC 3463, 3.3", "5.2.2"),
    Row(5, _PERMANENT, "the message is too big for the server", "RFC 3463, 3.4; RFC 1870, 6.3", "5.3.4"),
    Row(5, _PERMANENT, "the server takes no address with characters beyond ASCII here", "RFC 6531, 3.5", "5.6.7"),
    Row(5, _PERMANENT, "the sender's domain is not authenticated by SPF, DKIM or DMARC; set its DNS records up",
        f"RFC 7372; {_GMAIL}", "5.7.26"),
    Row(504, _PERMANENT, "the server does not know this way of logging in", "RFC 4954, 4", commands=("AUTH",)),
    Row(550, _PERMANENT, "the server refuses the sender", "RFC 5321, 4.2.3", commands=("MAIL",)),
    Row(550, _PERMANENT, "the server refuses the message, for its content or by a rule", "RFC 5321, 4.2.3",
        commands=("CONTENT",)),
    Row(554, _PERMANENT, "the server takes no mail, or none from your IP address", "RFC 5321, 4.2.3",
        commands=("CONNECT",)),
    Row(521, _PERMANENT, "this host takes no mail at all", "RFC 7504, 3"),
    Row(530, _PERMANENT, "the server wants STARTTLS first", "RFC 3207, 4", text=r"starttls"),
    Row(530, _PERMANENT, "the server wants a login first", "RFC 4954, 6"),
    Row(534, _PERMANENT, "the server wants a stronger way of logging in, or one in its web site", "RFC 4954, 6"),
    Row(535, _PERMANENT, "user or password is wrong", "RFC 4954, 6"),
    Row(538, _PERMANENT, "the server allows this way of logging in over TLS only", "RFC 4954, 6"),
    Row(5, _PERMANENT, "refused by a rule of the server; its administrator can say which", "RFC 3463, 3.8", "5.7.1"),

    # For good: codes.
    Row(500, _PERMANENT, "the server does not know the command, or its line is too long",
        "RFC 5321, 4.2.3; RFC 4954, 6"),
    Row(501, _PERMANENT, "the server takes an argument of the command for malformed", "RFC 5321, 4.2.3; RFC 4954, 4"),
    Row(502, _PERMANENT, "the server does not do this command", "RFC 5321, 4.2.3"),
    Row(503, _PERMANENT, "the server expects another command first, often a login", "RFC 5321, 4.2.3"),
    Row(504, _PERMANENT, "the server does not know a parameter of the command", "RFC 5321, 4.2.3"),
    Row(550, _PERMANENT, "there is no such mailbox, or a rule of the server refuses the mail", "RFC 5321, 4.2.3"),
    Row(551, _PERMANENT, "the recipient is elsewhere; the server's text may say where", "RFC 5321, 3.4"),
    Row(552, _PERMANENT, "the message is too big, or the mailbox full", "RFC 5321, 4.2.3; RFC 1870, 6.1"),
    Row(553, _PERMANENT, "an address is malformed, or not allowed to this account", "RFC 5321, 4.2.3"),
    Row(554, _PERMANENT, "the server refuses the transaction", "RFC 5321, 4.2.3"),
    Row(555, _PERMANENT, "the server does not know a parameter of MAIL or RCPT", "RFC 5321, 4.1.1.11"),
    Row(556, _PERMANENT, "the recipient's domain takes no mail", "RFC 7504, 4; RFC 7505"),
    Row(5, _PERMANENT, "refused; the server would refuse it again as it is", "RFC 5321, 4.2.1"),
)  # fmt: skip

_UNEXPECTED = "not the reply that belongs here; client and server may be out of step"
_NO_REPLY = "no proper reply; it may be no mail server, or a connection cut off"

# A server may tell its enhanced status code in each line (RFC 2034, section 4), some do so twice.
_CODE = r"[245]\.[0-9]{1,3}\.[0-9]{1,3}"
_CODES = re.compile(rf"\s*({_CODE})(?:\s+{_CODE})*(?!\S)")

# Seen: "Greylisted for 300 seconds", "retry in 60 seconds", "please come back in 00:05:00". The word must be near,
# and nothing else counted in between: "100 messages in 5 minutes" is a limit, and no wait.
_WAIT = re.compile(
    r"\b(?:gr[ea]y[ -]?list(?:ed|ing)?|retry|again|come back|resend|wait|delayed|deferred)\b[^0-9.;]{0,30}"
    r"(?:(?P<number>[0-9]{1,7}) ?(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)\b"
    r"|(?:(?<=\bin )|(?<=\bby )|(?<=\bfor ))(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})\b)",
    re.ASCII | re.IGNORECASE,
)
_SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}

_Fitting = tuple[tuple[Row, re.Pattern[str] | None], ...]


def _by_code() -> dict[int, _Fitting]:
    """Return the rows to be asked for each code, in their order; under 4 and 5 those for every other code."""
    rows = [(row, re.compile(row.text, re.ASCII | re.IGNORECASE) if row.text else None) for row in REPLIES]
    return {
        code: tuple((row, pattern) for row, pattern in rows if row.code in {code, code // 100})
        for code in {row.code for row in REPLIES}
    }


_BY_CODE = _by_code()


def meaning_of(code: int, text: bytes | str, command: Command | None = None) -> Meaning:
    """Read a server's reply.

    Args:
        code: Its code, as smtplib returns it.
        text: Its text, of one line or several. No more of it than `LOOKED_AT` is read.
        command: What it was the reply to, where that is known. A refused AUTH is permanent, unless the code says
            otherwise by its first digit: to repeat wrong credentials locks accounts.

    Returns:
        What it means. What is no failure code says nothing for good, and so is transient.
    """
    enhanced, line = _read(text)
    # What was refused for good must not be repeated here, whatever a row knows of other commands.
    final = command == "AUTH" and code // 100 != 4
    row = _row(code, enhanced, line, command, final) if 400 <= code <= 599 else None
    if row is None:
        known = code if 100 <= code <= 599 else None
        meaning = _NO_REPLY if known is None else _UNEXPECTED
        return Meaning(_PERMANENT if final else _TRANSIENT, known, enhanced, line, meaning, False, None)
    wait = _wait(line) if row.outcome is _TRANSIENT else None
    return Meaning(row.outcome, code, enhanced, line, row.meaning, row.greylisted, wait)


def _row(code: int, enhanced: str | None, line: str, command: Command | None, final: bool) -> Row | None:
    """Return the first row that fits a failure code."""
    for row, pattern in _BY_CODE.get(code) or _BY_CODE[code // 100]:
        if final and row.outcome is _TRANSIENT:
            continue
        if row.commands and command not in row.commands:
            continue
        if row.enhanced and not f"{enhanced}.".startswith(f"{row.enhanced}."):
            continue
        if pattern and not pattern.search(line):
            continue
        return row
    return None


def _read(text: bytes | str) -> tuple[str | None, str]:
    """Return the enhanced status code, and the text in one printable line without it."""
    text = text[:LOOKED_AT]
    if not isinstance(text, str):
        text = text.decode("utf-8", "replace")
    enhanced = None
    words: list[str] = []
    for line in text.splitlines():
        found = _CODES.match(line)
        enhanced = enhanced or (found and found[1])
        words += (line[found.end() :] if found else line).split()
    line = " ".join(words)
    if not line.isprintable():
        line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return enhanced, line


def _wait(line: str) -> float | None:
    """Return the seconds that the server asks to wait, or None if its text does not say."""
    found = _WAIT.search(line)
    if found is None:
        return None
    if found["unit"]:
        seconds = float(found["number"]) * _SECONDS[found["unit"][0].lower()]
    else:
        seconds = float(found["h"]) * 3600 + float(found["m"]) * 60 + float(found["s"])
    return seconds if seconds <= LONGEST_WAIT else None
