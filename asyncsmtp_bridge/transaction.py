"""A transaction: one message on its way, from its envelope to what became of it.

Owns what is sent for a message, in which portions, and what the replies to it mean. It does not know sockets: who reads
the replies hands them in.
"""

from __future__ import annotations

import itertools
import smtplib
import sys
from collections.abc import Iterable, Sequence
from email.message import Message
from typing import Any, NamedTuple

from .envelope import (
    NO_PARAMETERS,
    Measures,
    Parameters,
    as_list,
    parameters,
    path_of,
    recipient_path_of,
    recipients_of,
    sender_of,
)
from .render import Content, render

Reply = tuple[int, bytes]

PORTION = 4096
"""Octets of commands that are sent before their replies are read, about: more may not fit into the server's window, and
neither side would go on (RFC 2920, section 3.1)."""

_numbers = itertools.count(1)


class Portion(NamedTuple):
    """Commands that are sent together."""

    commands: bytes
    recipients: Sequence[str]
    """Whom they name."""


class Transaction:
    """One message on its way.

    Attributes:
        before: The identity of the exception that is being handled by whoever sends, of which nothing is known here.
        number: What tells it from all others of the process; below zero, where no identity of an object is.
        refused: The recipients that were refused, with the replies.
        accepted: Those that were accepted, until the content has its reply.
        ending: What must be sent before the next transaction, since this one was refused and is still open.
        begins_after: Replies that come before those to its envelope: to the `ending` of the one before.
        sent_over: The connection over which its envelope was sent in one piece; the replies to that are to be read.
        has_begun: Whether its content was begun, as far as somebody keeps a record of that.
        portions: The commands of its envelope.
    """

    def __init__(
        self,
        from_addr: str,
        to_addrs: Sequence[str],
        content: Content,
        paths: Sequence[str] = (),
        terms: Parameters = NO_PARAMETERS,
    ) -> None:
        self.number = -next(_numbers)
        self.before = id(sys.exc_info()[1])
        self.from_addr = from_addr
        self.to_addrs = to_addrs
        self.content = content
        self.terms = terms
        self.refused: dict[str, Reply] = {}
        self.accepted: list[str] = []
        self.ending = b""
        self.begins_after = 0
        self.sent_over: object = None
        self.has_begun = False
        self.portions = self._portions(paths) if paths else []

    def _portions(self, paths: Sequence[str]) -> list[Portion]:
        """Return the commands of the envelope, DATA the last of them."""
        encoding = self.terms.encoding
        suffix = "".join(f" {each}" for each in self.terms.rcpt) + "\r\n"
        command = " ".join([f"MAIL FROM:{paths[0]}", *self.terms.mail])
        commands, recipients, size, made = [command + "\r\n"], list[str](), len(command), list[Portion]()
        for address, path in zip(self.to_addrs, paths[1:], strict=True):
            if size > PORTION:
                made.append(Portion("".join(commands).encode(encoding), recipients))
                commands, recipients, size = [], [], 0
            command = f"RCPT TO:{path}{suffix}"
            commands.append(command)
            recipients.append(address)
            size += len(command)
        commands.append("DATA\r\n")
        made.append(Portion("".join(commands).encode(encoding), recipients))
        return made

    # What replies mean. Only the first digit counts (RFC 5321, section 4.3.2).

    def sender_is_accepted(self, reply: Reply) -> bool:
        """Take the reply to MAIL, and return whether it is a yes."""
        if is_yes(reply):
            self.ending = b"RSET\r\n"
        return is_yes(reply)

    def take_recipient(self, address: str, reply: Reply) -> None:
        """Take the reply to RCPT.

        Raises:
            smtplib.SMTPRecipientsRefused: The server ends the session with it.
        """
        if is_yes(reply):
            self.accepted.append(address)
            return
        self.refused[address] = reply
        if reply[0] == 421:
            raise smtplib.SMTPRecipientsRefused(self.refused)

    def take_data(self, reply: Reply, sender: Reply) -> None:
        """Take the reply to DATA, when all of the envelope has its replies.

        Args:
            reply: The reply.
            sender: That to MAIL.

        Raises:
            smtplib.SMTPSenderRefused: The sender was refused.
            smtplib.SMTPRecipientsRefused: All recipients were.
            smtplib.SMTPDataError: DATA was.
        """
        if is_go_on(reply) and not (is_yes(sender) and self.accepted):
            self.ending = b".\r\n"  # it wants a content, though nobody would get it (RFC 2920, section 3.1)
        refusal = self.refusal(sender)
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # its traceback has this frame
        if not is_go_on(reply):
            raise smtplib.SMTPDataError(*reply)
        self.ending = b""

    def take_verdicts(self, replies: Sequence[Reply]) -> None:
        """Take the replies to the content that belong to single recipients, in the order of these (RFC 2033, 4.2)."""
        delivered = self._delivered(replies)
        self.refused.update(
            (address, reply)
            for address, reply in zip(self.accepted, replies, strict=False)
            if address not in delivered  # who is named twice, may be refused once
        )

    def without_verdict(self, replies: Sequence[Reply]) -> list[str]:
        """Return of whom it is not known whether they have got it."""
        delivered = self._delivered(replies)
        return [address for address in self.accepted[len(replies) :] if address not in delivered]

    def _delivered(self, replies: Sequence[Reply]) -> set[str]:
        return {address for address, reply in zip(self.accepted, replies, strict=False) if is_yes(reply)}

    def refusal(self, sender: Reply) -> smtplib.SMTPException | None:
        """Return what it fails with, if by now it is known that nobody will get it.

        Args:
            sender: The reply to MAIL.
        """
        if not is_yes(sender):
            return smtplib.SMTPSenderRefused(*sender, self.from_addr)
        if self.refused and not self.accepted and set(self.to_addrs) <= self.refused.keys():
            return smtplib.SMTPRecipientsRefused(self.refused)
        return None


