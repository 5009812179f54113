"""What is a message, and its envelope."""

from __future__ import annotations

import os
import smtplib
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge.cli.message import NotSendable, read_message


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"\n\nFrom: a@b\nTo: c@d\n", "does not begin with a header field"),
        (b"Just some text\nwithout any header\n", "does not begin with a header field"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "does not begin with a header field"),
        ("From: a@b\nTo: c@d\n\nx".encode("utf-16"), "does not begin with a header field"),
        (b"Subject: x\nTo: c@d\n\nx", "no sender"),
        (b"From: nobody\nTo: c@d\n\nx", None),
        (b"From: \nTo: c@d\n\nx", "no sender"),
        (b"From: a@b\nSubject: x\n\nx", "no recipient"),
        (b"From: a@b\nTo: undisclosed-recipients:;\n\nx", "no recipient"),
        (b"From: a@b\nTo: c@d\nResent-Date: x\nResent-Date: y\n\nx", "more than one 'Resent-'"),
        (b"From: a@b\nTo: \xc3\xa4@d\n\nx", "not ASCII"),
    ],
)
def test_what_cannot_be_sent_says_why(tmp_path: Path, content: bytes, why: str | None) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(content)
    if why is None:
        assert read_message(path).sender == "nobody"
        return
    with pytest.raises(NotSendable, match=why):
        read_message(path)


def test_a_missing_file_and_a_pipe_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotSendable, match="cannot be read: No such file"):
        read_message(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotSendable, match="cannot be read: not a regular file"):
        read_message(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_forbidden_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.eml"
    path.touch(0)
    with pytest.raises(NotSendable, match="cannot be read: Permission denied"):
        read_message(path)


def test_the_envelope_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(b"Subject: neither From nor To\n\nx")
    message = read_message(path, "", ["c@d"])
    assert (message.from_addr, message.to_addrs) == ("", ["c@d"])
    assert (message.sender, message.recipients) == ("", ("c@d",))


class Told(smtplib.SMTP):
    """smtplib itself, listened to where it has derived the envelope."""

    def sendmail(self, from_addr: str, to_addrs: Any, *args: Any, **kwargs: Any) -> dict[str, tuple[int, bytes]]:
        self.envelope = (from_addr, tuple(to_addrs))
        return {}


NAMES = ["From", "Sender", "To", "Cc", "Bcc"]
FIELD = st.tuples(
    st.sampled_from([*NAMES, *(f"Resent-{name}" for name in NAMES), "Resent-Date", "to", "FROM"]),
    st.lists(
        st.sampled_from(
            ["a@x.org", "Bea <b@x.org>", '"C, D" <c@x.org>', "<>", "", "group: d@x.org;", "e", "f@", "((", "<g@x.org"]
        ),
        max_size=3,
    ).map(", ".join),
)


@settings(database=None, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIELD, max_size=7))
@example([("Resent-Date", "x"), ("Resent-From", "a@x.org"), ("Resent-Cc", "b@x.org"), ("To", "e")])
def test_the_envelope_is_what_send_message_derives(tmp_path: Path, fields: list[tuple[str, str]]) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes("".join(f"{name}: {value}\n" for name, value in [*fields, ("Subject", "x")]).encode() + b"\nbody")
    try:
        message = read_message(path)
    except NotSendable:
        return
    assert isinstance(message.content, Message)
    told = Told(local_hostname="localhost")
    told.ehlo_resp = b"as if there had been an EHLO"
    told.send_message(message.content, message.from_addr, message.to_addrs)
    assert told.envelope == (message.sender, message.recipients)
