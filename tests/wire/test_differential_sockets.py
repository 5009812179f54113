"""Random dialogues over sockets, in clear text and encrypted, some with contents of many slices.

What the wire of `test_differential` knows exactly is not known here: what was sent, may never have been heard. So
results are compared with those of smtplib over that wire, and what was kept is never told to have failed.
"""

from __future__ import annotations

import random
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from asyncsmtp_bridge import Outcome, PipelinedSMTP, PipelinedSMTP_SSL, classify

from .accounts import NAME, Account, Send, in_a_stream, one_by_one, shown
from .dialogues import Answer, Dialogue, End, draw
from .playing import Host, Wire
from .talking import certificates
from .test_differential import must_be_same, plainly

DIALOGUES = 120
FIRST_SEED = sys.version_info[1] * 100_000
PATIENCE = 30.0


@contextmanager
def served(host: Host, context: ssl.SSLContext | None) -> Iterator[int]:
    """Let a host hear one connection to a port, in a thread; it has heard all of it when the block is left."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)

    def serve() -> None:
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
            converse(sock)
        if host.end == "RST":
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def converse(sock: socket.socket) -> None:
        said = 0
        while True:
            sock.sendall(bytes(host.said[said:]))
            said = len(host.said)
            if host.end:
                return
            heard = sock.recv(65_536)
            if not heard:
                return
            host.hear(heard)

    thread = threading.Thread(target=serve, name="serving host", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()


def over_sockets(dialogue: Dialogue, send: Send, *, is_encrypted: bool, is_pipelining: bool) -> Account:
    host = Host(dialogue, is_pipelining=is_pipelining)
    with served(host, certificates().server_context if is_encrypted else None) as port:
        session: PipelinedSMTP
        if is_encrypted:
            context = certificates().client_context
            session = PipelinedSMTP_SSL("localhost", port, NAME, timeout=PATIENCE, context=context)
        else:
            session = PipelinedSMTP("localhost", port, NAME, timeout=PATIENCE)
        try:
            is_in_step = False
            answers: Any = send(session, dialogue)
            with suppress(OSError):
                is_in_step = session.noop() == (250, b"in step")
        finally:
            session.close()
    wire = Wire(host.hear, host.said, lambda: host.end)
    return Account(dialogue, answers if isinstance(answers, list) else [answers], host, wire, is_in_step)


def drawn(seed: int, is_encrypted: bool) -> Dialogue:
    """Draw a dialogue with some contents that are large."""
    dialogue = draw(seed)
    chance = random.Random(seed)
    # A silence would last, and over TLS a reset is an end like any other (OpenSSL 3, with Python up to 3.13 at least).
    ends: dict[End, End] = {"SILENCE": "FIN", "RST": "FIN" if is_encrypted else "RST"}

    def ended(answer: Answer) -> Answer:
        return replace(answer, end=ends.get(answer.end, answer.end))

    steps = {step: ended(answer) for step, answer in dialogue.steps.items()}
    mails = list(dialogue.mails)
    for index, mail in enumerate(mails):
        if isinstance(mail.content, bytes) and chance.random() < 0.5:
            body = b"0123456789\r\n.dot\r\n" * chance.choice([900, 1100, 20_000])
            mails[index] = replace(mail, content=b"Subject: large\r\n\r\n" + body)
    without = {"without_sender": dialogue.without_sender, "without_recipients": dialogue.without_recipients}
    out_of_place = {name: ended(answer) for name, answer in without.items()}
    return replace(dialogue, steps=steps, mails=mails, segments="whole", **out_of_place)


def must_be_true(account: Account) -> None:
    assert not account.host.odd
    for mail, answer in zip(account.dialogue.mails, account.answers, strict=False):
        kept = account.kept(mail.number)
        assert len(kept) <= 1, "delivered twice"
        if isinstance(answer, Exception):
            outcome = classify(answer).outcome
            assert outcome is not None
            assert not kept or outcome is Outcome.UNKNOWN
        else:
            assert kept


def checked(account: Account, plain: Account) -> None:
    try:
        must_be_true(account)
        must_be_same(account, plain)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{shown(account)}\nby smtplib: {plain.answers}") from error


WAYS: dict[str, Callable[[Dialogue], Account]] = {
    "sendmail": lambda dialogue: over_sockets(dialogue, one_by_one, is_encrypted=False, is_pipelining=True),
    "send_stream": lambda dialogue: over_sockets(dialogue, in_a_stream, is_encrypted=False, is_pipelining=True),
    "send_stream, encrypted": lambda dialogue: over_sockets(
        dialogue, in_a_stream, is_encrypted=True, is_pipelining=True
    ),
    "sendmail, encrypted, PIPELINING not offered": lambda dialogue: over_sockets(
        dialogue, one_by_one, is_encrypted=True, is_pipelining=False
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_over_sockets(way: str) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + DIALOGUES):
        dialogue = drawn(seed, "encrypted" in way)
        checked(WAYS[way](dialogue), plainly(dialogue))
