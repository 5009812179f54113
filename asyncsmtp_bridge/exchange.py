"""The exchange: what is written together, and to whom each reply belongs (RFC 2920).

Owns the transactions that are under way on a session. Where smtplib waits for the reply to each command, MAIL, RCPT and
DATA go out in one write here, and with the content, if another message is at hand, the envelope of that one.

The session says itself how far it has come (`asyncsmtp_bridge.phase`), before and after each step, so that it is known
of every message whether its content was sent whole.
"""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from email.message import Message
from threading import get_ident
from typing import Any, cast

from . import record, watch
from .dialogue import Dialogue
from .outcome import DeliveryUnknown, unknown_text
from .phase import CONTENT, OWN, PHASE, Phase, Progress
from .supply import Item, Supply
from .transaction import Reply, Transaction, is_go_on, is_no, is_yes, prepared

Refused = dict[str, Reply]
"""The recipients that were refused, with the replies, as `smtplib.SMTP.sendmail` returns them."""

_Prepared = Transaction | Exception
"""What came of a message before anything of it was sent."""

_RECORD_SIZE = 16 * 1024
"""Octets that TLS sends in one record: they arrive together, or not at all."""

_REFUSALS = (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)

_TOO_MANY_REFUSED = 2
"""Messages in a row without a recipient or with a refused sender, after which commands go out one by one until somebody
is accepted. Of a pipelined envelope RCPT and DATA are refused, too, and servers count: Postfix ends a session after 20
(``smtpd_hard_error_limit``)."""


