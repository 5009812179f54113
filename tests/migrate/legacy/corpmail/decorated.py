"""Blocking functions in disguise: partials, aliases, decorators and objects that are called."""

import asyncio
import functools
import smtplib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asyncsmtp_bridge import bridge

from corpmail import settings
from corpmail.messages import compose

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


def counted(func: Function) -> Function:
    """Count the calls; nothing else changes."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        wrapper.calls += 1  # type: ignore[attr-defined]
        return func(*args, **kwargs)

    wrapper.calls = 0  # type: ignore[attr-defined]
    return wrapper  # type: ignore[return-value]


def noted(prefix: str) -> Callable[[Function], Function]:
    def decorate(func: Function) -> Function:
        @functools.wraps(func)
        def wrapper(to: str, subject: str) -> Any:
            return func(to, f"{prefix}: {subject}")

        return wrapper  # type: ignore[return-value]

    return decorate


def threaded(func: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """As it should be: what it decorates is awaited."""

    @functools.wraps(func)
    async def wrapper(*args: Any, **kwargs: Any) -> T:
        return await asyncio.to_thread(func, *args, **kwargs)

    return wrapper


def send_from(sender: str, to: str, subject: str) -> bool:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        smtp.send_message(compose(to, subject, sender=sender))
    return True


@counted
def send_counted(to: str, subject: str) -> bool:
    return send_from("counted@example.com", to, subject)


@counted
@noted("Noted")
def send_noted(to: str, subject: str) -> bool:
    with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
        smtp.send_message(compose(to, subject, sender="noted@example.com"))
    return True


@threaded
def send_threaded(to: str, subject: str) -> bool:
    return send_from("threaded@example.com", to, subject)


@bridge
def send_bridged(to: str, subject: str) -> bool:
    return send_from("bridged@example.com", to, subject)


send_from_sales = functools.partial(send_from, "sales@example.com")
post = send_from


class Postman:
    """Is called."""

    def __init__(self, sender: str) -> None:
        self.sender = sender

    def __call__(self, to: str, subject: str) -> bool:
        return send_from(self.sender, to, subject)


postman = Postman("postman@example.com")


async def send_decorated(to: str) -> int:
    send_counted(to, "Counted")  # blocks
    assert send_noted(to, "twice")  # blocks
    return send_counted.calls  # type: ignore[attr-defined, no-any-return]


async def send_partially(to: str) -> None:
    send_from_sales(to, "Sales")  # blocks
    to_bert = functools.partial(send_from, "partial@example.com", "bert@example.org")
    to_bert(subject="Local partial")  # blocks
    await asyncio.to_thread(to_bert, "Threaded partial")


async def send_by_other_names(to: str) -> bool:
    post("post@example.com", to, "Alias")  # blocks
    return postman(to, "Postman")  # blocks


async def send_properly(to: str) -> bool:
    later = functools.partial(send_from, "later@example.com", to)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, later, "Executor")
    return await send_threaded(to, "Decorated thread") and await send_bridged(to, "Decorated bridge")
