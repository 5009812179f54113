"""What is said of retries: a line in the log, a callback; and the switch for people's tests."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import threading
from typing import Any

import pytest
import tenacity

from asyncsmtp_bridge import AsyncSMTP, bridge, classify, retry_testing, retry_transient
from asyncsmtp_bridge.testing import SMTPTestServer, drop, refuse

from .sending import BERT, Sender, at_once, copies, message


def test_each_retry_is_logged_with_message_id_attempt_code_and_wait(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="asyncsmtp_bridge")
    faults = [refuse("RCPT", "450 4.2.1 Busy", times=1), drop("MAIL", nth=2)]
    with SMTPTestServer(faults=faults) as server:
        retry_transient(wait=tenacity.wait_fixed(0.01))(Sender(server).send)()
    refused, dropped = [each for each in caplog.records if each.name == "asyncsmtp_bridge"]
    assert refused.getMessage() == (
        "Sender.send failed for now (450 4.2.1, envelope), attempt 1; the next one in 0.0 s"
    )
    told: dict[str, Any] = vars(refused)
    assert (told["message_id"], told["attempt"], told["code"], told["enhanced_code"], told["next_wait"]) == (
        "<1@example.org>",
        1,
        450,
        "4.2.1",
        0.01,
    )
    assert BERT not in caplog.text
    assert dropped.getMessage() == "Sender.send failed for now (no reply, envelope), attempt 2; the next one in 0.0 s"
    assert (vars(dropped)["code"], vars(dropped)["message_id"]) == (None, "<1@example.org>")


async def test_what_is_logged_of_mirrors_has_the_names_of_smtplib(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="asyncsmtp_bridge")
    faults = [refuse("greeting", "421 4.3.2 Busy", times=1), refuse("RCPT", "450 4.2.1 Busy", times=1)]
    with SMTPTestServer(faults=faults) as server:
        async with AsyncSMTP(server.host, server.port, retry=at_once) as smtp:
            await smtp.send_message(message())
    said = [each.getMessage().partition(" failed")[0] for each in caplog.records if each.name == "asyncsmtp_bridge"]
    assert said == ["SMTP.connect", "SMTP.send_message"]


def test_a_callback_gets_tenacitys_state_before_each_wait() -> None:
    seen = []

    def before_sleep(state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None
        assert state.next_action is not None
        seen.append((state.attempt_number, classify(state.outcome.exception()).code, state.next_action.sleep))

    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=2)]) as server:
        retry_transient(wait=tenacity.wait_fixed(0.01), before_sleep=before_sleep)(Sender(server).send)()
    assert seen == [(1, 450, 0.01), (2, 450, 0.01)]


async def test_it_is_awaited_where_it_can_be() -> None:
    seen = []

    async def before_sleep(state: tenacity.RetryCallState) -> None:
        await asyncio.sleep(0)
        seen.append(state.attempt_number)

    policy = retry_transient(wait=tenacity.wait_none(), before_sleep=before_sleep)
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=2)]) as server:
        await bridge(Sender(server), retry=policy).send()
    assert len(seen) == 2


def test_tenacitys_own_callbacks_can_be_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    policy = retry_transient(
        wait=tenacity.wait_none(), before_sleep=tenacity.before_sleep_log(logging.getLogger("corp"), logging.INFO)
    )
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=1)]) as server:
        policy(Sender(server).send)()
    assert [each.name for each in caplog.records if each.name == "corp"] == ["corp"]


# retry_testing


def calls_of(policy: Any) -> int:
    calls = []

    @policy
    def send() -> None:
        calls.append(1)
        raise smtplib.SMTPConnectError(421, "busy")

    with pytest.raises(smtplib.SMTPConnectError):
        send()
    return len(calls)


@pytest.mark.parametrize(
    "policy",
    [
        retry_transient,
        retry_transient(attempts=None, max_delay=None),
        retry_transient(attempts=100, wait=tenacity.wait_fixed(100)),
        retry_transient(stop=tenacity.stop_never, wait=tenacity.wait_fixed(100)),
    ],
)
def test_in_tests_nothing_waits_and_attempts_are_capped(policy: Any) -> None:
    with retry_testing():
        assert calls_of(policy) == 3
    with retry_testing(attempts=1):
        assert calls_of(policy) == 1


def test_a_policy_that_has_fewer_attempts_keeps_them() -> None:
    with retry_testing(attempts=5):
        assert calls_of(retry_transient(attempts=2)) == 2


def test_the_innermost_counts_and_afterwards_all_is_as_before() -> None:
    with retry_testing(attempts=2):
        with retry_testing(attempts=4):
            assert calls_of(retry_transient) == 4
        assert calls_of(retry_transient) == 2
    assert calls_of(at_once) == 5


def test_it_counts_for_all_threads() -> None:
    counted = []
    with retry_testing(attempts=2):
        thread = threading.Thread(target=lambda: counted.append(calls_of(retry_transient)))
        thread.start()
        thread.join()
    assert counted == [2]


async def test_it_counts_through_bridges() -> None:
    with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.1 Busy", times=2)]) as server, retry_testing():
        await bridge(Sender(server), retry=retry_transient).send()
        assert copies(server) == {("<1@example.org>", BERT): 1}


def test_less_than_one_attempt_is_refused() -> None:
    with pytest.raises(ValueError, match=r"retry_testing\(attempts=0\): 1 or more"):
        retry_testing(0)
