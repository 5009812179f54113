"""A large message is rendered in slices, and is never there twice."""

from __future__ import annotations

import email
import email.charset
import hashlib
import tracemalloc
from collections.abc import Callable, Iterable
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from email.policy import SMTP, compat32
from typing import Any

import pytest

from asyncsmtp_bridge.render import render

from .messages import assert_slices, outcome_of, sent_by_smtplib

MEGABYTE = 1_000_000
SIZE = 25 * MEGABYTE


def _with_attachment() -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "Large"
    made["From"] = "author@example.com"
    made.set_content("Here it is.\n.\nFrom me.\n")
    made.add_attachment(bytes(range(256)) * (SIZE // 344), maintype="application", subtype="pdf", filename="a.pdf")
    return made


def _text(line: str, encoding: str, message: Message | None = None, size: int = SIZE) -> Message:
    made = Message() if message is None else message
    made["Content-Type"] = 'text/plain; charset="utf-8"'
    made["Content-Transfer-Encoding"] = encoding
    made.set_payload(line * (size // len(line)))
    return made


def _text_qp() -> Message:
    return _text(
        "Gr=C3=BC=C3=9Fe, and so on, for the rest of=\n the line.\n.\n\n..\nFrom here on\n", "quoted-printable"
    )


def _text_8bit() -> Message:
    line = "Gr\u00fc\u00dfe, und so weiter.\n.\nFrom here on\n".encode().decode("ascii", "surrogateescape")
    return _text(line, "8bit", EmailMessage(policy=SMTP))


def _text_7bit() -> Message:
    return _text("Words.\r\n.\r\nFrom here on\r\n\rand odd\n", "7bit", size=5 * MEGABYTE)


def _without_line_ends() -> Message:
    return _text("x", "7bit", size=10 * MEGABYTE)


def _of_many_parts() -> EmailMessage:
    made = EmailMessage()
    made.set_content("Here they are.")
    for _ in range(10 * MEGABYTE // 40_000):
        made.add_attachment("From line to line.\n" * 1_500, cte="7bit")
    return made


def _with_enclosed_message() -> EmailMessage:
    made = EmailMessage()
    made.set_content("Here it is.")
    made.add_attachment(_with_attachment())
    return made


LARGE_MESSAGES = [
    _with_attachment,
    _text_qp,
    _text_8bit,
    _text_7bit,
    _without_line_ends,
    _of_many_parts,
    _with_enclosed_message,
]


def _digest(slices: Iterable[bytes]) -> str:
    made = hashlib.sha256()
    for each in slices:
        made.update(each)
    return made.hexdigest()


@pytest.mark.parametrize("make", LARGE_MESSAGES)
def test_a_large_message_has_the_same_bytes(make: Callable[[], Message]) -> None:
    message = make()
    content = outcome_of(lambda: render(message))
    size, digest = content.size, _digest(content)
    wire, announced = outcome_of(lambda: sent_by_smtplib(message))
    assert size == announced
    assert digest == _digest([wire])
    assert content.is_ascii == wire.isascii()
    assert content.has_ascii_header


def test_a_large_text_has_the_same_bytes() -> None:
    text = "Subject: x\n\nWords.\n.\nFrom here on\r\rand odd\r\n" * (SIZE // 45)
    content = render(text)
    wire, announced = sent_by_smtplib(text)
    assert content.size == announced
    assert _digest(content) == _digest([wire])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_large_octets_have_the_same_bytes(kind: type) -> None:
    octets = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nWords.\r\n.\r\nFrom here on\r\n" * (SIZE // 50)
    content = render(kind(octets))
    wire, announced = sent_by_smtplib(octets)
    assert content.size == announced
    assert _digest(content) == _digest([wire])
    assert not content.is_ascii
    assert not content.has_ascii_header


def _peak_of(message: Any) -> int:
    tracemalloc.start()
    try:
        content = render(message)
        assert content.size
        assert content.message_id is None
        assert content.is_ascii or content.has_ascii_header
        for _ in content:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", LARGE_MESSAGES)
def test_a_large_message_takes_little_memory(make: Callable[[], Message]) -> None:
    assert _peak_of(make()) < 2 * MEGABYTE


@pytest.mark.parametrize("line", ["Words.\n.\n", "Words.\r\n.\r\n"])
def test_a_large_text_and_large_octets_take_little_memory(line: str) -> None:
    text = line * (SIZE // len(line))
    assert _peak_of(text) < 2 * MEGABYTE
    octets = text.encode()
    assert _peak_of(octets) < 2 * MEGABYTE
    assert _peak_of(memoryview(octets)) < 2 * MEGABYTE


@pytest.mark.parametrize("length", [64 * 1024 - 5, 64 * 1024 - 4, 64 * 1024, 80_000, 64 * 1024 * 3 - 2, 64 * 1024 * 3])
def test_what_fits_is_one_slice_and_the_last_one_of_several_is_short(length: int) -> None:
    text = "x" * length
    slices = list(render(text))
    assert_slices(slices, sent_by_smtplib(text)[0])
    assert (len(slices) == 1) == (length + len(b"\r\n.\r\n") <= 64 * 1024)
    assert all(len(each) < 200 * 1024 for each in slices)


def test_slices_are_made_when_they_are_asked_for() -> None:
    content = render(_without_line_ends())
    first, second = iter(content), iter(content)
    assert next(first) == next(second)
    assert next(first) == next(second)


def test_it_is_encoded_where_somebody_has_told_the_process_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask-Mail does so when it is imported."""
    monkeypatch.setitem(email.charset.CHARSETS, "utf-8", (email.charset.SHORTEST, None, "utf-8"))
    message = email.message_from_bytes(
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    )
    content = render(message, seven_bit=True)
    assert content.is_ascii
    assert email.message_from_bytes(content.whole()).get_payload(decode=True) == "Grüße\r\n".encode()


def test_a_large_body_with_the_eighth_bit_is_encoded_for_a_server_without_8bitmime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As Python has it: whoever has changed it for the process keeps smtplib from sending this at all.
    monkeypatch.setitem(email.charset.CHARSETS, "utf-8", (email.charset.SHORTEST, email.charset.BASE64, "utf-8"))
    line = "Gr\u00fc\u00dfe, und so weiter.\n.\nFrom here on\n".encode().decode("ascii", "surrogateescape")
    message = MIMEText("", policy=compat32)
    del message["Content-Transfer-Encoding"]
    message.replace_header("Content-Type", 'text/plain; charset="utf-8"')
    message.set_payload(line * 10_000)
    content = render(message, seven_bit=True)
    digest = _digest(content)
    message.policy = compat32.clone(cte_type="7bit")
    assert digest == _digest([sent_by_smtplib(message)[0]])
    assert content.is_ascii
