"""The connection: a socket on which commands go out and replies come in, within the time that is given.

Owns how a connection is made and closed, how octets are sent, so that it is known how many of them the system has
taken, how replies are read, and how long all that may take. It is an `smtplib.SMTP` whose commands are made of what is
here. It does not know what is said.

What is different from smtplib, and why:

- No step waits for ever: ``timeout`` is ten minutes if left out, and ``deadline`` bounds a whole call, against servers
  that send a byte now and then.
- What one server has said of itself does not count for another, or after the connection has ended.
- A line of more than 8 KB and a reply of more than 512 lines end the connection, and so do 421 and what is no reply.
- The local host's name is not looked up, which can take seconds.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from traceback import walk_tb
from typing import Any, NoReturn, cast

from .phase import SMTP
from .tls import refusal_explained

TIMEOUT = 600.0
"""Seconds that a step may take if nobody says otherwise: as long as the reply to a message may (RFC 5321, section
4.5.3.2.6). Who gives up earlier, may send a message twice."""

LINE_LIMIT = 8192
"""Octets of a reply's line, as in smtplib; RFC 5321, section 4.5.3.1.5, has 512."""

LINES_LIMIT = 512
"""Lines of a reply."""

_OVER = "the deadline of {:g} s is over"
_RECEIVED_AT_ONCE = 16 * 1024
LEFT_OUT: Any = vars(socket)["_GLOBAL_DEFAULT_TIMEOUT"]
"""What smtplib's own default for ``timeout`` is."""


