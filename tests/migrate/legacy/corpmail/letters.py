"""Letters: classes that do more than one would think when they are made, left or chained."""

import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from typing import NamedTuple, Optional

from corpmail import gateway, settings
from corpmail.messages import compose

SENDER = "letters@example.com"


class Letter:
    """Is written step by step: `Letter("anna@example.org").about("Tea").send()`."""

    def __init__(self, to: str) -> None:
        self.to = to
        self.subject = ""

    def about(self, subject: str):
        self.subject = subject
        return self

    def copy(self, to: str) -> "Letter":
        return Letter(to).about(self.subject)

    def send(self) -> str:
        with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
            smtp.send_message(compose(self.to, self.subject, sender=SENDER))
        return self.subject


@dataclass
class Courier:
    """Is on the road as soon as it is made."""

    host: str
    port: int
    session: "smtplib.SMTP | None" = None

    def __post_init__(self) -> None:
        if self.session is None:
            self.session = smtplib.SMTP(self.host, self.port)

    @classmethod
    def standard(cls):
        return cls(settings.HOST, settings.PORT)

    def carry(self, message: EmailMessage) -> None:
        assert self.session is not None
        self.session.send_message(message)

    def rest(self) -> None:
        if self.session is not None:
            self.session.quit()


class Bag:
    """Collects messages; they are sent when it is left."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    def __enter__(self) -> "Bag":
        return self

    def __exit__(self, kind: Optional[type], *rest: object) -> None:
        if kind is None:
            with smtplib.SMTP(settings.HOST, settings.PORT) as smtp:
                for message in self.messages:
                    smtp.send_message(message)

    def send(self, message: EmailMessage) -> None:
        self.messages.append(message)


class Route(NamedTuple):
    name: str
    smtp: smtplib.SMTP


class Branch(gateway.Gateway):
    """A gateway that knows its address."""

    def __init__(self) -> None:
        super().__init__(settings.HOST, settings.PORT)

    async def write(self, to: str, subject: str) -> str:
        self.send(compose(to, subject, sender=SENDER))  # blocks
        return self.describe()


async def write(to: str) -> str:
    letter = Letter(to).about("First")
    letter.send()  # blocks
    letter.copy("archive@example.com").send()  # blocks
    return Letter(to).about("Second").copy(to).about("Third").send()  # blocks


async def by_courier(to: str) -> None:
    courier = Courier(settings.HOST, settings.PORT)  # blocks
    courier.carry(compose(to, "Courier", sender=SENDER))  # blocks
    courier.rest()  # blocks
    other = Courier.standard()  # blocks
    other.carry(compose(to, "Standard courier", sender=SENDER))  # blocks
    other.rest()  # blocks


async def in_a_bag(to: str) -> int:
    with Bag() as bag:  # blocks
        bag.send(compose(to, "Bag 1", sender=SENDER))
        bag.send(compose(to, "Bag 2", sender=SENDER))
    return len(bag.messages)


async def on_a_route(to: str) -> str:
    route = Route("north", smtplib.SMTP(settings.HOST, settings.PORT))  # blocks
    route.smtp.send_message(compose(to, f"Route {route.name}", sender=SENDER))  # blocks
    route.smtp.quit()  # blocks
    return route.name


async def from_a_branch(to: str) -> str:
    branch = Branch()  # blocks
    said = await branch.write(to, "Branch")
    if said != branch.describe() or not branch.banner:  # blocks
        return ""
    branch.quit()  # blocks
    return said
