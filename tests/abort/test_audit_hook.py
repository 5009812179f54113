"""An audit hook cannot be removed and costs something: there is none before the first abort of the process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BEGINNING = """
    import asyncio, smtplib, sys, threading
    from asyncsmtp_bridge import AsyncSMTP, BoundedExecutor, bridge, configure
    from asyncsmtp_bridge.testing import SMTPTestServer, hold

    added = []
    add, sys.addaudithook = sys.addaudithook, lambda hook: (added.append(hook), add(hook))

    class CorpMailer:
        def __init__(self, port):
            self.port = port

        def send(self, to):
            with smtplib.SMTP("localhost", self.port, timeout=60) as session:
                session.sendmail("anna@example.org", to, "x")

    async def cancelled(call):
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
"""


def hooks_added_by(script: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(BEGINNING) + textwrap.dedent(script)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


CALLS = """
    async def main():
        with SMTPTestServer() as server:
            mailer = CorpMailer(server.port)
            for _ in range(5):
                await bridge(mailer).send("bert@example.org")
                await bridge(mailer.send)("bert@example.org")
            smtp = await AsyncSMTP("localhost", server.port)
            await smtp.sendmail("anna@example.org", "bert@example.org", "x")
            await smtp.quit()
            assert len(server.messages) == 11

    asyncio.run(main())
    print(len(added))
"""


def test_calls_that_nobody_cancels_add_none() -> None:
    assert hooks_added_by(CALLS) == 0


MIRROR = """
    async def main():
        configure(audit_hook={audit_hook})
        with SMTPTestServer(faults=[hold("NOOP")]) as server:
            smtp = await AsyncSMTP("localhost", server.port, on_cancel="{on_cancel}")
            await smtp.sendmail("anna@example.org", "bert@example.org", "x")
            assert not added
            call = asyncio.ensure_future(smtp.noop())
            await server.held("NOOP")
            call.cancel()
            await asyncio.sleep(0)
            server.hang_up()
            await cancelled(call)
        print(len(added))

    asyncio.run(main())
"""


WRAPPER = """
    async def main():
        configure(audit_hook={audit_hook})
        with SMTPTestServer(faults=[hold("RCPT")]) as server:
            mailer = bridge(CorpMailer(server.port), on_cancel="{on_cancel}")
            call = asyncio.ensure_future(mailer.send("bert@example.org"))
            await server.held("RCPT")
            call.cancel()
            await asyncio.sleep(0)
            server.hang_up()
            await cancelled(call)
        print(len(added))

    asyncio.run(main())
"""


@pytest.mark.parametrize("script", [MIRROR, WRAPPER], ids=["mirror", "wrapper"])
@pytest.mark.parametrize(
    ("on_cancel", "audit_hook", "hooks"),
    [("abort", True, 1), ("abort", False, 0), ("wait", True, 0), ("abandon", True, 0)],
)
def test_only_an_abort_adds_one_unless_it_is_declined(
    script: str, on_cancel: str, audit_hook: bool, hooks: int
) -> None:
    assert hooks_added_by(script.format(on_cancel=on_cancel, audit_hook=audit_hook)) == hooks


WITHDRAWN = """
    async def main():
        begun, go = threading.Event(), threading.Event()

        def occupy():
            begun.set()
            assert go.wait(20)

        async with BoundedExecutor(1) as executor:
            busy = asyncio.ensure_future(executor.run(occupy))
            await asyncio.to_thread(begun.wait)
            call = asyncio.ensure_future(bridge(CorpMailer(1), executor=executor).send("bert@example.org"))
            while not executor.stats().pending:
                await asyncio.sleep(0.001)
            await cancelled(call)
            go.set()
            await busy
        print(len(added))

    asyncio.run(main())
"""


def test_a_call_that_is_withdrawn_adds_none() -> None:
    assert hooks_added_by(WITHDRAWN) == 0


RETURNED = """
    async def main():
        async with BoundedExecutor(1) as executor:
            call = asyncio.ensure_future(bridge(len, executor=executor)("x"))
            await asyncio.sleep(0)
            while not executor.stats().done:
                pass
            await cancelled(call)
        print(len(added))

    asyncio.run(main())
"""


def test_a_call_that_had_returned_adds_none() -> None:
    assert hooks_added_by(RETURNED) == 0
