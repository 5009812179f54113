"""Random scripts with retries: nobody gets a message twice, and what the caller is told is true.

A script says what goes wrong in each attempt; `scripts` has the server that plays it, and knows who got what. The
scripts differ between versions of Python. One that fails is shown with its seed: give it to `REPEAT`, to play it alone.
"""

from __future__ import annotations

import random
import smtplib
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from asyncsmtp_bridge import (
    AsyncSMTP,
    BoundedExecutor,
    DeliveryUnknown,
    Outcome,
    bridge,
    classify,
    retry_testing,
    retry_transient,
    to_thread,
)

from .scripts import Play, PlayingServer, Script, draw_script

SCRIPTS = 2_500
ATTEMPTS = 4
FIRST_SEED = sys.version_info[1] * 100_000
REPEAT: int | None = None

SENDER = "anna@example.org"
EVERYBODY = ["bert@example.org", "cleo@example.net", "dora@example.com"]

Shape = Literal["one message", "two messages", "connecting again", "failing afterwards", "wrapping errors"]
Leaving = Literal["with", "quit", "close"]
Refused = dict[str, tuple[int, bytes]]


class LogServiceDown(Exception):
    """What has nothing to do with mail."""


class CorpError(Exception):
    """What a wrapper makes of smtplib's errors."""


@dataclass
class Case:
    """One call, and what will go wrong."""

    seed: int
    shape: Shape
    leaving: Leaving
    on_unknown: Literal["raise", "retry"]
    recipients: list[str]
    script: Script
    unreachable: set[int]
    """The attempts at which nobody listens."""
    message: int = 1
    """Which is under way."""

    def __str__(self) -> str:
        how = f"{self.shape}, left by {self.leaving}, on_unknown={self.on_unknown}, unreachable at {self.unreachable}"
        return f"seed {self.seed}: {how}, to {', '.join(self.recipients)}\n{self.script}"

    def message_id(self) -> str:
        return f"<{self.seed}.{self.message}@example.org>"

    def content(self) -> str:
        return f"Message-ID: {self.message_id()}\nSubject: {self.message}\n\nHello.\n"

    def policy(self) -> Any:
        return retry_transient(on_unknown=self.on_unknown) if self.on_unknown == "retry" else retry_transient


def draw(seed: int) -> Case:
    chance = random.Random(seed)
    shapes: list[Shape] = ["one message"] * 5 + ["two messages", "connecting again", "failing afterwards"]
    shapes += ["wrapping errors"]
    recipients = EVERYBODY[: chance.randrange(1, 4)]
    return Case(
        seed=seed,
        shape=chance.choice(shapes),
        leaving=chance.choice(["with", "with", "quit", "close"]),
        on_unknown="retry" if chance.random() < 0.2 else "raise",
        recipients=recipients,
        script=draw_script(chance, recipients, ATTEMPTS * 2),
        unreachable={attempt for attempt in range(1, ATTEMPTS + 1) if chance.random() < 0.05},
    )


class LegacyMailer:
    """What an organisation may have: it has no idea of outcomes."""

    def __init__(self, server: PlayingServer, play: Play) -> None:
        self._port, self._closed_port = server.port, server.closed_port
        self._play = play

    def send(self, case: Case) -> Refused:
        self._play.attempt += 1
        case.message = 1
        match case.shape:
            case "two messages":
                self._send(case)
                case.message = 2
            case "connecting again":
                with suppress(smtplib.SMTPServerDisconnected):
                    return self._send(case)
            case "wrapping errors":
                try:
                    return self._send(case)
                except OSError:
                    raise CorpError("the mail was not sent") from None
        refused = self._send(case)
        if case.shape == "failing afterwards":
            raise LogServiceDown("nobody writes it down")
        return refused

    def _send(self, case: Case) -> Refused:
        port = self._closed_port if self._play.attempt in case.unreachable else self._port
        session = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.org", timeout=10)
        if case.leaving == "with":
            with session:
                return session.sendmail(SENDER, case.recipients, case.content())
        try:
            refused = session.sendmail(SENDER, case.recipients, case.content())
            if case.leaving == "quit":
                session.quit()
        finally:
            session.close()
        return refused


@dataclass
class Account:
    """What became of a case: what the caller was told, and what the server says."""

    case: Case
    play: Play
    refused: Refused | None
    error: Exception | None
    is_function: bool
    """Whether attempts are calls, which can be counted."""

    def must_be_true(self) -> None:
        self._nobody_has_a_second_copy()
        if self.error is None:
            if self.case.shape in ("one message", "wrapping errors"):
                self._all_others_have_it()
            return
        failure = classify(self.error)
        outcome = failure.outcome
        if outcome is Outcome.UNKNOWN and self.case.on_unknown == "raise":
            # Or it is what an earlier message of the same call had come to.
            is_raised = isinstance(self.error, (DeliveryUnknown, CorpError))  # a wrapper's own stays what it is
            assert is_raised or failure.sent_before, "an unknown outcome is not raised"
        if isinstance(self.error, DeliveryUnknown):
            assert self.play.contents, "nothing was sent"
        if outcome is Outcome.PERMANENT and self.case.shape == "connecting again" and self.play.copies:
            # The wrapper has swallowed that it was unknown, and was refused when it tried again.
            assert failure.sent_before, "that it was sent before is not said"
        elif outcome in (Outcome.TRANSIENT, Outcome.PERMANENT):
            self._nobody_has_what_failed()
        if outcome is Outcome.TRANSIENT and self.is_function:
            assert self.play.attempt == ATTEMPTS, "given up too early"

    def _nobody_has_a_second_copy(self) -> None:
        before: dict[tuple[str, str], Any] = {}
        for copy in self.play.copies:
            earlier = before.get((copy.message_id, copy.recipient))
            before[copy.message_id, copy.recipient] = copy
            if earlier is None:
                continue
            if self.case.shape == "connecting again" and earlier.attempt == copy.attempt:
                continue  # the wrapper's own doing
            assert self.case.on_unknown == "retry", f"a second copy: {copy}"
            assert not earlier.told, f"a second copy of what was accepted: {copy}"

    def _all_others_have_it(self) -> None:
        copies = Counter(copy.recipient for copy in self.play.copies)
        assert self.refused is not None
        for recipient in self.case.recipients:
            if recipient not in self.refused:
                assert copies[recipient], f"{recipient} has nothing"
            elif self.case.on_unknown == "raise":
                assert not copies[recipient], f"{recipient} has it"

    def _nobody_has_what_failed(self) -> None:
        for copy in self.play.copies:
            assert copy.message_id != self.case.message_id(), f"it did not fail: {copy}"