class Exchange(Dialogue):
    """A `Dialogue` about messages."""

    def __init__(self, *args: Any, pipelining: bool = True, **kwargs: Any) -> None:
        self.pipelining = pipelining
        self._is_pipelined = False
        self._refused_in_a_row = 0
        # Whom the server has accepted since MAIL, where somebody gives the commands one by one.
        self._accepted: list[str] = []
        self._verdicts: list[Reply] = []
        super().__init__(*args, **kwargs)

    def _converse(self, source: Iterator[Item]) -> Generator[Refused | Exception, None, None]:
        self._check_for_stream()
        supply = Supply(source)
        following: _Prepared | None = None
        is_under_way = False
        try:
            self._begin_time()
            self.ehlo_or_helo_if_needed()
            while True:
                this, following = following, None
                if this is None:
                    self._end_time()
                    item = supply.wait()
                    self._begin_time()
                    if item is None:
                        return
                    this = self._prepared(item)
                    del item  # it may be large
                    self._write(b"", this)
                is_under_way = True
                answers: list[Refused | Exception] = []
                if isinstance(this, Exception):
                    answers.append(this)
                elif this.sent_over is not None:
                    answer, following = self._exchange(this, supply)
                    answers.append(answer)
                    del answer
                else:
                    answers.append(self._step_by_step(this))
                is_under_way = False
                del this
                self._stand(None)
                self._end_time()
                self._is_streaming = self._is_open(following)
                yield answers.pop()  # nothing here keeps it: in its traceback are frames that know this one
                self._is_streaming = False
                self._begin_time()
        finally:
            self._is_streaming = False
            if is_under_way or self._is_open(following):
                self.close()  # the server waits for something
            self._end_time()

    def _is_open(self, this: _Prepared | None) -> bool:
        """Whether the envelope of a transaction was sent over the connection that there is now."""
        return isinstance(this, Transaction) and this.sent_over is not None and this.sent_over is self.sock

    def _has_own(self, *names: str) -> bool:
        """Whether a subclass, or something that was put into this object, has methods of its own, to be called."""
        kind, own = type(self), vars(self)
        return any(name in own or getattr(getattr(kind, name), "__module__", None) not in OWN for name in names)

    def _prepared(self, item: Item) -> _Prepared:
        """Return a transaction, or what is wrong with it."""
        before = id(sys.exc_info()[1])
        try:
            if self.sock is None:
                raise smtplib.SMTPServerDisconnected("not sent: the connection has ended")
            self.ehlo_or_helo_if_needed()  # it may be another connection by now
            is_wanted = self.pipelining and not self._has_own("mail", "rcpt", "data", "putcmd", "docmd")
            self._is_pipelined = is_wanted and self.has_extn("pipelining")
            offered = self.esmtp_features if self.does_esmtp else None
            if isinstance(item, Message):
                return prepared(offered, item)
            if isinstance(item, tuple) and 3 <= len(item) <= 5:
                from_addr, to_addrs, message, *options = item
                return prepared(offered, message, from_addr, to_addrs, *options)
            raise TypeError(
                "a stream is made of messages, and of tuples (from_addr, to_addrs, msg, mail_options, rcpt_options), "
                f"of which the last two may be left out, not of {type(item).__name__}"
            )
        except Exception as error:
            Progress(Phase.ENVELOPE, 0).tell(error, before)
            return error

    def _write(self, ending: bytes, following: _Prepared | None) -> None:
        """Write what ends a transaction that was refused, and, if that is to be pipelined, the next envelope.

        That the connection has ended shows when the replies are read.
        """
        if isinstance(following, Transaction) and self._is_pipelined and self._refused_in_a_row < _TOO_MANY_REFUSED:
            following.sent_over = self.sock
            following.begins_after = bool(ending)
            self._stand(Phase.ENVELOPE)
            try:
                self._send_nothing(ending, following.portions[0].commands)
            except smtplib.SMTPServerDisconnected:
                pass
            except BaseException as error:
                self._take(error, following)
                raise
        elif ending:
            with suppress(smtplib.SMTPServerDisconnected):
                self._send_nothing(ending)
                self.getreply()

    def _send_nothing(self, ending: bytes, commands: bytes = b"") -> None:
        """Send what ends a transaction without a message, which looks like the end of one."""
        vars(self)[CONTENT] = (0, None, False)
        try:
            self.send(ending + commands)
        finally:
            vars(self)[CONTENT] = None

    def _exchange(self, this: Transaction, supply: Supply) -> tuple[Refused | Exception, _Prepared | None]:
        """Return what becomes of a transaction of which the envelope is sent, and the next, of which it is, too."""
        try:
            self._read_envelope(this)
        except BaseException as error:
            self._take(error, this)
            if self.sock is not None:
                self._refused_in_a_row += 1
            following = self._next(supply)
            self._write(this.ending, following)
            return cast("Exception", error), following
        self._refused_in_a_row = 0
        following = self._next(supply)
        try:
            commands = b""
            if not self._is_open(this):  # the source may have closed it, and even made another one
                raise smtplib.SMTPServerDisconnected("not sent: the connection has ended")
            if isinstance(following, Transaction):
                following.sent_over = self.sock
                commands = following.portions[0].commands
            return self._answer(this, self._exchange_content(this, commands)), following
        except BaseException as error:
            self._take(error, this)
            if isinstance(following, Transaction) and following.sent_over is None:
                self._write(b"", following)
            return cast("Exception", error), following

    def _next(self, supply: Supply) -> _Prepared | None:
        self._is_streaming = True  # the source shall not give commands in the middle of a transaction
        try:
            with self._out_of_time():
                item = supply.at_hand()
        finally:
            self._is_streaming = False
        return None if item is None else self._prepared(item)

    def _read_envelope(self, this: Transaction) -> None:
        self._stand(Phase.ENVELOPE)
        if not self._is_open(this):
            raise smtplib.SMTPServerDisconnected("not sent: the connection has ended")
        for _ in range(this.begins_after):
            self._fitting(self.getreply(), "RSET")
        sender = self._fitting(self.getreply(), "MAIL")
        is_accepted = this.sender_is_accepted(sender)
        try:
            for index, portion in enumerate(this.portions):
                if self.sock is None or (index and not is_accepted):  # closed by 421
                    raise smtplib.SMTPSenderRefused(*sender, this.from_addr)
                if index:
                    self.send(portion.commands)
                for address in portion.recipients:
                    reply = self._fitting(self.getreply(), "RCPT")
                    if is_accepted:
                        this.take_recipient(address, reply)
            self._stand(Phase.DATA_COMMAND)
            data = self._fitting(self.getreply(), "DATA")
        except smtplib.SMTPServerDisconnected as lost:
            refusal = this.refusal(sender)
            if refusal is None:
                raise
            try:
                raise refusal from lost  # that the server has gone after it, too, says less
            finally:
                del refusal  # its traceback has this frame
        this.take_data(data, sender)

    def _step_by_step(self, this: Transaction) -> Refused | Exception:
        """Return what becomes of a transaction of which each command has its reply before the next one is sent."""
        try:
            self._stand(Phase.ENVELOPE)
            sender = self._fitting(self.mail(this.from_addr, this.terms.mail), "MAIL")
            if not this.sender_is_accepted(sender):
                raise smtplib.SMTPSenderRefused(*sender, this.from_addr)
            for address in this.to_addrs:
                this.take_recipient(address, self._fitting(self.rcpt(address, this.terms.rcpt), "RCPT"))
            if not this.accepted:
                raise smtplib.SMTPRecipientsRefused(this.refused)
            self._accepted = list(this.accepted)
            self._refused_in_a_row = 0
            if not self._has_own("data"):
                return self._answer(this, self._give(this))
            self._verdicts = []
            reply = self.data(this.content.whole())
            # One that does all by itself has one for everybody.
            return self._answer(this, self._verdicts or [reply] * len(this.accepted))
        except BaseException as error:
            self._take(error, this)
            if this.ending and self.sock is not None:
                with suppress(smtplib.SMTPServerDisconnected):
                    self.rset()
            return cast("Exception", error)
        finally:
            self.command_encoding = "ascii"

    def _give(self, this: Transaction) -> list[Reply]:
        """Send DATA and the content, and return the replies to that."""
        self._stand(Phase.DATA_COMMAND)
        reply = self._fitting(self.docmd("DATA"), "DATA")
        if not is_go_on(reply):
            raise smtplib.SMTPDataError(*reply)
        this.ending = b""
        return self._exchange_content(this, b"")

    def _exchange_content(self, this: Transaction, commands: bytes) -> list[Reply]:
        """Send a content, with the commands that follow it, and return the replies to the content.

        Raises:
            DeliveryUnknown: It was sent whole, and a reply was not read.
            smtplib.SMTPServerDisconnected: It was not sent whole.
        """
        replies: list[Reply] = []
        try:
            self._send_content(this, commands)
            for _ in range(self._replies_to(this)):
                replies.append(self._fitting(self.getreply(), "the message"))  # noqa: PERF401 - they count one by one
        except smtplib.SMTPServerDisconnected as error:
            if vars(self)[PHASE] is not Phase.CONTENT_SENT:
                raise
            raise self._unknown(this, replies, error) from error
        return replies

    def _send_content(self, this: Transaction, commands: bytes) -> None:
        if self._received_at < len(self._unread):
            # It would be taken for the reply to the content.
            self._give_up("the server replied before the message was sent")
        size = 0
        try:
            self._stand(Phase.CONTENT_BEGUN)
            slices = iter(this.content)
            last = next(slices)
            for piece in slices:
                self._send_slice(this, last)
                last = piece
            size = len(last)
            # From now on nobody can tell from outside whether all has left.
            self._stand(Phase.CONTENT_SENT)
            if commands and size + len(commands) > _RECORD_SIZE and self._is_encrypted():
                self._taken = size
                self._send_slice(this, last)
                size = 0
                self.send(commands)
            else:
                self._taken = size  # a subclass may send by itself, and then nobody knows
                self._send_slice(this, last + commands)
        except BaseException:
            if size and self._taken < size:
                self._stand(Phase.CONTENT_BEGUN)  # but here it is known that it has not
            self.close()  # in the middle of a content nothing else can be said
            raise

    def _send_slice(self, this: Transaction, piece: bytes) -> None:
        if not record.kept:
            self.send(piece)
            return
        vars(self)[CONTENT] = (this.number, this.content.message_id, not this.has_begun)
        this.has_begun = True
        try:
            self.send(piece)
        finally:
            vars(self)[CONTENT] = None

    def _replies_to(self, this: Transaction) -> int:
        """Return how many replies a content has."""
        return 1

    def _answer(self, this: Transaction, replies: list[Reply]) -> Refused:
        """Return what is said of the message; raise if nobody gets it."""
        if not is_yes(replies[0]):
            raise smtplib.SMTPDataError(*replies[0])
        return this.refused

    def _unknown(self, this: Transaction, replies: list[Reply], error: Exception) -> DeliveryUnknown:
        this.take_verdicts(replies)
        is_partial = bool(this.refused or replies)
        return DeliveryUnknown(
            unknown_text(this.content.message_id, Phase.CONTENT_SENT, str(error)),
            this.content.message_id,
            Phase.CONTENT_SENT,
            tuple(this.without_verdict(replies)) if is_partial else (),
            this.refused,
        )

    def _fitting(self, reply: Reply, command: str) -> Reply:
        """Return a reply that can be given there; else neither side knows any more what comes next."""
        if not (is_no(reply) or (is_go_on(reply) if command == "DATA" else is_yes(reply))):
            text = reply[1].decode(errors="replace")
            self._give_up(f"{reply[0]} {text!r:.100} is no reply to {command}")
        return reply

    # Who is told how far it has come.

    def _stand(self, phase: Phase | None) -> None:
        vars(self)[PHASE] = phase

    def _take(self, error: BaseException, this: Transaction) -> None:
        """Take what a transaction has ended with, and say with it how far that had come; raise what is no answer."""
        phase = vars(self).get(PHASE)
        if isinstance(error, _REFUSALS) and phase is Phase.DATA_COMMAND:
            phase = Phase.ENVELOPE  # that DATA was refused, too, was to be expected
        if phase is not None:
            Progress(phase, this.number, this.content.message_id).tell(error, this.before)
        self._stand(None)
        if not isinstance(error, smtplib.SMTPException):
            self.close()  # it came from elsewhere, and nobody knows which reply is the next
        # In a stream an error is an answer; but a call that was aborted shall end, and with the error that tells why.
        if not isinstance(error, Exception) or watch.is_forbidden(get_ident()):
            raise error
