"""What users write about outcomes and retries; checked by mypy and pyright, never run."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Coroutine
from email.message import EmailMessage
from typing import Any

import tenacity
from typing_extensions import assert_type

from asyncsmtp_bridge import (
    AsyncLMTP,
    AsyncSMTP,
    AsyncSMTP_SSL,
    DeliveryUnknown,
    Failure,
    Outcome,
    bridge,
    classify,
    retry_if_transient,
    retry_testing,
    retry_transient,
    wait_transient,
)


@retry_transient
def send(to: str, *, urgent: bool = False) -> int:
    return len(to)


@retry_transient(attempts=3, max_delay=60, wait=wait_transient() + tenacity.wait_random(0, 1), on_unknown="retry")
async def send_soon(to: str, *, urgent: bool = False) -> int:
    return len(to)


class Mailer:
    @retry_transient
    def send(self, to: str, *, urgent: bool = False) -> int:
        return len(to)

    @retry_transient(also=tenacity.retry_if_result(lambda sent: not sent))
    async def send_soon(self, to: str) -> int:
        return len(to)

    @staticmethod
    @retry_transient
    def check(host: str) -> bool:
        return bool(host)

    @classmethod
    @retry_transient(stop=tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(60))
    def make(cls, host: str) -> Mailer:
        return cls()

    def blocks(self, to: str) -> int:
        return len(to)


async def parameters_are_kept() -> None:
    assert_type(send("bert", urgent=True), int)
    assert_type(await send_soon("bert", urgent=True), int)
    mailer = Mailer()
    assert_type(mailer.send("bert", urgent=True), int)
    assert_type(await mailer.send_soon("bert"), int)
    assert_type(Mailer.check("mail.example.org"), bool)
    assert_type(Mailer.make("mail.example.org"), Mailer)
    send(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    send("bert", late=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    mailer.send(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await mailer.send_soon()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    mailer.send_soon("bert")  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine]
    Mailer.make(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    on_the_fly: Callable[[str], int] = retry_transient(mailer.blocks)
    assert_type(on_the_fly("bert"), int)


def options_are_checked() -> None:
    retry_transient(attempts="3")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
    retry_transient(on_unknown="ask")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
    retry_if_transient(on_unknown="retry")
    with retry_testing(attempts=2):
        pass


async def policies_are_taken(message: EmailMessage) -> None:
    bridged: Callable[[str], Coroutine[Any, Any, int]] = bridge(Mailer().blocks, retry=retry_transient)
    assert_type(await bridged("bert"), int)
    bridge(Mailer(), retry=retry_transient(attempts=3))
    bridge(Mailer(), retry=tenacity.retry(retry=retry_if_transient(), reraise=True))
    async with AsyncSMTP("mail.example.org", retry=retry_transient) as smtp:
        assert_type(await smtp.send_message(message), "dict[str, tuple[int, bytes]]")
    AsyncSMTP_SSL("mail.example.org", retry=retry_transient(on_unknown="retry"))
    AsyncLMTP("mail.example.org", retry=retry_transient)
    AsyncSMTP.from_sync(smtplib.SMTP(), retry=retry_transient)
    assert_type(bridge(smtplib.SMTP(), retry=retry_transient), AsyncSMTP)

    @tenacity.retry(
        retry=retry_if_transient() | tenacity.retry_if_exception_type(KeyError),
        wait=wait_transient() + tenacity.wait_fixed(1),
        reraise=True,
    )
    def own(to: str) -> int:
        return len(to)

    assert_type(own("bert"), int)


def outcomes(error: BaseException, refused: dict[str, tuple[int, bytes]]) -> str:
    failure = classify(error)
    assert_type(failure, Failure)
    assert_type(failure.outcome, "Outcome | None")
    assert_type(failure.code, "int | None")
    assert_type(classify(refused), "dict[str, Failure]")
    assert_type(classify(DeliveryUnknown("x")).message_id, "str | None")
    classify(5)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    if failure.outcome is Outcome.TRANSIENT:
        return failure.text
    return failure.meaning
