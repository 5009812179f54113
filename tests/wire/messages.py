"""What is shared by the tests of rendering: smtplib, which knows what is right, and messages of all kinds."""

from __future__ import annotations

import contextlib
import email.policy
import random
import re
import smtplib
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage, Message, MIMEPart
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import Policy
from typing import Any

import pytest
from hypothesis import strategies as st

from asyncsmtp_bridge import flatten, slices
from asyncsmtp_bridge.render import Content, render

POLICIES: dict[str, Policy[Any]] = {
    "compat32": email.policy.compat32,
    "compat32, 7bit": email.policy.compat32.clone(cte_type="7bit"),
    "compat32, short lines": email.policy.compat32.clone(max_line_length=30),
    "compat32, any lines": email.policy.compat32.clone(max_line_length=None, mangle_from_=False),
    "default": email.policy.default,
    "default, 7bit": email.policy.default.clone(cte_type="7bit"),
    "default, short lines": email.policy.default.clone(max_line_length=40),
    "default, any lines": email.policy.default.clone(max_line_length=0, mangle_from_=True),
    "default, as it came": email.policy.default.clone(refold_source="none"),
    "default, all anew": email.policy.default.clone(refold_source="all"),
    "SMTP": email.policy.SMTP,
    "SMTPUTF8": email.policy.SMTPUTF8,
    "HTTP": email.policy.HTTP,
    "strict": email.policy.strict,
}


class _Recorder(smtplib.SMTP):
    """smtplib, with what it sends kept, and a server that says yes to everything."""

    def __init__(self, mended: bool = False) -> None:
        super().__init__(local_hostname="here")
        self.sent: list[bytes] = []
        self.mended = mended
        self.helo_resp = self.ehlo_resp = b"there"
        self.does_esmtp = True
        self.esmtp_features = {"size": "", "smtputf8": "", "8bitmime": ""}

    def send(self, s: Any) -> None:
        self.sent.append(s.encode("utf-8") if isinstance(s, str) else bytes(s))

    def getreply(self) -> tuple[int, bytes]:
        return (354 if self.sent[-1].lower() == b"data\r\n" else 250), b""

    def data(self, msg: Any) -> tuple[int, bytes]:
        # The one thing in which rendering differs on purpose: see the tests of differences.
        mended = re.sub(rb"\r\n|\r|\n", b"\r\n", msg) if self.mended else msg
        self.size = len(mended)
        return super().data(mended)


def sent_by_smtplib(message: Any, *, utf8: bool = False, mended: bool = False) -> tuple[bytes, int]:
    """Return what smtplib sends of a message as its content, and its size."""
    session = _Recorder(mended)
    sender = "gr\u00fc\u00df@example.com" if utf8 else "author@example.com"
    if isinstance(message, Message):
        session.send_message(message, sender, ["reader@example.org"])
    else:
        session.sendmail(sender, ["reader@example.org"], message)
    assert mended or f"size={session.size}".encode() in session.sent[0]
    return session.sent[-1], session.size


def outcome_of(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the kind of exception that it raises, with the same random numbers each time."""
    random.seed(1)
    try:
        return call()
    except Exception as error:
        return type(error)


def assert_same_outcome(ours: Any, theirs: Any, message: Any) -> None:
    """Assert that two outcomes are the same, but for what only newer versions of the generator refuse."""
    if isinstance(ours, type) and ours.__name__ == "HeaderWriteError" and ours != theirs:
        assert _has_field_of_two(message)
    else:
        assert ours == theirs


def _has_field_of_two(message: Message) -> bool:
    policy = message.policy.clone(linesep="\r\n")
    folded = [policy.fold_binary(*item)[:-2] for part in message.walk() for item in part.raw_items()]
    return any(re.search(rb"\r\n[^ \t]|\r[^ \n\t]|\n[^ \t]", each) for each in folded)


def assert_same(message: Any, *, utf8: bool = False) -> None:
    """Assert that a message is rendered as smtplib sends it, or refused as smtplib refuses it."""
    content = outcome_of(lambda: render(message, utf8=True if utf8 else None))
    # Second, since it leaves traces.
    theirs = outcome_of(lambda: sent_by_smtplib(message, utf8=utf8, mended=not isinstance(message, (str, bytes))))
    if isinstance(content, type) or not isinstance(theirs, tuple):
        assert_same_outcome(content, theirs, message)
        return
    assert isinstance(content, Content), content
    wire, size = theirs
    assert_slices(list(content), wire)
    assert content.size == size, wire
    assert content.is_ascii == wire.isascii()
    assert content.has_ascii_header == re.split(rb"(?:\A|\r\n)\r\n", wire)[0].isascii()
    assert list(content) == list(content)


def assert_slices(ours: list[bytes], wire: bytes) -> None:
    """Assert that these are the slices of what smtplib sends."""
    assert b"".join(ours) == wire
    assert all(ours)
    if len(wire) <= slices.SLICE:
        assert len(ours) == 1
    else:
        assert len(ours[-1]) <= slices.LAST
    assert ours[-1].endswith(b".\r\n")


@contextlib.contextmanager
def everything_is_large() -> Iterator[None]:
    """Have every body streamed, and in slices of a few octets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flatten, "LARGE", 0)
        patch.setattr(slices, "STEP", 8)
        patch.setattr(slices, "SLICE", 32)
        patch.setattr(slices, "LAST", 16)
        yield


