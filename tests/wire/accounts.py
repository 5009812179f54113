"""Having a dialogue: a session of any kind sends the messages, and what it tells is compared with what was seen.

Owns the ways to send, and what must be true of the answers whoever gives them. The oracle is the wire: it has seen what
the host has kept, what was sent whole, and which replies were read. It reads no traceback.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from asyncsmtp_bridge import DeliveryUnknown, Outcome, PipelinedLMTP, PipelinedSMTP, classify

from .dialogues import Dialogue, Mail
from .playing import DOT, Delivery, Host, OutOfStep, Reply, Wire

Answered = dict[str, Reply] | Exception
NAME = "client.example.org"


class OnWire:
    """A session over a wire."""

    def __init__(self, wire: Wire, **kwargs: Any) -> None:
        self.wire = wire
        super().__init__("mx.example.net", 25, local_hostname=NAME, timeout=30, **kwargs)

    def _get_socket(self, *_: Any) -> Wire:
        return self.wire


class PlainSMTP(OnWire, smtplib.SMTP):
    pass


class SMTPOnWire(OnWire, PipelinedSMTP):
    pass


class LMTPOnWire(OnWire, PipelinedLMTP):
    pass


# The ways to send.

Send = Callable[[Any, Dialogue], list[Answered]]


def answer_of(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the exception that it raises."""
    try:
        return call()
    except Exception as error:
        return error


def one_by_one(session: Any, dialogue: Dialogue) -> list[Answered]:
    """Send each message by a call of its own."""

    def send(mail: Mail) -> dict[str, Reply]:
        if mail.is_addressed:
            return session.send_message(mail.content)
        if isinstance(mail.content, Message):
            return session.send_message(mail.content, mail.sender, mail.recipients)
        return session.sendmail(mail.sender, mail.recipients, mail.content)

    return [answer_of(lambda mail=mail: send(mail)) for mail in dialogue.mails]


def in_a_stream(session: Any, dialogue: Dialogue) -> list[Answered]:
    """Send all messages in a stream."""

    stream = session.send_stream(each for mail in dialogue.mails for each in items_of(dialogue, mail))
    return answer_of(lambda: list(map(copied, stream)))


def items_of(dialogue: Dialogue, mail: Mail) -> Iterator[Any]:
    """Return what a stream is given for a message."""
    if mail.number in dialogue.gaps:
        yield None
    yield mail.content if mail.is_addressed else (mail.sender, mail.recipients, mail.content)


def copied(answer: Answered) -> Answered:
    return dict(answer) if isinstance(answer, dict) else answer


def in_a_stream_that_is_left(session: Any, dialogue: Dialogue) -> list[Answered]:
    """Send messages in a stream, up to the first answer."""
    stream = session.send_stream(each for mail in dialogue.mails for each in items_of(dialogue, mail))
    answer = answer_of(lambda: copied(next(stream)))
    stream.close()
    return [answer]


# What came of it.


