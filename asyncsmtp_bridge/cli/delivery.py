"""Many files to one server: a queue of files, and as many connections as the executor has threads.

Owns which file goes out when, and when to give up. It does not know how results are shown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from ..executor import BoundedExecutor
from ..settings import SMTPSettings
from .connection import Connection, Interrupted
from .door import Door
from .message import NotSendable, read_message
from .outcome import Result, interrupted
from .reach import Unreachable

GRACE = 3.0
"""Seconds that messages under way have to finish when the delivery is stopped."""

ABORT_GRACE = 1.0
"""Seconds that a worker has to come back when its connection was shut down."""


class Delivery:
    """Sends files, each at most once.

    Args:
        files: The files, in the order in which they are begun.
        settings: Where to, and how.
        executor: Where reading, parsing and all SMTP calls run; its size is the number of connections.
        from_addr: The envelope's sender; None: as each message says.
        to_addrs: The envelope's recipients; empty: as each message says.
    """

    def __init__(
        self,
        files: Iterable[Path],
        settings: SMTPSettings,
        executor: BoundedExecutor,
        *,
        from_addr: str | None = None,
        to_addrs: Sequence[str] = (),
    ) -> None:
        self._pending = deque(files)
        self._door = Door(settings, executor)
        self._executor = executor
        self._from_addr = from_addr
        self._to_addrs = to_addrs
        self._results: asyncio.Queue[Result | None] = asyncio.Queue()
        self._crew: dict[asyncio.Task[None], Connection] = {}
        self._ending: asyncio.Task[None] | None = None
        self.connections = 0
        """The most connections that were in use together."""
        self.unreachable: Unreachable | None = None
        """Why the delivery was given up, if it was."""
        self.turned_away: Unreachable | None = None
        """Why there were fewer connections than threads, if some were refused and the others served."""

    async def results(self) -> AsyncIterator[Result]:
        """Send, and yield the result of each file as it comes in; at the end those of the files that were not sent.

        Closing the iterator early shuts the connections down.
        """
        run = asyncio.create_task(self._run())
        run.add_done_callback(lambda _: self._results.put_nowait(None))
        try:
            while (result := await self._results.get()) is not None:
                yield result
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        for path in self._pending:
            yield Result(path)

    def stop(self) -> None:
        """Begin no further file; messages under way have `GRACE` seconds to finish. To be called on the loop."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        if not self._crew:
            return
        for task, connection in self._crew.items():
            if connection.sending is None:
                task.cancel()
        await asyncio.wait(self._crew, timeout=GRACE)
        for connection in self._crew.values():
            connection.end()
        await asyncio.wait(self._crew, timeout=ABORT_GRACE)
        for task in self._crew:
            task.cancel()

    async def _run(self) -> None:
        size = self._executor.stats().size
        try:
            while self._pending and self._ending is None:
                opened = await self._work_together(min(size, len(self._pending)))
                if self._pending and self._ending is None:
                    # Some were turned away and left files behind; the server still took `opened` connections.
                    if not opened:
                        self.unreachable, self.turned_away = self.turned_away, None
                        return
                    size = min(size, opened)
        finally:
            if self._ending is not None:
                self._ending.cancel()

    async def _work_together(self, size: int) -> int:
        """Have `size` connections work the queue off; return how many could be opened."""
        self._crew = {}
        for _ in range(size):
            connection = Connection(self._door)
            self._crew[asyncio.create_task(self._work(connection))] = connection
        try:
            await asyncio.wait(self._crew)
        finally:
            for task in self._crew:
                task.cancel()
            await asyncio.gather(*self._crew, return_exceptions=True)
        opened = sum(connection.opened > 0 for connection in self._crew.values())
        self.connections = max(self.connections, opened)
        for task in self._crew:
            if not task.cancelled():
                task.result()
        return opened

    async def _work(self, connection: Connection) -> None:
        try:
            while self._pending and self._ending is None:
                if not await self._send_next(connection):
                    return
            await connection.quit()
        finally:
            await connection.close()

    async def _send_next(self, connection: Connection) -> bool:
        """Send the next file; return whether the connection can take another."""
        path = self._pending.popleft()
        try:
            result = await self._send(path, connection)
        except Interrupted:
            self._pending.appendleft(path)
            return False
        except Unreachable as problem:
            self._pending.appendleft(path)
            self.turned_away = self.turned_away or problem
            return False
        except asyncio.CancelledError:
            if connection.sending is None:
                self._pending.appendleft(path)
            else:
                self._results.put_nowait(interrupted(connection.sending))
            raise
        self._results.put_nowait(result)
        return True

    async def _send(self, path: Path, connection: Connection) -> Result:
        try:
            message = await self._executor.run(read_message, path, self._from_addr, self._to_addrs)
        except NotSendable as problem:
            return Result(path, problem=str(problem))
        return await connection.send(message)
