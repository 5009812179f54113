"""Random dialogues: a pipelined session has the results of smtplib, and delivers the same octets.

Each dialogue is had with plain smtplib, and with pipelined sessions in every way that there is to send. The dialogues
are drawn by seed, others for each version of Python. One that fails is shown with its seed: give it to `REPEAT`, to
have it alone.
"""

from __future__ import annotations

import smtplib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from asyncsmtp_bridge import DeliveryUnknown

from .accounts import (
    Account,
    Answered,
    LMTPOnWire,
    PlainSMTP,
    SMTPOnWire,
    had,
    in_a_stream,
    in_a_stream_that_is_left,
    one_by_one,
    shown,
)
from .dialogues import Answer, Dialogue, Mail, Step, draw

DIALOGUES = 1_600
LMTP_DIALOGUES = 600
PARTS = 4
FIRST_SEED = sys.version_info[1] * 100_000
REPEAT: int | None = None


def dialogues(count: int, part: int = 0, parts: int = 1, *, lmtp: bool = False) -> Iterator[Dialogue]:
    for seed in range(FIRST_SEED + part, FIRST_SEED + count, parts) if REPEAT is None else [REPEAT]:
        yield draw(seed, lmtp=lmtp)


# The ways.

WAYS: dict[str, Callable[[Dialogue], Account]] = {
    "sendmail": lambda dialogue: had(dialogue, SMTPOnWire, one_by_one),
    "sendmail, pipelining=False": lambda dialogue: had(dialogue, SMTPOnWire, one_by_one, options={"pipelining": False}),
    "sendmail, PIPELINING not offered": lambda dialogue: had(dialogue, SMTPOnWire, one_by_one, is_pipelining=False),
    "send_stream": lambda dialogue: had(dialogue, SMTPOnWire, in_a_stream),
    "send_stream, PIPELINING not offered": lambda dialogue: had(dialogue, SMTPOnWire, in_a_stream, is_pipelining=False),
}

LMTP_WAYS: dict[str, Callable[[Dialogue], Account]] = {
    "sendmail": lambda dialogue: had(dialogue, LMTPOnWire, one_by_one, is_lmtp=True),
    "sendmail, pipelining=False": lambda dialogue: had(
        dialogue, LMTPOnWire, one_by_one, is_lmtp=True, options={"pipelining": False}
    ),
    "send_stream": lambda dialogue: had(dialogue, LMTPOnWire, in_a_stream, is_lmtp=True),
    "send_stream, PIPELINING not offered": lambda dialogue: had(
        dialogue, LMTPOnWire, in_a_stream, is_lmtp=True, is_pipelining=False
    ),
}


def plainly(dialogue: Dialogue) -> Account:
    """Have a dialogue with smtplib.

    After a DATA that was refused smtplib does not end the transaction; a pipelined session does. So this host is
    lenient.
    """
    return had(as_smtplib_understands(dialogue), PlainSMTP, one_by_one, is_pipelining=False, is_lenient=True)


# What is different, and shall be.


def as_smtplib_understands(dialogue: Dialogue) -> Dialogue:
    """Return a dialogue in which the server says yes in those words that smtplib takes for one."""

    def said(step: Step, answer: Answer) -> Answer:
        # Only the first digit counts (RFC 5321, section 4.3.2); smtplib knows 250, to RCPT 251, and to DATA 354.
        reply = answer.reply
        if reply[:1] == b"2" and len(reply) >= 3 and not (step.verb == "RCPT" and reply[:3] == b"251"):
            reply = b"250" + reply[3:]
        if reply[:1] == b"3" and len(reply) >= 3:
            reply = b"354" + reply[3:]
        return replace(answer, reply=reply)

    return replace(dialogue, steps={step: said(step, answer) for step, answer in dialogue.steps.items()})


def comparable(answer: Answered) -> Any:
    """Return what must be the same of an answer."""
    match answer:
        case smtplib.SMTPSenderRefused(smtp_code=552, sender=sender):
            return "too large", sender  # said by the session itself, which does not ask a server that offers SIZE
        case smtplib.SMTPHeloError(smtp_code=421):
            return "disconnected"  # smtplib goes on to HELO, and sees then that the connection has ended
        case smtplib.SMTPResponseException(smtp_code=code) if code < 200:
            return "disconnected"  # smtplib takes one or two digits before the end for a code
        case smtplib.SMTPRecipientsRefused(recipients=refused) if any(code < 200 for code, _ in refused.values()):
            return "disconnected"  # the same
        case smtplib.SMTPHeloError(smtp_code=421):
            return "disconnected"  # smtplib does not say with what the server has refused EHLO, but tries HELO
        case smtplib.SMTPServerDisconnected():
            return "disconnected"  # DeliveryUnknown, too: whether it is one, is compared with what the wire has seen
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return "recipients", refused
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            return type(answer).__name__, code, text, getattr(answer, "sender", None)
        case Exception():
            return type(answer).__name__
    return answer


def is_refused_twice(mail: Mail, answer: Answered) -> bool:
    """Whether somebody who is named twice was refused, and so was everybody."""
    return len(set(mail.recipients)) < len(mail.recipients) and isinstance(answer, smtplib.SMTPRecipientsRefused)


