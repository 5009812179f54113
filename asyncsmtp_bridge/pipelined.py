"""Pipelined sessions: classes that take the place of smtplib's, and use what servers have offered for long.

Owns `PipelinedSMTP`, `PipelinedSMTP_SSL` and `PipelinedLMTP`: their methods, which are smtplib's, and the stream. They
are synchronous, and do not know asyncio.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Generator, Iterable, Sequence
from email.message import Message
from typing import Any

from .connection import LEFT_OUT
from .envelope import path_of, recipient_path_of
from .exchange import Exchange, Refused
from .render import Content, render
from .supply import Item
from .tls import default_context
from .transaction import Reply, Transaction, is_yes, prepared


class PipelinedSMTP(Exchange):
    """An `smtplib.SMTP` that uses what servers have offered for twenty years, and has none of smtplib's holes.

    It is synchronous, and takes the place of `smtplib.SMTP` in code that blocks; in code that awaits it is made by
    ``AsyncSMTP(..., smtp_class=PipelinedSMTP)``. Where the server offers PIPELINING, a message takes two round trips in
    place of four and more, and one where it comes from `send_stream`.

    The page "Where the mirror differs from smtplib" of the documentation lists what is different.

    Args:
        host: As for `smtplib.SMTP`, like all up to `source_address`.
        port: See there.
        local_hostname: The name that EHLO gives. If left out, that of the host, if it is a full one, else the address
            of this end of the connection; nobody is asked for it.
        timeout: Seconds that each single step may take, None for ever; 600 if left out, unless
            ``socket.setdefaulttimeout`` says otherwise.
        source_address: See there.
        deadline: Seconds that a call may take altogether, and each message of a stream, without what its source takes.
            A call that has not ended by then raises `smtplib.SMTPServerDisconnected`, `DeliveryUnknown` if the content
            was sent, and TimeoutError if there is no connection yet; the connection is closed.
        cleartext_login: Whether ``login`` may send the password over a connection that is not encrypted.
        pipelining: False: wait for the reply to each command, as smtplib does, also where the server offers more.

    Raises:
        smtplib.SMTPConnectError: The server did not greet with 220.
        OSError: The connection could not be made.
        ValueError: ``deadline`` is no positive number.
    """

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float | None = LEFT_OUT,
        source_address: tuple[bytearray | bytes | str, int] | None = None,
        *,
        deadline: float | None = None,
        cleartext_login: bool = False,
        pipelining: bool = True,
    ) -> None:
        super().__init__(
            host,
            port,
            local_hostname,
            timeout,
            source_address,
            deadline=deadline,
            cleartext_login=cleartext_login,
            pipelining=pipelining,
        )

    # Commands, one by one.

    def mail(self, sender: str, options: Sequence[str] = ()) -> Reply:
        """Begin a transaction.

        Raises:
            smtplib.SMTPNotSupportedError: ``SMTPUTF8`` is among the options, and the server does not offer it.
            ValueError: The sender is not one address.
        """
        self._accepted.clear()
        self.command_encoding = "ascii"  # what the message before this one needed
        if self.does_esmtp and any(each.upper() == "SMTPUTF8" for each in options):
            if not self.has_extn("smtputf8"):
                raise smtplib.SMTPNotSupportedError("SMTPUTF8 not supported by server")
            self.command_encoding = "utf-8"
        return self.docmd("MAIL", " ".join([f"FROM:{path_of(sender)}", *(options if self.does_esmtp else ())]))

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> Reply:
        """Name a recipient.

        Raises:
            ValueError: It is not one address.
        """
        reply = self.docmd("RCPT", " ".join([f"TO:{recipient_path_of(recip)}", *(options if self.does_esmtp else ())]))
        if is_yes(reply):
            self._accepted.append(recip)
        return reply

    def rset(self) -> Reply:
        """End the transaction without sending anything."""
        self._accepted.clear()
        return super().rset()

    def close(self) -> None:
        """Close the connection, and forget what was learned over it."""
        self._refused_in_a_row = 0
        super().close()

    def data(self, msg: Any) -> Reply:
        """Send the content of the message.

        Returns:
            The reply to it; where there are several, the first one that is a refusal, if there is one.

        Raises:
            smtplib.SMTPDataError: The server does not want it.
            DeliveryUnknown: It was sent, and no reply was read.
        """
        this = Transaction("", (), msg if isinstance(msg, Content) else render(msg))
        this.accepted, self._accepted = self._accepted, []
        with self._in_time():
            try:
                replies = self._verdicts = self._give(this)
            except BaseException as error:
                self._take(error, this)
                raise
            finally:
                self._stand(None)
        return next((each for each in replies if not is_yes(each)), replies[-1])

    def quit(self) -> Reply:
        """Leave, and close the connection; in the middle of a stream without a word.

        QUIT waits for ten seconds at most, and is no error where the server has gone: the mail is delivered by then.

        Returns:
            The reply; with the code -1, what came in place of one.

        Raises:
            smtplib.SMTPServerDisconnected: There never was a connection.
        """
        if self._is_streaming:
            self.close()
        return super().quit()

    # Messages.

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: Any,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refused:
        """Send a message.

        Args:
            from_addr: The sender; empty for the null reverse-path.
            to_addrs: The recipients; one string is one of them.
            msg: The message: bytes, a string of ASCII, or a Message.
            mail_options: Parameters of MAIL, as ``"RET=HDRS"``; SIZE, BODY and SMTPUTF8 are put there where needed.
            rcpt_options: Parameters of each RCPT, as ``"NOTIFY=SUCCESS,FAILURE"``.

        Returns:
            The recipients that were refused, with the replies; the message was accepted for the others.

        Raises:
            DeliveryUnknown: The content was sent whole, and no reply was read; a `smtplib.SMTPServerDisconnected`.
            smtplib.SMTPServerDisconnected: The connection ended before, or there is none: nothing was delivered.
            smtplib.SMTPRecipientsRefused: All recipients were refused, or there are none.
            smtplib.SMTPSenderRefused: The sender was refused; or the message is larger than the server takes, of which
                it is not asked.
            smtplib.SMTPDataError: The message was refused.
            smtplib.SMTPNotSupportedError: The message, or an option, needs what the server does not offer.
            smtplib.SMTPHeloError: The server did not take the greeting.
            ValueError: An address, an option or the message is malformed.
            UnicodeEncodeError: The message is a string that is not ASCII.
        """
        return self._send((from_addr, to_addrs, msg, mail_options, rcpt_options))

    def send_message(
        self,
        msg: Message,
        from_addr: str | None = None,
        to_addrs: str | Sequence[str] | None = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refused:
        """Send a Message; nobody sees its Bcc.

        Args:
            msg: The message.
            from_addr: The sender; if left out, that of Sender or From.
            to_addrs: The recipients; if left out, those of all fields To, Cc and Bcc.
            mail_options: As for `sendmail`.
            rcpt_options: As for `sendmail`.

        Returns:
            As `sendmail` does.

        Raises:
            Exception: As `sendmail` does.
        """
        if not self._has_own("sendmail"):
            return self._send((from_addr, to_addrs, msg, mail_options, rcpt_options))
        self.ehlo_or_helo_if_needed()
        this = prepared(
            self.esmtp_features if self.does_esmtp else None, msg, from_addr, to_addrs, mail_options, rcpt_options
        )
        return self.sendmail(this.from_addr, this.to_addrs, this.content.whole(), mail_options, rcpt_options)

    def send_stream(self, messages: Iterable[Item]) -> Generator[Refused | Exception, None, None]:
        """Send messages one after the other, and never wait for a round trip between them.

        Nothing is sent before it is iterated over; an error is an answer, and is not raised.

        The next message is asked for before the content of this one is sent, and its envelope goes with that. A source
        that would have to wait for its next message then yields None, and is asked again when this one has its answer:
        then it may wait.

        Leaving the stream before its end closes the connection, if the envelope of another message was sent. Between
        two answers, no other command can be given on this session.

        Args:
            messages: Each a Message, sent as by `send_message`, or a tuple of the arguments of `sendmail`.

        Yields:
            For each message, in their order, what `sendmail` would return: the recipients that were refused; or the
            exception that it would raise. When the connection has ended, the messages that are left have a
            `smtplib.SMTPServerDisconnected` each; a source can look at ``sock``, which is None then, and end.

        Raises:
            smtplib.SMTPServerDisconnected: There is no connection to begin with.
            smtplib.SMTPHeloError: The server did not take the greeting.
            Exception: What the source raised, when the messages before have their answers.
        """
        given: object = messages  # as what may have been passed by mistake
        if isinstance(given, (str, bytes, Message)):
            raise TypeError(f"send_stream() takes messages, not one {type(given).__name__}; for one: send_message()")
        # A generator function itself: bridges make an async generator of one.
        if self._has_own("sendmail", "send_message"):
            yield from self._one_by_one(messages)
        else:
            yield from self._converse(iter(messages))

    def _one_by_one(self, messages: Iterable[Item]) -> Generator[Refused | Exception, None, None]:
        """Send messages by the methods of a subclass."""
        for item in messages:
            answers: list[Refused | Exception] = []
            try:
                if isinstance(item, Message):
                    answers.append(self.send_message(item))
                elif item is not None:
                    answers.append(self.sendmail(*item))
            except Exception as error:
                answers.append(error)
            while answers:
                yield answers.pop()

    def _send(self, item: Item) -> Refused:
        conversation = self._converse(iter((item,)))
        answer = next(conversation)
        conversation.close()
        if isinstance(answer, Exception):
            try:
                raise answer
            finally:
                del answer  # its traceback has this frame
        return answer


class PipelinedSMTP_SSL(  # noqa: N801 - smtplib's name # pyright: ignore[reportIncompatibleMethodOverride]
    PipelinedSMTP, smtplib.SMTP_SSL
):
    """A `PipelinedSMTP` that is encrypted from the first octet, mostly on port 465 (RFC 8314).

    Args:
        host: As for `PipelinedSMTP`.
        port: 465 if left out.
        local_hostname: As for `PipelinedSMTP`.
        timeout: As for `PipelinedSMTP`.
        source_address: As for `PipelinedSMTP`.
        context: How it is encrypted; if left out, verifying the server's certificate.
        deadline: As for `PipelinedSMTP`.
        cleartext_login: As for `PipelinedSMTP`.
        pipelining: As for `PipelinedSMTP`.

    Raises:
        ssl.SSLCertVerificationError: The certificate is refused.
        Exception: As `PipelinedSMTP` does.
    """

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        *,
        timeout: float | None = LEFT_OUT,
        source_address: tuple[bytearray | bytes | str, int] | None = None,
        context: ssl.SSLContext | None = None,
        deadline: float | None = None,
        cleartext_login: bool = False,
        pipelining: bool = True,
    ) -> None:
        self.context = context or default_context()
        super().__init__(
            host,
            port,
            local_hostname,
            timeout,
            source_address,
            deadline=deadline,
            cleartext_login=cleartext_login,
            pipelining=pipelining,
        )

    def _secured(self, sock: socket.socket) -> socket.socket:
        return self._wrap(sock, self.context)


class PipelinedLMTP(PipelinedSMTP, smtplib.LMTP):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A `PipelinedSMTP` for LMTP (RFC 2033), over TCP or a Unix socket: each recipient has an answer of its own.

    After the content the server replies once for each recipient that it had accepted. Who is refused then is among the
    refused that ``sendmail`` and ``send_message`` return. If nobody gets the message, they raise: of a single recipient
    `smtplib.SMTPDataError`, of several `smtplib.SMTPRecipientsRefused`. If the connection ends between these replies,
    the `DeliveryUnknown` names those of whom nothing is known.

    Args:
        host: The host, or the absolute path of a Unix socket.
        port: 2003 if left out.
        local_hostname: As for `PipelinedSMTP`.
        source_address: As for `PipelinedSMTP`.
        timeout: As for `PipelinedSMTP`; the last two are in another order, as in smtplib.
        deadline: As for `PipelinedSMTP`.
        cleartext_login: As for `PipelinedSMTP`.
        pipelining: As for `PipelinedSMTP`.

    Raises:
        Exception: As `PipelinedSMTP` does.
    """

    default_port = smtplib.LMTP_PORT

    def __init__(
        self,
        host: str = "",
        port: int = smtplib.LMTP_PORT,
        local_hostname: str | None = None,
        source_address: tuple[bytearray | bytes | str, int] | None = None,
        timeout: float | None = LEFT_OUT,
        *,
        deadline: float | None = None,
        cleartext_login: bool = False,
        pipelining: bool = True,
    ) -> None:
        super().__init__(
            host,
            port,
            local_hostname,
            timeout,
            source_address,
            deadline=deadline,
            cleartext_login=cleartext_login,
            pipelining=pipelining,
        )

    def _reach(self, host: str, port: int, timeout: float | None) -> socket.socket:
        if not host.startswith("/"):
            return super()._reach(host, port, timeout)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._left(timeout))
            sock.connect(host)
        except BaseException:
            sock.close()
            raise
        return sock

    def _replies_to(self, this: Transaction) -> int:
        return max(1, len(this.accepted))

    def _answer(self, this: Transaction, replies: list[Reply]) -> Refused:
        if len(this.to_addrs) <= 1:
            return super()._answer(this, replies)
        this.take_verdicts(replies)
        if not any(map(is_yes, replies)):
            raise smtplib.SMTPRecipientsRefused(this.refused)
        return this.refused
