"""A file as a message that can be sent: its parsed content and its envelope.

Owns what is no message, and the envelope as `smtplib.SMTP.send_message` will derive it. It does not know connections.
"""

from __future__ import annotations

import email
import email.utils
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path


class NotSendable(Exception):
    """The file cannot be sent, whatever the server; the text says why."""


@dataclass(frozen=True)
class MessageFile:
    """A message read from a file, ready for ``send_message(content, from_addr, to_addrs)``."""

    path: Path
    content: Message
    sender: str
    """The reverse-path that the server will be told."""
    recipients: tuple[str, ...]
    """The recipients that the server will be told."""
    from_addr: str | None
    """What to pass to ``send_message``: None leaves it to smtplib, which arrives at `sender`."""
    to_addrs: list[str] | None
    """What to pass to ``send_message``: None leaves it to smtplib, which arrives at `recipients`."""


def read_message(path: Path, from_addr: str | None = None, to_addrs: Sequence[str] = ()) -> MessageFile:
    """Read and parse a file; blocks, so it runs in a worker.

    Args:
        path: The file.
        from_addr: The envelope's sender; None: as the message says. An empty string is the null reverse-path.
        to_addrs: The envelope's recipients; empty: as the message says.

    Raises:
        NotSendable: The file cannot be read, is no message, or has no sender or no recipient.
    """
    content = email.message_from_bytes(_read(path))
    if not content.keys():
        raise NotSendable("no message: it does not begin with a header field")
    prefix = _header_prefix(content)
    sender = _sender(content, prefix) if from_addr is None else from_addr
    recipients = tuple(to_addrs) or _recipients(content, prefix)
    for address in (sender, *recipients):
        if not address.isascii():
            # send_message() needs a policy that knows utf8 for these; the policy that keeps every byte does not.
            raise NotSendable(f"the address {address!r} is not ASCII; smtplib cannot send it for a message from a file")
    return MessageFile(path, content, sender, recipients, from_addr, list(to_addrs) or None)


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block the worker until somebody writes
            raise NotSendable("cannot be read: not a regular file")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NotSendable(f"cannot be read: {reason}") from error
    if not data:
        raise NotSendable("no message: the file is empty")
    return data


# The envelope, step by step as smtplib.SMTP.send_message has it; a property test compares the two.


def _header_prefix(content: Message) -> str:
    resent = content.get_all("Resent-Date")
    if resent is None:
        return ""
    if len(resent) > 1:
        raise NotSendable("more than one 'Resent-' header block: smtplib cannot tell which envelope is meant")
    return "Resent-"


def _sender(content: Message, prefix: str) -> str:
    field = content[f"{prefix}Sender"] if f"{prefix}Sender" in content else content[f"{prefix}From"]
    addresses = [] if field is None else _addresses([field])
    if not addresses or not addresses[0]:
        raise NotSendable(f"no sender: no address in {prefix}From or {prefix}Sender; name one with --from")
    return addresses[0]


def _recipients(content: Message, prefix: str) -> tuple[str, ...]:
    fields = [content[f"{prefix}{name}"] for name in ("To", "Bcc", "Cc")]
    addresses = _addresses([field for field in fields if field is not None])
    if not any(addresses):
        raise NotSendable(f"no recipient: no address in {prefix}To, Cc or Bcc; name one with --to")
    return tuple(addresses)


def _addresses(fields: list[str]) -> list[str]:
    return [address for _, address in email.utils.getaddresses(fields)]
