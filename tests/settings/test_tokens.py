"""Access tokens: how long one is used, that all share it, and what happens when it is refused."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import math
import os
import pickle
import smtplib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asyncsmtp_bridge import BoundedExecutor, SMTPSettings, configure
from asyncsmtp_bridge.settings import InvalidSettings
from asyncsmtp_bridge.settings.credentials import SecretText, TokenSource
from tests.hop.gate import PATIENCE, Gate
from tests.hop.process import python

from .asking import FLAWED, Asked, Clock, Waits, opened, outcomes
from .logins import TokenPost, to
from .planted import SECRET, found_in, shown_by

# Tokens: how long they are good for.


def test_a_token_logs_in() -> None:
    with TokenPost(SECRET) as post:
        assert opened(to(post, access_token=SECRET)) == 250
        assert post.tokens == [SECRET]


def test_a_token_of_which_nobody_says_how_long_it_is_good_for_is_asked_for_at_each_connect() -> None:
    ask = Asked("one", "two")
    with TokenPost("one", "two") as post:
        settings = to(post, access_token=ask)
        assert ask.times == 0
        assert [opened(settings), opened(settings)] == [250, 250]
        assert post.tokens == ["one", "two"]


@pytest.mark.parametrize(
    ("seconds", "used_for"), [(3600, 3540.0), (3600.0, 3540.0), (600, 540.0), (100, 90.0), (0.5, 0.45)]
)
def test_a_token_is_used_until_shortly_before_it_expires(clock: Clock, seconds: float, used_for: float) -> None:
    ask = Asked(("one", seconds), ("two", seconds))
    source = TokenSource(ask)
    assert source.token() == SecretText("one")
    clock.now += used_for - 0.01
    assert source.token() == SecretText("one")
    clock.now += 0.02
    assert source.token() == SecretText("two")
    assert ask.times == 2


def test_the_time_that_asking_takes_is_part_of_the_time_that_a_token_is_good_for(clock: Clock) -> None:
    def slowly() -> tuple[str, float]:
        clock.now += 50
        return f"of {clock.now}", 100

    source = TokenSource(slowly)
    assert source.token() == SecretText("of 1050.0")
    clock.now = 1089.9
    assert source.token() == SecretText("of 1050.0")
    clock.now = 1090.1
    assert source.token() == SecretText("of 1140.1")


@pytest.mark.parametrize("seconds", [0, -1, -math.inf])
def test_a_token_that_has_expired_already_is_asked_for_each_time(seconds: float) -> None:
    ask = Asked(("one", seconds), ("two", seconds))
    source = TokenSource(ask)
    assert [source.token(), source.token()] == [SecretText("one"), SecretText("two")]


@pytest.mark.parametrize("seconds", [math.inf, 10**400, 1e308])
def test_a_token_may_be_good_for_ever(seconds: float) -> None:
    ask = Asked(("one", seconds))
    source = TokenSource(ask)
    assert [source.token(), source.token()] == [SecretText("one")] * 2
    assert ask.times == 1


@pytest.mark.parametrize(
    "answer",
    [
        (),
        (SECRET,),
        (SECRET, None),
        (SECRET, "3600"),
        (SECRET, True),
        (SECRET, 60, 60),
        (SECRET, math.nan),
        (60, SECRET),
    ],
)
def test_a_tuple_that_is_not_a_token_and_its_seconds_is_refused_and_not_shown(answer: Any) -> None:
    with pytest.raises(InvalidSettings, match="a tuple that is not a token and the seconds") as caught:
        SMTPSettings("127.0.0.1", 9, "none", "anna", access_token=lambda: answer).connect_sync()
    assert not found_in(shown_by(caught.value))


@pytest.mark.parametrize(("answer", "said"), FLAWED.values(), ids=FLAWED)
def test_a_token_that_comes_with_its_time_and_cannot_be_one_is_refused_and_not_shown(answer: Any, said: str) -> None:
    with pytest.raises(InvalidSettings, match=f"^access_token: .*{said}") as caught:
        SMTPSettings("127.0.0.1", 9, "none", "anna", access_token=lambda: (answer, 3600)).connect_sync()
    assert not found_in(shown_by(caught.value))


# Tokens: one for all.


@pytest.mark.parametrize("count", [8, 64])
@pytest.mark.parametrize("answer", ["one", ("one", 3600)], ids=["str", "tuple"])
def test_sessions_that_are_opened_at_once_ask_once(count: int, answer: Any, waits: Waits) -> None:
    asked = Asked(answer)
    with TokenPost("one") as post, Gate() as gate:

        def ask() -> Any:
            gate()
            return asked()

        def answer_when_all_wait() -> None:
            waits.come(count - 1)
            gate.open()

        assert outcomes(to(post, access_token=ask), count, answer_when_all_wait) == [250] * count
        assert post.tokens == ["one"] * count
    assert asked.times == 1


async def test_sessions_that_are_awaited_at_once_ask_once() -> None:
    ask = Asked(("one", 3600))
    with TokenPost("one") as post:
        settings = to(post, access_token=ask)

        async def opened_and_closed() -> int:
            async with settings.connect() as session:
                return (await session.noop())[0]

        assert await asyncio.gather(*(opened_and_closed() for _ in range(32))) == [250] * 32
    assert ask.times == 1


@pytest.mark.parametrize("kind", [LookupError, OSError, InvalidSettings])
def test_who_waited_gets_the_failure_too_and_the_next_one_asks_again(kind: type[BaseException], waits: Waits) -> None:
    error = kind("the vault is sealed")
    asked = Asked(error, ("one", 3600))
    with TokenPost("one") as post, Gate() as gate:

        def ask() -> Any:
            gate()
            return asked()

        def fail_when_all_wait() -> None:
            waits.come(7)
            gate.open()

        settings = to(post, access_token=ask)
        assert outcomes(settings, 8, fail_when_all_wait) == [error] * 8
        assert (asked.times, post.tokens) == (1, [])
        assert opened(settings) == 250
    assert asked.times == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_interrupts_who_asks_is_for_nobody_else_and_one_of_those_who_waited_asks(
    kind: type[BaseException], waits: Waits
) -> None:
    error = kind()
    asked = Asked(error, ("one", 3600))
    with TokenPost("one") as post, Gate() as gate:

        def ask() -> Any:
            gate()
            return asked()

        def interrupt_when_all_wait() -> None:
            waits.come(7)
            gate.open()

        came = outcomes(to(post, access_token=ask), 8, interrupt_when_all_wait)
        assert [each for each in came if each != 250] == [error]
        assert (asked.times, post.tokens) == (2, ["one"] * 7)


def test_settings_that_are_changed_share_the_token() -> None:
    ask = Asked(("one", 3600))
    with TokenPost("one") as post:
        settings = to(post, access_token=ask)
        assert opened(settings) == 250
        for changed in (
            dataclasses.replace(settings, timeout=20),
            copy.copy(settings),
            copy.deepcopy(settings),
        ):
            assert opened(changed) == 250
    assert ask.times == 1


# Tokens: those that are refused.


def test_a_token_that_is_refused_is_refreshed_and_tried_once_more_over_a_new_connection() -> None:
    ask = Asked(("old", 3600), ("new", 3600))
    with TokenPost("new") as post:
        settings = to(post, access_token=ask)
        assert [opened(settings), opened(settings)] == [250, 250]
        assert post.tokens == ["old", "new", "new"]
        assert post.verbs[:4] == ["EHLO", "AUTH", "EHLO", "AUTH"]
    assert ask.times == 2


@pytest.mark.parametrize("smtp_class", [None, smtplib.SMTP])
def test_a_second_refusal_is_raised(smtp_class: Any) -> None:
    ask = Asked(("one", 3600), ("two", 3600), ("three", 3600))
    with TokenPost() as post, pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        to(post, access_token=ask).connect_sync(smtp_class=smtp_class)
    assert caught.value.smtp_code == 535
    assert post.tokens == ["one", "two"]
    assert ask.times == 2


@pytest.mark.parametrize("answer", ["one", ("one", 3600)], ids=["str", "tuple"])
def test_where_the_same_token_comes_again_the_refusal_is_raised_and_no_second_one_asked_for(answer: Any) -> None:
    ask = Asked(answer)
    with TokenPost() as post, pytest.raises(smtplib.SMTPAuthenticationError):
        to(post, access_token=ask).connect_sync()
    assert post.tokens == ["one"]
    assert ask.times == 2


def test_a_token_that_cannot_be_refreshed_says_why_and_that_it_was_refused() -> None:
    error = LookupError("the vault is sealed")
    with TokenPost() as post, pytest.raises(LookupError) as caught:
        to(post, access_token=Asked(("one", 3600), error)).connect_sync()
    assert caught.value is error
    assert isinstance(error.__context__, smtplib.SMTPAuthenticationError)


@pytest.mark.parametrize("refusal", ["454 4.7.0 later", "530 5.7.0 STARTTLS first", "534 5.7.9 too weak", "421 bye"])
def test_another_refusal_has_nothing_to_do_with_the_token(refusal: str) -> None:
    ask = Asked(("one", 3600), ("two", 3600))
    with TokenPost(refusal=refusal) as post, pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        to(post, access_token=ask).connect_sync()
    assert caught.value.smtp_code == int(refusal[:3])
    assert (ask.times, post.tokens) == (1, ["one"])


def test_a_token_that_is_written_down_is_not_tried_again() -> None:
    with TokenPost() as post, pytest.raises(smtplib.SMTPAuthenticationError):
        to(post, access_token=SECRET).connect_sync()
    assert post.tokens == [SECRET]


@pytest.mark.parametrize("seconds", [3600, None], ids=["with expiry", "without"])
def test_sessions_that_are_all_refused_refresh_once_between_them(seconds: float | None) -> None:
    count, barrier = 8, threading.Barrier(8)
    tokens = ["old", "new"] if seconds is None else [("old", seconds), ("new", seconds)]
    ask = Asked(*tokens)

    class Together(TokenPost):
        def _answer_to(self, command: str, verb: str, recipients: list[str]) -> Any:
            answer = super()._answer_to(command, verb, recipients)
            if answer == self.refusal:
                barrier.wait(PATIENCE)
            return answer

    class OldForAll(TokenSource):
        """Every session begins with the first token, though it may come late."""

        def token(self, refused: SecretText | None = None) -> SecretText:
            return super().token(refused) if refused is not None or not ask.times else SecretText("old")

    with Together("new") as post:
        source = OldForAll(ask)
        assert source.token() == SecretText("old")
        assert outcomes(to(post, access_token=source), count) == [250] * count
        assert sorted(post.tokens) == ["new"] * count + ["old"] * count
    assert ask.times == 2


# Tokens: who goes away, and other processes.


@pytest.mark.parametrize("cancelled", ["who asks", "who waits"])
async def test_a_session_that_is_cancelled_while_the_token_comes_leaves_it_to_the_other(
    cancelled: str, waits: Waits
) -> None:
    configure(cancel_grace=0.05)
    asked = Asked(("one", 3600))
    with TokenPost("one") as post, Gate() as gate:

        def ask() -> Any:
            gate()
            return asked()

        settings = to(post, access_token=ask)
        async with BoundedExecutor(2) as executor:
            asks = asyncio.ensure_future(_awaited(settings, executor))
            await gate.has_entered(1)
            waiting = asyncio.ensure_future(_awaited(settings, executor))
            await asyncio.to_thread(waits.come, 1)
            gone, stays = (asks, waiting) if cancelled == "who asks" else (waiting, asks)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(gone, PATIENCE)
            assert not gate.left
            assert executor.stats().running == 2
            gate.open()
            session = await stays
            assert (await session.noop())[0] == 250
            await session.quit()
        assert asked.times == 1
        assert post.tokens == ["one"]


async def _awaited(settings: SMTPSettings, executor: BoundedExecutor) -> Any:
    return await settings.connect(executor=executor)


FORKED = """
import os, sys, threading, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
from asyncsmtp_bridge.settings import credentials
from asyncsmtp_bridge.settings.credentials import TokenSource

