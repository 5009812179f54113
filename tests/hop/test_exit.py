"""The end of the process: running calls get their grace, then they are named and left."""

import pytest

from .process import python

# Under load an interpreter takes a second or two to start and to end; the stuck calls take a minute.
PROMPTLY = 20

STUCK = """
    import asyncio, contextlib, threading
    from asyncsmtp_bridge import BoundedExecutor, configure

    configure(exit_grace={grace})
    executor = BoundedExecutor(2, name="mail")
    entered = threading.Event()

    def sending(password):
        entered.set()
        threading.Event().wait(60)

    async def main():
        task = asyncio.create_task(executor.run(sending, "hunter2"))
        await asyncio.to_thread(entered.wait)
        {then}

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
"""


def test_stuck_call_does_not_keep_the_process_from_ending() -> None:
    ended = python(STUCK.format(grace=0.5, then="task.cancel()"))
    assert ended.code == 0, ended.err
    assert 0.5 <= ended.seconds < PROMPTLY


def test_stuck_call_is_named_without_its_arguments() -> None:
    ended = python(STUCK.format(grace=0, then=""))
    assert "executor 'mail': the process ends while 1 call(s) still run: sending" in ended.err
    assert "hunter2" not in ended.err
    assert "ResourceWarning" not in ended.err


def test_stuck_call_is_a_resource_warning_for_those_who_ask_for_them() -> None:
    ended = python(STUCK.format(grace=0, then=""), "-W", "always::ResourceWarning")
    assert "ResourceWarning: executor 'mail': the process ends while 1 call(s) still run" in ended.err
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("grace", ["0", "float('inf')", "1e300"])
def test_any_grace_works_where_nothing_is_stuck(grace: str) -> None:
    ended = python(
        f"""
        import asyncio
        from asyncsmtp_bridge import configure, to_thread
        configure(exit_grace={grace})
        print(asyncio.run(to_thread(lambda: 1)))
        """
    )
    assert (ended.code, ended.out, ended.err) == (0, "1\n", "")


def test_process_with_idle_threads_ends_at_once_and_silently() -> None:
    ended = python(
        """
        import asyncio, atexit, time
        atexit.register(lambda: print(time.monotonic() - began < 4))  # runs after the package's own
        from asyncsmtp_bridge import BoundedExecutor
        executor = BoundedExecutor(4)
        async def main():
            await asyncio.gather(*(executor.run(time.sleep, 0) for _ in range(20)))
        asyncio.run(main())
        began = time.monotonic()
        """
    )
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")


def test_call_that_ends_within_the_grace_is_waited_for() -> None:
    ended = python(
        """
        import asyncio, atexit, threading
        from asyncsmtp_bridge import BoundedExecutor, configure
        configure(exit_grace=30)
        executor = BoundedExecutor(1)
        entered, go = threading.Event(), threading.Event()
        atexit.register(go.set)  # runs before the package's own
        def func():
            entered.set()
            go.wait()
            print("ended")
        async def main():
            task = asyncio.create_task(executor.run(func))
            await asyncio.to_thread(entered.wait)
        asyncio.run(main())
        """
    )
    assert (ended.code, ended.out, ended.err) == (0, "ended\n", "")


def test_calls_that_have_not_begun_never_run_at_exit() -> None:
    ended = python(
        """
        import asyncio, threading, time
        from asyncsmtp_bridge import BoundedExecutor, configure
        from asyncsmtp_bridge.executor import slots_of
        from asyncsmtp_bridge.job import Job, LaneJob
        from asyncsmtp_bridge.lane import Lane
        configure(exit_grace=30)
        executor, lane = BoundedExecutor(1), Lane()
        entered = threading.Event()
        def func():
            entered.set()
            while executor.stats().pending:  # until those behind it are given up
                time.sleep(0.001)
            print("ended")
        async def main():
            slots = slots_of(executor)
            slots.submit(LaneJob(func, (), {}, lane))
            slots.submit(LaneJob(print, ("behind in the lane",), {}, lane))
            slots.submit(Job(print, ("waiting for a slot",), {}))
            await asyncio.to_thread(entered.wait)
        asyncio.run(main())
        """
    )
    assert (ended.code, ended.out) == (0, "ended\n")


def test_loop_that_was_never_closed_does_no_harm_at_exit() -> None:
    ended = python(
        """
        import asyncio, atexit, threading
        from asyncsmtp_bridge import BoundedExecutor
        executor = BoundedExecutor(1)
        entered, go = threading.Event(), threading.Event()
        atexit.register(go.set)
        def func():
            entered.set()
            go.wait()
        async def main():
            global task
            task = asyncio.ensure_future(executor.run(func))
            await asyncio.get_running_loop().run_in_executor(None, entered.wait)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        """
    )
    assert ended.code == 0
    assert "Exception ignored" not in ended.err
    assert "Traceback" not in ended.err


def test_shared_executor_leaves_the_exit_to_the_event_loop() -> None:
    ended = python(
        """
        import asyncio
        from asyncsmtp_bridge import BoundedExecutor
        print(asyncio.run(BoundedExecutor.shared(1).run(lambda: 1)))
        """
    )
    assert (ended.code, ended.out, ended.err) == (0, "1\n", "")
