"""Calls that stand within larger expressions."""

import asyncio
import smtplib
from collections.abc import AsyncIterator

from corpmail import settings
from corpmail.messages import compose

SENDER = "expressions@example.com"
Refused = dict[str, tuple[int, bytes]]


def send(to: str, subject: str) -> Refused:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        return smtp.send_message(compose(to, subject, sender=SENDER))


def reachable(port: int) -> bool:
    with smtplib.SMTP(settings.HOST, port) as smtp:
        return smtp.noop()[0] == 250


def total(*counts: int) -> int:
    return sum(counts)


async def feed(*addresses: str) -> AsyncIterator[str]:
    for address in addresses:
        yield address


async def in_conditions(to: str, urgent: bool) -> str:
    if not send(to, "If") and reachable(settings.PORT):  # blocks 2
        said = "sent" if not send(to, "Then") else "refused"  # blocks
    elif urgent or send(to, "Elif"):  # blocks
        said = "urgent"
    else:
        said = "nothing"
    assert reachable(settings.PORT), said  # blocks
    while not reachable(settings.PORT):  # blocks
        await asyncio.sleep(0.1)
    return said


async def in_operations(to: str) -> tuple[int, int]:
    first = (send(to, "Or") or {to: (250, b"OK")})[to]  # blocks
    count = len(send(to, "Length")) + first[0]  # blocks
    if refused := send(to, "Walrus"):  # blocks
        count += len(refused)
    counts = total(*(code for code, _ in send(to, "Starred").values()))  # blocks
    chosen = send(to, "Either") if count else send(to, "Or else")  # blocks 2
    return count, counts + len(chosen)


async def in_a_session(to: str) -> list[object]:
    smtp = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
    code = smtp.ehlo()[0]  # blocks
    text = f"{smtp.noop()[0]:d} {code!r}"  # blocks
    refused = len(smtp.sendmail(SENDER, [to], "Subject: Session\n\n"))  # blocks
    results = [smtp.sendmail(SENDER, [to], f"Subject: List {number}\n\n") for number in range(2)]  # blocks
    by_number = {number: smtp.sendmail(SENDER, to, f"Subject: Dict {number}\n\n") for number in (1, 2)}  # blocks
    async_results = [
        smtp.sendmail(SENDER, address, "Subject: Asynchronous\n\n")  # blocks
        async for address in feed(to)
    ]
    *_, last = [code, *(smtp.rset()[0] for _ in range(1)), smtp.quit()[0]]  # blocks 2
    return [text, refused, results, by_number, async_results, last]


async def in_nested_functions(addresses: list[str]) -> int:
    async def one(address: str, *, subject: str = "Nested") -> int:
        return len(send(address, subject))  # blocks

    async def again(address: str) -> None:
        async def twice() -> None:
            send(address, "Nested twice")  # blocks

        await twice()

    counts = await asyncio.gather(*(one(address) for address in addresses))
    await again(addresses[0])
    return sum(counts)


async def in_arguments(to: str) -> Refused:
    await asyncio.sleep(len(send(to, "Argument")))  # blocks
    answers = await asyncio.gather(
        asyncio.to_thread(send, to, "In a thread"),
        asyncio.sleep(0, send(to, "Beside a thread")),  # blocks
    )
    return {
        **answers[0],
        **send(to, "Merged"),  # blocks
        **(answers[1] or {}),
    }


async def returned(to: str) -> Refused:
    return (
        send(to, "Returned")  # blocks
        or send(to, "Returned again")  # blocks
    )