def must_be_same(account: Account, plain: Account) -> None:
    """Compare what came of a dialogue with what came of it by smtplib."""
    mails, answers, expected = account.dialogue.mails, account.answers, plain.answers
    if len(answers) == 1 < len(expected) and isinstance(answers[0], smtplib.SMTPException):
        expected = expected[:1]  # a stream without a greeting ends with it
    assert len(answers) == len(expected)
    # Where somebody was refused who is named twice, smtplib also gives a command in vain. Afterwards nothing compares.
    last = plain.host.ended_out_of_place or len(answers)
    ended_early = account.host.ended_out_of_place
    for mail, answer, of_smtplib in zip(mails[:last], answers, expected, strict=False):
        told, told_by_smtplib = comparable(answer), comparable(of_smtplib)
        if ended_early is not None and mail.number > ended_early:
            # The server ended it at a command that was pipelined in vain: smtplib had not sent it, and goes on.
            assert told in ("disconnected", ("too large", mail.sender)), f"mail {mail.number}"
        elif told != told_by_smtplib and told == ("too large", mail.sender):
            # smtplib was about to ask, and saw that the connection had ended.
            assert told_by_smtplib == "disconnected", f"mail {mail.number}"
        elif told != told_by_smtplib and isinstance(answer, smtplib.SMTPHeloError):
            # A greeting that was refused is none: smtplib begins the next mail nevertheless.
            assert isinstance(of_smtplib, smtplib.SMTPSenderRefused), f"mail {mail.number}"
        elif told != told_by_smtplib and is_refused_twice(mail, answer):
            # smtplib does not see then that all were refused, and goes on to DATA.
            assert isinstance(of_smtplib, (smtplib.SMTPDataError, smtplib.SMTPServerDisconnected)), (
                f"mail {mail.number}"
            )
        else:
            assert told == told_by_smtplib, f"mail {mail.number}"
    last = min(last, ended_early or last)
    kept, kept_by_smtplib = ([each for each in host.kept if each.number <= last] for host in (account.host, plain.host))
    assert kept == kept_by_smtplib
    if last == len(mails) and ended_early is plain.host.ended_out_of_place is None:
        assert account.is_in_step == plain.is_in_step


# The tests.


def checked(way: str, account: Account, plain: Account | None = None) -> None:
    try:
        account.must_be_true()
        if plain is not None:
            must_be_same(account, plain)
    except AssertionError as error:
        by_smtplib = "" if plain is None else f"\nby smtplib: {plain.answers}"
        raise AssertionError(f"{way}: {error}\n{shown(account)}{by_smtplib}") from error


@pytest.mark.parametrize("part", range(PARTS))
def test_the_same_results_and_the_same_octets_as_smtplib(part: int) -> None:
    for dialogue in dialogues(DIALOGUES, part, PARTS):
        plain = plainly(dialogue)
        for way, have in WAYS.items():
            checked(way, have(dialogue), plain)


@pytest.mark.parametrize("is_pipelining", [True, False])
def test_a_stream_that_is_left_is_closed_or_in_step(is_pipelining: bool) -> None:
    for dialogue in dialogues(300):
        account = had(dialogue, SMTPOnWire, in_a_stream_that_is_left, is_pipelining=is_pipelining)
        checked("left", account)
        assert account.is_in_step or account.was_closed or account.host.end, shown(account)
        assert {each.number for each in account.host.kept} <= {1}, shown(account)


@pytest.mark.parametrize("way", LMTP_WAYS)
def test_over_lmtp_each_recipient_has_the_answer_that_the_server_gave_of_him(way: str) -> None:
    for dialogue in dialogues(LMTP_DIALOGUES, lmtp=True):
        checked(way, LMTP_WAYS[way](dialogue))


def test_the_dialogues_bring_about_everything() -> None:
    seen: Counter[str] = Counter()
    for dialogue in dialogues(700):
        account = WAYS["send_stream"](dialogue)
        for mail, answer in zip(dialogue.mails, account.answers, strict=False):
            seen[type(answer).__name__] += 1
            seen["refused in part"] += isinstance(answer, dict) and bool(answer)
            seen["kept, and not told"] += isinstance(answer, DeliveryUnknown) and bool(account.kept(mail.number))
            seen["not kept, and not told"] += isinstance(answer, DeliveryUnknown) and not account.kept(mail.number)
        seen["in step"] += account.is_in_step
        seen["ended at a command in vain"] += account.host.ended_out_of_place is not None
    must_have_come_up(seen)


def test_the_dialogues_over_lmtp_bring_about_everything() -> None:
    seen: Counter[str] = Counter()
    for dialogue in dialogues(700, lmtp=True):
        account = LMTP_WAYS["send_stream"](dialogue)
        for mail, answer in zip(dialogue.mails, account.answers, strict=False):
            seen[type(answer).__name__] += 1
            judged = account.read_of("content", mail.number).values()
            seen["kept for some"] += len({code // 100 for code, _ in judged}) > 1
            seen["unknown of some"] += isinstance(answer, DeliveryUnknown) and bool(judged)
            seen["refused after the content"] += isinstance(answer, smtplib.SMTPRecipientsRefused) and bool(judged)
    must_have_come_up(seen)


def must_have_come_up(seen: Counter[str]) -> None:
    answers = {"dict", "SMTPSenderRefused", "SMTPRecipientsRefused", "SMTPDataError", "DeliveryUnknown"}
    assert min(seen[each] for each in answers | {"SMTPServerDisconnected"}) >= 20, seen
    assert all(seen.values()), seen
