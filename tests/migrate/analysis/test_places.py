"""Places: where code runs, on the event loop or elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import Program, check, programs

PROGRAMS = """
=== asyncio.to_thread
import asyncio
import smtplib
from functools import partial
from mail import Mailer, send

async def f(mailer: Mailer):
    await asyncio.to_thread(send, "bert@example.org")
    await asyncio.to_thread(mailer.send)
    await asyncio.to_thread(lambda: send())
    await asyncio.to_thread(partial(send, "bert@example.org"))
    await asyncio.to_thread(smtplib.SMTP, "mail.example.com")
    await asyncio.to_thread(send())  # blocks
=== what a thread gives is used on the loop
import asyncio
import smtplib

async def f():
    smtp = await asyncio.to_thread(smtplib.SMTP, "mail.example.com")
    smtp.noop()  # blocks
    await asyncio.to_thread(smtp.quit)
=== what a bridge gives is awaited
import smtplib
from asyncsmtp_bridge import bridge

async def f():
    smtp = await bridge(smtplib.SMTP)("mail.example.com")
    await smtp.noop()
    async with bridge(smtplib.SMTP)("mail.example.com") as smtp:
        await smtp.noop()
=== what a bridged function gives
from asyncsmtp_bridge import bridge
from mail import connected

async def f():
    smtp = await bridge(connected)()
    smtp.noop()  # blocks
=== a bridged object
from asyncsmtp_bridge import AsyncBridge, async_method, bridge
from mail import Mailer

class AsyncMailer(AsyncBridge[Mailer]):
    send = async_method(Mailer.send)

mailer = bridge(Mailer())
face = AsyncMailer(Mailer())

async def f():
    await mailer.send()
    mailer.describe()
    await face.send()
    mailer.__wrapped__.send()  # blocks
=== a bridge of a class, and what a proxy of it has
from asyncsmtp_bridge import bridge
from mail import Mailer

async def f():
    mailer = await bridge(Mailer)("mail.example.com")
    await mailer.send()
    async with bridge(Mailer)("mail.example.com") as other:
        await other.send()
=== a mirror
import asyncsmtp_bridge
from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL, PipelinedSMTP
from asyncsmtp_bridge import smtplib

async def f():
    async with AsyncSMTP("mail.example.com") as smtp:
        await smtp.noop()
    smtp = await AsyncSMTP_SSL("mail.example.com")
    await smtp.noop()
    async with smtplib.SMTP("mail.example.com", smtp_class=PipelinedSMTP) as smtp:
        await smtp.sendmail("anna@example.com", "bert@example.org", "")
    await asyncsmtp_bridge.AsyncSMTP("mail.example.com").noop()
    await AsyncLMTP("/run/lmtp").noop()
=== sessions of this package that block
from asyncsmtp_bridge import PipelinedSMTP
import asyncsmtp_bridge

async def f():
    with PipelinedSMTP("mail.example.com") as smtp:  # blocks
        smtp.send_stream([])  # blocks
    asyncsmtp_bridge.PipelinedSMTP_SSL("mail.example.com")  # blocks
=== run_in_executor
import asyncio
from concurrent.futures import ThreadPoolExecutor
from mail import Mailer, send

pool = ThreadPoolExecutor()

async def f(mailer: Mailer):
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, send, "bert@example.org")
    await loop.run_in_executor(pool, lambda: send())
    await asyncio.get_event_loop().run_in_executor(None, mailer.send)
    await loop.run_in_executor(None, send())  # blocks
=== an executor
from concurrent.futures import ThreadPoolExecutor
from mail import send

async def f(addresses):
    with ThreadPoolExecutor() as pool:
        pool.submit(send, "bert@example.org")
        pool.map(send, addresses)
        list(pool.map(send, addresses))
        pool.submit(send()).add_done_callback(print)  # blocks
=== a thread
import threading
from threading import Thread, Timer
from mail import send

class Worker(threading.Thread):
    def run(self):
        send()

async def f():
    threading.Thread(target=send).start()
    Thread(target=lambda: send(), args=()).start()
    Timer(10, send).start()
    Worker().start()
    Worker().run()  # blocks
    Thread(target=send()).start()  # blocks
=== a process
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from mail import send

async def f():
    multiprocessing.Process(target=send).start()
    ProcessPoolExecutor().submit(send)
=== anyio
import anyio
import anyio.from_thread
import anyio.to_thread
from anyio import to_thread
from anyio.to_thread import run_sync
from mail import send

async def f():
    await anyio.to_thread.run_sync(send)
    await to_thread.run_sync(send, "bert@example.org")
    await run_sync(lambda: send())

def in_thread():
    anyio.from_thread.run_sync(send)
=== trio
import trio
from mail import send

async def f():
    await trio.to_thread.run_sync(send)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(g)

async def g():
    send()  # blocks
=== asgiref
from asgiref.sync import async_to_sync, sync_to_async
from mail import Mailer, send

