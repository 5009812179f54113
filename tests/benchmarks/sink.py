"""A mail server that takes every message and keeps none, in a process of its own.

Postfix's `smtp-sink` where it is installed: it is written in C, and answers so fast that the client is what is
measured. Else one in Python, which takes more of the machine. With contents of many megabytes it is the other way
round: smtp-sink looks at every byte, which made 170 MB a second where the one in Python, which searches for the end,
took 520. Both offer PIPELINING and 8BITMIME.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .processes import HOST, serving

BACKLOG = 1000
CONNECTIONS = 1000
IDLE = 600  # seconds
PATIENCE = 10.0  # seconds until it must listen

_ELSEWHERE = ("/usr/sbin", "/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/local/sbin")
SMTP_SINK = shutil.which("smtp-sink", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_ELSEWHERE)))

OWN_KIND = "a sink in Python"
KIND = "smtp-sink" if SMTP_SINK else f"{OWN_KIND} (smtp-sink is not installed)"
"""Which of the two `sink` is."""


def sink() -> AbstractContextManager[int]:
    """Have it; yields the port."""
    return smtp_sink(SMTP_SINK) if SMTP_SINK else own_sink()


@contextmanager
def smtp_sink(program: str) -> Iterator[int]:
    """Have Postfix's; yields the port."""
    options = ["-m", str(CONNECTIONS), "-t", str(IDLE)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options += ["-u", "nobody"]  # it refuses to serve as root
    port = _free_port()
    command = [program, *options, f"{HOST}:{port}", str(BACKLOG)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_listens(process, port)
            yield port
        finally:
            process.terminate()


def own_sink() -> AbstractContextManager[int]:
    """Have the one in Python; yields the port."""
    return serving(__name__)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError(f"smtp-sink does not listen; its exit status: {process.poll()}")


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(b"220 sink ESMTP\r\n")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Reply to what is complete, in one write."""
        self._rest += data
        replies = b""
        while reply := self._reply():
            replies += reply
        if replies:
            self._transport.write(replies)
            if replies.endswith(_BYE):
                self._transport.close()

    def _reply(self) -> bytes:
        """Return the reply to what comes next, and nothing where it has not come yet."""
        end = b"\r\n.\r\n" if self._in_content else b"\r\n"
        before, found, after = self._rest.partition(end)
        if not found:
            if self._in_content:
                self._rest = self._rest[-len(end) + 1 :]
            return b""
        self._rest = after
        if self._in_content:
            self._in_content = False
            return b"250 2.0.0 Ok\r\n"
        verb = before[:4].upper()
        if verb == b"DATA":
            self._in_content = True
            self._rest = b"\r\n" + self._rest  # a content may be empty
        return _REPLIES.get(verb, b"502 5.5.2 Unknown\r\n")


_BYE = b"221 2.0.0 Bye\r\n"
_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n",
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 Go ahead\r\n",
    b"QUIT": _BYE,
    **dict.fromkeys((b"MAIL", b"RCPT", b"RSET", b"NOOP"), b"250 2.0.0 Ok\r\n"),
}


async def serve() -> None:
    """Serve until whoever started this process closes its stdin, or ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Session, HOST, 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