entered, go = threading.Event(), threading.Event()

def ask():
    if os.getpid() == parent:
        entered.set()
        assert go.wait(20)
    return f"of {'parent' if os.getpid() == parent else 'child'}", 3600

parent = os.getpid()
source = TokenSource(ask)
asking = threading.Thread(target=source.token)
asking.start()
assert entered.wait(20)
LOCKED
pid = os.fork()
if not pid:
    thread = threading.Thread(target=lambda: print("child:", source.token().reveal(), flush=True), daemon=True)
    thread.start()
    thread.join(10)
    os._exit(thread.is_alive())
assert os.waitpid(pid, 0)[1] == 0, "the child waits for what only the parent gets"
UNLOCKED
go.set()
asking.join()
print("parent:", source.token().reveal())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("is_locked", [False, True], ids=["while the parent asks", "while the lock is held"])
def test_the_child_of_a_fork_asks_itself(is_locked: bool) -> None:
    script = FORKED.replace("UNLOCKED", "held.release()" if is_locked else "")
    script = script.replace("LOCKED", "held = credentials._lock; held.acquire()" if is_locked else "")
    process = python(script)
    assert process.out.splitlines() == ["child: of child", "parent: of parent"], process.err


# Values.


def test_sources_of_the_same_function_are_equal() -> None:
    def settings(ask: Callable[[], str]) -> SMTPSettings:
        return SMTPSettings("mail.example.org", username="anna", access_token=ask)

    assert settings(os.getcwd) == settings(os.getcwd)
    assert hash(settings(os.getcwd)) == hash(settings(os.getcwd))
    assert settings(os.getcwd) != settings(os.getlogin)
    assert TokenSource(os.getcwd) != os.getcwd


def test_a_pickle_has_the_function_and_no_token() -> None:
    source = TokenSource(_token)
    settings = SMTPSettings("mail.example.org", username="anna", access_token=source)
    assert source.token() == SecretText(SECRET)
    pickled = pickle.dumps(settings)
    assert not found_in(repr(pickled))
    assert pickle.loads(pickled) == settings


def _token() -> tuple[str, float]:
    return SECRET, 3600


def test_a_function_is_shown_by_its_name_and_with_nothing_that_it_has() -> None:
    settings = SMTPSettings("mail.example.org", username="anna", access_token=_token)
    assert repr(settings) == "SMTPSettings(host='mail.example.org', port=25, username='anna', access_token=<_token>)"
