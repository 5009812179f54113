"""Sessions and wrappers: what of smtplib blocks, and what is named by ``--wrapper``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== a session that connects when it is made
import smtplib

async def f(options, host):
    smtplib.SMTP("mail.example.com")  # blocks
    smtplib.SMTP(host="mail.example.com")  # blocks
    smtplib.SMTP(host)  # blocks
    smtplib.SMTP(**options)  # blocks
    smtplib.SMTP(*options)  # blocks
    smtplib.SMTP(port=25, **options)  # blocks
    smtplib.SMTP_SSL("mail.example.com")  # blocks
=== a session that does not connect when it is made
import smtplib

async def f():
    smtplib.SMTP()
    smtplib.SMTP("")
    smtplib.SMTP(host="")
    smtplib.SMTP(host=None)
    smtplib.SMTP(timeout=10)
    smtplib.SMTP("", 25, "name.example.com")
    smtplib.SMTP_SSL()
=== LMTP with its own default host
import smtplib

async def f():
    smtplib.LMTP()
    smtplib.LMTP("")
    smtplib.LMTP("/run/lmtp")  # blocks
=== each command
import smtplib

async def f(smtp: smtplib.SMTP, message):
    smtp.connect("mail.example.com")  # blocks
    smtp.ehlo()  # blocks
    smtp.helo()  # blocks
    smtp.ehlo_or_helo_if_needed()  # blocks
    smtp.starttls()  # blocks
    smtp.login("anna", "secret")  # blocks
    smtp.auth("PLAIN", smtp.auth_plain)  # blocks
    smtp.mail("anna@example.com")  # blocks
    smtp.rcpt("bert@example.org")  # blocks
    smtp.data("")  # blocks
    smtp.sendmail("anna@example.com", "bert@example.org", "")  # blocks
    smtp.send_message(message)  # blocks
    smtp.verify("bert")  # blocks
    smtp.vrfy("bert")  # blocks
    smtp.expn("all")  # blocks
    smtp.help()  # blocks
    smtp.noop()  # blocks
    smtp.rset()  # blocks
    smtp.docmd("NOOP")  # blocks
    smtp.putcmd("NOOP")  # blocks
    smtp.getreply()  # blocks
    smtp.send("NOOP")  # blocks
    smtp.quit()  # blocks
=== a with statement
import smtplib

async def f():
    with smtplib.SMTP("mail.example.com") as smtp:  # blocks
        smtp.noop()  # blocks
=== a with statement that connects later
import smtplib

async def f():
    with smtplib.SMTP() as smtp:  # blocks
        smtp.connect("mail.example.com")  # blocks
=== a with statement on what is there
import smtplib

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    with smtp:  # blocks
        smtp.noop()  # blocks
=== a with statement of several
import smtplib

async def f():
    with smtplib.SMTP("a.example.com") as a, smtplib.SMTP("b.example.com") as b:  # blocks 2
        a.noop()  # blocks
        b.noop()  # blocks
    with (
        smtplib.SMTP("a.example.com") as a,  # blocks
        smtplib.SMTP("b.example.com") as b,  # blocks
    ):
        pass
=== an ExitStack
import contextlib
import smtplib
from contextlib import ExitStack

async def f():
    with contextlib.ExitStack() as stack:
        smtp = stack.enter_context(smtplib.SMTP("mail.example.com"))  # blocks
        smtp.noop()  # blocks
        later = stack.enter_context(smtplib.SMTP())  # blocks
        later.connect("mail.example.com")  # blocks
=== contextlib.closing
import contextlib
import smtplib

async def f():
    with contextlib.closing(smtplib.SMTP("mail.example.com")) as smtp:  # blocks
        smtp.noop()  # blocks
    with contextlib.closing(smtplib.SMTP()) as smtp:
        smtp.set_debuglevel(1)
=== contextlib.nullcontext
import contextlib
import smtplib

async def f():
    smtp = smtplib.SMTP()
    with contextlib.nullcontext(smtp) as same:
        same.noop()  # blocks
=== contextlib.suppress
import contextlib
import smtplib

async def f():
    smtp = smtplib.SMTP()
    with contextlib.suppress(smtplib.SMTPException):
        smtp.quit()  # blocks
=== a chain of calls
import smtplib

async def f():
    smtplib.SMTP("mail.example.com").sendmail("anna@example.com", "bert@example.org", "")  # blocks 2
=== what a method of a session gives
import smtplib

async def f():
    code, text = smtplib.SMTP("mail.example.com").noop()  # blocks 2
    text.decode()
=== a wrapper in a package that is not read
$ wrapper corp.mail:CorpMailer
from corp.mail import CorpMailer
import corp.mail

async def f(given: CorpMailer):
    mailer = CorpMailer("mail.example.com")
    mailer.send("bert@example.org")  # blocks
    mailer._private()
    given.anything()  # blocks
    corp.mail.CorpMailer().send()  # blocks
    corp.mail.OtherMailer().send()
=== a wrapper function in a package that is not read
$ wrapper django.core.mail:send_mail
from django.core import mail
from django.core.mail import send_mail, get_connection
import django.core.mail

async def f():
    send_mail("subject", "text", "anna@example.com", ["bert@example.org"])  # blocks
    mail.send_mail()  # blocks
    django.core.mail.send_mail()  # blocks
    get_connection()

def g():
    send_mail()

async def h():
    g()  # blocks
=== a wrapper that is given to something that calls it
$ wrapper django.core.mail:send_mail
import asyncio
from functools import partial
from django.core.mail import send_mail

def call(func, *args):
    func(*args)

async def f(addresses):
    call(send_mail, "subject")  # blocks
    list(map(send_mail, addresses))  # blocks
    asyncio.get_running_loop().call_soon(send_mail)  # blocks
    await asyncio.to_thread(send_mail, "subject")
    partial(send_mail, "subject")()  # blocks
=== a wrapper class of flask
$ wrapper flask_mail:Mail
from flask_mail import Mail, Message

mail = Mail()

async def f():
    message = Message("subject")
    mail.send(message)  # blocks
    with mail.connect() as connection:  # blocks
        connection.send(message)
=== a wrapper by what passes it on
$ wrapper corp:CorpMailer
from corp.mail import CorpMailer as Other
from corp import CorpMailer

async def f():
    CorpMailer().send()  # blocks
    Other().send()
=== a wrapper of the project
$ wrapper sms:Gateway
$ wrapper sms:page
--- sms.py
class Gateway:
    def __init__(self):
        pass

    def send(self):
        pass

    def _close(self):
        pass

    async def later(self):
        pass

def page():
    pass

def other():
    pass
--- main.py
from sms import Gateway, other, page

async def f():
    gateway = Gateway()
    gateway.send()  # blocks
    gateway._close()
    await gateway.later()
    page()  # blocks
    other()

def g():
    page()

async def h():
    g()  # blocks
=== a wrapper of the project by what passes it on
$ wrapper sms:Gateway
$ wrapper sms:page
--- sms/__init__.py
from .gateway import Gateway
from .gateway import page
--- sms/gateway.py
class Gateway:
    def send(self):
        pass

def page():
    pass
--- main.py
from sms import Gateway, page
from sms.gateway import Gateway as Same

async def f():
    Gateway().send()  # blocks
    Same().send()  # blocks
    page()  # blocks
=== a wrapper that is derived from
$ wrapper corp.mail:CorpMailer
from corp.mail import CorpMailer

class Own(CorpMailer):
    def extra(self):
        self.send()

    def quiet(self):
        pass

async def f():
    own = Own("mail.example.com")
    own.send()  # blocks
    own.extra()  # blocks
    own.quiet()
=== a wrapper's method
$ wrapper corp.mail:CorpMailer.send
from corp.mail import CorpMailer

async def f():
    CorpMailer().send()  # blocks
    CorpMailer().describe()
=== a wrapper with a name in small letters
$ wrapper corp.mail:corp_mailer
from corp.mail import corp_mailer

async def f():
    corp_mailer("bert@example.org")  # blocks
=== a wrapper that is an object
$ wrapper corp.mail:mailer
from corp.mail import mailer

async def f():
    mailer.send()  # blocks
=== a wrapper of a module in a folder that is a package
$ wrapper app.sms:page
--- app/sms.py
def page():
    pass
--- app/views.py
from .sms import page

async def f():
    page()  # blocks
=== a bridged wrapper
$ wrapper corp.mail:CorpMailer
$ wrapper corp.mail:send
from asyncsmtp_bridge import bridge
from corp.mail import CorpMailer, send

mailer = bridge(CorpMailer())

async def f():
    await mailer.send()
    await bridge(send)()
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_sessions(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
