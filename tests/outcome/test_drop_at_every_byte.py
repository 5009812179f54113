"""The connection is lost at every byte of a transaction: what is said of the message is true at each of them.

The oracle reads no traceback. Whether sending the content returned, and whether a complete reply to it was read, is
known from one of three witnesses: the wire, which after a FIN takes all that is sent; the calls that smtplib makes, as
a profiler sees them; or a session class that looks at its own sends and replies. The first two leave smtplib as it is.
"""

from __future__ import annotations

import smtplib
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from asyncsmtp_bridge import Outcome, classify
from asyncsmtp_bridge.testing import SMTPTestServer

from .cutting import (
    END_OF_CONTENT,
    Cut,
    CuttingWire,
    End,
    Facts,
    Passage,
    Side,
    complete_replies,
    session_class_watching,
    watched_calls,
)

SENDER = "anna@example.org"
RECIPIENTS = ["bert@example.org", "cleo@example.net"]
CONTENT = b"Subject: Hello\r\n\r\nA short line.\r\n.A line with a dot\r\n"
LARGE = b"Subject: Large\r\n\r\n" + b"0123456789abcdef" * 4 + b"\r\n"
LARGE += LARGE[-66:] * 45_000


@dataclass
class Case:
    """A call on a wire that may be cut."""

    facts: Facts
    error: Exception | None
    passage: Passage

    def expected(self) -> Outcome | None:
        if self.facts.returned:
            return None
        return Outcome.UNKNOWN if self.facts.sent and not self.facts.answered else Outcome.TRANSIENT

    def must_be_true(self) -> None:
        if self.error is None:
            assert self.facts.returned
            assert self.passage.kept
            return
        outcome = classify(self.error).outcome
        assert outcome is self.expected(), (outcome, self.facts, repr(self.error))
        if self.passage.kept:
            assert outcome not in (Outcome.TRANSIENT, Outcome.PERMANENT)


Make = Callable[..., smtplib.SMTP]
Call = Callable[[Make, CuttingWire, Facts], None]


def open_session(make: Make, wire: CuttingWire) -> smtplib.SMTP:
    return make(wire.host, wire.port, local_hostname="client.example.org", timeout=10)


def by_sendmail(make: Make, wire: CuttingWire, facts: Facts, content: bytes = CONTENT) -> None:
    with open_session(make, wire) as session:
        session.sendmail(SENDER, RECIPIENTS, content)
        facts.returned = True


def by_send_message(make: Make, wire: CuttingWire, facts: Facts) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, ", ".join(RECIPIENTS), "Hello"
    message.set_content("A short line.\n.A line with a dot\n")
    with open_session(make, wire) as session:
        session.send_message(message)
        facts.returned = True


def by_sendmail_and_quit(make: Make, wire: CuttingWire, facts: Facts) -> None:
    session = open_session(make, wire)
    try:
        session.sendmail(SENDER, RECIPIENTS, CONTENT)
        facts.returned = True
        session.quit()
    finally:
        session.close()


def by_sending_what_is_large(make: Make, wire: CuttingWire, facts: Facts) -> None:
    by_sendmail(make, wire, facts, LARGE)


CALLS: dict[str, Call] = {
    "sendmail": by_sendmail,
    "send_message": by_send_message,
    "sendmail and quit": by_sendmail_and_quit,
}


# The witnesses.


def watched_by_the_wire(call: Call, wire: CuttingWire) -> Case:
    """Let the wire be the witness, which it can be where it takes everything."""
    assert wire.cut is None or wire.cut.end == "FIN"
    facts = Facts()
    error = error_of(lambda: call(smtplib.SMTP, wire, facts))
    passage = wire.passage()
    facts.sent = END_OF_CONTENT in passage.commands
    facts.answered = complete_replies(passage.replies) >= 7  # greeting, EHLO, MAIL, two RCPT, DATA, and this one
    return Case(facts, error, passage)


def watched_by_its_calls(call: Call, wire: CuttingWire) -> Case:
    """Let the client's calls be the witness."""
    facts = Facts()
    with watched_calls(facts):
        error = error_of(lambda: call(smtplib.SMTP, wire, facts))
    return Case(facts, error, wire.passage())


def watched_by_its_class(call: Call, wire: CuttingWire) -> Case:
    """Let the session be the witness: a class of its own, as an organisation may have."""
    facts = Facts()

    error = error_of(lambda: call(session_class_watching(facts), wire, facts))
    return Case(facts, error, wire.passage())


Witness = Callable[[Call, CuttingWire], Case]
WITNESSES: dict[str, tuple[Witness, End]] = {
    "seen by the wire, FIN": (watched_by_the_wire, "FIN"),
    "seen in its calls, FIN": (watched_by_its_calls, "FIN"),
    "seen in its calls, RST": (watched_by_its_calls, "RST"),
    "seen by its class, FIN": (watched_by_its_class, "FIN"),
    "seen by its class, RST": (watched_by_its_class, "RST"),
}


