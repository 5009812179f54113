"""A wire that is cut at a chosen byte, between a client and a server that is well; and who sees what then happens.

Owns the passing on of one conversation after the other, where it ends, and what is known of it afterwards: what went
over the wire, what the server has kept, and, seen by the client's calls or by its session, whether it had sent the
content of its message and read the reply. It does not know exceptions, nor what they mean.
"""

from __future__ import annotations

import queue
import selectors
import smtplib
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from asyncsmtp_bridge.testing import Received, SMTPTestServer

PATIENCE = 10.0
END_OF_CONTENT = b"\r\n.\r\n"

Side = Literal["server", "client"]
End = Literal["FIN", "RST"]


@dataclass(frozen=True)
class Cut:
    """Where a conversation ends for its client.

    Whatever the client says afterwards reaches nobody. After a FIN it is still taken from it, so that the client's
    sends go on to succeed; after an RST they fail, from the moment at which it came.
    """

    side: Side
    """Whose bytes are counted."""
    after: int
    """So many of them are passed on; 0 is as soon as the connection is made."""
    end: End


@dataclass
class Passage:
    """One conversation, when it is over on both sides."""

    replies: bytes = b""
    """What the client was given to read."""
    commands: bytes = b""
    """What came from the client, all of it where the end was not an RST."""
    kept: tuple[Received, ...] = ()
    """What the server took responsibility for."""


class CuttingWire:
    """Passes conversations on to a server, one at a time, and cuts them where it is told.

        with SMTPTestServer() as server, CuttingWire(server) as wire:
            wire.cut = Cut("server", 3, "FIN")
            ...
            passage = wire.passage()

    Args:
        server: Where to; nobody else may send to it meanwhile.
    """

    def __init__(self, server: SMTPTestServer) -> None:
        self.cut: Cut | None = None
        """For the next conversation; None lets it go to its end."""
        self._server = server
        self._kept = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._passages: queue.Queue[Passage | BaseException] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="cutting wire", daemon=True)

    def __enter__(self) -> CuttingWire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive(), "a conversation is not over"

    def passage(self) -> Passage:
        """Wait until the next conversation is over on both sides, and return what passed."""
        passage = self._passages.get(timeout=PATIENCE)
        if isinstance(passage, BaseException):
            raise passage
        return passage

    # In the thread

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                self._passages.put(self._pass_on(client))
            except BaseException as error:  # for the test to see
                self._passages.put(error)

    def _pass_on(self, client: socket.socket) -> Passage:
        # Not socket.create_connection(), which a test may have replaced for its client.
        with client, socket.socket() as upstream:
            upstream.connect((self._server.host, self._server.port))
            conversation = _Conversation(client, upstream, self.cut)
            conversation.run()
        messages = self._server.messages[self._kept :]
        self._kept += len(messages)
        conversation.passage.kept = tuple(messages)
        return conversation.passage


class _Conversation:
    """One client's connection, and the one to the server."""

    def __init__(self, client: socket.socket, upstream: socket.socket, cut: Cut | None) -> None:
        self.passage = Passage()
        self._client = client
        self._upstream = upstream
        self._cut = cut
        self._counted = 0
        for each in (client, upstream):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.settimeout(PATIENCE)

    def run(self) -> None:
        """Pass on until the cut, or until one side ends it; return when the server has seen everything."""
        with selectors.DefaultSelector() as selector:
            for each in (self._client, self._upstream):
                selector.register(each, selectors.EVENT_READ)
            while not self._is_cut():
                ready = [key.fileobj for key, _ in selector.select(PATIENCE)]
                assert ready, "nobody says anything"
                # What the server has said is passed on before what the client says after it.
                going_on = self._from_server() if self._upstream in ready else self._from_client()
                if not going_on:
                    break
        self._end()

    def _is_cut(self) -> bool:
        return self._cut is not None and self._counted >= self._cut.after

    def _room(self, side: Side, received: bytes) -> int:
        """How much of this is before the cut; it counts as passed on."""
        if self._cut is None or self._cut.side != side:
            return len(received)
        room = min(self._cut.after - self._counted, len(received))
        self._counted += room
        return room

    def _from_server(self) -> bool:
        replies = self._upstream.recv(65_536)
        replies = replies[: self._room("server", replies)]
        self.passage.replies += replies
        try:
            self._client.sendall(replies)
        except OSError:
            return False
        return bool(replies)

    def _from_client(self) -> bool:
        try:
            commands = self._client.recv(65_536)
        except OSError:
            return False
        self.passage.commands += commands
        self._upstream.sendall(commands[: self._room("client", commands)])
        return bool(commands)

    def _end(self) -> None:
        if self._cut is not None and self._cut.end == "RST" and self._is_cut():
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._client.close()
        else:
            with suppress(OSError):
                self._client.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            self._upstream.shutdown(socket.SHUT_WR)
        _rest(self._upstream)  # its end says that the server has seen all that was passed on
        if self._client.fileno() >= 0:
            self.passage.commands += _rest(self._client)


def _rest(sock: socket.socket) -> bytes:
    """Read up to the end of a stream."""
    chunks: list[bytes] = []
    with suppress(ConnectionError):
        while chunk := sock.recv(1 << 20):
            chunks.append(chunk)
    return b"".join(chunks)


# Who sees it.


@dataclass
class Facts:
    """What the witness of a call has seen."""

    returned: bool = False
    """Whether smtplib took the message for accepted: what comes afterwards is no failure of it."""
    sent: bool = False
    """Whether sending the content returned."""
    answered: bool = False
    """Whether a complete reply to it was read."""


def _is_code(code: int) -> bool:
    """Whether smtplib has read a code: of a line that was cut it takes what there is."""
    return code >= 200


def complete_replies(received: bytes) -> int:
    """Return how many replies have come with the end of their last line."""
    return sum(line[3:4] != b"-" for line in received.split(b"\n")[:-1])


@contextmanager
def watched_calls(facts: Facts) -> Iterator[None]:
    """Let the interpreter's profiler see it: session classes, sockets and tracebacks stay as they are."""

    def see(frame: FrameType, event: str, arg: Any) -> None:
        if frame.f_globals.get("__name__") != "smtplib":
            return
        name = frame.f_code.co_name
        if (event, name) == ("c_return", "send") and arg.__name__ == "sendall":
            facts.sent = facts.sent or frame.f_locals["s"][-5:] == END_OF_CONTENT
        elif (event, name) == ("return", "getreply") and facts.sent and arg is not None:
            facts.answered = facts.answered or _is_code(arg[0])

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield
    finally:
        sys.setprofile(before)


def session_class_watching(facts: Facts) -> type[smtplib.SMTP]:
    """Return a class of sessions that see it themselves: one with ways of its own, as an organisation may have."""

    class Watching(smtplib.SMTP):
        def send(self, s: Any) -> None:
            super().send(s)
            if s[-5:] == END_OF_CONTENT:
                facts.sent = True

        def getreply(self) -> tuple[int, bytes]:
            code, text = super().getreply()
            facts.answered = facts.answered or (facts.sent and _is_code(code))
            return code, text

    return Watching
