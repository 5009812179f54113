"""The life of a server between start and stop: a thread, a loop in it, a listening socket and its connections.

Owns that nothing is left of them. It does not know the protocol.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

from .stage import Stage


class Life:
    """Serves a listening socket, from construction until `end`; owns the socket.

    Args:
        listener: The socket.
        make_stage: Makes what a new connection is had with.
        name: Of the thread.
    """

    def __init__(
        self, listener: socket.socket, make_stage: Callable[[asyncio.AbstractEventLoop], Stage], name: str
    ) -> None:
        self._make_stage = make_stage
        self._stages: list[Stage] = []
        self._ending = asyncio.Event()
        accepting: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(listener, accepting), name=name, daemon=True)
        self._thread.start()
        self._loop = accepting.result()

    def end(self) -> None:
        """Close everything at once, whatever state it is in; return when the thread has ended."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def hang_up(self, reply: str | None) -> None:
        """Close the connections that are open, after a reply if there is one; return when they are closed."""
        asyncio.run_coroutine_threadsafe(self._hang_up(reply), self._loop).result()

    # In the thread

    def _run(self, listener: socket.socket, accepting: Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.SelectorEventLoop()  # the plain one, whatever the policy of the application under test is
        try:
            loop.run_until_complete(self._serve(listener, accepting))
        finally:
            loop.close()

    async def _serve(self, listener: socket.socket, accepting: Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.get_running_loop()
        unix = listener.family != socket.AF_INET
        try:
            server = await (loop.create_unix_server if unix else loop.create_server)(self._connect, sock=listener)
        except BaseException as error:
            listener.close()
            accepting.set_exception(error)
            return
        accepting.set_result(loop)
        await self._ending.wait()
        # A connection that was just accepted is lost, open, if the server closes before that connection's task begins:
        # accept no more, and let it begin.
        loop.remove_reader(listener.fileno())
        await asyncio.sleep(0)
        server.close()
        # In rounds: what was just accepted has no transport yet, and transports close their sockets in a later one.
        while len(asyncio.all_tasks()) > 1 or not all(map(Stage.is_closed, self._stages)):
            for stage in self._stages:
                stage.hang_up()
                stage.abort()
            await asyncio.sleep(0)

    def _connect(self) -> Stage:
        self._stages = [stage for stage in self._stages if not stage.is_closed()]
        self._stages.append(self._make_stage(asyncio.get_running_loop()))
        return self._stages[-1]

    async def _hang_up(self, reply: str | None) -> None:
        stages = [stage for stage in self._stages if stage.is_open()]
        for stage in stages:
            stage.hang_up(reply)
        while any(map(Stage.is_open, stages)):  # noqa: ASYNC110 - they end in the loop's next rounds
            await asyncio.sleep(0)
