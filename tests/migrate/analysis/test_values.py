"""Values: what annotations, narrowing and the standard library's forms say of an object."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== Optional and Union
import smtplib
from typing import Optional, Union
import typing

async def f(
    a: Optional[smtplib.SMTP],
    b: Union[smtplib.SMTP, None],
    c: smtplib.SMTP | None,
    d: typing.Optional[smtplib.SMTP_SSL],
):
    a.noop()  # blocks
    b.noop()  # blocks
    c.noop()  # blocks
    d.noop()  # blocks
=== annotations that are strings
import smtplib

async def f(a: "smtplib.SMTP", b: "smtplib.SMTP | None", c: "list[smtplib.SMTP]", d: list["smtplib.SMTP"]):
    a.noop()  # blocks
    b.noop()  # blocks
    c[0].noop()  # blocks
    d[0].noop()  # blocks
=== an annotation that is no expression
async def f(a: "not an ( expression", b: "", c: 1, d: ...):
    a.noop()
    b.noop()
    c.noop()
    d.noop()
=== Annotated, Final and ClassVar
import smtplib
from typing import Annotated, ClassVar, Final

SMTP: Final[smtplib.SMTP] = None
OTHER: Final = smtplib.SMTP()

class Api:
    shared: ClassVar[smtplib.SMTP]

async def f(a: Annotated[smtplib.SMTP, "a session"], api: Api):
    a.noop()  # blocks
    SMTP.noop()  # blocks
    OTHER.noop()  # blocks
    api.shared.noop()  # blocks
=== a type alias
import smtplib
from typing import TypeAlias, Union

Session = smtplib.SMTP
Either: TypeAlias = Union[smtplib.SMTP, smtplib.SMTP_SSL]
Maybe = smtplib.SMTP | None
Text = "smtplib.SMTP"
Many = list[smtplib.SMTP]

async def f(a: Session, b: Either, c: Maybe, d: Text, e: Many):
    a.noop()  # blocks
    b.noop()  # blocks
    c.noop()  # blocks
    e[0].noop()  # blocks
=== a type alias by a type statement
$ python 3.12
import smtplib

type Session = smtplib.SMTP
type Maybe[T] = smtplib.SMTP | None

async def f(a: Session, b: Maybe[int]):
    a.noop()  # blocks
    b.noop()  # blocks
=== NewType
import smtplib
from typing import NewType

Relay = NewType("Relay", smtplib.SMTP)

async def f(relay: Relay):
    relay.noop()  # blocks
    Relay(relay).noop()  # blocks
=== a TypeVar with a bound
import smtplib
from typing import TypeVar

Session = TypeVar("Session", bound=smtplib.SMTP)
Either = TypeVar("Either", smtplib.SMTP, smtplib.SMTP_SSL)

def same(smtp: Session) -> Session:
    return smtp

async def f(smtp: Session, other: Either):
    smtp.noop()  # blocks
    other.noop()  # blocks
    same(smtp).noop()  # blocks
=== Self
import smtplib
from typing import Self

class Session(smtplib.SMTP):
    def opened(self) -> Self:
        return self

async def f():
    Session().opened().noop()  # blocks
=== Type
import smtplib
from typing import Type

async def f(a: type[smtplib.SMTP], b: Type[smtplib.SMTP]):
    a("mail.example.com")  # blocks
    b("mail.example.com")  # blocks
    a()
=== Callable, of which the result is known
import smtplib
from collections.abc import Awaitable, Callable

async def f(make: Callable[[], smtplib.SMTP], later: Callable[[], Awaitable[smtplib.SMTP]]):
    smtp = make()
    smtp.noop()  # blocks
    smtp = await later()
    smtp.noop()  # blocks
=== collections
import smtplib
from collections.abc import Iterable, Mapping, Sequence
from collections import deque

async def f(
    a: list[smtplib.SMTP], b: dict[str, smtplib.SMTP], c: tuple[smtplib.SMTP, ...], d: Iterable[smtplib.SMTP],
    e: Mapping[str, Sequence[smtplib.SMTP]], g: deque[smtplib.SMTP], h: set[smtplib.SMTP], i: tuple[int, smtplib.SMTP]
):
    a[0].noop()  # blocks
    a.pop().noop()  # blocks
    b["a"].noop()  # blocks
    b.get("a").noop()  # blocks
    c[0].noop()  # blocks
    for smtp in d:
        smtp.noop()  # blocks
    e["a"][0].noop()  # blocks
    g.popleft().noop()  # blocks
    h.pop().noop()  # blocks
    i[1].noop()  # blocks
    number, smtp = i
    smtp.noop()  # blocks
    for name, smtp in b.items():
        smtp.noop()  # blocks
        name.noop()
    for smtp in b.values():
        smtp.noop()  # blocks
    for name in b:
        name.noop()
    for name in b.keys():
        name.noop()
    first, *rest = a
    first.noop()  # blocks
    rest[0].noop()  # blocks
    a.clear()
    b.clear()
=== a queue
import asyncio
import queue
import smtplib

async def f(a: asyncio.Queue[smtplib.SMTP], b: queue.Queue[smtplib.SMTP]):
    smtp = await a.get()
    smtp.noop()  # blocks
    b.get_nowait().noop()  # blocks
=== typing.cast
import smtplib
from typing import cast
import typing

async def f(x):
    cast(smtplib.SMTP, x).noop()  # blocks
    typing.cast("smtplib.SMTP", x).noop()  # blocks
=== isinstance
import smtplib

async def f(x):
    if isinstance(x, smtplib.SMTP):
        x.noop()  # blocks
    else:
        x.noop()
    x.noop()
=== isinstance of what is known
import smtplib
from mail import Mailer

class Phone:
    def send(self):
        pass

async def f(x: Mailer | Phone):
    if isinstance(x, Mailer):
        x.send()  # blocks
    else:
        x.send()
    if not isinstance(x, Phone):
        x.send()  # blocks
    else:
        x.send()
    x.send()  # blocks
=== isinstance, and out
from mail import Mailer

class Phone:
    def send(self):
        pass

async def f(x: Mailer | Phone):
    if isinstance(x, Mailer):
        return
    x.send()

async def g(x: Mailer | Phone):
    if not isinstance(x, Mailer):
        raise TypeError(x)
    x.send()  # blocks

async def h(x):
    assert isinstance(x, Mailer)
    x.send()  # blocks
=== isinstance in an and, a conditional expression, and of several classes
import smtplib
from mail import Mailer

class Phone:
    def send(self):
        pass

async def f(x):
    isinstance(x, Mailer) and x.send()  # blocks
    x.send() if isinstance(x, Mailer) else x.send()  # blocks
    if x and isinstance(x, (smtplib.SMTP, smtplib.SMTP_SSL)):
        x.noop()  # blocks
    if isinstance(x, smtplib.SMTP | smtplib.LMTP):
        x.noop()  # blocks

async def g(x: Mailer | Phone):
    isinstance(x, Phone) and x.send()
    isinstance(x, Phone) or x.send()  # blocks
=== isinstance of an attribute
from asyncsmtp_bridge import AsyncSMTP
import smtplib

class Api:
    def __init__(self, smtp: "smtplib.SMTP | AsyncSMTP"):
        self.smtp = smtp

    async def f(self):
        if isinstance(self.smtp, smtplib.SMTP):
            self.smtp.noop()  # blocks
        else:
            await self.smtp.noop()
=== an object that may be a mirror, and is awaited
from asyncsmtp_bridge import AsyncSMTP
import smtplib

async def f(smtp: smtplib.SMTP | AsyncSMTP):
    if isinstance(smtp, AsyncSMTP):
        await smtp.noop()
    else:
        smtp.noop()  # blocks
=== match on classes
import smtplib
from mail import Mailer

class Phone:
    def send(self):
        pass

async def f(x):
    match x:
        case smtplib.SMTP():
            x.noop()  # blocks
        case Mailer() as mailer:
            mailer.send()  # blocks
        case Mailer(host="a"):
            x.send()  # blocks
        case Phone():
            x.send()
        case (smtplib.LMTP() | smtplib.SMTP_SSL()) as smtp:
            smtp.noop()  # blocks
        case other:
            other.noop()
=== match on what is known
from mail import Mailer, connected

async def f(mailers: list[Mailer]):
    match mailers:
        case [first, *rest]:
            first.send()  # blocks
            rest[0].send()  # blocks
    match connected():  # blocks
        case smtp:
            smtp.noop()  # blocks
    match {"a": connected()}:  # blocks
        case {"a": smtp}:
            smtp.noop()  # blocks
=== match on attributes
from dataclasses import dataclass
from mail import Mailer

@dataclass
class Service:
    mailer: Mailer

async def f(x):
    match x:
        case Service(mailer=mailer):
            mailer.send()  # blocks
        case Service(mailer):
            mailer.send()  # blocks
=== a guard
from mail import send

async def f(x):
    match x:
        case 1 if send():  # blocks
            send()  # blocks
=== a parameter with a default
import smtplib

async def f(smtp=smtplib.SMTP()):
    smtp.noop()  # blocks
=== Depends of FastAPI
import smtplib
from typing import Annotated
from fastapi import Depends, FastAPI
from mail import Mailer

app = FastAPI()

def get_mailer():
    return Mailer()

def get_session():
    with smtplib.SMTP("mail.example.com") as smtp:
        yield smtp

async def get_later() -> Mailer:
    return Mailer()

Given = Annotated[Mailer, Depends(get_mailer)]
Untyped = Annotated[object, Depends(get_mailer)]

@app.get("/")
async def f(
    a=Depends(get_mailer),
    b: Mailer = Depends(),
    c=Depends(get_session),
    d: Given = None,
    e=Depends(get_later),
    g=Depends(Mailer),
):
    a.send()  # blocks
    b.send()  # blocks
    c.noop()  # blocks
    d.send()  # blocks
    e.send()  # blocks
    g.send()  # blocks
    a.describe()

@app.get("/sync")
def sync(a=Depends(get_mailer)):
    a.send()
=== a parameter that nobody knows
async def f(smtp, session, mailer):
    smtp.sendmail("anna@example.com", "bert@example.org", "")
    session.quit()
    mailer.send()
=== a session that comes from a package that is not read
from corp import connect, Session

async def f():
    connect().noop()
    Session("mail.example.com").noop()
=== exceptions, constants and functions of smtplib
import smtplib

async def f():
    raise smtplib.SMTPException(smtplib.SMTP_PORT, smtplib.quotedata(""), smtplib.SMTP.ehlo_msg)
=== attributes of a session that are none of its commands
import smtplib

async def f(smtp: smtplib.SMTP):
    smtp.set_debuglevel(1)
    smtp.close()
    smtp.has_extn("size")
    smtp.timeout = 10
    smtp.esmtp_features["size"]
    smtp.sock.settimeout(3)
    smtp.local_hostname.upper()
    smtp.noop
=== types.SimpleNamespace with what it is given
from types import SimpleNamespace
from mail import Mailer

services = SimpleNamespace(mailer=Mailer())

async def f():
    services.mailer.send()  # blocks
=== a copy
import copy
import smtplib

async def f(smtp: smtplib.SMTP):
    copy.copy(smtp).noop()  # blocks
=== next and iter
import smtplib

async def f(sessions: list[smtplib.SMTP]):
    next(iter(sessions)).noop()  # blocks
    min(sessions).noop()  # blocks
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_values(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
