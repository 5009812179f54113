"""Whatever a server says where the connection is to be encrypted, and afterwards: over sockets, which TLS needs."""

from __future__ import annotations

import random
import smtplib
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from asyncsmtp_bridge import PipelinedSMTP, PipelinedSMTP_SSL

from .accounts import NAME, answer_of
from .garbage import conversation
from .talking import certificates

CASES = 120
FIRST_SEED = sys.version_info[1] * 100_000
PATIENCE = 30.0

Script = Callable[[socket.socket], None]


@contextmanager
def peer_of(script: Script) -> Iterator[socket.socket]:
    """Return a socket with a server at its other end, which follows a script, and then closes the connection."""
    own, other = socket.socketpair()
    other.settimeout(PATIENCE)

    def serve() -> None:
        with other, suppress(OSError):
            script(other)

    thread = threading.Thread(target=serve, name="scripted peer", daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def session_over(sock: socket.socket, kind: type[PipelinedSMTP], **kwargs: Any) -> Any:
    class OverSocket(kind):  # type: ignore[misc, valid-type]
        def _reach(self, *_: Any) -> socket.socket:
            return sock

    return OverSocket("localhost", 25, NAME, timeout=PATIENCE, **kwargs)


def heard(sock: socket.socket, mark: bytes) -> None:
    received = b""
    while mark not in received:
        chunk = sock.recv(65_536)
        if not chunk:
            raise ConnectionError
        received += chunk


def up_to_starttls(sock: socket.socket, more: bytes = b"") -> None:
    sock.sendall(b"220 mx\r\n")
    heard(sock, b"\r\n")
    sock.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    heard(sock, b"\r\n")
    sock.sendall(b"220 go on\r\n" + more)


def records(chance: random.Random) -> bytes:
    """Draw octets that look like the records of TLS, more or less."""
    drawn = b""
    for _ in range(chance.randrange(4)):
        content = chance.randbytes(chance.randrange(60))
        kind, version = chance.choice([20, 21, 22, 23, 71]), chance.choice([b"\3\1", b"\3\3", b"\3\4", b"\0\0"])
        drawn += bytes([kind]) + version + len(content).to_bytes(2, "big") + content
    return drawn + chance.choice(
        [b"", b"250 OK\r\n", b"\x15\3\3\0\2\2\x28", b"\x16\3\3\xff\xff", b"HTTP/1.1 400\r\n\r\n"]
    )


def must_be_known(result: Any) -> None:
    if isinstance(result, Exception):
        assert isinstance(result, (smtplib.SMTPException, OSError)), f"foreign: {result!r}"
        assert type(result) is not TimeoutError


@pytest.mark.parametrize("is_at_once", [True, False])
def test_what_comes_in_place_of_a_handshake(is_at_once: bool) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + CASES):
        octets = records(random.Random(seed))

        def script(sock: socket.socket, octets: bytes = octets) -> None:
            up_to_starttls(sock, octets if is_at_once else b"")
            heard(sock, b"\x16\x03")  # the client's first words
            if not is_at_once:
                sock.sendall(octets)

        with peer_of(script) as sock:
            session = session_over(sock, PipelinedSMTP)
            result = answer_of(lambda session=session: session.starttls(context=certificates().client_context))
            # What came in clear text is not even looked at.
            expected = smtplib.SMTPException if is_at_once and octets else (ssl.SSLError, ConnectionError)
            assert isinstance(result, expected), f"seed {seed}: {octets!r}: {result!r}"
            assert session.sock is None
            assert not session.esmtp_features


def test_what_comes_in_place_of_a_handshake_where_it_is_encrypted_from_the_first_octet() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + CASES):
        octets = records(random.Random(seed))

        def script(sock: socket.socket, octets: bytes = octets) -> None:
            sock.sendall(octets)

        with peer_of(script) as sock:
            context = certificates().client_context
            result = answer_of(
                lambda sock=sock, context=context: session_over(sock, PipelinedSMTP_SSL, context=context)
            )
            assert isinstance(result, OSError), f"seed {seed}: {octets!r}: {result!r}"
            must_be_known(result)
            assert sock.fileno() < 0


@pytest.mark.parametrize("does_starttls", [True, False])
def test_what_is_said_in_an_encrypted_connection(does_starttls: bool) -> None:
    ends: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES):
        chance = random.Random(seed)
        said = conversation(chance, [b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n", b"250 OK\r\n"])
        said = said.removeprefix(b"220 mx\r\n") if does_starttls else said
        broken = chance.choice([b"", records(chance)])

        def script(sock: socket.socket, said: bytes = said, broken: bytes = broken) -> None:
            if does_starttls:
                up_to_starttls(sock)
            with certificates().server_context.wrap_socket(sock, server_side=True) as secured:
                secured.settimeout(PATIENCE)
                secured.sendall(said)
                raw = socket.socket(fileno=secured.detach())
                with raw:
                    raw.settimeout(PATIENCE)
                    raw.sendall(broken)  # not encrypted
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65_536):
                        pass

        def call(sock: socket.socket) -> Any:
            context = certificates().client_context
            if does_starttls:
                session = session_over(sock, PipelinedSMTP)
                session.starttls(context=context)
                assert not session.esmtp_features
                assert session.ehlo_resp is None
            else:
                session = session_over(sock, PipelinedSMTP_SSL, context=context)
            try:
                return session.sendmail("a@a.example", ["b@b.example"], b"x\r\n")
            finally:
                session.close()

        with peer_of(script) as sock:
            result = answer_of(lambda sock=sock, call=call: call(sock))
            try:
                must_be_known(result)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {said!r}, {broken!r}: {error}") from error
        ends[type(result).__name__] += 1
    assert len(ends) > 2, ends