@dataclass
class Account:
    """What came of a dialogue."""

    dialogue: Dialogue
    answers: list[Answered]
    host: Host
    wire: Wire
    is_in_step: bool
    """Whether the session could be used afterwards."""
    is_lmtp: bool = False
    was_closed: bool = False
    """Whether the session had closed the connection by itself."""

    def sent_whole_to(self, number: int) -> list[tuple[int, str]]:
        """Return for whom all of a content was heard, or taken to be heard; nobody, if it was not sent whole."""
        if number in self.host.whole:
            return self.host.whole[number]
        is_open = self.host.in_content and self.host.number == number
        is_whole = is_open and DOT in b"\r\n" + self.host.unheard + self.wire.swallowed
        return self.host.accepted if is_whole else []

    def read_of(self, verb: str, number: int) -> dict[int, Reply]:
        """Return the replies that the client has read of the steps of a message, by the recipient's index.

        What is neither a yes nor a no is no reply to a content, and says nothing of it.
        """
        marks = [each for each in self.host.marks if (each.step.verb, each.step.number) == (verb, number)]
        read = {each.step.index: self.wire.read_of(each) for each in marks}
        return {
            index: reply
            for index, reply in read.items()
            if reply is not None and (verb != "content" or reply[0] // 100 in (2, 4, 5))
        }

    def kept(self, number: int) -> list[Delivery]:
        return [each for each in self.host.kept if each.number == number]

    def must_be_true(self) -> None:
        """Compare what is told of each message with what was seen."""
        assert not self.host.odd, f"out of place: {self.host.odd}"
        assert self.wire.is_closed
        for mail, answer in zip(self.dialogue.mails, self.answers, strict=False):
            assert not isinstance(answer, OutOfStep), f"mail {mail.number}"
            self._outcome_must_be_true(mail, answer)
            if self.is_lmtp:
                self._fates_must_be_true(mail, answer)
            else:
                self._reply_must_be_told(mail, answer)

    def _outcome_must_be_true(self, mail: Mail, answer: Answered) -> None:
        kept = self.kept(mail.number)
        has_it = [address for delivery in kept for address in delivery.recipients]
        if not self.is_lmtp:
            assert len(kept) <= 1, f"mail {mail.number}: delivered twice"
        read = self.read_of("content", mail.number)
        whole_to = self.sent_whole_to(mail.number)
        is_unknown = any(index not in read for index, _ in whole_to) if self.is_lmtp else bool(whole_to) and not read
        assert isinstance(answer, DeliveryUnknown) is is_unknown, f"mail {mail.number}, read: {read}"
        if not isinstance(answer, Exception):
            assert set(has_it) == set(mail.recipients) - answer.keys() | (set(has_it) & answer.keys() & _twice(mail))
            return
        outcome = classify(answer).outcome
        assert (outcome is Outcome.UNKNOWN) is is_unknown, f"mail {mail.number}: {classify(answer)}"
        assert is_unknown or not kept, f"mail {mail.number}: told to have failed"
        assert outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT, Outcome.PERMANENT)

    def _reply_must_be_told(self, mail: Mail, answer: Answered) -> None:
        """Compare with the reply to the content, if there was one."""
        reply = self.read_of("content", mail.number).get(0)
        if reply is None or not self.sent_whole_to(mail.number):
            assert isinstance(answer, Exception)
        elif reply[0] // 100 == 2:
            assert isinstance(answer, dict)
        else:
            assert isinstance(answer, smtplib.SMTPDataError)
            assert (answer.smtp_code, answer.smtp_error) == reply

    # LMTP

    def _fates_must_be_true(self, mail: Mail, answer: Answered) -> None:
        """Compare what is told of each recipient with what the server has said of him."""
        seen, told = self._fates_seen(mail), self._fates_told(mail, answer)
        for address in mail.recipients:
            if told[address] == "not sent":
                assert seen[address] not in ("kept", "unknown"), f"{address}: {seen[address]}"
            else:
                assert told[address] == seen[address], address
        if isinstance(answer, DeliveryUnknown):
            unknown = [address for address in mail.recipients if seen[address] == "unknown"]
            everybody_accepted = [address for _, address in self.sent_whole_to(mail.number)]
            assert list(answer.recipients or everybody_accepted) == unknown

    def _fates_seen(self, mail: Mail) -> dict[str, Any]:
        asked, judged = self.read_of("RCPT", mail.number), self.read_of("content", mail.number)
        whole_to = dict(self.sent_whole_to(mail.number))
        fates: dict[str, Any] = {}
        for index, address in enumerate(mail.recipients):
            if index in whole_to:
                fates[address] = _kept_or(judged.get(index, "unknown"))
            elif index in asked and asked[index][0] // 100 != 2:
                fates[address] = asked[index]
            else:
                fates[address] = "not sent"
        return fates

    def _fates_told(self, mail: Mail, answer: Answered) -> dict[str, Any]:
        match answer:
            case dict():
                return dict.fromkeys(mail.recipients, "kept") | answer
            case smtplib.SMTPRecipientsRefused(recipients=refused):
                return dict.fromkeys(mail.recipients, "not sent") | refused
            case DeliveryUnknown(recipients=unknown, refused=refused):
                fate = "kept" if unknown else "unknown"
                return dict.fromkeys(mail.recipients, fate) | dict.fromkeys(unknown, "unknown") | refused
            case smtplib.SMTPDataError(smtp_code=code, smtp_error=text):
                # If it is a reply to the content, it is about the only one who was accepted.
                told = {address: (code, text) for _, address in self.sent_whole_to(mail.number)}
                assert len(told) <= 1
                return dict.fromkeys(mail.recipients, "not sent") | told
        return dict.fromkeys(mail.recipients, "not sent")


def _twice(mail: Mail) -> set[str]:
    """Return who is named twice; he may have been refused once, and accepted once."""
    return {address for address in mail.recipients if mail.recipients.count(address) > 1}


def _kept_or(reply: Any) -> Any:
    return "kept" if isinstance(reply, tuple) and reply[0] // 100 == 2 else reply


def had(
    dialogue: Dialogue,
    make: Callable[..., Any],
    send: Send,
    *,
    options: dict[str, Any] | None = None,
    host: type[Host] = Host,
    **traits: Any,
) -> Account:
    """Have a dialogue.

    Args:
        dialogue: The dialogue.
        make: Makes the session, of a wire.
        send: Has it send the messages.
        options: For the session.
        host: The class of the server.
        **traits: Of the server.
    """
    server = host(dialogue, **traits)
    wire = Wire(
        server.hear,
        server.said,
        lambda: server.end,
        segments=dialogue.segments,
        is_swallowing=dialogue.is_swallowing,
        seed=dialogue.seed,
    )
    session = answer_of(lambda: make(wire, **(options or {})))
    if isinstance(session, Exception):
        return Account(
            dialogue, [session] * len(dialogue.mails), server, wire, False, bool(traits.get("is_lmtp")), True
        )
    try:
        answers = send(session, dialogue)
        was_closed = session.sock is None
        is_in_step = answer_of(session.noop) == (250, b"in step")
    finally:
        session.close()
    if isinstance(answers, Exception):  # a stream without a greeting
        answers = [answers]
    return Account(dialogue, answers, server, wire, is_in_step, bool(traits.get("is_lmtp")), was_closed)


def shown(account: Account) -> str:
    """Return an account, to be read where it is not true."""
    told = "\n".join(f"answer {number}: {answer!r:.1000}" for number, answer in enumerate(account.answers, 1))
    return f"{account.dialogue}\n{told}\nsaid: {bytes(account.host.said)!r:.3000}"
