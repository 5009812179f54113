"""Where rendering differs from smtplib on purpose: one test each; and what it refuses."""

from __future__ import annotations

import email.policy
from array import array
from email import message_from_bytes
from email.header import Header
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

import pytest

from asyncsmtp_bridge.render import render

from .messages import everything_is_large, sent_by_smtplib


def rendered(message: Any, **options: Any) -> bytes:
    return b"".join(render(message, **options))


def test_octets_with_unix_line_ends_get_crlf() -> None:
    octets = b"Subject: x\n\nOne line.\n.\nOne more.\n"
    assert rendered(octets) == b"Subject: x\r\n\r\nOne line.\r\n..\r\nOne more.\r\n.\r\n"
    assert render(octets).size == len(octets.replace(b"\n", b"\r\n"))
    # A server that takes a bare LF for a line end sees the end of the mail in this.
    assert b"\n..\n" in sent_by_smtplib(octets)[0]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"Subject: x\r\n\r\nOne.\n.\r\nMAIL FROM:<evil@example.com>\r\n", "line 3 ends with a bare LF"),
        (b"Subject: x\r\n\r\nOne.\r\n.\rTwo.\r\n", "line 4 ends with a bare CR"),
        (b"Subject: x\n\nOne.\nTwo.\r\n", "line 1 ends with a bare LF"),
        (b"Subject: x\n\nOne.\rTwo.\n", "line 1 ends with a bare LF"),
        (b"Subject: x\r\rOne.\r", "line 1 ends with a bare CR"),
        (b"One.\r\n\r\r\n", "line 2 ends with a bare CR"),
        (b"One.\r\nTwo.\r", "line 2 ends with a bare CR"),
    ],
)
def test_octets_with_line_ends_of_several_kinds_are_refused(kind: type, octets: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        render(kind(octets))
    with everything_is_large(), pytest.raises(ValueError, match=said):
        render(kind(octets))


def test_the_generator_leaves_bare_line_ends_in_what_it_does_not_parse_and_rendering_does_not() -> None:
    received = b"Subject: x\nContent-Type: multipart/mixed\n\nNo parts.\n.\nMAIL FROM:<evil@example.com>\n"
    message = message_from_bytes(received)
    assert b"parts.\n..\nMAIL" in sent_by_smtplib(message)[0]
    assert b"parts.\r\n..\r\nMAIL" in rendered(message)


def test_a_folded_header_with_octets_has_crlf() -> None:
    message = message_from_bytes(b"Subject: Gr\xc3\xbc\xc3\x9fe\n and more\n\n")
    assert b"\xc3\x9fe\n and more" in sent_by_smtplib(message)[0]
    assert rendered(message) == b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n and more\r\n\r\n.\r\n"


def _nested() -> MIMEMultipart:
    inner = MIMEMultipart("alternative", _subparts=[MIMEText("a"), MIMEText("b", "html")])
    return MIMEMultipart("mixed", _subparts=[inner, MIMEText("c")])


def test_the_message_is_not_given_boundaries() -> None:
    message = _nested()
    rendered(message)
    inner: Any = message.get_payload(0)
    assert inner.get_boundary() is None
    sent_by_smtplib(message)
    assert inner.get_boundary() is not None


def test_the_message_is_not_mangled() -> None:
    message = message_from_bytes(
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nFrom Gr\xc3\xbc\xc3\x9fe\n--x--\n"
    )
    rendered(message)
    part: Any = message.get_payload(0)
    assert part.get_payload(decode=True).startswith(b"From")
    sent_by_smtplib(message)
    assert part.get_payload(decode=True).startswith(b">From")


def test_the_older_policy_can_have_a_header_in_utf8() -> None:
    message = MIMEText("Hi")
    message["From"] = "gr\u00fc\u00df@example.com"
    message["Subject"] = Header("Gr\u00fc\u00dfe", "utf-8")
    message["Cc"] = "reader@example.org"
    with pytest.raises(TypeError, match="utf8"):
        sent_by_smtplib(message, utf8=True)
    content = render(message, utf8=True)
    (wire,) = content
    assert (
        "\r\nFrom: gr\u00fc\u00df@example.com\r\nSubject: Gr\u00fc\u00dfe\r\nCc: reader@example.org\r\n".encode()
        in wire
    )
    assert not content.has_ascii_header


def test_a_header_in_utf8_is_encoded_for_a_server_without_smtputf8() -> None:
    message = EmailMessage(policy=email.policy.SMTPUTF8)
    message["Subject"] = "Gr\u00fc\u00dfe"
    assert not render(message).has_ascii_header
    assert not render(message, utf8=True).has_ascii_header
    assert render(message, utf8=False).has_ascii_header
    message.policy = email.policy.SMTP
    assert rendered(message) == sent_by_smtplib(message)[0]


class _Split(UnstructuredHeader):
    def fold(self, *, policy: Any) -> str:
        return "Subject: one\r\nBcc: two@example.com\r\n"


@pytest.mark.skipif(
    not hasattr(email.policy.default, "verify_generated_headers"), reason="this Python does not know of such a check"
)
def test_a_field_that_would_become_two_is_refused() -> None:
    from email.errors import HeaderWriteError

    registry = HeaderRegistry()
    registry.map_to_type("subject", _Split)
    message = EmailMessage(policy=email.policy.SMTP.clone(header_factory=registry))
    message["Subject"] = "one"
    with pytest.raises(HeaderWriteError, match="newline"):
        render(message)
    message.policy = message.policy.clone(verify_generated_headers=False)
    assert rendered(message) == b"Subject: one\r\nBcc: two@example.com\r\n\r\n.\r\n"


def test_a_text_that_is_not_ascii_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UnicodeEncodeError, match=r"position 2: ordinal not in range.*pass an EmailMessage"):
        render("Gr\u00fc\u00dfe")


def test_a_body_that_is_not_ascii_is_refused_before_anything_is_sent() -> None:
    message = MIMEText("")
    message.set_payload("\u00fc" * 100_000)
    with pytest.raises(UnicodeEncodeError):
        render(message)


@pytest.mark.parametrize("message", [None, 1, ["a"], object()])
def test_what_is_no_message_is_refused(message: Any) -> None:
    with pytest.raises(TypeError, match=r"not (NoneType|int|list|object)"):
        render(message)


@pytest.mark.parametrize("view", [memoryview(array("H", [1])), memoryview(b"abcd")[::2]])
def test_a_memoryview_of_anything_but_octets_is_refused(view: memoryview) -> None:
    with pytest.raises(TypeError, match="contiguous memoryview of bytes"):
        render(view)


@pytest.mark.parametrize(
    "message",
    [
        "Message-ID: <1@example.com>\n\nbody",
        b"Subject: x\r\nmessage-id:\r\n <1@example.com>\r\n\r\nMessage-ID: <2@example.com>\r\n",
        message_from_bytes(b"Message-ID: <1@example.com>\n\n" + b"x" * 100_000),
    ],
)
def test_the_message_id_is_told(message: Any) -> None:
    assert render(message).message_id == "<1@example.com>"
    with everything_is_large():
        assert render(message).message_id == "<1@example.com>"


def test_there_may_be_no_message_id() -> None:
    assert render("Subject: x\n\nMessage-ID: <2@example.com>").message_id is None
