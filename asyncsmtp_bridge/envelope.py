"""The envelope: who sends to whom, and with which parameters, as the commands MAIL and RCPT say it.

Owns what may stand in these commands, given what the server offers: paths, out of which no further parameter can grow;
8BITMIME, SIZE, SMTPUTF8 and DSN; and who is in a message's header. It knows neither sockets nor replies.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from email.utils import getaddresses
from typing import NamedTuple

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_DOMAIN = r"[A-Za-z0-9.-]+"
_PLAIN = re.compile(f"{_ATOM}@{_DOMAIN}")

_LOOSE = r'[^\s\x00-\x20\x7f<>()\[\],;:\\"@]+'
"""What is neither white space nor special: an atom, or a domain, of any script (RFC 5321, section 4.1.2; RFC 6531)."""
_PATH = re.compile(
    r"<(?:"
    r"(?:@[^\x00-\x20\x7f<>:]+:)?"  # a source route, which servers ignore
    rf'(?:{_LOOSE}|"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*")'
    rf"(?:@(?:{_LOOSE}|\[[\x21-\x5a\x5e-\x7e]+\]))?"
    r")?>"
)
_NAMED = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^<>"\x00-\x1f\x7f])*<([^<>]*)>')
"""A path with a display name before it."""

_LONGEST = 1000
"""Characters of an address with its display name; a path has 256 octets (RFC 5321, section 4.5.3.1.3)."""

_PARAMETER = re.compile(r"[^\x00-\x20\x7f]+(?: +[^\x00-\x20\x7f]+)*")


def path_of(address: str) -> str:
    """Return an address as the path of a command: in angle brackets, and nothing else.

    Args:
        address: An address, with or without angle brackets and a display name; empty for the null reverse-path.

    Raises:
        ValueError: It is not one address: what comes after it would become a parameter, or another command.
    """
    if _PLAIN.fullmatch(address):
        return f"<{address}>"
    path = f"<{_without_name(address)}>" if len(address) <= _LONGEST else ""
    if not _PATH.fullmatch(path) or not _is_text(path):
        raise ValueError(
            f"{address!r:.200} is not one e-mail address (RFC 5321, section 4.1.2); several go into a list"
        )
    return path


def _without_name(address: str) -> str:
    """Return an address without a display name, and without a comment after it (RFC 5322, sections 3.2.2 and 3.4)."""
    text = address.strip(" \t")
    if text.endswith(")") and text.count("(") == 1:
        text = text.partition("(")[0].rstrip(" \t")
    found = _NAMED.fullmatch(text)
    return text if found is None else found[1].strip(" \t")


def recipient_path_of(address: str) -> str:
    """Return an address as the path of RCPT, which cannot be the null one.

    Raises:
        ValueError: It is not one address.
    """
    path = path_of(address)
    if path == "<>":
        raise ValueError(f"{address!r} is no recipient: an address is missing")
    return path


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_list(to_addrs: str | Iterable[str]) -> list[str]:
    """Return recipients as a list; a single string is one of them."""
    return [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)


class Parameters(NamedTuple):
    """What MAIL and RCPT say besides the path, and how they are encoded."""

    mail: list[str]
    rcpt: list[str]
    encoding: str
    """``"utf-8"`` if the envelope, or the message's header, needs SMTPUTF8."""


NO_PARAMETERS = Parameters([], [], "ascii")


class Measures(NamedTuple):
    """What must be known of a content."""

    size: int
    """Octets (RFC 1870)."""
    is_ascii: bool
    has_ascii_header: bool


