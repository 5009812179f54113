"""What `send` puts on the wire is what smtplib puts there."""

from __future__ import annotations

import email
import os
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Mailbox, smtp_server

from .conftest import Run
from .corpus import SIZE, number_of, write_corpus

SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

Arrived = dict[int, Any]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


def send_with_smtplib(port: int, corpus: Path) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for path in sorted(corpus.iterdir()):
            assert smtp.send_message(email.message_from_bytes(path.read_bytes())) == {}


def to_aiosmtpd(deliver: Callable[[int], object]) -> Arrived:
    with smtp_server(server_hostname="localhost") as server:
        deliver(server.port)
    envelopes = server.mailbox.envelopes
    assert len(envelopes) == SIZE
    return {number_of(e.content): (e.mail_from, e.rcpt_tos, e.mail_options, e.content) for e in envelopes}


def to_smtp_sink(deliver: Callable[[int], object]) -> Arrived:
    with smtp_sink() as (port, folder):
        deliver(port)
        dumps = [path.read_bytes() for path in folder.iterdir()]
    assert len(dumps) == SIZE
    arrived = {}
    for dump in dumps:
        # The sink's own fields come first; its Received field, of three lines, is the last of them.
        own, message = re.split(rb"(?<=\n)Received: from .*\n\s.*\n\s.*\n", dump, maxsplit=1)
        envelope = re.findall(rb"^X-(?:Mail|Rcpt)-Args: (.*)$", own, re.MULTILINE)
        arrived[number_of(message)] = (envelope, message)
    return arrived


@contextmanager
def smtp_sink() -> Iterator[tuple[int, Path]]:
    assert SINK is not None
    with closing(socket.create_server(("127.0.0.1", 0))) as reserved:
        port = reserved.getsockname()[1]
    # Not below pytest's folders, which nobody but their owner may enter.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SINK, *user, "-d", f"{folder}/message.", f"127.0.0.1:{port}", "100"])
    try:
        wait_until_it_listens(port)
        yield port, folder
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as connection:
            assert connection.recv(100).startswith(b"220")
            return
        time.sleep(0.01)  # nothing announces it but the connection itself
    pytest.fail("smtp-sink did not begin to listen")


@pytest.mark.parametrize(
    "arrived_at",
    [
        pytest.param(to_aiosmtpd, id="aiosmtpd"),
        pytest.param(
            to_smtp_sink,
            id="smtp-sink",
            marks=pytest.mark.skipif(SINK is None, reason="Postfix's smtp-sink is not installed on this machine"),
        ),
    ],
)
def test_two_hundred_files_arrive_byte_for_byte_as_smtplib_sends_them(
    arrived_at: Callable[[Callable[[int], object]], Arrived], corpus: Path, send: Run
) -> None:
    expected = arrived_at(lambda port: send_with_smtplib(port, corpus))
    assert len(expected) == SIZE

    def deliver(port: int) -> None:
        ended = send(port, corpus, "--json")
        assert ended.status == 0, ended
        assert ended.json["totals"]["files"]["accepted"] == SIZE
        assert ended.json["connections"] == 8

    assert arrived_at(deliver) == expected


def test_the_envelope_can_be_overridden(send: Run, corpus: Path) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox) as server:
        ended = send(server.port, corpus / "010.eml", "--from", "Me <me@x.org>", "--to", "a@x.org", "--to", "b@x.org")
        assert send(server.port, corpus / "010.eml", "--from", "<>", "--to", "a@x.org").status == 0
    assert ended.status == 0
    first, second = mailbox.envelopes
    assert (first.mail_from, first.rcpt_tos) == ("me@x.org", ["a@x.org", "b@x.org"])
    assert (second.mail_from, second.rcpt_tos) == ("<>", ["a@x.org"])  # as aiosmtpd has it
    assert b"hidden@example.org" not in first.content
