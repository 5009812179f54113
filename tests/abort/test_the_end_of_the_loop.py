"""The loop ends while a call runs: asyncio.run is over, Ctrl-C, or somebody closes it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asyncsmtp_bridge import BoundedExecutor, bridge, configure
from asyncsmtp_bridge.testing import SMTPTestServer, silence

from .targets import Sending, Waiting, as_an_object
from .told import PATIENCE, is_set

ROOT = Path(__file__).parents[2]

# The grace is long: an abort that does not make the thread return would be waited for until the test fails.
BEGINNING = """
    import asyncio, signal, smtplib, sys
    from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have had it ignored
    configure(cancel_grace=60, exit_grace=60)
    port = int(sys.argv[1])

    class Plain:
        def send(self):
            with smtplib.SMTP("localhost", port, timeout=60) as session:
                session.sendmail("anna@example.org", "bert@example.org", "x")

    class Reconnecting:
        def send(self):
            for _ in range(100):
                try:
                    with smtplib.SMTP("localhost", port, timeout=60) as session:
                        return session.sendmail("anna@example.org", "bert@example.org", "x")
                except Exception:
                    pass

    async def send_by_mirror():
        async with AsyncSMTP("localhost", port) as smtp:
            await smtp.sendmail("anna@example.org", "bert@example.org", "x")

    ways = {"plain": bridge(Plain()).send, "reconnecting": bridge(Reconnecting()).send, "mirror": send_by_mirror}
    send = ways[sys.argv[2]]

    async def awake():
        # A signal that comes just before select() is noticed after it, whatever runs on the loop: it must not be long.
        while True:
            await asyncio.sleep(0.05)

    async def until_ctrl_c(coroutine):
        ticking = asyncio.create_task(awake())
        await coroutine
"""

WAYS = ["plain", "reconnecting", "mirror"]


@contextmanager
def started(server: SMTPTestServer, way: str, script: str) -> Iterator[subprocess.Popen[str]]:
    program = textwrap.dedent(BEGINNING) + textwrap.dedent(script)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(server.port), way],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_asyncio_run_aborts_what_runs(way: str) -> None:
    script = """
    async def main():
        task = asyncio.create_task(send())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    asyncio.run(main())
    print("goes on")
    """
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        with started(server, way, script) as process:
            server.reached("RCPT").wait(PATIENCE)
            out, err = process.communicate("\n", timeout=PATIENCE)
        server.connected(0).wait()
        assert server.messages == []
    assert (process.returncode, out, err) == (0, "goes on\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_the_process(way: str) -> None:
    with SMTPTestServer(faults=[silence("RCPT", times=1)]) as server:
        with started(server, way, "asyncio.run(until_ctrl_c(send()))") as process:
            server.reached("RCPT").wait(PATIENCE)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        server.connected(0).wait()
        assert server.messages == []
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert "never retrieved" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_ctrl_c_ends_a_process_that_waits_for_many_calls() -> None:
    script = """
    async def main():
        async with BoundedExecutor(4) as executor:
            send = bridge(Reconnecting().send, executor=executor, calls="concurrent")
            await asyncio.gather(*(send() for _ in range(20)))

    asyncio.run(until_ctrl_c(main()))
    """
    # Always silent: a slot that is given back may go to a call whose own cancellation is still on its way.
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        with started(server, "plain", script) as process:
            server.reached("RCPT", 4).wait(PATIENCE)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        server.connected(0).wait()
        assert server.messages == []
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"


def test_a_loop_may_close_under_a_call_that_an_abort_could_not_interrupt() -> None:
    configure(cancel_grace=0)
    target = Waiting()
    executor = BoundedExecutor(1)

    async def main() -> None:
        call = asyncio.ensure_future(as_an_object(target, executor=executor)("bert@example.org"))
        await asyncio.to_thread(target.begun.wait)
        call.cancel()
        await asyncio.wait({call})

    asyncio.run(main())
    assert executor.stats().running == 1
    target.go.set()
    asyncio.run(executor.aclose())
    assert (executor.stats().done, executor.stats().abandoned) == (1, 0)


def test_a_loop_may_close_under_a_running_call_and_the_worker_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    target = Waiting()
    executor = BoundedExecutor(1)
    send = as_an_object(target, executor=executor)
    loop = asyncio.new_event_loop()
    call = loop.create_task(send("bert@example.org"))
    loop.run_until_complete(asyncio.wait_for(is_set(target.begun), PATIENCE))
    loop.close()  # and not asyncio.run(), which cancels first
    target.go.set()
    assert asyncio.run(send("cleo@example.org")) == "sent to cleo@example.org"
    asyncio.run(executor.aclose())
    assert "the event loop was closed before the result of Waiting.send came in" in caplog.text
    assert not call.done()
    call._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_loop_that_was_closed_does_not_keep_an_abort_from_going_on() -> None:
    configure(cancel_grace=60)
    with SMTPTestServer(faults=[silence("RCPT")]) as server:
        executor = BoundedExecutor(1)

        async def main() -> None:
            send = bridge(Sending(server.port), executor=executor).send
            call = asyncio.ensure_future(send("bert@example.org"))
            await server.reached("RCPT")
            call.cancel()
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})

        asyncio.run(main())
        asyncio.run(executor.aclose())
        assert executor.stats().abandoned == 0
        assert server.messages == []