async def f():
    await sync_to_async(send)("bert@example.org")
    await sync_to_async(Mailer().send, thread_sensitive=False)()
    post = sync_to_async(send)
    await post()

async def inner():
    send()  # blocks

def view():
    async_to_sync(inner)()
=== FastAPI's and Starlette's threads
from fastapi import BackgroundTasks
from fastapi.concurrency import run_in_threadpool
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool as run
from mail import send

async def f(tasks: BackgroundTasks):
    tasks.add_task(send, "bert@example.org")
    BackgroundTask(send)
    await run_in_threadpool(send, "bert@example.org")
    await run(send)
    tasks.add_task(send())  # blocks
=== a coroutine in the background
from fastapi import BackgroundTasks
from mail import send

async def later():
    send()  # blocks

async def f(tasks: BackgroundTasks):
    tasks.add_task(later)
=== sync endpoints run in threads
from fastapi import FastAPI
from mail import send

app = FastAPI()

@app.get("/")
def index():
    send()
    return {}
=== asyncio.run within sync code
import asyncio
from mail import send

async def main():
    send()  # blocks

def run():
    send()
    asyncio.run(main())

run()
=== asyncio.run of a coroutine that uses threads
import asyncio
from mail import send

async def main():
    await asyncio.to_thread(send)

def post():
    asyncio.run(main())

async def f():
    post()
=== tasks
import asyncio
from mail import send

async def work():
    send()  # blocks

async def f():
    async with asyncio.TaskGroup() as group:
        group.create_task(work())
    await asyncio.gather(work(), asyncio.to_thread(send))
    asyncio.ensure_future(work())
    await asyncio.gather(work(), send())  # blocks
=== callbacks of the loop
import asyncio
from functools import partial
from mail import Mailer, count, send

def later(loop, mailer: Mailer):
    loop.call_soon(send)  # blocks
    loop.call_later(10, mailer.send)  # blocks
    loop.call_at(10, partial(send, "bert@example.org"))  # blocks
    loop.call_soon_threadsafe(lambda: send())  # blocks
    loop.call_soon(count)
    loop.call_soon(loop.run_in_executor, None, send)
    loop.call_soon(loop.create_task, send)

async def f():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(15, send)  # blocks
    loop.add_reader(1, send)  # blocks
    asyncio.create_task(g()).add_done_callback(lambda task: send())  # blocks

async def g():
    pass
=== a callback of a future of an executor runs in its thread
from concurrent.futures import ThreadPoolExecutor
from mail import count, send

pool = ThreadPoolExecutor()

def work():
    pool.submit(count).add_done_callback(lambda future: send())
    future = pool.submit(count)
    future.add_done_callback(lambda future: send())
=== callbacks at the end of a context
import contextlib
from mail import count, send

async def f():
    with contextlib.ExitStack() as stack:
        stack.callback(send, "bert@example.org")  # blocks
        stack.callback(count)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(send)  # blocks
    stack = contextlib.ExitStack()
    stack.callback(send)  # blocks
=== a callback of somebody else's
from mail import send

async def f(button, signal):
    button.callback(send)
    signal.connect(send)
    button.on("click", send)
=== a protocol of asyncio is called on the loop
import asyncio
from mail import send

class Receiver(asyncio.Protocol):
    def data_received(self, data):
        send()

async def f():
    loop = asyncio.get_running_loop()
    await loop.create_server(Receiver, "127.0.0.1", 0)
=== at exit
import atexit
import weakref
from mail import send

async def f(owner):
    atexit.register(send)
    weakref.finalize(owner, send)
=== an asynchronous test
from mail import send

async def test_it():
    send()  # blocks

def test_that():
    send()
=== a logging handler is not called here
import logging.handlers

async def f():
    logging.getLogger().addHandler(logging.handlers.SMTPHandler("mail.example.com", "a@example.com", [], ""))
    logging.getLogger().error("It is nobody's call of smtplib")
=== a lock around it
import threading
from mail import send

lock = threading.Lock()

async def f():
    with lock:
        send()  # blocks
=== an event handler of an application
from fastapi import FastAPI
from mail import send

app = FastAPI()

@app.on_event("startup")
async def startup():
    send()  # blocks

@app.middleware("http")
async def middleware(request, call_next):
    send()  # blocks
    return await call_next(request)
=== the rest of a program is not looked at
from mail import send

if __name__ == "__main__":
    send()
=== sys.exit and other calls that never return
import sys
from mail import send

async def f():
    send()  # blocks
    sys.exit(0)
=== an asynchronous lambda in disguise
import asyncio
from mail import send

async def f():
    later = lambda: asyncio.to_thread(send)
    await later()
=== awaited where a coroutine function is given
async def call(func):
    return await func()

async def own():
    return 1

async def f():
    await call(own)
"""


@pytest.mark.parametrize("program", programs(PROGRAMS))
def test_places(program: Program, tmp_path: Path) -> None:
    check(program, tmp_path)