def parameters(
    offered: Mapping[str, str] | None,
    from_addr: str,
    paths: Iterable[str],
    measures: Measures,
    mail_options: Sequence[str],
    rcpt_options: Sequence[str],
) -> Parameters:
    """Return the parameters of one transaction.

    Args:
        offered: The extensions that the server offers, in lower case, with their parameters; None: it knows no EHLO.
        from_addr: The sender, as it was given.
        paths: Of sender and recipients.
        measures: What is known of the content.
        mail_options: What the caller wants MAIL to say.
        rcpt_options: What the caller wants each RCPT to say.

    Raises:
        smtplib.SMTPNotSupportedError: The server does not offer what the message, or the caller, needs.
        smtplib.SMTPSenderRefused: The message is larger than the server takes: said with 552, as the server would.
        ValueError: An option would become something else.
    """
    mail, rcpt = _checked("mail_options", mail_options), _checked("rcpt_options", rcpt_options)
    given = {each.partition("=")[0].upper() for each in (*mail, *rcpt)}
    names = offered or {}
    needs_utf8 = "SMTPUTF8" in given or not (
        measures.has_ascii_header and all(map(str.isascii, paths)) and all(map(str.isascii, (*mail, *rcpt)))
    )
    if needs_utf8 and "smtputf8" not in names:
        raise smtplib.SMTPNotSupportedError(
            "an address or the header is not ASCII, and the server does not offer SMTPUTF8 (RFC 6531); "
            "a domain can be written in ASCII: name.encode('idna')"
        )
    if not measures.is_ascii and "8bitmime" not in names:
        raise smtplib.SMTPNotSupportedError(
            "the message has 8-bit text, and the server does not offer 8BITMIME (RFC 6152); encode the text as "
            "quoted-printable or base64, or pass a Message to send_message(), which does"
        )
    if given & _DSN and "dsn" not in names:
        raise smtplib.SMTPNotSupportedError(
            f"the server does not offer DSN (RFC 3461), which {', '.join(sorted(given & _DSN))} needs"
        )
    if offered is None:
        return NO_PARAMETERS  # as smtplib does: a server without EHLO understands none
    if "size" in offered:
        _check_size(offered["size"], measures.size, from_addr)
        if "SIZE" not in given:
            mail.insert(0, f"SIZE={measures.size}")
    if needs_utf8 and "SMTPUTF8" not in given:
        mail.append("SMTPUTF8")
    if "BODY" not in given and "8bitmime" in names and (needs_utf8 or not measures.is_ascii):
        mail.append("BODY=8BITMIME")
    return Parameters(mail, rcpt, "utf-8" if needs_utf8 else "ascii")


_DSN = {"RET", "ENVID", "NOTIFY", "ORCPT"}


def _checked(name: str, options: Sequence[str]) -> list[str]:
    if isinstance(options, str):
        raise TypeError(f"{name} is a sequence of strings, not one: [{options!r}]")
    for each in options:
        if not _PARAMETER.fullmatch(each):
            raise ValueError(f"{name}: {each!r:.200} is not a parameter of a command (RFC 5321, section 4.1.2)")
    return list(options)


def _check_size(limit: str, size: int, from_addr: str) -> None:
    # Twenty digits at most (RFC 1870, section 3); int() refuses some thousands.
    if limit.isdecimal() and len(limit) <= 20 and 0 < int(limit) < size:
        raise smtplib.SMTPSenderRefused(
            552,
            f"5.3.4 not sent: the message has {size} octets, the server takes {int(limit)} at most (RFC 1870)".encode(),
            from_addr,
        )


# Who is in a header.


def sender_of(message: Message) -> str:
    """Return the address that a message is from: of its Sender, else of its From (RFC 5322, section 3.6.2).

    Raises:
        ValueError: It has neither, or there are several blocks of Resent- fields.
    """
    prefix = _prefix_of(message)
    for name in (f"{prefix}Sender", f"{prefix}From"):
        field = message[name]
        if field is not None:
            found = _addresses_in([str(field)])
            if found and found[0]:
                return found[0]
            raise ValueError(f"the message's {name}, {str(field)!r:.200}, has no address; pass from_addr=")
    raise ValueError(f"the message has neither {prefix}Sender nor {prefix}From; pass from_addr=")


def recipients_of(message: Message) -> list[str]:
    """Return the addresses that a message goes to: of all its fields To, Bcc and Cc.

    Raises:
        ValueError: There are several blocks of Resent- fields, or a field cannot be read: who is in it would get
            nothing, and nobody would know.
    """
    prefix = _prefix_of(message)
    fields = [str(field) for name in ("To", "Bcc", "Cc") for field in message.get_all(prefix + name, ())]
    found = _addresses_in(fields)
    named = [address for address in found if address]
    if len(named) < len(found) and "".join(fields).count("@") > len(named):
        raise ValueError(f"the recipients cannot be read from the header, {', '.join(fields)!r:.200}; pass to_addrs=")
    return named


def _prefix_of(message: Message) -> str:
    resent = message.get_all("Resent-Date")
    if resent is None:
        return ""
    if len(resent) > 1:
        raise ValueError("message has more than one 'Resent-' header block; pass from_addr= and to_addrs=")
    return "Resent-"


_SIMPLE = re.compile(rf"\s*(?:{_ATOM}@{_DOMAIN}|[A-Za-z0-9 '_-]*<{_ATOM}@{_DOMAIN}>)\s*")
"""An address that needs no parser, which takes some twenty microseconds for each."""


def _addresses_in(fields: list[str]) -> list[str]:
    named = [each for field in fields for each in field.split(",")]
    if all(map(_SIMPLE.fullmatch, named)):
        return [each.rpartition("<")[2].strip().rstrip(">") for each in named]
    return [address for _, address in getaddresses(fields)]
