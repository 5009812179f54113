"""In the child of a fork every executor is empty, and works."""

import os

import pytest

from .process import python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# What each script begins with. From 3.12 on, a fork in a process with threads is a DeprecationWarning.
BEGIN = """
import asyncio, os, sys, threading, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
from asyncsmtp_bridge import BoundedExecutor, configure, default_executor, to_thread
from asyncsmtp_bridge.executor import slots_of
from asyncsmtp_bridge.job import Job, LaneJob
from asyncsmtp_bridge.lane import Lane, lane_of

def in_child(func):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            print("child:", func(), flush=True)
            code = 0
        except BaseException as error:
            print("child failed:", repr(error), flush=True)
        finally:
            os._exit(code)
    import signal
    timer = threading.Timer(15, os.kill, (pid, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    assert os.waitpid(pid, 0)[1] == 0, "the child failed, or hung"
    timer.cancel()

def several(executor):
    async def main():
        barrier = threading.Barrier(2)
        return await asyncio.gather(*(executor.run(barrier.wait, 10) for _ in range(2)))
    return sorted(asyncio.run(main()))

async def busy(executor, then):
    entered, go = threading.Event(), threading.Event()
    def block():
        entered.set()
        go.wait(20)
    tasks = [asyncio.create_task(executor.run(block)) for _ in range(4)]
    while not entered.is_set():
        await asyncio.sleep(0.001)
    try:
        return then()
    finally:
        go.set()
        await asyncio.gather(*tasks)
"""


def script(text: str) -> str:
    import textwrap

    ended = python(BEGIN + textwrap.dedent(text))
    assert ended.code == 0, ended.out + ended.err
    return ended.out


@pytest.mark.parametrize("make", ["BoundedExecutor(2)", "BoundedExecutor.shared(2)"])
def test_executor_that_was_used_works_in_the_child(make: str) -> None:
    out = script(
        f"""
        executor = {make}
        several(executor)
        in_child(lambda: several(executor))
        print("parent:", several(executor))
        """
    )
    assert out == "child: [0, 1]\nparent: [0, 1]\n"


@pytest.mark.parametrize("make", ["BoundedExecutor(2)", "BoundedExecutor.shared(2)"])
def test_executor_that_was_busy_works_in_the_child_and_in_the_parent(make: str) -> None:
    out = script(
        f"""
        executor = {make}

        def fork():
            # On a thread without a loop: the child of a fork in a running loop is a running loop.
            thread = threading.Thread(target=in_child, args=(lambda: several(executor),))
            thread.start()
            thread.join()

        asyncio.run(busy(executor, fork))
        stats = executor.stats()
        print("parent:", several(executor), stats.done, stats.pending, stats.running)
        """
    )
    assert out == "child: [0, 1]\nparent: [0, 1] 4 0 0\n"


def test_executor_is_empty_in_the_child() -> None:
    out = script(
        """
        executor = BoundedExecutor(1)
        def look():
            stats = executor.stats()
            return stats.running, stats.pending, stats.done
        asyncio.run(busy(executor, lambda: in_child(look)))
        """
    )
    assert out == "child: (0, 0, 0)\n"


@pytest.mark.parametrize("make", ["BoundedExecutor(1)", "BoundedExecutor.shared(1)"])
def test_function_that_forks_may_use_the_executor_in_its_child(make: str) -> None:
    out = script(
        f"""
        executor = {make}
        def func():
            in_child(lambda: asyncio.run(executor.run(lambda: "ran")))
            return "returned"
        print("parent:", asyncio.run(executor.run(func)))
        """
    )
    assert out == "child: ran\nparent: returned\n"


def test_function_that_returns_in_the_child_ends_the_child_and_nothing_else() -> None:
    # Shared, the child goes on as a worker of the event loop's executor, and waits for ever, as with asyncio.to_thread.
    out = script(
        """
        executor = BoundedExecutor(1)
        def func():
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                return "parent"
            # The child is this thread alone, and returns to a worker that finds that its executor is no more.
            return "child"
        print(asyncio.run(executor.run(func)), executor.stats().done)
        """
    )
    assert out == "parent 1\n"


def test_default_executor_works_in_the_child() -> None:
    out = script(
        """
        asyncio.run(to_thread(int))
        in_child(lambda: asyncio.run(to_thread(lambda: 1)))
        """
    )
    assert out == "child: 1\n"


def test_locks_that_another_thread_holds_at_the_fork_do_not_stop_the_child() -> None:
    out = script(
        """
        from asyncsmtp_bridge import defaults, executor, lane
        class Target: pass
        target = Target()
        held = BoundedExecutor(1, name="held")
        busy = lane_of(target)
        locks = [defaults._lock, executor._default_lock, lane._registry_lock, busy._lock, slots_of(held)._lock]
        taken, go = threading.Event(), threading.Event()
        def hold():
            for lock in locks:
                lock.acquire()
            taken.set()
            go.wait()
        threading.Thread(target=hold, daemon=True).start()
        taken.wait()
        def use():
            async def main():
                slots = slots_of(held)
                job = LaneJob(lambda: 1, (), {}, lane_of(target))
                slots.submit(job)
                return await to_thread(int), await slots.outcome(job)
            return asyncio.run(main())
        in_child(use)
        go.set()
        os._exit(0)
        """
    )
    assert out == "child: (0, 1)\n"


@pytest.mark.parametrize("make", ["BoundedExecutor(2)", "BoundedExecutor.shared(2)"])
def test_lane_of_which_the_head_ran_at_the_fork_is_free_in_the_child(make: str) -> None:
    out = script(
        f"""
        executor, lane = {make}, Lane()

        async def call(func):
            slots, job = slots_of(executor), LaneJob(func, (), {{}}, lane)
            slots.submit(job)
            return await slots.outcome(job)

        print("parent:", asyncio.run(call(lambda: in_child(lambda: asyncio.run(call(lambda: "ran"))))))
        """
    )
    assert out == "child: ran\nparent: None\n"


def test_child_that_exits_in_the_ordinary_way_waits_for_nobody() -> None:
    out = script(
        """
        import time
        configure(exit_grace=30)
        executor = BoundedExecutor(1)
        def fork():
            sys.stdout.flush()
            began = time.monotonic()
            pid = os.fork()
            if not pid:
                import atexit
                atexit._run_exitfuncs()
                print("child:", time.monotonic() - began < 10, flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        asyncio.run(busy(executor, fork))
        """
    )
    assert out == "child: True\n"
