"""Whatever a server says: no call hangs, fails in a way that smtplib's callers do not know, or goes on out of step.

What is said is drawn by seed, other octets for each version of Python. A case that fails is shown with its seed: give
it to `REPEAT`, to have it alone.
"""

from __future__ import annotations

import random
import smtplib
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncsmtp_bridge import PipelinedSMTP, connection

from .accounts import NAME, LMTPOnWire, SMTPOnWire, answer_of, had, in_a_stream, one_by_one, shown
from .dialogues import Answer, Dialogue, Step, draw
from .garbage import ENDLESS, Clock, EndlessWire, conversation, reply, spoken
from .playing import Wire

CASES = 2_000
CASES_OF_A_CALL = 250
FIRST_SEED = sys.version_info[1] * 100_000
REPEAT: int | None = None


def draws(count: int) -> Iterator[tuple[int, random.Random]]:
    for seed in range(FIRST_SEED, FIRST_SEED + count) if REPEAT is None else [REPEAT]:
        yield seed, random.Random(seed)


# One reply after the other.


def on(wire: Wire, kind: type[smtplib.SMTP]) -> smtplib.SMTP:
    """Return a session that is in the middle of a conversation."""
    session = kind(local_hostname=NAME)
    session.sock = wire  # type: ignore[assignment]
    return session


def replies_read(session: smtplib.SMTP) -> list[Any]:
    """Read up to the end, or to what is no reply."""
    read: list[Any] = []
    while len(read) < 50 and not (read and isinstance(read[-1], Exception)):
        read.append(answer_of(session.getreply))
    session.close()
    return read


def stripped(reply: tuple[int, bytes]) -> tuple[int, list[bytes]]:
    """Return a reply without any white space around its lines, of which smtplib knows four kinds."""
    return reply[0], [line.strip() for line in reply[1].split(b"\n")]


def test_replies_are_read_as_smtplib_reads_them() -> None:
    told: Counter[str] = Counter()
    for seed, chance in draws(CASES):
        octets = conversation(chance, [reply(chance) for _ in range(chance.randrange(8))])
        end = chance.choice(["FIN", "FIN", "RST", "SILENCE"])
        segments = chance.choice(["whole", "pieces", "octets"])
        own, of_smtplib = (
            replies_read(on(spoken(octets, end, chance, segments=segments), kind))
            for kind in (PipelinedSMTP, smtplib.SMTP)
        )
        for answer, expected in zip(own, of_smtplib, strict=False):
            if isinstance(answer, smtplib.SMTPServerDisconnected):
                told["disconnected"] += 1
                break  # for smtplib that may be a reply: one or two digits, lines without end
            if isinstance(expected, tuple) and expected[0] != -1 and answer[0] == -1:
                told["no code"] += 1
                break  # smtplib takes " 25", "+25" and "2_5" for codes, and "-25-" for a line of several
            assert isinstance(answer, tuple), f"seed {seed}: {octets!r}: {answer!r}"
            assert stripped(answer) == stripped(expected), f"seed {seed}: {octets!r}"
            told["same"] += 1
            if answer[0] == 421:
                break  # after which the connection is closed
    assert min(told["disconnected"], told["no code"], told["same"]) > 20, told


# All that a server says.