_FRAGMENTS = [
    "\n", "\r", "\r\n", ".", "..", "\n.", "\r\n.\r\n", "From ", "\nFrom ", "\n>From ", "\rFrom ", "\nFrom", "Fro",
    "a", "word", " ", "\t", "=", "x" * 80, "long words " * 12, "\x0b", "\x1c", "\0", "--", "--=", "asyncsmtp-bridge-",
]  # fmt: skip
_OCTETS = ["\udce9", "\udcc3\udca9", "\udcff", "\udc80"]
_LETTERS = ["\u00e9", "\u20ac", "\U0001f600", "\u2028", "\x85"]

ascii_texts = st.lists(st.sampled_from(_FRAGMENTS), max_size=12).map("".join)
texts_of_octets = st.lists(st.sampled_from(_FRAGMENTS + _OCTETS), max_size=12).map("".join)
any_texts = st.lists(st.sampled_from(_FRAGMENTS + _OCTETS + _LETTERS), max_size=8).map("".join)

_TYPES = [
    'text/plain; charset="utf-8"', "text/plain", "TEXT/HTML; charset=latin-1", "text/plain; charset=unknown-8bit",
    "text/plain; charset=nonsense", "application/octet-stream", 'image/png; name="a.png"', "text", "a/b/c", "",
    "message/rfc822", "message/delivery-status", "message/partial", "multipart/mixed", "multipart_signed/x",
]  # fmt: skip
_CONTAINERS = [
    "multipart/mixed", 'multipart/mixed; boundary="here"', "Multipart/Signed; boundary=there; micalg=x",
    "multipart/digest",
    'multipart/related; boundary="a b"; type="text/html"', "multipart/report; report-type=delivery-status",
    'multipart/alternative;\n boundary="=_next"', "message/rfc822", "message/delivery-status", "text/plain",
]  # fmt: skip
_ENCODINGS = ["7bit", "8bit", "base64", "quoted-printable", "binary", "x-other", "BASE64 "]
_VALUES = [
    "word", "", " led by a space", "ended by one ", "tab\tin it", "Hello there", "long words " * 12, "x" * 100,
    "a@example.com", "Jane Doe <jane@example.com>", '"Doe, Jane" <jane@example.com>', "a@example.com (Jane)", "<>",
    "a@b, c@d,e@f", "group: a@b, c@d;", "Gr\u00fc\u00dfe", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "=?utf-8?q?a?= =?utf-8?q?b?=",
    "=?x?", "\u20ac" * 40, "octets \udcc3\udca9", "Mon, 23 Nov 2026 03:12:02 +0000", "no date", "<1@example.com>",
    "<" + "1" * 90 + "@example.com>", "1.0", "1.0 (comment)", "attachment; filename=a.txt",
    'attachment; filename="\u00e9"', "y" * 69,
    "inline; filename*=utf-8''%C3%A9", "a;b;c", "\x7f", "\x01", "a\x0bb", "a\u2028b", "two\n lines", "two\r\n\tlines",
    "not\nfolded", "a, " * 40, "a" * 60 + " " + "b" * 20 + ", " + "c" * 70,
]  # fmt: skip
_NAMES = [
    "Subject", "From", "To", "Cc", "Bcc", "Resent-Bcc", "Sender", "Reply-To", "Date", "Message-ID", "MIME-Version",
    "X-Thing", "Received", "References", "Content-Disposition", "Content-Language", "subject", "X-Very-Long-Name" * 5,
    "Content-ID", "Resent-From", "DKIM-Signature",
]  # fmt: skip


def _with_fields(message: Any, fields: list[tuple[str, Any]]) -> Any:
    for name, value in fields:
        # A policy that refuses it has been tested by others.
        with contextlib.suppress(Exception):
            message[name] = value
    return message


_values = st.sampled_from(_VALUES)
_headers = st.builds(
    Header, st.sampled_from(["a", "Gr\u00fc\u00dfe", "long words " * 12]), st.sampled_from([None, "utf-8"])
)
_fields = st.lists(st.tuples(st.sampled_from(_NAMES), st.one_of(_values, _values, _headers)), max_size=4)
_policies = st.sampled_from(list(POLICIES.values()))


