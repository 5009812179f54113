"""Names: however a name comes to stand for something that blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== an import
import smtplib

async def f():
    smtplib.SMTP("mail.example.com")  # blocks
=== an import under another name
import smtplib as mail_library

async def f():
    mail_library.SMTP("mail.example.com")  # blocks
=== an import of a class
from smtplib import SMTP, SMTP_SSL as Secure, LMTP

async def f():
    SMTP("mail.example.com")  # blocks
    Secure("mail.example.com")  # blocks
    LMTP("/run/lmtp")  # blocks
=== all that smtplib has
from smtplib import *

async def f():
    SMTP("mail.example.com")  # blocks
=== an import within the function
async def f():
    import smtplib
    from mail import send

    smtplib.SMTP("mail.example.com")  # blocks
    send()  # blocks
=== an import within another function is not seen here
def g():
    import smtplib

async def f(smtplib):
    smtplib.SMTP("mail.example.com")
=== an import under a condition
try:
    from fast_mail import send
except ImportError:
    from mail import send

async def f():
    send()  # blocks
=== an import for type checkers
from __future__ import annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smtplib import SMTP

async def f(smtp: SMTP):
    smtp.noop()  # blocks
=== another name for a function
from mail import send

post = send
deliver = post

async def f():
    deliver()  # blocks
    local = deliver
    local()  # blocks
=== another name for a class
import smtplib

Session = smtplib.SMTP

async def f():
    Session("mail.example.com")  # blocks
=== another name for a module
import smtplib

library = smtplib

async def f():
    library.SMTP("mail.example.com")  # blocks
=== another name for a method
import smtplib

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    say = smtp.sendmail
    say("anna@example.com", "bert@example.org", "")  # blocks
=== several targets
from mail import send

first = second = send

async def f():
    first()  # blocks
    second()  # blocks
=== a tuple of targets
from mail import count, send

first, (second, third) = send, (count, send)

async def f():
    first()  # blocks
    second()
    third()  # blocks
=== a tuple of targets and what is left over
from mail import count, send

first, *rest, last = send, count, count, send

async def f():
    first()  # blocks
    rest[0]()
    last()  # blocks
=== an unpacked function result
import smtplib

def pair():
    return smtplib.SMTP("mail.example.com"), 1

async def f():
    smtp, number = pair()  # blocks
    smtp.noop()  # blocks
    print(number)
=== an annotated assignment
import smtplib
from collections.abc import Callable
from mail import send

post: Callable[[], int] = send
smtp: smtplib.SMTP = smtplib.SMTP("mail.example.com")

async def f():
    post()  # blocks
    smtp.noop()  # blocks
=== an annotation without a value
import smtplib

smtp: smtplib.SMTP

async def f():
    smtp.noop()  # blocks
=== a walrus
from mail import connected

async def f():
    if (smtp := connected()) is not None:  # blocks
        smtp.noop()  # blocks
=== a walrus in a comprehension
from mail import connected

async def f():
    sessions = [smtp := connected() for _ in range(2)]  # blocks
    smtp.noop()  # blocks
    return sessions
=== a comprehension's variable
from mail import connected

async def f():
    sessions = [connected() for _ in range(2)]  # blocks
    [each.noop() for each in sessions]  # blocks
    {each.quit() for each in sessions if each.noop()}  # blocks 2
=== a comprehension's variable is not that of the function
import smtplib

class Quiet:
    def noop(self):
        pass

async def f(sessions: list[smtplib.SMTP]):
    each = Quiet()
    names = [each.local_hostname for each in sessions]
    each.noop()
    return names
=== a variable of a loop
from mail import connected

async def f():
    sessions = [connected(), connected()]  # blocks 2
    for smtp in sessions:
        smtp.noop()  # blocks
=== enumerate, zip, reversed and sorted
import smtplib

async def f(sessions: list[smtplib.SMTP]):
    for number, smtp in enumerate(sessions):
        smtp.noop()  # blocks
    for smtp, name in zip(sessions, "ab"):
        smtp.noop()  # blocks
    for smtp in reversed(sessions):
        smtp.noop()  # blocks
    for smtp in sorted(sessions, key=id):
        smtp.noop()  # blocks
    for smtp in list(sessions)[:1]:
        smtp.noop()  # blocks
=== a global
import smtplib

session = None

def open_it():
    global session
    session = smtplib.SMTP("mail.example.com")

async def f():
    session.noop()  # blocks
=== a global that only the function binds
import smtplib

def open_it():
    global session
    session = smtplib.SMTP("mail.example.com")

async def f():
    session.noop()  # blocks
=== a nonlocal
import smtplib

def make():
    smtp = None

    def open_it():
        nonlocal smtp
        smtp = smtplib.SMTP("mail.example.com")

    async def f():
        smtp.noop()  # blocks

    return open_it, f
=== a nonlocal that is bound further down
import smtplib

def make():
    def open_it():
        nonlocal smtp
        smtp = smtplib.SMTP("mail.example.com")

    async def f():
        smtp.noop()  # blocks

    smtp = None
    return open_it, f
=== a name that is deleted
import smtplib

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    del smtp
=== try, except, else and finally
import smtplib

async def f():
    try:
        smtp = smtplib.SMTP("mail.example.com")  # blocks
    except OSError:
        smtp = None
    else:
        smtp.noop()  # blocks
    finally:
        if smtp:
            smtp.quit()  # blocks
=== a local name hides that of the module
from mail import send

async def f():
    def send():
        return 1

    send()
=== a parameter hides the name of the module
from mail import send

async def f(send):
    send()

async def g(*send, **more):
    send[0]()
=== a class body's names are not those of its methods
from mail import send as post

class Api:
    send = post

    async def f(self):
        send()
=== what is assigned to an attribute of an object
import smtplib
from types import SimpleNamespace

app = SimpleNamespace()
app.state = SimpleNamespace()
app.state.mailer = smtplib.SMTP("mail.example.com")

async def f():
    app.state.mailer.noop()  # blocks
=== what is assigned to an attribute of an object in another module
--- app.py
import fastapi
from mail import Mailer

app = fastapi.FastAPI()
app.state.mailer = Mailer()
--- views.py
from app import app

async def f():
    app.state.mailer.send()  # blocks
    app.state.mailer.describe()
=== what is assigned to an attribute of a request's application
import fastapi
from mail import Mailer

app = fastapi.FastAPI()
app.state.mailer = Mailer()

async def f(request: fastapi.Request):
    request.app.state.mailer.send()  # blocks
=== flask's g
from flask import g
from mail import Mailer

def before():
    g.mailer = Mailer()

async def f():
    g.mailer.send()  # blocks
=== an attribute of a function
from mail import Mailer

def holder():
    pass

holder.mailer = Mailer()

async def f():
    holder.mailer.send()  # blocks
=== an attribute of a module
--- state.py
session = None
--- main.py
import smtplib
import state

def open_it():
    state.session = smtplib.SMTP("mail.example.com")

async def f():
    state.session.noop()  # blocks
=== an attribute that is assigned to a parameter
import smtplib

class Context:
    smtp = None

def fill(context):
    context.smtp = smtplib.SMTP("mail.example.com")

async def f(context: Context):
    context.smtp.noop()  # blocks
=== a threading.local
import smtplib
import threading

local = threading.local()

def session():
    if not hasattr(local, "smtp"):
        local.smtp = smtplib.SMTP("mail.example.com")
    return local.smtp

async def f():
    session().noop()  # blocks 2
    local.smtp.noop()  # blocks
=== a context variable
import smtplib
from contextvars import ContextVar

current: ContextVar[smtplib.SMTP] = ContextVar("current")

async def f():
    current.get().noop()  # blocks
=== a name that is bound to itself
x = x
a = b
b = a
first, second = second, first

async def f():
    x()
    a()
    first()
=== getattr with a name that is written
import smtplib

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    getattr(smtp, "noop")()  # blocks
    getattr(smtp, "local_hostname")
=== an operator that returns one of two
import smtplib

async def f(given: smtplib.SMTP | None = None):
    smtp = given or smtplib.SMTP("mail.example.com")  # blocks
    smtp.noop()  # blocks
    other = smtp if given else None
    other.noop()  # blocks
=== an augmented assignment
from mail import connected

async def f():
    sessions = []
    sessions += [connected()]  # blocks
    sessions[0].noop()  # blocks
=== an element that is assigned
from mail import connected

async def f():
    sessions = {}
    sessions["a"] = connected()  # blocks
    sessions["a"].noop()  # blocks
=== an element that is appended
from mail import connected

async def f():
    sessions = []
    sessions.append(connected())  # blocks
    sessions[0].noop()  # blocks
=== what an except clause binds
import smtplib

async def f():
    try:
        pass
    except smtplib.SMTPException as error:
        error.noop()
=== a name that is a builtin
async def f(items):
    sorted(items)
    max(items, key=len)
    map(str, items)
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_names(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
