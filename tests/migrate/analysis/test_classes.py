"""Classes: where a method comes from, and what an object is."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== a method
from mail import Mailer

async def f():
    mailer = Mailer()
    mailer.send()  # blocks
    mailer.describe()
    Mailer().send()  # blocks
=== a method called on its class
from mail import Mailer

async def f(mailer: Mailer):
    Mailer.send(mailer)  # blocks
=== a subclass of smtplib's
import smtplib

class Session(smtplib.SMTP_SSL):
    pass

async def f():
    smtp = Session("mail.example.com")  # blocks
    smtp.noop()  # blocks
    smtp.close()
=== a subclass of a subclass, over modules
--- base.py
import smtplib

class Base(smtplib.SMTP):
    def greet(self):
        self.ehlo()
--- app/__init__.py
--- app/sessions.py
import base

class Session(base.Base):
    def __init__(self):
        super().__init__("mail.example.com")
--- main.py
from app.sessions import Session

async def f():
    with Session() as smtp:  # blocks
        smtp.greet()  # blocks
        smtp.noop()  # blocks
=== a subclass that does not connect when it is made
import smtplib

class Session(smtplib.SMTP):
    def __init__(self, host):
        super().__init__()
        self.wanted = host

    def open(self):
        self.connect(self.wanted)

async def f():
    smtp = Session("mail.example.com")
    smtp.open()  # blocks
=== a method that a subclass overrides to do nothing
import smtplib

class Quiet(smtplib.SMTP):
    def sendmail(self, *args):
        return {}

async def f():
    smtp = Quiet("mail.example.com")  # blocks
    smtp.sendmail("anna@example.com", "bert@example.org", "")
=== the order of bases
from mail import Mailer

class Quiet:
    def send(self, to=""):
        return 0

class First(Quiet, Mailer):
    pass

class Second(Mailer, Quiet):
    pass

async def f():
    First().send()
    Second().send()  # blocks
=== the order of bases in a diamond
from mail import send

class Top:
    def send(self):
        send()

class Left(Top):
    pass

class Right(Top):
    def send(self):
        pass

class Bottom(Left, Right):
    pass

async def f():
    Bottom().send()
    Left().send()  # blocks
=== super()
from mail import Mailer

class Logged(Mailer):
    def send(self, to=""):
        print(to)
        return super().send(to)

async def f():
    Logged().send()  # blocks
=== super() with arguments
from mail import Mailer

class Logged(Mailer):
    def send(self, to=""):
        return super(Logged, self).send(to)

async def f():
    Logged().send()  # blocks
=== super() in a coroutine
import smtplib

class Session(smtplib.SMTP):
    async def noop(self):
        return super().noop()  # blocks

    async def other(self):
        self.rset()  # blocks
        await self.noop()
=== super() of a mixin is what comes next in the object's class
from mail import Mailer

class Counting:
    def send(self, to=""):
        return super().send(to)

class Both(Counting, Mailer):
    pass

async def f():
    Both().send()  # blocks
=== a base's method by the name of the base
import smtplib

class Session(smtplib.SMTP):
    def noop(self):
        return smtplib.SMTP.noop(self)

async def f():
    Session().noop()  # blocks
=== a method that is overridden in a subclass may be the one that is called
from mail import send

class Channel:
    def send(self):
        pass

class Email(Channel):
    def send(self):
        send()

async def f(channel: Channel):
    channel.send()  # blocks

async def g():
    Channel().send()
=== a base's method that calls what a subclass has
from mail import send

class Channel:
    def notify(self):
        self.send()

    def send(self):
        raise NotImplementedError

class Email(Channel):
    def send(self):
        send()

class Log(Channel):
    def send(self):
        print()

async def f():
    Email().notify()  # blocks
=== an abstract base
from abc import ABC, abstractmethod
from mail import send

class Channel(ABC):
    @abstractmethod
    def send(self): ...

class Email(Channel):
    def send(self):
        send()

async def f(channels: list[Channel]):
    for channel in channels:
        channel.send()  # blocks
=== a protocol that is implemented by name
from typing import Protocol
from mail import send

class Sends(Protocol):
    def send(self) -> None: ...

class Email(Sends):
    def send(self) -> None:
        send()

async def f(channel: Sends):
    channel.send()  # blocks
=== an asynchronous protocol
from typing import Protocol
import smtplib

class Sends(Protocol):
    async def noop(self) -> None: ...

async def f(channel: Sends):
    await channel.noop()
=== a generic class
from typing import Generic, TypeVar
import smtplib

T = TypeVar("T")

class Box(Generic[T]):
    def __init__(self, item: T):
        self.item = item

class Sender(Box[int]):
    def send(self):
        smtplib.SMTP("mail.example.com")

async def f(box: Sender):
    box.send()  # blocks
=== an attribute of a generic class
from typing import Generic, TypeVar
import smtplib

T = TypeVar("T")

class Box(Generic[T]):
    def __init__(self, item: T):
        self.item = item

async def f():
    box = Box(smtplib.SMTP("mail.example.com"))  # blocks
    box.item.noop()  # blocks
=== a base with a subscript
from typing import Generic, TypeVar
from mail import Mailer

T = TypeVar("T")

class Typed(Mailer, Generic[T]):
    pass

class Words(Typed[str]):
    pass

async def f():
    Words().send()  # blocks
    Typed[int]().send()  # blocks
=== a dataclass
import smtplib
from dataclasses import dataclass, field
from mail import Mailer

@dataclass
class Service:
    mailer: Mailer
    smtp: "smtplib.SMTP | None" = None
    spare: Mailer = field(default_factory=Mailer)

async def f(service: Service):
    service.mailer.send()  # blocks
    service.smtp.noop()  # blocks
    service.spare.send()  # blocks
=== a dataclass that connects
import smtplib
from dataclasses import dataclass, field

@dataclass
class Service:
    host: str
    smtp: smtplib.SMTP = field(init=False)

    def __post_init__(self):
        self.smtp = smtplib.SMTP(self.host)

async def f():
    Service("mail.example.com")  # blocks
=== a factory of a dataclass's field
import smtplib
from dataclasses import dataclass, field
from mail import connected

@dataclass
class Service:
    smtp: smtplib.SMTP = field(default_factory=connected)

async def f():
    Service()  # blocks
=== attributes of attrs
import attr
from mail import Mailer

@attr.s(auto_attribs=True)
class Service:
    mailer: Mailer = attr.ib(factory=Mailer)

async def f(service: Service):
    service.mailer.send()  # blocks
=== an object that is called
from mail import send

class Sender:
    def __call__(self):
        return send()

sender = Sender()

async def f():
    sender()  # blocks
    Sender()()  # blocks
    Sender()
=== an object that is entered
from mail import send

class Entering:
    def __enter__(self):
        send()
        return self

    def __exit__(self, *exc):
        pass

class Leaving:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        send()

class Neither:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

async def f():
    with Entering(), Leaving():  # blocks 2
        pass
    with Neither() as neither, Leaving() as leaving:  # blocks
        pass
=== what an entered object gives
import smtplib

class Opened:
    def __enter__(self):
        return smtplib.SMTP("mail.example.com")

    def __exit__(self, *exc):
        pass

async def f():
    with Opened() as smtp:  # blocks
        smtp.noop()  # blocks
=== an asynchronous context manager of a class
import smtplib
from mail import send

class Opened:
    async def __aenter__(self):
        return smtplib.SMTP("mail.example.com")  # blocks

    async def __aexit__(self, *exc):
        send()  # blocks

async def f():
    async with Opened() as smtp:
        smtp.noop()  # blocks
=== a property
from mail import send

class Status:
    @property
    def code(self):
        return send()

    @property
    def name(self):
        return "status"

async def f(status: Status):
    status.code  # blocks
    status.name
=== a property made by a call
from mail import send

class Status:
    def _code(self):
        return send()

    code = property(_code)

async def f(status: Status):
    status.code  # blocks
=== a cached property that connects
import smtplib
import functools

class Office:
    @functools.cached_property
    def smtp(self):
        return smtplib.SMTP("mail.example.com")

async def f():
    office = Office()
    office.smtp.noop()  # blocks 2
=== a property of a base
from mail import send

class Base:
    @property
    def code(self):
        return send()

class Status(Base):
    pass

class Quiet(Base):
    @property
    def code(self):
        return 1

async def f():
    Status().code  # blocks
    Quiet().code
=== a class method that makes one
import smtplib

class Session(smtplib.SMTP):
    @classmethod
    def local(cls):
        return cls("localhost")

async def f():
    smtp = Session.local()  # blocks
    smtp.noop()  # blocks
=== a class method of a base makes one of the subclass
from mail import send

class Base:
    @classmethod
    def make(cls):
        return cls()

class Email(Base):
    def send(self):
        send()

async def f():
    Email.make().send()  # blocks
=== a static method
from mail import send

class Tools:
    @staticmethod
    def post(to):
        send(to)

async def f():
    Tools.post("bert@example.org")  # blocks
    Tools().post("bert@example.org")  # blocks
=== a singleton
import smtplib

class Session:
    _only = None

    def __new__(cls):
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def send(self):
        smtplib.SMTP("mail.example.com")

async def f():
    Session().send()  # blocks
=== a singleton by a class method
import smtplib

class Session:
    _only: "Session | None" = None

    @classmethod
    def instance(cls) -> "Session":
        if cls._only is None:
            cls._only = cls()
        return cls._only

    def send(self):
        smtplib.SMTP("mail.example.com")

async def f():
    Session.instance().send()  # blocks
=== __new__ that connects
import smtplib

class Session:
    def __new__(cls):
        smtplib.SMTP("mail.example.com")
        return super().__new__(cls)

async def f():
    Session()  # blocks
=== methods that are assigned in the body
from mail import send

class Tools:
    def _post(self):
        return send()

    post = _post
    again = post
    plain = staticmethod(send)

async def f():
    Tools().post()  # blocks
    Tools().again()  # blocks
    Tools.plain()  # blocks
=== a lambda in the body
from mail import send

class Tools:
    post = lambda self: send()
    quiet = lambda self: 1

async def f():
    Tools().post()  # blocks
    Tools().quiet()
=== an attribute of the class
from mail import Mailer

class Api:
    mailer = Mailer()

    async def f(self):
        self.mailer.send()  # blocks
        Api.mailer.send()  # blocks
        type(self).mailer.send()  # blocks
        self.__class__.mailer.send()  # blocks
=== an attribute that holds a class
import smtplib

class Api:
    session_class = smtplib.SMTP

    def open(self):
        return self.session_class("mail.example.com")

async def f():
    Api().open().noop()  # blocks 2
=== an attribute that a base's constructor sets
import smtplib

class Base:
    def __init__(self):
        self.smtp = smtplib.SMTP()

class Api(Base):
    async def f(self):
        self.smtp.connect("mail.example.com")  # blocks
=== an attribute that is set from a parameter
from mail import Mailer

class Api:
    def __init__(self, mailer):
        self._mailer = mailer

    async def f(self):
        self._mailer.send()  # blocks

api = Api(Mailer())
=== an attribute that is set from an annotated parameter
from mail import Mailer

class Api:
    def __init__(self, mailer: Mailer):
        self._mailer = mailer

    async def f(self):
        self._mailer.send()  # blocks
=== an attribute that holds a function
from mail import send

class Api:
    def __init__(self):
        self.post = send

    async def f(self):
        self.post()  # blocks
=== an object that is not mail and has the same methods
class Phone:
    def connect(self):
        pass

    def sendmail(self):
        pass

    def quit(self):
        pass

async def f():
    phone = Phone()
    phone.connect()
    phone.sendmail()
    phone.quit()
=== a class that is its own base
class A(A):
    pass

class B(C):
    def send(self):
        pass

class C(B):
    pass

async def f():
    A().send()
    C().send()
=== a class within a class
from mail import send

class Outer:
    class Inner:
        def send(self):
            send()

    def inner(self):
        return self.Inner()

async def f():
    Outer.Inner().send()  # blocks
    Outer().inner().send()  # blocks
=== a class within a function
import smtplib

def make():
    class Session(smtplib.SMTP):
        pass

    return Session

async def f():
    class Local(smtplib.SMTP):
        pass

    Local("mail.example.com")  # blocks
    make()("mail.example.com")  # blocks
=== a class body that blocks within a coroutine
from mail import send

async def f():
    class Local:
        sent = send()  # blocks

    return Local
=== self that is called otherwise
from mail import send

class Api:
    def post(this):
        send()

    async def f(this):
        this.post()  # blocks
=== delegation by __getattr__
from mail import Mailer

class Wrapped:
    def __init__(self, mailer):
        self._mailer = mailer

    def __getattr__(self, name):
        return getattr(self._mailer, name)

async def f():
    wrapped = Wrapped(Mailer())
    wrapped.send()  # blocks
    wrapped.describe()
=== a coroutine method in a class derived from smtplib's
import smtplib

class Session(smtplib.SMTP):
    async def sendmail(self, *args):
        return {}

async def f(smtp: Session):
    await smtp.sendmail("anna@example.com", "bert@example.org", "")
=== an enumeration of functions
import enum
from mail import Mailer

class Way(enum.Enum):
    EMAIL = "email"

    def run(self):
        Mailer().send()

async def f(way: Way):
    way.run()  # blocks
    Way.EMAIL.run()  # blocks
    Way("email").run()  # blocks
=== a named tuple
import smtplib
from typing import NamedTuple

class Opened(NamedTuple):
    smtp: smtplib.SMTP
    number: int

async def f(opened: Opened):
    opened.smtp.noop()  # blocks
    smtp, number = opened
    smtp.noop()  # blocks
    opened[0].noop()  # blocks
=== a typed dictionary
import smtplib
from typing import TypedDict

class Opened(TypedDict):
    smtp: smtplib.SMTP
    number: int

async def f(opened: Opened):
    opened["smtp"].noop()  # blocks
=== a metaclass that makes the object
from mail import send

class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args)

class Sender(metaclass=Meta):
    def send(self):
        send()

async def f():
    Sender().send()  # blocks
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_classes(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
