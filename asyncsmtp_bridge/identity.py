"""Identity: what tells copies of a message from other messages.

Owns the headers that a message is given before it is sent for the first time, so that a copy, should there ever be one,
can be recognised: by the people who get it, and by servers that drop duplicates. And to whom its header says it goes.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from email.message import Message
from email.utils import formatdate, getaddresses, make_msgid, parseaddr
from typing import TypeVar

M = TypeVar("M", bound=Message)


def identified(message: M) -> M:
    """Return the message with a Message-ID and a Date (RFC 5322, sections 3.6.4 and 3.6.1); a copy, if it has not both.

    The copy shares the body: nothing of it is read, or doubled.
    """
    missing = [name for name in ("Message-ID", "Date") if name not in message]
    if not missing:
        return message
    made = copy.copy(message)
    for name in missing:
        # What is not there is deleted nevertheless: from then on the copy has a list of headers of its own.
        del made[name]
        made[name] = make_msgid(domain=_domain_of(message)) if name == "Message-ID" else formatdate(localtime=True)
    return made


def _domain_of(message: Message) -> str:
    """Return the author's domain: to ask for the host's own name may take seconds, and tells outsiders about it."""
    with suppress(Exception):  # a header that cannot be read
        _, _, domain = parseaddr(str(message["From"]))[1].rpartition("@")
        if domain and domain.isascii():
            return domain
    return "localhost"


def recipients_of(message: Message) -> list[str] | None:
    """Return whom ``send_message`` sends to if it is not told; None where it refuses to, or where that differs."""
    resent = message.get_all("Resent-Date") or []
    if len(resent) > 1:
        return None
    prefix = "Resent-" if resent else ""
    if any(len(message.get_all(prefix + name, ())) > 1 for name in ("To", "Bcc", "Cc")):
        return None  # to smtplib the first of them counts, to others all
    fields = [message[f"{prefix}{name}"] for name in ("To", "Bcc", "Cc")]
    return [address for _, address in getaddresses([str(each) for each in fields if each is not None])]
