"""Modules: imports of all kinds, between files wherever they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== a relative import of a module beside
--- app/__init__.py
--- app/post.py
from mail import send
--- app/views.py
from . import post
from .post import send

async def f():
    post.send()  # blocks
    send()  # blocks
=== a relative import of two and three levels
--- app/__init__.py
--- app/post.py
from mail import send
--- app/a/__init__.py
--- app/a/b/__init__.py
--- app/a/b/views.py
from ... import post
from ...post import send
from ..views import send as again

async def f():
    post.send()  # blocks
    send()  # blocks
    again()  # blocks
--- app/a/views.py
from ..post import send
=== a relative import in a package's own file
--- app/__init__.py
from .post import send

async def f():
    send()  # blocks
--- app/post.py
from mail import send
=== a relative import beyond the top
--- app/__init__.py
from ... import send
from .... import mail

async def f():
    send()
    mail.send()
=== an import of a dotted name
--- app/__init__.py
--- app/post.py
from mail import send
--- main.py
import app.post
import app.post as other

async def f():
    app.post.send()  # blocks
    other.send()  # blocks
=== an import of a package gives the modules that somebody else imports
--- app/__init__.py
--- app/post.py
from mail import send
--- other.py
import app.post
--- main.py
import app
import other

async def f():
    app.post.send()  # blocks
=== a package that passes on what its modules have
--- app/__init__.py
from .post import send as deliver
from .post import *
--- app/post.py
from mail import Mailer, send
--- main.py
import app
from app import Mailer, deliver

async def f():
    deliver()  # blocks
    app.deliver()  # blocks
    Mailer().send()  # blocks
    app.send()  # blocks
=== a star that leaves out private names
--- post.py
from mail import send as _send
from mail import send
--- main.py
from post import *

async def f():
    send()  # blocks
    _send()
=== a star of a module with __all__
--- post.py
from mail import count, send
from mail import send as _hidden

__all__ = ["_hidden", "count"]
--- main.py
from post import *

async def f():
    send()
    _hidden()  # blocks
    count()
=== a star of a star
--- a.py
from mail import *
--- b.py
from a import *
--- main.py
from b import *

async def f():
    send()  # blocks
=== a star within a try
try:
    from fast_mail import *
except ImportError:
    from mail import *

async def f():
    send()  # blocks
=== stars in a circle
--- a.py
from b import *
from mail import send
--- b.py
from a import *
--- main.py
from b import *

async def f():
    send()  # blocks
    nothing()
=== modules that import from each other
--- a.py
from b import relay
from mail import send

def first():
    relay()
--- b.py
import a

def relay():
    a.send()
--- main.py
from a import first

async def f():
    first()  # blocks
=== a name that two modules import from each other
--- a.py
from b import send
--- b.py
from a import send
--- main.py
from a import send

async def f():
    send()
=== a module that imports itself
--- main.py
import main
from main import send as mine
from mail import send

async def f():
    main.send()  # blocks
    mine()  # blocks
    main.main.main.send()  # blocks
=== a folder without a file of its own is a package
--- app/post/out.py
from mail import send
--- main.py
from app.post import out
from app.post.out import send
import app.post.out

async def f():
    out.send()  # blocks
    send()  # blocks
    app.post.out.send()  # blocks
=== a module that is there twice
--- one/__init__.py
--- one/post.py
from mail import send
--- two/__init__.py
--- two/post.py
from mail import count as send
--- main.py
from one.post import send as blocks
from two.post import send

async def f():
    blocks()  # blocks
    send()
=== a module that is there twice, each meant by its neighbours
--- one/post.py
from mail import send
--- one/views.py
from post import send

async def f():
    send()  # blocks
--- two/post.py
from mail import count as send
--- two/views.py
from post import send

async def f():
    send()
=== a src layout, scanned from its root
--- src/app/__init__.py
--- src/app/post.py
from mail import send
--- src/app/views.py
from app.post import send

async def f():
    send()  # blocks
--- tests/test_views.py
from app import post

async def test_it():
    post.send()  # blocks
=== a folder below a package
$ path app/views
$ path app/post.py
--- app/__init__.py
--- app/post.py
import smtplib

def send():
    smtplib.SMTP("mail.example.com")
--- app/views/__init__.py
--- app/views/orders.py
from app.post import send
from ..post import send as again

async def f():
    send()  # blocks
    again()  # blocks
=== a single file
$ path app/views.py
--- app/__init__.py
--- app/views.py
import smtplib
from .elsewhere import send

def own():
    smtplib.SMTP("mail.example.com")

async def f():
    own()  # blocks
    send()
=== a module with the name of one of the standard library
--- email/__init__.py
--- app/json.py
from mail import send
--- main.py
import json
import queue

async def f():
    json.send()
    queue.send()
--- app/queue.py
from mail import send
=== a project module called smtplib
--- smtplib.py
class SMTP:
    def __init__(self, host):
        pass
--- main.py
async def f():
    pass
=== a package called like a module of it
--- mailer/__init__.py
from .mailer import mailer
--- mailer/mailer.py
from mail import Mailer

mailer = Mailer()
--- main.py
from mailer import mailer
import mailer.mailer

async def f():
    mailer.send()  # blocks
=== a function that hides the module it is from
--- app/__init__.py
from .send import send
--- app/send.py
import mail

def send():
    mail.send()
--- main.py
from app import send

async def f():
    send()  # blocks
=== an import of a submodule through a package's other name
--- app/__init__.py
--- app/post/__init__.py
--- app/post/out.py
from mail import send
--- main.py
from app import post
import app.post.out

async def f():
    post.out.send()  # blocks
=== importlib with a name that is written
import importlib

post = importlib.import_module("mail")

async def f():
    post.send()  # blocks
    importlib.import_module("mail").count()
=== __main__ and its package
--- app/__init__.py
--- app/__main__.py
import asyncio
from .post import send

async def main():
    send()  # blocks

asyncio.run(main())
--- app/post.py
from mail import send
=== a module's __getattr__ does not matter
--- post.py
def __getattr__(name):
    raise AttributeError(name)
--- main.py
import post

async def f():
    post.send()
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_modules(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