def error_of(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


@pytest.fixture
def wire() -> Iterator[CuttingWire]:
    with SMTPTestServer() as server, CuttingWire(server) as wire:
        yield wire


def length(wire: CuttingWire, call: Call, side: Side) -> int:
    """Return how many bytes a side has to say if nothing goes wrong."""
    wire.cut = None
    case = watched_by_the_wire(call, wire)
    assert case.error is None
    case.must_be_true()
    return len(case.passage.replies if side == "server" else case.passage.commands)


CASES = [("sendmail", witness) for witness in WITNESSES]
CASES += [(call, witness) for call in CALLS for witness in WITNESSES if call != "sendmail" and "class" not in witness]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize(("call", "witness"), CASES)
def test_what_is_said_is_true_wherever_the_connection_was_lost(
    wire: CuttingWire, call: str, witness: str, side: Side
) -> None:
    watched, end = WITNESSES[witness]
    for after in range(length(wire, CALLS[call], side) + 1):
        wire.cut = Cut(side, after, end)
        case = watched(CALLS[call], wire)
        try:
            case.must_be_true()
        except AssertionError as error:
            raise AssertionError(f"{wire.cut}: {error}") from case.error


@pytest.mark.timeout(60)
@pytest.mark.parametrize("witness", WITNESSES)
def test_what_is_said_is_true_wherever_it_was_lost_within_a_large_content(wire: CuttingWire, witness: str) -> None:
    watched, end = WITNESSES[witness]
    total = length(wire, by_sending_what_is_large, "client")
    content = len(LARGE) + len(END_OF_CONTENT) + len(b"QUIT\r\n")
    offsets = {total - content + content * part // 12 for part in range(13)} | {total - back for back in range(12)}
    for after in sorted(offsets):
        wire.cut = Cut("client", after, end)
        watched(by_sending_what_is_large, wire).must_be_true()


@pytest.mark.parametrize("call", CALLS)
def test_every_outcome_comes_up_and_some_mail_is_kept_unanswered(wire: CuttingWire, call: str) -> None:
    outcomes = set()
    for after in range(length(wire, CALLS[call], "server") + 1):
        wire.cut = Cut("server", after, "FIN")
        case = watched_by_the_wire(CALLS[call], wire)
        outcomes.add((case.facts.returned, case.expected(), bool(case.passage.kept)))
    assert {
        (False, Outcome.TRANSIENT, False),
        (False, Outcome.UNKNOWN, False),  # lost with the last bytes of the reply to DATA
        (False, Outcome.UNKNOWN, True),
        (True, None, True),
    } <= outcomes


# Through wrappers that know nothing of outcomes.


class CorpError(Exception):
    """What an organisation's own wrapper raises."""


def in_its_context(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        raise CorpError("the mail was not sent")  # noqa: B904 - as people write it


def as_its_cause(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        raise CorpError("the mail was not sent") from error


def hidden(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        raise CorpError("the mail was not sent") from None


def two_levels_deep(call: Callable[[], None]) -> None:
    try:
        in_its_context(call)
    except CorpError as error:
        raise RuntimeError("the order was not confirmed") from error


def raised_again(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        kept = error
    raise kept


def without_its_frames(call: Callable[[], None]) -> None:
    """Do as unittest's assertRaises does."""
    try:
        two_levels_deep(call)
    except RuntimeError as error:
        raised: BaseException | None = error
        while raised is not None:
            traceback.clear_frames(raised.__traceback__)
            raised = raised.__context__
        raise


def in_a_group(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        raise ExceptionGroup("some mails were not sent", [error])  # noqa: B904, F821 - from Python 3.11 on


def afterwards(call: Callable[[], None]) -> None:
    """Raise when the error is handled, and forgotten."""
    failed = False
    try:
        call()
    except Exception:
        failed = True
    if failed:
        raise CorpError("the mail was not sent")


Wrapper = Callable[[Callable[[], None]], None]
WRAPPERS: list[Wrapper] = [in_its_context, as_its_cause, hidden, two_levels_deep, raised_again, without_its_frames]
if sys.version_info >= (3, 11):
    WRAPPERS.append(in_a_group)


def wrapped(wrapper: Wrapper, call: Call) -> Call:
    return lambda make, wire, facts: wrapper(lambda: call(make, wire, facts))


def cuts(wire: CuttingWire, end: End) -> Iterator[Cut]:
    """Choose cuts: around the beginning and the end of everything that a side says, and within."""
    wire.cut = None
    by_sendmail(smtplib.SMTP, wire, Facts())
    passage = wire.passage()
    sides: list[tuple[Side, bytes]] = [("server", passage.replies), ("client", passage.commands)]
    for side, said in sides:
        offset = 0
        for line in said.splitlines(keepends=True):
            for within in (0, 1, 3, len(line) // 2, len(line) - 1):
                yield Cut(side, offset + within, end)
            offset += len(line)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("witness", ["seen by the wire, FIN", "seen in its calls, RST"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_it_is_true_through_a_wrapper(wire: CuttingWire, wrapper: Wrapper, witness: str) -> None:
    watched, end = WITNESSES[witness]
    for cut in cuts(wire, end):
        wire.cut = cut
        watched(wrapped(wrapper, by_sendmail), wire).must_be_true()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", ["FIN", "RST"])
def test_nothing_is_said_of_an_error_without_a_chain(wire: CuttingWire, end: End) -> None:
    for cut in cuts(wire, end):
        wire.cut = cut
        case = watched_by_its_calls(wrapped(afterwards, by_sendmail), wire)
        assert case.error is None or classify(case.error).outcome is None


@pytest.mark.timeout(60)
def test_what_was_kept_is_never_said_to_have_failed_where_the_traceback_is_lost(wire: CuttingWire) -> None:
    for cut in cuts(wire, "FIN"):
        wire.cut = cut
        case = watched_by_the_wire(by_sendmail, wire)
        if case.error is not None and case.passage.kept:
            assert classify(case.error.with_traceback(None)).outcome in (Outcome.UNKNOWN, None)