ENVELOPE = [b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"]
ACCEPTED = b"250 OK\r\n"
CONTENT = b"Subject: x\r\n\r\n.x\r\n"
ITEMS: list[Any] = [
    ("a@a.example", ["b@b.example"], CONTENT),
    None,
    ("a@a.example", ["c@c.example", "d@d.example"], "x"),
]

Call = Callable[[Any], Any]


def logged_in(mechanism: str) -> Call:
    def log_in(session: Any) -> Any:
        session.ehlo()
        session.esmtp_features["auth"] = mechanism
        token = mechanism == "XOAUTH2"
        return session.login("anna", **({"access_token": "t"} if token else {"password": "p"}))

    return log_in


def left(session: Any) -> None:
    with session:
        session.noop()


CALLS: dict[str, tuple[Call, list[bytes]]] = {
    "sendmail": (lambda smtp: smtp.sendmail("a@a.example", ["b@b.example"], CONTENT), [*ENVELOPE, ACCEPTED]),
    "send_stream": (
        lambda smtp: list(smtp.send_stream(ITEMS)),
        [*ENVELOPE, ACCEPTED, ACCEPTED, *ENVELOPE, ACCEPTED],
    ),
    "PLAIN": (logged_in("PLAIN"), [b"334 \r\n", b"235 in\r\n"]),
    "LOGIN": (logged_in("LOGIN"), [b"334 dXNlcg==\r\n", b"334 cGFzcw==\r\n", b"235 in\r\n"]),
    "CRAM-MD5": (logged_in("CRAM-MD5"), [b"334 PDFAbXg+\r\n", b"235 in\r\n"]),
    "XOAUTH2": (logged_in("XOAUTH2"), [b"334 e30=\r\n", b"535 no\r\n"]),
    "login": (lambda smtp: smtp.login("anna", "p"), [b"504 no\r\n", b"334 \r\n", b"235 in\r\n"]),
    "auth": (
        lambda smtp: smtp.auth("X-OWN", lambda challenge=None: None if challenge is None else "x"),
        [b"334 \r\n"] * 6,
    ),
    "ehlo": (lambda smtp: smtp.ehlo(), []),
    "helo": (lambda smtp: smtp.helo(), []),
    "others": (lambda smtp: [smtp.noop(), smtp.vrfy("a"), smtp.expn("l"), smtp.help(), smtp.rset()], [ACCEPTED] * 5),
    "one by one": (
        lambda smtp: [smtp.mail("a@a.example"), smtp.rcpt("b@b.example"), smtp.data(CONTENT)],
        [*ENVELOPE, ACCEPTED],
    ),
    "quit": (lambda smtp: smtp.quit(), [b"221 bye\r\n"]),
    "with": (left, [ACCEPTED, b"221 bye\r\n"]),
}


def must_be_known(session: Any, result: Any) -> None:
    """See that all exceptions are smtplib's, and that a connection that has ended is closed."""
    for each in result if isinstance(result, list) else [result]:
        if isinstance(each, Exception):
            assert isinstance(each, smtplib.SMTPException), f"foreign: {each!r}"
    if isinstance(result, smtplib.SMTPServerDisconnected) and session is not result:
        assert session.sock is None, "not closed"


@pytest.mark.parametrize("kind", [SMTPOnWire, LMTPOnWire])
@pytest.mark.parametrize("name", CALLS)
def test_every_call_ends_as_smtplibs_callers_know_it(name: str, kind: type[SMTPOnWire]) -> None:
    call, replies = CALLS[name]
    ends: Counter[str] = Counter()
    for seed, chance in draws(CASES_OF_A_CALL):
        octets = conversation(chance, replies)
        wire = spoken(octets, chance.choice(["FIN", "RST", "SILENCE"]), chance)
        session: Any = answer_of(lambda wire=wire: kind(wire, cleartext_login=True))
        try:
            result = session if isinstance(session, Exception) else answer_of(lambda session=session: call(session))
            must_be_known(session, result)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {octets!r}: {error}") from error
        finally:
            if not isinstance(session, Exception):
                session.close()
        assert wire.is_closed
        ends[type(result).__name__] += 1
    assert len(ends) > 1, ends


# Only one reply is none.

_NONE_AT_ALL = [
    b"hello\r\n",
    b"\r\n",
    b"\n",
    b"25\r\n",
    b" 250 OK\r\n",
    b"25O OK\r\n",
    b"-25 OK\r\n",
    b"\0\r\n",
    b"\xff\xfe\r\n",
]
_NONE_AT_ALL += [
    b"250 " + b"x" * 9000 + b"\r\n",
    b"250-x\r\n" * 513 + b"250 x\r\n",
    b"hello\r\nthere\r\n",
    b"1\r2\r3\r\n",
]
_UNFIT = [b"100 so\r\n", b"150 soon\r\n", b"600 high\r\n", b"000 low\r\n", b"999 what\r\n", b"199-a\r\n199 b\r\n"]


_THE_END = b"421 closing, but not yet\r\n"


def odd(chance: random.Random, step: Step) -> Answer:
    """Draw an answer that does not fit there."""
    fitting_elsewhere = [b"250 OK\r\n", b"220 hello\r\n"] if step.verb == "DATA" else [b"354 go on\r\n", b"334 \r\n"]
    choices = _NONE_AT_ALL + [_THE_END] * 3 + (_UNFIT + fitting_elsewhere if step.verb != "EHLO" else [])
    reply = chance.choice(choices)
    # Whoever says that he is closing, has not taken the message.
    return Answer(reply, is_kept=step.verb == "content" and reply != _THE_END and chance.random() < 0.5)


def codes_told(answers: list[Any]) -> Iterator[int]:
    """Return the codes of all refusals."""
    for answer in answers:
        if isinstance(answer, smtplib.SMTPResponseException):
            yield answer.smtp_code
        refused = answer if isinstance(answer, dict) else getattr(answer, "recipients", None)
        yield from (code for code, _ in refused.values()) if isinstance(refused, dict) else ()


@pytest.mark.parametrize("is_pipelining", [True, False])
@pytest.mark.parametrize("send", [one_by_one, in_a_stream])
def test_a_session_is_closed_or_in_step_where_one_reply_was_none(send: Any, is_pipelining: bool) -> None:
    for seed, chance in draws(CASES_OF_A_CALL * 2):
        smooth = draw(seed)
        mails = smooth.mails
        several = [Step("MAIL", 1), Step("RCPT", 1, 0), Step("DATA", 1), Step("content", 1), Step("MAIL", len(mails))]
        several += [Step("content", len(mails)), Step("EHLO")]
        step = chance.choice(several)
        play = Dialogue(seed, mails, {step: odd(chance, step)}, ("8BITMIME",), segments=smooth.segments)
        account = had(play, SMTPOnWire, send, is_pipelining=is_pipelining)
        try:
            account.must_be_true()
            assert account.is_in_step or account.was_closed, "out of step"
            assert account.was_closed or not any(code == 421 for code in codes_told(account.answers)), "not closed"
            assert all(400 <= code <= 599 or code == -1 for code in codes_told(account.answers))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{shown(account)}") from error


class Turns:
    """A server that answers each line that it hears, in turn, and in the end says where it stands."""

    def __init__(self, replies: list[bytes]) -> None:
        self.said = bytearray(b"220 mx\r\n")
        self._replies = iter(replies)

    def hear(self, octets: bytes) -> int:
        for line in octets.splitlines():
            self.said += b"250 in step\r\n" if line == b"noop" else next(self._replies, b"503 what?\r\n")
        return len(octets)


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "login", "auth", "ehlo", "helo"])
def test_a_session_is_closed_or_in_step_where_it_logs_in_and_one_reply_was_none(name: str) -> None:
    call, replies = CALLS[name]
    for seed, chance in draws(CASES_OF_A_CALL // 2):
        answers = [b"250-mx\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n", *replies]
        step = chance.randrange(len(answers))
        answers[step] = chance.choice(_NONE_AT_ALL + _UNFIT)
        turns = Turns(answers)
        wire = Wire(turns.hear, turns.said, lambda: "", segments=chance.choice(["whole", "pieces"]), seed=seed)
        session = SMTPOnWire(wire, cleartext_login=True)
        result = answer_of(lambda session=session: call(session))
        must_be_known(session, result)
        told = f"seed {seed}: {answers} brought {result!r}"
        assert session.sock is None or session.noop() == (250, b"in step"), told
        session.close()


# What never ends.

BEGINNING = b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2\r\n"
AT_MOST = 5 << 20
"""Octets of what never ends that are read, at most: 512 lines of 8 KB, and some."""


@pytest.mark.parametrize("pattern", ENDLESS)
@pytest.mark.parametrize("name", CALLS)
def test_what_never_ends_is_cut_off(name: str, pattern: str) -> None:
    wire = EndlessWire(BEGINNING, ENDLESS[pattern])
    session = SMTPOnWire(wire, cleartext_login=True)
    result = answer_of(lambda: CALLS[name][0](session))
    must_be_known(session, result)
    session.close()
    assert wire.read < AT_MOST


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_never_ends_is_cut_off_where_the_greeting_should_be(pattern: str) -> None:
    wire = EndlessWire(b"", ENDLESS[pattern])
    assert isinstance(answer_of(lambda: SMTPOnWire(wire)), smtplib.SMTPException)
    assert wire.is_closed
    assert wire.read < AT_MOST


def test_a_reply_of_20_mb_takes_no_memory() -> None:
    wire = EndlessWire(b"", b"250-" + b"x" * 8000 + b"\r\n")
    session = on(wire, PipelinedSMTP)
    tracemalloc.start()
    try:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.getreply()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * AT_MOST
    assert session.sock is None


@pytest.mark.parametrize("pattern", ["lines of a reply", "a line", "carriage returns", "challenges", "acceptance"])
@pytest.mark.parametrize("name", CALLS)
def test_a_drip_ends_with_the_deadline(name: str, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(connection, "monotonic", clock)
    wire = EndlessWire(BEGINNING, ENDLESS[pattern], at_once=1, clock=clock, pace=0.25)
    session = SMTPOnWire(wire, cleartext_login=True, deadline=60)
    session.ehlo()
    began = clock.now
    result = answer_of(lambda: CALLS[name][0](session))
    must_be_known(session, result)
    session.close()
    calls = {"others": 5, "one by one": 3, "send_stream": 3, "with": 2}.get(name, 1)
    calls += name in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
    assert clock.now - began <= 60 * calls
