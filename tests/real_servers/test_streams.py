"""A stream of messages: each has its answer, in order, and arrives as often as the answer says."""

from __future__ import annotations

import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge import DeliveryUnknown, Outcome, classify

from .conftest import Mail
from .exim import exim
from .server import ANNA, BANNED, BERT, BUSY, CLEO, ELSEWHERE, NOBODY, SIZE_LIMIT, SPAM, RealServer
from .sessions import PipelinedSMTP, PipelinedSMTP_SSL, beyond_smtplib

pytestmark = beyond_smtplib

Item = tuple[str, list[str], bytes]


def numbered(mail: Mail, number: int, size: int = 0) -> bytes:
    return mail.content + b"Message %d.\r\n" % number + (b"." * 70 + b"\r\n") * (size // 72)


def arrived(server: RealServer, mail: Mail) -> Counter[tuple[str, bytes]]:
    return Counter((copy.recipient, copy.content) for copy in server.received(mail.sender))


def kind(answer: Any) -> Any:
    return type(answer) if isinstance(answer, Exception) else {address: reply[0] for address, reply in answer.items()}


def test_fifty_messages_of_which_some_are_refused(server: RealServer, mail: Mail) -> None:
    unknown, busy = server.refusals[NOBODY][0], server.refusals[BUSY][0]
    cases: list[tuple[str, list[str], Any]] = [
        (mail.sender, [BERT], {}),
        (mail.sender, [ANNA, NOBODY, CLEO], {NOBODY: unknown}),
        (mail.sender, [NOBODY, BUSY], smtplib.SMTPRecipientsRefused),
        (mail.sender, [BUSY, ANNA], {BUSY: busy}),
        (BANNED, [ANNA, BERT], smtplib.SMTPSenderRefused),
        (mail.sender, [ANNA, BERT, CLEO], {}),
        (BANNED, [NOBODY], smtplib.SMTPSenderRefused),
        (mail.sender, [f"{ANNA} {BERT}"], ValueError),
        (mail.sender, [ELSEWHERE], smtplib.SMTPRecipientsRefused),
        (mail.sender, [], smtplib.SMTPRecipientsRefused),
    ]
    sent = [(*cases[number % 10], numbered(mail, number)) for number in range(50)]
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        answers = list(smtp.send_stream([(sender, to, content) for sender, to, _, content in sent]))
        assert [kind(answer) for answer in answers] == [answer for _, _, answer, _ in sent]
        assert smtp.noop()[0] == 250
    expected = Counter(
        (address, content)
        for _, to, answer, content in sent
        if isinstance(answer, dict)
        for address in to
        if address not in answer
    )
    assert arrived(server, mail) == expected
    assert server.received(BANNED) == []


def test_a_refused_one_beside_each_other_kind_of_neighbour(server: RealServer, mail: Mail) -> None:
    """What must be sent after one that was refused, before the next one, is not sent where it does not belong."""
    kinds: dict[str, tuple[str, list[str]]] = {
        "accepted": (mail.sender, [BERT]),
        "some": (mail.sender, [NOBODY, BERT]),
        "nobody": (mail.sender, [NOBODY]),
        "banned": (BANNED, [BERT]),
        "malformed": (f"{ANNA} {BERT}", [BERT]),
        "too large": (mail.sender, [BERT]),
        "spam": (mail.sender, [BERT]),
    }
    answered: dict[str, Any] = {"accepted": {}, "some": {NOBODY: server.refusals[NOBODY][0]}, "malformed": ValueError}
    answered |= {"nobody": smtplib.SMTPRecipientsRefused, "spam": smtplib.SMTPDataError}
    answered |= dict.fromkeys(("banned", "too large"), smtplib.SMTPSenderRefused)
    # One that is accepted each time: after twenty errors without one, Postfix ends the session.
    names = [name for first in kinds for second in kinds for name in (first, second, "accepted")]
    contents = [
        (SPAM if name == "spam" else b"") + numbered(mail, number, SIZE_LIMIT + 100 if name == "too large" else 0)
        for number, name in enumerate(names)
    ]
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        items = [(*kinds[name], content) for name, content in zip(names, contents, strict=True)]
        assert [kind(answer) for answer in smtp.send_stream(items)] == [answered[name] for name in names]
    accepted = [content for name, content in zip(names, contents, strict=True) if name in ("accepted", "some")]
    assert arrived(server, mail) == Counter((BERT, content) for content in accepted)


def test_large_messages_over_tls(server: RealServer, mail: Mail, trusting: ssl.SSLContext) -> None:
    contents = [numbered(mail, number, 300_000 if number % 2 else 0) for number in range(10)]
    with closing(PipelinedSMTP_SSL(server.host, server.ports["tls"], context=trusting)) as smtp:
        assert list(smtp.send_stream([(mail.sender, [BERT], content) for content in contents])) == [{}] * 10
    assert arrived(server, mail) == Counter((BERT, content) for content in contents)


def test_a_source_that_has_to_wait(server: RealServer, mail: Mail) -> None:
    """Between two messages at hand the session waits, with nothing begun that the server could give up."""
    contents = [numbered(mail, number) for number in range(4)]
    answers: list[Any] = []

    def source() -> Iterator[Item | None]:
        for number, content in enumerate(contents):
            yield (mail.sender, [BERT], content)
            if number % 2:
                yield None
                assert len(answers) == number + 1

    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for answer in smtp.send_stream(source()):
            answers.append(answer)  # noqa: PERF402 - the source looks at them
    assert answers == [{}] * 4
    assert arrived(server, mail) == Counter((BERT, content) for content in contents)


def test_a_stream_that_is_left(server: RealServer, mail: Mail) -> None:
    """The envelope of the next message is with the server already, and its content is never sent."""
    contents = [numbered(mail, number) for number in range(10)]
    smtp = PipelinedSMTP(server.host, server.port)
    stream = smtp.send_stream([(mail.sender, [BERT], content) for content in contents])
    assert [next(stream), next(stream)] == [{}, {}]
    stream.close()
    smtp.connect(server.host, server.port)
    assert smtp.sendmail(mail.sender, [CLEO], mail.content) == {}
    smtp.quit()
    assert arrived(server, mail) == Counter([(BERT, contents[0]), (BERT, contents[1]), (CLEO, mail.content)])


def test_refused_messages_in_a_row_do_not_use_up_what_a_server_bears(postfix: RealServer, mail: Mail) -> None:
    """After twenty errors Postfix ends the session, and of a pipelined envelope RCPT and DATA are errors, too."""
    with PipelinedSMTP(postfix.host, postfix.port) as smtp:
        items = [(BANNED, [BERT], mail.content)] * 12 + [(mail.sender, [BERT], mail.content)]
        *refused, last = list(smtp.send_stream(items))
        assert smtp.sock is not None
    assert [isinstance(answer, smtplib.SMTPSenderRefused) for answer in refused] == [True] * 12
    assert last == {}
    assert arrived(postfix, mail) == Counter([(BERT, mail.content)])


def test_421_after_too_many_errors(postfix: RealServer, mail: Mail) -> None:
    """What was not answered has not been sent; nothing is lost or doubled by sending it again."""
    recipients = [[BERT], [ANNA], [NOBODY], [NOBODY, BUSY], [BERT], [CLEO]]
    items = [(mail.sender, to, numbered(mail, number)) for number, to in enumerate(recipients)]
    with PipelinedSMTP(postfix.host, postfix.ports["strict"]) as smtp:
        answers = list(smtp.send_stream(items))
        assert smtp.sock is None
    assert answers[:2] == [{}, {}]
    failures = [classify(answer) for answer in answers[2:] if isinstance(answer, Exception)]
    assert len(failures) == 4
    assert [failure.outcome for failure in failures[2:]] == [Outcome.TRANSIENT] * 2
    with PipelinedSMTP(postfix.host, postfix.port) as smtp:
        assert list(smtp.send_stream(items[4:])) == [{}, {}]
    assert arrived(postfix, mail) == Counter((items[n][1][0], items[n][2]) for n in (0, 1, 4, 5))


@pytest.mark.parametrize("size", [0, 100_000])
@pytest.mark.parametrize("last", [0, 7])
def test_a_server_that_is_killed(certificate: Path, mail: Mail, last: int, size: int) -> None:
    """What it has accepted arrives once; what was not sent, not at all; of one at most, nobody knows."""
    contents = [numbered(mail, number, size) for number in range(12)]
    with exim(certificate, delivers=False) as server:

        def source() -> Iterator[Item]:
            for number, content in enumerate(contents):
                if number == last + 1:  # the content of the one before is not sent yet
                    server.kill()
                yield (mail.sender, [BERT], content)

        with closing(PipelinedSMTP(server.host, server.port)) as smtp:
            answers = list(smtp.send_stream(source()))
        server.deliver()
        copies = arrived(server, mail)
    assert len(answers) == len(contents)
    for content, answer in zip(contents, answers, strict=True):
        if answer == {}:
            assert copies[BERT, content] == 1
        else:
            assert isinstance(answer, smtplib.SMTPServerDisconnected)
            assert copies[BERT, content] == 0
            expected = Outcome.UNKNOWN if isinstance(answer, DeliveryUnknown) else Outcome.TRANSIENT
            assert classify(answer).outcome is expected
    assert [answer == {} for answer in answers] == [True] * last + [False] * (len(contents) - last)
    assert sum(isinstance(answer, DeliveryUnknown) for answer in answers) <= 1
