"""The connection is lost at every octet of a dialogue of two messages: what is told of both is exact each time."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from asyncsmtp_bridge import DeliveryUnknown

from .accounts import Account, LMTPOnWire, Send, SMTPOnWire, had, in_a_stream, one_by_one, shown
from .dialogues import Answer, Dialogue, End, Mail, Segments, Step
from .playing import Host


class HostThatIsCutOff(Host):
    """A host of which only so many octets are heard, or which hears only so many.

    Args:
        dialogue: What it answers.
        says: After so many octets that it has said, the connection ends; what it says beyond them is lost.
        hears: After so many that it has heard.
        cut: How it ends.
        **traits: As of `Host`.
    """

    def __init__(
        self, dialogue: Dialogue, *, says: int | None = None, hears: int | None = None, cut: End = "FIN", **traits: Any
    ) -> None:
        self._says, self._hears, self._cut = says, hears, cut
        super().__init__(dialogue, **traits)

    def _say(self, answer: Answer, step: Step | None = None) -> None:
        super()._say(answer, step)
        if self._says is not None and len(self.said) >= self._says:
            del self.said[self._says :]
            self.end = self._cut

    def hear(self, octets: bytes) -> int:
        if self._hears is None:
            return super().hear(octets)
        heard = octets[: self._hears]
        self._hears -= len(heard)
        super().hear(heard)
        if len(heard) < len(octets):
            self.end = self.end or self._cut
        return len(heard)


class CountingHost(Host):
    """A host that counts what it hears."""

    count = 0

    def hear(self, octets: bytes) -> int:
        self.count += len(octets)
        return super().hear(octets)


def mail(number: int, *recipients: str) -> Mail:
    return Mail(number, f"s{number}@a.example", list(recipients), f"Message-ID: <{number}@a>\r\n\r\n.dot\r\n".encode())


MAILS = [mail(1, "b@b.example", "c@c.example"), mail(2, "d@d.example", "e@e.example")]
SECOND_REFUSED = {Step("RCPT", 1, 1): Answer(b"550-5.1.1 who\r\n550 5.1.1 is that?\r\n")}
ALL_REFUSED = {Step("RCPT", 1, 0): Answer(b"450 4.2.1 busy\r\n"), Step("RCPT", 1, 1): Answer(b"550 5.1.1 who?\r\n")}
DATA_REFUSED = {Step("DATA", 1): Answer(b"451 4.3.0 not now\r\n"), Step("content", 2): Answer(b"554 5.7.1 spam\r\n")}
SECOND_JUDGED = {Step("content", 1, 1): Answer(b"552 5.2.2 full\r\n"), Step("content", 2): Answer(b"451 4.3.0 no\r\n")}
GO_ON = Answer(b"354 go on\r\n")

DIALOGUES = {
    "one recipient refused": Dialogue(1, MAILS, SECOND_REFUSED, offers=("SIZE",)),
    "all recipients refused": Dialogue(2, MAILS, ALL_REFUSED),
    "all refused, and a content asked for": Dialogue(3, MAILS, ALL_REFUSED, without_recipients=GO_ON),
    "sender refused": Dialogue(4, MAILS, {Step("MAIL", 1): Answer(b"550 5.7.1 no\r\n")}),
    "DATA and content refused": Dialogue(5, MAILS, DATA_REFUSED),
    "LMTP, one refused after the content": Dialogue(6, MAILS, SECOND_JUDGED),
}
WAYS: dict[str, tuple[Send, bool]] = {
    "send_stream": (in_a_stream, True),
    "sendmail": (one_by_one, True),
    "send_stream, without PIPELINING": (in_a_stream, False),
}


def have(name: str, way: str, dialogue: Dialogue, **traits: Any) -> Account:
    send, is_pipelining = WAYS[way]
    is_lmtp = name.startswith("LMTP")
    make = LMTPOnWire if is_lmtp else SMTPOnWire
    return had(dialogue, make, send, is_pipelining=is_pipelining, is_lmtp=is_lmtp, **traits)


ENDS: list[tuple[End, Segments, bool]] = [
    ("FIN", "whole", False),
    ("FIN", "octets", True),
    ("RST", "pieces", False),
    ("SILENCE", "whole", True),
]
"""How the connection ends, how what was said before comes in, and whether what is sent afterwards goes nowhere."""


def accounts(name: str, way: str, side: str) -> Iterator[tuple[str, Account]]:
    """Have a dialogue again and again, cut off at each octet that a side has to say."""
    dialogue = DIALOGUES[name]
    whole = have(name, way, dialogue, host=CountingHost)
    total = len(whole.host.said) if side == "server" else whole.host.count  # type: ignore[attr-defined]
    for after in range(1 if side == "server" else 0, total):
        # One of them after the other: at its neighbours the others.
        these_ends = [ENDS[after % 4], ENDS[(after + 1) % 4]] if way == "send_stream" else [ENDS[after % 4]]
        for end, segments, is_swallowing in these_ends:
            cut_off = {"says" if side == "server" else "hears": after, "cut": end}
            these = replace(dialogue, segments=segments, is_swallowing=is_swallowing)
            told = f"{side} cut off after {after} octets by {end}, {segments}, swallowing: {is_swallowing}"
            yield told, have(name, way, these, host=HostThatIsCutOff, **cut_off)


@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", DIALOGUES)
def test_what_is_told_is_exact_wherever_the_connection_is_lost(name: str, way: str, side: str) -> None:
    for told, account in accounts(name, way, side):
        must_be_true(told, account)


def must_be_true(told: str, account: Account) -> None:
    try:
        account.must_be_true()
        assert len(account.answers) == len(MAILS) or not account.host.whole
    except AssertionError as error:
        raise AssertionError(f"{told}: {error}\n{shown(account)}") from error


@pytest.mark.parametrize("side", ["server", "client"])
def test_every_answer_comes_up(side: str) -> None:
    seen: Counter[tuple[str, ...]] = Counter()
    for _, account in accounts("one recipient refused", "send_stream", side):
        seen[tuple(type(answer).__name__ for answer in account.answers)] += 1
    lost, unknown = smtplib.SMTPServerDisconnected.__name__, DeliveryUnknown.__name__
    assert {(lost,), (lost, lost), (unknown, lost), ("dict", lost), ("dict", unknown)} <= seen.keys()
