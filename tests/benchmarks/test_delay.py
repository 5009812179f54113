"""The network with a round trip: what is written arrives as late as it should, in its order, and not one by one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import pytest

from .delay import delayed
from .processes import HOST

PATIENCE = 30.0  # seconds, for what must come
ROUND_TRIP = 0.2  # seconds


@contextmanager
def network(round_trip: float = ROUND_TRIP) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the two ends of a connection through it: the client's, and the one that the server accepted."""
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(PATIENCE)
        with (
            delayed(server.getsockname()[1], round_trip) as port,
            socket.create_connection((HOST, port), PATIENCE) as client,
            server.accept()[0] as accepted,
        ):
            accepted.settimeout(PATIENCE)
            for end in (client, accepted):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client, accepted


@contextmanager
def echoing(end: socket.socket, *, until_the_end_of: socket.socket) -> Iterator[None]:
    """Send back what arrives at one end, until the other end has no more to say."""

    def echo() -> None:
        while chunk := end.recv(65536):
            end.sendall(chunk)

    with ThreadPoolExecutor(1) as pool:
        echoed = pool.submit(echo)
        try:
            yield
        finally:
            until_the_end_of.shutdown(socket.SHUT_WR)
        echoed.result()


def read(end: socket.socket, size: int) -> bytes:
    """Return so many bytes, or fewer at the end of the stream."""
    found = b""
    while len(found) < size and (chunk := end.recv(size - len(found))):
        found += chunk
    return found


def test_without_a_round_trip_there_is_nothing_in_between() -> None:
    with delayed(25, 0) as port:
        assert port == 25


def test_each_direction_takes_half_of_the_round_trip() -> None:
    with network() as (client, server):
        for near, far in ((client, server), (server, client)):
            start = monotonic()
            near.sendall(b"x")
            assert far.recv(100) == b"x"
            assert monotonic() - start >= ROUND_TRIP / 2


def test_a_question_and_its_answer_take_the_round_trip() -> None:
    with network() as (client, server):
        start = monotonic()
        client.sendall(b"NOOP\r\n")
        server.sendall(server.recv(100))
        assert client.recv(100) == b"NOOP\r\n"
        assert monotonic() - start >= ROUND_TRIP


def test_the_handshake_takes_a_round_trip_before_anything_can_be_said() -> None:
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(PATIENCE)
        with delayed(server.getsockname()[1], ROUND_TRIP) as port:
            start = monotonic()
            with socket.create_connection((HOST, port), PATIENCE) as client, server.accept()[0] as accepted:
                accepted.sendall(b"220 here\r\n")
                assert client.recv(100) == b"220 here\r\n"
                assert monotonic() - start >= 2 * ROUND_TRIP


def test_what_is_written_at_once_arrives_at_once() -> None:
    with network() as (client, server):
        client.sendall(b"MAIL\r\nRCPT\r\nDATA\r\n")
        assert server.recv(100) == b"MAIL\r\nRCPT\r\nDATA\r\n"


def test_what_is_under_way_does_not_wait_for_what_is_before_it() -> None:
    round_trip, chunks = 0.5, 40
    with network(round_trip) as (client, server), echoing(server, until_the_end_of=client):
        start = monotonic()
        for number in range(chunks):
            client.sendall(b"%02d" % number)
        assert read(client, 2 * chunks) == b"".join(b"%02d" % number for number in range(chunks))
        # One after the other would take 20 s; no machine is so slow that this takes ten.
        assert round_trip <= monotonic() - start < round_trip * chunks / 2


def test_the_order_is_kept_however_much_is_under_way() -> None:
    sent = b"".join(b"%08d" % number for number in range(500_000))
    with network() as (client, server), echoing(server, until_the_end_of=client), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.sendall, sent)
        assert read(client, len(sent)) == sent
        sending.result()


def test_the_end_of_one_direction_leaves_the_other_open() -> None:
    with network() as (client, server):
        start = monotonic()
        client.sendall(b"bye")
        client.shutdown(socket.SHUT_WR)
        assert read(server, 100) == b"bye"
        server.sendall(b"bye, too")
        server.shutdown(socket.SHUT_WR)
        assert read(client, 100) == b"bye, too"
        assert monotonic() - start >= ROUND_TRIP


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    with delayed(port, 0.02) as proxy, socket.create_connection((HOST, proxy), PATIENCE) as client:
        assert client.recv(100) == b""


@pytest.mark.parametrize("side", [0, 1])
def test_a_connection_that_breaks_ends_the_other_side(side: int) -> None:
    with network(0.02) as ends:
        broken, other = ends[side], ends[1 - side]
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # an RST, no FIN
        broken.close()
        assert other.recv(100) == b""
