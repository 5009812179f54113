"""A network with a round trip, in a process of its own: a proxy that passes everything on, a fixed time later.

`python -m tests.benchmarks.delay --delay SECONDS --target HOST:PORT`, the delay being that of one direction. What was
read at once is written at once, each chunk exactly the delay after it came, however many are under way; the end of a
direction (FIN) is delayed as well, and leaves the other direction open. There is no limit to what is under way, and no
bandwidth: what is missing from a real network is congestion, loss and the window of TCP.

The handshake takes its round trip too: the connection to the target is made one and a half round trips after the
client's was accepted, so that a greeting is read two round trips after the client began to connect.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import SelectSelector

from .processes import HOST, serving

BACKLOG = 1000


@contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """Have the network in front of a port of 127.0.0.1; yields the port to connect to: the same for no round trip.

    Args:
        port: The server's.
        round_trip: Seconds.
    """
    if not round_trip:
        yield port
        return
    with serving(__name__, "--delay", str(round_trip / 2), "--target", f"{HOST}:{port}") as proxy:
        yield proxy


class Line:
    """One direction of a connection: chunks, and when each is due."""

    def __init__(self, delay: float, when_ended: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._when_ended = when_ended
        self._chunks: deque[tuple[float, bytes]] = deque()  # an empty one is the end
        self._far: asyncio.Transport | None = None
        self.ended = False

    def send(self, chunk: bytes) -> None:
        """Take a chunk; an empty one is the end."""
        self._chunks.append((self._loop.time() + self._delay, chunk))
        if len(self._chunks) == 1 and self._far is not None:
            self._wait()

    def open(self, far: asyncio.Transport) -> None:
        """Have where to write; what came before this has waited for it."""
        self._far = far
        self._pass_on()

    def _wait(self) -> None:
        self._loop.call_at(self._chunks[0][0], self._pass_on)

    def _pass_on(self) -> None:
        assert self._far is not None
        while self._chunks and self._chunks[0][0] <= self._loop.time():
            _, chunk = self._chunks.popleft()
            if not chunk:
                self.ended = True
            elif not self._far.is_closing():
                self._far.write(chunk)
        if self._chunks:
            self._wait()
        if self.ended:
            if not self._far.is_closing():
                self._far.write_eof()
            self._when_ended()


class Side(asyncio.Protocol):
    """One of the two sockets of a connection."""

    def __init__(self, inward: Line, outward: Line, when_made: Callable[[], None] = lambda: None) -> None:
        self._inward = inward
        self._outward = outward
        self._when_made = when_made
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        self._outward.open(transport)
        self._when_made()

    def data_received(self, data: bytes) -> None:
        self._inward.send(data)

    def eof_received(self) -> bool:
        self._inward.send(b"")
        return True  # the other direction stays open

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._inward.send(b"")
        self._outward.ended = True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Connection:
    """A client's connection, and the one to the target that is made for it."""

    def __init__(self, delay: float, target: tuple[str, int]) -> None:
        self._delay = delay
        self._target = target
        self._to_target, self._to_client = Line(delay, self._end), Line(delay, self._end)
        self.client = Side(self._to_target, self._to_client, self._begin)
        self._server = Side(self._to_client, self._to_target)

    def _begin(self) -> None:
        self._reaching = asyncio.ensure_future(self._reach_target())  # kept: the loop holds tasks weakly

    async def _reach_target(self) -> None:
        await asyncio.sleep(3 * self._delay)
        try:
            await asyncio.get_running_loop().create_connection(lambda: self._server, *self._target)
        except OSError:
            self.client.close()

    def _end(self) -> None:
        if self._to_target.ended and self._to_client.ended:
            self.client.close()
            self._server.close()


async def serve(delay: float, target: tuple[str, int]) -> None:
    """Pass on until whoever started this process closes its stdin, or ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay, target).client, HOST, 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--delay", type=float, required=True, metavar="SECONDS", help="of one direction")
    parser.add_argument("--target", required=True, metavar="HOST:PORT", help="where to pass on to")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    # select() waits to the microsecond; epoll, through Python, to the next millisecond.
    loop = asyncio.SelectorEventLoop(SelectSelector())
    loop.run_until_complete(serve(options.delay, (host, int(port))))


if __name__ == "__main__":
    main()