@st.composite
def _leaves(draw: st.DrawFn, policy: Policy[Any]) -> Any:
    """A body of any kind, set as the older and the newer interface set them, or as the parser does."""
    way = draw(st.sampled_from(["content", "attachment", "payload", "charset", "MIMEText", "MIMEBase"]))
    made: Any = draw(st.sampled_from([Message, EmailMessage, MIMEPart]))(policy=policy)
    text = draw(any_texts)
    with contextlib.suppress(Exception):  # not every text has every encoding
        if way == "content" and isinstance(made, MIMEPart):
            encoding = draw(st.sampled_from([None, "7bit", "8bit", "base64", "quoted-printable"]))
            made.set_content(text, charset=draw(st.sampled_from(["utf-8", "latin-1", "us-ascii"])), cte=encoding)
        elif way == "attachment" and isinstance(made, MIMEPart):
            octets = text.encode("utf-8", "surrogatepass")
            made.set_content(
                octets, "application", "x", cte=draw(st.sampled_from(["base64", "8bit", "quoted-printable"]))
            )
        elif way == "MIMEText":
            made = MIMEText(text, "plain", draw(st.sampled_from([None, "utf-8", "latin-1"])), policy=policy)
        elif way == "MIMEBase":
            made = MIMEBase("application", "octet-stream", policy=policy, name="x.bin")
            made.set_payload(text)
        elif way == "charset":
            made.set_payload(text, draw(st.sampled_from(["utf-8", "latin-1", "us-ascii", "iso-2022-jp"])))
    if made._payload is None and draw(st.integers(0, 9)):
        made.set_payload(draw(st.sampled_from([text, draw(texts_of_octets), draw(ascii_texts)])))
        kind = draw(st.sampled_from(_TYPES))
        _with_fields(made, [("Content-Type", kind)] if kind else [])
        _with_fields(
            made, draw(st.sampled_from([[], [("Content-Transfer-Encoding", draw(st.sampled_from(_ENCODINGS)))]]))
        )
    return _with_fields(made, draw(_fields))


@st.composite
def trees(draw: st.DrawFn, policy: Policy[Any] | None = None, depth: int = 0) -> Any:
    """A message made through the interfaces, with parts that may have other policies than the whole."""
    policy = draw(_policies) if policy is None or not draw(st.integers(0, 3)) else policy
    if depth == 3 or draw(st.integers(0, 2)) < min(depth + 1, 2):
        return draw(_leaves(policy))
    made: Any = draw(st.sampled_from([Message, EmailMessage]))(policy=policy)
    if draw(st.booleans()):
        made = MIMEMultipart("alternative", draw(st.sampled_from([None, "there"])), policy=policy)
    else:
        _with_fields(made, [("Content-Type", draw(st.sampled_from(_CONTAINERS)))])
    parts = draw(st.lists(trees(policy, depth + 1), max_size=3))
    made._payload = parts
    made.preamble, made.epilogue = draw(st.one_of(st.none(), ascii_texts)), draw(st.one_of(st.none(), ascii_texts))
    return _with_fields(made, draw(_fields))


_LINES = [
    "From: a@example.com", "To: b@example.org,", " c@example.org", "\tfolded", "Subject: words and words",
    "Subject: Gr\udcc3\udcbc",
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Bcc: x@example.com", "MIME-Version: 1.0", "no field",
    "X-Long: " + "words " * 20,
    "", "", "", ".", "..", "text", "From here on", ">From", "\udce9\udcff", "=E9=", "long " * 30, "YWJj", "--here",
    "--here--",
    "--there", "--there--", "DKIM-Signature: v=1; a=rsa-sha256;\r\n b=" + "x" * 70,
    "Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: base64", "Message-ID: <1@example.com>",
] + ["Content-Type: " + kind for kind in _TYPES + _CONTAINERS]  # fmt: skip
_ENDS = ["\n", "\r\n", "\r\n", "\r", ""]
octets_of_mail = st.one_of(
    st.lists(st.tuples(st.sampled_from(_LINES), st.sampled_from(_ENDS)), max_size=25),
    st.lists(st.tuples(st.sampled_from(_LINES), st.just("\r\n")), max_size=25),
).map(lambda lines: "".join(line + end for line, end in lines).encode("ascii", "surrogateescape"))


@st.composite
def parsed(draw: st.DrawFn) -> Message:
    """A message that came from octets, be they mail or not."""
    policy = draw(st.sampled_from([each for name, each in POLICIES.items() if name != "strict"]))
    return message_from_bytes(draw(octets_of_mail), policy=policy)
