"""Rendering gives, to the byte, what smtplib of the same interpreter sends."""

from __future__ import annotations

import importlib.util
import random
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge import plain
from asyncsmtp_bridge.folding import wire_policy
from asyncsmtp_bridge.render import render
from asyncsmtp_bridge.slices import wire

from .messages import (
    POLICIES,
    ascii_texts,
    assert_same,
    assert_same_outcome,
    everything_is_large,
    octets_of_mail,
    outcome_of,
    parsed,
    sent_by_smtplib,
    trees,
)

searched = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@searched
@given(trees(), st.booleans())
def test_a_message_of_any_kind(message: Any, utf8: bool) -> None:
    assert_same(message, utf8=utf8 and hasattr(message.policy, "utf8"))


@searched
@given(trees(), st.booleans())
def test_a_message_of_any_kind_when_everything_is_large(message: Any, utf8: bool) -> None:
    with everything_is_large():
        assert_same(message, utf8=utf8 and hasattr(message.policy, "utf8"))


@searched
@given(parsed())
def test_a_message_that_was_received(message: Any) -> None:
    assert_same(message)


@searched
@given(parsed())
def test_a_message_that_was_received_when_everything_is_large(message: Any) -> None:
    with everything_is_large():
        assert_same(message)


@searched
@given(ascii_texts)
def test_a_text(text: str) -> None:
    assert_same(text)


@searched
@given(ascii_texts)
def test_a_text_in_many_slices(text: str) -> None:
    with everything_is_large():
        assert_same(text)


@searched
@given(octets_of_mail.map(lambda octets: octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")))
def test_octets_with_crlf(octets: bytes) -> None:
    assert_same(octets)
    with everything_is_large():
        assert_same(octets)


def _test_messages_of_python() -> list[Path]:
    found = importlib.util.find_spec("test")
    if found is None or found.origin is None:
        return []
    return sorted((Path(found.origin).parent / "test_email" / "data").glob("*.txt"))


@pytest.mark.parametrize("policy", POLICIES)
def test_the_messages_with_which_python_tests_its_own(policy: str) -> None:
    paths = _test_messages_of_python()
    if not paths:
        pytest.skip("this Python was installed without its own tests")
    for path in paths:
        octets = path.read_bytes()
        try:
            message = message_from_bytes(octets, policy=POLICIES[policy])
        except Exception:  # the strict policy raises what the others note
            continue
        assert_same(message)
        with everything_is_large():
            assert_same(message_from_bytes(octets, policy=POLICIES[policy]))


@searched
@given(trees())
def test_bodies_with_the_eighth_bit_are_encoded_if_asked_for(message: Any) -> None:
    ours = outcome_of(lambda: b"".join(render(message, seven_bit=True)))
    message.policy = message.policy.clone(cte_type="7bit")
    theirs = outcome_of(lambda: sent_by_smtplib(message, mended=True)[0])
    assert_same_outcome(ours, theirs, message)


@searched
@given(trees().filter(lambda message: hasattr(message.policy, "utf8")))
def test_headers_are_encoded_if_asked_for(message: Any) -> None:
    ours = outcome_of(lambda: b"".join(render(message, utf8=False)))
    message.policy = message.policy.clone(utf8=False)
    theirs = outcome_of(lambda: sent_by_smtplib(message, mended=True)[0])
    assert_same_outcome(ours, theirs, message)


def _inside(message: Any) -> Any:
    """Return all that is in a message, down to the identity of what it is made of."""
    payload = message._payload
    inner = [_inside(part) for part in payload] if isinstance(payload, list) else payload
    kept = {name: value for name, value in vars(message).items() if name not in {"_payload", "_headers"}}
    return kept, list(message._headers), inner


@searched
@given(trees(), st.booleans(), st.booleans())
def test_the_message_stays_as_it_is(message: Any, utf8: bool, seven_bit: bool) -> None:
    before = _inside(message)
    outcome_of(lambda: list(render(message, utf8=utf8, seven_bit=seven_bit)))
    assert _inside(message) == before


def _alternatives() -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Jane Doe <jane@example.com>"
    made.set_content("Hi\n")
    made.add_alternative("<p>Hi</p>", subtype="html")
    made.add_attachment(bytes(300_000), maintype="application", subtype="pdf", filename="a.pdf")
    return made


@pytest.mark.parametrize(
    "message",
    [
        _alternatives(),
        MIMEText("Hi\n"),
        MIMEMultipart("alternative", _subparts=[MIMEText("Hi"), MIMEText("<p>Hi</p>", "html")]),
        message_from_bytes(b"Content-Type: text/html\n\n<p>Gr\xc3\xbc\xc3\x9fe</p>\n", policy=POLICIES["default"]),
    ],
)
def test_the_generator_is_not_needed_for_plain_messages(message: Any) -> None:
    pieces = outcome_of(lambda: plain.written(message, wire_policy(message.policy, None, False), True, 4096))
    assert b"".join(wire(pieces)) == outcome_of(lambda: sent_by_smtplib(message))[0]


class _OwnMessage(EmailMessage):
    """A message as people's own classes are: with a header and a body of their own making."""

    def _write_headers(self, generator: Any) -> None:
        generator._fp.write(b"X-Own: yes\r\n")
        generator._write_headers(self)

    def get_payload(self, i: Any = None, decode: Any = False) -> Any:
        payload = super().get_payload(i, decode)
        return payload.upper() if isinstance(payload, str) else payload


class _TwiceWritten(EmailMessage):
    """A message that writes its body into its header, too."""

    def _write_headers(self, generator: Any) -> None:
        generator._handle_text(self)


@pytest.mark.parametrize("kind", [_OwnMessage, _TwiceWritten])
def test_a_message_of_a_class_of_its_own(kind: type[EmailMessage]) -> None:
    message = kind()
    message["Subject"] = "x"
    message.set_content("body\n" * 5_000)
    assert_same(message)
    whole = EmailMessage()
    whole["Subject"] = "x"
    whole.make_mixed()
    whole.attach(message)
    assert_same(whole)


def test_a_message_is_rendered_by_several_threads_at_once() -> None:
    message = EmailMessage()
    message["Subject"] = "Gr\u00fc\u00dfe"
    message["To"] = "reader@example.org"
    message.set_content("Hi\n.\nFrom me\n")
    message.add_alternative("<p>Hi</p>", subtype="html")
    for part in message.walk():
        if part.is_multipart():
            part.set_boundary("here")
    message.add_attachment(bytes(300_000), maintype="application", subtype="pdf")
    message.set_boundary("there")
    sent = sent_by_smtplib(message)[0]
    before = _inside(message)
    with ThreadPoolExecutor(8) as threads:
        for made in threads.map(lambda _: b"".join(render(message)), range(100)):
            assert made == sent
        content = render(message)
        for made in threads.map(lambda _: (content.size, b"".join(content)), range(100)):
            assert made == (content.size, sent)
    assert _inside(message) == before


def test_a_boundary_is_not_one_that_a_large_body_has_in_it() -> None:
    def made(body: str) -> MIMEMultipart:
        enclosed = MIMEText(body)
        return MIMEMultipart("mixed", _subparts=[enclosed])

    random.seed(1)
    first = b"".join(render(made("x")))
    taken = first.split(b'boundary="')[1].split(b'"')[0].decode()
    for around in (lambda message: message, MIMEMessage):
        random.seed(1)
        made_now = b"".join(render(around(made(f"--{taken}\n" + "x" * 100_000))))
        assert made_now.count(taken.encode()) == 1
