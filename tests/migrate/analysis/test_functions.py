"""Functions: how calls are followed from one to the next, whatever is around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== a function that calls a function
from mail import send

def one():
    return two()

def two():
    return three()

def three():
    return send()

async def f():
    one()  # blocks
=== recursion
from mail import count, send

def down(n):
    if n:
        down(n - 1)
    else:
        send()

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

async def f():
    down(3)  # blocks
    even(3)
=== a coroutine that calls a coroutine
from mail import send

async def inner():
    send()  # blocks

async def outer():
    await inner()
=== a nested function
from mail import send

async def f():
    def inner():
        send()

    inner()  # blocks
=== a nested function that is only defined
from mail import send

async def f():
    def inner():
        send()

    return inner
=== a function that returns a function
from mail import send

def make():
    def inner():
        send()

    return inner

async def f():
    make()
    make()()  # blocks
    inner = make()
    inner()  # blocks
=== a lambda
from mail import send

post = lambda to: send(to)

async def f():
    post("bert@example.org")  # blocks
    (lambda: send())()  # blocks
    later = lambda: send()
    return later
=== a default argument
from mail import send

async def f():
    def inner(sent=send()):  # blocks
        return sent

    inner()
=== a function as a default argument
from mail import send

def run(func=send):
    return func()

async def f():
    run()  # blocks
    run(func=send)  # blocks
=== a function as a default argument of a coroutine
from mail import send

async def f(func=send):
    func()  # blocks
=== arguments that are passed through
from mail import send

def call(func, *args, **kwargs):
    return func(*args, **kwargs)

def quiet(func, *args):
    return args

async def f():
    call(send, "bert@example.org")  # blocks
    call(len, "bert@example.org")
    quiet(send)
=== arguments that are passed through twice
from mail import count, send

def call(func, *args):
    return func(*args)

def log_and_call(func, *args):
    print(func)
    return call(func, *args)

async def f():
    log_and_call(send, "bert@example.org")  # blocks
    log_and_call(count, "bert@example.org")
=== a function that is given by its keyword
from mail import send

def call(*, func):
    return func()

async def f():
    call(func=send)  # blocks
=== a function that is given to a coroutine
from mail import count, send

async def call(func, *args):
    return func(*args)

async def f():
    await call(send, "bert@example.org")  # blocks
    await call(count, "bert@example.org")
=== a function that is given to a coroutine which awaits or threads it
import asyncio
import inspect
from mail import send

async def call(func, *args):
    if inspect.iscoroutinefunction(func):
        return await func(*args)
    return await asyncio.to_thread(func, *args)

async def f():
    await call(send, "bert@example.org")
=== a function that is called in a nested one
from mail import count, send

def call_later(func):
    def run():
        return func()

    return run

def call_now(func):
    def run():
        return func()

    return run()

async def f():
    call_later(send)
    call_now(send)  # blocks
    call_now(count)
=== a bound method that is given
from mail import Mailer

def call(func, *args):
    return func(*args)

async def f(mailer: Mailer):
    call(mailer.send, "bert@example.org")  # blocks
    call(mailer.describe)
=== a lambda that is given
from mail import send

def call(func):
    return func()

async def f():
    call(lambda: send())  # blocks
=== a class that is given
import smtplib
from mail import Mailer

def make(kind, *args):
    return kind(*args)

async def f():
    make(smtplib.SMTP, "mail.example.com")  # blocks
    make(smtplib.SMTP)
    make(Mailer)
=== functions in a dictionary
from mail import count, send

WAYS = {"email": send, "log": count}

async def f(way):
    WAYS[way]()  # blocks
    WAYS["email"]()  # blocks
    WAYS["log"]()
    WAYS.get(way, count)()  # blocks
=== functions in a list
from mail import count, send

WAYS = [send, count]

async def f():
    for way in WAYS:
        way()  # blocks
    WAYS[0]()  # blocks
    WAYS[1]()
=== functions in a registry that a decorator fills
from mail import send

WAYS = {}

def way(name):
    def register(func):
        WAYS[name] = func
        return func
    return register

@way("email")
def email():
    send()

async def f(name):
    email()  # blocks
=== map and filter
from mail import send

async def f(addresses):
    list(map(send, addresses))  # blocks
    list(filter(send, addresses))  # blocks
    sorted(addresses, key=send)  # blocks
    max(addresses, key=lambda each: send(each))  # blocks
    sorted(addresses, key=len)
=== functools.reduce
import functools
from mail import send

async def f(addresses):
    functools.reduce(lambda total, each: total + send(each), addresses, 0)  # blocks
=== functools.partial
import functools
from functools import partial
from mail import count, send

post = functools.partial(send, "bert@example.org")

async def f():
    post()  # blocks
    partial(send)("bert@example.org")  # blocks
    partial(count)("bert@example.org")
    partial(partial(send), "bert@example.org")()  # blocks
    partial(send)
=== functools.partialmethod
import functools
from mail import send

class Api:
    def post(self, to):
        send(to)

    to_bert = functools.partialmethod(post, "bert@example.org")

async def f():
    Api().to_bert()  # blocks
=== functools.lru_cache and cache
import functools
from mail import send

@functools.lru_cache
def one():
    return send()

@functools.lru_cache(maxsize=None)
def two():
    return send()

@functools.cache
def three():
    return send()

four = functools.lru_cache(send)
five = functools.lru_cache(maxsize=1)(send)

async def f():
    one()  # blocks
    two()  # blocks
    three()  # blocks
    four()  # blocks
    five()  # blocks
    one.cache_clear()
=== functools.singledispatch
import functools
from mail import send

@functools.singledispatch
def notify(what):
    pass

@notify.register
def _(what: str):
    send(what)

@notify.register(int)
def _(what):
    pass

async def f():
    notify("bert@example.org")  # blocks
=== functools.singledispatchmethod
import functools
from mail import send

class Api:
    @functools.singledispatchmethod
    def notify(self, what):
        pass

    @notify.register
    def _(self, what: str):
        send(what)

async def f():
    Api().notify("bert@example.org")  # blocks
=== functools.wraps
import functools
from mail import count, send

def logged(func):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        print(func)
        return func(*args, **kwargs)

    return wrapper

@logged
def post():
    send()

@logged
def quiet():
    count()

async def f():
    post()  # blocks
    quiet()
    post.__wrapped__()  # blocks
=== a decorator that is called as a function
from mail import send

def logged(func):
    def wrapper(*args):
        return func(*args)

    return wrapper

post = logged(send)

async def f():
    post()  # blocks
=== a decorator that sends
import functools
from mail import send

def mail_failures(func):
    @functools.wraps(func)
    def wrapper(*args):
        try:
            return func(*args)
        except Exception:
            send()
            raise

    return wrapper

@mail_failures
def work():
    return 1

class Api:
    @mail_failures
    def work(self):
        return 1

async def f():
    work()  # blocks
    Api().work()  # blocks
=== a decorator that sends, and is called itself
from mail import send

def mail_failures(to):
    def decorate(func):
        def wrapper(*args):
            try:
                return func(*args)
            finally:
                send(to)

        return wrapper

    return decorate

@mail_failures("bert@example.org")
def work():
    return 1

async def f():
    work()  # blocks
=== a decorator that sends, on a coroutine
from mail import send

def mail_failures(func):
    async def wrapper(*args):
        try:
            return await func(*args)
        except Exception:
            send()  # blocks
            raise

    return wrapper

@mail_failures
async def work():
    return 1

async def f():
    await work()
=== a decorator that has it done in the background
from concurrent.futures import ThreadPoolExecutor
from mail import send

pool = ThreadPoolExecutor()

def in_background(func):
    def wrapper(*args):
        return pool.submit(func, *args)

    return wrapper

@in_background
def post():
    send()

async def f():
    post()
=== a decorator that has it done in a thread
import threading
from mail import send

def in_thread(func):
    def wrapper(*args):
        threading.Thread(target=func, args=args).start()

    return wrapper

class Api:
    @in_thread
    def post(self):
        send()

async def f():
    Api().post()
=== a decorator that makes a coroutine function
import asyncio
from mail import send

def awaited(func):
    async def wrapper(*args):
        return await asyncio.to_thread(func, *args)

    return wrapper

@awaited
def post():
    send()

async def f():
    await post()
=== a decorator that makes a coroutine function only of those
import asyncio
import functools
from mail import send

def logged(func):
    if asyncio.iscoroutinefunction(func):
        @functools.wraps(func)
        async def wrapper(*args):
            return await func(*args)
    else:
        @functools.wraps(func)
        def wrapper(*args):
            return func(*args)
    return wrapper

@logged
def post():
    send()

@logged
async def post_later():
    send()  # blocks

async def f():
    post()  # blocks
    await post_later()
=== a decorator that is a class
from mail import send

class logged:
    def __init__(self, func):
        self.func = func

    def __call__(self, *args):
        return self.func(*args)

@logged
def post():
    send()

async def f():
    post()  # blocks
=== a decorator of somebody else's
import click
import tenacity
from mail import send

@click.command()
def post():
    send()

@tenacity.retry(stop=tenacity.stop_after_attempt(2))
def again():
    send()

async def f():
    post()  # blocks
    again()  # blocks
=== tasks of a queue
from celery import shared_task
import dramatiq
from mail import send

@shared_task
def post():
    send()

@dramatiq.actor
def act():
    send()

async def f():
    post.delay()
    post.apply_async()
    act.send()
=== decorators that are awaited
from asgiref.sync import sync_to_async
from asyncsmtp_bridge import bridge
from mail import send

@sync_to_async
def one():
    send()

@sync_to_async(thread_sensitive=False)
def two():
    send()

@bridge
def three():
    send()

four = sync_to_async(send)

async def f():
    await one()
    await two()
    await three()
    await four()
=== a decorator over a decorator
import functools
from mail import send

def logged(func):
    @functools.wraps(func)
    def wrapper(*args):
        return func(*args)
    return wrapper

@logged
@functools.lru_cache
@logged
def post():
    send()

async def f():
    post()  # blocks
=== overloads
from typing import overload
from mail import send

@overload
def post(to: str) -> str: ...
@overload
def post(to: int) -> int: ...
def post(to):
    return send(to)

async def f():
    post("bert@example.org")  # blocks
=== a generator
from mail import send

def each(addresses):
    for address in addresses:
        yield send(address)

def quiet(addresses):
    for address in addresses:
        yield address

async def f(addresses):
    for sent in each(addresses):  # blocks
        print(sent)
    list(each(addresses))  # blocks
    for address in quiet(addresses):
        print(address)
=== a generator that yields from another one
from mail import send

def inner():
    yield send()

def outer():
    yield from inner()

async def f():
    for sent in outer():  # blocks
        print(sent)
=== a generator of sessions
import smtplib
from collections.abc import Iterator

def sessions() -> Iterator[smtplib.SMTP]:
    yield smtplib.SMTP("mail.example.com")

def others():
    yield smtplib.SMTP("mail.example.com")

def from_others():
    yield from others()

async def f():
    for smtp in sessions():  # blocks
        smtp.noop()  # blocks
    for smtp in from_others():  # blocks
        smtp.noop()  # blocks
    next(others()).noop()  # blocks 2
=== a generator that is walked through in a thread
import asyncio
from mail import send

def each():
    yield send()

async def f():
    await asyncio.to_thread(list, each())
    await asyncio.to_thread(lambda: list(each()))
=== a generator expression
from mail import send

async def f(addresses):
    sum(send(each) for each in addresses)  # blocks
=== an asynchronous generator
from mail import send

async def each(addresses):
    for address in addresses:
        yield send(address)  # blocks

async def f(addresses):
    async for sent in each(addresses):
        print(sent)
=== an asynchronous generator of sessions
import smtplib

async def each():
    yield smtplib.SMTP("mail.example.com")  # blocks

async def f():
    async for smtp in each():
        smtp.noop()  # blocks
    [smtp.noop() async for smtp in each()]  # blocks
=== a context manager made of a generator
import contextlib
import smtplib

@contextlib.contextmanager
def session():
    smtp = smtplib.SMTP("mail.example.com")
    try:
        yield smtp
    finally:
        smtp.quit()

async def f():
    with session() as smtp:  # blocks
        smtp.noop()  # blocks
=== an asynchronous context manager made of a generator
import contextlib
import smtplib

@contextlib.asynccontextmanager
async def session():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    try:
        yield smtp
    finally:
        smtp.quit()  # blocks

async def f():
    async with session() as smtp:
        smtp.noop()  # blocks
=== a context manager as a decorator
import contextlib
from mail import send

@contextlib.contextmanager
def told():
    yield
    send()

@told()
def work():
    pass

async def f():
    work()  # blocks
=== what a function with a result of several kinds gives
import smtplib

def connected(secure):
    if secure:
        return smtplib.SMTP_SSL("mail.example.com")
    return smtplib.SMTP("mail.example.com")

async def f(secure):
    smtp = connected(secure)  # blocks
    smtp.noop()  # blocks
=== a parameter that is given a session
import smtplib

def use(smtp):
    smtp.noop()

def look(smtp):
    return smtp.local_hostname

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    use(smtp)  # blocks
    look(smtp)
=== a parameter that is given a session through three functions
import smtplib

def one(smtp):
    two(smtp)

def two(smtp):
    three(session=smtp)

def three(session):
    session.noop()

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    one(smtp)  # blocks
=== a parameter that is given a session through twelve functions
import smtplib

def f1(s): f2(s)
def f2(s): f3(s)
def f3(s): f4(s)
def f4(s): f5(s)
def f5(s): f6(s)
def f6(s): f7(s)
def f7(s): f8(s)
def f8(s): f9(s)
def f9(s): f10(s)
def f10(s): f11(s)
def f11(s): f12(s)
def f12(s): s.noop()

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    f1(smtp)  # blocks
=== a parameter of a coroutine that is given a session
import smtplib

async def use(smtp):
    smtp.noop()  # blocks

async def f():
    smtp = smtplib.SMTP("mail.example.com")  # blocks
    await use(smtp)
=== a function that gives what it is given
import smtplib

def same(smtp):
    return smtp

async def f():
    same(smtplib.SMTP("mail.example.com")).noop()  # blocks 2
=== arguments by a star
from mail import send

def call(func, *args):
    func(*args)

async def f(*args, **kwargs):
    send(*args)  # blocks
    send(**kwargs)  # blocks
    call(*[send])
=== keyword-only and positional-only parameters
import smtplib

def use(one, /, two, *, three):
    three.noop()

def other(one, /, two, *, three):
    one.noop()

async def f(a, b):
    smtp = smtplib.SMTP()
    use(a, b, three=smtp)  # blocks
    other(smtp, b, three=a)  # blocks
=== an argument that is a star parameter's element
import smtplib

def close_all(*sessions):
    for smtp in sessions:
        smtp.quit()

async def f():
    smtp = smtplib.SMTP()
    close_all(smtp)  # blocks
=== a function that is assigned to an attribute of itself
from mail import send

def post():
    pass

post.now = send

async def f():
    post()
    post.now()  # blocks
=== a function that is defined under a condition
import sys
from mail import send

if sys.platform == "win32":
    def post():
        pass
else:
    def post():
        send()

async def f():
    post()  # blocks
=== a conditional call
from mail import count, send

async def f(urgent):
    (send if urgent else count)()  # blocks
    func = send if urgent else count
    func()  # blocks
=== what an async function gives when it is awaited later
import asyncio
import smtplib

async def connect():
    return smtplib.SMTP("mail.example.com")  # blocks

async def f():
    task = asyncio.create_task(connect())
    smtp = await task
    smtp.noop()  # blocks
    coroutine = connect()
    (await coroutine).noop()  # blocks
    (await asyncio.wait_for(connect(), 10)).noop()  # blocks
    one, two = await asyncio.gather(connect(), connect())
    one.noop()  # blocks
=== a function that never runs on the loop
from mail import send

def nightly():
    send()

class Report:
    def run(self):
        send()

nightly()
=== a function with the name of one that blocks
import other
from mail import count as send

async def f():
    send()
    other.send()
=== a string that is a call
async def f():
    "smtplib.SMTP('mail.example.com').noop()"
    f"{'send()'}"
=== a call within an f-string
from mail import send

async def f():
    return f"{send()!r:>{send()}}"  # blocks 2
=== an except star
$ python 3.11
from mail import send

async def f():
    try:
        pass
    except* OSError:
        send()  # blocks
=== a type parameter
$ python 3.12
import smtplib

def same[T: smtplib.SMTP](smtp: T) -> T:
    return smtp

class Box[T]:
    def send(self):
        smtplib.SMTP("mail.example.com")

async def f(smtp: smtplib.SMTP, box: Box[int]):
    same(smtp).noop()  # blocks
    box.send()  # blocks
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_functions(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