# The ways in which a policy is put on a call.


def decorated_function(server: PlayingServer, play: Play, case: Case) -> Refused:
    @case.policy()
    def send(case: Case) -> Refused:
        return LegacyMailer(server, play).send(case)

    return send(case)


def decorated_method(server: PlayingServer, play: Play, case: Case) -> Refused:
    class Mailer(LegacyMailer):
        send = case.policy()(LegacyMailer.send)

    return Mailer(server, play).send(case)


async def bridged_function(server: PlayingServer, play: Play, case: Case, executor: BoundedExecutor) -> Refused:
    def send(case: Case) -> Refused:
        return LegacyMailer(server, play).send(case)

    return await bridge(send, executor=executor, retry=case.policy())(case)


async def bridged_object(server: PlayingServer, play: Play, case: Case, executor: BoundedExecutor) -> Refused:
    return await bridge(LegacyMailer(server, play), executor=executor, retry=case.policy()).send(case)


async def decorated_coroutine_function(
    server: PlayingServer, play: Play, case: Case, executor: BoundedExecutor
) -> Refused:
    @case.policy()
    async def send(case: Case) -> Refused:
        return await to_thread(LegacyMailer(server, play).send, case)

    return await send(case)


async def mirror(server: PlayingServer, play: Play, case: Case, executor: BoundedExecutor) -> Refused:
    case.shape = "one message"
    options: dict[str, Any] = {"local_hostname": "client.example.org", "timeout": 10, "executor": executor}
    async with AsyncSMTP("127.0.0.1", server.port, retry=case.policy(), **options) as smtp:
        return await smtp.sendmail(SENDER, case.recipients, case.content())


Way = Callable[[PlayingServer, Play, Case], Refused]
AsyncWay = Callable[[PlayingServer, Play, Case, BoundedExecutor], Awaitable[Refused]]
WAYS: list[Way] = [decorated_function, decorated_method]
ASYNC_WAYS: list[AsyncWay] = [bridged_function, bridged_object, decorated_coroutine_function, mirror]


def cases_for(way: Way | AsyncWay) -> Iterator[Case]:
    """Draw the cases of a way, each of which has its share."""
    ways: list[Any] = [*WAYS, *ASYNC_WAYS]
    seeds = range(FIRST_SEED + ways.index(way), FIRST_SEED + SCRIPTS, len(ways))
    return map(draw, seeds if REPEAT is None else [REPEAT])


def must_be_true(account: Account) -> None:
    try:
        account.must_be_true()
    except AssertionError as error:
        told = repr(account.error or account.refused)
        copies = "\n".join(map(str, account.play.copies))
        raise AssertionError(f"{error}\n{account.case}\ntold: {told}\n{copies}") from account.error


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_told_is_true_and_nobody_has_it_twice(way: Way) -> None:
    with PlayingServer() as server, retry_testing(attempts=ATTEMPTS):
        for case in cases_for(way):
            play = server.play(case.script)
            refused, error = None, None
            try:
                refused = way(server, play, case)
            except (OSError, CorpError, LogServiceDown) as raised:
                error = raised
            must_be_true(Account(case, play, refused, error, is_function=True))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ASYNC_WAYS)
async def test_awaited_what_is_told_is_true_and_nobody_has_it_twice(way: AsyncWay) -> None:
    with PlayingServer() as server, retry_testing(attempts=ATTEMPTS):
        async with BoundedExecutor(2) as executor:
            for case in cases_for(way):
                play = server.play(case.script)
                refused, error = None, None
                try:
                    refused = await way(server, play, case, executor)
                except (OSError, CorpError, LogServiceDown) as raised:
                    error = raised
                must_be_true(Account(case, play, refused, error, is_function=way is not mirror))


def test_the_scripts_bring_about_every_outcome() -> None:
    seen: Counter[Outcome | None] = Counter()
    kept_unanswered = 0
    with PlayingServer() as server:
        for case in map(draw, range(200)):
            play = server.play(case.script)
            try:
                LegacyMailer(server, play).send(case)
            except (OSError, CorpError, LogServiceDown) as error:
                seen[classify(error).outcome] += 1
            else:
                seen[Outcome.ACCEPTED] += 1
            kept_unanswered += any(not copy.told for copy in play.copies)
    assert set(seen) == {*Outcome, None}
    assert min(*seen.values(), kept_unanswered) >= 5