def is_yes(reply: Reply) -> bool:
    """Whether a command was carried out."""
    return 200 <= reply[0] <= 299


def is_go_on(reply: Reply) -> bool:
    """Whether the server wants the content."""
    return 300 <= reply[0] <= 399


def is_no(reply: Reply) -> bool:
    """Whether a command was refused."""
    return 400 <= reply[0] <= 599


# How one is prepared.


def prepared(
    offered: dict[str, str] | None,
    message: Any,
    from_addr: str | None = None,
    to_addrs: str | Iterable[str] | None = None,
    mail_options: Sequence[str] = (),
    rcpt_options: Sequence[str] = (),
) -> Transaction:
    """Return a transaction that can begin.

    A Message is rendered as the server can take it: with an 8-bit body, or a header in UTF-8, only where that is
    offered.

    Args:
        offered: The extensions that the server offers; None: it knows no EHLO.
        message: The message.
        from_addr: The sender; if left out, that of the message's header.
        to_addrs: The recipients; if left out, those of the message's header.
        mail_options: Parameters of MAIL.
        rcpt_options: Parameters of RCPT.

    Raises:
        smtplib.SMTPException: It cannot be sent to this server, or to nobody.
        ValueError: Something in it is malformed.
        TypeError: It is no message.
    """
    is_message = isinstance(message, Message)
    if not is_message and (from_addr is None or to_addrs is None):
        raise TypeError(
            f"{'from_addr' if from_addr is None else 'to_addrs'} is None: it can only be left out where the message is "
            "an email.message.Message, which has a header"
        )
    sender = sender_of(message) if from_addr is None else from_addr
    recipients = recipients_of(message) if to_addrs is None else as_list(to_addrs)
    if not recipients:
        raise smtplib.SMTPRecipientsRefused({})
    paths = [path_of(sender), *map(recipient_path_of, recipients)]
    names = offered or {}
    is_ascii = all(map(str.isascii, paths))
    content = render(message, utf8=None if is_ascii else True)
    if is_message:
        utf8 = None if is_ascii else True
        if utf8 is None and "smtputf8" not in names and not content.has_ascii_header:
            utf8 = False
            content = render(message, utf8=utf8)
        if "8bitmime" not in names and not content.is_ascii:
            try:
                content = render(message, utf8=utf8, seven_bit=True)
            except LookupError as error:
                raise smtplib.SMTPNotSupportedError(
                    "the message has 8-bit text in a charset that is not known here, so it cannot be encoded, and the "
                    f"server does not offer 8BITMIME (RFC 6152): {error}"
                ) from error
    measures = Measures(content.size, content.is_ascii, content.has_ascii_header)
    terms = parameters(offered, sender, paths, measures, mail_options, rcpt_options)
    return Transaction(sender, recipients, content, paths, terms)