class Connection(smtplib.SMTP):
    """An `smtplib.SMTP` without its holes.

    Args:
        host: As for `smtplib.SMTP`, like all up to `source_address`.
        port: See there.
        local_hostname: The name that EHLO gives. If left out, that of the host, if it is a full one, else the address
            of this end of the connection (RFC 5321, section 4.1.3).
        timeout: Seconds that each single step may take, None for ever; `TIMEOUT` if left out, unless
            ``socket.setdefaulttimeout`` says otherwise.
        source_address: See there.
        deadline: Seconds that a call may take altogether: ``connect``, ``starttls``, ``login``, ``sendmail`` and so on,
            and each message of a stream. Only a name that is looked up cannot be interrupted.
        cleartext_login: Whether ``login`` may send the password over a connection that is not encrypted.

    Raises:
        ValueError: ``deadline`` is no positive number.
    """

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float | None = LEFT_OUT,
        source_address: tuple[bytearray | bytes | str, int] | None = None,
        *,
        deadline: float | None = None,
        cleartext_login: bool = False,
    ) -> None:
        if deadline is not None and not 0 < deadline < float("inf"):
            raise ValueError(f"deadline is a number of seconds, or None for no limit, not {deadline!r}")
        if timeout is LEFT_OUT:
            timeout = socket.getdefaulttimeout() or TIMEOUT
        self._found_name = None if local_hostname else _name_of_host()
        self._unread = b""
        self._received_at = 0  # from where on of it nothing was read
        self._taken = -1  # octets of the last write that the system has taken; below zero if that was not tried
        self._ends: float | None = None
        self._given = 0.0
        self._was_connected = False
        self._authenticated: str | None = None
        self._is_secret = False
        self._is_streaming = False
        # Not super(): the other classes of smtplib do more before they come here.
        SMTP.__init__(self, "", 0, local_hostname or self._found_name, cast("float", timeout), source_address)
        self.deadline = deadline
        self.cleartext_login = cleartext_login
        self.server_hostname: str | None = None
        """The name that the server's certificate must have, where that is not the one it is connected to by."""
        if host:
            code, text = self.connect(host, port)
            if code != 220:
                self.close()
                raise smtplib.SMTPConnectError(code, text)

    def __repr__(self) -> str:
        host, name = getattr(self, "_host", ""), type(self).__name__
        if self.sock is None:
            return f"<{name} {host or 'without host'}, not connected>"
        return f"<{name} {host or 'without host'}, connected{', encrypted' if self._is_encrypted() else ''}>"

    # Time.

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Let the deadline begin, unless a call around this one has one already."""
        if self.deadline is None or self._ends is not None:
            yield
            return
        self._begin_time()
        try:
            yield
        finally:
            self._end_time()

    def _begin_time(self, seconds: float | None = None) -> None:
        """Let the deadline begin anew, or another one in place of it."""
        self._given = seconds or self.deadline or 0.0
        if self._given:
            self._ends = monotonic() + self._given

    def _end_time(self) -> None:
        """Let there be none until the next call; the timeout is whole again."""
        if self._ends is not None:
            self._ends = None
            if self.sock is not None:
                self.sock.settimeout(self.timeout)

    @contextmanager
    def _out_of_time(self) -> Iterator[None]:
        """Let what somebody else does not count."""
        began = monotonic()
        try:
            yield
        finally:
            if self._ends is not None:
                self._ends += monotonic() - began

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let all that is done in the block together take so long at most, and no longer than the deadline."""
        before, given = self._ends, self._given
        self._given = min(seconds, self.deadline or seconds)
        self._ends = monotonic() + self._given
        if before is not None and before < self._ends:
            self._ends, self._given = before, given
        try:
            yield
        finally:
            self._end_time()
            self._ends, self._given = before, given

    def _left(self, timeout: float | None) -> float | None:
        """Return the seconds that a step may take."""
        if self._ends is None:
            return timeout
        left = self._ends - monotonic()
        if left <= 0:
            raise TimeoutError(_OVER.format(self._given))
        return left if timeout is None else min(timeout, left)

    def _why(self, error: OSError) -> str:
        """Say what has ended a step: the deadline, if it was that, and not the timeout."""
        if isinstance(error, TimeoutError) and self._ends is not None and self._ends <= monotonic():
            return _OVER.format(self._given)
        return str(error)

    def _hurry(self, sock: socket.socket) -> None:
        if self._ends is not None:
            sock.settimeout(self._left(self.timeout))

    # The connection.

    def connect(
        self,
        host: str = "localhost",
        port: int = 0,
        source_address: Any = None,
    ) -> tuple[int, bytes]:
        """Connect, and return the greeting; an open connection is closed before.

        Cancelling, in a worker, closes the connection.

        Raises:
            OSError: It cannot be made, its certificate is refused, or there is no greeting in time.
        """
        self.close()
        if host.startswith("/"):
            port = port or self.default_port  # or else what comes after a colon in a path is taken for one
        self._host = _split_port(host, port)[0]
        with self._in_time():
            # Not super(), where a class for Unix sockets would go ways of its own.
            code, text = SMTP.connect(self, host, port, source_address or self.source_address)
        self._was_connected = True
        if self.sock is not None and _family_of(self.sock) in _TCP:
            with suppress(OSError):
                # What is written in slices shall not wait for what was written before to be confirmed.
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.local_hostname == self._found_name:  # or else somebody has said another one
            self.local_hostname = self._found_name = _name_of_host(self.sock)
        return code, text

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        if timeout is not None and not timeout:
            raise ValueError("Non-blocking socket (timeout=0) is not supported")
        if self.debuglevel > 0:
            self._debug("connect: to", (host, port), self.source_address)
        try:
            sock = self._reach(host, port, timeout)
            try:
                secured = self._secured(sock)
                secured.settimeout(timeout)
            except BaseException:
                sock.close()
                raise
        except TimeoutError as error:
            raise TimeoutError(self._why(error)) from error
        return secured

    def _reach(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """Connect to the first of the host's addresses that answers, all within the deadline."""
        if self._ends is None:
            return socket.create_connection((host, port), timeout, self.source_address)
        *others, last = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        for index, (*_, address) in enumerate(others):
            with suppress(OSError):
                # None of them may take up the time of the others.
                return self._reach_address(address, timeout, 1 + len(others) - index)
        return self._reach_address(last[-1], timeout, 1)

    def _reach_address(self, address: tuple[Any, ...], timeout: float | None, parts: int) -> socket.socket:
        host, port, *more = address
        if len(more) == 2 and more[1]:
            host = f"{host}%{more[1]}"  # on which link an IPv6 address is
        left = self._left(None)
        assert left is not None  # noqa: S101 - there is a deadline
        left /= parts
        left = left if timeout is None else min(left, timeout)
        return socket.create_connection((host, port), left, self.source_address)

    def _secured(self, sock: socket.socket) -> socket.socket:
        """Return what is spoken over."""
        return sock

    def _is_encrypted(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def _wrap(self, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        self._hurry(sock)
        name = self.server_hostname or self._host
        if not name and context.check_hostname:
            raise ValueError("the server's name is not known, so its certificate cannot be verified: connect(host)")
        with refusal_explained(context):
            try:
                return context.wrap_socket(sock, server_hostname=name)
            except OSError as error:
                _close_half_made(error)
                raise

    def close(self) -> None:
        """Close the connection, and forget what was learned over it."""
        self._unread, self._received_at = b"", 0
        self._is_streaming = False
        self._forget()
        self._authenticated = None
        super().close()

    def _forget(self) -> None:
        """Forget what the server has said of itself (RFC 3207, section 4.2)."""
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        self.command_encoding = "ascii"

    # Commands and replies.

    def _debug(self, *what: object) -> None:
        cast("Any", self)._print_debug(*what)

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command.

        Raises:
            ValueError: It has a line end, or a NUL.
            RuntimeError: A stream has sent the envelope of its next message.
        """
        self._check_for_stream()
        line = f"{cmd} {args}" if args else cmd
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError(f"command and arguments contain prohibited newline characters: {line!r:.200}")
        self.send(f"{line}\r\n")

    def _check_for_stream(self) -> None:
        if self._is_streaming:
            raise RuntimeError(
                "a stream of messages is under way on this session: take all of its answers first, or close() it"
            )

    def send(self, s: Any) -> None:
        """Send octets, or a string in the encoding of commands.

        Raises:
            smtplib.SMTPServerDisconnected: They could not be sent.
        """
        if self.debuglevel > 0:
            self._debug("send:", "<credentials>" if self._is_secret else repr(s))
        sock = self.sock
        self._taken = -1
        if sock is None:
            raise smtplib.SMTPServerDisconnected(
                "the connection is closed: connect() again" if self._was_connected else "please run connect() first"
            )
        if isinstance(s, str):
            s = s.encode(self.command_encoding)
        try:
            sys.audit("smtplib.send", self, s)
            self._taken = 0
            try:
                self._transmit(sock, s)
            except OSError as error:
                if not _is_systems(error):
                    self._taken = len(s)
                why = self._why(error)
                self.close()
                raise smtplib.SMTPServerDisconnected(f"Server not connected: {why}") from error
            except BaseException:
                # Perhaps: a handler of signals is called when it was sent, but that was not noted.
                self._taken = len(s)
                raise
        finally:
            s = None  # it may be a password, and what is in a traceback is collected by error trackers

    def _transmit(self, sock: socket.socket, octets: bytes) -> None:
        # Not sendall(), of which nobody knows what it has sent when it fails.
        try:
            self._hurry(sock)
            taken = self._taken = sock.send(octets)
            size = len(octets)
            if taken != size:
                rest = memoryview(octets)
                while taken < size:
                    self._hurry(sock)
                    taken = self._taken = taken + sock.send(rest[taken:])
        finally:
            octets, rest = b"", memoryview(b"")

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply.

        Returns:
            Its code, -1 if it has none, and its text, with newlines between its lines. After 421 the connection is
            closed (RFC 5321, section 3.8), and after what is no reply, since nobody knows to what the next one is.

        Raises:
            smtplib.SMTPServerDisconnected: The connection ended before, or nothing came in time, or too much.
        """
        texts = []
        while True:
            line = self._read_line()
            code = int(line[:3]) if line[:3].isdigit() else -1
            texts.append(line[4:].strip(b" \t\r\n"))
            if code < 0 or line[3:4] != b"-":
                break
            if len(texts) >= LINES_LIMIT:
                self._give_up(f"a reply of more than {LINES_LIMIT} lines")
        text = texts[0] if len(texts) == 1 else b"\n".join(texts)
        if self.debuglevel > 0:
            self._debug(f"reply: retcode ({code}); Msg: {text!a}")
        if code in (421, -1):
            self.close()
        return code, text

    def _read_line(self) -> bytes:
        start = self._received_at
        end = self._unread.find(b"\n", start)
        while end < 0:
            rest = self._unread[start:]
            if len(rest) > LINE_LIMIT:
                self._give_up(f"a reply's line of more than {LINE_LIMIT} octets")
            received = self._receive()
            if not received:
                if len(rest) >= 3 and rest[:3].isdigit() and rest[3:4] != b"-":
                    # As smtplib does: what it says is said, if only its end is missing.
                    self._unread, self._received_at = b"", 0
                    return rest
                self._give_up("the server closed the connection")
            self._unread, self._received_at = rest + received, 0
            # What was searched already is not searched again: a line may come one octet at a time.
            start, end = 0, self._unread.find(b"\n", len(rest))
        if end - start > LINE_LIMIT:
            self._give_up(f"a reply's line of more than {LINE_LIMIT} octets")
        self._received_at = end + 1
        return self._unread[start:end]

    def _receive(self) -> bytes:
        sock = self.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        try:
            self._hurry(sock)
            return sock.recv(_RECEIVED_AT_ONCE)
        except OSError as error:
            why = self._why(error)
            self.close()
            raise smtplib.SMTPServerDisconnected(f"Connection unexpectedly closed: {why}") from error

    def _give_up(self, why: str) -> NoReturn:
        self.close()
        raise smtplib.SMTPServerDisconnected(f"Connection unexpectedly closed: {why}")


def _close_half_made(error: OSError) -> None:
    """Close what `ssl` has taken over and leaves open, where the connection was reset before the handshake."""
    for frame, _ in walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()


def _is_systems(error: OSError) -> bool:
    """Whether an error came from the socket; a handler of signals may raise one, too, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return True
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_globals.get("__name__") in ("socket", "ssl", __name__)


def _name_of_host(sock: socket.socket | None = None) -> str:
    """Return what EHLO says of this host, without asking anybody (RFC 5321, sections 4.1.1.1 and 4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii() and not name.endswith((".local", ".localdomain")):
        return name
    address = "127.0.0.1"
    if sock is not None and _family_of(sock) in _TCP:
        with suppress(OSError):
            address = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


_TCP = (socket.AF_INET, socket.AF_INET6)


def _family_of(sock: object) -> object:
    # What a subclass makes may be like a socket, and no more.
    return getattr(sock, "family", None)


def _split_port(host: str, port: int) -> tuple[str, int]:
    """Read host and port as `smtplib.SMTP.connect` does."""
    if not port and host.count(":") == 1:
        name, _, number = host.partition(":")
        if number.isdecimal():
            return name, int(number)
    return host, port
