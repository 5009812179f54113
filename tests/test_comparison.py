"""What the README's table says of the alternatives, shown on them.

Not a contest: it keeps the table true. What is quicker than what is for `python -m tests.benchmarks`.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import aiosmtplib
import anyio.to_thread
import pytest
import trustme
from asgiref.sync import sync_to_async
from starlette.background import BackgroundTasks

from asyncsmtp_bridge import AsyncSMTP_SSL, BoundedExecutor
from asyncsmtp_bridge.testing import SMTPTestServer, silence
from tests.servers import smtp_server


class Crowd:
    """Counts who runs at once, until it is let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.peak = 0
        self.arrived = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self) -> None:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)
        self.arrived.release()
        self.let_go.wait(30)
        with self._lock:
            self._running -= 1

    async def wait_for(self, number: int) -> None:
        for _ in range(number):
            while not self.arrived.acquire(blocking=False):
                await asyncio.sleep(0.001)


async def cancel_twenty(call: Callable[[], Awaitable[object]]) -> None:
    for _ in range(20):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call(), 0.02)


async def test_ours_never_runs_more_than_its_size_also_when_calls_are_cancelled() -> None:
    crowd = Crowd()
    async with BoundedExecutor(2) as executor:
        await cancel_twenty(lambda: executor.run(crowd))
        await crowd.wait_for(2)
        crowd.let_go.set()
    assert crowd.peak == 2


async def test_a_semaphore_around_to_thread_does_not_bound_cancelled_calls() -> None:
    crowd, semaphore = Crowd(), asyncio.Semaphore(2)

    async def call() -> None:
        async with semaphore:
            await asyncio.to_thread(crowd)

    await cancel_twenty(call)
    await crowd.wait_for(3)
    crowd.let_go.set()
    assert crowd.peak > 2


async def test_anyios_limiter_does_not_bound_cancelled_calls() -> None:
    crowd, limiter = Crowd(), anyio.CapacityLimiter(2)
    await cancel_twenty(lambda: anyio.to_thread.run_sync(crowd, limiter=limiter, abandon_on_cancel=True))
    await crowd.wait_for(20)
    crowd.let_go.set()
    assert crowd.peak == 20


async def test_asgiref_runs_one_at_a_time_unless_told_otherwise() -> None:
    crowd = Crowd()
    calls = [asyncio.ensure_future(sync_to_async(crowd)()) for _ in range(5)]
    await crowd.wait_for(1)
    crowd.let_go.set()
    await asyncio.gather(*calls)
    assert crowd.peak == 1


async def test_background_tasks_share_forty_threads_with_everything_that_is_synchronous() -> None:
    crowd = Crowd()

    async def request() -> None:
        tasks = BackgroundTasks()
        tasks.add_task(crowd)
        await tasks()

    requests = [asyncio.ensure_future(request()) for _ in range(50)]
    await crowd.wait_for(40)
    assert crowd.peak == 40
    crowd.let_go.set()
    await asyncio.gather(*requests)


async def test_a_native_client_ends_its_wait_when_it_is_cancelled() -> None:
    with SMTPTestServer(faults=[silence("NOOP")]) as server:
        client = aiosmtplib.SMTP(hostname="localhost", port=server.port, start_tls=False)
        await client.connect()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.noop(), 0.05)
        client.close()


STUCK = {
    "ours": "await BoundedExecutor(1).run(stuck)",
    "to_thread": "await asyncio.to_thread(stuck)",
    "anyio": "await anyio.to_thread.run_sync(stuck, abandon_on_cancel=True)",
    "asgiref": "await sync_to_async(stuck)()",
}
PROGRAM = """
import asyncio, sys
import anyio.to_thread
from asgiref.sync import sync_to_async
from asyncsmtp_bridge import BoundedExecutor, configure
configure(exit_grace=0.2)

def stuck():
    print("began", flush=True)
    sys.stdin.readline()        # until the test ends it

async def main():
    try:
        await asyncio.wait_for(call(), 0.5)
    except asyncio.TimeoutError:
        pass

async def call():
    {call}

asyncio.run(main())
"""


@pytest.mark.parametrize("how", STUCK)
def test_a_call_that_hangs_keeps_the_process_of_everybody_else(how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(call=STUCK[how])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "began\n"
        if how == "ours":
            assert process.wait(30) == 0
            assert "1 call(s) still run: stuck" in process.stderr.read()
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        process.stdin.close()
        process.wait(30)


@pytest.fixture(scope="module")
def self_made() -> ssl.SSLContext:
    """A certificate from an authority that nobody trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


async def test_a_certificate_that_nobody_trusts(self_made: ssl.SSLContext) -> None:
    def legacy() -> Any:
        with smtplib.SMTP_SSL("localhost", server.port) as smtp:
            return smtp.noop()

    with smtp_server(tls=self_made) as server:
        assert (await asyncio.to_thread(legacy))[0] == 250
        with pytest.raises(ssl.SSLCertVerificationError):
            await AsyncSMTP_SSL("localhost", server.port)
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await aiosmtplib.SMTP(hostname="localhost", port=server.port, use_tls=True).connect()
